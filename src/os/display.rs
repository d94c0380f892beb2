//! The display for windows.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The display, if there is one: the environment names it, and a local one must
/// accept a connection.
///
/// # Errors
/// The missing part, as half a sentence.
pub fn check() -> Result<String, String> {
    match (wayland(), x11()) {
        (Some(Ok(found)), _) | (_, Some(Ok(found))) => Ok(found),
        (_, Some(Err(missing))) | (Some(Err(missing)), None) => Err(missing),
        (None, None) => Err("neither `DISPLAY` nor `WAYLAND_DISPLAY` names one".to_owned()),
    }
}

fn variable(name: &str) -> Option<String> {
    super::env::variable(name).filter(|value| !value.is_empty())
}

/// The compositor that `WAYLAND_DISPLAY` names; `None` if it names none.
fn wayland() -> Option<Result<String, String>> {
    let name = variable("WAYLAND_DISPLAY")?;
    // An absolute name is the path.
    let path = Path::new(&variable("XDG_RUNTIME_DIR").unwrap_or_default()).join(&name);
    Some(if path.is_relative() {
        Err(format!("`WAYLAND_DISPLAY` is `{name}` and `XDG_RUNTIME_DIR` is not set"))
    } else {
        match reach(&path) {
            Ok(()) => Ok(format!("Wayland `{}`", path.display())),
            Err(refused) => Err(format!("`WAYLAND_DISPLAY` is `{name}` and {}", refused.of(&path))),
        }
    })
}

/// The server that `DISPLAY` names; `None` if it names none.
fn x11() -> Option<Result<String, String>> {
    let display = variable("DISPLAY")?;
    Some(match socket(&display) {
        Some(Socket::Remote) => Ok(format!("X11 `{display}`, elsewhere")),
        Some(Socket::Local(path)) => match reach(&path) {
            Ok(()) => Ok(format!("X11 `{display}`")),
            Err(refused) => Err(format!("`DISPLAY` is `{display}` and {}", refused.of(&path))),
        },
        None => Err(format!("`DISPLAY` is `{display}`, which is not like `:0`")),
    })
}

/// The reason why a socket cannot be connected to.
struct ConnectError(io::Error);

impl ConnectError {
    fn of(&self, path: &Path) -> String {
        let path = path.display();
        match self.0.kind() {
            io::ErrorKind::NotFound => format!("there is no socket `{path}`"),
            io::ErrorKind::ConnectionRefused => format!("no server answers at the socket `{path}`"),
            io::ErrorKind::PermissionDenied => format!("this user may not connect to the socket `{path}`"),
            _ => format!("the socket `{path}` cannot be connected to: {}", self.0),
        }
    }
}

fn reach(path: &Path) -> Result<(), ConnectError> {
    UnixStream::connect(path).map(drop).map_err(ConnectError)
}

#[derive(Debug, PartialEq, Eq)]
enum Socket {
    /// A file of this machine.
    Local(PathBuf),
    /// On another machine, or forwarded: not checked.
    Remote,
}

/// Where `[host]:number[.screen]` is; `None` if it has another form.
/// <https://www.x.org/releases/current/doc/man/man7/X.7.xhtml>
fn socket(display: &str) -> Option<Socket> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (host, rest) = display.rsplit_once(':')?;
    let (number, screen) = rest.split_once('.').unwrap_or((rest, "0"));
    if !is_number(number) || !is_number(screen) {
        return None;
    }
    if ["", "unix", "unix/"].contains(&host) {
        return Some(Socket::Local(format!("/tmp/.X11-unix/X{number}").into()));
    }
    Some(Socket::Remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_a_socket_or_elsewhere() {
        let local = |number| Some(Socket::Local(format!("/tmp/.X11-unix/X{number}").into()));
        for (display, expected) in [
            (":0", local(0)),
            (":10.1", local(10)),
            ("unix:2", local(2)),
            ("localhost:10.0", Some(Socket::Remote)),
            ("0", None),
            (":", None),
            (":x", None),
            (":0.", None),
            (":0.1.2", None),
        ] {
            assert_eq!(socket(display), expected, "{display}");
        }
    }
}
