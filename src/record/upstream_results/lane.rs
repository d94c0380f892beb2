//! Which stream each log is of.
//!
//! `gvafpscounter` prints the rates of a process in byte order of the counters' names, and upstream's script writes
//! value `j` into log `j`. Since 2026, names are such that this is the order of the lane, and a manifest lists it. Before,
//! names were `stream<camera>_<pipeline>_<n>`, where `n` counts over the whole lane: so `stream10_1_30`
//! comes before `stream1_1_3`, and of two copies of a camera often the second first.
//!
//! Old names are known from a verbose launch or the script with the command; else they follow from the cameras and
//! workloads, if the user names their files. Without any of these, nobody knows which camera a log is of.

use std::collections::BTreeSet;

use serde::Serialize;

use super::documents::Entry;

/// A camera as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneCamera {
    pub name: String,
    /// The rate that its streams should have.
    pub target_fps: f64,
    /// Whether upstream plays none of it: it has a workload of a vision language model.
    pub is_skipped: bool,
    /// As upstream merges them, in its order.
    pub pipelines: Vec<LanePipeline>,
}

/// A pipeline of a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanePipeline {
    pub workloads: Vec<String>,
    /// Its steps that detect, which count in the names.
    pub detectors: u32,
}

/// The stream of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placed {
    /// `None` if it is not known.
    pub camera: Option<String>,
    /// The copy of the lane, from 0.
    pub lane: u32,
    /// The pipeline of the camera, from 0.
    pub branch: u32,
    pub workloads: Vec<String>,
    /// The rate that it should have; `None` if it is not known.
    pub target_fps: Option<f64>,
    /// The `n` in its counter's name, if that has the old form.
    pub number: Option<u64>,
}

/// What is known of the order of the streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clues<'a> {
    pub manifest: Option<&'a [Entry]>,
    /// The names of the counters of the run.
    pub counters: Option<&'a BTreeSet<String>>,
    pub cameras: Option<&'a [LaneCamera]>,
    /// Whether names sort in the order of the lane.
    pub is_new: bool,
}

/// The streams of the logs, in the order of these, with what was corrected and what stays unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    pub streams: Vec<Placed>,
    pub corrected: Vec<String>,
    pub unknown: Vec<String>,
}

/// The most logs that a sentence names.
const MOST_NAMED: usize = 4;

/// Finds the stream of each of `n` logs.
#[must_use]
pub fn order(n: usize, clues: &Clues<'_>) -> Order {
    let mut order = Order::default();
    if let Some(manifest) = clues.manifest.filter(|manifest| manifest.len() == n) {
        by_manifest(manifest, clues, &mut order);
    } else if let Some(names) = old_names(n, clues) {
        by_names(&names, clues, &mut order);
    } else if let (true, Some(cameras)) = (clues.is_new, clues.cameras) {
        by_config(n, cameras, &mut order);
    }
    if order.streams.len() != n {
        order.streams = (0..n).map(|_| Placed::default()).collect();
        order.unknown.push(match (n, clues.cameras) {
            (1, _) => "the camera of the stream: name its file with `--cameras` and that of the workloads with `--workloads`".to_owned(),
            (_, Some(cameras)) => format!(
                "which camera a log is of: {n} logs are no whole number of lanes, since a lane has {} streams by the files of the cameras and workloads",
                per_lane(cameras)
            ),
            (_, None) => "which camera a log is of: name the file of the cameras with `--cameras` and that of the workloads with `--workloads`".to_owned(),
        });
    }
    order
}

fn per_lane(cameras: &[LaneCamera]) -> usize {
    playing(cameras).map(|(_, camera)| camera.pipelines.len()).sum()
}

fn playing(cameras: &[LaneCamera]) -> impl Iterator<Item = (usize, &LaneCamera)> {
    cameras.iter().enumerate().filter(|(_, camera)| !camera.is_skipped)
}

