//! `[thresholds]`: limits of figures, such as `on_time >= 0.99`.
//!
//! A threshold is a metric, an operator and a limit in one string, in the list of its severity: the
//! sentence that a report prints when it is breached. A unit is required where the metric has one, as
//! `80` could be seconds or milliseconds.
//!
//! An override gives a whole list, as TOML writes it or with commas: `--set 'thresholds.minor=fps >= 14'`.
//!
//! Not here: what a metric is (`record::metric`), and who breaches a threshold (`record::judgement`).

use super::reader::{At, KeyNames, Reader, Table, by, map_of, table};
use super::shape::{Shape, TEXT, UnknownKeys};
use super::tree::{Node, Value};
use super::values::read_string;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::{Of, Operator, Severity, Threshold};
use crate::name::did_you_mean;
use crate::record::metric::{Direction, Metric, Scope, Unit};
use crate::text::harmless;

/// The most thresholds of one list: each is judged for each stream.
const MOST: usize = 200;

/// The most characters of one.
const LONGEST: usize = 200;

/// `[thresholds]` as written.
#[derive(Clone, Debug, Default)]
pub(super) struct RawThresholds {
    lane: Vec<Spanned<RawThreshold>>,
    cameras: Vec<(Spanned<String>, Vec<Spanned<RawThreshold>>)>,
    workloads: Vec<(Spanned<String>, Vec<Spanned<RawThreshold>>)>,
}

/// A threshold whose subject is not known yet.
#[derive(Clone, Debug)]
struct RawThreshold {
    metric: Metric,
    operator: Operator,
    limit: f64,
    severity: Severity,
    text: String,
}

impl RawThresholds {
    /// The names of the tables of cameras.
    pub(super) fn cameras(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.cameras.iter().map(|(name, _)| name)
    }

    /// The names of the tables of workloads.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.workloads.iter().map(|(name, _)| name)
    }

    /// What counts, in the order of the tables; `camera` and `workload` give the names as the files of the
    /// project have them. Tables of unknown names, which were reported, are left out.
    pub(super) fn resolve(
        &self,
        camera: impl Fn(&str) -> Option<String>,
        workload: impl Fn(&str) -> Option<String>,
    ) -> Vec<Spanned<Threshold>> {
        let of_lane = self.lane.iter().map(|raw| resolved(raw, Of::Lane));
        let cameras = self.cameras.iter().filter_map(|(name, all)| Some((camera(&name.value)?, all)));
        let of_cameras = cameras
            .flat_map(|(name, all)| all.iter().map(move |raw| resolved(raw, Of::Camera(name.clone()))));
        let workloads = self.workloads.iter().filter_map(|(name, all)| Some((workload(&name.value)?, all)));
        let of_workloads = workloads
            .flat_map(|(name, all)| all.iter().map(move |raw| resolved(raw, Of::Workload(name.clone()))));
        of_lane.chain(of_cameras).chain(of_workloads).collect()
    }
}

fn resolved(raw: &Spanned<RawThreshold>, of: Of) -> Spanned<Threshold> {
    let RawThreshold { metric, operator, limit, severity, text } = raw.value.clone();
    let metric = metric.name().to_owned();
    Spanned { value: Threshold { text, metric, operator, limit, severity, of }, place: raw.place }
}

/// The subject of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Lane,
    Camera,
    Workload,
}

pub(super) fn thresholds() -> impl Reader<Value = RawThresholds> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let lane = severities(table, Subject::Lane, diagnostics);
        let camera =
            "Thresholds of one camera, by its name or slug; they replace those above of the same metric";
        let cameras = table.optional("camera", camera, named(Subject::Camera), diagnostics);
        let workload = "The same for the streams that serve a workload, by its name";
        let workloads = table.optional("workload", workload, named(Subject::Workload), diagnostics);
        let (cameras, workloads) = (cameras.unwrap_or_default(), workloads.unwrap_or_default());
        Some(RawThresholds { lane, cameras, workloads })
    })
}

