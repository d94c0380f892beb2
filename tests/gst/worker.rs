//! The protocol's promises: exact counts, loops without a seam, refusals in
//! messages, and reported ends.

use expect_test::expect;
use lp::pipeline::{Element, Playback, Value};
use lp::worker::protocol::{ElementMessage, End, EventBody};
use rustix::process::{Pid, Signal};

use crate::support::{Bench, decoder, file, sink, spec};

#[test]
fn every_frame_of_a_clip_is_counted_once() {
    let mut bench = Bench::new();
    let clip = bench.clip(64, 30);
    bench.start("camera-1/1", file(&clip, vec![decoder(), sink()], Playback::Once), 0).unwrap();
    let (frames, end) = bench.frames(|_| false);
    assert_eq!(end, Some(End::Eos));
    let n_frames = Bench::count(&clip);
    assert_eq!((frames.decoded, frames.played, frames.dropped), (n_frames, n_frames, 0));
    assert_eq!(frames.arrived_us.len(), 64);
    // Nothing paces this file, so its latency would be queue depth.
    assert!(frames.latency_us.is_empty());
}

#[test]
fn a_loop_goes_on_at_the_rate_of_the_clip() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let paced = vec![Element::new("clocksync").named("ingress"), decoder(), sink()];
    bench.start("camera-1/1", file(&clip, paced, Playback::Loop), 0).unwrap();
    let (frames, end) = bench.frames(|frames| 31 <= frames.played);
    assert_eq!(end, None);
    assert_eq!(frames.dropped, 0);
    // A pass that is a frame short or long would shift all that follow by 100 ms.
    // The machine may delay a frame, but none comes before its time, and not all
    // of a pass come late.
    let delay_us = |n: usize| (frames.arrived_us[n] - frames.arrived_us[0]) as i64 - n as i64 * 100_000;
    for pass in [0..10, 10..20, 20..30] {
        let least = pass.clone().map(delay_us).min().unwrap();
        assert!((-50_000..50_000).contains(&least), "{least} us in frames {pass:?}");
    }
    assert!(frames.latency_us.iter().all(Option::is_some));
}

/// Frames that the decoder reorders come at their times across the seams, as from a
/// camera whose stream has none.
#[test]
fn a_clip_with_b_frames_loops_without_a_seam() {
    for encoder in ["libx264 -bf 3 -x264-params b-adapt=0:open-gop=1", "libx265 -x265-params log-level=none"]
    {
        let mut bench = Bench::new();
        let clip = bench.encoded(12, 12, encoder);
        let is_h264 = encoder.contains("264");
        let (parser, factory) =
            if is_h264 { ("h264parse", "avdec_h264") } else { ("h265parse", "avdec_h265") };
        let source = Element::new("filesrc").set("location", Value::Text(clip.to_str().unwrap().to_owned()));
        let elements = vec![
            source,
            Element::new("qtdemux"),
            Element::new(parser),
            Element::new("clocksync").named("ingress"),
            Element::new(factory).int("max-threads", 1).named("decoder"),
            sink(),
        ];
        bench.start("camera-1/1", spec(elements, Playback::Loop), 0).unwrap();
        let (frames, end) = bench.frames(|frames| 40 <= frames.played);
        assert_eq!((end, frames.dropped, frames.fates.damaged_us.len()), (None, 0, 0), "{encoder}");
        // Each is due at its place in one even stream: 12 frames a second, pass after pass.
        let late: Vec<i64> = frames.late_us.iter().map(|late| late.unwrap()).collect();
        let due: Vec<i64> = frames.arrived_us.iter().zip(&late).map(|(at, late)| *at as i64 - late).collect();
        // The first frames may come before the decoder has said how long it holds them.
        for (n, pair) in due[3..].windows(2).enumerate() {
            assert!((82_000..84_700).contains(&(pair[1] - pair[0])), "{encoder}: {n}: {due:?}");
        }
        // Not all frames of a pass come late, nor any before the one before it.
        for pass in [0..12, 12..24, 24..36] {
            let least = late[pass].iter().min().unwrap();
            assert!(*least < 50_000, "{encoder}: {late:?}");
        }
    }
}

