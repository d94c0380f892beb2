//! `[thresholds]`: limits of figures, by which a project decides whether a run is good enough.
//!
//! They change no measurement, only how a command ends. So they are in no run's key, and a record holds
//! those under which it was made. A metric is kept as a word: a record stays readable by an `lp` that
//! has another set of metrics. A figure of a metric that it does not know is absent, and so a breach.
//!
//! Not here: reading them (`config::thresholds`), judging by them (`record::judgement`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A limit of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// As it was written, with blanks around the operator: `latency.p95 <= 80ms`.
    pub text: String,
    /// The name of the metric.
    pub metric: String,
    pub operator: Operator,
    /// In the unit of the metric.
    pub limit: f64,
    pub severity: Severity,
    #[serde(default, skip_serializing_if = "Of::is_lane")]
    pub of: Of,
}

/// Whose figures a threshold limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Those of the lane, and of each of its cameras and streams.
    #[default]
    Lane,
    /// Those of a camera and its streams; its name as the camera file has it.
    Camera(String),
    /// Those of the streams that serve a workload.
    Workload(String),
}

impl Of {
    fn is_lane(&self) -> bool {
        *self == Of::Lane
    }
}

/// On which side of its limit a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = ">")]
    Above,
}

impl Operator {
    pub const ALL: [Operator; 4] = [Operator::AtMost, Operator::AtLeast, Operator::Below, Operator::Above];

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Operator::AtMost => "<=",
            Operator::AtLeast => ">=",
            Operator::Below => "<",
            Operator::Above => ">",
        }
    }

    /// Whether a figure keeps the limit.
    #[must_use]
    pub fn admits(self, figure: f64, limit: f64) -> bool {
        match self {
            Operator::AtMost => figure <= limit,
            Operator::AtLeast => figure >= limit,
            Operator::Below => figure < limit,
            Operator::Above => figure > limit,
        }
    }

    /// Whether the limit is the least: greater figures keep it.
    #[must_use]
    pub fn is_lower_bound(self) -> bool {
        matches!(self, Operator::AtLeast | Operator::Above)
    }
}

/// How bad a breach is, from the worst. It changes no exit code: the order of reports and the level in
/// SARIF follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    Major,
    Minor,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Critical, Severity::Major, Severity::Minor];

    /// The key in `Lpfile.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Major => "major",
            Severity::Minor => "minor",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_back_as_they_were_written() {
        let lane = Threshold {
            text: "latency.p95 <= 80ms".to_owned(),
            metric: "latency.p95".to_owned(),
            operator: Operator::AtMost,
            limit: 80_000.0,
            severity: Severity::Major,
            of: Of::Lane,
        };
        let camera = Threshold { of: Of::Camera("till 3".to_owned()), ..lane.clone() };
        for (threshold, text) in [
            (
                lane,
                r#"{"text":"latency.p95 <= 80ms","metric":"latency.p95","operator":"<=","limit":80000.0,"severity":"major"}"#,
            ),
            (
                camera,
                r#"{"text":"latency.p95 <= 80ms","metric":"latency.p95","operator":"<=","limit":80000.0,"severity":"major","of":{"camera":"till 3"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&threshold).unwrap(), text);
            assert_eq!(serde_json::from_str::<Threshold>(text).unwrap(), threshold);
        }
    }

    #[test]
    fn a_figure_at_the_limit_keeps_only_limits_that_include_it() {
        let kept = |figure: f64| Operator::ALL.map(|operator| operator.admits(figure, 15.0));
        assert_eq!(kept(14.0), [true, false, true, false]);
        assert_eq!(kept(15.0), [true, true, false, false]);
        assert_eq!(kept(16.0), [false, true, false, true]);
        assert_eq!(kept(f64::NAN), [false; 4]);
    }
}
