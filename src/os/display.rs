//! The display that windows would be shown on.

use std::path::{Path, PathBuf};

/// Whether there is a display, by what the environment says of it and by the
/// sockets of a local one.
///
/// # Errors
/// What is missing, as half a sentence.
pub fn check() -> Result<(), String> {
    let wayland = super::env::variable("WAYLAND_DISPLAY").filter(|name| !name.is_empty());
    let folder = super::env::variable("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    // An absolute name stands for itself.
    if let (Some(name), Some(folder)) = (&wayland, &folder)
        && Path::new(folder).join(name).exists()
    {
        return Ok(());
    }
    let Some(display) = super::env::variable("DISPLAY").filter(|display| !display.is_empty()) else {
        return Err("neither `DISPLAY` nor `WAYLAND_DISPLAY` names one".to_owned());
    };
    match socket(&display) {
        Some(Socket::Remote) => Ok(()),
        Some(Socket::Local(path)) if path.exists() => Ok(()),
        Some(Socket::Local(path)) => {
            Err(format!("`DISPLAY` is `{display}` and there is no socket `{}`", path.display()))
        }
        None => Err(format!("`DISPLAY` is `{display}`, which is not like `:0`")),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Socket {
    /// A file of this machine.
    Local(PathBuf),
    /// On another machine, or forwarded: only connecting would tell.
    Remote,
}

/// Where `[host]:number[.screen]` is; `None` if it is nothing like that.
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