/// As the `dlstreamer` dialect plays a file, but for the elements of its steps.
#[test]
fn a_decoder_that_is_found_while_it_runs_loops_and_is_counted() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let queue = || Element::new("queue").int("max-size-buffers", 3).text("leaky", "downstream");
    // Ended in different passes: what ends a pass must not run into what ends all.
    for (round, n_frames) in [25, 3, 8, 12, 16].into_iter().enumerate() {
        let decoder = if round == 0 { "decodebin" } else { "decodebin3" };
        let paced = vec![
            Element::new("clocksync").named("ingress"),
            Element::new(decoder).named("decoder"),
            queue(),
            queue(),
            Element::new("fpsdisplaysink")
                .text("video-sink", "fakesink")
                .bool("signal-fps-measurements", true)
                .named("sink"),
        ];
        let stream = format!("{decoder}/{round}");
        bench.start(&stream, file(&clip, paced, Playback::Loop), 0).unwrap();
        let (frames, end) = bench.frames(|frames| n_frames <= frames.played);
        assert_eq!(end, None);
        let latencies: Vec<u32> = frames.latency_us.iter().copied().flatten().collect();
        assert!(frames.latency_us.len() <= latencies.len() + 1, "{:?}", frames.latency_us);
        bench.worker().stop_stream(&stream).unwrap();
        let (last, end) = bench.frames(|_| false);
        assert_eq!((end, last.decoded), (Some(End::Eos), last.played + last.dropped));
    }
}

#[test]
fn unknown_and_unlinkable_elements_are_refused_by_name() {
    let mut bench = Bench::new();
    let clip = bench.clip(2, 10);
    let mut refusal =
        |rest: Vec<Element>| bench.start("camera-1/1", file(&clip, rest, Playback::Once), 0).unwrap_err();
    expect!["no element `gvapython` is installed on the worker's machine"]
        .assert_eq(&refusal(vec![Element::new("gvapython"), sink()]));
    expect!["`queue` (`q`): no property `leeky`"]
        .assert_eq(&refusal(vec![Element::new("queue").named("q").text("leeky", "downstream"), sink()]));
    expect!["`h264parse` (`h264parse-2`) cannot be linked to `wavparse` (`w`): the first gives `video/x-h264, parsed=true, stream-format={ avc, avc3, byte-stream }, alignment={ au, nal }`, the second takes `audio/x-wav; audio/x-rf64`"].assert_eq(&refusal(vec![Element::new("wavparse").named("w"), sink()]));
    expect!["`filesink` (`out`) has no output to link to `fakesink` (`fakesink-4`)"]
        .assert_eq(&refusal(vec![Element::new("filesink").named("out"), sink()]));
}

