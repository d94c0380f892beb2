//! LP09xx: what a worker says of its machine. Found by `lp check --machine`, and
//! before a run.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Cameras, Lpfile, Workloads};
use super::{Reported, Rule, wrong};

rules! {
    NO_WORKER = "LP0901", [Error], "there is no worker that could be asked" {
        why: indoc! {"
            `lp` plays nothing itself: it asks `lp-worker`, the program beside it or the one that
            `LP_WORKER` names, which needs GStreamer. Without it nothing can be said about this machine.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": 15"#))])],
        reported: Reported::Elsewhere {
            by: "lp check --machine",
            because: "it depends on where `lp` is installed",
        },
    }

    NO_DIALECT = "LP0902", [Error], "the dialect of a camera cannot play it here" {
        why: indoc! {"
            Steps become elements of stock GStreamer (`stock`) or of Intel DL Streamer (`dlstreamer`);
            `run.dialect = \"auto\"` chooses per camera, by its steps. Steps that run a model need DL
            Streamer. The message says for each camera what is missing, and what would work.
        "},
        examples: &[
            wrong(&[
                Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#)),
                Cameras(camera!(r#""fps": 15"#)),
                Lpfile("[run]\ndialect = \"stock\"\n"),
            ])
            .right(&[Workloads(steps!(r#"{"type": "zbar"}"#))]),
            wrong(&[
                Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#)),
                Cameras(camera!(r#""fps": 15"#)),
            ])
            .right(&[Workloads(steps!(r#"{"type": "zbar"}"#))]),
            wrong(&[
                Workloads(steps!(r#"{"type": "zbar"}"#)),
                Cameras(camera!(r#""fps": 15"#)),
                Lpfile("[run]\ndialect = \"dlstreamer\"\n"),
            ])
            .right(&[Lpfile("[run]\ndialect = \"auto\"\n")]),
        ],
        reported: Reported::OnMachine,
    }

    UNKNOWN_PROPERTY = "LP0903", [Error], "an element has no property of this name" {
        why: indoc! {"
            The properties of an element are those that `gst-inspect-1.0 ELEMENT` lists on the machine
            that plays it; they differ between versions of GStreamer.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "queue", "properties": {"max-size-bufers": 3}}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "queue", "properties": {"max-size-buffers": 3}}"#))])],
        reported: Reported::OnMachine,
    }

    READ_ONLY_PROPERTY = "LP0904", [Error], "a property can only be read" {
        why: indoc! {"
            Some properties tell how an element is doing, such as the fill of a queue, or are fixed
            when it is made. No pipeline can set them.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "queue", "properties": {"current-level-buffers": 3}}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "queue"}"#))])],
        reported: Reported::OnMachine,
    }

    PROPERTY_TYPE = "LP0905", [Error], "a property takes values of another type" {
        why: indoc! {"
            A number is a number and a truth value `true` or `false`; both may also be written as a
            text, as `gst-launch-1.0` takes them.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "queue", "properties": {"max-size-buffers": "few"}}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "queue", "properties": {"max-size-buffers": 3}}"#))])],
        reported: Reported::OnMachine,
    }

    PROPERTY_RANGE = "LP0906", [Error], "a property takes no such number" {
        why: indoc! {"
            The element itself gives the least and the greatest value. GStreamer would replace one
            beyond them, with a warning that nobody reads.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "queue", "properties": {"max-size-buffers": -1}}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "queue", "properties": {"max-size-buffers": 3}}"#))])],
        reported: Reported::OnMachine,
    }

    PROPERTY_WORD = "LP0907", [Error], "a property does not take this word" {
        why: indoc! {"
            The property is one of a set of words, or some of them joined by `+`. The message lists
            them.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "queue", "properties": {"leaky": "downsteam"}}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "queue", "properties": {"leaky": "downstream"}}"#))])],
        reported: Reported::OnMachine,
    }

    CANNOT_LINK = "LP0908", [Error], "two elements cannot be linked" {
        why: indoc! {"
            What the first one gives is nothing that the second one takes; the message shows the caps
            of both. Put an element between them that converts, or begin a branch elsewhere. Only what
            is known before data flows can be judged so.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "bin", "steps": [{"type": "x264enc"}, {"type": "zbar"}]}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "bin", "steps": [{"type": "videoscale"}, {"type": "zbar"}]}"#))])],
        reported: Reported::OnMachine,
    }

    CANNOT_BUILD = "LP0909", [Error], "an element cannot be made or set" {
        why: indoc! {"
            The element itself refused, or takes a value that only GStreamer can read, such as caps,
            and this is none.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "capsfilter", "caps": "video/x-raw,width=(int)wide"}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "capsfilter", "caps": "video/x-raw,width=640"}"#))])],
        reported: Reported::OnMachine,
    }
}