type Named = Vec<(Spanned<String>, Vec<Spanned<RawThreshold>>)>;

fn named(subject: Subject) -> impl Reader<Value = Named> + Copy {
    let one = table(KeyNames::Path, UnknownKeys::Refuse, move |table, diagnostics| {
        Some(severities(table, subject, diagnostics))
    });
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        TEXT,
        move || one.shape(),
        move |key, at, diagnostics| {
            Some((Spanned { value: key.text.clone(), place: key.place }, one.read(at, diagnostics)?))
        },
    )
}

/// The lists of one table, from the worst severity.
fn severities(
    table: &mut Table<'_>,
    subject: Subject,
    diagnostics: &mut Diagnostics,
) -> Vec<Spanned<RawThreshold>> {
    let critical = "Thresholds whose breach is critical: `on_time >= 0.99`, `latency.p95 <= 80ms`";
    let lists = [
        ("critical", critical, Severity::Critical),
        ("major", "The same, with severity major", Severity::Major),
        ("minor", "The same, with severity minor", Severity::Minor),
    ];
    let read = |(key, about, severity): (&'static str, &'static str, Severity)| {
        table.optional(key, about, list(subject, severity), diagnostics).unwrap_or_default()
    };
    lists.into_iter().flat_map(read).collect()
}

fn list(subject: Subject, severity: Severity) -> impl Reader<Value = Vec<Spanned<RawThreshold>>> + Copy {
    by(
        || Shape::List { item: Box::new(Shape::String(Some(pattern()))), is_filled: false },
        move |at, diagnostics| {
            let items = match &at.node.value {
                Value::List(items) => Some(items.clone()),
                Value::Word(text) => words(text, at.node.place),
                _ => None,
            };
            let Some(items) = items else {
                at.wrong("a list of thresholds, such as [\"on_time >= 0.99\"]", diagnostics);
                return None;
            };
            if items.len() > MOST {
                let message = format!("`{}` must have at most {MOST} thresholds", at.name);
                diagnostics.push(Diagnostic::error(codes::BAD_THRESHOLD, message).at(at.node.place));
                return None;
            }
            let read = |(index, node): (usize, &Node)| {
                let at = At { name: format!("{}[{index}]", at.name), node };
                let text = read_string(&at, diagnostics)?;
                let value = expression(&text, subject, severity, &at, diagnostics)?;
                Some(Spanned { value, place: node.place })
            };
            Some(items.iter().enumerate().filter_map(read).collect())
        },
    )
}

