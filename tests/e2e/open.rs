//! `lp report --open`, with a browser that notes what it was given.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::scripts::{STEADY, till};
use crate::support::Workspace;

fn browser(ws: Workspace) -> Workspace {
    let ws = ws.file("browser", "#!/bin/sh\nfor word; do echo \"$word\"; done > opened\n");
    fs::set_permissions(ws.path("browser"), fs::Permissions::from_mode(0o755)).unwrap();
    ws.env("DISPLAY", "").env("WAYLAND_DISPLAY", "")
}

#[test]
fn the_page_of_a_run_is_opened_by_the_named_browser() {
    let ws = browser(till(&[("a", STEADY, "")]));
    ws.lp("run --no-verdict").success();
    let ws = ws.env("BROWSER", "/none/such:./browser --new %s");
    ws.lp("report --open").success();
    let opened = ws.read("opened");
    let (flag, page) = opened.trim().split_once('\n').unwrap();
    assert_eq!(flag, "--new");
    assert!(page.contains("/results/runs/20") && page.ends_with("/report.html"), "{page}");
    assert!(fs::read_to_string(page).unwrap().starts_with("<!DOCTYPE html>"));

    // The store still has the run.
    fs::remove_dir_all(ws.path("results")).unwrap();
    ws.lp("report latest --open").success();
    assert!(fs::exists(page).unwrap());

    ws.lp("report -o out --open").success();
    assert!(ws.read("opened").trim().ends_with("out/report.html"));
}

#[test]
fn without_a_display_the_page_is_named_and_how_to_copy_it() {
    let ws = browser(till(&[("a", STEADY, "")]));
    ws.lp("run --no-verdict").success();
    let ended = ws.env("BROWSER", "").lp("report --open").code(2);
    let ended =
        ended.stderr_has("error: there is no display: neither `DISPLAY` nor `WAYLAND_DISPLAY` names one");
    ended.stderr_has("/report.html .`; or name a browser in `BROWSER`");
}

#[test]
fn a_browser_that_fails_is_named() {
    let ws = browser(till(&[("a", STEADY, "")]));
    ws.lp("run --no-verdict").success();
    ws.env("BROWSER", "false")
        .lp("report --open")
        .code(2)
        .stderr_has("error: `false` ended with exit status: 1");
}
