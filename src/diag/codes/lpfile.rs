//! LP03xx: `Lpfile.toml` and the files with tasks that it includes.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Cameras, Lpfile};
use super::{Rule, wrong};

rules! {
    DUPLICATE_NAME = "LP0301", [Error], "two tasks have the same name" {
        why: indoc! {"
            Names of tasks and cameras become labels and names of files, in which every character but
            A to Z, a to z, 0 to 9, `_` and `-` is written as `_`, and a digest follows if that is
            more than blanks and dots. No two may come out the same, not even a task and a camera.
        "},
        examples: &[wrong(&[Lpfile(indoc! {r#"
            [[task]]
            name = "get model"
            command = ["python3", "get.py"]
            [[task]]
            name = "get_model"
            command = ["python3", "get.py", "--again"]
        "#})])
        .right(&[Lpfile(indoc! {r#"
            [[task]]
            name = "get model"
            command = ["python3", "get.py"]
            [[task]]
            name = "get model again"
            command = ["python3", "get.py", "--again"]
        "#})])],
    }

    RESERVED_NAME = "LP0302", [Error], "a name is a word that labels use themselves" {
        why: indoc! {"
            `lane`, `plan`, `assets`, `report` and `set-` with six hex digits are targets or parts of
            labels. A camera or a task of that name could not be asked for.
        "},
        examples: &[wrong(&[Lpfile("[[task]]\nname = \"report\"\ncommand = [\"make\"]\n")])
            .right(&[Lpfile("[[task]]\nname = \"my-report\"\ncommand = [\"make\"]\n")])],
    }

    UNKNOWN_POOL = "LP0303", [Error], "a task names a pool that does not exist" {
        why: indoc! {"
            A pool limits how many tasks run at once. `cpu`, `network`, `gpu`, `npu` and `exclusive`
            always exist; any other gets its depth in `[pools]`.
        "},
        examples: &[wrong(&[Lpfile("[[task]]\nname = \"scan\"\ncommand = [\"scan\"]\npool = \"scanner\"\n")])
            .right(&[Lpfile("[pools]\nscanner = 1\n[[task]]\nname = \"scan\"\ncommand = [\"scan\"]\npool = \"scanner\"\n")])],
    }

    EXCLUSIVE_POOL = "LP0304", [Error], "the pool `exclusive` has no depth" {
        why: indoc! {"
            A task of the pool `exclusive` waits until no other task runs, and no other starts
            meanwhile. There is nothing to set.
        "},
        examples: &[wrong(&[Lpfile("[pools]\nexclusive = 2\n")]).right(&[Lpfile("[pools]\ncpu = 2\n")])],
    }

    SAME_FOLDER = "LP0305", [Error], "two of the folders of `[paths]` are one" {
        why: indoc! {"
            Clips, models and results have the same names now and then, and results are deleted and
            written again. Each needs a folder of its own, and a link from one to another makes them one.
        "},
        examples: &[wrong(&[Lpfile("[paths]\nmedia = \"data\"\nmodels = \"data/\"\n")])
            .right(&[Lpfile("[paths]\nmedia = \"data/media\"\nmodels = \"data/models\"\n")])],
    }

    UNKNOWN_WORKLOAD = "LP0306", [Error], "`[workload.NAME]` is about a workload that there is not" {
        why: indoc! {"
            The table gives options of inference to all steps of one workload. Without a workload of
            that name, whatever its case, they would silently have no effect.
        "},
        examples: &[wrong(&[Lpfile("[workload.barcode]\nthreshold = 0.4\n")])
            .right(&[Lpfile("[workload.barcodes]\nthreshold = 0.4\n")])],
    }

    BAD_WORKER = "LP0307", [Error], "`[worker] command` cannot be the start of a worker" {
        why: indoc! {"
            `lp` talks to a worker through its stdin and stdout. A container that is to be one runs in
            the foreground (no `-d`), with stdin (`-i`) and without a terminal (no `-t`). `lp` gives it
            its name and removes it when it has ended.
        "},
        examples: &[wrong(&[Lpfile(indoc! {r#"
            [worker]
            command = ["podman", "run", "-it", "--name", "till", "localhost/lp/pipeline-exec"]
        "#})])
        .right(&[Lpfile(indoc! {r#"
            [worker]
            command = ["podman", "run", "-i", "localhost/lp/pipeline-exec"]
        "#})])],
    }

    UNKNOWN_CAMERA = "LP0308", [Error], "`[camera.NAME]` is about a camera that there is not" {
        why: indoc! {"
            The table says where one camera may differ from its config and still hold. Without a
            camera of that name or slug it would silently have no effect.
        "},
        examples: &[wrong(&[
            Cameras(camera!("\"codec\": \"h264\"")),
            Lpfile("[camera.entrence]\naccept = [\"rate\"]\n"),
        ])
        .right(&[Lpfile("[camera.entrance]\naccept = [\"rate\"]\n")])],
    }
}