/// The list of an override, as TOML writes it or with commas. `None` if it is neither.
pub(super) fn words(text: &str, place: Place) -> Option<Vec<Node>> {
    let text = text.trim();
    let node = |text: String| Node { value: Value::Text(text), place };
    if text.starts_with('[') {
        let document: ::toml::Table = ::toml::from_str(&format!("list = {text}")).ok()?;
        let list = document.get("list")?.as_array().filter(|_| document.len() == 1)?;
        return list.iter().map(|item| Some(node(item.as_str()?.to_owned()))).collect();
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(items.map(|item| node(item.to_owned())).collect())
}

/// Any threshold, as a regular expression.
fn pattern() -> String {
    let names: Vec<String> = Metric::ALL.iter().map(|metric| metric.name().replace('.', r"\.")).collect();
    format!(r"^\s*({})\s*(<=|>=|<|>)\s*[0-9]+(\.[0-9]+)?\s*[A-Za-zµμ%/]*\s*$", names.join("|"))
}

/// Reads `latency.p95 <= 80ms`.
fn expression(
    text: &str,
    subject: Subject,
    severity: Severity,
    at: &At<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<RawThreshold> {
    let fault = |message: String| Diagnostic::error(codes::BAD_THRESHOLD, message).at(at.node.place);
    if text.chars().count() > LONGEST {
        diagnostics.push(fault(format!("a threshold has at most {LONGEST} characters")));
        return None;
    }
    let text = text.trim();
    let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!' | '≤' | '≥');
    let (left, rest) = text.split_at(text.find(is_sign).unwrap_or(text.len()));
    let (sign, right) = rest.split_at(rest.find(|c| !is_sign(c)).unwrap_or(rest.len()));
    let (left, right) = (left.trim(), right.trim());
    let Some(operator) = Operator::ALL.into_iter().find(|operator| operator.word() == sign) else {
        let found = match sign {
            "" => format!("`{}` has no operator", harmless(text)),
            sign => format!("`{sign}` is none of the operators `<=`, `>=`, `<` and `>`"),
        };
        let meant = match sign {
            "=>" | "≥" => ">=",
            "=<" | "≤" => "<=",
            _ => "",
        };
        diagnostics.push(match meant {
            "" => fault(found).help("write a metric, an operator and a limit: `on_time >= 0.99`"),
            meant => fault(found).help(format!("write `{left} {meant} {right}`")),
        });
        return None;
    };
    let Some(metric) = Metric::of(left) else {
        diagnostics.push(unknown_metric(left, sign, right, fault, diagnostics));
        return None;
    };
    let limit = match limit(right, metric) {
        Ok(limit) => limit,
        Err(wrong) => {
            diagnostics.push(fault(format!("the limit of `{metric}` {wrong}")));
            return None;
        }
    };
    if let Some(misplaced) = misplaced(metric, subject) {
        diagnostics.push(fault(misplaced).help("write it under `[thresholds]`"));
        return None;
    }
    if operator.is_lower_bound() != (metric.direction() == Direction::Higher) {
        let better = if metric.direction() == Direction::Higher { "greater" } else { "smaller" };
        let message = format!("`{text}` is breached by better figures: a {better} `{metric}` is better");
        let meant = match operator {
            Operator::AtMost => ">=",
            Operator::AtLeast => "<=",
            Operator::Below => ">",
            Operator::Above => "<",
        };
        let odd = Diagnostic::warning(codes::ODD_THRESHOLD, message).at(at.node.place);
        diagnostics.push(odd.help(format!("did you mean `{left} {meant} {right}`?")));
    }
    let text = format!("{left} {sign} {right}");
    Some(RawThreshold { metric, operator, limit, severity, text })
}

fn unknown_metric(
    left: &str,
    sign: &str,
    right: &str,
    fault: impl Fn(String) -> Diagnostic,
    diagnostics: &Diagnostics,
) -> Diagnostic {
    // `14.5 <= fps.p5`
    if left.starts_with(|c: char| c.is_ascii_digit()) && Metric::of(right).is_some() {
        let mirrored = match sign {
            "<=" => ">=",
            ">=" => "<=",
            "<" => ">",
            _ => "<",
        };
        let first = fault("the metric of a threshold comes first".to_owned());
        return first.help(format!("write `{right} {mirrored} {left}`"));
    }
    let names = || Metric::ALL.iter().map(|metric| metric.name());
    let unknown = fault(format!("there is no metric `{}`", harmless(left)));
    let below = format!("{left}.");
    let of_family: Vec<&str> = names().filter(|name| name.starts_with(&below)).collect();
    if !of_family.is_empty() {
        return unknown.help(format!("possible: {}", of_family.join(", ")));
    }
    match did_you_mean(left, names()) {
        Some(_) => unknown.suggest(left, names(), diagnostics),
        None => unknown.help(format!("metrics: {}", names().collect::<Vec<_>>().join(", "))),
    }
}

/// Why a metric has no figure of the subject of a table.
fn misplaced(metric: Metric, subject: Subject) -> Option<String> {
    let place = match subject {
        Subject::Lane => return None,
        Subject::Camera => "camera",
        Subject::Workload => "workload",
    };
    let whose = match (metric.scope(), subject) {
        (Scope::Stream, _) | (Scope::Camera, Subject::Camera) => return None,
        // `lp density CAMERA` counts copies of a camera.
        (Scope::Lane, Subject::Camera) if metric == Metric::Density => return None,
        (Scope::Camera, _) => "a camera",
        (Scope::Lane, _) => "the lane",
    };
    Some(format!("`{metric}` is a figure of {whose}, not of a {place}"))
}

/// The value of `80ms`, in the unit of a metric; or what is wrong with it.
fn limit(text: &str, metric: Metric) -> Result<f64, String> {
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let example = match metric.unit() {
        Unit::Fps => "`14.5` or `14.5fps`",
        Unit::Share => "`0.99` or `99%`",
        Unit::Microseconds => "`80ms`",
        Unit::Bytes => "`800MiB`",
        Unit::Watts => "`45W`",
        Unit::Joules => "`0.5J`",
        Unit::Lanes => "`12`",
    };
    let value: f64 = match number.parse() {
        _ if unit.starts_with(',') => return Err(format!("has a comma: write a point, as in {example}")),
        Ok(value) if f64::is_finite(value) => value,
        _ if text.is_empty() => return Err(format!("is missing: write {example}")),
        _ => return Err(format!("must be a number such as {example}, found `{}`", harmless(text))),
    };
    let unit = unit.trim();
    let factor = match (metric.unit(), unit) {
        (Unit::Share, "%") => 0.01,
        (Unit::Fps, "" | "fps") | (Unit::Share, "") | (Unit::Lanes, "" | "lane" | "lanes") => 1.0,
        (Unit::Microseconds, "us" | "µs" | "μs") => 1.0,
        (Unit::Microseconds, "ms") => 1e3,
        (Unit::Microseconds, "s") => 1e6,
        (Unit::Bytes, "B") => 1.0,
        (Unit::Bytes, "KiB") => f64::from(1 << 10),
        (Unit::Bytes, "MiB") => f64::from(1 << 20),
        (Unit::Bytes, "GiB") => f64::from(1 << 30),
        (Unit::Bytes, "kB") => 1e3,
        (Unit::Bytes, "MB") => 1e6,
        (Unit::Bytes, "GB") => 1e9,
        (Unit::Watts, "W") | (Unit::Joules, "J") => 1.0,
        (Unit::Watts, "mW") | (Unit::Joules, "mJ") => 1e-3,
        (Unit::Watts, "kW") | (Unit::Joules, "kJ") => 1e3,
        (_, "") => return Err(format!("needs a unit: write {example}")),
        (_, unit) => return Err(format!("has the unit `{}`: write {example}", harmless(unit))),
    };
    // Figures are rounded likewise, so a figure equal to its limit is equal to it here.
    let value = (value * factor * 1e6).round() / 1e6;
    if metric.unit() == Unit::Share && value > 1.0 {
        return Err(format!("must be a share of at most 1: write {example}, found `{}`", harmless(text)));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::diag::Sources;

    /// Reads one threshold of a table, and gives what it means, or the faults.
    #[track_caller]
    fn check(text: &str, subject: Subject, expect: Expect) {
        let mut sources = Sources::new();
        let mut diagnostics = Diagnostics::new();
        let file = sources.add("x", text);
        let node = Node { value: Value::Text(text.to_owned()), place: Place::new(file, 0..text.len()) };
        let at = At { name: "thresholds.major[0]".to_owned(), node: &node };
        let read = expression(text, subject, Severity::Major, &at, &mut diagnostics);
        let read = read.map_or_else(String::new, |read| {
            format!("{} | {} {} {}\n", read.text, read.metric, read.operator.word(), read.limit)
        });
        expect.assert_eq(&format!("{read}{}", diagnostics.lines(&sources)));
    }

    #[test]
    fn limits_are_in_the_unit_of_their_metric() {
        let units = [
            "on_time>=0.99",
            " on_time  >=  99 % ",
            "latency.p95 <= 80ms",
            "latency.p95 < 0.08 s",
            "lateness.p99<=5µs",
            "rss <= 1.5GiB",
            "memory <= 800 MB",
            "power.mean <= 45W",
            "energy_per_frame <= 80mJ",
            "fps.p5 > 14.5 fps",
            "fps.p5 >= 14.5",
            "density >= 12",
            "cpu <= 85%",
        ];
        let read = |text: &str| {
            let node = Node { value: Value::Text(text.to_owned()), place: Place::default() };
            let at = At { name: "x".to_owned(), node: &node };
            let mut diagnostics = Diagnostics::new();
            let read = expression(text, Subject::Lane, Severity::Minor, &at, &mut diagnostics).expect(text);
            assert!(diagnostics.is_empty(), "{text}");
            format!("{} | {}\n", read.text, read.limit)
        };
        expect![[r#"
            on_time >= 0.99 | 0.99
            on_time >= 99 % | 0.99
            latency.p95 <= 80ms | 80000
            latency.p95 < 0.08 s | 80000
            lateness.p99 <= 5µs | 5
            rss <= 1.5GiB | 1610612736
            memory <= 800 MB | 800000000
            power.mean <= 45W | 45
            energy_per_frame <= 80mJ | 0.08
            fps.p5 > 14.5 fps | 14.5
            fps.p5 >= 14.5 | 14.5
            density >= 12 | 12
            cpu <= 85% | 0.85
        "#]]
        .assert_eq(&units.map(read).concat());
    }

    #[test]
    fn faults_of_expressions_say_what_would_be_right() {
        let lane = Subject::Lane;
        check(
            "latency.p95 <= 80",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `latency.p95` needs a unit: write `80ms`
        "#]],
        );
        check(
            "latency.p95 <= 80W",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `latency.p95` has the unit `W`: write `80ms`
        "#]],
        );
        check(
            "on_time >= 99",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `on_time` must be a share of at most 1: write `0.99` or `99%`, found `99`
        "#]],
        );
        check(
            "on_time >= ",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `on_time` is missing: write `0.99` or `99%`
        "#]],
        );
        check(
            "fps >= 14,5",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `fps` has a comma: write a point, as in `14.5` or `14.5fps`
        "#]],
        );
        check(
            "fps >= 1e400",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `fps` has the unit `e400`: write `14.5` or `14.5fps`
        "#]],
        );
        check(
            "fps >= -3",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `fps` must be a number such as `14.5` or `14.5fps`, found `-3`
        "#]],
        );
        check(
            "fps >= 1.2.3",
            lane,
            expect![[r#"
            LP0218 1:1 the limit of `fps` must be a number such as `14.5` or `14.5fps`, found `1.2.3`
        "#]],
        );
        check(
            "fps => 15",
            lane,
            expect![[r#"
            LP0218 1:1 `=>` is none of the operators `<=`, `>=`, `<` and `>`; write `fps >= 15`
        "#]],
        );
        check(
            "fps == 15",
            lane,
            expect![[r#"
            LP0218 1:1 `==` is none of the operators `<=`, `>=`, `<` and `>`; write a metric, an operator and a limit: `on_time >= 0.99`
        "#]],
        );
        check(
            "fps ≥ 15",
            lane,
            expect![[r#"
            LP0218 1:1 `≥` is none of the operators `<=`, `>=`, `<` and `>`; write `fps >= 15`
        "#]],
        );
        check(
            "fps 15",
            lane,
            expect![[r#"
            LP0218 1:1 `fps 15` has no operator; write a metric, an operator and a limit: `on_time >= 0.99`
        "#]],
        );
        check(
            "15 <= fps",
            lane,
            expect![[r#"
            LP0218 1:1 the metric of a threshold comes first; write `fps >= 15`
        "#]],
        );
        check(
            "on_tim >= 0.99",
            lane,
            expect![[r#"
            LP0218 1:1 there is no metric `on_tim`; did you mean `on_time`?
        "#]],
        );
        check(
            "latency <= 80ms",
            lane,
            expect![[r#"
            LP0218 1:1 there is no metric `latency`; possible: latency.p50, latency.p95, latency.p99, latency.max
        "#]],
        );
        check(
            "coffee <= 2",
            lane,
            expect![[r#"
            LP0218 1:1 there is no metric `coffee`; metrics: fps, fps.p5, fps.min, fps.total, cpu_per_frame, lateness.p50, lateness.p95, lateness.p99, lateness.max, goodput, on_time, dropped, latency.p50, latency.p95, latency.p99, latency.max, delay, jitter, longest_gap, start_up, recall, precision, seen, rss, cpu, memory, power.mean, energy_per_frame, density
        "#]],
        );
        check(
            "fps.p5 <= 14.5",
            lane,
            expect![[r#"
            fps.p5 <= 14.5 | fps.p5 <= 14.5
            warning LP0219 1:1 `fps.p5 <= 14.5` is breached by better figures: a greater `fps.p5` is better; did you mean `fps.p5 >= 14.5`?
        "#]],
        );
        check(
            "latency.p95 > 80ms",
            lane,
            expect![[r#"
            latency.p95 > 80ms | latency.p95 > 80000
            warning LP0219 1:1 `latency.p95 > 80ms` is breached by better figures: a smaller `latency.p95` is better; did you mean `latency.p95 < 80ms`?
        "#]],
        );
        check(
            "power.mean <= 45W",
            Subject::Camera,
            expect![[r#"
            LP0218 1:1 `power.mean` is a figure of the lane, not of a camera; write it under `[thresholds]`
        "#]],
        );
        check(
            "density >= 3",
            Subject::Camera,
            expect![[r#"
            density >= 3 | density >= 3
        "#]],
        );
        check(
            "density >= 3",
            Subject::Workload,
            expect![[r#"
            LP0218 1:1 `density` is a figure of the lane, not of a workload; write it under `[thresholds]`
        "#]],
        );
        check(
            "rss <= 800MiB",
            Subject::Workload,
            expect![[r#"
            LP0218 1:1 `rss` is a figure of a camera, not of a workload; write it under `[thresholds]`
        "#]],
        );
        check(
            "rss <= 800MiB",
            Subject::Camera,
            expect![[r#"
            rss <= 800MiB | rss <= 838860800
        "#]],
        );
        check(
            &"f".repeat(300),
            lane,
            expect![[r#"
            LP0218 1:1 a threshold has at most 200 characters
        "#]],
        );
    }

    #[test]
    fn every_metric_is_described() {
        let page = include_str!("../../docs/measuring.md");
        let table = page.split_once("\n## Metrics\n").unwrap().1.split_once("\n## ").unwrap().0;
        for metric in Metric::ALL {
            assert!(table.contains(&format!("`{metric}`")), "{metric}");
        }
    }

    #[test]
    fn an_override_is_a_list_in_either_form() {
        let list = |text: &str| {
            let words = words(text, Place::default());
            words.map(|words| words.iter().map(Node::toml).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(list(r#"["fps >= 1", 'on_time >= 0.9']"#).unwrap(), r#""fps >= 1" "on_time >= 0.9""#);
        assert_eq!(list("fps >= 1, on_time >= 0.9,").unwrap(), r#""fps >= 1" "on_time >= 0.9""#);
        assert_eq!(list("").unwrap(), "");
        assert_eq!(list("[]").unwrap(), "");
        assert_eq!(list("[1]"), None);
        assert_eq!(list("[\"a\"]\nb = 1"), None);
        assert_eq!(list("[\"a"), None);
    }
}
