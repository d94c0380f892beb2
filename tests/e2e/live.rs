//! `lp run --serve`: what a scraper and a browser get of a run that goes on, and what it costs those that
//! misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};

use lp::record::RunRecord;
use openmetrics_parser::openmetrics::parse_openmetrics;
use rustix::process::{Pid, Signal, kill_process};

use crate::scripts::latest;
use crate::support::{Ended, Workspace};
use crate::verdict::playing;

/// A run that goes on until it is stopped.
struct Running<'w> {
    ws: &'w Workspace,
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: String,
}

impl Running<'_> {
    fn start<'w>(ws: &'w Workspace, address: &str) -> Running<'w> {
        let mut child = ws.command(&["run", "--duration", "0s", "--serve", address]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("live: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
        }
        let address = line.trim().trim_start_matches("live: http://").split('/').next().unwrap().to_owned();
        Running { ws, child, stderr, address }
    }

    /// The head and the body of an answer.
    fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The values of `/metrics` by name and labels.
    fn metrics(&self) -> BTreeMap<String, f64> {
        let (head, body) = self.get("/metrics");
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0"),
            "{head}"
        );
        // By others' reader of the format as well.
        parse_openmetrics(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let body = body.strip_suffix("# EOF\n").expect("the end");
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    fn stop(mut self, code: i32) -> (Ended, RunRecord) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        let ended = Ended::new(self.child.wait_with_output().unwrap(), &self.ws.root()).code(code);
        (ended, latest(self.ws))
    }
}

#[test]
fn counters_grow_with_the_run_and_end_as_its_record() {
    let ws = playing(&[("a", 25), ("b", 16)]);
    let running = Running::start(&ws, "127.0.0.1:0");
    let of = |metrics: &BTreeMap<String, f64>, name: &str, camera: &str| {
        metrics.get(&format!("{name}{{camera=\"{camera}\",stream=\"{camera}/1\"}}")).copied()
    };
    // Workers say all at once, and how much of it was heard grows.
    let mut before = BTreeMap::new();
    let last = loop {
        let now = running.metrics();
        for (name, value) in now.iter().filter(|(name, _)| name.contains("_total{")) {
            assert!(before.get(name).is_none_or(|before| before <= value), "{name}: {before:?} {value}");
        }
        if of(&now, "lp_frames_total", "a") == Some(375.0) && of(&now, "lp_frames_total", "b") == Some(240.0)
        {
            break now;
        }
        before = now;
    };
    assert_eq!(of(&last, "lp_fps_target", "a"), Some(15.0));
    assert!(last.keys().any(|name| name.starts_with("lp_run_info{") && name.contains("subject=\"lane\"")));
    // The page has the same run, and is whole.
    let (head, page) = running.get("/");
    assert!(head.contains("text/html; charset=utf-8"), "{head}");
    assert!(page.contains("Live: this run is not over") && page.contains("connect-src 'self'"), "{page}");
    assert!(page.contains(">15.00</b>") || page.contains("15.00"), "{page}");
    assert!(page.ends_with("</html>\n"));
    let (_, record) = running.stop(1);
    for (camera, member) in ["a", "b"].into_iter().zip(&record.members) {
        let stream = &member.streams[0];
        assert_eq!(of(&last, "lp_frames_total", camera), Some(stream.n_frames() as f64));
        assert_eq!(of(&last, "lp_frames_dropped_total", camera), Some(stream.dropped as f64));
    }
}

#[test]
fn a_client_that_says_nothing_does_not_keep_a_run_from_ending() {
    let ws = playing(&[("a", 25)]);
    let running = Running::start(&ws, "0");
    while running.metrics().get("lp_frames_total{camera=\"a\",stream=\"a/1\"}") != Some(&375.0) {}
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(&running.address).unwrap()).collect();
    let begin = std::time::Instant::now();
    running.stop(0);
    assert!(begin.elapsed().as_secs() < 4, "{:?}", begin.elapsed());
    drop(silent);
}

#[test]
fn an_address_that_is_taken_or_none_is_refused_before_anything_is_done() {
    let ws = playing(&[("a", 25)]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    ws.lp(&format!("run --serve {address}"))
        .code(2)
        .stderr_has(&format!("error: `--serve {address}`: cannot listen there: "))
        .stderr_has("hint: name another port");
    assert!(!ws.exists("results"));
    for wrong in ["here:9464", "99999", "127.0.0.1", ""] {
        ws.lp(["run", "--serve", wrong])
            .code(2)
            .stderr_has("expected a port (9464) or an address with a port");
    }
}

#[test]
fn a_picture_goes_to_a_file_and_not_to_a_terminal() {
    let ws = playing(&[("a", 25)]);
    ws.lp("run").success();
    let output = ws.command(&["report", "--format", "png"]).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"\x89PNG\r\n\x1a\n"), "{output:?}");
    assert!(output.stdout.len() > 5_000);
}
