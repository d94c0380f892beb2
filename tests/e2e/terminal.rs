//! `lp` on a terminal: the table of a measurement, and what is left of it.
//!
//! The terminal is a real one (a pty), and its screen is read as a person would. The
//! fake worker's last stream reads its events from a pipe, so a run goes on until the
//! test closes that.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lp::os::clock::monotonic_ns;
use lp::worker::protocol::{End, Event, EventBody};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::hostile::{Hostile, begin, video};
use crate::support::Workspace;

/// The longest that anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A process on a terminal of its own.
struct Terminal {
    keyboard: File,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    process: Child,
}

impl Terminal {
    fn start(ws: &Workspace, arguments: &[&str], columns: u16, rows: u16) -> Terminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&keyboard, size).unwrap();
        let end = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let lp = ws.command(arguments);
        // It gives `lp` this terminal, from which Ctrl-C comes.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(lp.get_program()).args(lp.get_args());
        command.current_dir(ws.root()).stdin(end()).stdout(end()).stderr(end());
        command.env("TERM", "xterm").env_remove("CI");
        for (name, value) in lp.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let process = command.spawn().unwrap();
        let keyboard = File::from(keyboard);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Without a process on the other side, reading fails.
            while let Ok(n @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let cells = |n| NonZero::new(n).unwrap();
        let parser = vt100::Parser::new(cells(rows), cells(columns), 1000);
        Terminal { keyboard, output, parser, process }
    }

    fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// The number of lines that have left the screen at its top.
    fn scrolled(&mut self) -> usize {
        self.parser.screen_mut().set_scrollback(usize::MAX);
        let n = self.parser.screen().scrollback();
        self.parser.screen_mut().set_scrollback(0);
        n
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + LIMIT;
        while !self.text().contains(text) {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(error) => panic!("no `{text}`: {error}\n{}", self.text()),
            }
        }
    }

    fn press(&mut self, key: u8) {
        self.keyboard.write_all(&[key]).unwrap();
    }

    /// Waits for its end: the exit code.
    fn end(&mut self) -> Option<i32> {
        let code = self.process.wait().unwrap().code();
        // The pty has all output; a process that outlived `lp` would hold it open.
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(500)) {
            self.parser.process(&bytes);
        }
        code
    }
}

/// A lane of so many cameras, of which the last begins when its pipe is written to.
fn lane(cameras: usize) -> Workspace {
    let camera = |n: usize| {
        format!(
            r#"{{"camera_id": "camera-{n}", "fileSrc": "a.mp4|scene:s", "width": 320, "height": 180, "fps": 15, "workloads": ["w"]}}"#
        )
    };
    let all: Vec<String> = (1..=cameras).map(camera).collect();
    let ws = Workspace::tasks(
        "[run]\nisolation = \"lane\"\nsource = \"synthetic\"\nwarmup = \"0s\"\nduration = \"20s\"\n",
    )
    .file(
        "configs/camera_to_workload.json",
        &format!(r#"{{"lane_config": {{"cameras": [{}]}}}}"#, all.join(", ")),
    )
    .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "identity"}]}}"#)
    .file("configs/scenes/s.toml", include_str!("../../configs/scenes/basket.toml"));
    fs::create_dir(ws.path("replay")).unwrap();
    for n in 1..cameras {
        ws.write(&format!("replay/camera-{n}-1.jsonl"), "");
    }
    assert!(
        Command::new("mkfifo")
            .arg(ws.path(&format!("replay/camera-{cameras}-1.jsonl")))
            .status()
            .unwrap()
            .success()
    );
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    let ws = ws.env("FAKE_WORKER", &replay);
    let ws = ws.unseen_machine();
    ws.env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
}

/// The pipe from which the last of so many cameras gets the events of all.
fn events(ws: &Workspace, cameras: usize) -> File {
    File::options().write(true).open(ws.path(&format!("replay/camera-{cameras}-1.jsonl"))).unwrap()
}

/// Writes the events of a second of each camera at 15 fps, of which some have no frame.
fn second(pipe: &mut File, begin_us: u64, second: u64, cameras: &[(usize, bool)]) {
    let at = begin_us + second * 1_000_000;
    for (camera, has_frames) in cameras {
        let n = if *has_frames { 15 } else { 0 };
        let arrived_us: Vec<u64> = (0..n).map(|n| at + n * 66_666).collect();
        let body = EventBody::Frames {
            stream: format!("camera-{camera}/1"),
            latency_us: vec![Some(2_000); arrived_us.len()],
            late_us: vec![Some(2_000); arrived_us.len()],
            arrived_us,
            decoded: 0,
            played: 0,
            dropped: 0,
            taken_out: 0,
            fates: Default::default(),
            delivered: Default::default(),
            queues: Default::default(),
            sights: Default::default(),
        };
        say(pipe, at + 1_000_000, body);
    }
}

fn say(pipe: &mut File, at_us: u64, body: EventBody) {
    let event = serde_json::to_string(&Event { at: at_us * 1000, body }).unwrap();
    writeln!(pipe, "{event}").unwrap();
}

