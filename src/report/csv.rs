//! The report as CSV: one row per pipeline or script.
//!
//! Columns are only ever added at the end. An empty cell is a figure that is
//! not defined. `docs/measuring.md` describes each column and its unit.
//!
//! A spreadsheet takes a text such as `=1+1` for a formula and calculates it, and names
//! come from the config, which is untrusted. So [`write`] distinguishes texts from figures, and
//! makes texts harmless.

use super::{Report, lanes, soak, subject};
use crate::impair::Passage;
use crate::record::collector;
use crate::record::compared::Reference;
use crate::record::measure::estimate::Resource;
use crate::record::measure::{
    Accuracy, CameraFigures, EnergyFigures, Lateness, OnTime, PartVerdict, Percentiles, Quantity,
    SoakFigures, StepFigures, StreamFigures, WorkerFigures,
};
use crate::record::{
    Delivery, Git, Isolation, Member, Pace, PreparedClip, Provenance, SourceConfig, StepRecord, StreamRecord,
};

/// Characters that a formula may begin with, by OWASP's advice about CSV injection. The last
/// four are full-width forms.
const OF_FORMULAS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// The subject of a row.
pub(super) struct Row<'a> {
    pub(super) report: Report<'a>,
    pub(super) camera: &'a CameraFigures,
    pub(super) stream: &'a StreamFigures,
}

impl Row<'_> {
    fn member(&self) -> Option<&Member> {
        self.report.record.members.iter().find(|member| member.slug == self.camera.slug)
    }

    fn configured(&self) -> Option<&SourceConfig> {
        self.member()?.configured.as_ref()
    }

    fn clip(&self) -> Option<&PreparedClip> {
        self.member()?.clip.as_ref()
    }

    fn provenance(&self) -> Option<&Provenance> {
        self.report.record.provenance.as_ref()
    }

    /// Its record; `None` for a script.
    fn record(&self) -> Option<&StreamRecord> {
        self.member()?.streams.iter().find(|one| one.stream == self.stream.stream)
    }

    /// The steps of its pipeline; none for a script.
    fn steps(&self) -> &[StepRecord] {
        self.record().map_or(&[], |stream| &stream.steps)
    }

    /// How something changed from hour to hour.
    fn soak(&self, about: &str, quantity: Quantity) -> Option<&SoakFigures> {
        let mut all = self.report.measurement.soak.iter();
        all.find(|one| one.quantity == quantity && one.about == about)
    }

    /// Likewise, of the worker that plays only this member.
    fn of_worker(&self, quantity: Quantity) -> Option<&SoakFigures> {
        self.soak(&format!("worker {}", self.camera.slug), quantity)
    }

    /// What an impaired network did to its packets.
    fn passage(&self) -> Option<&Passage> {
        self.record()?.impaired.as_ref()
    }

    /// A figure of each detector after its name: `zbar=687`.
    fn seen(&self, figure: impl Fn(&StepFigures) -> String) -> Cell {
        let seen = self.stream.seen.iter().map(|step| format!("{}={}", step.kind, figure(step)));
        names(&seen.collect::<Vec<_>>())
    }

    /// A figure of each comparison of a detector's boxes, after its name.
    fn accuracy(&self, figure: impl Fn(&Accuracy) -> Option<String>) -> Cell {
        let all = self.stream.seen.iter().flat_map(|step| step.accuracy.iter().map(move |one| (step, one)));
        let cell = |(step, one): (&StepFigures, &Accuracy)| {
            format!("{} / {}={}", of_step(step), whom(one), figure(one).unwrap_or_default())
        };
        names(&all.map(cell).collect::<Vec<_>>())
    }

    /// A part of each step that has it.
    fn of_steps(&self, part: impl Fn(&StepRecord) -> Option<&str>) -> Cell {
        names(&self.steps().iter().filter_map(part).map(str::to_owned).collect::<Vec<_>>())
    }
}

