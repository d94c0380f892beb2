//! Two plans side by side: which cameras came, went or changed, and how.
//!
//! Cameras are matched by name and pipelines by the workloads that they serve, so
//! that a workload that moves to another pipeline is reported as moved.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::difference::{Difference, differences};
use super::summary::{Summary, summarise};
use super::{CameraPlan, PlannedPipeline};
use crate::text::redacted;

/// How two plans differ.
#[derive(Debug, Serialize)]
pub struct LaneDiff {
    /// Cameras of the second only, in its order.
    pub added: Vec<String>,
    /// Cameras of the first only, in its order.
    pub removed: Vec<String>,
    /// In the order of the second.
    pub changed: Vec<CameraDiff>,
    /// So many cameras are equal.
    pub equal: usize,
    /// The counts of the first.
    pub before: Summary,
    /// The counts of the second.
    pub after: Summary,
}

/// A camera that is in both and differs.
#[derive(Debug, Serialize)]
pub struct CameraDiff {
    pub camera: String,
    /// Never empty.
    pub changes: Vec<Change>,
}

/// One thing that is different.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A value of the camera's own.
    Field {
        /// `width`, `source.clip`
        field: String,
        /// Before and after; `None` where it is not set.
        values: [Option<String>; 2],
    },
    /// The camera carries one more workload.
    Added {
        workload: String,
        /// Those that it shares a pipeline with.
        shared_with: Vec<String>,
    },
    /// The camera no longer carries a workload.
    Removed { workload: String },
    /// Workloads do something else.
    Steps {
        /// Those that shared a pipeline, and do so still.
        workloads: Vec<String>,
        differences: Vec<Difference>,
    },
    /// A workload shares its pipeline with others than before.
    Sharing {
        workload: String,
        /// With which, before and after.
        shared_with: [Vec<String>; 2],
    },
    /// Whether workloads can be played.
    Unsupported {
        /// Those of one pipeline.
        workloads: Vec<String>,
        /// Why they cannot, before and after; `None` where they can.
        because: [Option<String>; 2],
    },
    /// Words of a launch line, where nothing else differs.
    Launch {
        /// Those of its pipeline.
        workloads: Vec<String>,
        /// Words that only one of the lines has.
        words: [Vec<String>; 2],
    },
}

#[must_use]
pub fn diff(before: &[CameraPlan], after: &[CameraPlan]) -> LaneDiff {
    let old: HashMap<&str, &CameraPlan> = before.iter().map(|plan| (plan.camera.as_str(), plan)).collect();
    let new: HashMap<&str, &CameraPlan> = after.iter().map(|plan| (plan.camera.as_str(), plan)).collect();
    let names_without = |plans: &[CameraPlan], known: &HashMap<&str, &CameraPlan>| {
        let names = plans.iter().map(|plan| plan.camera.clone());
        names.filter(|name| !known.contains_key(name.as_str())).collect::<Vec<_>>()
    };
    let mut found = LaneDiff {
        added: names_without(after, &old),
        removed: names_without(before, &new),
        changed: Vec::new(),
        equal: 0,
        before: summarise(before),
        after: summarise(after),
    };
    for plan in after {
        match old.get(plan.camera.as_str()) {
            Some(earlier) if *earlier == plan => found.equal += 1,
            Some(earlier) => {
                let (camera, changes) = (plan.camera.clone(), changes(earlier, plan));
                found.changed.push(CameraDiff { camera, changes });
            }
            None => {}
        }
    }
    found
}

fn changes(before: &CameraPlan, after: &CameraPlan) -> Vec<Change> {
    let mut found = own_fields(before, after);
    found.extend(workloads(before, after));
    let pairs = pairs(before, after);
    for (names, one, other) in &pairs {
        let differences = differences(&one.steps, &other.steps);
        if !differences.is_empty() {
            found.push(Change::Steps { workloads: names.clone(), differences });
        } else if one.unsupported != other.unsupported {
            let because = [one.unsupported.clone(), other.unsupported.clone()];
            found.push(Change::Unsupported { workloads: names.clone(), because });
        }
    }
    // A launch line follows from the rest, but for what the project sets.
    if found.is_empty() {
        for (names, one, other) in &pairs {
            let words = only_in_one(one.launch.as_deref(), other.launch.as_deref());
            if words != [Vec::<String>::new(), Vec::new()] {
                found.push(Change::Launch { workloads: names.clone(), words });
            }
        }
    }
    if found.is_empty() {
        found = fields(&document(before), &document(after));
    }
    found
}

