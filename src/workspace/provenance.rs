//! The program and the project of a run, for its record.
//!
//! Called just before a measurement, so that builds without one ask git nothing. What
//! is recorded of config files is what was read, not what is in place now.

use std::path::Path;

use super::open::Workspace;
use crate::digest::ContentDigest;
use crate::os;
use crate::os::process::Cancel;
use crate::path::for_shell;
use crate::record::{ConfigFile, Git, Provenance};
use crate::text::{passwords, redacted, redacted_words};

/// The provenance of what is measured now, without the inputs of the run.
pub(super) fn of(opened: &Workspace, cancel: &Cancel) -> Provenance {
    let root = &opened.project.layout.root;
    let files = config_files(opened);
    let inside: Vec<&str> =
        files.iter().filter(|file| !file.outside).map(|file| file.path.as_str()).collect();
    let git = match os::git::commit(root, &inside, cancel) {
        Ok(os::git::Commit { id, changed }) => Git::Commit { commit: id, changed },
        Err(reason) => Git::Unknown { reason },
    };
    Provenance {
        lp: env!("CARGO_PKG_VERSION").to_owned(),
        worker: worker(opened),
        project: root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        git,
        files,
        profile: opened.asked.profile.clone(),
        overrides: opened.asked.overrides.iter().map(|(key, value)| (key.clone(), redacted(value))).collect(),
        inputs: std::collections::BTreeMap::new(),
    }
}

/// How workers are started, as `worker::launch` decides it.
fn worker(opened: &Workspace) -> Option<String> {
    if let Some(path) = os::env::raw("LP_WORKER").filter(|value| !value.is_empty()) {
        let name = Path::new(&path).file_name().unwrap_or(&path).to_string_lossy().into_owned();
        return Some(format!("LP_WORKER: {name}"));
    }
    let command = opened.project.settings.worker.as_ref()?;
    let words = redacted_words(command.words.iter().map(String::as_str));
    Some(words.iter().map(|word| for_shell(word)).collect::<Vec<_>>().join(" "))
}

/// The config files that exist, each once.
fn config_files(opened: &Workspace) -> Vec<ConfigFile> {
    let real = |path: &Path| os::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let root = real(&opened.project.layout.root);
    let mut files: Vec<ConfigFile> = Vec::new();
    for (path, content) in &opened.files {
        let Some(content) = content else { continue };
        let place = real(path);
        let inside = place.strip_prefix(&root).ok();
        let shown = inside.or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
        let text = opened.texts.iter().find(|(read, _)| read == path);
        let without = text.and_then(|(_, file)| without_passwords(opened.sources.text(*file)));
        let file = ConfigFile {
            path: shown.to_string_lossy().into_owned(),
            digest: without.unwrap_or(*content),
            outside: inside.is_none(),
        };
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// The digest of a text with passwords, without them; `None` for one that has none.
fn without_passwords(text: &str) -> Option<ContentDigest> {
    let mut kept = String::with_capacity(text.len());
    let mut found = false;
    for line in text.split_inclusive('\n') {
        let mut begin = 0;
        for password in passwords(line) {
            kept.push_str(&line[begin..password.start]);
            begin = password.end;
            found = true;
        }
        kept.push_str(&line[begin..]);
    }
    found.then(|| ContentDigest::of(kept.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_file_does_not_depend_on_its_passwords() {
        let text = |password: &str| format!("{{\n  \"streamUri\": \"rtsp://bob:{password}@till/1\"\n}}\n");
        let digest = |password| without_passwords(&text(password)).unwrap();
        assert_eq!(digest("geheim"), digest("secret"));
        assert_eq!(digest("geheim"), ContentDigest::of(text("").as_bytes()));
        assert_eq!(without_passwords("rtsp://${USER}:${PASSWORD}@till/1"), None);
    }
}
