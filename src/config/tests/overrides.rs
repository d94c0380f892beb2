//! Profiles, variables and `--set`.

use expect_test::expect;

use super::{Files, LoadRequest, check_labels, lpfile, shown};

#[test]
fn later_settings_win() {
    let lpfile = "[run]\nduration = \"1s\"\nwarmup = \"1s\"\npace = \"free\"\ncount = 2\n\
                  [profile.p.run]\nwarmup = \"2s\"\npace = \"live\"\ncount = 3\n";
    let loaded = Files::new().with("Lpfile.toml", lpfile).load(|request| {
        request.profile = Some("p".to_owned());
        request.env = vec![
            ("LP_SET_RUN_PACE".to_owned(), "free".to_owned()),
            ("LP_SET_RUN_COUNT".to_owned(), "4".to_owned()),
            ("HOME".to_owned(), "/".to_owned()),
        ];
        request.sets = vec!["run.count=5".to_owned(), "pools.disk = 3".to_owned()];
    });
    assert_eq!(shown(&loaded), "");
    let settings = loaded.project.unwrap().settings;
    expect![[r#"1s Some(2s) Free 5 {"disk": 3, "gpu": 1, "network": 8, "npu": 1}"#]].assert_eq(&format!(
        "{:?} {:?} {:?} {} {:?}",
        settings.duration, settings.warmup, settings.pace, settings.count, settings.pools
    ));
}

#[test]
fn a_camera_is_accepted_by_its_name_or_slug_and_a_profile_replaces_the_list() {
    let cameras = super::CAMERAS.replace("cam1", "Till 1");
    let lpfile = "[camera.\"Till 1\"]\naccept = [\"codec\", \"size\", \"size\"]\n\
                  [profile.p.camera.\"Till 1\"]\naccept = [\"rate\"]\n\
                  [profile.q.camera.Till_1]\naccept = []\n";
    let files = Files::new().with("Lpfile.toml", lpfile).with(super::CAMERA_FILE, cameras);
    let accepted = |profile: Option<&str>| {
        let loaded = files.load(|request| request.profile = profile.map(str::to_owned));
        assert_eq!(shown(&loaded), "");
        format!("{:?}", loaded.project.unwrap().cameras[0].accept)
    };
    let accepted = [None, Some("p"), Some("q")].map(accepted);
    assert_eq!(accepted, ["[Size, Codec]", "[Rate]", "[]"]);
}