#[test]
fn a_failed_start_reports_the_error_of_its_element() {
    let mut bench = Bench::new();
    let absent = file("/nowhere.mp4".as_ref(), vec![decoder(), sink()], Playback::Once);
    expect![[r#"`filesrc` (`filesrc-0`): Resource not found: No such file "/nowhere.mp4""#]]
        .assert_eq(&bench.start("camera-1/1", absent, 0).unwrap_err());

    // A clip whose only stream is none that the chain can take.
    let clip = bench.clip(2, 10);
    let source = Element::new("filesrc").set("location", Value::Text(clip.to_str().unwrap().to_owned()));
    let elements = vec![
        source,
        Element::new("qtdemux").named("demux"),
        Element::new("h265parse").named("parse"),
        sink(),
    ];
    expect!["`qtdemux` (`demux`) offers `video/x-h264`, which `h265parse` (`parse`) does not accept"]
        .assert_eq(&bench.start("camera-1/1", spec(elements, Playback::Once), 0).unwrap_err());
}

#[test]
fn sound_where_video_is_asked_for_is_named() {
    let mut bench = Bench::new();
    let sound = || vec![Element::new("audiotestsrc").int("num-buffers", 5), Element::new("wavenc")];
    let mut why = |behind: Vec<Element>| {
        let spec = spec(sound().into_iter().chain(behind).collect(), Playback::Once);
        match bench.start("camera-1/1", spec, 0) {
            Err(reason) => reason,
            Ok(()) => match bench.frames(|_| false).1 {
                Some(End::Error { reason, .. }) => reason,
                other => panic!("{other:?}"),
            },
        }
    };
    let decoder = || Element::new("decodebin").named("d");
    let asked = why(vec![decoder().text("caps", "video/x-raw"), sink()]);
    assert!(asked.ends_with("it has no video, only sound"), "{asked}");
    let taken = why(vec![decoder(), Element::new("videoconvert"), sink()]);
    assert!(taken.contains("`decodebin` (`d`) has no video, only sound (`audio/x-raw`)"), "{taken}");
}

#[test]
fn a_name_is_taken_until_its_stream_is_over() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let paced = || {
        let rest = vec![Element::new("clocksync").named("ingress"), decoder(), sink()];
        file(&clip, rest, Playback::Loop)
    };
    bench.start("camera-1/1", paced(), 0).unwrap();
    expect!["`camera-1/1` is already playing"].assert_eq(&bench.start("camera-1/1", paced(), 0).unwrap_err());
    bench.worker().stop_stream("camera-1/1").unwrap();
    let (_, end) = bench.frames(|_| false);
    assert_eq!(end, Some(End::Eos));
    bench.start("camera-1/1", paced(), 0).unwrap();
}

#[test]
fn an_error_ends_the_stream_and_names_the_element() {
    let mut bench = Bench::new();
    let clip = bench.clip(20, 30);
    let failing = Element::new("identity").named("faulty").int("error-after", 5);
    let _ = bench.start("camera-1/1", file(&clip, vec![decoder(), failing, sink()], Playback::Once), 0);
    let (frames, end) = bench.frames(|_| false);
    let Some(End::Error { element, reason, .. }) = end else { panic!("{end:?}") };
    expect!["faulty: Failed after iterations as requested"].assert_eq(&format!("{element}: {reason}"));
    assert_eq!(frames.played, 4);
    // The worker lives on.
    bench.start("camera-1/1", file(&clip, vec![decoder(), sink()], Playback::Once), 0).unwrap();
}

#[test]
fn a_crashed_worker_is_reported_with_its_signal() {
    let mut bench = Bench::new();
    bench.worker().hello().unwrap();
    let pid = Pid::from_raw(i32::try_from(bench.worker().pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::SEGV).unwrap();
    let (_, exit) = bench.rest();
    expect!["killed by SIGSEGV"].assert_eq(&exit.to_string());
}

#[test]
fn the_end_of_stdin_drains_all_streams_and_is_status_0() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    for stream in ["camera-1/1", "camera-2/1"] {
        let paced =
            vec![Element::new("clocksync").named("ingress"), decoder(), Element::new("queue"), sink()];
        bench.worker().start_stream(stream.into(), file(&clip, paced, Playback::Loop), 0).unwrap();
    }
    let live = vec![
        Element::new("videotestsrc").bool("is-live", true),
        Element::new("identity").named("decoder"),
        sink(),
    ];
    bench.worker().start_stream("camera-3/1".into(), spec(live, Playback::Loop), 0).unwrap();
    // All three have played something.
    let mut silent = vec!["camera-1/1", "camera-2/1", "camera-3/1"];
    while !silent.is_empty() {
        if let EventBody::Frames { stream, played: 1.., .. } = bench.event().body {
            silent.retain(|name| *name != stream);
        }
    }
    let (bodies, exit) = bench.finish();
    assert!(exit.exit.success(), "{exit}");
    let mut ended = Vec::new();
    let mut counts = std::collections::BTreeMap::new();
    for body in bodies {
        match body {
            EventBody::Ended { stream, end } => ended.push((stream, end)),
            EventBody::Frames { stream, decoded, played, dropped, .. } => {
                counts.insert(stream, decoded - played - dropped);
            }
            _ => {}
        }
    }
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    let names = ["camera-1/1", "camera-2/1", "camera-3/1"];
    assert_eq!(ended, names.map(|name| (name.to_owned(), End::Eos)));
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [0, 0, 0]);
}

#[test]
fn a_stream_that_hangs_is_named_and_does_not_keep_the_worker() {
    let mut bench = Bench::new();
    let hanging = vec![
        Element::new("videotestsrc").bool("is-live", true),
        Element::new("identity").named("decoder"),
        // What is in the queue when EOS comes takes a minute.
        Element::new("queue").int("max-size-buffers", 60),
        Element::new("identity").int("sleep-time", 1_000_000),
        sink(),
    ];
    bench.start("camera-1/1", spec(hanging, Playback::Once), 0).unwrap();
    bench.frames(|frames| 30 < frames.decoded);
    let (bodies, exit) = bench.finish();
    assert!(exit.exit.success(), "{exit}");
    let ended = bodies.into_iter().find_map(|body| match body {
        EventBody::Ended { end: End::Error { element, reason, .. }, .. } => {
            Some(format!("{element}: {reason}"))
        }
        _ => None,
    });
    expect!["camera-1/1: did not end within 4 s of EOS"].assert_eq(&ended.unwrap());
}