fn document(plan: &CameraPlan) -> Value {
    serde_json::to_value(plan).expect("a plan has text keys")
}

/// The values that belong to the camera and to none of its workloads.
fn own_fields(before: &CameraPlan, after: &CameraPlan) -> Vec<Change> {
    let own = |plan: &CameraPlan| {
        let mut document = document(plan);
        let entries = document.as_object_mut().expect("a plan is a table");
        // The others are compared by their meaning, or follow from these.
        for name in ["workloads", "pipelines", "apart", "assets"] {
            entries.remove(name);
        }
        document
    };
    fields(&own(before), &own(after))
}

fn fields(before: &Value, after: &Value) -> Vec<Change> {
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    flatten(String::new(), before, &mut one);
    flatten(String::new(), after, &mut other);
    let new = other.keys().filter(|field| !one.contains_key(*field));
    let all = one.keys().chain(new).map(|field| (field, [one.get(field), other.get(field)]));
    let unequal = all.filter(|(_, [one, other])| one != other);
    unequal
        .map(|(field, values)| {
            let [one, mut other] = values.map(|value| value.map(|value| without_password(field, value)));
            // Passwords are not printed, only that they changed.
            if one == other {
                other = other.map(|other| format!("{other} (other credentials)"));
            }
            Change::Field { field: field.clone(), values: [one, other] }
        })
        .collect()
}

/// A value as it may be printed.
fn without_password(field: &str, value: &str) -> String {
    let is_login = field.starts_with("source.login.") && field.ends_with(".text");
    if is_login { "***".to_owned() } else { redacted(value) }
}

/// The values of a document by their paths, such as `region_of_interest.x`.
fn flatten(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| flatten(below(key), value, found));
        }
        // An empty list means the same as no field.
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().enumerate().for_each(|(n, item)| flatten(below(&n.to_string()), item, found));
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            found.insert(path, items.join(", "));
        }
        value => {
            found.insert(path, text(value));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Which workloads came and went, and which share a pipeline.
fn workloads(before: &CameraPlan, after: &CameraPlan) -> Vec<Change> {
    let (old, new) = (by_workload(before), by_workload(after));
    let mut found = Vec::new();
    let removed = before.workloads.iter().filter(|name| !new.contains_key(name.as_str()));
    found.extend(removed.map(|name| Change::Removed { workload: name.clone() }));
    // Those that came and went have changes of their own.
    let others = |pipeline: &PlannedPipeline, own: &str| -> Vec<String> {
        let is_in_both = |name: &str| old.contains_key(name) && new.contains_key(name);
        let others = pipeline.workloads.iter().filter(|name| *name != own && is_in_both(name));
        others.cloned().collect()
    };
    for name in &after.workloads {
        let Some(now) = new.get(name.as_str()) else { continue };
        let Some(earlier) = old.get(name.as_str()) else {
            let others = now.workloads.iter().filter(|other| *other != name);
            found.push(Change::Added { workload: name.clone(), shared_with: others.cloned().collect() });
            continue;
        };
        let shared_with = [others(earlier, name), others(now, name)];
        // Of those that part or meet, the first of each pipeline stays where it was.
        let is_first = |shared: &[String], pipeline: &PlannedPipeline| {
            shared.first().is_none_or(|first| {
                let position = |name: &str| pipeline.workloads.iter().position(|other| other == name);
                position(name) < position(first)
            })
        };
        let stays = is_first(&shared_with[0], earlier) && is_first(&shared_with[1], now);
        if shared_with[0] != shared_with[1] && !stays {
            found.push(Change::Sharing { workload: name.clone(), shared_with });
        }
    }
    let common = |plan: &CameraPlan, known: &HashMap<&str, &PlannedPipeline>| {
        let names = plan.workloads.iter().filter(|name| known.contains_key(name.as_str()));
        names.cloned().collect::<Vec<_>>().join(", ")
    };
    let order = [common(before, &new), common(after, &old)];
    if order[0] != order[1] {
        found.push(Change::Field { field: "order of workloads".to_owned(), values: order.map(Some) });
    }
    found
}

/// Pipelines of the same workloads, before and after, with their names.
fn pairs<'a>(
    before: &'a CameraPlan,
    after: &'a CameraPlan,
) -> Vec<(Vec<String>, &'a PlannedPipeline, &'a PlannedPipeline)> {
    let old = by_workload(before);
    let mut found: Vec<(Vec<String>, &PlannedPipeline, &PlannedPipeline)> = Vec::new();
    for now in &after.pipelines {
        for name in &now.workloads {
            let Some(earlier) = old.get(name.as_str()) else { continue };
            let same = |one: &PlannedPipeline, other: &PlannedPipeline| one.index == other.index;
            match found.iter_mut().find(|(_, one, other)| same(one, earlier) && same(other, now)) {
                Some((names, ..)) => names.push(name.clone()),
                None => found.push((vec![name.clone()], earlier, now)),
            }
        }
    }
    found
}

