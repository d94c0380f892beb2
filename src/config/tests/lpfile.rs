//! `Lpfile.toml` and the files that it includes.

use expect_test::expect;

use super::{Files, check, check_labels, lpfile};

#[test]
fn run_has_words_and_ranges() {
    check(
        lpfile(
            "[run]\nduration = \"30\"\nwarmup = \"soon\"\nsource = \"rtsp\"\npace = \"Live\"\n\
         isolation = 1\ndialect = \"replay\"\ncount = 0\n",
        ),
        expect![[r#"
            LP0208 Lpfile.toml:2:12 `run.duration` must be a duration such as `30s`, `1m30s` or `500ms`
            LP0208 Lpfile.toml:3:10 `run.warmup` must be a duration such as `30s`, `1m30s` or `500ms`
            LP0205 Lpfile.toml:5:8 `run.pace` must be one of `live`, `free`; did you mean `live`?
            LP0203 Lpfile.toml:6:13 `run.isolation` must be one of `camera`, `lane`
            LP0205 Lpfile.toml:7:11 `run.dialect` must be one of `auto`, `stock`, `dlstreamer`, `native`
            LP0204 Lpfile.toml:8:9 `run.count` must be a whole number from 1 to 1000
        "#]],
    );
}

#[test]
fn limits_of_verdicts_are_periods_or_times() {
    let limits = |text: &str| {
        let loaded = Files::new().with("Lpfile.toml", format!("[verdict]\n{text}\n")).load(|_| {});
        assert_eq!(super::shown(&loaded), "");
        format!("{:?}", loaded.project.unwrap().settings.limits)
    };
    expect![
        "Limits { delay_ms: None, deadline: Periods(1.0), on_time: 0.99, max_late_ms: 500, recall: 0.95 }"
    ]
    .assert_eq(&limits(""));
    expect!["Limits { delay_ms: Some(400), deadline: Millis(100), on_time: 0.95, max_late_ms: 1000, recall: 0.95 }"]
        .assert_eq(&limits("delay = \"400ms\"\ndeadline = \"100ms\"\non_time = 0.95\nmax_late = \"1s\""));
    for (text, periods) in [("1.5", 1.5), ("2", 2.0), ("\"1 period\"", 1.0), ("\" 0.5 periods \"", 0.5)] {
        let found = limits(&format!("deadline = {text}"));
        assert!(found.contains(&format!("deadline: Periods({periods:?})")), "{text}: {found}");
    }
    check(
        lpfile(
            "[verdict]\ndelay = 400\ndeadline = \"two periods\"\non_time = 1.0\nmax_late = \"late\"\n\
             [profile.p.verdict]\ndeadline = 0\non_time = \"0.9\"\nmost = 1\n",
        ),
        expect![[r#"
            LP0203 Lpfile.toml:2:9 `verdict.delay` must be a duration such as "30s", "1m30s" or "500ms", in quotes
            LP0208 Lpfile.toml:3:12 `verdict.deadline` must be a duration such as `30s`, `1m30s` or `500ms`
            LP0204 Lpfile.toml:4:11 `verdict.on_time` must be a number above 0 and up to 0.9999
            LP0208 Lpfile.toml:5:12 `verdict.max_late` must be a duration such as `30s`, `1m30s` or `500ms`
            LP0204 Lpfile.toml:7:12 `profile.p.verdict.deadline` must be a number above 0 and up to 1000
            LP0203 Lpfile.toml:8:11 `profile.p.verdict.on_time` must be a number above 0 and up to 0.9999
            LP0201 Lpfile.toml:9:1 unknown key `profile.p.verdict.most`; possible here: delay, deadline, on_time, max_late, recall
        "#]],
    );
}

#[test]
fn a_limit_of_an_override_is_read_like_one_of_a_file() {
    let limits = |set: &str| {
        let loaded = Files::new().load(|request| request.sets = vec![set.to_owned()]);
        assert_eq!(super::shown(&loaded), "");
        loaded.project.unwrap().settings.limits
    };
    assert_eq!(limits("verdict.on_time=0.95").on_time, 0.95);
    assert_eq!(limits("verdict.deadline=1.5").deadline, crate::model::Deadline::Periods(1.5));
    assert_eq!(limits("verdict.deadline=2 periods").deadline, crate::model::Deadline::Periods(2.0));
    assert_eq!(limits("verdict.deadline=80ms").deadline, crate::model::Deadline::Millis(80));
}

#[test]
fn included_files_hold_tasks() {
    let text = "[project]\ninclude = [\"tasks/*.toml\", \"more.toml\", \"../x.toml\", \"*/x.toml\"]\n";
    let files = Files::new()
        .with("Lpfile.toml", text)
        .with("tasks/b.toml", "[[task]]\nname = \"b\"\ncommand = [\"b\"]\n")
        .with("tasks/a.toml", "[[task]]\nname = \"b\"\ncommand = [\"a\"]\n[run]\n")
        .with("tasks/.hidden.toml", "x");
    check_labels(
        files,
        |_| {},
        expect![[r#"
            LP0002 Lpfile.toml:2:28 `more.toml` does not exist
            LP0210 Lpfile.toml:2:41 `../x.toml` names no files inside the project: `../x.toml` leaves the project
            LP0210 Lpfile.toml:2:54 `*/x.toml` names no files inside the project: `*` and `?` are possible only after the last `/`
            LP0201 tasks/a.toml:4:2 unknown key `run`; possible here: task
            LP0301 tasks/b.toml:2:8 two tasks have the name `b`: again here also tasks/a.toml:2:8
        "#]],
    );
}

#[test]
fn a_container_of_a_worker_runs_in_the_foreground_with_stdin_and_no_terminal() {
    check_labels(
        lpfile(
            "[worker]\ncommand = [\"podman\", \"run\", \"-dt\", \"--name=a\", \"--restart\", \"always\", \"image\"]\n",
        ),
        |_| {},
        expect![[r#"
            LP0307 Lpfile.toml:2:22 `worker.command` does not connect the worker's stdin; write "-i" after "run"
            LP0307 Lpfile.toml:2:29 `-d` cannot be an option in `worker.command`: `lp` talks to the container, so it cannot be detached
            LP0307 Lpfile.toml:2:29 `-t` cannot be an option in `worker.command`: a terminal would change the messages between `lp` and the worker
            LP0307 Lpfile.toml:2:36 `--name` cannot be an option in `worker.command`: several workers run at once, so `lp` names them
            LP0307 Lpfile.toml:2:48 `--restart` cannot be an option in `worker.command`: a worker that died must not come back by itself
        "#]],
    );
    check_labels(
        lpfile("[worker]\ncommand = [\"sudo\", \"docker\", \"run\", \"-i\", \"--user\", \"1\"]\n"),
        |_| {},
        expect![[r#"
            LP0307 Lpfile.toml:2:30 `worker.command` does not name an image; expected `podman run -i OPTION... IMAGE`; an option whose value is missing takes the image for it
        "#]],
    );
    check_labels(
        lpfile("[worker]\ncommand = [\"podman\", \"run\", \"-i\", \" \"]\n"),
        |_| {},
        expect![[r#"
            LP0307 Lpfile.toml:2:22 `worker.command` does not name an image; expected `podman run -i OPTION... IMAGE`; an option whose value is missing takes the image for it
        "#]],
    );
    check_labels(
        lpfile("[worker]\ncommand = \"podman run -i image\"\nimage = \"image\"\n"),
        |_| {},
        expect![[r#"
            LP0203 Lpfile.toml:2:11 `worker.command` must be a list of arguments; there is no shell: found the string `podman run -i image`; write ["podman", "run", "-i", "image"]
            LP0201 Lpfile.toml:3:1 unknown key `worker.image`; possible here: command
        "#]],
    );
}

#[test]
fn the_image_is_the_first_word_after_the_options() {
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
