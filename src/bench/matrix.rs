//! `--matrix profile=cpu,gpu camera=* count=1,4`: words become axes, and axes combinations.
//!
//! Values are separated by commas, but not inside quotes or brackets, so that a value may be a list of
//! `Lpfile.toml`: `worker.command=["lp-worker"],["env","GST_DEBUG=2","lp-worker"]`. Every fault of
//! every word is reported at once.
//!
//! Not here: whether a key, a profile or a camera exists, which the project's files decide.

use std::collections::BTreeSet;
use std::fmt;

use crate::text::harmless;

/// The most combinations of a matrix: each is a project that is opened, and runs that take minutes.
pub const MOST_CELLS: usize = 256;

/// The most values of an axis.
const MOST_VALUES: usize = 64;

/// What an axis changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The profile of `Lpfile.toml`.
    Profile,
    /// The cameras that play.
    Camera,
    /// A key of `Lpfile.toml`, as `--set` takes it; `count` is short for `run.count`.
    Setting(String),
}

/// The setting that `count` stands for.
const COUNT: &str = "run.count";

impl Key {
    fn of(word: &str) -> Key {
        match word {
            "profile" => Key::Profile,
            "camera" => Key::Camera,
            "count" => Key::Setting(COUNT.to_owned()),
            key => Key::Setting(key.to_owned()),
        }
    }

    /// Whether two values of it are different loads. Their figures differ without one being better.
    #[must_use]
    pub fn is_load(&self) -> bool {
        match self {
            Key::Profile => false,
            Key::Camera => true,
            Key::Setting(key) => key == COUNT,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Key::Profile => "profile",
            Key::Camera => "camera",
            Key::Setting(key) if key == COUNT => "count",
            Key::Setting(key) => key,
        })
    }
}

/// A setting and its values, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    pub key: Key,
    /// At least one, each once.
    pub values: Vec<String>,
}

/// One value of each axis, in the order of the axes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Combination(pub Vec<(Key, String)>);

impl Combination {
    /// The value of an axis.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The same with these values; an axis that it does not have comes last.
    #[must_use]
    pub fn with(&self, other: &Combination) -> Combination {
        let mut all = self.clone();
        for (key, value) in &other.0 {
            match all.0.iter_mut().find(|(known, _)| known == key) {
                Some((_, old)) => old.clone_from(value),
                None => all.0.push((key.clone(), value.clone())),
            }
        }
        all
    }

    /// The values of axes that change the load.
    #[must_use]
    pub fn load(&self) -> Combination {
        Combination(self.0.iter().filter(|(key, _)| key.is_load()).cloned().collect())
    }

    /// The values for `--set`.
    pub fn sets(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().filter_map(|(key, value)| match key {
            Key::Setting(key) => Some(format!("{key}={value}")),
            Key::Profile | Key::Camera => None,
        })
    }
}

impl fmt::Display for Combination {
    /// `profile=gpu count=4`; of no axis `as configured`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("as configured");
        }
        for (index, (key, value)) in self.0.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{key}={}", harmless(value))?;
        }
        Ok(())
    }
}

/// Some axes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    pub axes: Vec<Axis>,
}

