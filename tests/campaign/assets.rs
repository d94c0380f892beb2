//! `lp build assets` dies in the middle of downloads and transcodes, alone or with all that it has
//! started. The builds after it must end with what a build without faults makes, byte for byte:
//! a video and a model of two files from a server that is slow, and a clip for each of two cameras.
//!
//! It plays real pipelines for minutes, so it runs only as a part of the whole campaign or if
//! it is asked for.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::random::Random;
use crate::running::{Ended, Running, alive_below};
use crate::tree::{self, Tree};
use crate::{ENOUGH, say};

/// Kills in a whole campaign.
const WHOLE: u64 = 100;
/// Kills if it is asked for alone.
const FEW: u64 = 20;

/// The server sends so many bytes, and pauses.
const PIECE: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(15);

const BUILD: [&str; 2] = ["build", "assets"];

const MODEL: &str = r#"<net name="till" version="11"><layers>
<layer id="0" name="data" type="Parameter"><output><port id="0"><dim>1</dim><dim>3</dim><dim>300</dim><dim>300</dim></port></output></layer>
<layer id="1" name="out" type="Result"><input><port id="0"><dim>1</dim><dim>1</dim><dim>200</dim><dim>7</dim></port></input></layer>
</layers></net>
"#;

/// What the server has, by path.
type Served = Arc<Vec<(&'static str, Vec<u8>)>>;

/// Runs the part. Whether all builds ended as they should.
pub(crate) fn run(seed: u64, is_full: bool, folder: &Path) -> bool {
    let root = folder.join(format!("lp-campaign-assets-{}", std::process::id()));
    let told = try_run(seed, if is_full { WHOLE } else { FEW }, &root);
    match told {
        Ok(line) => {
            say(&format!("campaign: assets: {line}"));
            tree::remove(&root);
            true
        }
        Err(why) => {
            say(&format!("campaign: assets: FAILED: {why}\n  kept: {}", root.display()));
            false
        }
    }
}

fn try_run(seed: u64, n_kills: u64, root: &Path) -> Result<String, String> {
    let served = served(&root.join("source"))?;
    let port = serve(Arc::clone(&served));
    let clean = root.join("clean/p");
    project(&clean, port, &served);
    let ended = Running::start(&clean, 0, &BUILD, &[]).wait()?;
    well(&ended)?;
    let wanted = assets(&clean);
    // The folders of the model, its files, the video, its clips and what they are.
    let n_files = wanted.values().filter(|node| matches!(node, tree::Node::File { .. })).count();
    if n_files < 7 {
        return Err(format!("a build without faults makes {:?}", wanted.keys()));
    }
    let (mut killed, mut late, mut failures) = (0, 0, Vec::new());
    for n in 0.. {
        if killed >= n_kills || failures.len() >= ENOUGH {
            break;
        }
        let mut random = Random::new(Random::case_seed(seed, "assets", n));
        let place = root.join(format!("{n}/p"));
        project(&place, port, &served);
        let mut story = Vec::new();
        for nth in 1..=random.between(1, 3) {
            // A later build has less to do.
            let moment = ended.took.mul_f64(random.fraction() / nth as f64);
            let is_alone = random.percent(50);
            story.push(format!("killed after {} ms, alone: {is_alone}", moment.as_millis()));
            let mut running = Running::start(&place, 0, &BUILD, &[]);
            running.run_for(moment);
            if is_alone {
                running.signal(Signal::KILL)
            } else {
                running.kill_all()
            }
            match running.wait()?.code {
                None => killed += 1,
                Some(_) => late += 1,
            }
        }
        match check(&place, &wanted) {
            Ok(()) => tree::remove(&root.join(n.to_string())),
            Err(why) => failures.push(format!("{n}: {}: {why}", story.join("; "))),
        }
    }
    if !failures.is_empty() {
        return Err(failures.join("\n  "));
    }
    Ok(format!("{killed} kills, {late} too late; each time the builds after them made it whole"))
}

/// That two builds more make it whole and leave nothing behind.
fn check(place: &Path, wanted: &Tree) -> Result<(), String> {
    well(&Running::start(place, 0, &BUILD, &[]).wait()?)?;
    let differences = tree::differences(wanted, &assets(place), &|_| false);
    if !differences.is_empty() {
        return Err(format!("it differs from a build without faults:\n  {}", differences.join("\n  ")));
    }
    let ended = Running::start(place, 0, &BUILD, &[]).wait()?;
    well(&ended)?;
    if !ended.stderr.contains("nothing to do: ") {
        return Err(format!("a further build had something to do:\n{}", ended.stderr));
    }
    let mut left: Vec<String> =
        ["partial", "tmp"].iter().flat_map(|name| tree::files(&place.join(".lpcache").join(name))).collect();
    left.extend(alive_below(place));
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
}

fn well(ended: &Ended) -> Result<(), String> {
    if ended.code == Some(0) { Ok(()) } else { Err(format!("exit code {:?}:\n{}", ended.code, ended.stderr)) }
}

/// What is in the folders of videos and models.
fn assets(place: &Path) -> Tree {
    let mut all = tree::read(place);
    all.retain(|path, _| path.starts_with("media/") || path.starts_with("models/"));
    all
}

/// A video that `lp` draws, and a model with weights of its size.
fn served(place: &Path) -> Result<Served, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(place.join("configs")).unwrap();
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(here.join("configs/scenes")).arg(place.join("configs"));
    assert!(copy.status().unwrap().success());
    write(place, "Lpfile.toml", "");
    write(
        place,
        "configs/workload_to_pipeline.json",
        r#"{"workload_pipeline_map": {"w": [{"type": "identity"}]}}"#,
    );
    write(
        place,
        "configs/camera_to_workload.json",
        &cameras(&[("scan.mp4|scene:fake-scan", (640, 360, 15))]),
    );
    well(&Running::start(place, 0, &["build", "generate:scan.mp4"], &[]).wait()?)?;
    let video = fs::read(place.join("media/scan.mp4")).map_err(|error| error.to_string())?;
    let weights = Random::new(1).text(1 << 20);
    Ok(Arc::new(vec![("scan.mp4", video), ("till.xml", MODEL.into()), ("till.bin", weights)]))
}

