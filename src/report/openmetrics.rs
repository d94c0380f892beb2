//! A run at a moment in the OpenMetrics text format, for Prometheus and others that scrape.
//!
//! Counters grow over one run and begin at 0 with each: frames are those of the measured windows, so at
//! the end they are the record's. Gauges are the newest values. Each name has its unit (`_seconds`,
//! `_bytes`, `_ratio`), and what `record::metric` names has that name: `latency.p95` is
//! `lp_latency_p95_seconds`. What is not known has no line.
//!
//! A [`Sample`] is taken where the run is measured, which costs little; its text is made where somebody
//! asks. Not here: serving it (`os::web`).

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::record::build::{Phase, RecordBuilder, StreamMoment};
use crate::text::harmless_lines;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures of a moment.
#[derive(Clone, Debug)]
pub struct Sample {
    subject: String,
    started: String,
    streams: Vec<StreamSample>,
    workers: Vec<WorkerSample>,
    /// The newest value of each series: its name, its unit, the value.
    series: Vec<(String, String, f64)>,
}

#[derive(Clone, Debug)]
struct StreamSample {
    camera: String,
    stream: String,
    target_fps: f64,
    phase: Phase,
    measured_us: u64,
    fps: Option<f64>,
    frames: Option<(u64, u64)>,
    delivered: Option<u64>,
    on_time: Option<f64>,
    latency_us: Option<u32>,
}

#[derive(Clone, Debug)]
struct WorkerSample {
    name: String,
    cpu_us: u64,
    rss: u64,
}

type Labels = Vec<(&'static str, String)>;
type Counts = Family<Labels, Counter>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

impl Sample {
    /// The figures of a run now.
    #[must_use]
    pub fn of(run: &RecordBuilder) -> Sample {
        let (subject, started) = run.subject();
        let stream = |moment: &StreamMoment<'_>| StreamSample {
            camera: harmless_lines(&moment.member.camera),
            stream: moment.stream.to_owned(),
            target_fps: moment.member.target_fps,
            phase: moment.phase,
            measured_us: moment.measured_us,
            fps: moment.fps,
            frames: moment.frames,
            delivered: moment.delivered,
            on_time: moment.on_time,
            latency_us: moment.latency_us,
        };
        let workers = run.workers().filter_map(|(name, sample)| {
            let sample = sample?;
            Some(WorkerSample { name: name.to_owned(), cpu_us: sample.cpu_us, rss: sample.rss })
        });
        let series = run.series().iter().filter_map(|series| {
            Some((harmless_lines(&series.name), series.unit.clone(), *series.values.last()?))
        });
        Sample {
            subject: subject.to_owned(),
            started: started.to_string(),
            streams: run.moment().iter().map(stream).collect(),
            workers: workers.collect(),
            series: series.collect(),
        }
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut registry = Registry::with_prefix("lp");
        let about = vec![("subject", self.subject.clone()), ("started", self.started.clone())];
        registry.register("run", "The run that is measured", Info::new(about));
        self.streams(&mut registry);
        self.workers(&mut registry);
        self.machine(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes any text");
        text
    }

    fn streams(&self, registry: &mut Registry) {
        let [frames, dropped, delivered] = [
            ("frames", "Frames that arrived in the measured window"),
            ("frames_dropped", "Frames that were dropped in the measured window"),
            ("frames_delivered", "Frames that the source delivered in the measured window"),
        ]
        .map(|(name, help)| {
            let family = Counts::default();
            registry.register(name, help, family.clone());
            family
        });
        let mut gauge = |name: &str, help: &str, unit: Option<Unit>| gauges(registry, name, help, unit);
        let ratio = || Some(Unit::Other("ratio".to_owned()));
        let fps = gauge("fps", "Frames per second of the measured window so far", None);
        let target = gauge("fps_target", "Frames per second that the stream should hold", None);
        let on_time = gauge("on_time", "Share of frames so far that came at most a period late", ratio());
        let latency =
            gauge("latency_p95", "The 95th percentile of latency in the newest seconds", Some(Unit::Seconds));
        let measured = gauge("measured", "How much of the measured window has passed", Some(Unit::Seconds));
        let phase = gauge("phase", "1 for the phase in which the stream is", None);
        for one in &self.streams {
            let labels = || vec![("camera", one.camera.clone()), ("stream", one.stream.clone())];
            if let Some((arrived, lost)) = one.frames {
                frames.get_or_create(&labels()).inc_by(arrived);
                dropped.get_or_create(&labels()).inc_by(lost);
            }
            if let Some(n) = one.delivered {
                delivered.get_or_create(&labels()).inc_by(n);
            }
            set(&fps, labels(), one.fps);
            set(&target, labels(), Some(one.target_fps));
            set(&on_time, labels(), one.on_time);
            set(&latency, labels(), one.latency_us.map(|us| f64::from(us) / 1e6));
            set(&measured, labels(), Some(one.measured_us as f64 / 1e6));
            let word = match one.phase {
                Phase::Starting => "starting",
                Phase::WarmingUp => "warming_up",
                Phase::Measuring => "measuring",
                Phase::Ended => "ended",
                Phase::Failed => "failed",
            };
            set(&phase, [labels(), vec![("phase", word.to_owned())]].concat(), Some(1.0));
        }
    }

    fn workers(&self, registry: &mut Registry) {
        let cpu = Seconds::default();
        registry.register_with_unit(
            "worker_cpu",
            "CPU time of a worker since it started",
            Unit::Seconds,
            cpu.clone(),
        );
        let memory = gauges(registry, "worker_memory", "Resident memory of a worker", Some(Unit::Bytes));
        for one in &self.workers {
            let labels = || vec![("worker", one.name.clone())];
            cpu.get_or_create(&labels()).inc_by(one.cpu_us as f64 / 1e6);
            set(&memory, labels(), Some(one.rss as f64));
        }
    }

    /// The series of collectors: a family for each unit.
    fn machine(&self, registry: &mut Registry) {
        let mut families: Vec<(&str, Gauges)> = Vec::new();
        for (name, unit, value) in &self.series {
            let known = families.iter().position(|(known, _)| known == unit).unwrap_or_else(|| {
                let (name, word) = family_of(unit);
                let unit_word = word.map(|word| Unit::Other(word.to_owned()));
                let help = "The newest value of a collector";
                // Units without a word share a family.
                let same = families.iter().find(|(other, _)| family_of(other) == (name, word));
                let family = same
                    .map_or_else(|| gauges(registry, name, help, unit_word), |(_, family)| family.clone());
                families.push((unit, family));
                families.len() - 1
            });
            set(&families[known].1, vec![("series", name.clone())], Some(*value));
        }
    }
}

/// The family of series of a unit of UCUM, and the unit in its name.
fn family_of(unit: &str) -> (&'static str, Option<&'static str>) {
    let word = match unit {
        "1" => "ratio",
        "By" => "bytes",
        "By/s" => "bytes_per_second",
        "Hz" => "hertz",
        "Cel" => "celsius",
        "W" => "watts",
        "/s" => "per_second",
        _ => return ("machine_value", None),
    };
    ("machine", Some(word))
}

fn gauges(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>) -> Gauges {
    let family = Gauges::default();
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, family.clone()),
        None => registry.register(name, help, family.clone()),
    }
    family
}