impl Matrix {
    /// Reads the words of `--matrix`.
    ///
    /// # Errors
    /// With every fault, as a sentence.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Matrix, Vec<String>> {
        let mut faults = Vec::new();
        let mut axes: Vec<Axis> = Vec::new();
        for word in words {
            match axis(word.as_ref()) {
                Ok(axis) if axes.iter().any(|known| known.key == axis.key) => {
                    faults.push(format!("`--matrix` has the axis `{}` twice", axis.key));
                }
                Ok(axis) => axes.push(axis),
                Err(found) => faults.extend(found),
            }
        }
        let n_cells = axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.values.len()));
        if n_cells.is_none_or(|n| MOST_CELLS < n) {
            let n = n_cells.map_or("more than 10^19".to_owned(), |n| n.to_string());
            faults.push(format!("`--matrix` has {n} combinations; expected at most {MOST_CELLS}"));
        }
        if faults.is_empty() { Ok(Matrix { axes }) } else { Err(faults) }
    }

    /// Reads the value of `--baseline` that names values of axes: `profile=old run.isolation=lane`.
    ///
    /// # Errors
    /// With every fault, as a sentence.
    pub fn parse_baseline<S: AsRef<str>>(words: &[S]) -> Result<Combination, Vec<String>> {
        let matrix = Matrix::parse(words).map_err(|faults| {
            faults.into_iter().map(|fault| fault.replace("--matrix", "--baseline")).collect::<Vec<_>>()
        })?;
        let mut faults = Vec::new();
        let mut values = Vec::new();
        for axis in matrix.axes {
            if axis.key.is_load() {
                let (key, what) = (&axis.key, "a different load, which cannot be better or worse");
                faults.push(format!("`--baseline {key}=...` would be {what}"));
            } else if let [value] = axis.values.as_slice() {
                values.push((axis.key, value.clone()));
            } else {
                let n = axis.values.len();
                faults.push(format!("`--baseline` takes one value of `{}`, found {n}", axis.key));
            }
        }
        if faults.is_empty() { Ok(Combination(values)) } else { Err(faults) }
    }

    /// All combinations; the last axis changes fastest. Of no axes there is one.
    #[must_use]
    pub fn combinations(&self) -> Vec<Combination> {
        self.axes.iter().fold(vec![Combination::default()], |before, axis| {
            let with = |known: &Combination, value: &String| {
                let mut all = known.clone();
                all.0.push((axis.key.clone(), value.clone()));
                all
            };
            before.iter().flat_map(|known| axis.values.iter().map(move |value| with(known, value))).collect()
        })
    }

    /// The first value of every axis that does not change the load.
    #[must_use]
    pub fn first(&self) -> Combination {
        let axes = self.axes.iter().filter(|axis| !axis.key.is_load());
        Combination(axes.map(|axis| (axis.key.clone(), axis.values[0].clone())).collect())
    }

    /// Whether some combinations differ in more than their load.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.axes.iter().any(|axis| !axis.key.is_load() && axis.values.len() > 1)
    }
}

/// `profile=cpu,gpu`
fn axis(word: &str) -> Result<Axis, Vec<String>> {
    let shown = harmless(word);
    let Some((name, text)) = word.split_once('=') else {
        return Err(vec![format!(
            "`--matrix` takes KEY=VALUE,VALUE..., found `{shown}`: cameras come before `--matrix`"
        )]);
    };
    let name = name.trim();
    if name.is_empty() {
        return Err(vec![format!("`--matrix` takes KEY=VALUE,VALUE..., found `{shown}` without a key")]);
    }
    let values = split(text).map_err(|fault| vec![format!("`--matrix {shown}`: {fault}")])?;
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for value in &values {
        if value.is_empty() {
            faults.push(format!("`--matrix {shown}` has an empty value"));
        } else if !seen.insert(value.as_str()) {
            faults.push(format!("`--matrix {shown}` has the value `{}` twice", harmless(value)));
        }
    }
    if values.len() > MOST_VALUES {
        faults.push(format!("`{name}` has {} values; expected at most {MOST_VALUES}", values.len()));
    }
    // The store and the results of all cells are one.
    if name.starts_with("paths.") || name.starts_with("project.") {
        faults.push(format!("`{}` is not a condition of a run, so it is no axis", harmless(name)));
    }
    faults.dedup();
    if faults.is_empty() { Ok(Axis { key: Key::of(name), values }) } else { Err(faults) }
}

