//! The appearance of each form of a report.

mod ci;
mod degraded;

use expect_test::expect;

use super::*;
use crate::diag::Color;
use crate::name::Slug;
use crate::record::OmittedWorkloads;
use crate::record::build::ScriptId;
use crate::record::fixture::{S, Story, copies, displayed, member, scripted, setup, six_cameras};
use crate::record::measure::measure;
use crate::worker::protocol::End;

fn with_report<T>(record: &RunRecord, make: impl Fn(&Report<'_>) -> T) -> T {
    make(&Report { run: "20261124T064200Z-9f2c41", record, measurement: &measure(record) })
}

fn plain_table(report: &Report<'_>) -> String {
    table(report, grid::Paper::PLAIN)
}

/// Two copies of one camera in one worker, 20 s.
fn two_copies() -> RunRecord {
    let members =
        ["c", "c-l2"].map(|slug| member(slug, "c", 10.0, &[(&["scan", "motion"], 0)])).into_iter().collect();
    let mut story = Story::new(setup(Pace::Live, 20, 2, &["lane"], members));
    for second in 0..23 {
        story.play(0, "c/1", second, second + 1, 10);
        story.play(0, "c-l2/1", second, second + 1, 10);
    }
    story.builder.finish()
}

fn free() -> RunRecord {
    let mut story =
        Story::new(setup(Pace::Free, 5, 2, &["c"], vec![member("c", "c", 10.0, &[(&["scan"], 0)])]));
    story.tick(0, "c/1", S, &[], 0);
    for second in 1..4 {
        let frames: Vec<_> = (0..250).map(|n| (second * S + n * 4_000, None)).collect();
        story.tick(0, "c/1", (second + 1) * S, &frames, 0);
    }
    story.end(0, "c/1", 4 * S, End::Eos);
    let mut record = story.builder.finish();
    record.members[0].streams[0].latency_us.clear();
    record
}

#[test]
fn the_table_ends_with_the_verdict() {
    expect![[r#"
        run         20261124T064200Z-9f2c41 of lane
        started     2026-11-24 06:42:00 UTC
        conditions  30s after 2s of warm-up, live pace, a worker per camera, repeat 1
        cameras     6 cameras, sources not recorded
        steps       none
        project     not recorded
        host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

        camera                                workloads                     target             fps  on time      latency ms  dropped      CPU %  memory  verdict
                                                                                                          %     p50/p95/p99        %  of a core     MiB
        Back <b>door</b> & "yard" (camera-4)  motion                            15  15.00 (14..16)   100.00  10.4/22.6/24.4     0.00         12      63  failed
        Aisle 5 (camera-5)                    sweet_hearting                    15  13.94 (12..16)    92.88  70.6/82.9/84.0     7.11         13      64  does not hold
                                                                                                                                                         rate, deadline
        Entrance (camera-1)                   items_in_basket                   15  15.00 (15..15)   100.00  10.6/22.9/24.4     0.00          9      60  holds
                                              multi_product_identification
        Aisle 2 (camera-2)                    product_switching                 15  15.00 (14..16)   100.00  10.6/22.9/24.1     0.00         10      61  holds
        Self-checkout (camera-3)              scan                              15  15.00 (14..16)   100.00  10.6/22.9/24.4     0.00         11      62  holds
                                              motion                            15  15.00 (14..16)   100.00  10.6/22.9/24.1     0.00                     holds
        Till (camera-6)                       fake_scan                         15  15.00 (14..16)   100.00  10.6/22.9/24.4     0.00         14      65  holds
                                              scan

        does not hold: Aisle 5 (camera-5): 13.94 fps is less than 98 % of 15; 7.11 % dropped is more than 2 %; 92.88 % on time is less than 99 %
        machine: CPU 35.2 (30..40) % of all cores, memory 1400 MiB in use at most
        note: not measured: gpu <0> (report.html and `lp doctor` say why)
        failed: camera-4/1 of Back <b>door</b> & "yard": its worker ended: killed by SIGSEGV
        failed: worker camera-4: killed by SIGSEGV
          | 0:00:14 ERROR motioncells: bad </pre><script>alert(1)</script>
          | Segmentation fault
        Back <b>door</b> & "yard" (camera-4) failed: its worker ended: killed by SIGSEGV; Aisle 5 (camera-5) does not hold: 13.94 of 15 fps; the machine's CPU was 35 % busy
        estimate: cannot tell how many lanes would fit: camera-4 failed
        4 of 6 cameras hold 15 fps, 1 does not, 1 failed; machine CPU 35 %
    "#]].assert_eq(&with_report(&six_cameras(), plain_table));
}

/// The table in so many columns; no line is wider but the output of programs.
#[track_caller]
fn check_width(record: &RunRecord, columns: usize, expect: expect_test::Expect) {
    let paper = grid::Paper { width: Some(columns), color: Color::Never };
    let text = with_report(record, |report| table(report, paper));
    for line in text.lines().filter(|line| !line.starts_with("  | ")) {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= columns, "{line}");
    }
    expect.assert_eq(&text);
}

#[test]
fn a_table_has_the_columns_that_fit() {
    check_width(
        &six_cameras(),
        120,
        expect![[r#"
            run         20261124T064200Z-9f2c41 of lane
            started     2026-11-24 06:42:00 UTC
            conditions  30s after 2s of warm-up, live pace, a worker per camera, repeat 1
            cameras     6 cameras, sources not recorded
            steps       none
            project     not recorded
            host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

            camera                                     fps of  on time  latency  dropped      CPU %  verdict
                                                       target        %   p95 ms        %  of a core
            Back <b>door</b> & "yard" (camera-4)  15.00 of 15   100.00     22.6     0.00         12  failed
            Aisle 5 (camera-5)                    13.94 of 15    92.88     82.9     7.11         13  does not hold
                                                                                                     rate, deadline
            Entrance (camera-1)                   15.00 of 15   100.00     22.9     0.00          9  holds
            Aisle 2 (camera-2)                    15.00 of 15   100.00     22.9     0.00         10  holds
            Self-checkout (camera-3)              15.00 of 15   100.00     22.9     0.00         11  holds
                                                  15.00 of 15   100.00     22.9     0.00             holds
            Till (camera-6)                       15.00 of 15   100.00     22.9     0.00         14  holds

            without room: workloads, memory (see report.csv, or a wider terminal)
            does not hold: Aisle 5 (camera-5): 13.94 fps is less than 98 % of 15; 7.11 % dropped is more than 2 %; 92.88 % on time
              is less than 99 %
            machine: CPU 35.2 (30..40) % of all cores, memory 1400 MiB in use at most
            note: not measured: gpu <0> (report.html and `lp doctor` say why)
            failed: camera-4/1 of Back <b>door</b> & "yard": its worker ended: killed by SIGSEGV
            failed: worker camera-4: killed by SIGSEGV
              | 0:00:14 ERROR motioncells: bad </pre><script>alert(1)</script>
              | Segmentation fault
            Back <b>door</b> & "yard" (camera-4) failed: its worker ended: killed by SIGSEGV; Aisle 5 (camera-5) does not hold:
              13.94 of 15 fps; the machine's CPU was 35 % busy
            estimate: cannot tell how many lanes would fit: camera-4 failed
            4 of 6 cameras hold 15 fps, 1 does not, 1 failed; machine CPU 35 %
        "#]],
    );
    check_width(
        &six_cameras(),
        80,
        expect![[r#"
            run         20261124T064200Z-9f2c41 of lane
            started     2026-11-24 06:42:00 UTC
            conditions  30s after 2s of warm-up, live pace, a worker per camera, repeat 1
            cameras     6 cameras, sources not recorded
            steps       none
            project     not recorded
            host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

            camera                                     fps of  verdict
                                                       target
            Back <b>door</b> & "yard" (camera-4)  15.00 of 15  failed
            Aisle 5 (camera-5)                    13.94 of 15  does not hold
                                                               rate, deadline
            Entrance (camera-1)                   15.00 of 15  holds
            Aisle 2 (camera-2)                    15.00 of 15  holds
            Self-checkout (camera-3)              15.00 of 15  holds
                                                  15.00 of 15  holds
            Till (camera-6)                       15.00 of 15  holds

            without room: workloads, on time, latency, dropped, CPU, memory (see report.csv,
              or a wider terminal)
            does not hold: Aisle 5 (camera-5): 13.94 fps is less than 98 % of 15; 7.11 %
              dropped is more than 2 %; 92.88 % on time is less than 99 %
            machine: CPU 35.2 (30..40) % of all cores, memory 1400 MiB in use at most
            note: not measured: gpu <0> (report.html and `lp doctor` say why)
            failed: camera-4/1 of Back <b>door</b> & "yard": its worker ended: killed by
              SIGSEGV
            failed: worker camera-4: killed by SIGSEGV
              | 0:00:14 ERROR motioncells: bad </pre><script>alert(1)</script>
              | Segmentation fault
            Back <b>door</b> & "yard" (camera-4) failed: its worker ended: killed by
              SIGSEGV; Aisle 5 (camera-5) does not hold: 13.94 of 15 fps; the machine's CPU
              was 35 % busy
            estimate: cannot tell how many lanes would fit: camera-4 failed
            4 of 6 cameras hold 15 fps, 1 does not, 1 failed; machine CPU 35 %
        "#]],
    );
    check_width(
        &six_cameras(),
        40,
        expect![[r#"
            run         20261124T064200Z-9f2c41 of
                        lane
            started     2026-11-24 06:42:00 UTC
            conditions  30s after 2s of warm-up,
                        live pace, a worker per
                        camera, repeat 1
            cameras     6 cameras, sources not
                        recorded
            steps       none
            project     not recorded
            host        cpu Some CPU, cpus 2, gpu
                        none, memory 4096 MiB

            camera                fps of  verdict
                                  target
            Back             15.00 of 15  failed
            <b>door</b> &
            "yard"
            (camera-4)
            Aisle 5          13.94 of 15  does not
            (camera-5)                    hold
                                          rate,
                                          deadline
            Entrance         15.00 of 15  holds
            (camera-1)
            Aisle 2          15.00 of 15  holds
            (camera-2)
            Self-checkout    15.00 of 15  holds
            (camera-3)
                             15.00 of 15  holds
            Till (camera-6)  15.00 of 15  holds

            without room: workloads, on time,
              latency, dropped, CPU, memory (see
              report.csv, or a wider terminal)
            does not hold: Aisle 5 (camera-5): 13.94
              fps is less than 98 % of 15; 7.11 %
              dropped is more than 2 %; 92.88 % on
              time is less than 99 %
            machine: CPU 35.2 (30..40) % of all
              cores, memory 1400 MiB in use at most
            note: not measured: gpu <0> (report.html
              and `lp doctor` say why)
            failed: camera-4/1 of Back <b>door</b> &
              "yard": its worker ended: killed by
              SIGSEGV
            failed: worker camera-4: killed by
              SIGSEGV
              | 0:00:14 ERROR motioncells: bad </pre><script>alert(1)</script>
              | Segmentation fault
            Back <b>door</b> & "yard" (camera-4)
              failed: its worker ended: killed by
              SIGSEGV; Aisle 5 (camera-5) does not
              hold: 13.94 of 15 fps; the machine's
              CPU was 35 % busy
            estimate: cannot tell how many lanes
              would fit: camera-4 failed
            4 of 6 cameras hold 15 fps, 1 does not,
              1 failed; machine CPU 35 %
        "#]],
    );
}

#[test]
fn reasons_that_differ_only_in_figures_are_one() {
    let record = copies(3, &[&[15, 15, 15], &[15, 5, 15], &[9, 15, 14]], 1.0);
    check_width(
        &record,
        80,
        expect![[r#"
            run         20261124T064200Z-9f2c41 of lane
            started     2026-11-24 06:42:00 UTC
            conditions  20s after 2s of warm-up, live pace, a worker per camera, 3 copies of
                        the lane, repeat 1
            cameras     3 cameras, sources not recorded
            steps       none
            project     not recorded
            host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

            lane 3: 1 of 3 cameras holds; the lowest, camera-1-l3, has 9.00 of 15 fps (60 %)
            lane 2: 2 of 3 cameras hold; the lowest, camera-2-l2, has 5.00 of 15 fps (33 %)
            lane 1: 3 of 3 cameras hold

            camera            fps of  on time  latency  dropped      CPU %  verdict
                              target        %   p95 ms        %  of a core
            camera-1-l3   9.00 of 15    50.13     12.2    40.00          8  does not hold
                                                                            rate, deadline
            camera-3-l3  14.00 of 15    93.33     16.7     6.67          8  does not hold
                                                                            rate, deadline
            camera-2-l3  15.00 of 15   100.00     17.6     0.00          8  holds
            camera-2-l2   5.00 of 15    33.33      8.6    66.67          8  does not hold
                                                                            rate, deadline
            camera-1-l2  15.00 of 15   100.00     17.6     0.00          8  holds
            camera-3-l2  15.00 of 15   100.00     17.6     0.00          8  holds
            camera-1     15.00 of 15   100.00     17.6     0.00          8  holds
            camera-2     15.00 of 15   100.00     17.6     0.00          8  holds
            camera-3     15.00 of 15   100.00     17.6     0.00          8  holds

            without room: workloads, memory (see report.csv, or a wider terminal)
            does not hold: camera-1-l3, camera-3-l3, camera-2-l2, for example camera-1-l3:
              9.00 fps is less than 98 % of 15; 40.00 % dropped is more than 2 %; 50.13 % on
              time is less than 99 %
            machine: CPU 99.4 (97.5..100) % of all cores, memory 1400 MiB in use at most
            3 cameras do not hold: for their rate (the lowest, camera-2-l2, has 5.00 of 15
              fps); the machine's CPU was full (99 %): 34 % by the pipelines, 65 % by
              everything else
            estimate: about 1..2 lanes would fit; CPU first (`lp density` measures it)
            6 of 9 cameras hold 15 fps, 3 do not; machine CPU 99 %
        "#]],
    );
}

#[test]
fn only_the_table_for_a_terminal_has_colours() {
    let record = six_cameras();
    let paper = grid::Paper { width: Some(80), color: Color::Always };
    let painted = with_report(&record, |report| table(report, paper));
    let red = |text: &str| Color::Always.paint(crate::diag::Tone::Bad, text);
    let words = red("does") + " " + &red("not") + " " + &red("hold");
    assert!(painted.contains(&words), "{painted}");
    assert!(painted.ends_with(&(red(&measure(&record).verdict) + "\n")), "{painted}");
    let page = |report: &Report<'_>| html(report, None);
    for form in [&csv as &dyn Fn(&Report<'_>) -> String, &json, &page] {
        assert!(!with_report(&record, form).contains('\u{1b}'));
    }
}

#[test]
fn a_shared_worker_has_its_own_line() {
    expect![[r#"
        run         20261124T064200Z-9f2c41 of lane
        started     2026-11-24 06:42:00 UTC
        conditions  20s after 2s of warm-up, live pace, one worker for all, repeat 1
        cameras     1 camera, sources not recorded
        steps       none
        project     not recorded
        host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

        camera  workloads  target             fps  on time   latency ms  dropped      CPU %  memory  verdict
                                                         %  p50/p95/p99        %  of a core     MiB
        c       scan           10  10.00 (10..10)   100.00  5.0/5.0/5.0     0.00          -       -  undecided
                motion                                                                               deadline
        c-l2    scan           10  10.00 (10..10)   100.00  5.0/5.0/5.0     0.00          -       -  undecided
                motion                                                                               deadline

        worker lane: CPU - % of a core, memory - MiB
        machine: CPU - % of all cores, memory - MiB in use at most
        note: worker lane, machine: no CPU and memory: fewer than two samples in the window; there is one a second
        2 cameras are undecided: too short, needs 30 s at 10 fps
        estimate: cannot tell how many lanes would fit: the CPU of the pipelines was not measured
        0 of 2 cameras hold 10 fps, 2 are undecided; machine CPU not measured
    "#]]
    .assert_eq(&with_report(&two_copies(), plain_table));
}

#[test]
fn free_pace_has_no_target_and_no_latency() {
    expect![[r#"
        run         20261124T064200Z-9f2c41 of lane
        started     2026-11-24 06:42:00 UTC
        conditions  one pass as fast as the machine can, a worker per camera, repeat 1
        cameras     1 camera, sources not recorded
        steps       none
        project     not recorded
        host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

        camera  workloads  target                fps  on time   latency ms  dropped      CPU %  memory  verdict
                                                            %  p50/p95/p99        %  of a core     MiB
        c       scan            -  250.00 (250..250)        -            -     0.00          -       -  -

        machine: CPU - % of all cores, memory - MiB in use at most
        note: c/1: no latency: a file that is played freely has none, only the depth of its queues
        note: worker c, machine: no CPU and memory: fewer than two samples in the window; there is one a second
        estimate: cannot tell how many lanes would fit: files that are played freely use all that they get
        1 pipeline played once: 250 fps in all; machine CPU not measured
    "#]]
    .assert_eq(&with_report(&free(), plain_table));
}

#[test]
fn csv_has_a_row_per_pipeline() {
    let text = with_report(&two_copies(), csv);
    expect![[r#"
        run,subject,started_utc,camera,member,stream,workloads,verdict,reason,target_fps,fps,fps_low,fps_high,window_s,frames,dropped,dropped_percent,latency_p50_ms,latency_p95_ms,latency_p99_ms,worker_cpu_percent_of_core,worker_memory_max_mib,machine_cpu_percent,machine_memory_max_mib,pace,isolation,duration_s,warmup_s,count,repeat,interrupted,host,kind,script,script_exit,fps_second_min,fps_second_max,late_p50_ms,late_p95_ms,late_p99_ms,late_max_ms,longest_gap_s,decoded,taken_out,delivered,delivered_fps,damaged,copied,machine_steal_percent,decode_only,tag,started_local,source,source_name,source_origin,width,height,camera_fps,codec,dialect,steps,models,precisions,devices,project,git_commit,git_changed,git_reason,profile,overrides,config_digest,inputs_digest,lp_version,gstreamer,worker_command,record_version,clip_done,clip_because,clip_made_up,clip_profile,clip_bit_rate,clip_gop,clip_b_frames,degraded,degraded_because,left_out_s,seen,seen_per_second,seen_last_clip_ms,rate_verdict,deadline_verdict,on_time_percent,on_time_at_least_percent,frames_judged,frames_late,frames_lost,goodput_fps,delay_ms,deadline_ms,jitter_ms,fps_second_p5,seconds_below_target,latency_max_ms,worker_cpu_ms_per_frame,offered,in_flight,dropped_at,start_up_s,drift_ppm,transport,packets_lost,packets_late,reconnects,estimate_low,estimate_high,estimate_first,seen_labels,seen_per_frame,compared_frames,recall_percent,precision_percent,map50_percent,impair,impaired_packets,impaired_dropped,impaired_overflowed,impaired_reordered,impaired_delay_ms,power_w,power_of,idle_power_w,joules_per_frame,joules_per_frame_above_idle,fps_per_watt,collectors,worker_memory_mib_per_hour,worker_files_per_hour,fps_per_hour,leaks
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,c,c,c/1,scan; motion,undecided,"too short, needs 30 s at 10 fps",10,10,,,20,200,0,0,5,5,5,,,,,live,lane,20,2,1,1,false,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",pipeline,,,10,10,0,0,0,0,0.1,200,0,,,0,0,,false,,,,,,,,,,,,,,,,,,,,,,,,,,9,,,,,,,,false,,0,,,,holds,undecided,100,98.5133,200,0,0,10,0,100,0,10,0,5,,200,0,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,0,fps=cannot tell
        20261124T064200Z-9f2c41,lane,2026-11-24T06:42:00Z,c,c-l2,c-l2/1,scan; motion,undecided,"too short, needs 30 s at 10 fps",10,10,,,20,200,0,0,5,5,5,,,,,live,lane,20,2,1,1,false,"cpu Some CPU, cpus 2, gpu none, memory 4096 MiB",pipeline,,,10,10,0,0,0,0,0.1,200,0,,,0,0,,false,,,,,,,,,,,,,,,,,,,,,,,,,,9,,,,,,,,false,,0,,,,holds,undecided,100,98.5133,200,0,0,10,0,100,0,10,0,5,,200,0,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,0,fps=cannot tell
    "#]].assert_eq(&text);
    assert_eq!(with_report(&six_cameras(), csv).lines().count(), 8);
}

#[test]
fn csv_has_no_formulas_and_its_lists_can_be_split() {
    let hostile = ["=HYPERLINK(\"http://x\",\"till\")", "+1", "-1", "@a", "\ttab", "\u{ff1d}1", "'=1", "a'"];
    let workloads: [&[&str]; 2] = [&["=scan; all", "-a\\", ";"], &["b; c"]];
    let members = hostile.iter().enumerate().map(|(n, name)| {
        let streams = workloads.map(|workloads| (workloads, 0));
        member(&format!("c{n}"), name, 10.0, if n == 0 { &streams } else { &streams[1..] })
    });
    let mut record = Story::new(setup(Pace::Live, 5, 2, &["lane"], members.collect())).builder.finish();
    record.members[0].streams[0].failure = Some("@SUM(1)".to_owned());
    let cells = |table: &str, wanted: &[&str]| -> String {
        let mut reader = ::csv::Reader::from_reader(table.as_bytes());
        let header = reader.headers().unwrap().clone();
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            let cells = header.iter().zip(&row).filter(|(name, _)| wanted.contains(name));
            cells.map(|(_, cell)| cell.to_owned()).collect::<Vec<_>>().join(" | ") + "\n"
        });
        rows.collect()
    };
    let table = with_report(&record, csv);
    expect![[r#"
        '=HYPERLINK("http://x","till") | '=scan\; all; -a\\; \; | '@SUM(1) | 10
        '=HYPERLINK("http://x","till") | b\; c | the run ended before it was done | 10
        '+1 | b\; c | the run ended before it was done | 10
        '-1 | b\; c | the run ended before it was done | 10
        '@a | b\; c | the run ended before it was done | 10
        '	tab | b\; c | the run ended before it was done | 10
        '＝1 | b\; c | the run ended before it was done | 10
        ''=1 | b\; c | the run ended before it was done | 10
        a' | b\; c | the run ended before it was done | 10
    "#]]
    .assert_eq(&cells(&table, &["camera", "workloads", "reason", "target_fps"]));
    let table = benchmark_csv(&record, &Slug::of("c0").unwrap()).unwrap();
    expect![[r#"
        '=scan; all | '-a\\; \;
        '-a\ | '=scan\; all; \;
        ; | '=scan\; all; -a\\
        b; c | 
    "#]]
    .assert_eq(&cells(&table, &["workload", "shared_with"]));
}

#[test]
fn json_is_a_versioned_document() {
    let text = with_report(&two_copies(), json);
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let measurement = document["measurement"].take();
    expect![[r#"
        {
          "complete": true,
          "conditions": {
            "count": 1,
            "duration_ms": 20000,
            "isolation": "lane",
            "limits": {
              "deadline_periods": 1.0,
              "delay_ms": null,
              "max_late_ms": 500,
              "on_time": 0.99
            },
            "pace": "live",
            "repeat": 1,
            "warmup_ms": 2000
          },
          "degraded": false,
          "host": {
            "cpu": "Some CPU",
            "cpus": "2",
            "gpu": "none",
            "memory": "4096 MiB"
          },
          "interrupted": false,
          "judgement": {
            "by": "verdicts",
            "line": "verdicts decide: 2 of 2 cameras are undecided",
            "not_judged": [],
            "passes": false,
            "thresholds": []
          },
          "measurement": null,
          "members": [
            {
              "camera": "c",
              "clip": null,
              "dialect": null,
              "slug": "c",
              "source": null,
              "streams": [
                {
                  "script": null,
                  "steps": [],
                  "stream": "c/1",
                  "workloads": [
                    "scan",
                    "motion"
                  ]
                }
              ]
            },
            {
              "camera": "c",
              "clip": null,
              "dialect": null,
              "slug": "c-l2",
              "source": null,
              "streams": [
                {
                  "script": null,
                  "steps": [],
                  "stream": "c-l2/1",
                  "workloads": [
                    "scan",
                    "motion"
                  ]
                }
              ]
            }
          ],
          "missing": {},
          "provenance": null,
          "run": "20261124T064200Z-9f2c41",
          "started": "2026-11-24T06:42:00Z",
          "subject": "lane",
          "tag": null,
          "utc_offset_s": null,
          "version": 8
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&document).unwrap());
    let mut stream = measurement["cameras"][0]["streams"][0].clone();
    stream["seconds"] = serde_json::json!(stream["seconds"].as_array().unwrap().len());
    expect![[r#"
        {
          "deadline": {
            "reason": "too short, needs 30 s at 10 fps",
            "verdict": "undecided"
          },
          "decoded": 200,
          "delay_us": 0,
          "delivered_fps": null,
          "delivery": {
            "copied": 0,
            "damaged": 0,
            "incomplete": 0,
            "thinned": 0
          },
          "dropped": 0,
          "dropped_at": {},
          "dropped_share": 0.0,
          "fps": 10.0,
          "fps_p5": 10.0,
          "fps_range": {
            "max": 10.0,
            "min": 10.0
          },
          "frames": 200,
          "frames_without_latency": 0,
          "goodput": 10.0,
          "in_flight": 0,
          "jitter_us": 0,
          "latency_us": {
            "max": 5000,
            "p50": 5000,
            "p95": 5000,
            "p99": 5000
          },
          "lateness_us": {
            "max": 0,
            "p50": 0,
            "p95": 0,
            "p99": 0
          },
          "left_out": [],
          "longest_gap_us": 100000,
          "no_latency": null,
          "notes": [],
          "offered": 200,
          "on_time": {
            "at_least": 0.985133,
            "at_most": 1.0,
            "deadline_us": 100000,
            "design_effect": 1.0,
            "judged": 200,
            "late": 0,
            "lost": 0,
            "on_time": 200,
            "share": 1.0,
            "too_late": 0,
            "worst_us": 0
          },
          "rate": {
            "reason": null,
            "verdict": "holds"
          },
          "reason": "too short, needs 30 s at 10 fps",
          "seconds": 20,
          "seconds_below": 0,
          "start_up_us": null,
          "stream": "c/1",
          "taken_out": 0,
          "verdict": "undecided",
          "window_us": 20000000,
          "workloads": [
            "scan",
            "motion"
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&stream).unwrap());
}

#[test]
fn a_benchmark_has_a_row_per_workload_and_copy() {
    let record = two_copies();
    let slug = |text| Slug::of(text).unwrap();
    let document: serde_json::Value =
        serde_json::from_str(&benchmark_json(&record, &slug("c")).unwrap()).unwrap();
    let rows: Vec<String> = document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!("{} {} {} {}", row["member"], row["workload"], row["shared_with"], row["pipeline"]["fps"])
        })
        .collect();
    expect![[r#"
        "c" "scan" ["motion"] 10.0
        "c" "motion" ["scan"] 10.0
        "c-l2" "scan" ["motion"] 10.0
        "c-l2" "motion" ["scan"] 10.0"#]]
    .assert_eq(&rows.join("\n"));
    let text = benchmark_csv(&record, &slug("c")).unwrap();
    let start: Vec<String> = text.lines().map(|line| line.chars().take(60).collect()).collect();
    expect![[r#"
        workload,shared_with,subject,started_utc,camera,member,strea
        scan,motion,lane,2026-11-24T06:42:00Z,c,c,c/1,scan; motion,u
        motion,scan,lane,2026-11-24T06:42:00Z,c,c,c/1,scan; motion,u
        scan,motion,lane,2026-11-24T06:42:00Z,c,c-l2,c-l2/1,scan; mo
        motion,scan,lane,2026-11-24T06:42:00Z,c,c-l2,c-l2/1,scan; mo"#]]
    .assert_eq(&start.join("\n"));
    assert_eq!(benchmark_json(&record, &slug("nobody")), None);
    assert_eq!(benchmark_csv(&record, &slug("nobody")), None);
}

#[test]
fn benchmarks_of_a_lane_name_only_their_own_camera() {
    let text = benchmark_json(&six_cameras(), &Slug::of("camera-3").unwrap()).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["rows"].as_array().unwrap().len(), 2);
    assert_eq!(document["workers"][0]["name"], "camera-3");
    assert_eq!(document["workers"].as_array().unwrap().len(), 1);
}

#[test]
fn html_is_whole_escapes_names_and_fetches_nothing() {
    for record in [six_cameras(), two_copies(), free(), with_scripts()] {
        let text = with_report(&record, |report| html(report, None));
        assert_eq!(
            text,
            with_report(&record, |report| html(report, None)),
            "the same record makes the same bytes"
        );
        assert_well_formed(&text);
        assert_eq!(text.matches("<script").count(), 1, "its own script");
        for word in ["http:", "https:", "url(", "@import", "<b>door</b>", "NaN,", "inf "] {
            assert!(!text.contains(word), "`{word}` in the report");
        }
    }
    let text = with_report(&six_cameras(), |report| html(report, None));
    assert!(text.contains("Back &lt;b&gt;door&lt;/b&gt; &amp; &quot;yard&quot;"));
    assert!(text.contains("bad &lt;/pre&gt;&lt;script&gt;alert(1)"));
}

#[test]
fn an_empty_run_can_be_reported() {
    let mut story = Story::new(setup(Pace::Live, 5, 2, &["c"], vec![member("c", "c", 10.0, &[(&[], 0)])]));
    story.builder.interrupt();
    let record = story.builder.finish();
    assert_well_formed(&with_report(&record, |report| html(report, None)));
    expect![[r#"
        run         20261124T064200Z-9f2c41 of lane
        started     2026-11-24 06:42:00 UTC
        conditions  5s after 2s of warm-up, live pace, a worker per camera, repeat 1
        cameras     1 camera, sources not recorded
        steps       none
        project     not recorded
        host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

        camera  workloads  target  fps  on time   latency ms  dropped      CPU %  memory  verdict
                                              %  p50/p95/p99        %  of a core     MiB
        c                      10    -        -            -        -          -       -  undecided

        machine: CPU - % of all cores, memory - MiB in use at most
        note: worker c, machine: no CPU and memory: nothing was measured
        c is undecided: stopped before its window began
        estimate: cannot tell how many lanes would fit: nothing was measured
        0 of 1 camera holds 10 fps, 1 is undecided; machine CPU not measured; interrupted
    "#]]
    .assert_eq(&with_report(&record, plain_table));
}

/// Every tag is closed in its order, attributes are quoted, ids are unique and
/// links lead to one.
#[track_caller]
pub(super) fn assert_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    let mut links: Vec<&str> = Vec::new();
    let mut rest = text.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray `>`: {}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "quoted: {tag}");
        let attribute =
            |name: &str| tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split('"').next());
        ids.extend(attribute("id"));
        links.extend(attribute("href"));
        let name = tag.split(' ').next().unwrap();
        if ["script", "style"].contains(&name) {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).expect("it is closed") + close.len()..];
        } else if !["meta", "br", "wbr"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    let n_ids = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n_ids, "ids are unique");
    for link in links {
        assert!(ids.contains(&link.trim_start_matches('#')), "{link} leads nowhere");
    }
}

/// A camera with three scripts (one counts, one prints nothing, one fails) and a
/// workload that is left out, and a camera of which nothing is played.
fn with_scripts() -> RunRecord {
    let left_out = |workload: &str| {
        vec![OmittedWorkloads { workloads: vec![workload.to_owned()], reason: "not played <yet>".to_owned() }]
    };
    let mut till = scripted("till", 16.0, &["counts", "silent", "fails"]);
    till.left_out = left_out("talk");
    let mut door = member("door", "Door", 15.0, &[]);
    door.left_out = left_out("ask");
    let mut story = Story::new(setup(Pace::Live, 15, 2, &[], vec![till, door]));
    (0..3).for_each(|script| story.builder.script_started(ScriptId(script), 0));
    let lines: Vec<String> = (1..=30).map(|n| format!("line {n} \u{1b}[1m<b>")).collect();
    story.exit(2, S, "exited with status 3", &lines.join("\n"));
    for half in 0..=36 {
        let at_us = half * S / 2;
        story.print(0, at_us, &displayed("till", half * 8, 0));
        story.print(0, at_us, "latency_tracer_pipeline, sink_name=(string)k, frame_latency=(double)8.25;");
    }
    story.tick_until(19 * S);
    (0..2).for_each(|script| story.exit(script, 19 * S, "killed by SIGTERM", ""));
    story.builder.finish()
}

#[test]
fn scripts_appear_with_pipelines_and_missing_figures_are_not_zero() {
    expect![[r#"
        run         20261124T064200Z-9f2c41 of lane
        started     2026-11-24 06:42:00 UTC
        conditions  15s after 2s of warm-up, live pace, a worker per camera, repeat 1
        cameras     2 cameras, sources not recorded
        steps       script pipelines/counts.sh, script pipelines/silent.sh, script pipelines/fails.sh
        project     not recorded
        host        cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

        camera       workloads  target             fps       on time    latency ms       dropped      CPU %  memory  verdict
                                                                   %   p50/p95/p99             %  of a core     MiB
        till         of-counts      16  16.00 (16..16)  not measured   8.2/8.2/8.2          0.00          -       -  holds
                     of-silent      16    not measured  not measured  not measured  not measured                     -
                     of-fails       16    not measured  not measured  not measured  not measured                     failed
                     talk                                                                                            left out
        Door (door)  ask                                                                                             left out

        not judged: till/2 of till: not measured: it printed no line `lp: fps=...` and none of `gvafpscounter` or `fpsdisplaysink` in its window
        left out: talk of till, ask of Door (door): not played <yet>
        machine: CPU - % of all cores, memory - MiB in use at most
        note: till/2: no latency: not measured: it printed no line of a latency tracer in its window
        note: machine: no CPU and memory: fewer than two samples in the window; there is one a second
        failed: till/3 of till: exited with status 3 after 1.0 s, before it was asked to end
          | line 11 \u{1b}[1m<b>
          | line 12 \u{1b}[1m<b>
          | line 13 \u{1b}[1m<b>
          | line 14 \u{1b}[1m<b>
          | line 15 \u{1b}[1m<b>
          | line 16 \u{1b}[1m<b>
          | line 17 \u{1b}[1m<b>
          | line 18 \u{1b}[1m<b>
          | line 19 \u{1b}[1m<b>
          | line 20 \u{1b}[1m<b>
          | line 21 \u{1b}[1m<b>
          | line 22 \u{1b}[1m<b>
          | line 23 \u{1b}[1m<b>
          | line 24 \u{1b}[1m<b>
          | line 25 \u{1b}[1m<b>
          | line 26 \u{1b}[1m<b>
          | line 27 \u{1b}[1m<b>
          | line 28 \u{1b}[1m<b>
          | line 29 \u{1b}[1m<b>
          | line 30 \u{1b}[1m<b>
        till failed: exited with status 3 after 1.0 s, before it was asked to end
        estimate: cannot tell how many lanes would fit: till failed
        0 of 1 camera holds 16 fps, 1 failed, 2 with workloads left out; machine CPU not measured
    "#]].assert_eq(&with_report(&with_scripts(), plain_table));

    let text = with_report(&with_scripts(), csv);
    let cells = |line: &str| -> Vec<String> {
        let names =
            ["stream", "verdict", "fps", "frames", "dropped", "latency_p95_ms", "kind", "script_exit"];
        let record = |line: &str| -> Vec<String> {
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect()
        };
        let header = record(text.lines().next().unwrap());
        let row = record(line);
        names.iter().map(|name| row[header.iter().position(|known| known == name).unwrap()].clone()).collect()
    };
    let rows: Vec<String> = text.lines().skip(1).map(|line| cells(line).join("|")).collect();
    expect![[r#"
        till/1|holds|16|232|0|8.25|script|killed by SIGTERM
        till/2|not judged|||||script|killed by SIGTERM
        till/3|failed|||||script|exited with status 3"#]]
    .assert_eq(&rows.join("\n"));

    let document: serde_json::Value = serde_json::from_str(&with_report(&with_scripts(), json)).unwrap();
    let cameras = &document["measurement"]["cameras"];
    assert_eq!(cameras[0]["streams"][1]["fps"], serde_json::Value::Null);
    assert_eq!(cameras[0]["streams"][1]["frames"], serde_json::Value::Null);
    assert_eq!(cameras[0]["streams"][0]["script"]["elements"][0]["element"], "till");
    assert_eq!(cameras[1]["left_out"][0]["workloads"][0], "ask");

    let text = with_report(&with_scripts(), |report| html(report, None));
    assert!(text.contains("What the script till/1 printed"));
    assert!(text.contains("<code>pipelines/counts.sh --threshold 0.5</code>"));
    assert!(text.contains(">not measured<") && text.contains("not played &lt;yet&gt;"));
    assert!(text.contains("line 30 \\u{1b}[1m&lt;b&gt;") && !text.contains("line 10 "));
    let benchmark = benchmark_json(&with_scripts(), &Slug::of("door").unwrap()).unwrap();
    assert!(benchmark.contains("\"rows\": []") && benchmark.contains("not played <yet>"));
}

/// Nothing was measured: every stream failed for one reason.
fn all_failed() -> RunRecord {
    let names = ["a", "b", "c"];
    let members =
        names.iter().enumerate().map(|(worker, name)| member(name, name, 10.0, &[(&["scan"], worker)]));
    let mut record = Story::new(setup(Pace::Live, 20, 2, &names, members.collect())).builder.finish();
    for stream in record.members.iter_mut().flat_map(|member| &mut member.streams) {
        stream.failure = Some("failed to connect to till:8554".to_owned());
    }
    record
}

#[test]
fn a_page_of_many_cameras_opens_the_worst_and_draws_all() {
    let lanes: [&[u64]; 3] = [&[15, 15, 15], &[15, 5, 6], &[7, 8, 9]];
    let text = with_report(&copies(3, &lanes, 1.0), |report| html(report, None));
    assert_eq!(text.matches("class=\"spark\"").count(), 9);
    // The last one is that of all series.
    assert_eq!((text.matches("<article").count(), text.matches("<details").count()), (5, 5));
    let place = |of: &str| text.find(of).unwrap_or_else(|| panic!("no `{of}`"));
    let rows =
        ["camera-1-l3", "camera-2-l2", "camera-1"].map(|slug| place(&format!("href=\"#camera-{slug}\"")));
    assert!(rows.is_sorted(), "{rows:?}");
    assert!(
        place("id=\"camera-camera-2-l2\"") < place("id=\"camera-camera-1-l3\""),
        "the lowest rate is first"
    );
    assert!(place("5 cameras do not hold: for their rate") < place("<table"));
    assert!(text.contains("series own\"><polygon") && text.contains("series others\"><polygon"));
}

#[test]
fn a_page_without_figures_has_no_charts_and_gives_the_reason_once_per_place() {
    let text = with_report(&all_failed(), |report| html(report, None));
    assert_well_formed(&text);
    for empty in ["<svg", "<article", "class=\"num\"", "class=\"tiles\""] {
        assert!(!text.contains(empty), "`{empty}` in the page");
    }
    // Under the headline, and with the failures.
    assert_eq!(text.matches("failed to connect to till:8554").count(), 2);
    assert!(text.contains("a/1 of a, b/1 of b, c/1 of c"));
}

#[test]
fn a_page_has_all_series_of_the_machine_with_their_units() {
    let text = with_report(&copies(1, &[&[15]], 0.3), |report| html(report, None));
    assert_well_formed(&text);
    let table = &text[text.find("measured series").unwrap()..];
    let row = |name: &str| {
        let from = table.find(&format!(">{name}<")).unwrap_or_else(|| panic!("no row of {name}"));
        table[from..from + table[from..].find("</tr>").unwrap()].to_owned()
    };
    assert!(row("machine.cpu").contains(">30.1 %<"), "{}", row("machine.cpu"));
    assert!(row("machine.memory").contains(">1400 MiB<"), "{}", row("machine.memory"));
}

#[test]
fn an_undecided_camera_has_its_reason_in_the_table() {
    let mut record = copies(1, &[&[15, 15]], 0.3);
    let (begin, end) = record.members[1].streams[0].window_us.unwrap();
    record.members[1].streams[0].window_us = Some((begin, end - 3 * S));
    let text = with_report(&record, |report| html(report, None));
    let table = &text[text.find("<table").unwrap()..text.find("</table>").unwrap()];
    assert!(table.contains("interrupted after 17 s of 20 s"), "{table}");
}

#[test]
fn a_page_links_to_the_files_beside_it_and_names_the_command() {
    let of = |beside| with_report(&copies(2, &[&[15], &[15]], 0.3), |report| html(report, beside));
    let text = of(Some("lane"));
    assert!(text.contains("href=\"lane.csv\"") && text.contains("href=\"lane.json\""));
    let text = of(None);
    assert!(!text.contains(".csv") && text.contains("--warmup 2s") && text.contains("--count 2"));
}
