//! One user's script of a run, from its start to the end of its process group.
//!
//! It is started as an argument list and reads nothing. Its output is cut into lines;
//! the thread sends lines with figures to the session, with the time when it read
//! them. The begin and the end of the output are kept.
//!
//! To end it, its group gets SIGTERM, and SIGKILL after [`GRACE`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::Redaction;
use crate::collect::processes;
use crate::os;
use crate::os::process::{Cancel, Command, CommandEvent, listen_to_command};
use crate::record::build::{ScriptEnd, ScriptId};
use crate::record::foreign::{Figure, Lines, figure};

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How much of the begin of its output is kept, in bytes.
const HEAD: usize = 64 << 10;
/// How much of the end of its output is kept, in bytes.
const TAIL: usize = 192 << 10;

/// A script that a run starts.
#[derive(Clone, Debug)]
pub struct ScriptLoad {
    pub argv: Vec<OsString>,
    /// Where it runs; absolute.
    pub dir: PathBuf,
    /// All of its environment but the mark by which its daemons are known.
    pub env: BTreeMap<OsString, OsString>,
    /// Removes secrets from its output.
    pub redaction: Redaction,
}

/// A message of a script's thread to the session.
#[derive(Debug)]
pub(super) enum ScriptMessage {
    /// It printed a figure, in a line that was read at this time.
    Figure { at_ns: u64, figure: Figure },
    /// It has ended, or could not be started. Processes that it started are being ended.
    Ended { at_ns: u64, end: ScriptEnd },
    /// All its processes have ended: the begin and the end of its output, and how many
    /// bytes are omitted in between.
    Over { output: (String, u64) },
}

impl ScriptLoad {
    /// Runs it to its end, or until `cancel` comes.
    pub(super) fn run(&self, id: ScriptId, cancel: &Cancel, session: &Sender<(ScriptId, ScriptMessage)>) {
        let mut env = self.env.clone();
        env.insert(processes::MARK.into(), processes::script_mark(std::process::id()).into());
        let command = Command {
            argv: &self.argv,
            dir: &self.dir,
            env: &env,
            log_limit: TAIL,
            timeout: None,
            grace: GRACE,
        };
        let (mut lines, mut head, mut printed) = (Lines::default(), Vec::new(), 0_usize);
        let send = |at_ns: u64, line: &[u8]| {
            if let Some(figure) = figure(line) {
                // A session that no longer listens is no reason to stop reading.
                let _ = session.send((id, ScriptMessage::Figure { at_ns, figure }));
            }
        };
        let ended = listen_to_command(&command, cancel, &mut |heard| {
            let at_ns = os::clock::monotonic_ns();
            match heard {
                CommandEvent::Piece(piece) => {
                    printed += piece.len();
                    head.extend_from_slice(&piece[..piece.len().min(HEAD - head.len())]);
                    lines.push(piece, |line| send(at_ns, line));
                }
                CommandEvent::Ended(exit) => {
                    std::mem::take(&mut lines).finish(|line| send(at_ns, line));
                    let end = ScriptEnd::Ended { how: exit.to_string(), success: exit.success() };
                    let _ = session.send((id, ScriptMessage::Ended { at_ns, end }));
                }
            }
        });
        let tail = ended.map(|(_, tail)| tail).unwrap_or_else(|error| {
            let end = ScriptEnd::NotStarted(error.to_string());
            let _ = session.send((id, ScriptMessage::Ended { at_ns: os::clock::monotonic_ns(), end }));
            Vec::new()
        });
        let (text, left_out) = kept(&head, &tail, printed);
        let output = (self.redaction.without(text), left_out);
        let _ = session.send((id, ScriptMessage::Over { output }));
    }
}

/// The begin and the end of `printed` bytes as text, and how many are left out.
fn kept(head: &[u8], tail: &[u8], printed: usize) -> (String, u64) {
    let left_out = printed.saturating_sub(head.len() + tail.len());
    // Bytes that are in both appear once.
    let twice = (head.len() + tail.len()).saturating_sub(printed);
    let rest = &tail[twice.min(tail.len())..];
    let mut bytes = head.to_vec();
    if left_out > 0 {
        bytes.extend_from_slice(format!("\n... {left_out} bytes omitted ...\n").as_bytes());
    }
    bytes.extend_from_slice(rest);
    (String::from_utf8_lossy(&bytes).into_owned(), left_out as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_keeps_its_begin_and_end() {
        assert_eq!(kept(b"abc", b"abc", 3), ("abc".to_owned(), 0));
        assert_eq!(kept(b"abc", b"cde", 5), ("abcde".to_owned(), 0));
        assert_eq!(kept(b"abc", b"fgh", 6), ("abcfgh".to_owned(), 0));
        let (text, left_out) = kept(b"abc", b"xyz", 10);
        assert_eq!((text.as_str(), left_out), ("abc\n... 4 bytes omitted ...\nxyz", 4));
        assert_eq!(kept(b"", b"", 0), (String::new(), 0));
        assert_eq!(kept(b"\xff", b"\xff", 1), ("\u{fffd}".to_owned(), 0));
    }
}