fn by_manifest(manifest: &[Entry], clues: &Clues<'_>, order: &mut Order) {
    // Whatever the manifest says, values come in byte order of the names.
    let mut by_name: Vec<&Entry> = manifest.iter().collect();
    by_name.sort_by(|a, b| a.counter.as_bytes().cmp(b.counter.as_bytes()));
    let names: BTreeSet<&str> = manifest.iter().map(|entry| entry.counter.as_str()).collect();
    let is_named = names.len() == manifest.len() && !names.contains("");
    let entries: Vec<&Entry> = if is_named { by_name } else { manifest.iter().collect() };
    let moved: Vec<String> = entries
        .iter()
        .zip(manifest)
        .filter(|(entry, said)| entry.log_index != said.log_index)
        .map(|(entry, said)| {
            let (of, not) = (about(entry), about(said));
            format!("log {} is of {of}, not of {not}", said.log_index)
        })
        .collect();
    if !moved.is_empty() {
        order.corrected.push(format!(
            "rates come in byte order of the counters' names, which is not the order of the manifest: {}",
            some(&moved)
        ));
    }
    if !is_named && manifest.len() > 1 {
        order.unknown.push(
            "whether the manifest has the order of the counters' names, which it does not give".to_owned(),
        );
    }
    let mut shifted = Vec::new();
    for (log, entry) in entries.iter().enumerate() {
        let config = clues.cameras.and_then(|cameras| cameras.iter().find(|one| one.name == entry.camera_id));
        order.streams.push(Placed {
            camera: (!entry.camera_id.is_empty()).then(|| entry.camera_id.clone()),
            lane: entry.lane,
            branch: entry.branch,
            workloads: entry.workloads.clone(),
            target_fps: config.map(|config| config.target_fps),
            number: None,
        });
        let n_cameras =
            manifest.iter().filter_map(|entry| entry.camera_index).max().map_or(1, |most| most + 1);
        if entry.camera_index.is_some_and(|index| index != log % n_cameras) {
            shifted.push(format!("log {log} is of {}", about(entry)));
        }
    }
    if moved.is_empty() {
        told_shifts(&shifted, order);
    }
}

/// Says that the number of a log is not that of its camera.
fn told_shifts(shifted: &[String], order: &mut Order) {
    if !shifted.is_empty() {
        order.corrected.push(format!(
            "the number of a log, which `metrics.csv` calls a camera, is not that of its camera, since cameras with a vision language model play nothing and others play several pipelines: {}",
            some(shifted)
        ));
    }
}

fn about(entry: &Entry) -> String {
    let camera = match entry.camera_id.as_str() {
        "" => "a camera without a name",
        name => name,
    };
    called(camera, entry.branch, entry.lane)
}

/// `cam3/2 of lane 2`
fn called(camera: &str, branch: u32, lane: u32) -> String {
    let lane = if lane > 0 { format!(" of lane {}", lane + 1) } else { String::new() };
    format!("{camera}/{}{lane}", branch + 1)
}

/// A name of the old form: camera, pipeline, number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OldName {
    text: String,
    camera: u64,
    pipeline: u64,
    number: u64,
}

impl OldName {
    fn of(text: &str) -> Option<OldName> {
        let mut parts = text.strip_prefix("stream")?.split('_').map(|part| {
            let is_number = (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok())?
        });
        let (camera, pipeline, number) = (parts.next()??, parts.next()??, parts.next()??);
        let is_old = parts.next().is_none() && camera > 0 && pipeline > 0;
        is_old.then(|| OldName { text: text.to_owned(), camera, pipeline, number })
    }
}

