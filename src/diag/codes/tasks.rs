//! LP08xx: tasks that do not make a graph, and pipelines that this machine
//! cannot play. They are found when a project was read without errors.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Cameras, File, Lpfile, Workloads};
use super::{Reported, Rule, wrong};

rules! {
    GRAPH = "LP0801", [Error], "tasks do not make a graph" {
        why: indoc! {"
            Two tasks make the same file, one makes a file inside a folder that another makes, tasks
            wait for each other in a circle, or a task comes after one that does not exist. In all of
            these there is no order in which they could run.
        "},
        examples: &[wrong(&[Lpfile(indoc! {r#"
            [[task]]
            name = "a"
            command = ["cp", "b.txt", "a.txt"]
            inputs = ["b.txt"]
            outputs = ["a.txt"]
            [[task]]
            name = "b"
            command = ["cp", "a.txt", "b.txt"]
            inputs = ["a.txt"]
            outputs = ["b.txt"]
        "#})])
        .right(&[Lpfile(indoc! {r#"
            [[task]]
            name = "a"
            command = ["cp", "c.txt", "a.txt"]
            inputs = ["c.txt"]
            outputs = ["a.txt"]
            [[task]]
            name = "b"
            command = ["cp", "a.txt", "b.txt"]
            inputs = ["a.txt"]
            outputs = ["b.txt"]
        "#})])],
        reported: Reported::By("lp check"),
    }

    NO_PRODUCER = "LP0802", [Error], "a task reads a file that does not exist and that no task makes" {
        why: indoc! {"
            The file is missing, its name is misspelt, or the task that makes it does not declare it in
            its `outputs`. It is looked for when the task is needed; `lp check` looks for the scripts of
            cameras.
        "},
        examples: &[wrong(&[Lpfile("[[task]]\nname = \"copy\"\ncommand = [\"cp\", \"a.txt\", \"b.txt\"]\ninputs = [\"a.txt\"]\noutputs = [\"b.txt\"]\n")])
            .right(&[File("a.txt", "hello\n")])],
        reported: Reported::By("lp build"),
    }

    MISSING_ELEMENT = "LP0803", [Error], "this machine lacks an element that a pipeline needs" {
        why: indoc! {"
            GStreamer has no element of that name here. The message says which package has it, where
            that is known; `lp doctor` lists all that is missing. Elements that no step names, such as the
            decoder of a clip, are reported at the camera.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "zbarr"}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[Workloads(steps!(r#"{"type": "zbar"}"#))])],
        reported: Reported::OnMachine,
    }

    SCRIPT_NOT_RUNNABLE = "LP0804", [Error], "a script cannot be started" {
        why: indoc! {"
            A script is started as a program, without a shell around it. So it must be a file that may
            be executed (`chmod +x`), and begin with `#!` and a program that exists. `lp check` looks at
            it, and whatever runs it, unless a task makes it.
        "},
        examples: &[wrong(&[
            File("pipelines/hidden_item.sh", "#!/usr/bin/shh\nexec gst-launch-1.0 -v videotestsrc ! fpsdisplaysink\n"),
            Workloads(steps!(r#"{"script": "pipelines/hidden_item.sh"}"#)),
            Cameras(camera!(r#""fps": 15"#)),
        ])
        .right(&[File("pipelines/hidden_item.sh", "#!/bin/sh\nexec gst-launch-1.0 -v videotestsrc ! fpsdisplaysink\n")])],
        reported: Reported::By("lp check"),
    }

    SCRIPT_SOURCE = "LP0805", [Error], "a script cannot see the frames of its camera" {
        why: indoc! {"
            With `run.source = \"synthetic\"` a camera's scene is drawn inside the worker, and a script
            is a program of its own: there is no path or URI that it could open. Play the clip that is
            drawn from the scene instead.
        "},
        examples: &[wrong(&[
            Lpfile("[run]\nsource = \"synthetic\"\n"),
            File("configs/scenes/till.toml", "duration_s = 2\n"),
            File("pipelines/hidden_item.sh", "#!/bin/sh\nexec gst-launch-1.0 -v videotestsrc ! fpsdisplaysink\n"),
            Workloads(steps!(r#"{"script": "pipelines/hidden_item.sh"}"#)),
            Cameras(indoc! {r#"
                {"lane_config": {"cameras": [
                  {"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "till.mp4|scene:till"}
                ]}}
            "#}),
        ])
        .right(&[Lpfile("[run]\nsource = \"file\"\n")])],
        reported: Reported::By("lp check"),
    }
}
