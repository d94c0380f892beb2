//! `Lpfile.toml` and the files that it includes.

use expect_test::expect;

use super::{Files, check, check_lpfile};

#[test]
fn run_has_words_and_ranges() {
    check_lpfile(
        "[run]\nduration = \"30\"\nwarmup = \"soon\"\nsource = \"rtsp\"\npace = \"Live\"\n\
         isolation = 1\ndialect = \"native\"\ncount = 0\n",
        expect![[r#"
            error[LP0208]: `run.duration` must be a duration such as `30s`, `1m30s` or `500ms`
             --> Lpfile.toml:2:12
              |
            2 | duration = "30"
              |            ^^^^ found the text `30`

            error[LP0208]: `run.warmup` must be a duration such as `30s`, `1m30s` or `500ms`
             --> Lpfile.toml:3:10
              |
            3 | warmup = "soon"
              |          ^^^^^^ found the text `soon`

            error[LP0205]: `run.pace` must be one of `live`, `free`
             --> Lpfile.toml:5:8
              |
            5 | pace = "Live"
              |        ^^^^^^ found the text `Live`
              |
              = help: did you mean `live`?

            error[LP0203]: `run.isolation` must be one of `camera`, `lane`
             --> Lpfile.toml:6:13
              |
            6 | isolation = 1
              |             ^ found 1

            error[LP0209]: `run.dialect = native` is not supported yet
             --> Lpfile.toml:7:11
              |
            7 | dialect = "native"
              |           ^^^^^^^^
              |
              = help: supported are `auto`, `stock`, `dlstreamer`

            error[LP0204]: `run.count` must be a whole number from 1 to 1000
             --> Lpfile.toml:8:9
              |
            8 | count = 0
              |         ^ found 0

        "#]],
    );
}

#[test]
fn unknown_keys_of_the_project_file_are_errors() {
    check_lpfile(
        "runs = 1\n[run]\n_note = 1\n[paths]\nmodel = \"m\"\n[worker]\n",
        expect![[r#"
            error[LP0201]: unknown key `runs`
             --> Lpfile.toml:1:1
              |
            1 | runs = 1
              | ^^^^
              |
              = help: did you mean `run`?

            error[LP0201]: unknown key `run._note`
             --> Lpfile.toml:3:1
              |
            3 | _note = 1
              | ^^^^^
              |
              = help: possible here: duration, warmup, source, pace, isolation, dialect, count, share, render

            error[LP0201]: unknown key `paths.model`
             --> Lpfile.toml:5:1
              |
            5 | model = "m"
              | ^^^^^
              |
              = help: did you mean `models`?

            error[LP0201]: unknown key `worker`
             --> Lpfile.toml:6:2
              |
            6 | [worker]
              |  ^^^^^^
              |
              = help: possible here: project, paths, run, rtsp, dlstreamer, workload, pools, asset, task

        "#]],
    );
}

#[test]
fn pools_assets_and_tasks_are_checked() {
    check_lpfile(
        "[pools]\ncpu = 0\nexclusive = 2\n\"a b\" = 1\n",
        expect![[r#"
        error[LP0204]: `pools.cpu` must be a whole number from 1 to 4096
         --> Lpfile.toml:2:7
          |
        2 | cpu = 0
          |       ^ found 0

        error[LP0304]: the pool `exclusive` has no depth
         --> Lpfile.toml:3:1
          |
        3 | exclusive = 2
          | ^^^^^^^^^
          |
          = help: it always waits for all other tasks and holds up all of them

        error[LP0212]: `a b` cannot be the name of a pool
         --> Lpfile.toml:4:1
          |
        4 | "a b" = 1
          | ^^^^^ only letters, digits, `_` and `-`

    "#]],
    );
    check_lpfile(
        "[asset.\"a/b\"]\n[asset.\"a.mp4\"]\nurls = [\"a.mp4\"]\nsha256 = \"12\"\n",
        expect![[r#"
            error[LP0212]: `a/b` cannot be the name of an asset
             --> Lpfile.toml:1:8
              |
            1 | [asset."a/b"]
              |        ^^^^^ expected a plain file name such as `scan.mp4`

            error[LP0211]: `asset.a.mp4.urls[0]` must be a URL that begins with `http://` or `https://`
             --> Lpfile.toml:3:9
              |
            3 | urls = ["a.mp4"]
              |         ^^^^^^^ found the text `a.mp4`

            error[LP0213]: `asset.a.mp4.sha256` must be 64 hex digits
             --> Lpfile.toml:4:10
              |
            4 | sha256 = "12"
              |          ^^^^ found the text `12`

        "#]],
    );
    check_lpfile(
        "[[task]]\ncommand = \"make all\"\ninputs = [\"/etc/x\", \"../y\"]\npool = \"gpuu\"\n\
         timeout = \"0s\"\nenv = { \"A B\" = \"x\", C = 1.5 }\npass = [\"A=B\"]\nretries = -1\n\
         [[task]]\nname = \"plan\"\ncommand = []\npool = \"disk\"\n",
        expect![[r#"
            error[LP0202]: `task.name` is missing
             --> Lpfile.toml:1:1
              |
            1 | [[task]]
              | ^^^^^^^^ in this table

            error[LP0203]: `task.command` must be a list of arguments; there is no shell
             --> Lpfile.toml:2:11
              |
            2 | command = "make all"
              |           ^^^^^^^^^^ found the text `make all`
              |
              = help: write ["make", "all"]

            error[LP0210]: `task.inputs[0]` is no path inside the project
             --> Lpfile.toml:3:11
              |
            3 | inputs = ["/etc/x", "../y"]
              |           ^^^^^^^^ `/etc/x` is absolute, but must be relative to the project

            error[LP0210]: `task.inputs[1]` is no path inside the project
             --> Lpfile.toml:3:21
              |
            3 | inputs = ["/etc/x", "../y"]
              |                     ^^^^^^ `../y` leaves the project

            error[LP0303]: there is no pool `gpuu`
             --> Lpfile.toml:4:8
              |
            4 | pool = "gpuu"
              |        ^^^^^^
              |
              = help: did you mean `gpu`?

            error[LP0204]: `task.timeout` must be longer than zero
             --> Lpfile.toml:5:11
              |
            5 | timeout = "0s"
              |           ^^^^ found the text `0s`
              |
              = help: without this key there is no limit

            error[LP0212]: `A B` is no name of an environment variable
             --> Lpfile.toml:6:9
              |
            6 | env = { "A B" = "x", C = 1.5 }
              |         ^^^^^

            error[LP0203]: `task.env.C` must be a text
             --> Lpfile.toml:6:26
              |
            6 | env = { "A B" = "x", C = 1.5 }
              |                          ^^^ found 1.5

            error[LP0212]: `task.pass[0]` must name an environment variable
             --> Lpfile.toml:7:9
              |
            7 | pass = ["A=B"]
              |         ^^^^^ found the text `A=B`

            error[LP0204]: `task.retries` must be a whole number from 0 to 100
             --> Lpfile.toml:8:11
              |
            8 | retries = -1
              |           ^^ found -1

            error[LP0302]: `plan` cannot be the name of a task
              --> Lpfile.toml:10:8
               |
            10 | name = "plan"
               |        ^^^^^^ labels use `plan` themselves

            error[LP0207]: `task.command` must not be empty
              --> Lpfile.toml:11:11
               |
            11 | command = []
               |           ^^

            error[LP0303]: there is no pool `disk`
              --> Lpfile.toml:12:8
               |
            12 | pool = "disk"
               |        ^^^^^^
               |
               = help: give it a depth: `[pools] disk = 1`

        "#]],
    );
    check_lpfile(
        "[paths]\nmedia = \"x/\"\nresults = \"./x\"\nmodels = \"/abs\"\n",
        expect![[r#"
            error[LP0305]: `paths.media` and `paths.results` are the same folder
             --> Lpfile.toml:3:11
              |
            3 | results = "./x"
              |           ^^^^^ `x`

        "#]],
    );
}

#[test]
fn included_files_hold_tasks() {
    let lpfile = "[project]\ninclude = [\"tasks/*.toml\", \"more.toml\", \"../x.toml\", \"*/x.toml\"]\n";
    let files = Files::new()
        .with("Lpfile.toml", lpfile)
        .with("tasks/b.toml", "[[task]]\nname = \"b\"\ncommand = [\"b\"]\n")
        .with("tasks/a.toml", "[[task]]\nname = \"b\"\ncommand = [\"a\"]\n[run]\n")
        .with("tasks/.hidden.toml", "x");
    check(
        files,
        expect![[r#"
        error[LP0002]: `more.toml` does not exist
         --> Lpfile.toml:2:28
          |
        2 | include = ["tasks/*.toml", "more.toml", "../x.toml", "*/x.toml"]
          |                            ^^^^^^^^^^^

        error[LP0210]: `../x.toml` names no files inside the project
         --> Lpfile.toml:2:41
          |
        2 | include = ["tasks/*.toml", "more.toml", "../x.toml", "*/x.toml"]
          |                                         ^^^^^^^^^^^ `../x.toml` leaves the project

        error[LP0210]: `*/x.toml` names no files inside the project
         --> Lpfile.toml:2:54
          |
        2 | include = ["tasks/*.toml", "more.toml", "../x.toml", "*/x.toml"]
          |                                                      ^^^^^^^^^^ `*` and `?` are possible only behind the last `/`

        error[LP0201]: unknown key `run`
         --> tasks/a.toml:4:2
          |
        4 | [run]
          |  ^^^
          |
          = help: possible here: task

        error[LP0301]: two tasks are called `b`
         --> tasks/b.toml:2:8
          |
        2 | name = "b"
          |        ^^^ again here
          |
         ::: tasks/a.toml:2:8
          |
        2 | name = "b"
          |        --- first here

    "#]],
    );
}
