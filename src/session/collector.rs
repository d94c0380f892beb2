//! A program of the user's that runs beside a run: its output becomes files and values.
//!
//! It is started before any stream and ended after the last window, so that it covers all of them. A thread keeps its output and
//! lets a parser read it; values go to the session with the time when their line began to come, or with
//! that of their own. Whatever becomes of it, the run goes on: what is wrong is in the record.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::Redaction;
use crate::collect::processes;
use crate::model::{FILE, Format, PID};
use crate::name::Slug;
use crate::os;
use crate::os::process::{Asked, Beside, BesideCommand, BesideEnd, Cancel, Stream};
use crate::record::build::FUTURE_NS;
use crate::record::collector::{CollectorRecord, Fit, id as id_of};
use crate::record::parsers::{self, Doubt, Moment, Output, Reading};
use crate::text::redacted_words;

/// Between SIGINT, SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(3);

/// How much of the begin of each output is kept, in bytes.
const HEAD: usize = 4 << 20;
/// How much of its end is kept, in bytes.
const TAIL: usize = 1 << 20;

/// By how much the clock of a value may be ahead of its coming, in nanoseconds.
const AHEAD: u64 = 10_000_000_000;

/// So many bytes before and after what is omitted go too where they have no end of a line.
const SEAM: usize = 64 << 10;

/// A program beside a run.
#[derive(Clone, Debug)]
pub struct CollectorLoad {
    pub name: String,
    /// The member that it is about; `None`: the run.
    pub member: Option<Slug>,
    /// Program and arguments, with placeholders.
    pub command: Vec<String>,
    /// The variables set for it, with placeholders.
    pub env: BTreeMap<String, String>,
    /// The worker that [`PID`] is; `None`: all.
    pub worker: Option<usize>,
    pub parser: Option<Format>,
    /// Where it runs; absolute.
    pub dir: PathBuf,
    /// Where its outputs go: `<folder>/sar.stdout.txt`. There is such a folder.
    pub files: PathBuf,
    /// What [`FILE`] becomes: a pipe is made there.
    pub pipe: PathBuf,
    /// Removes secrets from its outputs.
    pub redaction: Redaction,
}

/// A message of its thread to the session.
#[derive(Debug)]
pub(super) enum CollectorMessage {
    /// A value of this time of CLOCK_MONOTONIC.
    Read { at_ns: u64, reading: Reading },
    /// It has ended, and all its processes.
    Over(Box<CollectorOver>),
}

/// What is known of a program that has ended.
#[derive(Debug)]
pub(super) struct CollectorOver {
    pub(super) at_ns: u64,
    /// `exited with status 1`; an error of the system instead.
    pub(super) how: Result<String, String>,
    pub(super) asked: Asked,
    pub(super) fit: Fit,
    pub(super) doubts: Vec<Doubt>,
    /// The last line of its stderr, if there is one.
    pub(super) complaint: Option<String>,
    /// Why its outputs could not be kept.
    pub(super) not_kept: Option<String>,
    /// Whether its file is no longer the pipe that is read.
    pub(super) has_replaced_file: bool,
}

impl CollectorLoad {
    /// Its record before it is started.
    pub(super) fn record(&self) -> CollectorRecord {
        CollectorRecord {
            name: self.name.clone(),
            member: self.member.clone(),
            command: redacted_words(self.command.iter().map(String::as_str)),
            parser: self.parser,
            started_us: None,
            exit: None,
            output: Fit::default(),
            remarks: Vec::new(),
        }
    }

