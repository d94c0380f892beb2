//! LP02xx: keys and values of every file.

use indoc::indoc;

use super::super::severity::Severity::{Error, Warning};
use super::Part::{Cameras, Lpfile, Workloads};
use super::{Rule, wrong};

rules! {
    UNKNOWN_KEY = "LP0201", [Error, Warning], "a key has no meaning where it stands" {
        why: indoc! {"
            It is misspelt, or stands in the wrong table. In `Lpfile.toml`, in files with tasks and in
            scenes it is an error. Camera and workload files are a format that others write too, so
            there it is a warning, and an error under `--strict`; a key that begins with `_` is a
            comment.
        "},
        examples: &[
            wrong(&[Lpfile("[run]\nduratoin = \"10s\"\n")]).right(&[Lpfile("[run]\nduration = \"10s\"\n")]),
            wrong(&[Cameras(camera!(r#""widht": 1280"#))]).right(&[Cameras(camera!(r#""width": 1280"#))]),
        ],
    }

    MISSING_KEY = "LP0202", [Error], "a required key is missing" {
        why: indoc! {"
            There is no default that could stand in for it. `docs/configuration.md` says which keys are
            required.
        "},
        examples: &[wrong(&[Lpfile("[[task]]\nname = \"convert\"\n")])
            .right(&[Lpfile("[[task]]\nname = \"convert\"\ncommand = [\"python3\", \"convert.py\"]\n")])],
    }

    WRONG_TYPE = "LP0203", [Error], "a value has the wrong type" {
        why: indoc! {"
            A text stands where a number belongs, a single value where a list belongs, or the like.
            Numbers take no quotes; durations are texts and do.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": "15""#))]).right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    OUT_OF_RANGE = "LP0204", [Error], "a number is outside its range" {
        why: indoc! {"
            Zero frames per second, a width of a few pixels or a negative edge cannot be meant. The
            message names the range.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": 0"#))]).right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    UNKNOWN_WORD = "LP0205", [Error], "a word is none of those that are possible" {
        why: indoc! {"
            The key takes one of a few words. The message lists them.
        "},
        examples: &[wrong(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "GPUU"}"#))])
            .right(&[Workloads(steps!(r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "GPU"}"#))])],
    }

    BLANK_TEXT = "LP0206", [Error], "a text is blank or has characters that cannot be seen" {
        why: indoc! {"
            Names, URIs and the like are printed, become names of files and are handed to other
            programs. One that cannot be seen, or that ends a line, makes trouble in all of these.
            Besides control characters that holds for those that reorder text or have no width.
        "},
        examples: &[wrong(&[Cameras(lane!(r#"{"camera_id": " ", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1"}"#))])
            .right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    EMPTY_LIST = "LP0207", [Error], "a list is empty that must not be" {
        why: indoc! {"
            A camera without workloads, a workload without steps and a task without a program have
            nothing to do. Remove the thing, or begin the key with `_` while it is not needed.
        "},
        examples: &[wrong(&[Workloads("{\"workload_pipeline_map\": {\"barcodes\": []}}\n")])
            .right(&[Workloads(steps!(r#"{"type": "zbar"}"#))])],
    }

    NOT_A_DURATION = "LP0208", [Error], "a text is no duration" {
        why: indoc! {"
            A duration is a number and a unit, or several of them: `500ms`, `30s`, `1m30s`, `2h`,
            `30d`, `2w`. What is shorter than a millisecond would become 0, which means something else.
        "},
        examples: &[wrong(&[Lpfile("[run]\nduration = \"30\"\n")]).right(&[Lpfile("[run]\nduration = \"30s\"\n")])],
    }

    NOT_SUPPORTED = "LP0209", [Error], "a value is understood but not supported yet" {
        why: indoc! {"
            The word is right, but this version cannot do it. The message says what is possible
            instead.
        "},
        examples: &[wrong(&[Lpfile("[run]\ndialect = \"native\"\n")]).right(&[Lpfile("[run]\ndialect = \"stock\"\n")])],
    }

    BAD_PATH = "LP0210", [Error], "a path leaves the project or is otherwise refused" {
        why: indoc! {"
            Paths in camera, workload and task files stay inside the project, so that a file from
            somewhere else cannot read or overwrite what is none of its business. Absolute paths and
            paths that climb out with `..` are refused, as are outputs where `lp` itself writes. The
            folders of `[paths]` may lie elsewhere.
        "},
        examples: &[wrong(&[Lpfile("[[task]]\nname = \"a\"\ncommand = [\"make\"]\noutputs = [\"../a.bin\"]\n")])
            .right(&[Lpfile("[[task]]\nname = \"a\"\ncommand = [\"make\"]\noutputs = [\"out/a.bin\"]\n")])],
    }

    BAD_URL = "LP0211", [Error], "a URL is none that can be fetched or played" {
        why: indoc! {"
            Streams are `rtsp://` or `rtsps://`, USB cameras `v4l2:///dev/video0`; files are fetched
            from `http://` and `https://`. A URL needs a host and has no blanks.
        "},
        examples: &[wrong(&[Lpfile("[asset.\"scan.mp4\"]\nurls = [\"ftp://host/scan.mp4\"]\n")])
            .right(&[Lpfile("[asset.\"scan.mp4\"]\nurls = [\"https://host/scan.mp4\"]\n")])],
    }

    BAD_NAME = "LP0212", [Error], "a name has characters that are not possible here" {
        why: indoc! {"
            Pools, models, assets, properties and variables have names that become parts of paths or
            are known to other programs. The message says what is possible.
        "},
        examples: &[wrong(&[Lpfile("[pools]\n\"my scanner\" = 1\n")]).right(&[Lpfile("[pools]\nmy-scanner = 1\n")])],
    }

    BAD_DIGEST = "LP0213", [Error], "a digest is not 64 hex digits" {
        why: indoc! {"
            `sha256sum FILE` prints the digest of a file.
        "},
        examples: &[wrong(&[Lpfile("[asset.\"scan.mp4\"]\nsha256 = \"9f2c41\"\n")]).right(&[Lpfile(
            "[asset.\"scan.mp4\"]\nsha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n",
        )])],
    }
}
