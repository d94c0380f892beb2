//! `lp watch`, whose lines say when it is done with a change.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr};

use rustix::process::{Pid, Signal, kill_process};

use crate::scripts::{STEADY, till};
use crate::support::{COPY_JOIN, Workspace};

struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl Watching {
    fn start(ws: &Workspace, arguments: &[&str]) -> Watching {
        let mut child = ws.command(arguments).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Watching { child, lines }
    }

    /// The lines of a build, up to the one that says that it waits.
    fn build(&mut self) -> String {
        let mut text = String::new();
        for line in &mut self.lines {
            let line = line.unwrap();
            if line.starts_with("watching ") {
                return text + &line;
            }
            text += &format!("{line}\n");
        }
        panic!("it ended:\n{text}");
    }

    fn end(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_change_of_a_file_or_of_the_config_builds_again() {
    let ws = Workspace::tasks(COPY_JOIN).file("a.txt", "a");
    let mut watching = Watching::start(&ws, &["watch"]);
    let first = watching.build();
    assert!(first.contains("task:join  new\n2 tasks ran\nwatching 5 files; Ctrl-C ends"), "{first}");

    ws.write("a.txt", "b");
    let second = watching.build();
    assert!(second.contains("task:copy  stale: `a.txt` changed"), "{second}");
    assert_eq!(ws.read("c.txt"), "bb");

    // An error is reported, and the next change mends it.
    ws.write("Lpfile.toml", "x = 1\n");
    let third = watching.build();
    assert!(third.contains("unknown key `x`"), "{third}");
    ws.write("Lpfile.toml", &COPY_JOIN.replace("b.txt b.txt", "b.txt b.txt b.txt"));
    let fourth = watching.build();
    assert!(fourth.contains("1 task ran"), "{fourth}");
    assert_eq!(ws.read("c.txt"), "bbb");
    assert_eq!(watching.end(), Some(130));
}

#[test]
fn a_measurement_is_refused() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp("watch report").code(2).stderr_has("`run:lane` is a measurement, and `lp watch` makes none");
    ws.lp("watch nothing").code(2).stderr_has("there is no target `nothing`");
}