    /// Starts it. `pids` are the processes of the workers.
    ///
    /// # Errors
    /// When the program is not there or cannot be started, or has no process to look at.
    pub(super) fn start(&self, pids: &[u32]) -> io::Result<Beside> {
        let pids: Vec<String> = match self.worker {
            None => pids.iter().map(u32::to_string).collect(),
            Some(worker) => pids.get(worker).map(u32::to_string).into_iter().collect(),
        };
        let (pids, file) = (pids.join(","), self.pipe.to_string_lossy());
        if pids.is_empty() && self.mentions(PID) {
            return Err(io::Error::other("there is no worker whose process it could look at"));
        }
        let filled = |word: &String| OsString::from(word.replace(PID, &pids).replace(FILE, &file));
        let argv: Vec<OsString> = self.command.iter().map(filled).collect();
        let mut env: BTreeMap<OsString, OsString> = [
            ("PATH", PATH.into()),
            // Columns and numbers are those that parsers know.
            ("LC_ALL", "C".into()),
            ("HOME", os::env::home().unwrap_or_else(|| "/".into())),
        ]
        .map(|(name, value): (&str, OsString)| (name.into(), value))
        .into();
        env.extend(self.env.iter().map(|(name, value)| (name.into(), filled(value))));
        env.insert(processes::MARK.into(), processes::collector_mark(std::process::id()).into());
        let pipe = self.mentions(FILE).then_some(&*self.pipe);
        Beside::start(&BesideCommand { argv: &argv, dir: &self.dir, env: &env, pipe })
    }

    /// Whether there is such a placeholder.
    fn mentions(&self, placeholder: &str) -> bool {
        self.command.iter().chain(self.env.values()).any(|word| word.contains(placeholder))
    }

    /// Hears it to its end, or until `cancel` comes.
    pub(super) fn hear(
        &self,
        id: usize,
        beside: Beside,
        cancel: &Cancel,
        session: &Sender<(usize, CollectorMessage)>,
    ) {
        let began_ns = os::clock::monotonic_ns();
        // By how much the time of day is ahead of CLOCK_MONOTONIC.
        let ahead_ns = i128::from(os::clock::utc_now().unix_millis()) * 1_000_000 - i128::from(began_ns);
        let mut send = |came_ns: u64, reading: Reading| {
            let at_ns = match reading.at {
                Moment::Arrival => came_ns,
                // A file may have values from before the run, or before the machine was started.
                Moment::Utc(millis) => match i128::from(millis) * 1_000_000 - ahead_ns {
                    own if own > i128::from(came_ns + AHEAD) => FUTURE_NS,
                    own => u64::try_from(own).unwrap_or(0),
                },
            };
            let _ = session.send((id, CollectorMessage::Read { at_ns, reading }));
        };
        let source = match self.parser {
            _ if self.mentions(FILE) => Stream::Pipe,
            Some(format) if parsers::is_on_stderr(format) => Stream::Stderr,
            _ => Stream::Stdout,
        };
        let redaction = self.redaction.and_of_command(&self.command, &self.env);
        let mut output = self.parser.map(|format| {
            let without = redaction.clone();
            let clean = Box::new(move |line: &str| without.without(line.to_owned()));
            Output::new(parsers::start(format, &self.command), clean)
        });
        let mut kept = [Kept::new("stdout"), Kept::new("stderr"), Kept::new("figures")];
        let ended = beside.listen(cancel, GRACE, &mut |stream, piece| {
            let at_ns = os::clock::monotonic_ns();
            let place = match stream {
                Stream::Stdout => 0,
                Stream::Stderr => 1,
                Stream::Pipe => 2,
            };
            kept[place].add(piece);
            match &mut output {
                Some(output) if stream == source => output.push(at_ns, piece, &mut send),
                Some(output) => output.aside(piece),
                None => {}
            }
        });
        let (mut fit, doubts) = output.map(|output| output.finish(&mut send)).unwrap_or_default();
        fit.bytes = kept.iter().map(|one| one.printed).sum();
        let (at_ns, how, asked) = match ended {
            Ok(BesideEnd { exit, asked, at_ns }) => (at_ns, Ok(exit.to_string()), asked),
            Err(error) => (os::clock::monotonic_ns(), Err(redaction.clean(&error.to_string())), Asked::Never),
        };
        let complaint = kept[1].last_line(&redaction);
        let id_in_files = id_of(&self.name, self.member.as_ref());
        let written: Result<(), os::fs::FsError> =
            kept.iter().try_for_each(|one| one.write(&self.files, &id_in_files, &redaction));
        let over = CollectorOver {
            at_ns,
            how,
            asked,
            fit,
            doubts,
            complaint,
            not_kept: written.err().map(|error| error.to_string()),
            has_replaced_file: self.mentions(FILE) && !is_pipe(&self.pipe),
        };
        let _ = session.send((id, CollectorMessage::Over(Box::new(over))));
    }
}