#[test]
fn output_of_plugins_does_not_reach_the_protocol() {
    let mut bench = Bench::new();
    // `fdsink` writes what it gets to descriptor 1.
    let noisy = vec![
        Element::new("videotestsrc").int("num-buffers", 3),
        Element::new("identity").named("decoder"),
        Element::new("fdsink").int("fd", 1),
    ];
    bench.start("camera-1/1", spec(noisy, Playback::Once), 0).unwrap();
    let (frames, end) = bench.frames(|_| false);
    assert_eq!((frames.played, end), (3, Some(End::Eos)));
    let (_, exit) = bench.finish();
    assert!(exit.exit.success());
}

#[test]
fn drops_of_a_leaky_queue_are_the_missing_frames() {
    let mut bench = Bench::new();
    let clip = bench.clip(300, 30);
    let rest = vec![
        decoder(),
        Element::new("queue").named("leak").text("leaky", "downstream").int("max-size-buffers", 2),
        // Slower than any decoder of such frames.
        Element::new("identity").int("sleep-time", 20_000),
        sink(),
    ];
    bench.start("camera-1/1", file(&clip, rest, Playback::Once), 0).unwrap();
    let (frames, end) = bench.frames(|_| false);
    assert_eq!(end, Some(End::Eos));
    assert_eq!(frames.decoded, 300);
    assert_eq!(frames.played + frames.dropped, 300);
    assert!(100 < frames.dropped, "{frames:?}");
}

#[test]
fn an_element_reports_positions_in_the_clip_in_every_pass() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let rest = vec![
        Element::new("clocksync").named("ingress"),
        decoder(),
        Element::new("videoconvert"),
        Element::new("videoanalyse").named("seen"),
        sink(),
    ];
    bench.start("camera-1/1", file(&clip, rest, Playback::Loop), (u64::MAX / 10 + 1) * 3).unwrap();
    let mut times = Vec::new();
    while times.len() < 12 {
        let EventBody::Messages { messages, .. } = bench.event().body else { continue };
        for ElementMessage { stream_time, message, element, factory, fields, .. } in messages {
            assert_eq!((element.as_str(), factory.as_str()), ("seen", "videoanalyse"));
            assert!(fields.contains_key("luma-average"), "{message} {fields:?}");
            times.push(stream_time.unwrap() / 1_000_000);
        }
    }
    times.truncate(12);
    expect!["[300, 400, 500, 600, 700, 800, 900, 0, 100, 200, 300, 400]"].assert_eq(&format!("{times:?}"));
}

#[test]
fn factories_are_described_or_absent() {
    let mut bench = Bench::new();
    bench.worker().hello().unwrap();
    let machine = bench.worker().inspect(&["queue".into(), "no-such-element".into()]).unwrap();
    assert!(machine.has("queue") && !machine.has("no-such-element"));
    assert_eq!(machine.factories["queue"].as_ref().unwrap().plugin, "coreelements");
    assert!(machine.gstreamer.starts_with("1."), "{}", machine.gstreamer);
}

/// A chain with a side branch that leaks, or is slow, or ends early.
fn branching(clip: &std::path::Path, side: Vec<Element>) -> lp::pipeline::PipelineSpec {
    let mut elements = file(clip, vec![decoder(), Element::new("tee").named("t")], Playback::Once).elements;
    let tee = elements.len() - 1;
    elements.extend([Element::new("queue").named("main"), sink().named("sink")]);
    let sink = elements.len() - 1;
    for (position, element) in side.into_iter().enumerate() {
        elements.push(if position == 0 { element.branching_from(tee) } else { element });
    }
    lp::pipeline::PipelineSpec { sink, ..spec(elements, Playback::Once) }
}

#[test]
fn drops_in_a_side_branch_do_not_count_at_the_sink() {
    let mut bench = Bench::new();
    let clip = bench.clip(120, 30);
    let side = vec![
        Element::new("queue").named("side").text("leaky", "downstream").int("max-size-buffers", 1),
        Element::new("identity").int("sleep-time", 50_000),
        sink().bool("async", false),
    ];
    bench.start("camera-1/1", branching(&clip, side), 0).unwrap();
    let mut last = (0, 0, 0, Vec::new());
    let end = loop {
        match bench.event().body {
            EventBody::Ended { end, .. } => break end,
            EventBody::Frames { decoded, played, dropped, queues, .. } => {
                assert!(played + dropped <= decoded);
                last = (decoded, played, dropped, queues.into_keys().collect());
            }
            _ => {}
        }
    };
    assert_eq!(end, End::Eos);
    assert_eq!(last, (120, 120, 0, vec!["main".to_owned()]));
}

