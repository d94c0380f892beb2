//! Lanes whose network `lp` impairs.

use std::net::TcpListener;
use std::process::Command;

use lp::record::RunRecord;
use lp::record::measure::{Verdict, measure};

use crate::project::{LpProcess, latest, short};
use crate::workspace::Workspace;

/// A project of one camera at 50 fps, whose clip `lp` serves.
fn served(rtsp: &str) -> Workspace {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    std::fs::create_dir(ws.path("clips")).unwrap();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=50", "-frames:v", "100"])
        .args(["-c:v", "libx264", "-bf", "0", "-g", "25", "-threads", "1", "-pix_fmt", "yuv420p"])
        .arg(ws.path("clips/fast.mp4"))
        .status();
    assert!(status.unwrap().success());
    let cameras = ws.read("configs/camera_to_workload.json");
    let cameras =
        cameras.replace("short.mp4|scene:short", "clips/fast.mp4").replace("\"fps\": 15", "\"fps\": 50");
    ws.write("configs/camera_to_workload.json", &cameras);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ws.write(
        "Lpfile.toml",
        &format!(
            "[run]\nduration = \"5s\"\nwarmup = \"1s\"\nsource = \"rtsp\"\n\
             [rtsp]\nhost = \"localhost\"\nport = {port}\n{rtsp}"
        ),
    );
    ws
}

/// What a run says and records.
fn run(rtsp: &str) -> (String, String, RunRecord) {
    let ws = served(rtsp);
    let output = ws.command(&["run"]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), latest(&ws))
}

/// Whether the camera holds; on a machine that others keep busy, only the network is judged.
fn holds(record: &RunRecord) -> bool {
    let measurement = measure(record);
    let delivery = record.members[0].streams[0].delivery.as_ref().unwrap();
    let is_whole = (delivery.incomplete, delivery.damaged) == (0, 0);
    is_whole && (!measurement.degraded.is_empty() || measurement.cameras[0].verdict == Verdict::Holds)
}

#[test]
fn a_lane_holds_with_delay_and_not_with_loss() {
    let (well, badly, slowly) = std::thread::scope(|scope| {
        let well =
            scope.spawn(|| run("transport = \"udp\"\nimpair = { delay = \"40ms\", jitter = \"20ms\" }\n"));
        let badly = scope.spawn(|| run("transport = \"udp\"\nimpair = { loss = \"5%\", seed = 7 }\n"));
        let slowly = scope.spawn(|| run("impair = { delay = \"40ms\", rate = \"20mbit\" }\n"));
        (well.join().unwrap(), badly.join().unwrap(), slowly.join().unwrap())
    });

    let (stdout, stderr, record) = well;
    let network = "delay 40ms ± 20ms, seed 0";
    assert!(stderr.contains(&format!("note: the network of 1 stream is impaired: {network}")), "{stderr}");
    assert!(holds(&record), "{stdout}");
    assert!(stdout.contains(&format!("impaired network ({network})")), "{stdout}");
    let passage = record.members[0].streams[0].impaired.unwrap();
    assert_eq!((passage.dropped, passage.overflowed), (0, 0), "{passage:?}");
    assert!(passage.packets - passage.forwarded < 50, "{passage:?}");
    let mean_ms = passage.delay_mean_us().unwrap() as f64 / 1e3;
    assert!((35.0..60.0).contains(&mean_ms), "{mean_ms}");

    let (stdout, _, record) = badly;
    assert!(!holds(&record) && !stdout.contains("1 of 1 camera holds"), "{stdout}");
    assert!(stdout.contains("lack packets"), "{stdout}");
    let passage = record.members[0].streams[0].impaired.unwrap();
    let share = passage.dropped as f64 / passage.packets as f64;
    assert!((0.02..0.08).contains(&share), "{passage:?}");
    assert!(
        stdout.contains(&format!("impaired network: {} packets, {} lost", passage.packets, passage.dropped)),
        "{stdout}"
    );

    let (stdout, _, record) = slowly;
    assert!(holds(&record), "{stdout}");
    let passage = record.members[0].streams[0].impaired.unwrap();
    assert_eq!(passage.dropped, 0);
    assert!(40_000 <= passage.delay_mean_us().unwrap(), "{passage:?}");
}

#[test]
fn a_camera_that_refuses_is_named_through_the_relay() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cameras = ws.read("configs/camera_to_workload.json");
    let uri = format!("\"streamUri\": \"rtsp://127.0.0.1:{port}/1\"");
    ws.write(
        "configs/camera_to_workload.json",
        &cameras.replace("\"fileSrc\": \"short.mp4|scene:short\"", &uri),
    );
    let lpfile = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{lpfile}[rtsp]\nimpair = {{ delay = \"5ms\" }}\n"));
    let ended = ws.lp("run").code(1);
    let told = format!("`rtsp://127.0.0.1:{port}/1`: no connection to the server: Connection refused");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
}

#[test]
fn another_network_is_another_run() {
    let ws = served("impair = { delay = \"5ms\" }\n");
    let mut lp = LpProcess::start(&ws, &["run", "--no-verdict", "--duration", "1s", "--warmup", "0s"]);
    lp.wait_for_frames_of("till");
    lp.finish().success();
    let flags = "--set run.duration=1s --set run.warmup=0s";
    ws.lp(&format!("build run:lane {flags}")).success().stderr_has("nothing to do");
    let changed = ws.lp(&format!("build run:lane --dry-run {flags} --set rtsp.impair.delay=6ms"));
    changed.success().stderr_has("`delay_ms` changed from 5 to 6");
}