fn by_workload(plan: &CameraPlan) -> HashMap<&str, &PlannedPipeline> {
    let pipelines = plan.pipelines.iter();
    pipelines.flat_map(|one| one.workloads.iter().map(move |name| (name.as_str(), one))).collect()
}

/// Words that only one of two lines has, as often as it has them more.
fn only_in_one(one: Option<&str>, other: Option<&str>) -> [Vec<String>; 2] {
    let words = |line: Option<&str>| -> Vec<String> {
        line.unwrap_or_default().split(' ').map(redacted).filter(|word| word != "!").collect()
    };
    let (one, other) = (words(one), words(other));
    let without = |words: &[String], taken: &[String]| {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        taken.iter().for_each(|word| *counts.entry(word).or_default() += 1);
        let is_taken = |word: &&String| match counts.get_mut(word.as_str()) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        };
        words.iter().filter(is_taken).cloned().collect::<Vec<_>>()
    };
    [without(&one, &other), without(&other, &one)]
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use super::difference::sentence;
        let listed = |names: &[String]| names.join("`, `");
        let with = |names: &[String]| match names {
            [] => "a pipeline of its own".to_owned(),
            names => format!("shared with `{}`", listed(names)),
        };
        match self {
            Change::Field { field, values } => {
                let [one, other] = values.each_ref().map(|value| value.as_deref().unwrap_or("unset"));
                write!(f, "{field}: {one} / {other}")
            }
            Change::Added { workload, shared_with } => {
                write!(f, "workload `{workload}` added, {}", with(shared_with))
            }
            Change::Removed { workload } => write!(f, "workload `{workload}` removed"),
            Change::Steps { workloads, differences } => {
                write!(f, "`{}`: {}", listed(workloads), sentence(differences))
            }
            Change::Sharing { workload, shared_with: [before, after] } => {
                write!(f, "`{workload}`: {} / {}", with(before), with(after))
            }
            Change::Unsupported { workloads, because } => {
                let played = |because: &Option<String>| because.clone().unwrap_or("can be played".to_owned());
                let [one, other] = because.each_ref().map(played);
                write!(f, "`{}`: {one} / {other}", listed(workloads))
            }
            Change::Launch { workloads, words: [one, other] } => {
                let shown =
                    |words: &[String]| if words.is_empty() { "nothing".into() } else { words.join(" ") };
                write!(f, "launch line of `{}`: {} / {}", listed(workloads), shown(one), shown(other))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::{Certificate, Codec, Credential, Login, RtspStream, Source, Transport};
    use crate::plan::DialectName;
    use crate::plan::tests::plan;

    #[track_caller]
    fn check(before: &CameraPlan, after: &CameraPlan, expect: Expect) {
        let found = diff(std::slice::from_ref(before), std::slice::from_ref(after));
        let changes = found.changed.iter().flat_map(|camera| &camera.changes);
        expect.assert_eq(&changes.map(|change| format!("{change}\n")).collect::<String>());
    }

    fn stock(workloads: &[(&str, &[&str])]) -> CameraPlan {
        plan(DialectName::Stock, workloads)
    }

    #[test]
    fn cameras_come_and_go_by_name() {
        let [mut one, mut two, mut three] = [(); 3].map(|()| stock(&[("a", &["zbar"])]));
        (one.camera, two.camera, three.camera) = ("one".into(), "two".into(), "three".into());
        let mut wider = two.clone();
        wider.width = 1280;
        let found = diff(&[one.clone(), two], &[three, wider.clone()]);
        assert_eq!((found.added, found.removed, found.equal), (vec!["three".into()], vec!["one".into()], 0));
        assert_eq!(found.changed[0].camera, "two");
        assert_eq!(diff(&[one.clone(), wider.clone()], &[wider, one]).equal, 2);
    }

    #[test]
    fn values_of_the_camera_are_shown_without_passwords() {
        let before = stock(&[("a", &["zbar"])]);
        let mut after = CameraPlan { fps: 30.0, dialect: DialectName::Dlstreamer, ..before.clone() };
        after.region_of_interest = Some(crate::model::Region { x: 1, y: 2, x2: 3, y2: 4 });
        check(
            &before,
            &after,
            expect![[r#"
            dialect: stock / dlstreamer
            fps: 15.0 / 30.0
            region_of_interest.x: unset / 1
            region_of_interest.x2: unset / 3
            region_of_interest.y: unset / 2
            region_of_interest.y2: unset / 4
        "#]],
        );
        let rtsp = |uri: &str| CameraPlan {
            source: Source::Rtsp(RtspStream {
                uri: uri.into(),
                login: None,
                codec: Codec::H264,
                latency_ms: 300,
                transport: Transport::Tcp,
                reconnect: None,
                certificate: Certificate::Trusted,
            }),
            ..before.clone()
        };
        check(
            &rtsp("rtsp://a:b@h/x"),
            &rtsp("rtsp://a:c@h/x"),
            expect![[r#"
            source.uri: rtsp://***@h/x / rtsp://***@h/x (other credentials)
        "#]],
        );
        let with_login = |password: &str| {
            let mut plan = rtsp("rtsp://h/x");
            let Source::Rtsp(stream) = &mut plan.source else { unreachable!("it was made so") };
            let password = Some(Credential::Text(password.into()));
            stream.login = Some(Login { user: Credential::Variable("U".into()), password });
            plan
        };
        check(
            &with_login("b"),
            &with_login("c"),
            expect![[r#"
            source.login.password.text: *** / *** (other credentials)
        "#]],
        );
        check(
            &rtsp("rtsp://h/x"),
            &with_login("c"),
            expect![[r#"
            source.login.password.text: unset / ***
            source.login.user.variable: unset / U
        "#]],
        );
        check(
            &before,
            &rtsp("rtsp://a:c@h/x"),
            expect![[r#"
                source.clip: media/clips/a-640x360-15.mp4 / unset
                source.kind: file / rtsp
                source.latency_ms: unset / 300
                source.uri: unset / rtsp://***@h/x
            "#]],
        );
    }

    #[test]
    fn workloads_that_change_or_move_are_named() {
        let steps: &[&str] = &["gvadetect device=CPU"];
        let before = stock(&[("a", steps), ("b", steps), ("c", steps), ("d", &["zbar"])]);
        check(
            &before,
            &stock(&[
                ("a", &["gvadetect device=NPU"]),
                ("b", steps),
                ("c", &["gvadetect device=NPU"]),
                ("d", &["zbar"]),
            ]),
            expect![[r#"
                `b`: shared with `a`, `c` / a pipeline of its own
                `c`: shared with `a`, `b` / shared with `a`
                `a`, `c`: step 1: `device` CPU / NPU
            "#]],
        );
        check(
            &before,
            &stock(&[("d", steps), ("a", steps), ("b", steps), ("e", steps)]),
            expect![[r#"
            workload `c` removed
            `a`: shared with `b` / shared with `d`, `b`
            `b`: shared with `a` / shared with `d`, `a`
            workload `e` added, shared with `d`, `a`, `b`
            order of workloads: a, b, d / d, a, b
            `d`: step 1: `type` zbar / gvadetect
        "#]],
        );
        check(
            &stock(&[("a", &["zbar"]), ("v", &["vlm"])]),
            &{
                let mut plan = stock(&[("a", &["zbar"]), ("v", &["vlm"])]);
                plan.pipelines[1].unsupported = None;
                plan
            },
            expect![[r#"
                `v`: `vlm` steps are planned but cannot be played yet / can be played
            "#]],
        );
    }

    #[test]
    fn a_difference_only_in_a_launch_line_is_shown_by_its_words() {
        let with = |launch: &str| {
            let mut plan = stock(&[("a", &["zbar"])]);
            plan.pipelines[0].launch = Some(launch.to_owned());
            plan
        };
        check(
            &with("x latency=300 ! y ! y"),
            &with("x latency=200 ! y"),
            expect![[r#"
            launch line of `a`: latency=300 y / latency=200
        "#]],
        );
        let mut other = with("x");
        other.assets = vec![crate::path::ProjectPath::new("media/x.mp4").unwrap()];
        check(
            &with("x"),
            &other,
            expect![[r#"
                assets: unset / media/x.mp4
            "#]],
        );
    }
}
