//! Reads lines from many pipes in one thread.
//!
//! Children that report once a second would each wake a thread of their own, with cold caches.
//! Here one thread waits for all (epoll), and after lines that nobody waits for it pauses for
//! [`PAUSE`], so that it finds several pipes full when it looks again. [`in_a_hurry`] ends the
//! pauses as long as somebody waits for an answer.

use std::collections::HashMap;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// How long lines may lie that nobody waits for.
const PAUSE: Duration = Duration::from_millis(50);

/// What is read at once: a second of a worker with many sightings.
const BUFFER: usize = 32 << 10;

/// Who hears the lines of a pipe. It is dropped at the pipe's end.
pub trait Ear: Send {
    /// A line with its line break, which only a pipe's last line or one that is too long
    /// lacks; it may be taken out. Whether somebody may wait for it or for what follows.
    fn line(&mut self, line: &mut Vec<u8>) -> bool;

    /// Reading has failed; nothing follows.
    fn failed(&mut self, error: io::Error);
}

struct Pipe {
    reader: PipeReader,
    /// The begin of a line whose end has not come.
    line: Vec<u8>,
    longest: usize,
    ear: Box<dyn Ear>,
}

struct Watch {
    epoll: Arc<OwnedFd>,
    pipes: HashMap<u64, Pipe>,
    next: u64,
}

/// All pipes; `None` until there was one.
static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

/// How many wait for an answer.
static WAITING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Passes the lines of a pipe to `ear`, until the pipe's end. A line is cut off where it is
/// longer than `longest` bytes.
///
/// # Errors
/// When the kernel has no file for it any more.
pub fn listen(reader: PipeReader, longest: usize, ear: impl Ear + 'static) -> io::Result<()> {
    // The other end stays as it is: it is another file.
    rustix::io::ioctl_fionbio(&reader, true)?;
    let mut watch = lock(&WATCH);
    let Watch { epoll, pipes, next } = match &mut *watch {
        Some(watch) => watch,
        none => {
            let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC)?);
            let watched = Arc::clone(&epoll);
            std::thread::spawn(move || wait(&watched));
            none.insert(Watch { epoll, pipes: HashMap::new(), next: 0 })
        }
    };
    epoll::add(epoll, &reader, EventData::new_u64(*next), EventFlags::IN)?;
    pipes.insert(*next, Pipe { reader, line: Vec::new(), longest, ear: Box::new(ear) });
    *next += 1;
    Ok(())
}

/// As long as it lives, every line is passed on at once.
#[derive(Debug)]
pub struct Hurry(());

/// Says that somebody waits for an answer.
#[must_use]
pub fn in_a_hurry() -> Hurry {
    *lock(&WAITING.0) += 1;
    WAITING.1.notify_all();
    Hurry(())
}

impl Drop for Hurry {
    fn drop(&mut self) {
        *lock(&WAITING.0) -= 1;
    }
}

fn wait(epoll: &OwnedFd) {
    let (mut ready, mut buffer) = (Vec::with_capacity(64), vec![0; BUFFER]);
    loop {
        ready.clear();
        // It fails only if a signal comes: the file is one, and the memory is there.
        let _ = epoll::wait(epoll, spare_capacity(&mut ready), None);
        let mut watch = lock(&WATCH);
        let Some(Watch { pipes, .. }) = &mut *watch else { continue };
        let mut is_urgent = false;
        for event in &ready {
            let number = event.data.u64();
            let Some(pipe) = pipes.get_mut(&number) else { continue };
            match pipe.read(&mut buffer) {
                Some(said) => is_urgent |= said,
                None => {
                    is_urgent = true;
                    if let Some(pipe) = pipes.remove(&number) {
                        let _ = epoll::delete(epoll, &pipe.reader);
                    }
                }
            }
        }
        drop(watch);
        if !is_urgent {
            let waiting = lock(&WAITING.0);
            drop(WAITING.1.wait_timeout_while(waiting, PAUSE, |waiting| *waiting == 0));
        }
    }
}

impl Pipe {
    /// Reads what is there, at most a buffer: whether somebody may wait for it, or the rest of a
    /// line is on its way; `None` at the end.
    fn read(&mut self, buffer: &mut [u8]) -> Option<bool> {
        let n = match self.reader.read(buffer) {
            Ok(n) => n,
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                return Some(false);
            }
            Err(error) => {
                self.ear.failed(error);
                return None;
            }
        };
        if n == 0 {
            if !self.line.is_empty() {
                self.ear.line(&mut self.line);
            }
            return None;
        }
        let mut is_urgent = false;
        for part in buffer[..n].split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.longest <= self.line.len() {
                is_urgent |= self.ear.line(&mut self.line);
                self.line.clear();
            }
        }
        Some(is_urgent || !self.line.is_empty() || n == buffer.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write, pipe};

    use crossbeam_channel::{Receiver, Sender, unbounded};

    use super::*;

    struct Told(Sender<String>);

    impl Ear for Told {
        fn line(&mut self, line: &mut Vec<u8>) -> bool {
            self.0.send(String::from_utf8_lossy(line).into_owned()).unwrap();
            line.starts_with(b"!")
        }

        fn failed(&mut self, error: io::Error) {
            self.0.send(error.to_string()).unwrap();
        }
    }

    fn heard(longest: usize) -> (PipeWriter, Receiver<String>) {
        let ((reader, writer), (sender, receiver)) = (pipe().unwrap(), unbounded());
        listen(reader, longest, Told(sender)).unwrap();
        (writer, receiver)
    }

    #[test]
    fn lines_of_many_pipes_come_whole_and_in_order() {
        let mut pipes: Vec<_> = (0..50).map(|_| heard(1 << 20)).collect();
        let long = "x".repeat(3 * BUFFER + 17);
        for (n, (writer, _)) in pipes.iter_mut().enumerate() {
            write!(writer, "a{n}\nb").unwrap();
        }
        // More than a pipe holds: it is read while it is written.
        pipes.iter_mut().for_each(|(writer, _)| write!(writer, "{long}\n!last").unwrap());
        for (n, (writer, receiver)) in pipes.into_iter().enumerate() {
            drop(writer);
            // The iterator ends when the ear is dropped.
            let lines: Vec<String> = receiver.iter().collect();
            assert_eq!(lines, [format!("a{n}\n"), format!("b{long}\n"), "!last".to_owned()]);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_off() {
        let (mut writer, receiver) = heard(10);
        writer.write_all(b"0123456789").unwrap();
        assert_eq!(receiver.recv().unwrap(), "0123456789");
        writer.write_all(b"abc\n").unwrap();
        drop(writer);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), ["abc\n"]);
    }

    #[test]
    fn the_rest_of_a_line_is_not_left_lying() {
        let ((reader, mut writer), (sender, _receiver)) = (pipe().unwrap(), unbounded());
        let mut pipe = Pipe { reader, line: Vec::new(), longest: 1 << 20, ear: Box::new(Told(sender)) };
        let mut buffer = vec![0; 8];
        let mut said = |text: &[u8]| {
            writer.write_all(text).unwrap();
            pipe.read(&mut buffer)
        };
        assert_eq!(
            [&b"ab\n"[..], b"!b\n", b"ab", b"c\n", b"abcdefg\n"].map(&mut said),
            [Some(false), Some(true), Some(true), Some(false), Some(true)]
        );
    }
}