/// A detector with its model: `gvadetect yolo11n`.
fn of_step(step: &StepFigures) -> String {
    step.model.as_ref().map_or_else(|| step.kind.clone(), |model| format!("{} {model}", step.kind))
}

/// What a detector is compared with: a run's id, or the name of a truth.
fn whom(accuracy: &Accuracy) -> &str {
    let (Reference::Run(name) | Reference::Truth(name)) = &accuracy.with;
    name
}

fn in_percent(share: f64) -> String {
    ((share * 1e6).round() / 1e4).to_string()
}

/// One cell of a table.
pub(super) enum Cell {
    /// For people; may say anything.
    Text(String),
    /// Digits of ours, which a spreadsheet may calculate with.
    Figure(String),
}

pub(super) type Column = (&'static str, fn(&Row<'_>) -> Cell);

/// Name and value of each column.
pub(super) const COLUMNS: [Column; 139] = [
    ("run", |row| text(row.report.run)),
    ("subject", |row| text(&row.report.record.subject)),
    ("started_utc", |row| text(row.report.record.started)),
    ("camera", |row| text(&row.camera.camera)),
    ("member", |row| text(&row.camera.slug)),
    ("stream", |row| text(&row.stream.stream)),
    ("workloads", |row| names(&row.stream.workloads)),
    ("verdict", |row| text(row.stream.verdict)),
    ("reason", |row| text(row.stream.reason.as_deref().unwrap_or_default())),
    ("target_fps", |row| cell(Some(row.camera.target_fps))),
    ("fps", |row| cell(row.stream.fps)),
    ("fps_low", |row| cell(row.stream.fps_interval.map(|interval| interval.low))),
    ("fps_high", |row| cell(row.stream.fps_interval.map(|interval| interval.high))),
    ("window_s", |row| cell(row.stream.window_us.map(|us| us as f64 / 1e6))),
    ("frames", |row| count(row.stream.frames)),
    ("dropped", |row| count(row.stream.dropped)),
    ("dropped_percent", |row| hundredfold(row.stream.dropped_share)),
    ("latency_p50_ms", |row| latency(row, |latency| latency.p50)),
    ("latency_p95_ms", |row| latency(row, |latency| latency.p95)),
    ("latency_p99_ms", |row| latency(row, |latency| latency.p99)),
    ("worker_cpu_percent_of_core", |row| worker(row, |worker| hundredfold(worker.cpu))),
    ("worker_memory_max_mib", |row| worker(row, |worker| mib(worker.rss_max))),
    ("machine_cpu_percent", |row| hundredfold(row.report.measurement.machine.cpu)),
    ("machine_memory_max_mib", |row| mib(row.report.measurement.machine.memory_max)),
    ("pace", |row| {
        text(match row.report.record.conditions.pace {
            Pace::Live => "live",
            Pace::Free => "free",
        })
    }),
    ("isolation", |row| {
        text(match row.report.record.conditions.isolation {
            Isolation::Camera => "camera",
            Isolation::Lane => "lane",
        })
    }),
    ("duration_s", |row| cell(Some(row.report.record.conditions.duration_ms as f64 / 1e3))),
    ("warmup_s", |row| cell(Some(row.report.record.conditions.warmup_ms as f64 / 1e3))),
    ("count", |row| count(Some(row.report.record.conditions.count.into()))),
    ("repeat", |row| count(Some(row.report.record.conditions.repeat.into()))),
    ("interrupted", |row| text(row.report.record.interrupted)),
    ("host", |row| text(super::host(&row.report.record.host))),
    ("kind", |row| text(if row.stream.script.is_some() { "script" } else { "pipeline" })),
    ("script", |row| text(row.stream.script.as_ref().map_or("", |script| &script.script))),
    ("script_exit", |row| {
        text(row.stream.script.as_ref().and_then(|script| script.exit.as_deref()).unwrap_or_default())
    }),
    ("fps_second_min", |row| cell(row.stream.fps_range.map(|range| range.min))),
    ("fps_second_max", |row| cell(row.stream.fps_range.map(|range| range.max))),
    ("late_p50_ms", |row| late(row, |late| late.p50)),
    ("late_p95_ms", |row| late(row, |late| late.p95)),
    ("late_p99_ms", |row| late(row, |late| late.p99)),
    ("late_max_ms", |row| late(row, |late| late.max)),
    ("longest_gap_s", |row| cell(row.stream.longest_gap_us.map(|us| us as f64 / 1e6))),
    ("decoded", |row| count(row.stream.decoded)),
    ("taken_out", |row| count(row.stream.taken_out)),
    ("delivered", |row| count(row.stream.delivery.as_ref().and_then(|delivery| delivery.frames))),
    ("delivered_fps", |row| cell(row.stream.delivered_fps)),
    ("damaged", |row| count(row.stream.delivery.as_ref().map(|delivery| delivery.damaged))),
    ("copied", |row| count(row.stream.delivery.as_ref().map(|delivery| delivery.copied))),
    ("machine_steal_percent", |row| hundredfold(row.report.measurement.machine.steal)),
    ("decode_only", |row| text(row.report.record.conditions.decode_only)),
    ("tag", |row| text(row.report.record.tag.as_deref().unwrap_or_default())),
    ("started_local", |row| {
        let record = row.report.record;
        text(record.utc_offset_s.map_or_else(String::new, |offset_s| record.started.local(offset_s)))
    }),
    ("source", |row| text(row.configured().map_or("", |configured| configured.source.word()))),
    ("source_name", |row| text(row.configured().and_then(|it| it.name.as_deref()).unwrap_or_default())),
    ("source_origin", |row| text(row.configured().and_then(|it| it.origin.as_deref()).unwrap_or_default())),
    ("width", |row| count(row.configured().map(|configured| configured.width.into()))),
    ("height", |row| count(row.configured().map(|configured| configured.height.into()))),
    ("camera_fps", |row| cell(row.configured().map(|configured| configured.fps))),
    ("codec", |row| text(row.member().and_then(subject::codec).unwrap_or_default())),
    ("dialect", |row| text(row.member().and_then(|it| it.dialect).map_or("", |dialect| dialect.word()))),
    ("steps", |row| names(&row.steps().iter().map(subject::step_in_full).collect::<Vec<_>>())),
    ("models", |row| row.of_steps(|step| step.model.as_deref())),
    ("precisions", |row| row.of_steps(|step| step.precision.as_deref())),
    ("devices", |row| row.of_steps(|step| step.device.as_deref())),
    ("project", |row| text(row.provenance().map_or("", |known| &known.project))),
    ("git_commit", |row| {
        text(match row.provenance().map(|known| &known.git) {
            Some(Git::Commit { commit, .. }) => commit,
            _ => "",
        })
    }),
    ("git_changed", |row| {
        text(match row.provenance().map(|known| &known.git) {
            Some(Git::Commit { changed, .. }) => changed.to_string(),
            _ => String::new(),
        })
    }),
    ("git_reason", |row| {
        text(match row.provenance().map(|known| &known.git) {
            Some(Git::Unknown { reason }) => reason,
            _ => "",
        })
    }),
    ("profile", |row| text(row.provenance().and_then(|it| it.profile.as_deref()).unwrap_or_default())),
    ("overrides", |row| text(row.provenance().map(subject::overrides).unwrap_or_default())),
    ("config_digest", |row| text(row.provenance().map(|it| it.config_digest().short()).unwrap_or_default())),
    ("inputs_digest", |row| text(row.provenance().map(|it| it.inputs_digest().short()).unwrap_or_default())),
    ("lp_version", |row| text(row.provenance().map_or("", |known| &known.lp))),
    ("gstreamer", |row| text(row.report.record.host.facts.get("gstreamer").map_or("", String::as_str))),
    ("worker_command", |row| text(row.provenance().and_then(|it| it.worker.as_deref()).unwrap_or_default())),
    ("record_version", |row| count(Some(row.report.record.version.into()))),
    ("clip_done", |row| text(row.clip().map_or("", |clip| clip.done.word()))),
    ("clip_because", |row| text(row.clip().map(|clip| clip.because.join("; ")).unwrap_or_default())),
    ("clip_made_up", |row| text(row.clip().map(|clip| clip.made_up.join("; ")).unwrap_or_default())),
    ("clip_profile", |row| {
        text(row.clip().and_then(|clip| clip.video.profile.as_deref()).unwrap_or_default())
    }),
    ("clip_bit_rate", |row| count(row.clip().map(|clip| clip.video.bit_rate))),
    ("clip_gop", |row| count(row.clip().and_then(|clip| clip.video.gop))),
    ("clip_b_frames", |row| count(row.clip().map(|clip| clip.video.b_frames))),
    ("degraded", |row| text(!row.report.measurement.degraded.is_empty())),
    ("degraded_because", |row| text(lanes::degraded(&row.report).unwrap_or_default())),
    ("left_out_s", |row| {
        let left_out = row.stream.left_out.iter().map(|span| span.end_us - span.begin_us);
        cell(row.stream.window_us.map(|_| left_out.sum::<u64>() as f64 / 1e6))
    }),
    ("seen", |row| row.seen(|step| step.events.to_string())),
    ("seen_per_second", |row| {
        row.seen(|step| step.per_second.map_or(String::new(), |rate| rate.to_string()))
    }),
    ("seen_last_clip_ms", |row| {
        row.seen(|step| step.last_clip_ms.map_or(String::new(), |clip_ms| clip_ms.to_string()))
    }),
    ("rate_verdict", |row| part(row.stream.rate.as_ref())),
    ("deadline_verdict", |row| part(row.stream.deadline.as_ref())),
    ("on_time_percent", |row| hundredfold(row.stream.on_time.map(|on_time| on_time.share))),
    ("on_time_at_least_percent", |row| hundredfold(row.stream.on_time.map(|on_time| on_time.at_least))),
    ("frames_judged", |row| on_time(row, |on_time| on_time.judged)),
    ("frames_late", |row| on_time(row, |on_time| on_time.late)),
    ("frames_lost", |row| on_time(row, |on_time| on_time.lost)),
    ("goodput_fps", |row| cell(row.stream.goodput)),
    ("delay_ms", |row| cell(row.stream.delay_us.map(|us| us as f64 / 1e3))),
    ("deadline_ms", |row| cell(row.stream.on_time.map(|on_time| on_time.deadline_us as f64 / 1e3))),
    ("jitter_ms", |row| cell(row.stream.jitter_us.map(|us| us as f64 / 1e3))),
    ("fps_second_p5", |row| cell(row.stream.fps_p5)),
    ("seconds_below_target", |row| count(row.stream.seconds_below)),
    ("latency_max_ms", |row| latency(row, |latency| latency.max)),
    ("worker_cpu_ms_per_frame", |row| worker(row, |worker| cell(worker.cpu_us_per_frame.map(|us| us / 1e3)))),
    ("offered", |row| count(row.stream.offered)),
    ("in_flight", |row| count(row.stream.in_flight)),
    ("dropped_at", |row| {
        let places = row.stream.dropped_at.iter().map(|(place, n)| format!("{place} {n}"));
        names(&places.collect::<Vec<_>>())
    }),
    ("start_up_s", |row| cell(row.stream.start_up_us.map(|us| us as f64 / 1e6))),
    ("drift_ppm", |row| cell(row.stream.delivery.as_ref().and_then(|delivery| delivery.drift_ppm))),
    ("transport", |row| {
        text(received(row).map(|it| it.transport.clone().unwrap_or_default()).unwrap_or_default())
    }),
    ("packets_lost", |row| count(received(row).and_then(|it| Some(it.packets?.lost)))),
    ("packets_late", |row| count(received(row).and_then(|it| Some(it.packets?.late)))),
    ("reconnects", |row| count(received(row).map(|it| it.reconnects.len() as u64))),
    ("estimate_low", |row| count(row.report.measurement.estimate.low.map(u64::from))),
    ("estimate_high", |row| count(row.report.measurement.estimate.high.map(u64::from))),
    ("estimate_first", |row| text(row.report.measurement.estimate.first.map_or("", Resource::word))),
    ("seen_labels", |row| {
        let labels = row.stream.seen.iter().flat_map(|step| step.labels.iter().map(move |one| (step, one)));
        names(&labels.map(|(step, (label, n))| format!("{}: {label}={n}", of_step(step))).collect::<Vec<_>>())
    }),
    ("seen_per_frame", |row| {
        let rates = row.stream.seen.iter().filter_map(|step| Some((step, step.per_frame?)));
        names(&rates.map(|(step, rate)| format!("{}={rate}", of_step(step))).collect::<Vec<_>>())
    }),
    ("compared_frames", |row| row.accuracy(|one| Some(one.frames.to_string()))),
    ("recall_percent", |row| row.accuracy(|one| Some(in_percent(one.all.recall?)))),
    ("precision_percent", |row| row.accuracy(|one| Some(in_percent(one.all.precision?)))),
    ("map50_percent", |row| row.accuracy(|one| Some(in_percent(one.map50?)))),
    ("impair", |row| {
        text(row.report.record.conditions.impair.map(|impair| impair.to_string()).unwrap_or_default())
    }),
    ("impaired_packets", |row| impaired(row, |passage| passage.packets)),
    ("impaired_dropped", |row| impaired(row, |passage| passage.dropped)),
    ("impaired_overflowed", |row| impaired(row, |passage| passage.overflowed)),
    ("impaired_reordered", |row| impaired(row, |passage| passage.reordered)),
    ("impaired_delay_ms", |row| {
        cell(row.passage().and_then(Passage::delay_mean_us).map(|us| us as f64 / 1e3))
    }),
    ("power_w", |row| energy(row, |energy| Some(energy.watts))),
    ("power_of", |row| {
        let energy = row.report.measurement.energy.as_ref();
        names(energy.map_or(&[], |energy| &energy.parts))
    }),
    ("idle_power_w", |row| energy(row, |energy| energy.idle_watts)),
    ("joules_per_frame", |row| energy(row, |energy| energy.joules_per_frame)),
    ("joules_per_frame_above_idle", |row| energy(row, |energy| energy.joules_per_frame_above_idle)),
    ("fps_per_watt", |row| energy(row, |energy| energy.fps_per_watt)),
    ("collectors", |row| {
        let series = row.report.measurement.machine.series.iter();
        let beside = series.filter_map(|one| Some((one.name.strip_prefix(collector::PREFIX)?, one)));
        names(&beside.map(|(name, one)| format!("{name}={} {}", one.mean, one.unit)).collect::<Vec<_>>())
    }),
    ("worker_memory_mib_per_hour", |row| {
        cell(row.of_worker(Quantity::Memory).and_then(|one| one.per_hour).map(|by| by / f64::from(1 << 20)))
    }),
    ("worker_files_per_hour", |row| cell(row.of_worker(Quantity::Files).and_then(|one| one.per_hour))),
    ("fps_per_hour", |row| cell(row.soak(&row.stream.stream, Quantity::Fps).and_then(|one| one.per_hour))),
    ("leaks", |row| {
        let own = [row.of_worker(Quantity::Memory), row.of_worker(Quantity::Files)];
        let own = own.into_iter().chain([row.soak(&row.stream.stream, Quantity::Fps)]).flatten();
        names(&own.map(|one| format!("{}={}", one.quantity, soak::word(one))).collect::<Vec<_>>())
    }),
];