#[test]
fn a_branch_of_a_branch_plays_as_well() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let mut spec = branching(
        &clip,
        vec![Element::new("queue"), Element::new("tee").named("u"), Element::new("queue"), sink()],
    );
    let inner = spec.elements.iter().position(|element| element.name.as_deref() == Some("u")).unwrap();
    spec.elements.extend([
        Element::new("queue").branching_from(inner),
        Element::new("videoconvert"),
        Element::new("videoanalyse").named("seen"),
        sink(),
    ]);
    bench.start("camera-1/1", spec, 0).unwrap();
    let mut seen = 0;
    let end = loop {
        match bench.event().body {
            EventBody::Messages { messages, .. } => {
                seen += messages.iter().filter(|message| message.element == "seen").count();
            }
            EventBody::Ended { end, .. } => break end,
            _ => {}
        }
    };
    assert_eq!((seen, end), (10, End::Eos));
}

#[test]
fn a_branch_from_nowhere_is_refused() {
    let mut bench = Bench::new();
    let clip = bench.clip(2, 10);
    let mut spec = branching(&clip, vec![Element::new("queue"), sink()]);
    spec.elements[6].from = Some(9);
    expect!["element 6 is linked from element 9, which is not an earlier one"]
        .assert_eq(&bench.start("camera-1/1", spec, 0).unwrap_err());
}

#[test]
fn properties_are_described_by_type_limits_and_words() {
    let mut bench = Bench::new();
    bench.worker().hello().unwrap();
    let machine = bench.worker().describe(&["queue".into(), "no-such-element".into()]).unwrap();
    assert!(machine.has("queue") && !machine.has("no-such-element"));
    assert!(machine.names.iter().any(|name| name == "zbar"), "{:?}", machine.names);
    let queue = &machine.properties["queue"];
    let shown = |name: &str| serde_json::to_string(&queue[name]).unwrap();
    expect![[r#"{"type":"word","nicks":["no","upstream","downstream"],"writable":true,"default":"no"}"#]]
        .assert_eq(&shown("leaky"));
    expect![[r#"{"type":"int","min":0,"max":4294967295,"writable":true,"default":"200"}"#]]
        .assert_eq(&shown("max-size-buffers"));
    expect![[r#"{"type":"int","min":0,"max":4294967295,"writable":false,"default":"0"}"#]]
        .assert_eq(&shown("current-level-buffers"));
    expect![[r#"{"type":"bool","writable":true,"default":"false"}"#]].assert_eq(&shown("silent"));
    // Nobody asked for names where all are there.
    assert!(bench.worker().describe(&["queue".into()]).unwrap().names.is_empty());
}

#[test]
fn a_pipeline_is_tried_without_being_played() {
    let mut bench = Bench::new();
    bench.worker().hello().unwrap();
    let absent = |rest: Vec<Element>| file("/nowhere.mp4".as_ref(), rest, Playback::Once);
    assert_eq!(bench.worker().try_spec(absent(vec![decoder(), sink()])).unwrap(), None);
    let fault = bench.worker().try_spec(absent(vec![Element::new("wavparse"), sink()])).unwrap().unwrap();
    let link = fault.link.unwrap();
    assert_eq!((fault.element, link.to), (Some(2), 3));
    expect!["`audio/x-wav; audio/x-rf64`"].assert_eq(&link.takes);
    let set = vec![decoder(), Element::new("queue").text("leeky", "no"), sink()];
    let fault = bench.worker().try_spec(absent(set)).unwrap().unwrap();
    assert_eq!((fault.element, fault.property.as_deref()), (Some(4), Some("leeky")));
    // A pad that comes late is judged by its template.
    let demuxed = vec![Element::new("filesrc"), Element::new("qtdemux"), Element::new("zbar"), sink()];
    assert_eq!(bench.worker().try_spec(spec(demuxed, Playback::Once)).unwrap(), None);
    let demuxed = vec![Element::new("filesrc"), Element::new("wavparse"), Element::new("zbar"), sink()];
    assert!(bench.worker().try_spec(spec(demuxed, Playback::Once)).unwrap().is_some());
}