/// The values of a text, at its commas outside of quotes and brackets.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut values = vec![String::new()];
    let mut open: Vec<char> = Vec::new();
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for c in text.chars() {
        let last = values.last_mut().expect("there is a value");
        if c == ',' && quote.is_none() && open.is_empty() {
            values.push(String::new());
            continue;
        }
        last.push(c);
        match (quote, c) {
            // In a basic string, a backslash takes the meaning of what follows.
            (Some('"'), _) if is_escaped => is_escaped = false,
            (Some('"'), '\\') => is_escaped = true,
            (Some(begun), c) if c == begun => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => open.push(if c == '[' { ']' } else { '}' }),
            (None, ']' | '}') if open.pop() != Some(c) => {
                return Err(format!("`{c}` closes nothing"));
            }
            (None, _) => {}
        }
    }
    if let Some(quote) = quote {
        return Err(format!("the quote {quote} is not closed"));
    }
    if let Some(bracket) = open.pop() {
        return Err(format!("`{bracket}` is missing"));
    }
    Ok(values.into_iter().map(|value| value.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(words: &[&str], expect: Expect) {
        let text = match Matrix::parse(words) {
            Ok(matrix) => matrix.combinations().iter().map(|one| format!("{one}\n")).collect::<String>(),
            Err(faults) => faults.iter().map(|fault| format!("error: {fault}\n")).collect(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn axes_are_crossed_and_the_last_changes_fastest() {
        check(
            &["profile=cpu,gpu", "count=1,4"],
            expect![[r#"
                profile=cpu count=1
                profile=cpu count=4
                profile=gpu count=1
                profile=gpu count=4
            "#]],
        );
        check(&[], expect![["as configured\n"]]);
    }

    #[test]
    fn a_value_may_be_a_list_or_a_quoted_text() {
        check(
            &[r#"worker.command=["lp-worker"],["env","A=1,2","lp-worker"]"#, r#"x.y="a,b\",c",'d,"e'"#],
            expect![[r#"
                worker.command=["lp-worker"] x.y="a,b\",c"
                worker.command=["lp-worker"] x.y='d,"e'
                worker.command=["env","A=1,2","lp-worker"] x.y="a,b\",c"
                worker.command=["env","A=1,2","lp-worker"] x.y='d,"e'
            "#]],
        );
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        check(
            &[
                "camera-3",
                "=1",
                "profile=cpu,,cpu",
                "profile=cpu",
                "run.count=1",
                "count=2",
                "a.b=[1,2",
                "c.d=\"x",
                "e.f=1]",
                "paths.results=a,b",
                "x=\u{1b}[2J",
            ],
            expect![[r#"
                error: `--matrix` takes KEY=VALUE,VALUE..., found `camera-3`: cameras come before `--matrix`
                error: `--matrix` takes KEY=VALUE,VALUE..., found `=1` without a key
                error: `--matrix profile=cpu,,cpu` has an empty value
                error: `--matrix profile=cpu,,cpu` has the value `cpu` twice
                error: `--matrix` has the axis `count` twice
                error: `--matrix a.b=[1,2`: `]` is missing
                error: `--matrix c.d="x`: the quote " is not closed
                error: `--matrix e.f=1]`: `]` closes nothing
                error: `paths.results` is not a condition of a run, so it is no axis
                error: `--matrix x=\u{1b}[2J`: `]` is missing
            "#]],
        );
    }

    #[test]
    fn a_matrix_is_bounded() {
        let values = (0..20).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let words: Vec<String> = (0..20).map(|n| format!("t.k{n}={values}")).collect();
        let faults = Matrix::parse(&words).unwrap_err();
        assert_eq!(faults, ["`--matrix` has more than 10^19 combinations; expected at most 256"]);
        let faults = Matrix::parse(&[format!("a.b={}", vec!["x"; 300].join(","))]).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains("300 values")), "{faults:?}");
    }

    #[test]
    fn a_baseline_is_the_same_load_with_other_values() {
        let matrix = Matrix::parse(&["profile=cpu,gpu", "camera=a,b"]).unwrap();
        assert!(matrix.compares());
        assert!(!Matrix::parse(&["camera=a,b", "count=1,2"]).unwrap().compares());
        let of: Vec<String> =
            matrix.combinations().iter().map(|one| one.with(&matrix.first()).to_string()).collect();
        assert_eq!(
            of,
            ["profile=cpu camera=a", "profile=cpu camera=b", "profile=cpu camera=a", "profile=cpu camera=b"]
        );

        let baseline = Matrix::parse_baseline(&["profile=old", "run.isolation=lane"]).unwrap();
        assert_eq!(Combination::default().with(&baseline).to_string(), "profile=old run.isolation=lane");
        assert_eq!(baseline.sets().collect::<Vec<_>>(), ["run.isolation=lane"]);
        assert_eq!(
            Matrix::parse_baseline(&["profile=a,b", "count=3", "x"]).unwrap_err(),
            ["`--baseline` takes KEY=VALUE,VALUE..., found `x`: cameras come before `--baseline`"]
        );
        assert_eq!(
            Matrix::parse_baseline(&["profile=a,b", "count=3"]).unwrap_err(),
            [
                "`--baseline` takes one value of `profile`, found 2",
                "`--baseline count=...` would be a different load, which cannot be better or worse"
            ]
        );
    }
}