fn set(family: &Gauges, labels: Labels, value: Option<f64>) {
    if let Some(value) = value {
        family.get_or_create(&labels).set(value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use openmetrics_parser::openmetrics::parse_openmetrics;

    use super::*;
    use crate::record::Pace;
    use crate::record::fixture::{S, Story, member, setup};
    use crate::record::metric::Metric;
    use crate::worker::protocol::{End, EventBody};

    /// The values of a text by their lines' names and labels.
    fn values(text: &str) -> BTreeMap<String, f64> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let value = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        lines.map(value).collect()
    }

    fn story() -> Story {
        let members = vec![member("a", "Till \"1\" \\ \n</script>", 15.0, &[(&["scan"], 0)])];
        Story::new(setup(Pace::Live, 4, 1, &["a"], members))
    }

    #[test]
    fn counters_only_grow_and_end_as_the_record() {
        let mut story = story();
        let mut before: BTreeMap<String, f64> = BTreeMap::new();
        for second in 0..7 {
            let n = if second % 2 == 0 { 15 } else { 12 };
            let frames: Vec<_> = (0..n).map(|n| (second * S + n * S / 15, Some(5_000))).collect();
            story.tick(0, "a/1", (second + 1) * S, &frames, 15 - n);
            story.say(
                0,
                (second + 1) * S,
                EventBody::Process { cpu_us: second * 90_500, rss: 64 << 20, files: None },
            );
            let now = values(&Sample::of(&story.builder).text());
            for (name, value) in now.iter().filter(|(name, _)| name.contains("_total")) {
                assert!(before.get(name).is_none_or(|before| before <= value), "{name}");
            }
            before = now;
        }
        story.end(0, "a/1", 7 * S + 1, End::Eos);
        let last = values(&Sample::of(&story.builder).text());
        let record = story.builder.finish();
        let stream = &record.members[0].streams[0];
        let counter = |name: &str| {
            let found = last.iter().find(|(key, _)| key.starts_with(&format!("{name}{{")));
            *found.unwrap_or_else(|| panic!("no {name}: {last:?}")).1
        };
        assert_eq!(counter("lp_frames_total"), stream.n_frames() as f64);
        assert_eq!(counter("lp_frames_dropped_total"), stream.dropped as f64);
        assert!(stream.dropped > 0 && stream.n_frames() > 50);
        assert_eq!(counter("lp_worker_cpu_seconds_total"), 0.543);
    }

    #[test]
    fn names_have_units_labels_are_escaped_and_the_unknown_is_absent() {
        let mut story = story();
        story.play(0, "a/1", 0, 3, 15);
        story.machine(3 * S, [0.25, 0.0, f64::from(1 << 30)]);
        let text = Sample::of(&story.builder).text();
        let families = parse_openmetrics(&text).unwrap_or_else(|error| panic!("{error}: {text}")).families;
        assert_eq!(families.len(), 11);
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.pop(), Some("# EOF"));
        lines.sort_unstable();
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("# HELP")).collect();
        expect_test::expect![[r##"
            # TYPE lp_fps gauge
            # TYPE lp_fps_target gauge
            # TYPE lp_frames counter
            # TYPE lp_frames_dropped counter
            # TYPE lp_latency_p95_seconds gauge
            # TYPE lp_machine_bytes gauge
            # TYPE lp_machine_ratio gauge
            # TYPE lp_measured_seconds gauge
            # TYPE lp_on_time_ratio gauge
            # TYPE lp_phase gauge
            # TYPE lp_run info
            # UNIT lp_latency_p95_seconds seconds
            # UNIT lp_machine_bytes bytes
            # UNIT lp_machine_ratio ratio
            # UNIT lp_measured_seconds seconds
            # UNIT lp_on_time_ratio ratio
            lp_fps_target{camera="Till \"1\" \\ \n</script>",stream="a/1"} 15.0
            lp_fps{camera="Till \"1\" \\ \n</script>",stream="a/1"} 15.0
            lp_frames_dropped_total{camera="Till \"1\" \\ \n</script>",stream="a/1"} 0
            lp_frames_total{camera="Till \"1\" \\ \n</script>",stream="a/1"} 30
            lp_latency_p95_seconds{camera="Till \"1\" \\ \n</script>",stream="a/1"} 0.005
            lp_machine_bytes{series="machine.memory"} 1073741824.0
            lp_machine_ratio{series="machine.cpu"} 0.25
            lp_machine_ratio{series="machine.steal"} 0.0
            lp_measured_seconds{camera="Till \"1\" \\ \n</script>",stream="a/1"} 2.0
            lp_on_time_ratio{camera="Till \"1\" \\ \n</script>",stream="a/1"} 1.0
            lp_phase{camera="Till \"1\" \\ \n</script>",stream="a/1",phase="measuring"} 1.0
            lp_run_info{subject="lane",started="2026-11-24T06:42:00Z"} 1"##]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn what_a_metric_is_has_its_name() {
        let mut story = story();
        story.play(0, "a/1", 0, 3, 15);
        let text = Sample::of(&story.builder).text();
        for (metric, unit) in
            [(Metric::Fps, ""), (Metric::OnTime, "_ratio"), (Metric::LatencyP95, "_seconds")]
        {
            let name = format!("# TYPE lp_{}{unit} gauge\n", metric.name().replace('.', "_"));
            assert!(text.contains(&name), "{name} is not in\n{text}");
        }
    }

    #[test]
    fn the_record_so_far_ends_where_the_run_is() {
        let mut story = story();
        story.play(0, "a/1", 0, 3, 15);
        let record = story.builder.so_far();
        let stream = &record.members[0].streams[0];
        assert_eq!((stream.window_us, stream.n_frames()), (Some((S, 3 * S)), 30));
        assert_eq!(record.failures().count(), 0);
        story.play(0, "a/1", 3, 6, 15);
        assert_eq!(story.builder.finish().members[0].streams[0].n_frames(), 60, "the run goes on");
    }
}
