//! `lp serve`, watched by `ffprobe`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output};

use rustix::process::{Pid, Signal, kill_process};

use crate::project::short;
use crate::workspace::Workspace;

/// `lp serve` that runs.
struct Served {
    child: Child,
    urls: Vec<String>,
}

impl Served {
    fn start(ws: &Workspace, arguments: &[&str], n_urls: usize) -> Served {
        let mut child = ws.command(&[&["serve", "--port", "0"], arguments].concat()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let urls: Vec<String> = lines.take(n_urls).map(Result::unwrap).collect();
        assert_eq!(urls.len(), n_urls, "{}", rest(&mut child));
        Served { child, urls }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C, and what it had to say.
    fn interrupt(mut self) -> Output {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let stderr = rest(&mut self.child).into_bytes();
        Output { status: self.child.wait().unwrap(), stdout: Vec::new(), stderr }
    }
}

fn rest(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The children of a process.
fn children(process: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    listed.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

#[test]
fn lp_serve_publishes_each_clip_until_ctrl_c() {
    let step = r#"{"type": "identity"}"#;
    let ws = short(&[("till", step), ("door", step)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let (first, second) = cameras.split_once("\"camera_id\": \"door\"").unwrap();
    let second = second.replace("\"width\": 320, \"height\": 180", "\"width\": 160, \"height\": 90");
    ws.write("configs/camera_to_workload.json", &format!("{first}\"camera_id\": \"door\"{second}"));
    let served = Served::start(&ws, &[], 2);
    let by_name: BTreeMap<&str, &String> =
        served.urls.iter().map(|url| (url.rsplit('/').next().unwrap(), url)).collect();
    assert_eq!(by_name.keys().collect::<Vec<_>>(), [&"short-160-15-bench", &"short-320-15-bench"]);
    for (name, size) in [("short-160-15-bench", "h264,160,90"), ("short-320-15-bench", "h264,320,180")] {
        assert!(by_name[name].starts_with("rtsp://127.0.0.1:"), "{}", by_name[name]);
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-rtsp_transport",
                "tcp",
                "-show_entries",
                "stream=codec_name,width,height",
            ])
            .args(["-of", "csv=p=0", by_name[name]])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), size);
    }
    let workers = children(served.pid());
    assert!(!workers.is_empty());
    let ended = served.interrupt();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("serving 2 streams; Ctrl-C ends") && !told.contains("warning"), "{told}");
    for worker in workers {
        assert!(!Path::new(&format!("/proc/{worker}")).exists());
    }
}

#[test]
fn lp_serve_encodes_no_clip_again_that_a_run_has_in_its_codec() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    // Another size, so that the clip is encoded.
    let cameras = ws.read("configs/camera_to_workload.json").replace("320", "160").replace("180", "90");
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("build assets").success();
    let clips = || -> Vec<String> {
        let names = fs::read_dir(ws.path("media/clips")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = clips();
    assert_eq!(before, ["short-160x90-15.json", "short-160x90-15.mp4"]);
    let told = Served::start(&ws, &[], 1).interrupt();
    assert!(!String::from_utf8(told.stderr).unwrap().contains("transcode:"));
    assert_eq!(clips(), before);
    // It is none in another codec.
    let ws = ws.env("LP_SET_CLIP_CODEC", "h265");
    Served::start(&ws, &[], 1).interrupt();
    assert!(ws.exists("media/clips/short-160x90-15-h265.mp4"));
}

#[test]
fn lp_serve_asks_for_a_password_and_shows_it_nowhere() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let secret = "Geh@im-7";
    let ws = ws.env("LP_RTSP_USER", "till").env("LP_RTSP_PASSWORD", secret);
    let served = Served::start(&ws, &["-v"], 1);
    let (_, place) = served.urls[0].split_once("://").unwrap();
    let watch = |userinfo: &str| {
        let uri = format!("rtsp://{userinfo}{place}");
        let output = Command::new("ffprobe").args(["-v", "error", "-rtsp_transport", "tcp", &uri]).output();
        output.unwrap().status.success()
    };
    assert_eq!([watch(""), watch("till:Geh%40im-7@")], [false, true]);
    for process in children(served.pid()).into_iter().chain([served.pid()]) {
        let line = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
        assert!(!line.contains(secret), "{line}");
    }
    let url = served.urls[0].clone();
    let ended = served.interrupt();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(!told.contains("im-7") && !url.contains("im-7"), "{told}");

    let half = short(&[("till", r#"{"type": "identity"}"#)]).env("LP_RTSP_USER", "till");
    half.lp("serve --port 0").code(2).stderr_has("`LP_RTSP_USER` is set, but `LP_RTSP_PASSWORD` is not");
}

#[test]
fn lp_serve_warns_where_everybody_may_watch() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let served = Served::start(&ws, &["--bind", "0.0.0.0"], 1);
    // Others may not know its name.
    let host = served.urls[0].strip_prefix("rtsp://").unwrap().split(':').next().unwrap().to_owned();
    let on_a_network = std::net::UdpSocket::bind("0.0.0.0:0").unwrap().connect("192.0.2.1:9").is_ok();
    assert!(host.parse::<std::net::Ipv4Addr>().is_ok() || !on_a_network, "{host}");
    let ended = served.interrupt();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("warning: everybody who can reach port"), "{told}");
}

#[test]
fn lp_serve_takes_names_of_this_machine_and_hints_at_a_free_port() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let served = Served::start(&ws, &["--bind", "localhost"], 1);
    let url = served.urls[0].clone();
    let port = url.strip_prefix("rtsp://127.0.0.1:").unwrap().split('/').next().unwrap();
    let taken = ws.lp(&format!("serve --bind [127.0.0.1] --port {port}")).code(1);
    assert!(taken.stderr.contains("cannot be had: Address already in use"), "{}", taken.stderr);
    assert!(
        taken.stderr.contains("hint: `--port N` takes another one, and `--port 0` any that is free"),
        "{}",
        taken.stderr
    );
    served.interrupt();
    ws.lp("serve --bind till").code(2).stderr_has("expected an address of this machine");
}

#[test]
fn lp_serve_refuses_what_has_no_clip_and_two_clips_of_one_name() {
    let step = r#"{"type": "identity"}"#;
    let ws = short(&[("till", step), ("door", step)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let file = "\"fileSrc\": \"short.mp4|scene:short\"";
    ws.write(
        "configs/camera_to_workload.json",
        &cameras.replace(file, "\"streamUri\": \"rtsp://127.0.0.1/1\""),
    );
    ws.lp("serve").code(2).stderr_has("error: no camera has a clip to serve");

    let (first, second) = cameras.split_once("\"camera_id\": \"door\"").unwrap();
    let second = second.replace("\"height\": 180", "\"height\": 240");
    ws.write("configs/camera_to_workload.json", &format!("{first}\"camera_id\": \"door\"{second}"));
    ws.lp("serve").code(2).stderr_has("error: `till` and `door` would have one stream, `short-320-15-bench`");
    // One of them alone has its name.
    Served::start(&ws, &["door"], 1).interrupt();
}

#[test]
fn the_death_of_the_server_is_reported() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let mut served = Served::start(&ws, &[], 1);
    let workers = children(served.pid());
    for worker in &workers {
        kill_process(Pid::from_raw((*worker).try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    }
    let told = rest(&mut served.child);
    assert_eq!(served.child.wait().unwrap().code(), Some(1));
    assert!(told.contains("error: the server died: killed by SIGKILL"), "{told}");
}
