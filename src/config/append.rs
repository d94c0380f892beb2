//! One more camera in the text of a camera file.
//!
//! The new object looks like the last one: its line breaks, blanks and indents are
//! those between the keys of that one, and it is as far from it as that is from the one
//! before. Nothing else of the text changes.
//!
//! Not here: whether the camera is valid, which a reading of the new text shows.

use std::ops::Range;

use serde_json::Value as Json;

use super::json;
use super::tree::{Key, Node, Value};
use crate::diag::{Diagnostics, Edit, FileId, Place, Sources, apply};

/// A camera file without cameras.
pub const NO_CAMERAS: &str = "{\n  \"lane_config\": {\n    \"cameras\": []\n  }\n}\n";

/// The keys of a camera with their values.
pub type Entries<'a> = [(&'a str, Json)];

/// The cameras of a text.
#[derive(Debug)]
pub struct CameraList<'t> {
    text: &'t str,
    file: FileId,
    list: Node,
}

impl<'t> CameraList<'t> {
    /// Finds the cameras of a camera file; `None` if it has faults.
    #[must_use]
    pub fn of(text: &'t str) -> Option<CameraList<'t>> {
        let file = Sources::new().add("", "");
        let mut faults = Diagnostics::new();
        let mut tree = json::parse(file, text, &mut faults).filter(|_| !faults.has_errors())?;
        let list = tree.remove("lane_config")?.remove("cameras")?;
        matches!(list.value, Value::List(_)).then_some(CameraList { text, file, list })
    }

    fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.list.value { items } else { &[] }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }

    /// The names of the cameras, as far as they are strings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(|camera| match &entry(camera, "camera_id")?.value {
            Value::Text(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text with one more camera at the end, and the place of its object there.
    #[must_use]
    pub fn with(&self, entries: &Entries<'_>) -> (String, Range<usize>) {
        let (inside, before, object, after) = match self.items() {
            [] => self.first(entries),
            [.., last] => {
                let style = Style::of(self.text, last);
                let end = last.place.end as usize;
                (end..end, self.distance(&style), style.object(entries), String::new())
            }
        };
        let start = inside.start + before.len();
        let place = start..start + object.len();
        let edit = Edit::Replace(Place::new(self.file, inside), before + &object + &after);
        (apply(self.text, &[edit]), place)
    }

    /// What is between two cameras.
    fn distance(&self, style: &Style) -> String {
        let before = match self.items() {
            [.., one, last] => plain(self.text, one.place.end..last.place.start, ","),
            _ => None,
        };
        before.unwrap_or_else(|| {
            let first = self.items().first().map_or(0, |first| first.place.start);
            let open = plain(self.text, self.list.place.start + 1..first, "").unwrap_or_default();
            match open.rfind('\n') {
                Some(at) => format!(",{}", &open[at - usize::from(open[..at].ends_with('\r'))..]),
                None if style.is_compact() => ",".to_owned(),
                None => ", ".to_owned(),
            }
        })
    }

    /// The place between the brackets of an empty list, what comes before the camera,
    /// the camera, and what comes after it.
    fn first(&self, entries: &Entries<'_>) -> (Range<usize>, String, String, String) {
        let inside = self.list.place.start as usize + 1..self.list.place.end as usize - 1;
        if !self.text.trim().contains('\n') {
            return (inside, String::new(), Style::one_line().object(entries), String::new());
        }
        let line = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let begin = self.text[..inside.start].rfind('\n').map_or(0, |at| at + 1);
        let outer = indent(&self.text[begin..inside.start]);
        let indents = self.text.lines().map(indent).filter(|indent| !indent.is_empty());
        let unit = indents.min_by_key(|indent| indent.len()).unwrap_or("  ");
        let inner = format!("{line}{outer}{unit}");
        let style = Style::lines(&inner, unit);
        (inside, inner, style.object(entries), format!("{line}{outer}"))
    }
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Table(entries) = &node.value else { return None };
    entries.iter().find(|(known, _)| known.text == key).map(|(_, value)| value)
}

/// The text at a place that has only blanks around `mark`, without blanks at the ends of
/// lines. Between two keys there may also be a key that readers do not see.
fn plain(text: &str, place: Range<u32>, mark: &str) -> Option<String> {
    let text = text.get(place.start as usize..place.end as usize)?;
    if text.trim() != mark {
        return None;
    }
    let mut lines = text.split('\n').peekable();
    let mut tidy = String::new();
    while let Some(line) = lines.next() {
        if lines.peek().is_none() {
            tidy.push_str(line);
            break;
        }
        tidy.push_str(line.trim_end_matches([' ', '\t', '\r']));
        tidy.push_str(if line.ends_with('\r') { "\r\n" } else { "\n" });
    }
    Some(tidy)
}

/// How an object or a list is laid out.
#[derive(Clone, Debug)]
struct Layout {
    /// Behind the opening bracket.
    open: String,
    /// Between two entries, with the comma: mostly.
    gap: String,
    /// Before the closing bracket.
    close: String,
}

impl Layout {
    fn line(blank: &str) -> Layout {
        Layout { open: blank.to_owned(), gap: ", ".to_owned(), close: blank.to_owned() }
    }

