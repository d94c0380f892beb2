//! The Debian package, installed and used in a container.

use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::support::{ProgramOutput, images, root};

/// What a person does with it, as root in a container with what it depends on.
const USE: &str = r#"
set -eu
rm /usr/local/bin/lp /usr/local/bin/lp-worker
dpkg --install /package.deb >/tmp/log 2>&1 || { cat /tmp/log >&2; exit 1; }
lane --version
test ! -e /usr/bin/lp
bash -c 'source /usr/share/bash-completion/completions/lane && complete -p lane' | grep -o ' lane$'
cd /tmp
lane init my-lane 2>/dev/null
lane -C my-lane run --quiet --duration 1s --warmup 0s --no-verdict --json | grep -o '"name": "camera-1"'
lane -C my-lane doctor >/dev/null || true
dpkg --purge lp-lane >/dev/null
ls -d /usr/bin/lane /usr/bin/lp-worker /usr/share/lp/schema 2>/dev/null || echo gone
"#;

#[test]
fn the_debian_package_is_installed_and_used_under_the_name_lane() {
    let Some(engine) = images() else { return };
    let binaries = Path::new(env!("CARGO_BIN_EXE_lane")).parent().unwrap();
    let mut build = engine.script("package", &["--binaries", binaries.to_str().unwrap()]);
    let built = ProgramOutput::of(&mut build).code(0);
    let package = root().join(built.stdout.trim());
    let contents = ProgramOutput::of(Command::new("dpkg-deb").arg("--contents").arg(&package)).code(0).stdout;
    for path in
        ["man1/lane.1.gz", "man1/lane-run.1.gz", "lp/schema/lpfile.schema.json", "doc/lp-lane/docs/cli.md"]
    {
        assert!(contents.lines().any(|line| line.ends_with(path)), "{path} is not in:\n{contents}");
    }

    let mount = format!("{}:/package.deb:ro", package.display());
    let image = engine.image("pipeline-exec");
    let options = ["run", "--rm", "--network", "none", "--user", "0:0", "--volume", &mount];
    let arguments = [&options[..], &[&image, "sh", "-c", USE]].concat();
    let used = ProgramOutput::of(&mut engine.command(&arguments)).code(0);
    expect![[r#"
        lp 0.1.0
         lane
        "name": "camera-1"
        gone
    "#]]
    .assert_eq(&used.stdout);
}
