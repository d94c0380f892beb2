//! LP05xx: the workload file.

use indoc::indoc;

use super::super::diagnostics::Severity::{Error, Note, Warning};
use super::Part::{Cameras, Workloads};
use super::{Rule, wrong};

rules! {
    DUPLICATE_WORKLOAD = "LP0501", [Error], "two workloads have the same name or the same slug" {
        why: indoc! {"
            Names of workloads are compared without regard to case, and become parts of file names, in
            which every character but letters, digits, `_` and `-` is written as `_`. No two may come
            out the same.
        "},
        examples: &[wrong(&[Workloads(indoc! {r#"
            {"workload_pipeline_map": {
              "barcodes": [{"type": "zbar"}],
              "Barcodes": [{"type": "motioncells"}]
            }}
        "#})])
        .right(&[Workloads(indoc! {r#"
            {"workload_pipeline_map": {
              "barcodes": [{"type": "zbar"}],
              "motion": [{"type": "motioncells"}]
            }}
        "#})])],
    }

    UNUSED_WORKLOAD = "LP0502", [Note], "a workload is mapped, but no camera uses it" {
        why: indoc! {"
            That is fine; a workload file may serve several camera files. It is said because a name
            that was misspelt on both sides looks the same.
        "},
        examples: &[wrong(&[
            Workloads(indoc! {r#"
                {"workload_pipeline_map": {
                  "barcodes": [{"type": "zbar"}],
                  "motion": [{"type": "motioncells"}]
                }}
            "#}),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "zbar"}"#))])],
    }

    UNKNOWN_STEP = "LP0503", [Error], "a step's type is no known step" {
        why: indoc! {"
            A type is one of `gvadetect`, `gvaclassify`, `gvainference`, `gvatrack`, `gvapython`, `vlm`
            and `script`, or the factory of a GStreamer element such as `zbar`. A word that begins with
            `gva`, or is nearly one of these, and is none of them is taken for a slip. Whether the
            machine has an element is checked before a run.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "gvadetekt", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#))])],
    }

    NO_SUCH_PRECISION = "LP0504", [Error], "a known model does not exist in this precision" {
        why: indoc! {"
            The models that `lp` knows are published in certain precisions; there is no file to fetch
            for any other. The message names those that exist.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "face-detection-retail-0004", "precision": "INT8", "device": "CPU"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "face-detection-retail-0004", "precision": "FP16-INT8", "device": "CPU"}"#))])],
    }

    UNKNOWN_MODEL = "LP0505", [Warning], "a model is none that `lp` knows" {
        why: indoc! {"
            That is right for a model of your own, which then has to lie in the folder of models. It is
            also what a misspelt name looks like.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11m1", "precision": "INT8", "device": "CPU"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11m", "precision": "INT8", "device": "CPU"}"#))])],
    }

    NO_DETECTOR = "LP0506", [Error], "a classify step has no detector before it" {
        why: indoc! {"
            `gvaclassify` looks at what a `gvadetect` step before it found. Without one there is
            nothing to classify.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "gvaclassify", "model": "efficientnet-b0", "precision": "FP16-INT8", "device": "CPU"}"#))])
            .right(&[Workloads(steps!(
                r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#,
                r#"{"type": "gvaclassify", "model": "efficientnet-b0", "precision": "FP16-INT8", "device": "CPU"}"#
            ))])],
    }

    OLD_WORKLOAD_FORM = "LP0507", [Note], "a workload is written in an older form" {
        why: indoc! {"
            Earlier versions of the format named a model by its file, numbered its instances, gave a
            step a region, or had one step in place of a list. All of these are read.
            `lp import --rewrite FILE` prints the file in its current form.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n.xml", "precision": "INT8", "device": "CPU"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#))])],
    }

    MIXED_SCRIPT = "LP0508", [Error], "a script stands beside other steps" {
        why: indoc! {"
            A script reads the camera itself and is a program of its own, so no step can come before
            or after it. Give it a workload of its own, and the camera both workloads.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "zbar"}"#, r#"{"script": "pipelines/hidden_item.sh"}"#))])
            .right(&[Workloads(steps!(r#"{"script": "pipelines/hidden_item.sh"}"#))])],
    }
}
