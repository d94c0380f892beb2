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
        "runs = 1\n[run]\n_note = 1\n[paths]\nmodel = \"m\"\n[wroker]\n",
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

            error[LP0201]: unknown key `wroker`
             --> Lpfile.toml:6:2
              |
            6 | [wroker]
              |  ^^^^^^
              |
              = help: did you mean `worker`?

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

#[test]
fn a_container_of_a_worker_runs_in_the_foreground_with_stdin_and_no_terminal() {
    check_lpfile(
        "[worker]\ncommand = [\"podman\", \"run\", \"-dt\", \"--name=a\", \"--restart\", \"always\", \"image\"]\n",
        expect![[r#"
            error[LP0307]: `worker.command` does not connect the worker's stdin
             --> Lpfile.toml:2:22
              |
            2 | command = ["podman", "run", "-dt", "--name=a", "--restart", "always", "image"]
              |                      ^^^^^
              |
              = help: write "-i" behind "run"

            error[LP0307]: `-d` cannot be an option in `worker.command`
             --> Lpfile.toml:2:29
              |
            2 | command = ["podman", "run", "-dt", "--name=a", "--restart", "always", "image"]
              |                             ^^^^^ `lp` talks to the container, so it cannot be detached

            error[LP0307]: `-t` cannot be an option in `worker.command`
             --> Lpfile.toml:2:29
              |
            2 | command = ["podman", "run", "-dt", "--name=a", "--restart", "always", "image"]
              |                             ^^^^^ a terminal would change what `lp` and the worker say to each other

            error[LP0307]: `--name` cannot be an option in `worker.command`
             --> Lpfile.toml:2:36
              |
            2 | command = ["podman", "run", "-dt", "--name=a", "--restart", "always", "image"]
              |                                    ^^^^^^^^^^ several workers run at once, so `lp` names them

            error[LP0307]: `--restart` cannot be an option in `worker.command`
             --> Lpfile.toml:2:48
              |
            2 | command = ["podman", "run", "-dt", "--name=a", "--restart", "always", "image"]
              |                                                ^^^^^^^^^^^ a worker that died must not come back by itself

        "#]],
    );
    check_lpfile(
        "[worker]\ncommand = [\"sudo\", \"docker\", \"run\", \"-i\", \"--user\", \"1\"]\n",
        expect![[r#"
        error[LP0307]: `worker.command` names no image
         --> Lpfile.toml:2:30
          |
        2 | command = ["sudo", "docker", "run", "-i", "--user", "1"]
          |                              ^^^^^
          |
          = help: expected `podman run -i OPTION... IMAGE`; an option whose value is missing takes the image for it

    "#]],
    );
    check_lpfile(
        "[worker]\ncommand = [\"podman\", \"run\", \"-i\", \" \"]\n",
        expect![[r#"
        error[LP0307]: `worker.command` names no image
         --> Lpfile.toml:2:22
          |
        2 | command = ["podman", "run", "-i", " "]
          |                      ^^^^^
          |
          = help: expected `podman run -i OPTION... IMAGE`; an option whose value is missing takes the image for it

    "#]],
    );
    check_lpfile(
        "[worker]\ncommand = \"podman run -i image\"\nimage = \"image\"\n",
        expect![[r#"
        error[LP0203]: `worker.command` must be a list of arguments; there is no shell
         --> Lpfile.toml:2:11
          |
        2 | command = "podman run -i image"
          |           ^^^^^^^^^^^^^^^^^^^^^ found the text `podman run -i image`
          |
          = help: write ["podman", "run", "-i", "image"]

        error[LP0201]: unknown key `worker.image`
         --> Lpfile.toml:3:1
          |
        3 | image = "image"
          | ^^^^^
          |
          = help: possible here: command

    "#]],
    );
}

#[test]
fn the_image_is_the_first_word_that_is_neither_option_nor_value() {
    let read = |words: &str| {
        let text = format!("[worker]\ncommand = [{words}]\n");
        let loaded = Files::new().with("Lpfile.toml", text).load(|_| {});
        let command = loaded.project.unwrap().settings.worker.unwrap();
        command.container.map(|container| {
            let options = container.options.join(" ");
            format!("{} of {}, {options}", command.words[container.image], container.engine)
        })
    };
    let check = |words: &str, expect: expect_test::Expect| expect.assert_eq(&format!("{:?}", read(words)));
    check(r#""podman", "run", "-i", "till:1", "lp-worker""#, expect![[r#"Some("till:1 of podman, -i")"#]]);
    check(
        r#""/usr/bin/docker", "--context", "x", "container", "run", "-i", "till""#,
        expect![[r#"Some("till of docker, -i")"#]],
    );
    check(
        r#""podman", "run", "-iu", "7:7", "-eA=b", "--rm", "--cpus", "1", "--memory=1g", "till", "-v""#,
        expect![[r#"Some("till of podman, -i -u -e --rm --cpus --memory")"#]],
    );
    check(
        r#""sudo", "-n", "podman", "run", "-iv/a:/b", "--device", "/dev/dri", "--", "till""#,
        expect![[r#"Some("till of podman, -i -v --device")"#]],
    );
    check(r#""podman", "exec", "-i", "till", "lp-worker""#, expect!["None"]);
    check(r#""nice", "-n", "5", "lp-worker""#, expect!["None"]);
}