    /// That of what is at `place`, whose entries are at `entries`.
    fn of(text: &str, place: Place, entries: &[Range<u32>]) -> Option<Layout> {
        let open = plain(text, place.start + 1..entries.first()?.start, "")?;
        let close = plain(text, entries.last()?.end..place.end - 1, "")?;
        let gaps: Vec<String> =
            entries.windows(2).filter_map(|pair| plain(text, pair[0].end..pair[1].start, ",")).collect();
        // The usual one; the first of equals.
        let count = |gap: &&String| gaps.iter().filter(|other| other == gap).count();
        let gap = gaps.iter().rev().max_by_key(count).cloned();
        let gap = gap.unwrap_or_else(|| match open.contains('\n') {
            true => format!(",{open}"),
            false => ", ".to_owned(),
        });
        Some(Layout { open, gap, close })
    }
}

/// How a camera is laid out.
struct Style {
    object: Layout,
    /// What is before a key, where it differs.
    before: Vec<(String, String)>,
    /// Between a key and its value.
    colon: String,
    /// That of the list of workloads.
    list: Layout,
}

impl Style {
    fn one_line() -> Style {
        Style {
            object: Layout::line(" "),
            before: Vec::new(),
            colon: ": ".to_owned(),
            list: Layout::line(""),
        }
    }

    /// A line for each key. `inner` begins the line of the object.
    fn lines(inner: &str, unit: &str) -> Style {
        let open = format!("{inner}{unit}");
        let object = Layout { gap: format!(",{open}"), open, close: inner.to_owned() };
        Style { object, ..Style::one_line() }
    }

    /// That of an existing camera.
    fn of(text: &str, camera: &Node) -> Style {
        let mut style = Style::one_line();
        let Value::Table(entries) = &camera.value else { return style };
        let places: Vec<Range<u32>> =
            entries.iter().map(|(key, value)| key.place.start..value.place.end).collect();
        style.object = Layout::of(text, camera.place, &places).unwrap_or(style.object);
        style.before = places
            .windows(2)
            .zip(&entries[1..])
            .filter_map(|(pair, (key, _))| {
                Some((key.text.clone(), plain(text, pair[0].end..pair[1].start, ",")?))
            })
            .collect();
        let colon = |(key, value): &(Key, Node)| plain(text, key.place.end..value.place.start, ":");
        style.colon = entries.iter().find_map(colon).unwrap_or(style.colon);
        if let Some(Node { value: Value::List(items), place }) = entry(camera, "workloads") {
            let places: Vec<Range<u32>> = items.iter().map(|item| item.place.start..item.place.end).collect();
            style.list = Layout::of(text, *place, &places).unwrap_or(style.list);
        }
        if style.is_compact() && !style.list.gap.contains('\n') {
            style.list.gap = ",".to_owned();
        }
        style
    }

    fn is_compact(&self) -> bool {
        self.colon == ":" && !self.object.gap.contains([' ', '\n'])
    }

    fn object(&self, entries: &Entries<'_>) -> String {
        let mut text = format!("{{{}", self.object.open);
        for (n, (key, value)) in entries.iter().enumerate() {
            if n > 0 {
                let own = self.before.iter().find(|(known, _)| known == key).map(|(_, gap)| gap);
                text.push_str(own.unwrap_or(&self.object.gap));
            }
            text.push_str(&Json::from(*key).to_string());
            text.push_str(&self.colon);
            text.push_str(&self.value(value));
        }
        text + &self.object.close + "}"
    }