/// The report as CSV.
#[must_use]
pub fn csv(report: &Report<'_>) -> String {
    let header = COLUMNS.iter().map(|(name, _)| text(name)).collect();
    let rows = rows(report).map(|row| COLUMNS.iter().map(|(_, value)| value(&row)).collect());
    write(std::iter::once(header).chain(rows))
}

/// The pipelines of a report.
pub(super) fn rows<'a>(report: &Report<'a>) -> impl Iterator<Item = Row<'a>> {
    let report = *report;
    report
        .measurement
        .cameras
        .iter()
        .flat_map(move |camera| camera.streams.iter().map(move |stream| Row { report, camera, stream }))
}

/// Records as CSV. A text that a spreadsheet would take for a formula, or that
/// begins with `'`, gets a `'` in front: then it is shown as it is, and without
/// its first `'` it is the original text.
pub(super) fn write(records: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        let cells = record.into_iter().map(|cell| match cell {
            Cell::Text(text) if text.starts_with(OF_FORMULAS) || text.starts_with('\'') => {
                format!("'{text}")
            }
            Cell::Text(cell) | Cell::Figure(cell) => cell,
        });
        writer.write_record(cells).expect("a vector takes all bytes, and all records are as long");
    }
    let bytes = writer.into_inner().expect("a vector takes all bytes");
    String::from_utf8(bytes).expect("all cells are UTF-8")
}

