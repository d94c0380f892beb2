//! Detectors that see, that see nothing, and that stop seeing, over clips that are made up.

use std::collections::BTreeMap;

use super::*;
use crate::model::{Expect as Scenery, SourceKind};
use crate::record::seen::{Detector, Expected, ExpectedSource, ExpectedSpan};
use crate::record::{RunRecord, SourceConfig};
use crate::worker::protocol::{ElementMessage, Place, Sights};

const FPS: u64 = 15;

/// A stream with one detector over a clip.
#[derive(Clone)]
struct Clip {
    /// `zbar` or `motioncells`.
    kind: &'static str,
    pass_ms: u64,
    /// From, to, and the code.
    spans: Vec<(u64, u64, &'static str)>,
    source: Option<ExpectedSource>,
    offset_ms: u64,
    /// Seconds, after 2 s of warm-up.
    window: u64,
    /// Of 100 frames.
    dropped: u64,
    /// From and for how many milliseconds after the first frame nothing arrives.
    stall_ms: (u64, u64),
}

fn clip(kind: &'static str) -> Clip {
    Clip {
        kind,
        pass_ms: 10_000,
        spans: vec![(1_000, 3_000, "TEA-1"), (4_000, 5_500, "COLA-2"), (7_000, 8_200, "SOAP-3")],
        source: Some(ExpectedSource::Scene("till".to_owned())),
        offset_ms: 0,
        window: 20,
        dropped: 0,
        stall_ms: (0, 0),
    }
}

/// Numbers by chance, the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Plays it. `sees` tells whether the detector notices what a frame shows, by the frame's
/// number and what is in it.
fn play(
    clip: &Clip,
    random: &mut Random,
    mut sees: impl FnMut(u64, &str, &mut Random) -> Option<String>,
) -> RunRecord {
    let mut member = member("c", "C", FPS as f64, &[(&["scan"], 0)]);
    let stream = &mut member.streams[0];
    stream.detectors =
        vec![Detector { element: "c_1_zbar".to_owned(), kind: clip.kind.to_owned(), model: None }];
    stream.expected = clip
        .source
        .iter()
        .map(|source| Expected {
            element: "c_1_zbar".to_owned(),
            source: source.clone(),
            spans: clip
                .spans
                .iter()
                .map(|(from_ms, to_ms, code)| ExpectedSpan {
                    from_ms: *from_ms,
                    to_ms: *to_ms,
                    code: (clip.kind == "zbar").then(|| (*code).to_owned()),
                })
                .collect(),
        })
        .collect();
    let mut story = Story::new(setup(Pace::Live, clip.window, 2, &["c"], vec![member]));
    let origin_us = 3 * S;
    let (mut played, mut moving, mut still_ms) = (0, false, 0);
    let mut frames: Vec<(u64, u64)> = Vec::new();
    let (stall_from, stall_for) = clip.stall_ms;
    for n in 0..(clip.window + 4) * FPS {
        let due_ms = n * 1000 / FPS;
        let position_ms = (clip.offset_ms + due_ms) % clip.pass_ms;
        let stalled_until = stall_from + stall_for;
        // Frames that were held up arrive in a burst, one after the other.
        let at_us = match (stall_from..stalled_until).contains(&due_ms) {
            true => origin_us + stalled_until * 1000 + (due_ms - stall_from),
            false => origin_us + due_ms * 1000 + 7_000 + random.below(8_000),
        };
        let is_dropped = random.below(100) < clip.dropped;
        if !is_dropped {
            frames.push((at_us, origin_us + due_ms * 1000));
            let shown = clip.spans.iter().find(|(from, to, _)| (*from..*to).contains(&position_ms));
            let seen = sees(n, shown.map_or("", |(_, _, code)| code), random);
            let mut post = |message: &str, fields: &[(&str, &str)]| {
                let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                let message = ElementMessage {
                    at_us: at_us - 1_000,
                    element: "c_1_zbar".to_owned(),
                    factory: clip.kind.to_owned(),
                    message: message.to_owned(),
                    stream_time: Some(position_ms * 1_000_000),
                    fields: fields.collect(),
                };
                let body = EventBody::Messages { stream: "c/1".to_owned(), messages: vec![message] };
                story.say(0, at_us - 1_000, body);
            };
            match (clip.kind, seen) {
                ("zbar", Some(code)) => post("barcode", &[("symbol", &code)]),
                ("motioncells", Some(_)) => {
                    still_ms = due_ms;
                    if !std::mem::replace(&mut moving, true) {
                        post("motion", &[("motion_begin", "1")]);
                    }
                }
                ("motioncells", None) if moving && still_ms + 1000 < due_ms => {
                    moving = false;
                    post("motion", &[("motion_finished", "1")]);
                }
                _ => {}
            }
        }
        if (n + 1) % FPS == 0 {
            frames.sort_unstable();
            played += frames.len() as u64;
            let place = frames.first().map(|(at_us, due_us)| {
                let since_ms = (due_us - origin_us) / 1000;
                let clip_ns = (clip.offset_ms + since_ms) % clip.pass_ms * 1_000_000;
                Place { at_us: *at_us, clip_ns, pass_ns: Some(clip.pass_ms * 1_000_000) }
            });
            let body = EventBody::Frames {
                stream: "c/1".to_owned(),
                arrived_us: frames.iter().map(|(at_us, _)| *at_us).collect(),
                latency_us: Vec::new(),
                late_us: frames.iter().map(|(at, due)| Some((at - due).try_into().unwrap())).collect(),
                decoded: played,
                played,
                dropped: 0,
                taken_out: 0,
                fates: Box::default(),
                delivered: Box::default(),
                queues: BTreeMap::new(),
                sights: Box::new(Sights { place, regions: Vec::new() }),
            };
            let last = frames.last().map_or(0, |(at_us, _)| *at_us);
            frames.clear();
            story.say(0, last.max(origin_us + (due_ms + 1000 / FPS) * 1000), body);
        }
    }
    story.builder.finish()
}

/// One that works reads a code in nearly every frame, and begins to see a motion late.
fn works(_: u64, shown: &str, random: &mut Random) -> Option<String> {
    (!shown.is_empty() && random.below(100) < 97).then(|| shown.to_owned())
}

/// The verdict's reason, if it is invalid, and what the notes say.
fn told(record: &RunRecord) -> String {
    let stream = &measure(record).cameras[0].streams[0];
    let mut text = match stream.verdict {
        Verdict::Invalid => format!("invalid: {}", stream.reason.as_deref().unwrap_or("")),
        _ => "not accused".to_owned(),
    };
    for note in &stream.notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    text
}

#[track_caller]
fn check_clip(
    clip: &Clip,
    sees: impl FnMut(u64, &str, &mut Random) -> Option<String>,
    expect: Expect,
) -> RunRecord {
    let record = play(clip, &mut Random(7), sees);
    expect.assert_eq(&told(&record));
    record
}

const BLIND: fn(u64, &str, &mut Random) -> Option<String> = |_, _, _| None;

#[test]
fn a_detector_that_sees_nothing_makes_a_run_invalid() {
    let record = check_clip(
        &clip("zbar"),
        BLIND,
        expect![[
            r#"invalid: `zbar` saw nothing, though the scene of its clip has 7 codes in the part that was played (`till`)"#
        ]],
    );
    let measurement = measure(&record);
    expect!["0 of 1 camera holds 15 fps, 1 is invalid; machine CPU not measured"]
        .assert_eq(&measurement.verdict);
    let shortfall = shortfall(&record, &measurement, Claim::Held);
    expect!["1 of 1 camera is invalid"].assert_eq(&shortfall.unwrap());
    check_clip(
        &Clip { source: Some(ExpectedSource::Truth("till.truth.json".to_owned())), ..clip("motioncells") },
        BLIND,
        expect![[
            r#"invalid: `motioncells` saw nothing, though its clip's truth file has 7 motions in the part that was played (`till.truth.json`)"#
        ]],
    );
    check_clip(
        &Clip { source: Some(ExpectedSource::Run("20261129T1-abc".to_owned())), ..clip("zbar") },
        BLIND,
        expect![[
            r#"invalid: `zbar` saw nothing, though an earlier run saw 7 codes in the part that was played (20261129T1-abc)"#
        ]],
    );
}

#[test]
fn a_detector_that_works_has_figures_and_is_not_accused() {
    let record = check_clip(&clip("zbar"), works, expect!["not accused"]);
    let stream = &measure(&record).cameras[0].streams[0];
    // 4.7 s of each pass of 10 s have a code; 97 of 100 frames are read.
    let zbar = &stream.seen[0];
    assert_eq!((stream.seen.len(), zbar.kind.as_str()), (1, "zbar"));
    assert!((135..=141).contains(&zbar.events), "{zbar:?}");
    assert_eq!(zbar.per_second, Some(zbar.events as f64 / 20.0));
    let spans = &record.members[0].streams[0].seen[0].spans;
    assert_eq!(
        spans.iter().map(|span| span.code.as_deref().unwrap()).collect::<Vec<_>>()[..4],
        ["TEA-1", "COLA-2", "SOAP-3", "TEA-1"]
    );
    check_clip(&clip("motioncells"), works, expect!["not accused"]);
}

#[test]
fn a_detector_that_saw_something_only_in_the_warm_up_is_blind() {
    check_clip(
        &clip("zbar"),
        |n, shown, random| works(n, shown, random).filter(|_| n < 2 * FPS),
        expect!["invalid: `zbar` saw 1 of 7 codes in the part that was played (`till`)"],
    );
}

#[test]
fn a_detector_that_sees_a_hundredth_is_blind() {
    let mut seen = 0;
    check_clip(
        &Clip { window: 60, ..clip("zbar") },
        |n, shown, random| {
            let code = works(n, shown, random)?;
            seen += 1;
            (seen % 100 == 0).then_some(code)
        },
        expect!["invalid: `zbar` saw 4 of 19 codes in the part that was played (`till`)"],
    );
}

#[test]
fn a_picture_that_freezes_with_a_code_in_it_does_not_pass_for_the_others() {
    check_clip(
        &clip("zbar"),
        |_, _, _| Some("TEA-1".to_owned()),
        expect!["invalid: `zbar` saw 3 of 7 codes in the part that was played (`till`)"],
    );
}

#[test]
fn a_detector_that_goes_blind_is_told_from_one_that_rests() {
    check_clip(
        &Clip { window: 60, ..clip("zbar") },
        |n, shown, random| works(n, shown, random).filter(|_| n < 40 * FPS),
        expect!["invalid: `zbar` saw nothing for 20 s, in which the scene of its clip has 7 codes (`till`)"],
    );
}

#[test]
fn without_a_reference_it_cannot_be_told() {
    let unknown = Clip { source: None, ..clip("zbar") };
    check_clip(
        &unknown,
        BLIND,
        expect![[r#"
        not accused
        note: cannot tell whether `zbar` works: it saw nothing"#]],
    );
    check_clip(&unknown, works, expect!["not accused"]);
    // A quiet part of the clip.
    check_clip(
        &Clip { window: 1, offset_ms: 3_200, spans: vec![(1_000, 3_000, "TEA-1")], ..clip("zbar") },
        BLIND,
        expect![[r#"
            not accused
            note: cannot tell whether `zbar` works: it saw nothing, and too little was to be seen in this window"#]],
    );
    // A clip without codes.
    check_clip(&Clip { spans: Vec::new(), ..clip("zbar") }, BLIND, expect!["not accused"]);
}

#[test]
fn an_empty_scene_is_declared() {
    let mut record = play(&clip("zbar"), &mut Random(7), BLIND);
    let configured = |source| SourceConfig {
        source,
        name: None,
        origin: None,
        width: 640,
        height: 360,
        fps: 15.0,
        codec: None,
        accept: Vec::new(),
        expect: Some(Scenery::Nothing),
    };
    record.members[0].configured = Some(configured(SourceKind::File));
    expect!["not accused"].assert_eq(&told(&record));
    let mut record = play(&Clip { window: 2, offset_ms: 9_500, ..clip("zbar") }, &mut Random(7), works);
    record.members[0].configured = Some(configured(SourceKind::File));
    expect![[r#"
        not accused
        note: `zbar` saw 21 codes, though the camera has `expect = "nothing"`"#]]
    .assert_eq(&told(&record));
}

#[test]
fn a_run_whose_clip_changed_proves_nothing_about_detectors() {
    let mut record = play(&clip("zbar"), &mut Random(7), BLIND);
    record.inputs_changed = vec![ProjectPath::new("media/till.mp4").unwrap()];
    assert_eq!(measure(&record).cameras[0].verdict, Verdict::Undecided);
}

#[test]
fn codes_that_a_user_writes_otherwise_are_the_same() {
    check_clip(
        &Clip { source: Some(ExpectedSource::Truth("till.truth.json".to_owned())), ..clip("zbar") },
        |n, shown, random| works(n, shown, random).map(|code| format!("0{code}")),
        expect!["not accused"],
    );
}

/// A clip, an offset, a window, drops and a stall by chance.
fn chance(seed: u64) -> (Clip, Random) {
    let mut random = Random(seed);
    let kind = if seed.is_multiple_of(2) { "zbar" } else { "motioncells" };
    let pass_ms = 3_000 + random.below(30_000);
    let (mut spans, mut at) = (Vec::new(), random.below(2_000));
    for code in ["A", "B", "C", "D", "E", "F"] {
        let to = at + 100 + random.below(4_000);
        if to < pass_ms {
            spans.push((at, to, code));
        }
        // A detector of motion bridges pauses of a second.
        at = to + 1_100 + random.below(3_000);
    }
    let source = match random.below(3) {
        0 => ExpectedSource::Scene("s".to_owned()),
        1 => ExpectedSource::Truth("t".to_owned()),
        _ => ExpectedSource::Run("r".to_owned()),
    };
    let clip = Clip {
        kind,
        pass_ms,
        spans,
        source: Some(source),
        offset_ms: random.below(pass_ms),
        window: 1 + random.below(40),
        dropped: [0, 0, 5, 30][random.below(4) as usize],
        stall_ms: (random.below(20_000), [0, 0, 800, 6_000][random.below(4) as usize]),
    };
    (clip, random)
}

#[test]
fn of_a_thousand_runs_with_working_detectors_none_is_accused() {
    for seed in 0..1_000 {
        let (clip, mut random) = chance(seed);
        // A motion is seen after some frames, and not at its very end.
        let mut since = 0;
        let record = play(&clip, &mut random, |n, shown, random| {
            since = if shown.is_empty() { 0 } else { since + 1 };
            works(n, shown, random).filter(|_| clip.kind == "zbar" || 3 < since)
        });
        let told = told(&record);
        assert!(!told.contains("invalid"), "seed {seed}: {told}");
    }
}

#[test]
fn of_a_thousand_runs_with_blind_detectors_none_passes_unnoticed() {
    let mut n_accused = 0;
    for seed in 0..1_000 {
        let (clip, mut random) = chance(seed);
        let record = play(&clip, &mut random, BLIND);
        let told = told(&record);
        n_accused += u64::from(told.contains("invalid"));
        assert!(
            told.contains("invalid") || told.contains("cannot tell") || clip.spans.is_empty(),
            "seed {seed}: {told}"
        );
        // Three passes show each long part at least twice.
        let is_long = clip.spans.iter().any(|(from, to, _)| 1_500 < to - from);
        let is_whole = 3 * clip.pass_ms < clip.window * 1000 && clip.dropped < 30 && clip.stall_ms.1 < 1_000;
        assert!(!(is_long && is_whole) || told.contains("invalid"), "seed {seed}: {told}");
    }
    assert!(700 < n_accused, "{n_accused}");
}
