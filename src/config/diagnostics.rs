//! What is wrong with a project, and where: [`Diagnostic`]s and the texts they
//! point into.
//!
//! Reading never stops at the first fault; whoever finds one pushes it here and
//! goes on. A [`Place`] is a range of bytes in one of the [`Sources`], which
//! hold every text as it was parsed: without its byte order mark, and with
//! U+FFFD where it was not UTF-8. An override counts as a file of one line.
//!
//! Not here: how they look (`render`, `sarif`).

use std::cmp::Ordering;
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

    /// The same with "did you mean" as the way out, if something is close and
    /// `found` does not hold so many faults already that nobody reads them all.
    #[must_use]
    pub fn suggest<'a>(
        self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
        found: &Diagnostics,
    ) -> Diagnostic {
        match found.did_you_mean(word, candidates) {
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

/// So many faults get a "did you mean". To compare every misspelt word of a
/// large file with every word that is possible would take minutes.
const SUGGESTED: usize = 100;

/// So many faults are kept, so that a file of 64 MiB with one every few bytes
/// does not fill the memory.
const MOST: usize = 200_000;

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

    /// Adds one. Of more faults than anybody can do something about, the rest is
    /// left out, which is said.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let severity = diagnostic.severity;
        match self.list.len().cmp(&MOST) {
            Ordering::Less => self.list.push(diagnostic),
            Ordering::Equal => {
                let message = format!("more than {MOST} faults were found, and the rest is left out");
                self.list.push(Diagnostic::new(severity, super::codes::TOO_LARGE, message));
            }
            // As grave as the gravest that is left out: notes alone are no error.
            Ordering::Greater => {
                let rest = self.list.last_mut().expect("there are more than none");
                rest.severity = rest.severity.min(severity);
            }
        }
    }

    /// All changes that would bring the texts into the current form.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        self.list.iter().flat_map(|diagnostic| &diagnostic.edits)
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Diagnostics) {
        for diagnostic in other.list {
            self.push(diagnostic);
        }
    }

    /// Keeps those that `keep` holds for.
    pub fn retain(&mut self, keep: impl Fn(&Diagnostic) -> bool) {
        self.list.retain(keep);
    }

    /// What was most likely meant by `word`; nothing once much was found.
    #[must_use]
    pub fn did_you_mean<'a>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if self.list.len() < SUGGESTED { crate::name::did_you_mean(word, candidates) } else { None }
    }

    /// Whether `lp` cannot go on.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is one of this code.
    #[must_use]
    pub fn has(&self, code: &str) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.code == code)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
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

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of this name.
    File,
    /// `--set KEY=VALUE`.
    Flag,
    /// A variable `LP_SET_*`.
    Variable,
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    origin: Origin,
    text: String,
    /// The first byte of each line.
    lines: Vec<u32>,
    /// How many characters precede each block of [`BLOCK`] bytes. A fault in
    /// each of the cameras of a file of one line would else cost its square.
    characters: Vec<u32>,
}

/// The distance of the places at which characters are counted in advance.
const BLOCK: usize = 4096;

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
        self.add_from(Origin::File, name, text)
    }

    /// Adds a text of any origin under the name that people know it by.
    pub fn add_from(&mut self, origin: Origin, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile::new(name.into(), origin, text.into()));
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

    /// Where the text of a file comes from.
    #[must_use]
    pub fn origin(&self, id: FileId) -> Origin {
        self.file(id).map_or(Origin::File, |file| file.origin)
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, id: FileId) -> &str {
        self.file(id).map_or("", |file| &file.text)
    }

    /// The position of byte `offset`. A line ending is at the end of its line,
    /// and so is the end of a file that ends in a newline.
    #[must_use]
    pub fn position(&self, id: FileId, offset: u32) -> Position {
        let Some(file) = self.file(id) else { return Position { line: 1, column: 1 } };
        let offset = file.floor(offset);
        let line = file.line_of(offset);
        let within = file.line(line);
        let characters = file.characters_before(offset.min(within.end));
        Position { line: line + 1, column: characters - file.characters_before(within.start) + 1 }
    }

    /// The number, from 1, of the line that byte `offset` is in.
    pub(super) fn line_number(&self, id: FileId, offset: u32) -> usize {
        self.file(id).map_or(1, |file| file.line_of(file.floor(offset)) + 1)
    }

    /// The range of line `number`, from 1, without its line ending.
    pub(super) fn line(&self, id: FileId, number: usize) -> std::ops::Range<usize> {
        self.file(id).map_or(0..0, |file| file.line(number - 1))
    }
}

