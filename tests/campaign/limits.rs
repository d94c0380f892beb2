//! Bottlenecks of a lane, planted with stock elements and control groups; `lp density` must name
//! each by its resource and its part of the work in 9 of 10 trials, and no part on a balanced lane.
//!
//! A trial is a search and the experiments after it. It needs a machine that is
//! otherwise quiet and two minutes, eight if a lane holds, so the part runs only in the whole campaign or if it is
//! asked for. A plant that this machine cannot have is skipped by name.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::group::Group;
use crate::say;

/// Trials of each kind in a whole campaign, and the share that must be named.
const WHOLE: usize = 10;
const SHARE: f64 = 0.9;
/// Trials if it is asked for alone.
const FEW: usize = 1;

/// A camera's pipeline and how `lp` is started.
pub(crate) struct Plant {
    pub(crate) name: &'static str,
    /// Width, height and frames a second.
    pub(crate) camera: (u32, u32, u32),
    pub(crate) n_cameras: usize,
    /// The steps as JSON.
    pub(crate) steps: String,
    /// A video of its own, by the arguments of `ffmpeg`; else a scene is drawn.
    pub(crate) video: Option<&'static str>,
    /// Lines of `Lpfile.toml`.
    pub(crate) settings: &'static str,
    pub(crate) around: Around,
    /// Resources and parts that name it; `None` = no part.
    pub(crate) named: &'static [(&'static str, Option<&'static str>)],
}

