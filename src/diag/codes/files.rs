//! LP00xx: files as such, before anybody looks into them.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Bytes, Cameras, File, Lpfile, Without, Zeros};
use super::{Rule, wrong};

rules! {
    NO_PROJECT = "LP0001", [Error], "no `Lpfile.toml` was found" {
        why: indoc! {"
            A project is the nearest folder upwards that has an `Lpfile.toml`; an empty one will do.
            `lp init` makes a project to start from. Without one, name the files: `--cameras FILE`
            and `--workloads FILE`.
        "},
        examples: &[wrong(&[Without("Lpfile.toml")]).right(&[Lpfile("")])],
    }

    MISSING_FILE = "LP0002", [Error], "a file that is named does not exist" {
        why: indoc! {"
            The default camera file may be absent, which means that there are no cameras. A file that
            somebody names must be there, and so must a workload file as soon as there are cameras.
            Paths in `Lpfile.toml` are relative to it; `--cameras` and `--workloads` are relative to
            the current folder.
        "},
        examples: &[wrong(&[Lpfile("[project]\ncameras = \"configs/cams.json\"\n")])
            .right(&[File("configs/cams.json", camera!(r#""fps": 15"#))])],
    }

    UNREADABLE_FILE = "LP0003", [Error], "a file cannot be read" {
        why: indoc! {"
            The file is there, but the system does not hand it over: it is a folder, or you may not
            read it. The system's own reason is given.
        "},
        examples: &[wrong(&[Lpfile("[project]\nworkloads = \"configs\"\n")])
            .right(&[Lpfile("[project]\nworkloads = \"configs/workload_to_pipeline.json\"\n")])],
    }

    TOO_LARGE = "LP0004", [Error], "a file is larger than 64 MiB" {
        why: indoc! {"
            No config is that large; a video or a model was probably named by mistake. The limit keeps
            the memory that reading takes bounded.
        "},
        examples: &[wrong(&[Zeros("configs/camera_to_workload.json", (64 << 20) + 1)])],
    }

    NOT_UTF8 = "LP0005", [Error], "a file is not UTF-8" {
        why: indoc! {"
            All config files are UTF-8, with or without a byte order mark. An editor on Windows may
            have saved the file in another encoding: save it again as UTF-8.
        "},
        examples: &[wrong(&[Bytes(
            "configs/camera_to_workload.json",
            b"{\"lane_config\": {\"cameras\": [\n  {\"camera_id\": \"caf\xe9\"}\n]}}\n",
        )])
        .right(&[Cameras(lane!(r#"{"camera_id": "café", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1"}"#))])],
    }

    TOO_DEEP = "LP0006", [Error], "values are nested more than 128 levels deep" {
        why: indoc! {"
            No key of any file needs more than a handful of levels. The limit keeps a file that was
            damaged, or made to do harm, from exhausting the stack.
        "},
        examples: &[wrong(&[Cameras(concat!(
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        ))])],
    }
}