impl SourceFile {
    fn new(name: String, origin: Origin, text: String) -> SourceFile {
        let offset = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| offset(at + 1))).collect();
        let blocks = text.as_bytes().chunks(BLOCK);
        let counted = blocks.scan(0, |characters, block| {
            *characters += offset(begun(block));
            Some(*characters)
        });
        let characters = std::iter::once(0).chain(counted).collect();
        SourceFile { name, origin, text, lines, characters }
    }

    /// How many characters begin before byte `offset`.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        self.characters[block] as usize + begun(&self.text.as_bytes()[block * BLOCK..offset])
    }

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

    /// The range of a line, from 0, without its line ending.
    fn line(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.lines[line] as usize;
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| *next as usize);
        let text = &self.text[start..end];
        let text = text.strip_suffix('\n').unwrap_or(text);
        start..start + text.strip_suffix('\r').unwrap_or(text).len()
    }
}

/// How many characters begin in these bytes of a text.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The position of every byte that begins a character, and of the end.
    #[track_caller]
    fn check(text: &str, expected: &[(usize, usize)]) {
        let mut sources = Sources::new();
        let file = sources.add("x", text);
        let offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let found: Vec<_> = offsets
            .map(|offset| sources.position(file, u32::try_from(offset).unwrap()))
            .map(|at| (at.line, at.column))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_count_characters_and_line_endings_are_at_the_end_of_their_line() {
        check("", &[(1, 1)]);
        check("ä漢", &[(1, 1), (1, 2), (1, 3)]);
        check("a\r\nb\n", &[(1, 1), (1, 2), (1, 2), (2, 1), (2, 2), (2, 2)]);
        check("\n\nc", &[(1, 1), (2, 1), (3, 1), (3, 2)]);
        check("\r\r\n", &[(1, 1), (1, 2), (1, 2), (1, 2)]);
    }

    #[test]
    fn the_hundred_and_first_fault_gets_no_suggestion() {
        let mut found = Diagnostics::new();
        for n in 0..=SUGGESTED {
            let fault = Diagnostic::error("LP0000", "x").suggest("widht", ["width"], &found);
            assert_eq!(fault.help.is_some(), n < SUGGESTED, "{n}");
            found.push(fault);
        }
    }

    #[test]
    fn what_is_left_out_is_told_as_gravely_as_the_gravest_of_it() {
        let mut found = Diagnostics::new();
        for _ in 0..MOST + 2 {
            found.push(Diagnostic::note("LP0000", "x"));
        }
        assert_eq!((found.count(Severity::Note), found.has_errors()), (MOST + 1, false));
        found.push(Diagnostic::warning("LP0000", "x"));
        assert_eq!((found.count(Severity::Note), found.count(Severity::Warning)), (MOST, 1));
        found.push(Diagnostic::error("LP0000", "x"));
        found.push(Diagnostic::note("LP0000", "x"));
        assert_eq!((found.count(Severity::Note), found.count(Severity::Error)), (MOST, 1));
    }

    #[test]
    fn columns_are_right_beyond_the_first_block() {
        let mut sources = Sources::new();
        let text = "é".repeat(3 * BLOCK);
        let file = sources.add("x", format!("ab\n{text}"));
        for n in [0, 1, BLOCK / 2 - 1, BLOCK / 2, BLOCK, 3 * BLOCK] {
            let offset = u32::try_from(3 + 2 * n).unwrap();
            assert_eq!(sources.position(file, offset), Position { line: 2, column: n + 1 });
            assert_eq!(sources.position(file, offset + 1).column, n + 1);
        }
    }
}