    fn value(&self, value: &Json) -> String {
        let Json::Array(items) = value else { return value.to_string() };
        let items: Vec<String> = items.iter().map(Json::to_string).collect();
        format!("[{}{}{}]", self.list.open, items.join(&self.list.gap), self.list.close)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn camera() -> Vec<(&'static str, Json)> {
        vec![
            ("camera_id", json!("till \"2\"")),
            ("fileSrc", json!("clips/ä.mp4")),
            ("width", json!(640)),
            ("height", json!(360)),
            ("fps", json!(29.97)),
            ("workloads", json!(["scan", "motion"])),
        ]
    }

    /// The text with the camera of [`camera`], after checking what must hold for all.
    #[track_caller]
    fn added(text: &str) -> String {
        let list = CameraList::of(text).unwrap();
        let (new, place) = list.with(&camera());
        let parsed = |text: &str| -> Json { serde_json::from_str(text).unwrap() };
        let cameras = |text: &str| parsed(text)["lane_config"]["cameras"].as_array().unwrap().clone();
        let (before, mut after) = (cameras(text), cameras(&new));
        let object: Json = camera().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(after.pop(), Some(object.clone()));
        assert_eq!(after, before);
        assert_eq!(parsed(&new[place.clone()]), object);
        let mut rest = parsed(&new);
        rest["lane_config"]["cameras"] = parsed(text)["lane_config"]["cameras"].clone();
        assert_eq!(rest, parsed(text));
        if !before.is_empty() {
            // What was inserted ends with the object.
            let inserted = new.len() - text.len();
            assert_eq!(format!("{}{}", &new[..place.end - inserted], &new[place.end..]), text);
        }
        // Another one is laid out in the same way.
        let again = CameraList::of(&new).unwrap().with(&camera()).0;
        assert_eq!(cameras(&again).len(), before.len() + 2);
        new
    }

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let new = added(text);
        expect.assert_eq(&new.replace('\t', "\\t").replace('\r', "\\r").replace(" \n", "\\s\n"));
    }

    /// A file whose list of cameras has this text, and which has more after it.
    fn file(list: &str) -> String {
        format!("{{\n  \"_notes\": \"kept\",\n  \"lane_config\": {{\n    \"cameras\": {list}\n  }}\n}}\n")
    }

    #[test]
    fn a_line_for_each_key() {
        check(
            &file(
                r#"[
      {
        "camera_id": "a",
        "width": 640,
        "workloads": ["scan"]
      }
    ]"#,
            ),
            expect![[r#"
                {
                  "_notes": "kept",
                  "lane_config": {
                    "cameras": [
                      {
                        "camera_id": "a",
                        "width": 640,
                        "workloads": ["scan"]
                      },
                      {
                        "camera_id": "till \"2\"",
                        "fileSrc": "clips/ä.mp4",
                        "width": 640,
                        "height": 360,
                        "fps": 29.97,
                        "workloads": ["scan", "motion"]
                      }
                    ]
                  }
                }
            "#]],
        );
    }

    #[test]
    fn a_line_for_each_camera() {
        check(
            &file(
                r#"[
      { "camera_id": "a", "width": 640, "workloads": [ "scan" ] },
      { "camera_id": "b", "width": 640, "workloads": [ "scan" ] }
    ]"#,
            ),
            expect![[r#"
                {
                  "_notes": "kept",
                  "lane_config": {
                    "cameras": [
                      { "camera_id": "a", "width": 640, "workloads": [ "scan" ] },
                      { "camera_id": "b", "width": 640, "workloads": [ "scan" ] },
                      { "camera_id": "till \"2\"", "fileSrc": "clips/ä.mp4", "width": 640, "height": 360, "fps": 29.97, "workloads": [ "scan", "motion" ] }
                    ]
                  }
                }
            "#]],
        );
    }

    #[test]
    fn one_line_with_and_without_blanks() {
        check(
            r#"{"lane_config":{"cameras":[{"camera_id":"a","workloads":["scan"]}],"_more":1}}"#,
            expect![[
                r#"{"lane_config":{"cameras":[{"camera_id":"a","workloads":["scan"]},{"camera_id":"till \"2\"","fileSrc":"clips/ä.mp4","width":640,"height":360,"fps":29.97,"workloads":["scan","motion"]}],"_more":1}}"#
            ]],
        );
        check(
            r#"{"lane_config": {"cameras": [{"camera_id": "a", "workloads": ["scan"]}]}}"#,
            expect![[
                r#"{"lane_config": {"cameras": [{"camera_id": "a", "workloads": ["scan"]}, {"camera_id": "till \"2\"", "fileSrc": "clips/ä.mp4", "width": 640, "height": 360, "fps": 29.97, "workloads": ["scan", "motion"]}]}}"#
            ]],
        );
    }

    #[test]
    fn lists_over_several_lines_brackets_on_a_line_and_keys_that_share_one() {
        check(
            r#"{ "lane_config": { "cameras": [{
  "camera_id": "a", "fileSrc": "x",
  "width": 640, "height": 360,
  "workloads": [
    "scan"
  ]
}] } }
"#,
            expect![[r#"
                { "lane_config": { "cameras": [{
                  "camera_id": "a", "fileSrc": "x",
                  "width": 640, "height": 360,
                  "workloads": [
                    "scan"
                  ]
                }, {
                  "camera_id": "till \"2\"", "fileSrc": "clips/ä.mp4",
                  "width": 640, "height": 360, "fps": 29.97,
                  "workloads": [
                    "scan",
                    "motion"
                  ]
                }] } }
            "#]],
        );
    }

