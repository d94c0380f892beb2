//! What is wrong with a project, and where: [`Diagnostic`]s and the texts they
//! point into.
//!
//! Reading never stops at the first fault; whoever finds one pushes it here and
//! goes on. A [`Place`] is a range of bytes in one of the [`Sources`], which
//! hold every text as it was parsed: without its byte order mark, and with
//! U+FFFD where it was not UTF-8. An override counts as a file of one line.
//!
//! Not here: how they look (`render`).

use std::collections::HashSet;

use super::edit::Edit;

/// Which of the [`Sources`] a place is in. The default is none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in a file. The default is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte behind the last one.
    pub end: u32,
}

impl Place {
    /// Bytes `range` of `file`.
    #[must_use]
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Place {
        // Texts end at 64 MiB, so offsets fit; saturate rather than panic.
        let offset = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        Place { file, start: offset(range.start), end: offset(range.end) }
    }

    /// Whether this is a place in no file.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.file == FileId::default()
    }
}

/// A value with the place where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `lp` cannot go on.
    Error,
    /// Probably a mistake; an error under `--strict`.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One of [`codes`](super::codes).
    pub code: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; `None` if it is in no file.
    pub place: Option<Place>,
    /// The text under the caret; may be empty.
    pub label: String,
    /// A way out.
    pub help: Option<String>,
    /// Other places that belong to it, with the text under each.
    pub secondary: Vec<(Place, String)>,
    /// Changes of the text that bring it into the current form.
    pub edits: Vec<Edit>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    #[must_use]
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity,
            code,
            message: message.into(),
            place: None,
            label: String::new(),
            help: None,
            secondary: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// An error without a place.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// A note without a place.
    #[must_use]
    pub fn note(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Note, code, message)
    }

    /// The same at `place`; nowhere stays no place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Diagnostic {
        self.place = if place.is_nowhere() { None } else { Some(place) };
        self
    }

    /// The same with a text under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same with "did you mean" as the way out, if something is close.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Diagnostic {
        match crate::name::did_you_mean(word, candidates) {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None => self,
        }
    }

    /// The same with a change of the text that takes it away.
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Diagnostic {
        self.edits.push(edit);
        self
    }

    /// The same with another place that belongs to it.
    #[must_use]
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        if !place.is_nowhere() {
            self.secondary.push((place, text.into()));
        }
        self
    }
}

/// Everything that was found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Nothing found yet.
    #[must_use]
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// All changes that would bring the texts into the current form.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        self.list.iter().flat_map(|diagnostic| &diagnostic.edits)
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Diagnostics) {
        self.list.extend(other.list);
    }

    /// Keeps those that `keep` holds for.
    pub fn retain(&mut self, keep: impl Fn(&Diagnostic) -> bool) {
        self.list.retain(keep);
    }

    /// Whether `lp` cannot go on.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Turns warnings into errors: `--strict`.
    pub fn deny_warnings(&mut self) {
        for diagnostic in &mut self.list {
            if diagnostic.severity == Severity::Warning {
                diagnostic.severity = Severity::Error;
            }
        }
    }

    /// By file, then position, in a file; those without a place come first.
    /// What was said twice about one place stands once.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut seen = HashSet::new();
        let mut sorted: Vec<&Diagnostic> = self
            .list
            .iter()
            .filter(|one| seen.insert((one.code, one.place, one.message.as_str(), one.label.as_str())))
            .collect();
        sorted.sort_by_key(|diagnostic| diagnostic.place.unwrap_or_default());
        sorted
    }
}

/// The texts that places point into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    text: String,
    /// The first byte of each line.
    lines: Vec<u32>,
}

/// A position as people count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Sources {
    /// No file yet.
    #[must_use]
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a file under the name that people know it by.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let text: String = text.into();
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0)
            .chain(newlines.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)))
            .collect();
        self.files.push(SourceFile { name: name.into(), text, lines });
        FileId(u32::try_from(self.files.len()).expect("there are fewer files than u32 can count"))
    }

    fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get((id.0 as usize).checked_sub(1)?)
    }

    /// The name of a file.
    #[must_use]
    pub fn name(&self, id: FileId) -> &str {
        self.file(id).map_or("", |file| &file.name)
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, id: FileId) -> &str {
        self.file(id).map_or("", |file| &file.text)
    }

    /// The position of byte `offset`. The end of a file that ends in a newline
    /// is the end of its last line.
    #[must_use]
    pub fn position(&self, id: FileId, offset: u32) -> Position {
        let Some(file) = self.file(id) else { return Position { line: 1, column: 1 } };
        let offset = file.floor(offset);
        let line = file.line_of(offset);
        let start = file.lines[line] as usize;
        Position { line: line + 1, column: file.text[start..offset].chars().count() + 1 }
    }

    /// The line that byte `offset` is in: its number from 1, and its range
    /// without the line ending.
    pub(super) fn line(&self, id: FileId, offset: u32) -> (usize, std::ops::Range<usize>) {
        let Some(file) = self.file(id) else { return (1, 0..0) };
        let line = file.line_of(file.floor(offset));
        let start = file.lines[line] as usize;
        let end = file.lines.get(line + 1).map_or(file.text.len(), |next| *next as usize);
        let text = file.text[start..end].trim_end_matches('\n').trim_end_matches('\r');
        (line + 1, start..start + text.len())
    }
}

impl SourceFile {
    /// The nearest boundary of a character at or before `offset`.
    fn floor(&self, offset: u32) -> usize {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// The line, from 0, that byte `offset` is in.
    fn line_of(&self, offset: usize) -> usize {
        let line = self.lines.partition_point(|start| *start as usize <= offset) - 1;
        let is_behind_the_last = line > 0 && self.lines[line] as usize == self.text.len();
        if is_behind_the_last { line - 1 } else { line }
    }
}