/// The names of the old form in the order of the lane, if they are known.
fn old_names(n: usize, clues: &Clues<'_>) -> Option<Vec<OldName>> {
    if let Some(counters) = clues.counters.filter(|counters| counters.len() == n) {
        let mut names: Vec<OldName> = counters.iter().filter_map(|name| OldName::of(name)).collect();
        names.sort_by_key(|name| name.number);
        let is_whole = names.len() == n && names.windows(2).all(|pair| pair[0].number < pair[1].number);
        if is_whole {
            return Some(names);
        }
    }
    if clues.is_new {
        return None;
    }
    let cameras = clues.cameras?;
    let per_lane = per_lane(cameras);
    let is_whole = per_lane > 0 && n.is_multiple_of(per_lane);
    is_whole.then(|| names_by_config(cameras, n / per_lane))
}

/// The names that upstream's generator gave before the manifest.
fn names_by_config(cameras: &[LaneCamera], lanes: usize) -> Vec<OldName> {
    let mut names = Vec::new();
    let mut number = 0;
    for _ in 0..lanes {
        for (at, (_, camera)) in playing(cameras).enumerate() {
            for (pipeline, config) in camera.pipelines.iter().enumerate() {
                // One for its source, one for each detector, one for the counter.
                number += 2 + u64::from(config.detectors);
                let (camera, pipeline) = (at as u64 + 1, pipeline as u64 + 1);
                let text = format!("stream{camera}_{pipeline}_{number}");
                names.push(OldName { text, camera, pipeline, number });
            }
        }
    }
    names
}

fn by_names(names: &[OldName], clues: &Clues<'_>, order: &mut Order) {
    let mut placed: Vec<Placed> = Vec::new();
    let (mut lane, mut before) = (0, None);
    let cameras: Vec<(usize, &LaneCamera)> =
        clues.cameras.map(|all| playing(all).collect()).unwrap_or_default();
    for name in names {
        let here = (name.camera, name.pipeline);
        if before.is_some_and(|before| here <= before) {
            lane += 1;
        }
        before = Some(here);
        let config = usize::try_from(name.camera - 1).ok().and_then(|at| cameras.get(at));
        let branch = u32::try_from(name.pipeline - 1).unwrap_or(0);
        let pipeline = config.and_then(|(_, camera)| camera.pipelines.get(branch as usize));
        placed.push(Placed {
            camera: Some(
                config.map_or_else(|| format!("camera {}", name.camera), |(_, one)| one.name.clone()),
            ),
            lane,
            branch,
            workloads: pipeline.map(|pipeline| pipeline.workloads.clone()).unwrap_or_default(),
            target_fps: config.map(|(_, camera)| camera.target_fps),
            number: Some(name.number),
        });
    }
    // Log `j` has the values of the `j`th name in byte order.
    let mut logs: Vec<usize> = (0..names.len()).collect();
    logs.sort_by(|a, b| names[*a].text.as_bytes().cmp(names[*b].text.as_bytes()));
    let call = |one: &Placed| called(one.camera.as_deref().unwrap_or_default(), one.branch, one.lane);
    let moved: Vec<String> = logs
        .iter()
        .enumerate()
        .filter(|(log, stream)| log != *stream)
        .map(|(log, stream)| {
            format!("log {log} is of {}, not of {}", call(&placed[*stream]), call(&placed[log]))
        })
        .collect();
    if !moved.is_empty() {
        order.corrected.push(format!(
            "rates went to the logs of other streams, since they come in byte order of the counters' names: {}",
            some(&moved)
        ));
    } else if let Some(cameras) = clues.cameras {
        let shifted: Vec<String> = placed
            .iter()
            .enumerate()
            .filter(|(log, one)| {
                let index = cameras.iter().position(|camera| Some(&camera.name) == one.camera.as_ref());
                index.is_some_and(|index| index != log % cameras.len())
            })
            .map(|(log, one)| format!("log {log} is of {}", call(one)))
            .collect();
        told_shifts(&shifted, order);
    }
    if clues.cameras.is_none() {
        order.unknown.push(
            "the names of the cameras, which are numbered as they play: one with a vision language model is not counted. `--cameras` and `--workloads` name their files"
                .to_owned(),
        );
    }
    order.streams = logs.into_iter().map(|stream| placed[stream].clone()).collect();
}

