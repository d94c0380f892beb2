//! Flags and words that a command cannot do anything with.

use expect_test::expect;

use crate::scripts::{STEADY, till};
use crate::support::Workspace;

#[test]
fn flags_that_mean_nothing_to_a_command_are_refused_by_it() {
    let ws = Workspace::cameras();
    let flags = ["--cameras c.json", "--workloads w.json", "--profile p", "--set run.count=2"];
    for (command, meaningless) in [
        ("init new", &flags[..]),
        ("import", &flags[2..]),
        ("check --explain LP0405", &flags[..]),
        ("report", &flags[..]),
        ("cache show", &flags[..]),
        ("cache clean", &flags[..]),
        ("cache stats", &flags[..2]),
        ("cache gc", &flags[..2]),
        ("cache verify", &flags[..2]),
    ] {
        for flag in meaningless {
            let name = flag.split(' ').next().unwrap();
            let told = format!("error: `{name}` has no effect on `lp {}", command.split(' ').next().unwrap());
            for line in [format!("{command} {flag}"), format!("{flag} {command}")] {
                let ended = ws.lp(&line).code(2).stderr_has(&told);
                assert_eq!(ended.stderr.lines().count(), 1, "{line}: {}", ended.stderr);
            }
        }
    }
    assert!(!ws.exists("new") && !ws.exists(".lpcache"));
    // A variable is set for all commands.
    ws.env("LP_PROFILE", "p").lp("init new").success();
}

#[test]
fn help_lists_only_flags_that_mean_something() {
    let ws = Workspace::empty();
    let help = |command: &str| ws.lp(&format!("{command} --help")).success().stdout;
    for (command, files, settings) in [
        ("init", false, false),
        ("import", true, false),
        ("check", true, true),
        ("report", false, false),
        ("run", true, true),
        ("cache", false, true),
        ("cache show", false, false),
        ("cache gc", false, true),
        ("cache key", true, true),
    ] {
        let help = help(command);
        for (flag, is_listed) in
            [("--cameras", files), ("--workloads", files), ("--profile", settings), ("--set", settings)]
        {
            assert_eq!(help.contains(&format!("  {flag} <")), is_listed, "{command} {flag}:\n{help}");
        }
    }
}

#[test]
fn flags_of_one_command_that_contradict_each_other_are_refused() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    ws.lp("show --diff results/plan.json results/plan.json").success();
    ws.lp("show --diff results/plan.json default --set run.count=2").success();
    for line in [
        "build --dry-run --json",
        "graph --depth 2",
        "report --json --format csv",
        "report --output out --format csv",
        "report --output out --json",
        "check --explain LP0405 --format sarif",
        "show --diff results/plan.json results/plan.json --set run.count=2",
    ] {
        ws.lp(line).code(2);
    }
    assert!(!ws.exists("out"));
}

#[test]
fn an_ambiguous_run_id_lists_all_matches() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp("run --no-verdict").success();
    ws.lp("run --no-verdict").success();
    let mut ids: Vec<String> = std::fs::read_dir(ws.path("results/runs"))
        .unwrap()
        .map(|run| run.unwrap().file_name().into_string().unwrap())
        .collect();
    ids.sort_unstable();
    let told =
        |word: &str| format!("error: 2 runs begin with `{word}`\n  {}  lane\n  {}  lane\n", ids[1], ids[0]);
    for command in ["report 20", "cache show 20"] {
        assert_eq!(ws.lp(command).code(2).stderr, told("20"));
    }
    let begin = |id: &str| id[..id.len() - 1].to_owned();
    if begin(&ids[0]) != begin(&ids[1]) {
        let shown = ws.lp(&format!("report {}", begin(&ids[0]))).success().stdout;
        assert!(shown.contains(&ids[0]), "{shown}");
        let shown = ws.lp(&format!("cache show {}", begin(&ids[0]))).success().stdout;
        assert!(shown.contains(&ids[0]), "{shown}");
    }
    let ended = ws.lp("report nothing").code(2);
    assert_eq!(
        ended.stderr,
        format!(
            "error: there is no run `nothing`\n  hint: the newest is {}; `lp list runs` lists all\n",
            ids[1]
        )
    );
}

#[test]
fn stored_runs_are_shown_although_the_config_has_errors_or_is_named_by_flags() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp("run --no-verdict").success();
    ws.write("Lpfile.toml", "[run\n");
    ws.lp("report").success().stderr(expect![""]);
    ws.lp("cache show run:lane").success();
    // Without an `Lpfile.toml` the project is where its store is.
    std::fs::remove_file(ws.path("Lpfile.toml")).unwrap();
    ws.lp("report").success().stderr(expect![""]);
    ws.lp("cache stats").success();
    ws.lp("-C configs report").code(2).stderr(expect![[r#"
        error: there is no `Lpfile.toml` in `<project>/configs` or above, and no store here
          hint: name the project's folder with `-C DIR`
    "#]]);
}

#[test]
fn lane_is_the_same_program() {
    let lane = |arguments: &[&str]| {
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_lane")).args(arguments).output().unwrap();
        assert!(ended.status.success());
        String::from_utf8(ended.stdout).unwrap()
    };
    assert_eq!(lane(&["--version"]), format!("lp {}\n", env!("CARGO_PKG_VERSION")));
    assert!(lane(&["check", "--help"]).contains("Usage: lane check"));
}

#[test]
fn help_lists_the_commands_in_groups_within_80_columns() {
    let ws = Workspace::empty();
    for line in ["--help", "-h", "help"] {
        let help = ws.lp(line).success().stdout;
        let groups = [
            "\nMake a project:\n  init ",
            "\nMeasure:\n  run ",
            "\nBuild:\n  build ",
            "\nOptions:\n  -C <DIR>",
        ];
        for group in groups {
            assert!(help.contains(group), "`{group}` is not in:\n{help}");
        }
        assert!(!help.contains('\u{1b}'), "{help}");
    }
}

#[test]
fn a_word_that_people_try_leads_to_the_command_that_was_meant() {
    let ws = Workspace::empty();
    for (word, meant) in [("runs", "lp list runs"), ("history", "lp list runs"), ("status", "lp graph")] {
        let ended = ws.lp(word).code(2).stderr_has(&format!("did you mean `{meant}`?"));
        assert!(!ended.stderr.contains("a similar subcommand"), "{}", ended.stderr);
    }
    ws.lp("biuld").code(2).stderr_has("build");
}
