//! The newest GStreamer that Debian has: images on Debian 13 with the binaries of this build.

use std::fs;
use std::io::Write;
use std::path::Path;

use lp::record::RunRecord;

use crate::support::{ProgramOutput, images};

const LANE: &str = r#"
set -eu
lp-worker --version
cd /tmp
lp init lane 2>/dev/null
lp -C lane run --quiet --warmup 0s --duration 3s --no-verdict --json >/dev/null
cat lane/results/latest/record.json >/out/record.json
"#;

#[test]
fn a_lane_is_measured_on_debian_13() {
    let Some(engine) = images() else { return };
    let binaries = Path::new(env!("CARGO_BIN_EXE_lp")).parent().unwrap();
    let tag = format!("{}-trixie", engine.tag);
    let arguments = ["--tag", &tag, "--binaries", binaries.to_str().unwrap()];
    let mut script = engine.script("images", &arguments);
    let made = ProgramOutput::of(script.env("LP_BASE_IMAGE", "docker.io/library/debian:trixie-slim"));
    // A mirror may have one release of Debian only.
    if made.stderr.contains("error: debootstrap failed") {
        let line = format!("skipped: there is no Debian 13: {}\n", made.stderr.trim_end());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    made.code(0);

    let out = tempfile::tempdir().unwrap();
    let mount = format!("{}:/out:rw", out.path().display());
    let image = format!("localhost/lp/pipeline-exec:{tag}");
    let options =
        ["run", "--rm", "--network", "none", "--no-healthcheck", "--user", "0:0", "--volume", &mount];
    let arguments = [&options[..], &[&image, "sh", "-c", LANE]].concat();
    let played = ProgramOutput::of(&mut engine.command(&arguments)).code(0);
    assert!(played.stdout.contains("GStreamer 1.26."), "{}", played.stdout);
    let record: RunRecord =
        serde_json::from_str(&fs::read_to_string(out.path().join("record.json")).unwrap()).unwrap();
    let streams: Vec<_> = record.members.iter().flat_map(|member| &member.streams).collect();
    assert!(!streams.is_empty());
    for stream in streams {
        // Three seconds at 15 frames a second.
        assert!(
            (44..=46).contains(&stream.arrived_us.len()),
            "{}: {}",
            stream.stream,
            stream.arrived_us.len()
        );
        assert!(stream.seen.iter().any(|step| step.kind == "zbar"), "{stream:?}");
    }
}
