//! `lp config`: what counts for each key of `Lpfile.toml`, and where it comes from.

use serde_json::{Value, json};

use super::args::{ConfigArgs, Global};
use super::columns::table;
use super::{Exit, console, project};
use crate::config::effective::{self, Setting};
use crate::config::locate::Locator;
use crate::config::tree::quoted_key;
use crate::diag::{Origin, Place};
use crate::name::did_you_mean;
use crate::text::{harmless_lines, redacted};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::open::Workspace;

pub(super) fn run(global: &Global, args: &ConfigArgs) -> Result<Exit> {
    let opened = project::open(global, &[])?;
    let all: Vec<Effective> = effective::settings(&opened.settings)
        .into_iter()
        .map(|one| Effective::of(one, &opened, global))
        .collect();
    let wanted = select(&all, &args.keys)?;
    if args.json {
        let settings: Vec<Value> = wanted.iter().map(|one| one.document()).collect();
        let document = json!({ "version": 1, "profile": global.profile, "settings": settings });
        console::out(&format!("{document:#}\n"));
    } else if let ([key], [one]) = (args.keys.as_slice(), wanted.as_slice())
        && *key == one.key
    {
        console::out(&one.text());
    } else {
        let rows = wanted.iter().map(|one| vec![one.key.clone(), one.value(), one.from()]);
        console::out(&table(&["key", "value", "from"], &[], rows.collect()));
    }
    Ok(Exit::Done)
}

/// The keys that words name: keys, or tables with all of theirs.
fn select<'a>(all: &'a [Effective], words: &[String]) -> Result<Vec<&'a Effective>> {
    if words.is_empty() {
        return Ok(all.iter().collect());
    }
    let names = |one: &Effective, word: &str| {
        one.key.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let unknown = words.iter().filter(|word| !all.iter().any(|one| names(one, word))).map(|word| {
        let error = CommandError::refused(format!("`{word}` is no key of `Lpfile.toml`"));
        let tables = all.iter().filter_map(|one| one.setting.path.first());
        let keys = || all.iter().map(|one| one.key.as_str());
        let by_end = || keys().find(|key| key.rsplit('.').next() == Some(word));
        match did_you_mean(word, keys().chain(tables.map(String::as_str))).or_else(by_end) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error.hint("`lp config` lists all keys"),
        }
    });
    match CommandError::all(unknown) {
        Some(error) => Err(error),
        None => Ok(all.iter().filter(|one| words.iter().any(|word| names(one, word))).collect()),
    }
}

/// Where a value comes from.
enum From {
    Default,
    /// `--cameras FILE`
    Flag(&'static str),
    /// `--set KEY=VALUE`
    Set,
    /// A variable `LP_SET_*`.
    Variable(String),
    File {
        profile: Option<String>,
        file: String,
        line: usize,
        column: usize,
    },
}

/// A key with the value that counts.
struct Effective {
    key: String,
    setting: Setting,
    /// The file of a flag, which wins over all else.
    flag: Option<String>,
    from: From,
}

impl Effective {
    fn of(setting: Setting, opened: &Workspace, global: &Global) -> Effective {
        let key: Vec<String> = setting.path.iter().map(|key| quoted_key(key)).collect();
        let key = key.join(".");
        let flag = match key.as_str() {
            "project.cameras" => global.cameras.as_ref().map(|file| ("--cameras", file)),
            "project.workloads" => global.workloads.as_ref().map(|file| ("--workloads", file)),
            _ => None,
        };
        let from = match (&flag, &setting.written) {
            (Some((flag, _)), _) => From::Flag(flag),
            (None, None) => From::Default,
            (None, Some(node)) => from_place(node.place, &setting, opened, global.profile.as_deref()),
        };
        Effective { key, setting, flag: flag.map(|(_, file)| file.display().to_string()), from }
    }

    /// The value as JSON; `null` if it depends on other things, or is nothing.
    fn json(&self) -> Value {
        let value = match (&self.flag, &self.setting.written) {
            (Some(file), _) => json!(file),
            (None, Some(node)) => node.json(),
            (None, None) => self.setting.default.clone().unwrap_or_default(),
        };
        harmless_json(value)
    }

    /// The value as TOML writes it; `-` for none.
    fn value(&self) -> String {
        let text = match (&self.flag, &self.setting.written) {
            (None, Some(node)) => redacted(&node.toml()),
            _ => match self.json() {
                Value::Null => "-".to_owned(),
                value => value.to_string(),
            },
        };
        harmless_lines(&text)
    }

    fn from(&self) -> String {
        match &self.from {
            From::Default => "default".to_owned(),
            From::Flag(flag) => (*flag).to_owned(),
            From::Set => "--set".to_owned(),
            From::Variable(name) => name.clone(),
            From::File { profile: None, file, line, .. } => format!("{file}:{line}"),
            From::File { profile: Some(profile), file, line, .. } => {
                format!("profile {profile}, {file}:{line}")
            }
        }
    }

    /// One key in full.
    fn text(&self) -> String {
        let default = self.setting.default.as_ref().map_or("-".to_owned(), Value::to_string);
        format!(
            "{} = {}\n  from     {}\n  default  {default}\n  meaning  {}\n",
            self.key,
            self.value(),
            self.from(),
            self.setting.about
        )
    }

    fn document(&self) -> Value {
        let from = match &self.from {
            From::Default => json!({ "kind": "default" }),
            From::Flag(flag) => json!({ "kind": "flag", "flag": flag }),
            From::Set => json!({ "kind": "flag", "flag": "--set" }),
            From::Variable(name) => json!({ "kind": "variable", "variable": name }),
            From::File { profile, file, line, column } => {
                json!({ "kind": "file", "file": file, "line": line, "column": column, "profile": profile })
            }
        };
        json!({
            "key": self.key,
            "value": self.json(),
            "default": self.setting.default,
            "from": from,
            "about": self.setting.about,
        })
    }
}

fn from_place(place: Place, setting: &Setting, opened: &Workspace, profile: Option<&str>) -> From {
    let sources = &opened.sources;
    match sources.origin(place.file) {
        Origin::Flag => From::Set,
        Origin::Variable => From::Variable(sources.name(place.file).to_owned()),
        Origin::File => {
            let locator = Locator::new(sources, &opened.settings);
            let path: Vec<&str> = setting.path.iter().map(String::as_str).collect();
            let is_of_profile = |name: &&str| locator.is_of_profile(place, name, &path);
            let position = sources.position(place.file, place.start);
            From::File {
                profile: profile.filter(is_of_profile).map(str::to_owned),
                file: sources.name(place.file).to_owned(),
                line: position.line,
                column: position.column,
            }
        }
    }
}

/// Without the passwords of URLs.
fn harmless_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redacted(&text)),
        Value::Array(items) => items.into_iter().map(harmless_json).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, harmless_json(value))).collect()
        }
        other => other,
    }
}