    #[test]
    fn tabs_line_ends_of_windows_and_blanks_at_the_ends_of_lines() {
        check(
            "{\r\n\t\"lane_config\": {\r\n\t\t\"cameras\": [\r\n\t\t\t{  \r\n\t\t\t\t\"camera_id\" : \"a\", \r\n\t\t\t\t\"workloads\" : []\r\n\t\t\t}  \r\n\t\t]\r\n\t}\r\n}",
            expect![[r#"
                {\r
                \t"lane_config": {\r
                \t\t"cameras": [\r
                \t\t\t{  \r
                \t\t\t\t"camera_id" : "a", \r
                \t\t\t\t"workloads" : []\r
                \t\t\t},\r
                \t\t\t{\r
                \t\t\t\t"camera_id" : "till \"2\"",\r
                \t\t\t\t"fileSrc" : "clips/ä.mp4",\r
                \t\t\t\t"width" : 640,\r
                \t\t\t\t"height" : 360,\r
                \t\t\t\t"fps" : 29.97,\r
                \t\t\t\t"workloads" : ["scan", "motion"]\r
                \t\t\t}  \r
                \t\t]\r
                \t}\r
                }"#]],
        );
    }

    #[test]
    fn commas_at_the_begin_of_lines_and_notes_of_one_key() {
        check(
            &file(
                r#"[
        { "_": 1, "_": 2, "camera_id": "a" }

      , { "camera_id": "b"
        , "_": 1, "_": 2
        , "workloads": ["scan"]
        }
    ]"#,
            ),
            expect![[r#"
                {
                  "_notes": "kept",
                  "lane_config": {
                    "cameras": [
                        { "_": 1, "_": 2, "camera_id": "a" }

                      , { "camera_id": "b"
                        , "_": 1, "_": 2
                        , "workloads": ["scan"]
                        }

                      , { "camera_id": "till \"2\""
                        , "fileSrc": "clips/ä.mp4"
                        , "width": 640
                        , "height": 360
                        , "fps": 29.97
                        , "workloads": ["scan", "motion"]
                        }
                    ]
                  }
                }
            "#]],
        );
    }

    #[test]
    fn an_empty_list() {
        check(
            NO_CAMERAS,
            expect![[r#"
                {
                  "lane_config": {
                    "cameras": [
                      {
                        "camera_id": "till \"2\"",
                        "fileSrc": "clips/ä.mp4",
                        "width": 640,
                        "height": 360,
                        "fps": 29.97,
                        "workloads": ["scan", "motion"]
                      }
                    ]
                  }
                }
            "#]],
        );
        check(
            "{\n\t\"lane_config\": {\n\t\t\"cameras\": [\n\n\t\t]\n\t}\n}\n",
            expect![[r#"
                {
                \t"lane_config": {
                \t\t"cameras": [
                \t\t\t{
                \t\t\t\t"camera_id": "till \"2\"",
                \t\t\t\t"fileSrc": "clips/ä.mp4",
                \t\t\t\t"width": 640,
                \t\t\t\t"height": 360,
                \t\t\t\t"fps": 29.97,
                \t\t\t\t"workloads": ["scan", "motion"]
                \t\t\t}
                \t\t]
                \t}
                }
            "#]],
        );
        check(
            r#"{"lane_config": {"cameras": [ ]}}"#,
            expect![[
                r#"{"lane_config": {"cameras": [{ "camera_id": "till \"2\"", "fileSrc": "clips/ä.mp4", "width": 640, "height": 360, "fps": 29.97, "workloads": ["scan", "motion"] }]}}"#
            ]],
        );
    }

    #[test]
    fn a_file_with_faults_is_left_alone() {
        for text in [
            "",
            "{}",
            r#"{"lane_config": {}}"#,
            r#"{"lane_config": {"cameras": {}}}"#,
            "{\"lane_config\": {\"cameras\": [\n]}} // tills\n",
            r#"{"lane_config": {"cameras": [{},]}}"#,
        ] {
            assert!(CameraList::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn every_mix_of_layouts_keeps_what_is_there() {
        let blanks = ["", " ", "\n", "\r\n  ", "\t", " \n\n "];
        for (n, open) in blanks.iter().enumerate() {
            for gap in blanks {
                for close in blanks {
                    let (colon, list) = (blanks[(n + 1) % 6], blanks[(n + 3) % 6]);
                    let camera = format!(
                        "{{{open}\"camera_id\"{colon}:{gap}\"a\"{close},{gap}\"workloads\":{open}[{list}\"x\"{close}]{close}}}"
                    );
                    for cameras in [camera.clone(), format!("{camera}{gap},{close}{camera}"), String::new()] {
                        added(&format!(
                            "{open}{{\"lane_config\"{gap}: {{ \"cameras\":{close}[{open}{cameras}{gap}]{gap}}}}}{close}"
                        ));
                    }
                }
            }
        }
    }
}
