//! The output of a measurement with `-v`: one plain line per camera and second, on stderr.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::console;
use crate::graph::lower::Subject;
use crate::name::Slug;
use crate::record::foreign::Figure;
use crate::record::measure::number;
use crate::session::Observation;
use crate::text::harmless_lines;
use crate::worker::protocol::EventBody;
use crate::workspace::open::Workspace;

/// One plain line per camera and second, once all its pipelines have reported.
pub(super) struct Seconds {
    width: usize,
    cameras: Mutex<BTreeMap<Slug, Second>>,
    /// For each script the time of its first figure, and that of its last line.
    scripts: Mutex<BTreeMap<String, Instants>>,
}

type Instants = (std::time::Instant, Option<std::time::Instant>);

struct Second {
    streams: usize,
    /// The begin in microseconds, and the last sample of each pipeline.
    begin_us: Option<u64>,
    elapsed_s: u64,
    samples: BTreeMap<String, Sample>,
}

struct Sample {
    frames: usize,
    latency_us: Option<u32>,
    dropped: u64,
    at_us: Option<u64>,
}

impl Seconds {
    pub(super) fn new(opened: &Workspace, subject: &Subject) -> Seconds {
        let mut cameras = BTreeMap::new();
        for planned in opened.lane().members(&subject.members) {
            let streams = planned.plan.pipelines.iter().filter(|pipeline| pipeline.has_elements()).count();
            for copy in 1..=opened.project.settings.count {
                let second = Second { streams, begin_us: None, elapsed_s: 0, samples: BTreeMap::new() };
                cameras.insert(planned.slug().copy(copy), second);
            }
        }
        let width = cameras.keys().map(|slug| slug.as_str().len()).max().unwrap_or(0);
        Seconds { width, cameras: Mutex::new(cameras), scripts: Mutex::default() }
    }

    /// Prints a line if a second is over.
    pub(super) fn watch(&self, seen: Observation<'_>) {
        match seen {
            Observation::Stream(slug, event) => self.see(slug, event),
            Observation::Script(slug, stream, figure) => self.see_script(slug, stream, figure),
            Observation::Failed(..)
            | Observation::Moment(_)
            | Observation::Asked(_)
            | Observation::Trying(_)
            | Observation::Tried(_)
            | Observation::Setting(_) => {}
        }
    }

    /// A line per script and second that has any figure of frames.
    fn see_script(&self, slug: &Slug, stream: &str, figure: &Figure) {
        let text = match figure {
            Figure::Rates { fps, .. } => {
                let fps: Vec<String> = fps.iter().map(|fps| number(*fps)).collect();
                format!("{} fps", fps.join(", "))
            }
            Figure::Count { element, rendered, dropped, .. } => {
                format!("{element}: {rendered} frames  dropped {dropped}")
            }
            _ => return,
        };
        let now = std::time::Instant::now();
        let mut scripts = self.scripts.lock().expect("printing does not panic");
        let (begin, last) = *scripts.entry(stream.to_owned()).or_insert((now, None));
        if last.is_some_and(|last| now.duration_since(last).as_millis() < 990) {
            return;
        }
        scripts.insert(stream.to_owned(), (begin, Some(now)));
        let elapsed = now.duration_since(begin).as_secs();
        let line = format!(
            "{slug:width$}  {elapsed:>3} s  script {stream}: {text}",
            slug = slug.as_str(),
            width = self.width
        );
        console::note(&harmless_lines(&line));
    }

    fn see(&self, slug: &Slug, event: &EventBody) {
        let mut cameras = self.cameras.lock().expect("printing does not panic");
        let Some(second) = cameras.get_mut(slug) else { return };
        match event {
            EventBody::Frames { stream, arrived_us, latency_us, dropped, .. } => {
                let mut latencies: Vec<u32> = latency_us.iter().flatten().copied().collect();
                latencies.sort_unstable();
                let sample = Sample {
                    frames: arrived_us.len(),
                    latency_us: crate::stats::percentile(&latencies, 50),
                    dropped: *dropped,
                    at_us: arrived_us.last().copied(),
                };
                second.samples.insert(stream.clone(), sample);
            }
            EventBody::Ended { .. } => second.streams = second.streams.saturating_sub(1),
            _ => return,
        }
        if second.samples.len() < second.streams.max(1) || second.samples.is_empty() {
            return;
        }
        let samples = std::mem::take(&mut second.samples);
        let at_us = samples.values().filter_map(|sample| sample.at_us).max();
        if second.begin_us.is_none() {
            second.begin_us = at_us;
        }
        if let Some((at, begin)) = at_us.zip(second.begin_us) {
            second.elapsed_s = at.saturating_sub(begin) / 1_000_000;
        }
        let elapsed = second.elapsed_s;
        let frames = samples.values().map(|sample| sample.frames).min().unwrap_or(0);
        let latency = samples.values().filter_map(|sample| sample.latency_us).max();
        let dropped: u64 = samples.values().map(|sample| sample.dropped).sum();
        let latency = latency.map_or("-".to_owned(), |us| format!("{:.1} ms", f64::from(us) / 1000.0));
        console::note(&format!(
            "{slug:width$}  {elapsed:>3} s  {frames:>3} frames  latency {latency}  dropped {dropped}",
            slug = slug.as_str(),
            width = self.width
        ));
    }
}
