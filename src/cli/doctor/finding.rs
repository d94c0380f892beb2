//! One finding, and the printing of findings.

use std::fmt::Display;

use serde::Serialize;

use crate::diag::Tone;
use crate::report::grid::Paper;

/// The most users of a requirement that are printed.
const SHOWN: usize = 3;

/// One result: found, missing, absent without being needed, or a note.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    what: String,
    /// The description of the found thing; `None` if it is not there.
    found: Option<String>,
    /// The way to get it: on this machine, for devices on the host.
    way_out: Option<String>,
    /// The fault, unless the way out makes it clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<String>,
    /// The flags of `podman run` and `docker run` that give it to a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_container: Option<String>,
    /// The users of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needed_by: Vec<String>,
    /// The consequence, for a note.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Finding {
    pub(super) fn found(what: impl Into<String>, found: impl Display) -> Finding {
        Finding { found: Some(found.to_string()), ..Finding::missing(what) }
    }

    /// It is needed and missing, or unusable.
    pub(super) fn missing(what: impl Into<String>) -> Finding {
        Finding {
            what: what.into(),
            found: None,
            way_out: None,
            wrong: None,
            in_container: None,
            needed_by: Vec::new(),
            note: None,
        }
    }

    /// It is not there; the note says what would need it.
    pub(super) fn absent(what: impl Into<String>, note: impl Into<String>) -> Finding {
        Finding::missing(what).note(note)
    }

    pub(super) fn way_out(self, way_out: impl Into<String>) -> Finding {
        Finding { way_out: Some(way_out.into()), ..self }
    }

    pub(super) fn wrong(self, wrong: impl Into<String>) -> Finding {
        Finding { wrong: Some(wrong.into()), ..self }
    }

    pub(super) fn in_container(self, flags: impl Into<String>) -> Finding {
        Finding { in_container: Some(flags.into()), ..self }
    }

    pub(super) fn needed_by(self, needed_by: impl IntoIterator<Item = String>) -> Finding {
        Finding { needed_by: needed_by.into_iter().collect(), ..self }
    }

    pub(super) fn note(self, note: impl Into<String>) -> Finding {
        Finding { note: Some(note.into()), ..self }
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn is_missing(&self) -> bool {
        self.found.is_none() && self.note.is_none()
    }

    /// The lines after its name; the first is beside it, the others below. `true` for
    /// one that may be copied into a shell, and so is never broken.
    fn lines(&self) -> Vec<(String, bool)> {
        let Some(found) = &self.found else {
            if let Some(note) = &self.note {
                let way_out = self.way_out.iter().map(|way_out| (way_out.clone(), true));
                return std::iter::once((format!("not here; {note}"), false)).chain(way_out).collect();
            }
            let Some(wrong) = &self.wrong else {
                return vec![(self.way_out.clone().unwrap_or_default(), true)];
            };
            let mut lines = vec![(wrong.clone(), false)];
            if !self.needed_by.is_empty() {
                let mut needed_by = self.needed_by[..self.needed_by.len().min(SHOWN)].join(", ");
                if self.needed_by.len() > SHOWN {
                    needed_by.push_str(&format!(" and {} more", self.needed_by.len() - SHOWN));
                }
                lines.push((format!("needed by: {needed_by}"), false));
            }
            lines.extend(self.way_out.iter().map(|way_out| (format!("on the host: {way_out}"), true)));
            lines.extend(self.in_container.iter().map(|flags| (format!("in a container: {flags}"), true)));
            return lines;
        };
        std::iter::once(found).chain(&self.note).map(|text| (text.clone(), false)).collect()
    }
}

/// All findings as text, one after the other. Texts have at least half of the paper:
/// a longer name moves its own text to the right, and not that of the others.
pub(super) fn table(findings: &[Finding], paper: Paper) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let width = paper.width.map_or(width, |columns| width.min((columns / 2).saturating_sub(7 + 2 + 2)));
    let mut table = String::new();
    for finding in findings {
        let (mark, tone) = match finding {
            finding if finding.is_missing() => ("missing", Tone::Bad),
            Finding { note: Some(_), .. } => ("note", Tone::Unsure),
            _ => ("ok", Tone::Good),
        };
        let mut label = format!("{mark:7}  {:width$}", finding.what);
        for (text, is_command) in finding.lines() {
            let column = 7 + 2 + width;
            let fits = paper.width.is_none_or(|columns| column + 2 + text.chars().count() <= columns);
            // One that is never broken begins far left.
            let column = if label.is_empty() && is_command && !fits { 2 } else { column };
            let paper = if is_command { Paper { width: None, ..paper } } else { paper };
            let lines = paper.beside(&label, column, &text).join("\n");
            let lines = match lines.strip_prefix(mark) {
                Some(rest) => paper.color.paint(tone, mark) + rest,
                None => lines,
            };
            table.push_str(&(lines + "\n"));
            label.clear();
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::diag::Color;

    #[test]
    fn a_long_name_leaves_the_other_texts_their_room() {
        let findings = [
            Finding::found("element videoconvert", "plugin videoconvertscale 1.22.0"),
            Finding::missing("model face-reidentification-retail-0095 FP16")
                .wrong("there is no face-reidentification-retail-0095.bin in `models/FP16`")
                .needed_by(["`till-1`".to_owned()])
                .way_out("`lp check --explain LP0806` has the ways to get it"),
            Finding::missing("GPU").wrong("there is no `/dev/dri/renderD*`").way_out("lspci -k"),
        ];
        let paper = Paper { width: Some(80), color: Color::Never };
        expect![[r#"
            ok       element videoconvert           plugin videoconvertscale 1.22.0
            missing  model face-reidentification-retail-0095 FP16  there is no
                                                    face-reidentification-retail-0095.bin in
                                                    `models/FP16`
                                                    needed by: `till-1`
                on the host: `lp check --explain LP0806` has the ways to get it
            missing  GPU                            there is no `/dev/dri/renderD*`
                                                    on the host: lspci -k
        "#]]
        .assert_eq(&table(&findings, paper));
    }
}
