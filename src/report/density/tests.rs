//! The appearance of each form of a report of a search.

use expect_test::expect;

use super::*;
use crate::diag::Color;
use crate::record::density_figures::figures;
use crate::record::fixture::density::{
    broken, copies_of_a_camera, described_search, late, search, setting, slow, three_lanes,
};
use crate::record::upstream::{UpstreamRule, upstream};
use crate::report::grid::Paper;
use crate::report::tests::assert_well_formed;
use crate::search::{Answer, Why};

const NARROW: Paper = Paper { width: Some(80), color: Color::Never };

/// The tag of searches whose project has a price.
pub(super) const PRICED: &str = "priced";

pub(in crate::report) fn with_shown<T>(record: &DensityRecord, make: impl Fn(&DensityShown<'_>) -> T) -> T {
    let figures = figures(record);
    let upstream = upstream(record, &figures, &UpstreamRule::default());
    let price = Price::parse("1200 EUR").filter(|_| record.tag.as_deref() == Some(PRICED));
    let (id, price) = ("20261124T064200Z-9f2c41", price.as_ref());
    make(&DensityShown { id, record, figures: &figures, upstream: &upstream, price })
}

/// Searches of all kinds.
pub(in crate::report) fn searches() -> Vec<DensityRecord> {
    let answer = |at_least, at_most, why| Answer { at_least, at_most, why, not_monotone: Vec::new() };
    let mut undecided = setting(2, Goal::Explore, (30, 60));
    (undecided.state, undecided.worst) = (State::Undecided, None);
    let mut disturbed = setting(2, Goal::Explore, (60, 90));
    disturbed.state = State::Disturbed;
    let mut interrupted = search(vec![setting(1, Goal::Confirm, (0, 30)), undecided, disturbed]);
    interrupted.answer = answer(1, Some(3), Some(Why::Interrupted));
    interrupted.interrupted = true;
    let mut nothing = search(vec![broken(1, (0, 4))]);
    nothing.answer = answer(0, None, Some(Why::Broken));
    let mut zero = search(vec![slow(1, Goal::Explore, (0, 20), 13)]);
    zero.answer = answer(0, Some(0), None);
    let mut empty = interrupted.clone();
    empty.settings.clear();
    empty.answer = answer(0, None, Some(Why::Interrupted));
    vec![described_search(three_lanes()), copies_of_a_camera(), interrupted, nothing, zero, empty]
}

#[track_caller]
fn check(record: &DensityRecord, paper: Paper, expect: expect_test::Expect) {
    let text = with_shown(record, |shown| table(shown, paper));
    let is_output = |line: &&str| line.starts_with("  | ");
    for line in text.lines().filter(|line| !is_output(line)) {
        let width = unicode_width::UnicodeWidthStr::width(line);
        assert!(paper.width.is_none_or(|most| width <= most), "{line}");
    }
    expect.assert_eq(&text);
}

#[test]
fn the_table_begins_and_ends_with_the_verdict() {
    check(
        &described_search(three_lanes()),
        NARROW,
        expect![[r#"
            3 lanes of 2 cameras, 95 % sure; the 4th fails at camera-2: deadline 97 %

            search     20261124T064200Z-9f2c41 of lane
            tag        bios 1.12 <b>
            started    2026-11-24 07:42:00 +01:00 (06:42:00 UTC)
            counted    lanes of 2 cameras with 2 streams, a worker per camera
            asked      95 % sure, at most 64 lanes, within 15m; 99 % of the frames on time
            took       5m41s for 6 settings
            cameras    2 cameras 640x360 at 15 fps from clips (H.264)
            clip       scan.mp4: H.264 High 3, 2.00 Mbit/s, GOP 30, played as it is
            clip       scan.mp4: H.264 High 3, 2.00 Mbit/s, GOP 30, encoded from H.265
                       640x360 at 7.5 fps, 2.00 Mbit/s; made up: 7.5 fps doubled to 15
            steps      zbar, motioncells; dialect stock
            project    shop, commit 1a2b3c4d5e6f with changes, lp 0.1.0
            config     3 files 389ad43672df, profile gpu, run.duration=30s
            host       cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

              time s  lanes  verdict    judged        CPU %  worst stream
                                             s  own+foreign
               0..27      1  holds          20     22.0+0.9  camera-1/1: 100 % on time
              27..53      2  holds          20     44.0+0.9  camera-1/1: 100 % on time
              53..75      4  fails          20     88.0+0.9  camera-2-l4/1: 88 % on time
             75..101      3  holds          20     66.0+0.9  camera-1/1: 100 % on time
            101..305      3  confirmed      20     66.0+0.9  camera-1/1: 100 % on time
            305..341      4  fails          20     88.0+0.9  camera-2-l4/1: 97 % on time
            without room: memory (see the page, or a wider terminal)

            at 3 lanes, measured for 20s in the search:
            weakest stream       fps of  on time  latency  dropped  headroom  of
            of each camera       target        %   p95 ms        %
            camera-1/1      15.00 of 15   100.00     17.6     0.00     100 %  deadline
            camera-2/1      15.00 of 15   100.00     17.6     0.00     100 %  deadline

            machine: CPU 68.1 (65.5..70.5) % of all cores (66.0 by the lanes, 0.9 foreign),
              memory 1312 MiB in use at most
            latency: p95 at most 17.6 ms, of camera-2-l3/1
            left: CPU 31.9 % of all cores; a lane uses 22.0 %
            headroom: all of it is left to every stream
            fails: 4 lanes: camera-2-l4/1: 97 % on time is less than 99 %
            repeat: lp density --profile gpu --confidence 95% --max 64 --budget 15m --again
            3 lanes of 2 cameras, 95 % sure; the 4th fails at camera-2: deadline 97 %
        "#]],
    );
}

#[test]
fn a_table_has_the_columns_that_fit() {
    check(
        &copies_of_a_camera(),
        Paper::PLAIN,
        expect![[r#"
            1 copy of camera-1 beside 1 other camera, 95 % sure; the 2nd fails at camera-2: rate 13.0 of 15 fps

            search     20261124T064200Z-9f2c41 of camera-1
            started    2026-11-24 06:42:00 UTC
            counted    copies of camera-1 with 1 stream, a worker per camera; camera-2 once beside them
            asked      95 % sure, at most 64 copies, within 15m; 99 % of the frames on time
            took       50s for 2 settings
            cameras    2 cameras, sources not recorded
            steps      none
            project    not recorded
            host       cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

            time s  lanes  verdict  judged        CPU %  memory  worst stream
                                         s  own+foreign     MiB
             0..26      1  holds        20     22.0+0.9     916  camera-1/1: 100 % on time
            26..50      2  fails        20     44.0+0.9    1114  camera-2/1: 13.0 of 15 fps

            at 1 copy, measured for 20s in the search:
            weakest stream       fps of  on time      latency ms  dropped  headroom  of
            of each camera       target        %     p50/p95/p99        %
            camera-1/1      15.00 of 15   100.00  11.3/17.6/17.6     0.00     100 %  deadline
            camera-2/1      15.00 of 15   100.00  11.3/17.6/17.6     0.00     100 %  deadline

            machine: CPU 24.1 (21.5..26.5) % of all cores (22.0 by the lanes, 0.9 foreign), memory 916 MiB in use at most
            latency: p95 at most 17.6 ms, of camera-2/1
            left: CPU 75.9 % of all cores
            headroom: all of it is left to every stream
            fails: 2 copies: camera-2/1: 13.00 fps is less than 98 % of 15; 13.33 % dropped is more than 2 %; 86.66 % on time is less than 99 %
            repeat: lp density camera-1 --unit camera --confidence 95% --max 64 --budget 15m --again
            1 copy of camera-1 beside 1 other camera, 95 % sure; the 2nd fails at camera-2: rate 13.0 of 15 fps
        "#]],
    );
    check(
        &copies_of_a_camera(),
        Paper { width: Some(50), ..NARROW },
        expect![[r#"
            1 copy of camera-1 beside 1 other camera, 95 %
              sure; the 2nd fails at camera-2: rate 13.0 of 15
              fps

            search     20261124T064200Z-9f2c41 of camera-1
            started    2026-11-24 06:42:00 UTC
            counted    copies of camera-1 with 1 stream, a
                       worker per camera; camera-2 once beside
                       them
            asked      95 % sure, at most 64 copies, within
                       15m; 99 % of the frames on time
            took       50s for 2 settings
            cameras    2 cameras, sources not recorded
            steps      none
            project    not recorded
            host       cpu Some CPU, cpus 2, gpu none, memory
                       4096 MiB

            lanes  verdict  worst stream
                1  holds    camera-1/1: 100 % on time
                2  fails    camera-2/1: 13.0 of 15 fps
            without room: time, judged time, CPU, memory (see
              the page, or a wider terminal)

            at 1 copy, measured for 20s in the search:
            weakest stream       fps of  headroom
            of each camera       target
            camera-1/1      15.00 of 15     100 %
            camera-2/1      15.00 of 15     100 %
            without room: on time, latency, dropped (see the
              page, or a wider terminal)

            machine: CPU 24.1 (21.5..26.5) % of all cores
              (22.0 by the lanes, 0.9 foreign), memory 916 MiB
              in use at most
            latency: p95 at most 17.6 ms, of camera-2/1
            left: CPU 75.9 % of all cores
            headroom: all of it is left to every stream
            fails: 2 copies: camera-2/1: 13.00 fps is less
              than 98 % of 15; 13.33 % dropped is more than 2
              %; 86.66 % on time is less than 99 %
            repeat: lp density camera-1 --unit camera
              --confidence 95% --max 64 --budget 15m --again
            1 copy of camera-1 beside 1 other camera, 95 %
              sure; the 2nd fails at camera-2: rate 13.0 of 15
              fps
        "#]],
    );
}

#[test]
fn a_search_that_broke_shows_why() {
    check(
        &searches()[3],
        NARROW,
        expect![[r#"
            no number of lanes: camera-2/1: its worker ended: killed by SIGSEGV, with 1 lane

            search     20261124T064200Z-9f2c41 of lane
            started    2026-11-24 06:42:00 UTC
            counted    lanes of 2 cameras with 2 streams, a worker per camera
            asked      95 % sure, at most 64 lanes, within 15m; 99 % of the frames on time
            took       4s for 1 setting
            cameras    2 cameras, sources not recorded
            steps      none
            project    not recorded
            host       cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

            time s  lanes  verdict  judged        CPU %  memory  worst stream
                                         s  own+foreign     MiB
              0..4      1  broken       20     22.0+0.9     916  camera-2/1: failed

            broken: 1 lane: camera-2/1: its worker ended: killed by SIGSEGV
            failed: camera-2/1 of camera-2: its worker ended: killed by SIGSEGV
            failed: worker camera-2: killed by SIGSEGV
              | no element "zbar" <b>
            repeat: lp density --confidence 95% --max 64 --budget 15m --again
            no number of lanes: camera-2/1: its worker ended: killed by SIGSEGV, with 1 lane
        "#]],
    );
}

#[test]
fn an_interrupted_search_shows_what_it_has() {
    check(
        &searches()[2],
        NARROW,
        expect![[r#"
            at least 1, at most 3 lanes of 2 cameras: interrupted; the same command goes on
              where it was

            search     20261124T064200Z-9f2c41 of lane
            started    2026-11-24 06:42:00 UTC
            counted    lanes of 2 cameras with 2 streams, a worker per camera
            asked      95 % sure, at most 64 lanes, within 15m; 99 % of the frames on time
            took       1m30s for 3 settings
            cameras    2 cameras, sources not recorded
            steps      none
            project    not recorded
            host       cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

            time s  lanes  verdict    judged        CPU %  memory  worst stream
                                           s  own+foreign     MiB
             0..30      1  confirmed      20     22.0+0.9     916  camera-1/1: 100 % on
                                                                   time
            30..60      2  undecided      20     44.0+0.9    1114  -
            60..90      2  disturbed      20     44.0+0.9    1114  camera-1/1: 100 % on
                                                                   time

            at 1 lane, measured for 20s in the search:
            weakest stream       fps of  on time  latency  dropped  headroom  of
            of each camera       target        %   p95 ms        %
            camera-1/1      15.00 of 15   100.00     17.6     0.00     100 %  deadline
            camera-2/1      15.00 of 15   100.00     17.6     0.00     100 %  deadline

            machine: CPU 24.1 (21.5..26.5) % of all cores (22.0 by the lanes, 0.9 foreign),
              memory 916 MiB in use at most
            latency: p95 at most 17.6 ms, of camera-2/1
            left: CPU 75.9 % of all cores; a lane uses 22.0 %
            headroom: all of it is left to every stream
            repeat: lp density --confidence 95% --max 64 --budget 15m --again
            at least 1, at most 3 lanes of 2 cameras: interrupted; the same command goes on
              where it was
        "#]],
    );
}

#[test]
fn upstreams_words_and_its_rule_are_a_text_of_their_own() {
    let record = described_search(three_lanes());
    expect![[r#"
        use-case density (lanes)  3
        stream density (streams)  6

        at 3 lanes, measured for 20s in the search; of each camera its weakest copy:
        camera    workloads        target  threshold  average  p10  p90  s below
        camera-1  items_in_basket      15      14.25    15.00   15   15  0 of 20
                  scan
        camera-2  motion               15      14.25    15.00   15   15  0 of 20

        weakest camera  camera-1/1: 15.00 of 15 fps, 5.3 % above its threshold
    "#]]
    .assert_eq(&with_shown(&record, |shown| in_upstreams_words(shown, NARROW)));
    expect![[r#"
        by upstream's rule: at least 4 lanes; no number that was measured fails
        rule: the mean rate of each stream is at least 95 % of its target (that of each
          camera); late and dropped frames and foreign load do not count
        note: upstream would have measured 100 s of each number
        differs: 4 lanes: upstream passes, since the lowest mean, of camera-1/1, is 100
          % of its target; `lp`: camera-2-l4/1: 97 % on time is less than 99 %
    "#]]
    .assert_eq(&with_shown(&record, |shown| by_upstream(shown, NARROW)));
    // Upstream would print its lower end, as if it were the answer.
    let range = with_shown(&searches()[2], |shown| in_upstreams_words(shown, NARROW));
    expect![[r#"
        use-case density (lanes)  at least 1, at most 3
        stream density (streams)  at least 2, at most 6"#]]
    .assert_eq(&range.lines().take(2).collect::<Vec<_>>().join("\n"));
}

#[test]
fn csv_has_a_row_per_setting() {
    expect![[r#"
        search,subject,started_utc,setting,lanes,goal,verdict,reason,begin_s,end_s,judged_s,left_out_s,worst_stream,worst_camera,worst_target_fps,worst_fps,worst_on_time_percent,worst_dropped_percent,machine_cpu_percent,own_cpu_percent,foreign_cpu_percent,machine_memory_max_mib,degraded,degraded_because,upstream_verdict,upstream_lowest_percent,unit,confidence_percent,max,budget_s,answer_at_least,answer_at_most,answer_why,interrupted,tag,host,project,git_commit,profile,overrides,config_digest,inputs_digest,lp_version,cost_each,currency
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,1,1,explore,holds,,0,27,20,0,camera-1/1,camera-1,15,15,100,0,24.1053,22,0.9,916.0,false,,passes,100,lane,95,64,900,3,3,,false,,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",,,,,,,,,
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,2,2,explore,holds,,27,53,20,0,camera-1/1,camera-1,15,15,100,0,46.1053,44,0.9,1114.0,false,,passes,100,lane,95,64,900,3,3,,false,,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",,,,,,,,,
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,3,4,explore,fails,camera-2-l4/1: 88 % on time is less than 99 %,53,75,20,0,camera-2-l4/1,camera-2,15,15.05,88,0,90.1053,88,0.9,1510.0,false,,passes,100,lane,95,64,900,3,3,,false,,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",,,,,,,,,
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,4,3,explore,holds,,75,101,20,0,camera-1/1,camera-1,15,15,100,0,68.1053,66,0.9,1312.0,false,,passes,100,lane,95,64,900,3,3,,false,,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",,,,,,,,,
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,5,3,confirm,holds,,101,305,20,0,camera-1/1,camera-1,15,15,100,0,68.1053,66,0.9,1312.0,false,,passes,100,lane,95,64,900,3,3,,false,,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",,,,,,,,,
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,6,4,confirm,fails,camera-2-l4/1: 97 % on time is less than 99 %,305,341,20,0,camera-2-l4/1,camera-2,15,15.05,97,0,90.1053,88,0.9,1510.0,false,,passes,100,lane,95,64,900,3,3,,false,,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",,,,,,,,,
    "#]].assert_eq(&with_shown(&three_lanes(), csv));
    for record in searches() {
        assert_eq!(with_shown(&record, csv).lines().count(), record.settings.len() + 1);
    }
}

#[test]
fn the_command_has_all_that_was_asked() {
    let commands = searches();
    let commands: Vec<String> = commands
        .iter()
        .take(3)
        .map(|record| with_shown(record, |shown| repeat::command(shown).join(" ")))
        .collect();
    expect![[r#"
        lp density --profile gpu --confidence 95% --max 64 --budget 15m --again
        lp density camera-1 --unit camera --confidence 95% --max 64 --budget 15m --again
        lp density --confidence 95% --max 64 --budget 15m --again"#]]
    .assert_eq(&commands.join("\n"));
    let mut record = three_lanes();
    record.subject = "camera-1+camera-2".to_owned();
    let command = with_shown(&record, |shown| repeat::command(shown).join(" "));
    assert!(command.starts_with("lp density camera-1 camera-2 --confidence 95% "), "{command}");
}

#[test]
fn a_page_is_whole_escapes_texts_and_fetches_nothing() {
    for record in searches() {
        let text = with_shown(&record, |shown| html(shown, None));
        assert_eq!(
            text,
            with_shown(&record, |shown| html(shown, None)),
            "the same record makes the same bytes"
        );
        assert_well_formed(&text);
        assert_eq!(text.matches("<script").count(), 1, "its own script");
        for word in ["http:", "url(", "@import", "NaN,", "inf ", "<b>\n"] {
            assert!(!text.contains(word), "`{word}` in the page");
        }
    }
    let text = with_shown(&searches()[3], |shown| html(shown, None));
    assert!(text.contains("no element &quot;zbar&quot; &lt;b&gt;"), "{text}");
}

#[test]
fn the_picture_has_a_bar_for_each_setting_and_its_words_in_the_table() {
    let record = three_lanes();
    let text = with_shown(&record, |shown| html(shown, Some("density")));
    // A wide picture and one for phones.
    assert_eq!(text.matches("<rect class=\"bar ").count(), 2 * record.settings.len());
    assert_eq!(text.matches("<rect class=\"bar holds confirm\"").count(), 2);
    assert_eq!(text.matches("<rect class=\"bar does_not_hold").count(), 4);
    assert!(text.contains(">4 \u{2715}</text>") && text.contains(">camera-2</text>"), "labels");
    assert!(text.contains("aria-label=\"The number of lanes over time: 1 holds, 2 holds, 4 fails, 3 holds, 3 confirmed, 4 fails.\""));
    assert!(text.contains("camera-2-l4/1: 97\u{a0}% on time"), "the words of a setting");
    assert!(text.contains("href=\"density.csv\"") && text.contains("href=\"density.json\""));
    assert!(text.contains("4 lanes: upstream passes"), "where upstream differs");
}

#[test]
fn only_the_table_for_a_terminal_has_colours() {
    let painted =
        with_shown(&searches()[3], |shown| table(shown, Paper { width: Some(80), color: Color::Always }));
    assert!(painted.contains(&Color::Always.paint(crate::diag::Tone::Bad, "broken")), "{painted}");
    let page = |shown: &DensityShown<'_>| html(shown, None);
    for form in [&csv as &dyn Fn(&DensityShown<'_>) -> String, &json, &page] {
        assert!(!with_shown(&three_lanes(), form).contains('\u{1b}'));
    }
}

#[test]
fn a_run_at_the_answer_that_does_not_hold_is_a_doubt_in_every_form() {
    let mut record = three_lanes();
    record.at_answer = Some(Box::new(late(3, Goal::Confirm, (0, 0), 9).record));
    let doubt = "; the run at 3 lanes after it does not hold at camera-2: deadline 91 %";
    let painted = with_shown(&record, |shown| table(shown, Paper { width: None, color: Color::Always }));
    let verdict = format!("3 lanes of 2 cameras, 95 % sure; the 4th fails at camera-2: deadline 97 %{doubt}");
    assert!(painted.starts_with(&Color::Always.paint(crate::diag::Tone::Unsure, &verdict)), "{painted}");
    let document: serde_json::Value = serde_json::from_str(&with_shown(&record, json)).unwrap();
    assert_eq!(document["doubt"], doubt.trim_start_matches("; "));
    assert!(with_shown(&record, |shown| html(shown, None)).contains(&doubt.replace(" %", "\u{a0}%")));
}

#[test]
fn a_picture_file_has_bars_of_each_state() {
    for record in searches() {
        let bytes = with_shown(&record, png);
        let picture = tiny_skia::Pixmap::decode_png(&bytes).unwrap();
        let has = |[red, green, blue]: [u8; 3]| {
            let is_it = |pixel: &&tiny_skia::PremultipliedColorU8| {
                (pixel.red(), pixel.green(), pixel.blue()) == (red, green, blue)
            };
            picture.pixels().iter().filter(is_it).count() > 1_000
        };
        let states = |state: State| record.settings.iter().any(|setting| setting.state == state);
        assert_eq!(has([227, 243, 234]), states(State::Holds), "{:?}", record.answer);
        assert_eq!(has([250, 229, 226]), states(State::Fails), "{:?}", record.answer);
    }
}