/// Since the manifest, names sort in the order of the lane.
fn by_config(n: usize, cameras: &[LaneCamera], order: &mut Order) {
    let per_lane = per_lane(cameras);
    if per_lane == 0 || !n.is_multiple_of(per_lane) {
        return;
    }
    for lane in 0..n / per_lane {
        for (_, camera) in playing(cameras) {
            for (branch, pipeline) in camera.pipelines.iter().enumerate() {
                order.streams.push(Placed {
                    camera: Some(camera.name.clone()),
                    lane: u32::try_from(lane).unwrap_or(0),
                    branch: u32::try_from(branch).unwrap_or(0),
                    workloads: pipeline.workloads.clone(),
                    target_fps: Some(camera.target_fps),
                    number: None,
                });
            }
        }
    }
    order.unknown.push(
        "whether the order of the logs is that of the lane: there is no manifest, and logs of two columns came with one".to_owned(),
    );
}

fn some(texts: &[String]) -> String {
    match texts.len() {
        n if n <= MOST_NAMED => texts.join(", "),
        n => format!("{} and {} more", texts[..MOST_NAMED - 1].join(", "), n - MOST_NAMED + 1),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn cameras(n: usize, pipelines: &[usize]) -> Vec<LaneCamera> {
        let pipeline = |k: usize| LanePipeline { workloads: vec![format!("w{k}")], detectors: 1 };
        let camera = |at: usize| LaneCamera {
            name: format!("cam{}", at + 1),
            target_fps: 15.0,
            is_skipped: false,
            pipelines: (0..pipelines.get(at).copied().unwrap_or(1)).map(pipeline).collect(),
        };
        (0..n).map(camera).collect()
    }

    #[track_caller]
    fn check(n: usize, clues: &Clues<'_>, expect: Expect) {
        let Order { streams, corrected, unknown } = order(n, clues);
        let call = |one: &Placed| called(one.camera.as_deref().unwrap_or("?"), one.branch, one.lane);
        let mut text = streams.iter().map(call).collect::<Vec<_>>().join(", ");
        corrected.iter().for_each(|line| text += &format!("\ncorrected: {line}"));
        unknown.iter().for_each(|line| text += &format!("\nunknown: {line}"));
        expect.assert_eq(&text);
    }

    #[test]
    fn from_ten_cameras_on_byte_order_is_another() {
        let all = cameras(11, &[]);
        check(
            11,
            &Clues { cameras: Some(&all), ..Clues::default() },
            expect![[r#"
                cam10/1, cam11/1, cam1/1, cam2/1, cam3/1, cam4/1, cam5/1, cam6/1, cam7/1, cam8/1, cam9/1
                corrected: rates went to the logs of other streams, since they come in byte order of the counters' names: log 0 is of cam10/1, not of cam1/1, log 1 is of cam11/1, not of cam2/1, log 2 is of cam1/1, not of cam3/1 and 8 more"#]],
        );
        let nine = cameras(9, &[]);
        check(
            9,
            &Clues { cameras: Some(&nine), ..Clues::default() },
            expect!["cam1/1, cam2/1, cam3/1, cam4/1, cam5/1, cam6/1, cam7/1, cam8/1, cam9/1"],
        );
    }

    #[test]
    fn copies_of_a_camera_sort_by_the_digits_of_their_numbers() {
        // stream1_1_3, stream1_1_6, stream1_1_9, stream1_1_12
        let one = cameras(1, &[]);
        check(
            4,
            &Clues { cameras: Some(&one), ..Clues::default() },
            expect![[r#"
                cam1/1 of lane 4, cam1/1, cam1/1 of lane 2, cam1/1 of lane 3
                corrected: rates went to the logs of other streams, since they come in byte order of the counters' names: log 0 is of cam1/1 of lane 4, not of cam1/1, log 1 is of cam1/1, not of cam1/1 of lane 2, log 2 is of cam1/1 of lane 2, not of cam1/1 of lane 3, log 3 is of cam1/1 of lane 3, not of cam1/1 of lane 4"#]],
        );
    }

    #[test]
    fn names_of_a_launch_need_no_config() {
        let counters: BTreeSet<String> =
            ["stream1_1_3", "stream2_1_6", "stream1_1_9", "stream2_1_12"].map(str::to_owned).into();
        check(
            4,
            &Clues { counters: Some(&counters), ..Clues::default() },
            expect![[r#"
                camera 1/1, camera 1/1 of lane 2, camera 2/1 of lane 2, camera 2/1
                corrected: rates went to the logs of other streams, since they come in byte order of the counters' names: log 1 is of camera 1/1 of lane 2, not of camera 2/1, log 2 is of camera 2/1 of lane 2, not of camera 1/1 of lane 2, log 3 is of camera 2/1, not of camera 2/1 of lane 2
                unknown: the names of the cameras, which are numbered as they play: one with a vision language model is not counted. `--cameras` and `--workloads` name their files"#]],
        );
    }

    #[test]
    fn a_skipped_camera_moves_the_numbers_of_the_others() {
        let mut all = cameras(4, &[1, 1, 2, 1]);
        all[1].is_skipped = true;
        check(
            4,
            &Clues { cameras: Some(&all), ..Clues::default() },
            expect![[r#"
                cam1/1, cam3/1, cam3/2, cam4/1
                corrected: the number of a log, which `metrics.csv` calls a camera, is not that of its camera, since cameras with a vision language model play nothing and others play several pipelines: log 1 is of cam3/1"#]],
        );
    }

    #[test]
    fn without_a_clue_nothing_is_guessed() {
        check(
            3,
            &Clues::default(),
            expect![[r#"
                ?/1, ?/1, ?/1
                unknown: which camera a log is of: name the file of the cameras with `--cameras` and that of the workloads with `--workloads`"#]],
        );
        let two = cameras(2, &[]);
        check(
            3,
            &Clues { cameras: Some(&two), ..Clues::default() },
            expect![[r#"
                ?/1, ?/1, ?/1
                unknown: which camera a log is of: 3 logs are no whole number of lanes, since a lane has 2 streams by the files of the cameras and workloads"#]],
        );
    }

    #[test]
    fn a_manifest_decides_and_byte_order_decides_over_it() {
        let entry = |counter: &str, log_index: usize, camera: usize| Entry {
            counter: counter.to_owned(),
            log_index,
            lane: 0,
            camera_index: Some(camera),
            camera_id: format!("cam{}", camera + 1),
            branch: 0,
            workloads: Vec::new(),
        };
        let right = [entry("s0", 0, 0), entry("s1", 1, 2)];
        check(
            2,
            &Clues { manifest: Some(&right), ..Clues::default() },
            expect![[r#"
                cam1/1, cam3/1
                corrected: the number of a log, which `metrics.csv` calls a camera, is not that of its camera, since cameras with a vision language model play nothing and others play several pipelines: log 1 is of cam3/1"#]],
        );
        let wrong = [entry("s9", 0, 0), entry("s10", 1, 1)];
        check(
            2,
            &Clues { manifest: Some(&wrong), ..Clues::default() },
            expect![[r#"
                cam2/1, cam1/1
                corrected: rates come in byte order of the counters' names, which is not the order of the manifest: log 0 is of cam2/1, not of cam1/1, log 1 is of cam1/1, not of cam2/1"#]],
        );
    }

    #[test]
    fn the_new_form_without_a_manifest_keeps_the_order_of_the_lane() {
        let twelve = cameras(12, &[]);
        let placed = order(12, &Clues { cameras: Some(&twelve), is_new: true, ..Clues::default() });
        assert_eq!(placed.streams[9].camera.as_deref(), Some("cam10"));
        assert!(placed.corrected.is_empty() && placed.unknown.len() == 1);
    }
}
