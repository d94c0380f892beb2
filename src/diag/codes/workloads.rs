//! LP05xx: the workload file.

use indoc::indoc;

use super::super::severity::Severity::{Error, Note, Warning};
use super::Part::{Cameras, Workloads};
use super::{Rule, wrong};

rules! {
    DUPLICATE_WORKLOAD = "LP0501", [Error], "two workloads have the same name or the same slug" {
        why: indoc! {"
            Names of workloads are compared without regard to case, and become parts of file names, in
            which every character but A to Z, a to z, 0 to 9, `_` and `-` is written as `_`, and a
            digest follows if that is more than blanks and dots. No two may come out the same.
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

    UNKNOWN_TEE = "LP0509", [Error], "a side branch begins at a tee that is not there" {
        why: indoc! {"
            `from` names a step of type `tee` that stands before the step in the same workload, by its
            `name`. The side branch gets every frame that comes by that tee.
        "},
        examples: &[wrong(&[Workloads(steps!(
            r#"{"type": "tee", "name": "frames"}"#,
            r#"{"type": "zbar"}"#,
            r#"{"from": "frame", "type": "motioncells"}"#
        ))])
        .right(&[Workloads(steps!(
            r#"{"type": "tee", "name": "frames"}"#,
            r#"{"type": "zbar"}"#,
            r#"{"from": "frames", "type": "motioncells"}"#
        ))])],
    }

    DUPLICATE_TEE = "LP0510", [Error], "two tees of a workload have the same name" {
        why: indoc! {"
            A `from` would not tell which of them it means.
        "},
        examples: &[wrong(&[Workloads(steps!(
            r#"{"type": "tee", "name": "t"}"#,
            r#"{"type": "zbar"}"#,
            r#"{"type": "tee", "name": "t"}"#
        ))])
        .right(&[Workloads(steps!(
            r#"{"type": "tee", "name": "t"}"#,
            r#"{"type": "zbar"}"#,
            r#"{"type": "tee", "name": "seen"}"#
        ))])],
    }

    BAD_CAPS = "LP0511", [Error], "a text is no caps" {
        why: indoc! {"
            Caps are written as GStreamer prints them: a media type, and behind commas fields with
            values, `video/x-raw,format=RGB,width=[1,640]`; several are separated by `;`. Only the
            syntax is checked here; `lp check --machine` asks GStreamer.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "capsfilter", "caps": "format=RGB"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "capsfilter", "caps": "video/x-raw,format=RGB"}"#))])],
    }

    MISPLACED_KEY = "LP0512", [Error], "a step has a key that only other steps have" {
        why: indoc! {"
            Only a `tee` has a `name`, and only a `bin` has `steps`; inside a bin nothing branches; a
            workload with inference steps is one chain. Such a key would change nothing, and the
            pipeline would not be what its author thinks.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "zbar", "name": "codes"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "zbar"}"#))])],
    }

    MISPLACED_SINK = "LP0513", [Error], "a sink stands where frames go on" {
        why: indoc! {"
            The main chain is measured and ends in a sink of `lp`'s own, so a sink (an element whose
            factory ends with `sink`) can only be the last step of a side branch.
        "},
        examples: &[wrong(&[Workloads(steps!(
            r#"{"type": "zbar"}"#,
            r#"{"type": "fakevideosink"}"#
        ))])
        .right(&[Workloads(steps!(
            r#"{"type": "tee", "name": "t"}"#,
            r#"{"type": "zbar"}"#,
            r#"{"from": "t", "type": "fakevideosink"}"#
        ))])],
    }

    FILE_OUTSIDE = "LP0514", [Warning], "a step names a file outside the project" {
        why: indoc! {"
            Models, labels and other files that a step reads are inputs of its runs: they must be
            there, a change of one is measured anew, and a worker in a container sees them. `lp` does
            none of this for a file outside the project. A link inside the project may lead anywhere.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "facedetect", "properties": {"profile": "/usr/share/opencv4/haarcascades/face.xml"}}"#))])
            .right(&[Workloads(steps!(r#"{"type": "facedetect", "properties": {"profile": "models/face.xml"}}"#))])],
    }
}