#[test]
fn a_run_shows_one_table_which_its_report_replaces() {
    let ws = lane(2);
    let mut terminal = Terminal::start(&ws, &["run"], 80, 24);
    let mut pipe = events(&ws, 2);
    let begin_us = monotonic_ns() / 1000;
    (0..5).for_each(|n| second(&mut pipe, begin_us, n, &[(1, true), (2, n < 3)]));
    terminal.wait_for("below target");
    let text = terminal.text();
    assert_eq!(text.matches("so far").count(), 1, "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("camera-")).collect();
    assert_eq!(
        rows,
        [
            "camera-1  15.00 of 15    100 %        0  2.0 ms    -  \u{2588}\u{2588}\u{2588}\u{2588}\u{2588}     on target",
            "camera-2   9.00 of 15    100 %        0       -    -  \u{2588}\u{2588}\u{2588}\u{2581}\u{2581}     below target",
        ]
    );
    assert!(text.contains(" s of 20 s, ") && text.contains(" s left, 1 of 2 cameras on target"), "{text}");
    let end = End::Error { element: "decoder_0".into(), reason: "no signal".into(), debug: String::new() };
    say(&mut pipe, begin_us + 5_000_000, EventBody::Ended { stream: "camera-2/1".into(), end });
    terminal.wait_for("`camera-2/1` failed: `decoder_0`: no signal");
    terminal.wait_for("1 of 2 cameras on target, 1 failed");
    (5..21).for_each(|n| second(&mut pipe, begin_us, n, &[(1, true)]));
    drop(pipe);
    // The fake worker looks into its events once more.
    drop(events(&ws, 2));
    assert_eq!(terminal.end(), Some(1));
    let text = terminal.text();
    assert_eq!(text.matches("so far").count(), 0, "{text}");
    assert_eq!(text.matches(" verdict\n").count(), 1, "{text}");
    assert!(!terminal.parser.screen().hide_cursor());
}

#[test]
fn a_lane_with_more_cameras_than_rows_does_not_scroll() {
    let ws = lane(36);
    let mut terminal = Terminal::start(&ws, &["run"], 80, 24);
    let mut pipe = events(&ws, 36);
    let begin_us = monotonic_ns() / 1000;
    for n in 0..5 {
        let cameras: Vec<(usize, bool)> = (1..=36).map(|camera| (camera, camera != 30 || n < 2)).collect();
        second(&mut pipe, begin_us, n, &cameras);
    }
    terminal.wait_for("and 16 more on target");
    let text = terminal.text();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[2].starts_with("camera-30 "), "the worst is first:\n{text}");
    assert_eq!(rows.last(), Some(&"and 16 more on target"), "{text}");
    assert_eq!(rows.len(), 23, "{text}");
    assert_eq!(terminal.scrolled(), 0, "{text}");
    terminal.press(3);
    drop(pipe);
    drop(events(&ws, 36));
    assert_eq!(terminal.end(), Some(130));
}

#[test]
fn ctrl_c_leaves_no_table_behind() {
    let ws = lane(2);
    let mut terminal = Terminal::start(&ws, &["run"], 60, 12);
    let mut pipe = events(&ws, 2);
    let begin_us = monotonic_ns() / 1000;
    (0..5).for_each(|n| second(&mut pipe, begin_us, n, &[(1, true), (2, true)]));
    terminal.wait_for("2 of 2 cameras on target");
    terminal.press(3);
    drop(pipe);
    drop(events(&ws, 2));
    assert_eq!(terminal.end(), Some(130));
    let text = terminal.text();
    assert!(!text.contains("so far") && !text.contains("s left"), "{text}");
    assert_eq!(terminal.parser.screen().cursor_position().1, 0, "the prompt begins a line:\n{text}");
    assert!(!terminal.parser.screen().hide_cursor());
}

#[test]
fn nothing_is_redrawn_where_lines_are_kept() {
    for (variable, arguments) in [("TERM=dumb", "run"), ("CI=true", "run"), ("TERM=xterm", "run --quiet")] {
        let ws = lane(1);
        let (name, value) = variable.split_once('=').unwrap();
        let ws = ws.env(name, value);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut terminal = Terminal::start(&ws, &arguments, 80, 100);
        let mut pipe = events(&ws, 1);
        let begin_us = monotonic_ns() / 1000;
        (0..22).for_each(|n| second(&mut pipe, begin_us, n, &[(1, true)]));
        drop(pipe);
        drop(events(&ws, 1));
        assert_eq!(terminal.end(), Some(0), "{}", terminal.text());
        let text = terminal.text();
        assert_eq!(text.contains("run:lane"), variable != "TERM=xterm", "{text}");
        assert!(!text.contains("so far"), "{text}");
    }
}

#[test]
fn a_download_shows_how_far_it_is() {
    let (release, released) = channel::<()>();
    let released = std::sync::Mutex::new(released);
    let server = Hostile::start(move |_, stream| {
        begin(stream, "200 OK", &["Content-Length: 1048576"])?;
        let body = video(1 << 20);
        stream.write_all(&body[..100_000])?;
        released.lock().unwrap().recv().unwrap();
        stream.write_all(&body[100_000..])
    });
    let ws = server.workspace("").env("LP_IDLE_MS", "60000");
    let mut terminal = Terminal::start(&ws, &["build", "download:a.mp4"], 100, 24);
    terminal.wait_for("[0/1] download:a.mp4  ");
    terminal.wait_for("KiB of 1.0 MiB");
    release.send(()).unwrap();
    assert_eq!(terminal.end(), Some(0));
    assert!(terminal.text().contains("1 task ran"), "{}", terminal.text());
}

#[test]
fn a_picture_is_not_printed_to_a_terminal() {
    let ws = crate::verdict::playing(&[("a", 25)]);
    ws.lp("run").success();
    let mut terminal = Terminal::start(&ws, &["report", "--format", "png"], 100, 20);
    terminal.wait_for("a picture is not printed to a terminal");
    assert_eq!(terminal.end(), Some(2));
}