/// A project that needs all that is served.
fn project(place: &Path, port: u16, served: &Served) {
    let sources = [(320, 180, 10), (160, 120, 5)];
    let url = format!("scan.mp4|http://127.0.0.1:{port}/scan.mp4");
    // With elements of the worker's own, OpenVINO would be needed, which is not served.
    write(place, "Lpfile.toml", "[run]\ndialect = \"dlstreamer\"\n");
    write(
        place,
        "configs/workload_to_pipeline.json",
        r#"{"workload_pipeline_map": {"w": [{"type": "gvadetect", "model": "till", "precision": "FP32", "device": "CPU"}]}}"#,
    );
    let cameras = cameras(&sources.map(|size| (url.as_str(), size)));
    write(place, "configs/camera_to_workload.json", &cameras);
    let file = |name: &str| {
        let (_, bytes) = served.iter().find(|(served, _)| *served == name).unwrap();
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "[[model.till.files]]\nprecision = \"FP32\"\npath = \"object_detection/till/FP32/{name}\"\n\
             sha256 = \"{sha256}\"\nurls = [\"http://127.0.0.1:{port}/{name}\"]\n"
        )
    };
    write(place, "configs/models/till.toml", &[file("till.xml"), file("till.bin")].join("\n"));
}

fn cameras(cameras: &[(&str, (u32, u32, u32))]) -> String {
    let one = |(n, (source, (width, height, fps))): (usize, &(&str, (u32, u32, u32)))| {
        format!(
            r#"{{"camera_id": "camera-{n}", "fileSrc": "{source}", "width": {width}, "height": {height}, "fps": {fps}, "workloads": ["w"]}}"#
        )
    };
    let all: Vec<String> = cameras.iter().enumerate().map(one).collect();
    format!(r#"{{"lane_config": {{"cameras": [{}]}}}}"#, all.join(", "))
}

fn write(place: &Path, path: &str, text: &str) {
    let path: PathBuf = place.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Serves until the campaign ends.
fn serve(served: Served) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, served) = (stream.unwrap(), Arc::clone(&served));
            // A client that has died is no fault of the server's.
            std::thread::spawn(move || answer(stream, &served));
        }
    });
    port
}

/// A file, or the rest of it.
fn answer(mut stream: TcpStream, served: &Served) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let Some((_, bytes)) = served.iter().find(|(name, _)| path.strip_prefix('/') == Some(name)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    };
    let range = head
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let from: usize = range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0);
    let n = bytes.len();
    let status = match from {
        0 => "200 OK".to_owned(),
        from => format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{n}", n - 1),
    };
    let rest = &bytes[from.min(n)..];
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"1\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        rest.len()
    );
    stream.write_all(head.as_bytes())?;
    for piece in rest.chunks(PIECE) {
        stream.write_all(piece)?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}
