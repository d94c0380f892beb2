//! Opens a file in the user's browser.

use std::ffi::OsString;
use std::path::Path;

use super::{display, env};

/// Why no browser shows a file.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// There is nothing to open a window on.
    #[error("there is no display: {0}")]
    NoDisplay(String),
    #[error("failed to start `{program}`")]
    Start {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("`{program}` ended with {status}")]
    Ended { program: String, status: std::process::ExitStatus },
}

/// Opens a file: with the first browser of `BROWSER` that starts, otherwise with the
/// desktop's. Returns when the program ends, which most do at once.
///
/// # Errors
/// When there is no display, or no browser took the file.
pub fn open(path: &Path) -> Result<(), BrowserError> {
    let named = env::variable("BROWSER").filter(|list| !list.trim().is_empty());
    let commands: Vec<Vec<OsString>> = match &named {
        Some(list) => list.split(':').filter_map(|words| command(words, path)).collect(),
        None if cfg!(target_os = "macos") => vec![vec!["open".into(), path.into()]],
        None => {
            display::check().map_err(BrowserError::NoDisplay)?;
            vec![vec!["xdg-open".into(), path.into()]]
        }
    };
    let mut last = Err(BrowserError::NoDisplay("`BROWSER` names no program".to_owned()));
    for command in commands {
        last = run(&command);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// A command of `BROWSER`: the file comes in the place of `%s`, or last.
fn command(words: &str, path: &Path) -> Option<Vec<OsString>> {
    let mut command: Vec<OsString> = Vec::new();
    let mut has_path = false;
    for word in words.split_whitespace() {
        match word.split_once("%s") {
            Some((before, after)) => {
                has_path = true;
                command.push([before.as_ref(), path.as_os_str(), after.as_ref()].into_iter().collect());
            }
            None => command.push(word.into()),
        }
    }
    if command.is_empty() {
        return None;
    }
    if !has_path {
        command.push(path.into());
    }
    Some(command)
}

fn run(command: &[OsString]) -> Result<(), BrowserError> {
    let (program, arguments) = command.split_first().expect("a command has a program");
    let named = || program.to_string_lossy().into_owned();
    let output = duct::cmd(program, arguments)
        .unchecked()
        .run()
        .map_err(|source| BrowserError::Start { program: named(), source })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(BrowserError::Ended { program: named(), status: output.status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_in_its_place_or_last() {
        let path = Path::new("/a b/r.html");
        let words = |text: &str| command(text, path);
        assert_eq!(words("firefox"), Some(vec!["firefox".into(), "/a b/r.html".into()]));
        assert_eq!(words("x --at=%s -n"), Some(vec!["x".into(), "--at=/a b/r.html".into(), "-n".into()]));
        assert_eq!(words(" "), None);
    }
}
