//! What lies in `.lpcache` is torn, flipped, cut, doubled, of another version,
//! empty or garbage; blobs are damaged or gone.

use std::fs;

use crate::case::Case;
use crate::project::write_through;
use crate::tree;

const ROUNDS: usize = 4;

pub(crate) fn run(case: &mut Case) -> Result<(), String> {
    let ended = case.start(&[]).wait()?;
    case.tell(format!("built:\n{}", ended.stderr));
    for _ in 0..ROUNDS {
        for _ in 0..case.random.between(1, 2) {
            if case.random.percent(70) {
                damage_file(case);
            } else {
                damage_blob(case);
            }
        }
        if case.random.percent(50) {
            case.change();
        }
        for _ in 0..case.random.below(3) {
            let did = case.project.change_output(&mut case.random, &case.root);
            case.tell(did);
        }
        let clean = case.clean()?;
        case.check(&clean)?;
    }
    Ok(())
}

/// Any file but blobs and the lock, the log and the state more often than others.
fn damage_file(case: &mut Case) {
    let cache = case.root.join(".lpcache");
    let files = tree::files(&cache);
    let files: Vec<String> =
        files.into_iter().filter(|path| !path.starts_with("cas/") && path != "lock").collect();
    let path = match case.random.below(4) {
        0 => "log".to_owned(),
        1 => "state".to_owned(),
        _ => case.random.pick(&files).clone(),
    };
    let place = cache.join(&path);
    let Ok(mut bytes) = fs::read(&place) else { return };
    let end = bytes.len();
    let random = &mut case.random;
    let at = random.below(end);
    let how = match random.below(9) {
        0 => {
            bytes.truncate(at);
            format!("cut off at {at} of {end}")
        }
        1 if end > 0 => {
            // What a crash leaves: the length is there, the bytes are not.
            let from = end - random.below(end.min(400)) - 1;
            bytes[from..].fill(0);
            format!("its last {} bytes are zero", end - from)
        }
        2 | 3 if end > 0 => {
            let n = random.between(1, 3);
            for _ in 0..n {
                let at = random.below(end);
                bytes[at] ^= 1 << random.below(8);
            }
            format!("{n} bits flipped")
        }
        4 => {
            let tail = bytes[at..].to_vec();
            bytes.extend_from_slice(&tail);
            format!("its end from {at} of {end} doubled")
        }
        5 if path == "log" => double_entry(random, &mut bytes),
        6 if end >= 8 => {
            bytes[7] = bytes[7].wrapping_add(random.between(1, 200) as u8);
            "of another version".to_owned()
        }
        7 => {
            bytes.clear();
            "emptied".to_owned()
        }
        8 if random.percent(40) => {
            fs::remove_file(&place).unwrap();
            case.tell(format!(".lpcache/{path} removed"));
            case.count("damages");
            return;
        }
        _ => {
            let length = random.between(1, 3000);
            bytes = (0..length).map(|_| random.next() as u8).collect();
            format!("{length} bytes of garbage")
        }
    };
    fs::write(&place, bytes).unwrap();
    case.tell(format!(".lpcache/{path}: {how}"));
    case.count("damages");
}

/// Copies one entry behind another one.
fn double_entry(random: &mut crate::random::Random, bytes: &mut Vec<u8>) -> String {
    let mut starts: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, window)| window == b"\x01LPE").map(|(at, _)| at).collect();
    starts.push(bytes.len());
    if starts.len() < 2 {
        return "left alone".to_owned();
    }
    let at = random.below(starts.len() - 1);
    let entry = bytes[starts[at]..starts[at + 1]].to_vec();
    let to = *random.pick(&starts);
    bytes.splice(to..to, entry);
    format!("entry {at} copied to byte {to}")
}

fn damage_blob(case: &mut Case) {
    let cas = case.root.join(".lpcache/cas");
    let blobs = tree::files(&cas);
    if blobs.is_empty() {
        return;
    }
    let name = case.random.pick(&blobs).clone();
    let place = cas.join(&name);
    let mut bytes = fs::read(&place).unwrap();
    let at = case.random.below(bytes.len());
    let how = match case.random.below(4) {
        0 => {
            fs::remove_file(&place).unwrap();
            case.tell(format!("blob {name} removed"));
            case.count("blobs");
            return;
        }
        1 => {
            bytes.truncate(at);
            "cut off"
        }
        2 if !bytes.is_empty() => {
            bytes[at] ^= 1;
            "a bit flipped"
        }
        _ => {
            bytes = b"something else".to_vec();
            "replaced"
        }
    };
    write_through(&place, &bytes);
    case.tell(format!("blob {name}: {how} at {at}"));
    case.count("blobs");
    // Most of the time somebody needs it.
    if case.random.percent(60) {
        tree::remove(&case.root.join("out"));
        case.tell("removed out");
    }
}
