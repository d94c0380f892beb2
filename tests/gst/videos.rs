//! `lp show VIDEO`: figures of files, which `ffprobe` confirms, faults, and looks at streams.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::clips::{H264, ffmpeg, turn};
use crate::recorded::{record, serve};
use crate::source::raw;
use crate::support::Bench;
use crate::workspace::Workspace;

/// A folder without a project.
fn folder() -> Workspace {
    Workspace::empty().file("here", "").env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"))
}

fn pattern(size: &str, rate: &str, n_frames: u32) -> String {
    format!("-f lavfi -i testsrc2=size={size}:rate={rate} -frames:v {n_frames} -pix_fmt yuv420p")
}

/// The facts of a video, as `--json` prints them.
#[track_caller]
fn shown(ws: &Workspace, video: &str) -> Value {
    let ended = ws.lp(["show", "--json", video]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    document["videos"][0].clone()
}

/// What `ffprobe` says of the streams of a kind (`v` or `a`), by field.
fn probed(file: &Path, kind: &str) -> BTreeMap<String, String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_packets", "-select_streams", &format!("{kind}:0")])
        .args(["-show_streams", "-of", "default=noprint_wrappers=1"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// Of each packet of the video: its size in bytes, and whether it is a key frame.
fn packets(file: &Path) -> Vec<(u64, bool)> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=size,flags"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let packets = text.lines().filter_map(|line| line.split_once(','));
    packets.map(|(size, flags)| (size.parse().unwrap(), flags.starts_with('K'))).collect()
}

fn ratio(text: &str) -> f64 {
    let (n, d) = text.split_once('/').unwrap();
    n.parse::<f64>().unwrap() / d.parse::<f64>().unwrap()
}

#[track_caller]
fn is_near(found: &Value, expected: f64, tolerance: f64, what: &str) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn figures_agree_with_those_of_ffprobe() {
    let ws = folder();
    let sound = "-f lavfi -i sine=sample_rate=44100:duration=2 -shortest";
    let plain = pattern("160x120", "10", 20);
    for (name, arguments) in [
        ("a.mp4", format!("{plain} {H264} -g 10")),
        (
            "b.mkv",
            format!(
                "{plain} -c:v libx265 -x265-params log-level=none:keyint=7:min-keyint=7:scenecut=0:open-gop=0"
            ),
        ),
        ("c.webm", format!("{plain} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 5")),
        ("d.mkv", format!("{plain} -c:v libaom-av1 -usage realtime -cpu-used 8 -g 8")),
        ("e.avi", format!("{plain} -c:v mjpeg")),
        ("f.ts", format!("{} {H264} -g 15", pattern("320x180", "30000/1001", 60))),
        ("g.mov", format!("{plain} {H264} -bf 2 -g 12 -sc_threshold 0")),
        (
            "h.mp4",
            format!(
                "-f lavfi -i testsrc2=size=160x120:rate=10 {sound} -c:v libx264 -pix_fmt yuv420p -c:a aac -ac 2"
            ),
        ),
        ("i.mp4", format!("{plain} {H264} -g 10 -vf setsar=16/11")),
        ("j.mp4", format!("{plain} -vf select=not(eq(mod(n\\,5)\\,2)) -vsync vfr {H264}")),
    ] {
        ffmpeg(&ws.root(), &format!("{arguments} {name}"));
        let (file, facts) = (ws.path(name), shown(&ws, name));
        let (film, probe, packets) = (&facts["film"], probed(&file, "v"), packets(&file));
        assert_eq!(facts["faults"], Value::Array(Vec::new()), "{name}");
        let codec = match probe["codec_name"].as_str() {
            "hevc" => "h265",
            codec => codec,
        };
        assert_eq!(film["codec"], codec, "{name}");
        for (key, field) in [("width", "width"), ("height", "height"), ("frames", "nb_read_packets")] {
            assert_eq!(film[key].to_string(), probe[field], "{name}: {key}");
        }
        assert_eq!(facts["file"]["bytes"], fs::metadata(&file).unwrap().len());
        let digest = blake3::hash(&fs::read(&file).unwrap()).to_hex().to_string();
        assert_eq!(facts["file"]["blake3"], digest.as_str());
        // `ffprobe` guesses the rate of a transport stream, whose last frame has no length.
        let seconds = film["duration_ms"].as_f64().unwrap() / 1e3;
        if let Ok(duration) = probe["duration"].parse::<f64>() {
            assert!((seconds - duration).abs() < 0.06, "{name}: {seconds} {duration}");
        }
        is_near(&film["fps"], ratio(&probe["avg_frame_rate"]), 0.6, name);
        if name != "j.mp4" {
            is_near(&film["fps"], ratio(&probe["r_frame_rate"]), 0.02, name);
        }
        assert_eq!(film["is_constant"], name != "j.mp4", "{name}");
        let keys: Vec<usize> = (0..packets.len()).filter(|n| packets[*n].1).collect();
        let gop = keys.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert_eq!(film["gop"].as_u64(), gop.map(|gop| gop as u64), "{name}");
        // Parsers repeat parameter sets at key frames.
        let bytes: u64 = packets.iter().map(|(size, _)| size).sum();
        let bits = |bytes: f64| bytes * 8.0 / seconds;
        let tolerance = bits(bytes as f64 * 0.02 + keys.len() as f64 * 1_500.0);
        is_near(&film["bit_rate"], bits(bytes as f64), tolerance, name);
        if let Some((n, d)) = probe.get("sample_aspect_ratio").and_then(|text| text.split_once(':')) {
            let aspect = &film["pixel_aspect"];
            let is_same = aspect
                .as_array()
                .is_some_and(|pair| format!("{}:{}", pair[0], pair[1]) == format!("{n}:{d}"));
            assert!(is_same || (n == d && aspect.is_null()), "{name}: {aspect} {n}:{d}");
        }
        let sound = probed(&file, "a");
        match facts["sound"].get(0) {
            None => assert!(sound.is_empty(), "{name}"),
            Some(track) => {
                assert_eq!(track["codec"].as_str().unwrap().to_lowercase(), sound["codec_name"]);
                assert_eq!(track["sample_rate"].to_string(), sound["sample_rate"]);
                assert_eq!(track["channels"].to_string(), sound["channels"]);
            }
        }
    }
}

#[test]
fn the_text_says_how_a_video_would_be_played() {
    let ws = folder();
    let says = |name: &str, arguments: &str, expected: &[&str]| {
        ffmpeg(&ws.root(), &format!("{arguments} {name}"));
        let ended = ws.lp(["show", name]).success();
        for expected in expected {
            assert!(ended.stdout.contains(expected), "`{expected}` is not in\n{}", ended.stdout);
        }
    };
    let plain = pattern("160x120", "10", 20);
    says(
        "a.mp4",
        &format!("{plain} {H264} -g 10"),
        &[
            "MP4 or QuickTime",
            "20 in 2 s: 10 fps, constant",
            "10 frames at most, closed",
            "as it is for a camera of 160x120 at 10 fps",
        ],
    );
    says(
        "b.ts",
        &format!("{plain} {H264}"),
        &["MPEG transport stream", "in a container of its own for a camera of 160x120"],
    );
    says(
        "c.mp4",
        &format!("{plain} {H264} -vf setsar=16/11"),
        &["pixels of 16:11", "encoded again", "its pixels are not square (16:11)"],
    );
    says(
        "d.mp4",
        &format!("{plain} -c:v libx264 -pix_fmt yuv420p10le"),
        &["10 bits per sample", "it has 10 bits per sample, not 8"],
    );
    let open = "-c:v libx264 -threads 1 -g 10 -bf 3 -sc_threshold 0 -x264-params open-gop=1:b-adapt=0";
    says("e.mp4", &format!("{plain} {open}"), &["open: some refer to the GOP before"]);
    ffmpeg(&ws.root(), "-i a.mp4 -c copy turned.mp4");
    turn(&ws.path("turned.mp4"), "90");
    says("f.mp4", "-i turned.mp4 -c copy", &["turned by ", "its frames are turned by the container"]);
    says(
        "g.mp4",
        &format!(
            "-f lavfi -i testsrc2=size=160x120:rate=50:duration=1 -vf interlace -pix_fmt yuv420p {H264} -flags +ildct+ilme -x264opts tff=1"
        ),
        &["interlaced", "it is interlaced"],
    );
    says("h.h264", &format!("{plain} {H264} -bf 0"), &["`video/x-h264`", "in a container of its own"]);
}

#[test]
fn a_broken_file_says_what_is_wrong_and_where() {
    let ws = folder();
    ffmpeg(&ws.root(), &format!("{} {H264} -g 10 -movflags +faststart a.mp4", pattern("160x120", "10", 30)));
    let whole = fs::read(ws.path("a.mp4")).unwrap();

    fs::write(ws.path("cut.mp4"), &whole[..whole.len() * 60 / 100]).unwrap();
    let ended = ws.lp("show cut.mp4").code(1);
    assert!(
        ended.stderr.contains("`cut.mp4` is cut off: it announces 3.0 s, but its video ends at "),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("`mdat` at byte "), "{}", ended.stderr);
    assert!(ended.stdout.contains("H.264"), "{}", ended.stdout);

    ffmpeg(&ws.root(), &format!("{} {H264} b-end.mp4", pattern("160x120", "10", 30)));
    let index_last = fs::read(ws.path("b-end.mp4")).unwrap();
    fs::write(ws.path("headless.mp4"), &index_last[..index_last.len() * 60 / 100]).unwrap();
    let ended = ws.lp("show headless.mp4").code(1);
    assert!(
        ended.stderr.contains("and the index of its frames, which is at its end, is missing"),
        "{}",
        ended.stderr
    );
    // AVI has no such encoding, and GStreamer takes it for raw frames.
    ffmpeg(
        &ws.root(),
        &format!("{} -c:v libx265 -x265-params log-level=none h265.avi", pattern("160x120", "10", 10)),
    );
    ws.lp("show h265.avi")
        .code(1)
        .stderr_has("in an encoding that GStreamer does not know in this container");

    let mut damaged = whole.clone();
    let from = damaged.len() * 60 / 100;
    damaged[from..].fill(0);
    fs::write(ws.path("damaged.mp4"), damaged).unwrap();
    ws.lp("show damaged.mp4").code(1).stderr_has("`damaged.mp4` is damaged from ");

    fs::write(ws.path("page.mp4"), "<!DOCTYPE html><title>Gone</title>").unwrap();
    ws.lp("show page.mp4").code(1).stderr_has("`page.mp4` is no video: it is an HTML page titled `Gone`");
    ffmpeg(&ws.root(), "-f lavfi -i sine=duration=1 -c:a aac sound.mp4");
    ws.lp("show sound.mp4").code(1).stderr_has("`sound.mp4` has no video, only `audio/mpeg`");

    // All at once, and the others are shown.
    let ended = ws.lp("show a.mp4 cut.mp4 page.mp4").code(1);
    assert!(ended.stderr.contains("`cut.mp4` is cut off") && ended.stderr.contains("`page.mp4` is no video"));
    assert!(ended.stdout.contains("a.mp4\n"), "{}", ended.stdout);

    let ended = ws.lp("show b.mp4 cat.mp4").code(2);
    assert!(ended.stderr.contains("`b.mp4` does not exist"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `cut.mp4`?"), "{}", ended.stderr);
}

#[test]
fn a_stream_is_looked_at_for_a_while_and_its_password_is_not_shown() {
    let bench = Bench::new();
    let uri = serve(&[record(&raw(&bench, "320x240", 100))], 10);
    let ws = folder();
    let with_login = uri.replace("rtsp://", "rtsp://bob:hunter22@");
    let facts = shown(&ws, &with_login);
    assert_eq!(facts["video"], uri.replace("rtsp://", "rtsp://***@").as_str());
    assert_eq!((&facts["film"]["width"], &facts["film"]["codec"]), (&320.into(), &"h264".into()));
    let seen = facts["seen_ms"].as_u64().unwrap();
    assert!((1_000..6_000).contains(&seen), "{facts}");
    let frames = facts["film"]["frames"].as_u64().unwrap();
    assert!((10..60).contains(&frames), "{facts}");
    assert_eq!(facts["film"]["gop"], 20, "{facts}");

    let ended = ws.lp(["show", &with_login]).success();
    assert!(ended.stdout.contains("***@") && !ended.stdout.contains("hunter22"), "{}", ended.stdout);

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ended = ws.lp(["show", &format!("rtsp://bob:hunter22@127.0.0.1:{free}/a")]).code(1);
    assert!(ended.stderr.contains("no connection to the server"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter22"), "{}", ended.stderr);
    ws.lp("show rtsp://${LP_NO_SUCH}@127.0.0.1/a").code(2).stderr_has("the variable `LP_NO_SUCH`");
    ws.lp("show ftp://127.0.0.1/a").code(2).stderr_has("schemes are rtsp, rtsps, http, https, v4l2");
    ws.lp("show /dev/video77").code(1);
}

/// Serves a file over HTTP; gives its URL.
fn http(file: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{}", listener.local_addr().unwrap(), "a.mp4");
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let n = client.read(&mut request).unwrap_or(0);
            let is_known = String::from_utf8_lossy(&request[..n]).starts_with("GET /a.mp4");
            let body = if is_known { fs::read(&file).unwrap() } else { Vec::new() };
            let status = if is_known { "200 OK" } else { "404 Not Found" };
            // A client that has seen enough closes the connection.
            let _ = write!(
                client,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = client.write_all(&body);
        }
    });
    url
}

#[test]
fn a_video_on_a_server_is_looked_at_without_a_download() {
    let ws = folder();
    ffmpeg(&ws.root(), &format!("{} {H264} -movflags +faststart a.mp4", pattern("160x120", "10", 30)));
    let url = http(ws.path("a.mp4"));
    let facts = shown(&ws, &url);
    assert_eq!((&facts["film"]["codec"], &facts["film"]["frames"]), (&"h264".into(), &30.into()), "{facts}");
    assert_eq!(facts["container"], "video/quicktime");
    ws.lp(["show", &url.replace("a.mp4", "b.mp4")]).code(1).stderr_has("Not Found");
}

#[test]
fn the_name_of_a_camera_comes_before_that_of_a_file() {
    let ws = crate::own::project("a.mp4|https://media.example/a.mp4");
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write("configs/camera_to_workload.json", &cameras.replace("\"till\"", "\"till.mp4\""));
    ffmpeg(&ws.root(), &format!("{} {H264} till.mp4", pattern("160x120", "10", 10)));
    let ended = ws.lp("show till.mp4").success();
    assert!(ended.stdout.contains("pipeline "), "{}", ended.stdout);
    let ended = ws.lp("show ./till.mp4").success();
    assert!(ended.stdout.contains("blake3"), "{}", ended.stdout);
    ws.lp("show till.mp4 ./till.mp4")
        .code(2)
        .stderr_has("`till.mp4` means a camera, and `./till.mp4` a video");
    ws.lp("show --launch ./till.mp4").code(2).stderr_has("`--launch` shows cameras, not videos");
}