#[test]
fn faults_of_overrides_are_shown_at_the_override() {
    check_labels(
        Files::new(),
        |request| {
            request.sets = [
                "run.duration=soon",
                "run.duratoin=1s",
                "duration=1s",
                "pace",
                "run=1",
                "project.include=x",
                "asset.\"scan.mp4\".sha256=1",
                "pools.exclusive=1",
            ]
            .map(str::to_owned)
            .to_vec();
            request.env = vec![
                ("LP_SET_RUN_COUNT".to_owned(), "many".to_owned()),
                ("LP_SET_RUN_CUONT".to_owned(), "1".to_owned()),
            ];
        },
        expect![[r#"
            LP0203 LP_SET_RUN_COUNT:1:18 `run.count` must be a whole number from 1 to 1000: found the string `many`
            LP0702 LP_SET_RUN_CUONT:1:1 `LP_SET_RUN_CUONT` names an unknown key; did you mean `LP_SET_RUN_COUNT`?
            LP0208 --set run.duration:1:14 `run.duration` must be a duration such as `30s`, `1m30s` or `500ms`: found the string `soon`
            LP0702 --set run.duratoin:1:1 unknown key `run.duratoin`; did you mean `run.duration`?
            LP0702 --set duration:1:1 unknown key `duration`; did you mean `run.duration`?
            LP0703 --set pace:1:1 `--set` takes KEY=VALUE: `=` is missing
            LP0702 --set run:1:1 unknown key `run`; it is a table; set a key of it: run.duration, run.warmup, run.source, run.pace, run.isolation, run.dialect, run.count, run.share, run.render, run.decode_only, run.snapshots
            LP0203 --set project.include:1:17 `project.include` takes a list of strings; write it as in Lpfile.toml: `["env", "lp-worker"]`
            LP0213 --set asset."scan.mp4".sha256:1:25 `asset.scan.mp4.sha256` must be 64 hex digits: found the string `1`
            LP0304 --set pools.exclusive:1:1 the pool `exclusive` has no depth; a task of this pool always runs alone
        "#]],
    );
}

#[test]
fn a_table_in_a_table_is_set_key_by_key() {
    check_labels(
        Files::new(),
        |request| {
            request.sets = vec!["rtsp.impair={ loss = \"2%\" }".to_owned()];
            request.env = vec![
                ("LP_SET_RTSP_IMPAIR_DELAY".to_owned(), "40ms".to_owned()),
                ("LP_SET_RTSP_IMPAIR_DELAI".to_owned(), "40ms".to_owned()),
                ("LP_SET_RTSP_IMPAIR".to_owned(), "40ms".to_owned()),
            ];
        },
        expect![[r#"
            LP0702 LP_SET_RTSP_IMPAIR:1:1 `LP_SET_RTSP_IMPAIR` names an unknown key; it is a table; set a key of it: LP_SET_RTSP_IMPAIR_LOSS, LP_SET_RTSP_IMPAIR_DELAY, LP_SET_RTSP_IMPAIR_JITTER, LP_SET_RTSP_IMPAIR_RATE, LP_SET_RTSP_IMPAIR_REORDER, LP_SET_RTSP_IMPAIR_SEED
            LP0702 LP_SET_RTSP_IMPAIR_DELAI:1:1 `LP_SET_RTSP_IMPAIR_DELAI` names an unknown key; did you mean `LP_SET_RTSP_IMPAIR_DELAY`?
            LP0702 --set rtsp.impair:1:1 unknown key `rtsp.impair`; it is a table; set a key of it: rtsp.impair.loss, rtsp.impair.delay, rtsp.impair.jitter, rtsp.impair.rate, rtsp.impair.reorder, rtsp.impair.seed
        "#]],
    );
    let set = |request: &mut LoadRequest| {
        request.env = vec![("LP_SET_RTSP_IMPAIR_DELAY".to_owned(), "40ms".to_owned())];
    };
    assert_eq!(Files::new().load(set).project.unwrap().settings.rtsp.impair.unwrap().delay_ms, 40);
}

#[test]
fn a_list_of_texts_is_set_as_toml_writes_it() {
    let command = |value: &str| {
        let set = format!("worker.command={value}");
        let loaded = lpfile("[worker]\ncommand = [\"old\"]\n").load(|request| request.sets = vec![set]);
        let command = loaded.project.map(|project| project.settings.worker.unwrap().words.join("|"));
        command.unwrap_or_else(|| "refused".to_owned())
    };
    assert_eq!(command(r#"["env", "A=1,2", 'lp-worker']"#), "env|A=1,2|lp-worker");
    for bad in ["lp-worker", "[1]", "[\"a\"", "[\"a\"]\nrun = 1", "", "[[\"a\"]]"] {
        assert_eq!(command(bad), "refused", "{bad}");
    }
}

#[test]
fn a_variable_chooses_a_profile() {
    check_labels(
        lpfile("[profile.intel.project]\nworkloads = \"w.json\"\n"),
        |request| request.env = vec![("LP_PROFILE".to_owned(), "intel".to_owned())],
        expect![[r#"
            LP0002 Lpfile.toml:2:13 `w.json` does not exist
        "#]],
    );
}

#[test]
fn a_profile_is_a_table_and_holds_no_profile() {
    check_labels(
        lpfile("[profile]\np = 1\n[profile.q.profile]\n"),
        |request| request.profile = Some("p".to_owned()),
        expect![[r#"
            LP0203 Lpfile.toml:2:5 `profile.p` must be a table: found 1
            LP0201 Lpfile.toml:3:12 unknown key `profile.q.profile`; possible here: project, paths, models, run, verdict, thresholds, density, host, clip, rtsp, worker, dlstreamer, workload, camera, pools, asset, task, collector
        "#]],
    );
}

#[test]
fn options_of_a_step_win_over_those_of_its_workload_and_of_all_steps() {
    let workloads = r#"{ "workload_pipeline_map": {
        "a": [
            { "type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "INT8", "threshold": 0.1 },
            { "type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8" },
            { "type": "gvainference", "model": "yolo11n", "device": "CPU", "precision": "INT8" }
        ],
        "barcodes": [{ "type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "INT8" }]
    } }"#;
    let lpfile = "[dlstreamer]\nthreshold = 0.2\nbatch_size_detect = 2\n[workload.A]\nthreshold = 0.3\n\
                  inference_interval = 5\nbatch_size_classify = 7\n\
                  [profile.p.dlstreamer]\nbatch_size_detect = 4\n[profile.p.workload.A]\nbatch_size_classify = 8\n";
    let loaded =
        Files::new().with("Lpfile.toml", lpfile).with(super::WORKLOAD_FILE, workloads).load(|request| {
            request.profile = Some("p".to_owned());
            request.sets = vec!["workload.a.inference_interval=6".to_owned()];
        });
    let project = loaded.project.unwrap();
    let steps = project.workloads.iter().flat_map(|workload| &workload.steps);
    let options: Vec<String> = steps
        .map(|step| {
            let step = serde_json::to_value(step).unwrap();
            let of = |key: &str| step.get(key).map_or_else(|| "none".to_owned(), ToString::to_string);
            ["type", "batch_size", "inference_interval", "threshold"].map(of).join(" ")
        })
        .collect();
    expect![[r#"
        "gvadetect" 4 6 0.1
        "gvaclassify" 8 none none
        "gvainference" none none none
        "gvadetect" 4 3 0.2"#]]
    .assert_eq(&options.join("\n"));
}