pub(super) fn text(text: impl std::fmt::Display) -> Cell {
    Cell::Text(text.to_string())
}

/// Names as one text: joined by `; `, each with a backslash before its own
/// backslashes and semicolons, so that the list can be taken apart again.
pub(super) fn names(names: &[String]) -> Cell {
    let escaped = names.iter().map(|name| name.replace('\\', "\\\\").replace(';', "\\;"));
    text(escaped.collect::<Vec<_>>().join("; "))
}

pub(super) fn cell(figure: Option<f64>) -> Cell {
    Cell::Figure(figure.map(|figure| figure.to_string()).unwrap_or_default())
}

pub(super) fn count(count: Option<u64>) -> Cell {
    Cell::Figure(count.map(|count| count.to_string()).unwrap_or_default())
}

/// A share as a percentage; four decimals are all that a share has.
pub(super) fn hundredfold(share: Option<f64>) -> Cell {
    cell(share.map(|share| (share * 1e6).round() / 1e4))
}

pub(super) fn mib(bytes: Option<u64>) -> Cell {
    let mib = bytes.map(|bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
    Cell::Figure(mib.unwrap_or_default())
}

fn latency(row: &Row<'_>, which: fn(&Percentiles) -> u32) -> Cell {
    cell(row.stream.latency_us.as_ref().map(|latency| f64::from(which(latency)) / 1e3))
}

fn impaired(row: &Row<'_>, which: fn(&Passage) -> u64) -> Cell {
    count(row.passage().map(which))
}

/// A figure of the machine's power.
fn energy(row: &Row<'_>, which: fn(&EnergyFigures) -> Option<f64>) -> Cell {
    cell(row.report.measurement.energy.as_ref().and_then(which))
}

fn part(part: Option<&PartVerdict>) -> Cell {
    text(part.map(|part| part.verdict.to_string()).unwrap_or_default())
}

fn on_time(row: &Row<'_>, which: fn(&OnTime) -> u64) -> Cell {
    count(row.stream.on_time.as_ref().map(which))
}

/// The delivery of an RTSP stream.
fn received<'a>(row: &'a Row<'_>) -> Option<&'a Delivery> {
    row.stream.delivery.as_ref().filter(|delivery| delivery.transport.is_some())
}

fn late(row: &Row<'_>, which: fn(&Lateness) -> i64) -> Cell {
    cell(row.stream.lateness_us.as_ref().map(|late| which(late) as f64 / 1e3))
}

/// A figure of the worker that plays only this member.
fn worker(row: &Row<'_>, which: fn(&WorkerFigures) -> Cell) -> Cell {
    row.report.measurement.own_worker(&row.camera.slug).map_or_else(|| cell(None), which)
}
