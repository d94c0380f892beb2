//! `lp config`: what counts for each key, and where it comes from.

use expect_test::expect;
use serde_json::Value;

use crate::support::Workspace;

fn project() -> Workspace {
    Workspace::cameras().file(
        "Lpfile.toml",
        "[run]\nduration = \"10s\"\ncount = 3\n\n[asset.\"a.mp4\"]\nurls = [\"http://bob:secret@h/a.mp4\"]\n\n\
         [profile.quick.run]\nduration = \"2s\"\n\n[pools]\ndisk = 2\n",
    )
}

#[test]
fn every_key_has_its_value_and_its_origin() {
    let ws = project().env("LP_SET_RUN_PACE", "free");
    ws.lp("config --profile quick --set run.count=4 --cameras configs/camera_to_workload.json")
        .success()
        .stdout(expect![[r#"
            key                             value                                from
            project.cameras                 "configs/camera_to_workload.json"    --cameras
            project.workloads               "configs/workload_to_pipeline.json"  default
            project.include                 []                                   default
            paths.media                     "media"                              default
            paths.models                    "models"                             default
            paths.results                   "results"                            default
            models.mirrors                  []                                   default
            run.duration                    "2s"                                 profile quick, Lpfile.toml:9
            run.warmup                      "auto"                               default
            run.source                      "file"                               default
            run.pace                        "free"                               LP_SET_RUN_PACE
            run.isolation                   -                                    default
            run.dialect                     "auto"                               default
            run.count                       4                                    --set
            run.share                       "none"                               default
            run.render                      false                                default
            run.decode_only                 false                                default
            run.snapshots                   true                                 default
            verdict.delay                   -                                    default
            verdict.deadline                "1 period"                           default
            verdict.on_time                 0.99                                 default
            verdict.max_late                "500ms"                              default
            verdict.recall                  0.95                                 default
            thresholds.critical             []                                   default
            thresholds.major                []                                   default
            thresholds.minor                []                                   default
            density.unit                    "lane"                               default
            density.confidence              0.95                                 default
            density.max                     1000                                 default
            density.budget                  "30m"                                default
            density.allow_oom               false                                default
            density.limiter                 true                                 default
            host.price                      -                                    default
            clip.drop_only                  false                                default
            clip.codec                      "source"                             default
            clip.bitrate                    -                                    default
            clip.gop                        -                                    default
            clip.b_frames                   -                                    default
            clip.shape                      "letterbox"                          default
            clip.encoder                    -                                    default
            rtsp.host                       "rtsp-streamer"                      default
            rtsp.port                       8554                                 default
            rtsp.latency                    300                                  default
            rtsp.transport                  "tcp"                                default
            rtsp.impair.loss                "0%"                                 default
            rtsp.impair.delay               "0s"                                 default
            rtsp.impair.jitter              "0s"                                 default
            rtsp.impair.rate                -                                    default
            rtsp.impair.reorder             "0%"                                 default
            rtsp.impair.seed                0                                    default
            rtsp.reconnect                  -                                    default
            rtsp.certificate                "trusted"                            default
            rtsp.codec                      "h264"                               default
            rtsp.cpus                       []                                   default
            worker.command                  -                                    default
            dlstreamer.batch_size_detect    1                                    default
            dlstreamer.inference_interval   3                                    default
            dlstreamer.threshold            0.5                                  default
            dlstreamer.batch_size_classify  1                                    default
            pools.cpu                       -                                    default
            pools.disk                      2                                    Lpfile.toml:12
            pools.gpu                       1                                    default
            pools.network                   8                                    default
            pools.npu                       1                                    default
            asset."a.mp4".urls              ["http://***@h/a.mp4"]               Lpfile.toml:6
        "#]])
        .stderr(expect![""]);
}

#[test]
fn one_key_is_explained_and_a_table_is_listed() {
    let ws = project();
    ws.lp("config run.duration").success().stdout(expect![[r#"
        run.duration = "10s"
          from     Lpfile.toml:2
          default  "30s"
          meaning  How long to measure after warm-up: `30s`; `0s` is until Ctrl-C
    "#]]);
    ws.lp("config --profile quick run.duration")
        .success()
        .stdout_has("from     profile quick, Lpfile.toml:9\n");
    ws.lp("config clip pools.disk")
        .success()
        .stdout_has("clip.drop_only  false        default")
        .stdout_has("Lpfile.toml:12");
    ws.lp("config asset").success().stdout_has("***@h/a.mp4");
    // In a folder below, places are relative to it.
    let below = ws.path("configs");
    ws.lp(["-C", below.to_str().unwrap(), "config", "run.count"]).success().stdout_has("../Lpfile.toml:3");
    ws.lp("config duration run.pase").code(2).stderr(expect![[r#"
        error: `duration` is no key of `Lpfile.toml`
          hint: did you mean `run.duration`?
        error: `run.pase` is no key of `Lpfile.toml`
          hint: did you mean `run.pace`?
    "#]]);
}

#[test]
fn a_document_has_types_and_no_passwords() {
    let ws = project();
    let text = ws.lp("config --json --set run.render=true").success().stdout;
    assert!(!text.contains("secret"), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    let of = |key: &str| {
        let all = document["settings"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key}")).clone()
    };
    assert_eq!((&of("run.count")["value"], &of("run.count")["default"]), (&3.into(), &1.into()));
    assert_eq!(of("run.render")["value"], true);
    assert_eq!(of("run.render")["from"], serde_json::json!({ "kind": "flag", "flag": "--set" }));
    assert_eq!(of("asset.\"a.mp4\".urls")["value"][0], "http://***@h/a.mp4");
    assert_eq!(of("rtsp.port")["from"]["kind"], "default");
    assert_eq!(of("run.duration")["from"]["line"], 2);
}