pub(crate) enum Around {
    Nothing,
    /// A control group with these values of its files.
    Group {
        controller: &'static str,
        files: Vec<(&'static str, String)>,
    },
    /// The first core alone.
    OneCore,
}

impl Plant {
    /// A camera of 640x360 at 15 fps on a machine as it is.
    pub(crate) fn plain(
        name: &'static str,
        steps: &str,
        named: &'static [(&'static str, Option<&'static str>)],
    ) -> Plant {
        Plant {
            name,
            camera: (640, 360, 15),
            n_cameras: 1,
            steps: steps.to_owned(),
            video: None,
            settings: "",
            around: Around::Nothing,
            named,
        }
    }
}

/// All plants; `server` is the port of a server that reads slowly, `device` the disk of the folder.
fn plants(server: u16, device: &str) -> Vec<Plant> {
    let codes = r#"{"type": "motioncells"}, {"type": "zbar"}"#;
    let plain = Plant::plain;
    let text = "lorem ipsum dolor sit amet ".repeat(60);
    vec![
        Plant {
            around: Around::Group {
                controller: "cpu",
                files: vec![
                    ("cpu.cfs_period_us", "100000".to_owned()),
                    ("cpu.cfs_quota_us", "40000".to_owned()),
                ],
            },
            ..plain("CPU quota", codes, &[("cpu_quota", Some("*")), ("cpu_quota", None)])
        },
        Plant {
            camera: (1280, 720, 30),
            video: Some(
                "-f lavfi -i testsrc2=size=1280x720:rate=30,noise=alls=50:allf=t -t 4 -c:v libx264 -preset fast -crf 14 -bf 0 -g 30 -pix_fmt yuv420p",
            ),
            ..plain(
                "slow decoder",
                r#"{"type": "identity"}"#,
                &[("cpu", Some("decoding")), ("one_thread", Some("decoding"))],
            )
        },
        plain(
            "blocked queue",
            r#"{"type": "zbar"}, {"type": "identity", "properties": {"sleep-time": 80000}}"#,
            &[("blocked_queue", Some("identity"))],
        ),
        plain(
            "slow sink",
            &format!(
                r#"{{"type": "tee", "name": "t"}}, {{"type": "zbar"}},
                   {{"from": "t", "type": "tcpclientsink", "properties": {{"host": "127.0.0.1", "port": {server}}}}}"#
            ),
            &[("sink", Some("sinks"))],
        ),
        Plant {
            around: Around::Group {
                controller: "memory",
                files: vec![("memory.limit_in_bytes", (320_u64 << 20).to_string())],
            },
            ..plain("memory cap", codes, &[("memory", None)])
        },
        Plant {
            around: Around::Group {
                controller: "blkio",
                files: vec![("blkio.throttle.write_bps_device", format!("{device} 2000000"))],
            },
            ..plain(
                "disk",
                r#"{"type": "tee", "name": "t"}, {"type": "zbar"},
                   {"from": "t", "type": "filesink", "properties": {"location": "a.raw", "o-sync": true}}"#,
                &[("disk", Some("sinks"))],
            )
        },
        Plant {
            camera: (1280, 720, 15),
            ..plain(
                "one hot thread",
                r#"{"type": "x264enc", "properties": {"threads": 1, "speed-preset": "veryslow", "rc-lookahead": 0, "tune": "zerolatency"}}"#,
                &[("one_thread", Some("x264enc"))],
            )
        },
        Plant {
            n_cameras: 3,
            settings: "isolation = \"lane\"\n",
            ..plain(
                "lock in a plugin",
                &format!(
                    r#"{{"type": "timeoverlay", "properties": {{"font-desc": "Sans,20", "text": "{text}"}}}}"#
                ),
                &[("lock", Some("timeoverlay"))],
            )
        },
        Plant {
            around: Around::OneCore,
            ..plain("one hot core", codes, &[("bound_cores", Some("*")), ("bound_cores", None)])
        },
        Plant {
            camera: (640, 360, 30),
            ..plain(
                "balanced control",
                r#"{"type": "gaussianblur", "properties": {"sigma": 1.2}}, {"type": "quarktv"}"#,
                &[("cpu", None)],
            )
        },
    ]
}

/// Runs the part. Whether enough was named.
pub(crate) fn run(is_full: bool, folder: &Path) -> bool {
    let only = std::env::var("LP_CAMPAIGN_ONLY").ok();
    let root = folder.join(format!("lp-campaign-limits-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    let mut is_well = true;
    // A queue is too short for frames that come in bunches; `clocksync` hands out those of a clip
    // one by one, and no stock element bunches them again.
    say("campaign: limits: small queue: SKIPPED, nothing bunches the frames of a paced clip");
    for plant in plants(slow_server(), &disk_of(&root)) {
        if only.as_ref().is_some_and(|only| !plant.name.contains(only.as_str())) {
            continue;
        }
        let n = if is_full { WHOLE } else { FEW };
        let mut named = Vec::new();
        for trial in 0..n {
            let place = root.join(format!("{}-{trial}", plant.name.replace(' ', "-")));
            match trial_of(&plant, &place) {
                Ok(found) => named.push(found),
                Err(why) => {
                    say(&format!("campaign: limits: {}: SKIPPED, {why}", plant.name));
                    break;
                }
            }
            crate::tree::remove(&place);
        }
        if named.is_empty() {
            continue;
        }
        let right = named.iter().filter(|found| is_named(&plant, found)).count();
        let is_enough = right as f64 >= SHARE * named.len() as f64;
        is_well &= is_enough;
        let others: Vec<&str> =
            named.iter().filter(|found| !is_named(&plant, found)).map(|found| found.text.as_str()).collect();
        say(&format!(
            "campaign: limits: {}: {right} of {} named{}{}",
            plant.name,
            named.len(),
            if others.is_empty() {
                format!(", as in `{}`", named[0].text)
            } else {
                format!("; {}", others.join("; "))
            },
            if is_enough { "" } else { ", FAILED" },
        ));
    }
    crate::tree::remove(&root);
    is_well
}

struct Found {
    resource: String,
    stage: Option<String>,
    text: String,
}

fn is_named(plant: &Plant, found: &Found) -> bool {
    plant.named.iter().any(|(resource, stage)| {
        let fits = match (stage, &found.stage) {
            (Some("*"), Some(_)) | (None, None) => true,
            (Some(stage), Some(found)) => found.contains(stage),
            _ => false,
        };
        found.resource == *resource && fits
    })
}

/// Searches for the density of a lane with this plant. Why it cannot be planted here, if it cannot.
fn trial_of(plant: &Plant, root: &Path) -> Result<Found, String> {
    write_project(plant, root)?;
    let group = match &plant.around {
        Around::Group { controller, files } => Some(Group::make(controller, files)?),
        _ => None,
    };
    let lp = std::env::var_os("LP_CAMPAIGN_LP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lp").into());
    // What is built before is no part of the trial.
    let built = command(&lp, root, &["build"]).output().map_err(|error| error.to_string())?;
    if !built.status.success() {
        return Err(format!("the lane cannot be built: {}", String::from_utf8_lossy(&built.stderr)));
    }
    let density = ["density", "--budget", "10m"];
    let mut started = match (&plant.around, &group) {
        (Around::OneCore, _) => {
            let mut bound = command("taskset".as_ref(), root, &["-c", "0"]);
            bound.arg(&lp).args(density);
            bound
        }
        (_, Some(group)) => {
            let mut grouped = command("sh".as_ref(), root, &[]);
            group.enter(&mut grouped).arg(&lp).args(density);
            grouped
        }
        _ => command(&lp, root, &density),
    };
    let ended = started.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    if std::env::var_os("LP_CAMPAIGN_VERBOSE").is_some() {
        say(&format!("{told}{}", String::from_utf8_lossy(&ended.stdout)));
    }
    let record = fs::read_to_string(root.join("results/density/lane.json")).unwrap_or_default();
    let Ok(record) = serde_json::from_str::<serde_json::Value>(&record) else {
        // That is no skip: the machine was as it should be.
        let text = format!("no record was written: {told}");
        return Ok(Found { resource: String::new(), stage: None, text });
    };
    let finding = &record["limiter"]["finding"];
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Null => None,
        other => Some(other.to_string()),
    };
    let (resource, stage) = (text(&finding["resource"]).unwrap_or_default(), text(&finding["stage"]));
    let evidence: Vec<String> =
        finding["evidence"].as_array().into_iter().flatten().filter_map(&text).collect();
    let shown = stage.clone().map_or(String::new(), |stage| format!(" {stage}"));
    let text = format!("{} lanes, {resource}{shown}: {}", record["answer"]["at_least"], evidence.join(", "));
    Ok(Found { resource, stage, text })
}

pub(crate) fn command(program: &std::ffi::OsStr, root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root)
        .env("LP_LOCK_DIR", root.join("lock"))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

const SCENE: &str = r##"
width = WIDTH
height = HEIGHT
fps = FPS
duration_s = 6.0

[zones]
scan = { x = 100, y = 40, width = 80, height = 100 }

[[items]]
name = "Tea"
code = "TEA-1"
width = 120
height = 150
path = [{ at_s = 0.5, x = -60, y = 90 }, { at_s = 5.0, x = 300, y = 90 }]
"##;

pub(crate) fn write_project(plant: &Plant, root: &Path) -> Result<(), String> {
    for folder in ["configs/scenes", "clips", "lock"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
    let (width, height, fps) = plant.camera;
    write("Lpfile.toml", &format!("[run]\n{}", plant.settings));
    let scene = SCENE.replace("WIDTH", &width.to_string()).replace("HEIGHT", &height.to_string());
    write("configs/scenes/lane.toml", &scene.replace("FPS", &fps.to_string()));
    let source = match plant.video {
        None => "lane.mp4|scene:lane",
        Some(arguments) => {
            let made = Command::new("ffmpeg")
                .args(["-v", "error", "-y"])
                .args(arguments.split_whitespace())
                .arg(root.join("clips/own.mp4"))
                .output()
                .map_err(|error| format!("`ffmpeg` cannot be started: {error}"))?;
            if !made.status.success() {
                return Err(format!("`ffmpeg`: {}", String::from_utf8_lossy(&made.stderr)));
            }
            "clips/own.mp4"
        }
    };
    let camera = |n: usize| {
        format!(
            r#"{{"camera_id": "camera-{n}", "fileSrc": "{source}", "width": {width}, "height": {height}, "fps": {fps}, "workloads": ["w"]}}"#
        )
    };
    let cameras: Vec<String> = (1..=plant.n_cameras).map(camera).collect();
    write(
        "configs/camera_to_workload.json",
        &format!(r#"{{"lane_config": {{"cameras": [{}]}}}}"#, cameras.join(", ")),
    );
    write(
        "configs/workload_to_pipeline.json",
        &format!(r#"{{"workload_pipeline_map": {{"w": [{}]}}}}"#, plant.steps),
    );
    Ok(())
}

/// The whole disk of a folder, as `254:0`.
fn disk_of(folder: &Path) -> String {
    let device = fs::metadata(folder).unwrap().dev();
    // As of makedev(3) of glibc.
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    format!("{major}:{minor}")
}

/// A server that reads 2 MB a second of all its clients together. Its port.
fn slow_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let (mut clients, mut chunk) = (Vec::new(), vec![0; 200_000]);
        loop {
            while let Ok((client, _)) = listener.accept() {
                let _ = client.set_nonblocking(true);
                clients.push(client);
            }
            let each = 200_000 / clients.len().max(1);
            clients.retain_mut(|client| !matches!(client.read(&mut chunk[..each.max(1)]), Ok(0)));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    port
}
