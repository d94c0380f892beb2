//! The values that a reader takes, as plain data.
//!
//! Every reader describes itself ([`super::reader::Reader::shape`]) with the
//! same tables that it reads by, so that the JSON Schemas (`schema`) and the keys
//! that overrides reach (`overrides`) cannot differ from it.
//!
//! A shape covers the rules for one value alone. `resolve` checks the others, such as
//! whether a region lies in its frame, or a workload is mapped.

pub(super) use crate::text::unseen;

/// The values that a reader takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A string; with a regular expression (ECMA-262) that it matches.
    String(Option<String>),
    /// One of these strings, exactly.
    Word(Vec<&'static str>),
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number, `15.0` included.
    Whole {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    Number {
        /// It is greater than this.
        above: f64,
        /// The greatest.
        max: f64,
    },
    /// A number from 0 to 1.
    Share,
    /// Any number.
    Finite,
    List {
        item: Box<Shape>,
        /// Whether it must have an item.
        is_filled: bool,
    },
    /// A table with known keys.
    Table(Fields),
    /// A table whose keys are names.
    Map(Map),
    /// A table whose keys depend on its contents; the first case that holds counts.
    Cases(Vec<(When, Fields)>),
    /// A shape with a name, since it appears in several places.
    Named(&'static str, Box<Shape>),
    Either(Vec<Shape>),
    /// An old form of this, accepted with a note.
    Old(Box<Shape>),
}

/// The condition of a case of [`Shape::Cases`].
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// The table has this key.
    Has(&'static str),
    /// The string at this key matches a regular expression.
    Matches(&'static str, String),
    /// Always.
    Always,
}

/// A table with known keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// In the order in which they are read.
    pub fields: Vec<Field>,
    /// The treatment of other keys.
    pub unknown: UnknownKeys,
    /// At least one key of each of these groups is required.
    pub one_of: Vec<Vec<&'static str>>,
}

/// One key of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As it is written.
    pub key: &'static str,
    /// Its meaning, one sentence.
    pub about: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// Whether it belongs to an old form.
    pub is_old: bool,
    pub shape: Shape,
}

/// A table whose keys are names.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// A regular expression (ECMA-262) for the names.
    pub names: String,
    /// The treatment of keys that begin with `_`.
    pub unknown: UnknownKeys,
    /// The value of each.
    pub value: Box<Shape>,
    /// Whether it must have a name.
    pub is_filled: bool,
}

/// No invisible characters ([`crate::text::is_unseen`]), and not blank.
pub const TEXT: &str = concat!(r"^[^", unseen!(), r"]*[^\s", unseen!(), r"][^", unseen!(), r"]*$");

pub const UNBROKEN: &str = concat!(r"^[^", unseen!(), r"]*$");

/// A regular expression for any of `words`, in any case, with blanks around.
#[must_use]
pub fn folded<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let each = |word: &str| -> String {
        word.chars()
            .map(|c| {
                if c.is_ascii_alphabetic() {
                    format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase())
                } else if c == '.' {
                    r"\.".to_owned()
                } else {
                    c.to_string()
                }
            })
            .collect()
    };
    let words: Vec<String> = words.into_iter().map(each).collect();
    format!(r"^\s*({})\s*$", words.join("|"))
}

/// The treatment of unknown keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeys {
    /// They are errors: in files of our own format.
    Refuse,
    /// They are warnings, and keys that begin with `_` are comments: in files
    /// of upstream's format.
    Warn,
}

impl UnknownKeys {
    /// The word for a table in the language of the file: upstream's are JSON.
    pub(super) fn table(self) -> &'static str {
        match self {
            UnknownKeys::Refuse => "table",
            UnknownKeys::Warn => "object",
        }
    }
}
