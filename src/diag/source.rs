//! The files that a project was read from, and places in them.
//!
//! [`Sources`] hold the text of every file as it was parsed: without its byte order
//! mark, and with U+FFFD where it was not UTF-8. A [`Place`] is a range of bytes in
//! one of them. An override counts as a file of one line.

/// The number of a file in [`Sources`]. The default is none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in a file. The default is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Place {
    /// Bytes `range` of `file`.
    #[must_use]
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Place {
        // Files end at 64 MiB, so offsets fit; saturate rather than panic.
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
    pub value: T,
    pub place: Place,
}

/// The files that places point into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

/// The origin of a text.
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
    /// The bytes that are not the first of their character.
    further: Vec<u32>,
}

/// A position: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Sources {
    #[must_use]
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a file under the name for messages.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.add_from(Origin::File, name, text)
    }

    /// Adds a text of any origin under the name for messages.
    pub fn add_from(&mut self, origin: Origin, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile::new(name.into(), origin, text.into()));
        FileId(u32::try_from(self.files.len()).expect("there are fewer files than u32 can count"))
    }

    /// Whether there is only one file.
    #[cfg(test)]
    pub(super) fn is_single(&self) -> bool {
        self.files.len() == 1
    }

    fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get((id.0 as usize).checked_sub(1)?)
    }

    /// The name of a file.
    #[must_use]
    pub fn name(&self, id: FileId) -> &str {
        self.file(id).map_or("", |file| &file.name)
    }

    /// The origin of a file's text.
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
        // To count the characters of a file of one line again for each fault would be slow.
        let characters = |end: usize| end - file.further.partition_point(|at| (*at as usize) < end);
        let column = characters(offset.min(within.end)) - characters(within.start) + 1;
        Position { line: line + 1, column }
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
        let further = text.bytes().enumerate().filter(|(_, byte)| byte & 0xc0 == 0x80);
        let further = further.map(|(at, _)| offset(at)).collect();
        SourceFile { name, origin, text, lines, further }
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
    fn columns_count_characters_and_a_line_ending_belongs_to_its_line() {
        check("", &[(1, 1)]);
        check("ä漢", &[(1, 1), (1, 2), (1, 3)]);
        check("a\r\nb\n", &[(1, 1), (1, 2), (1, 2), (2, 1), (2, 2), (2, 2)]);
        check("\n\nc", &[(1, 1), (2, 1), (3, 1), (3, 2)]);
        check("\r\r\n", &[(1, 1), (1, 2), (1, 2), (1, 2)]);
    }
}
