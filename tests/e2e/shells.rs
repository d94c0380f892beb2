//! What other programs read of `lp`'s command line: completions in a shell, manual pages.

use std::process::Command;

use crate::support::Workspace;

#[test]
fn bash_completes_commands_and_words_by_the_printed_script() {
    let ws = Workspace::empty();
    let script = ws.lp("completions bash").success().stdout;
    let ws = ws.file("lp.bash", &script);
    let ask = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let program = format!(
            "set -e; . ./lp.bash; complete -p lp; COMP_WORDS=({line}); COMP_CWORD={}; _lp lp '{}' '{}'; \
             printf '%s ' \"${{COMPREPLY[@]}}\"",
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        let output = Command::new("bash").args(["-c", &program]).current_dir(ws.root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (registered, words) = text.split_once('\n').unwrap();
        assert!(registered.ends_with(" lp") && registered.contains("_lp"), "{registered}");
        words.to_owned()
    };
    let commands = ask("lp re");
    assert!(commands.split(' ').any(|word| word == "report"), "{commands}");
    let kinds = ask("lp list ta");
    assert!(kinds.contains("targets") && kinds.contains("tasks"), "{kinds}");
}

#[test]
fn every_shell_has_a_script() {
    let ws = Workspace::empty();
    for (shell, part) in [
        ("zsh", "#compdef lp"),
        ("fish", "complete -c lp"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        ws.lp(["completions", shell]).success().stdout_has(part);
    }
    ws.lp("completions sh").code(2).stderr_has("possible values: bash, elvish, fish, powershell, zsh");
}

#[test]
fn every_command_has_a_manual_page_that_groff_renders() {
    let ws = Workspace::empty();
    ws.lp("man").success().stdout_has(".TH lp 1");
    ws.lp("man run").success().stdout_has(".TH lp-run 1");
    ws.lp("man cache gc").success().stdout_has(".TH lp-cache-gc 1");
    ws.lp("man rnu").code(2).stderr_has("`lp` has no command `rnu`").stderr_has("did you mean `run`?");
    ws.lp("man cache x/pages").code(2).stderr_has("`lp man -o x/pages` writes the pages of all");
    assert!(!ws.exists("run"), "a name of a command is no folder");
    ws.lp("man -o pages").success();
    for page in ["lp.1", "lp-run.1", "lp-cache-gc.1", "lp-list.1"] {
        assert!(ws.exists(&format!("pages/{page}")), "{page}");
    }
    let Ok(output) = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-P-cbou"])
        .arg(ws.path("pages/lp-run.1"))
        .output()
    else {
        // A machine without groff.
        return;
    };
    let (text, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && faults.is_empty(), "{faults}");
    assert!(text.contains("Measure cameras") && text.contains("--duration"), "{text}");
}