/// The search path of these programs, of which some are for administrators.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether there is still the pipe.
fn is_pipe(path: &Path) -> bool {
    os::fs::look(path).is_ok_and(|found| found.is_some_and(|found| found.file_type().is_fifo()))
}

/// The begin and the end of an output.
struct Kept {
    name: &'static str,
    head: Vec<u8>,
    tail: Vec<u8>,
    printed: u64,
}

impl Kept {
    fn new(name: &'static str) -> Kept {
        Kept { name, head: Vec::new(), tail: Vec::new(), printed: 0 }
    }

    fn add(&mut self, piece: &[u8]) {
        self.printed += piece.len() as u64;
        let (head, rest) = piece.split_at(piece.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    /// All that is kept of it, and where something is omitted: there at lines, so that no half of a secret
    /// stays.
    fn text(&self) -> String {
        let (mut head, mut tail) = (&*self.head, &*self.tail);
        let mut between = String::new();
        if self.printed > (head.len() + tail.len()) as u64 {
            let from = head.len().saturating_sub(SEAM);
            let end = head[from..].iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at);
            let to = tail.len().min(SEAM);
            let begin = tail[..to].iter().position(|byte| *byte == b'\n').map_or(to, |at| at + 1);
            (head, tail) = (&head[..end], &tail[begin..]);
            let omitted = self.printed - (head.len() + tail.len()) as u64;
            between = format!("\n... {omitted} bytes omitted ...\n");
        }
        String::from_utf8_lossy(&[head, between.as_bytes(), tail].concat()).into_owned()
    }

    /// Its last line, of a long one the end.
    fn last_line(&self, redaction: &Redaction) -> Option<String> {
        let text = self.text();
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        let line = redaction.clean(line);
        let from = line.len().saturating_sub(1000);
        let from = (from..line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(from);
        Some(line[from..].to_owned())
    }

    /// Writes it as `sar.stdout.txt`, if there is anything.
    fn write(&self, folder: &Path, of: &str, redaction: &Redaction) -> Result<(), os::fs::FsError> {
        if self.printed == 0 {
            return Ok(());
        }
        let place = folder.join(format!("{of}.{}.txt", self.name));
        os::fs::write_unsynced(&place, redaction.clean(&self.text()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_keeps_its_begin_and_its_end() {
        let mut kept = Kept::new("stdout");
        (0..9).for_each(|_| kept.add(&vec![b'a'; 1 << 20]));
        kept.add(b"\nend\n");
        assert!(kept.head.len() == HEAD && (TAIL..=2 * TAIL + 5).contains(&kept.tail.len()));
        let text = kept.text();
        assert!(text.starts_with("aaa") && text.ends_with("aaa\nend\n"));
        let omitted = (9 << 20) + 5 - kept.head.len() - kept.tail.len() + 2 * SEAM;
        assert!(text.contains(&format!("\n... {omitted} bytes omitted ...\n")));
        assert_eq!(kept.last_line(&Redaction::default()).as_deref(), Some("end"));
    }

    #[test]
    fn no_half_of_a_secret_is_kept() {
        let secrets = [("PW".to_owned(), "s3cr3t/pass".to_owned())];
        let redaction = Redaction::new(secrets.iter().map(|(name, value)| (name, value)));
        // At every place around both seams, and around the begin of the last line that is shown.
        for shift in 0..14 {
            let mut kept = Kept::new("stderr");
            kept.add(&vec![b'a'; HEAD - shift]);
            kept.add(b"s3cr3t/pass");
            (0..3).for_each(|_| kept.add(&vec![b'b'; TAIL]));
            kept.add(&[b"s3cr3t/pass".as_slice(), &vec![b'c'; TAIL - shift]].concat());
            assert!(kept.printed > (kept.head.len() + kept.tail.len()) as u64);
            let text = redaction.clean(&kept.text());
            assert!(!["s3", "ss", "cr3"].iter().any(|part| text.contains(part)));
            kept.add(&[b"\ns3cr3t/pass".as_slice(), &vec![b'd'; 1000 - shift], b"\n"].concat());
            let line = kept.last_line(&redaction).unwrap();
            assert!(line.len() <= 1000 && !line.contains("ss") && line.ends_with("ddd"));
        }
    }
}
