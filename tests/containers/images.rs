//! What the images are made of, and what is said where they cannot be made.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use serde_json::Value;

use crate::support::{Engine, ProgramOutput, images, root};

const NAMES: [&str; 2] = ["asset-prep", "pipeline-exec"];

fn list(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A shell's output in a container of the image, as root of it.
#[track_caller]
fn look(engine: &Engine, name: &str, script: &str) -> String {
    let image = engine.image(name);
    let arguments =
        ["run", "--rm", "--no-healthcheck", "--network", "none", "--user", "0", &image, "sh", "-c", script];
    engine.ask(&arguments)
}

#[test]
fn an_image_has_labels_and_runs_without_root_or_shell() {
    let Some(engine) = images() else { return };
    let mut shown = String::new();
    for name in NAMES {
        let image = engine.inspect(&engine.image(name));
        let config = &image["Config"];
        // Podman has it beside the rest.
        let health =
            [&config["Healthcheck"], &image["Healthcheck"]].into_iter().find(|health| !health.is_null());
        shown.push_str(&format!(
            "{name}: user {}, in {}, {:?}, entry point {:?}, health {:?}\n",
            config["User"].as_str().unwrap(),
            config["WorkingDir"].as_str().unwrap(),
            list(&config["Cmd"]),
            list(&config["Entrypoint"]),
            list(&health.unwrap()["Test"]),
        ));
        let labels = config["Labels"].as_object().unwrap();
        for (label, text) in labels {
            let Some(label) = label.strip_prefix("org.opencontainers.image.") else { continue };
            let text = text.as_str().unwrap();
            match label {
                "version" => assert_eq!(text, env!("CARGO_PKG_VERSION")),
                "revision" => assert!(text == "unknown" || text.len() == 40, "{text}"),
                _ => shown.push_str(&format!("  {label}: {text}\n")),
            }
        }
        assert!(labels.contains_key("org.opencontainers.image.version"));
        assert!(labels.contains_key("org.opencontainers.image.revision"));
    }
    expect![[r#"
        asset-prep: user 10001:10001, in /project, ["lp", "build", "assets"], entry point [], health ["CMD", "lp", "--version"]
          base.name: docker.io/library/debian:bookworm-slim
          description: Downloads, draws and transcodes the videos of a loss-prevention lane
          licenses: Apache-2.0
          title: lp asset-prep
        pipeline-exec: user 10001:10001, in /project, ["lp", "run"], entry point [], health ["CMD", "lp-worker", "--version"]
          base.name: docker.io/library/debian:bookworm-slim
          description: Plays the pipelines of a loss-prevention lane and measures them
          licenses: Apache-2.0
          title: lp pipeline-exec
    "#]]
    .assert_eq(&shown);
}

#[test]
fn an_image_lists_its_packages_and_has_no_setuid_programs() {
    let Some(engine) = images() else { return };
    for name in NAMES {
        let said = look(engine, name, "cat /usr/share/lp/packages.txt");
        let has = |package: &str| said.lines().any(|line| line.starts_with(&format!("{package} ")));
        assert!(has("libc6") && has("libgstreamer1.0-0") && has("libavcodec59"), "{said}");
        if name == "pipeline-exec" {
            let format = "dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\\n'";
            assert_eq!(said, look(engine, name, format));
        } else {
            // Not what only players and screens need.
            assert!(!has("libllvm15") && !has("libgtk-3-0"), "{said}");
            let unlicensed = "cut -d ' ' -f 1 /usr/share/lp/packages.txt | while read -r package; do \
                dpkg-query --show $package >/dev/null 2>&1 || test -e /usr/share/doc/$package/copyright || \
                echo $package; done";
            assert_eq!(look(engine, name, unlicensed), "");
        }
        let crates = look(engine, name, "cat /usr/share/lp/Cargo.lock");
        assert_eq!(crates, fs::read_to_string(root().join("Cargo.lock")).unwrap());
        let raised = look(engine, name, "find / -xdev -type f -perm /6000");
        assert_eq!(raised, "", "{name}");
    }
}

#[test]
fn an_image_keeps_no_proxy_no_secret_and_no_lists() {
    let Some(engine) = images() else { return };
    for name in NAMES {
        let image = engine.image(name);
        let steps = engine.ask(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", &image]);
        let environment = engine.inspect(&image)["Config"]["Env"].to_string();
        for text in [&steps, &environment] {
            let text = text.to_lowercase();
            for word in ["proxy", "://", "token", "password", "secret"] {
                assert!(!text.contains(word), "`{word}` is in {text}");
            }
        }
        let settings = look(engine, name, "apt-config dump");
        assert!(!settings.to_lowercase().contains("proxy"), "{settings}");
        // Fonts are looked up by plugins, and the root file system is read-only.
        let kept = "! -name '.*' ! -path '/var/cache/fontconfig/*'";
        let left =
            look(engine, name, &format!("find /root /var/lib/apt/lists /var/cache /var/log -type f {kept}"));
        assert_eq!(left, "", "{name}");
    }
}

#[test]
fn a_second_build_without_changes_is_all_cache() {
    let Some(engine) = images() else { return };
    let ids = || NAMES.map(|name| engine.inspect(&engine.image(name))["Id"].as_str().unwrap().to_owned());
    let first = ids();
    engine.build();
    assert_eq!(ids(), first);
}

#[test]
fn an_unavailable_base_is_named_and_nothing_is_built() {
    let Some(engine) = images() else { return };
    let tag = format!("{}-none", engine.tag);
    let binaries = Path::new(env!("CARGO_BIN_EXE_lp")).parent().unwrap().to_str().unwrap();
    let mut script = engine.script("images", &["--tag", &tag, "--binaries", binaries]);
    let base = "localhost/lp/no-such-base:1";
    ProgramOutput::of(script.env("LP_BASE_IMAGE", base)).code(1).has(&format!(
        "error: the base image `{base}` is not available\n  hint: name another in LP_BASE_IMAGE\n"
    ));
    for name in NAMES {
        let image = format!("localhost/lp/{name}:{tag}");
        ProgramOutput::of(&mut engine.command(&["image", "inspect", &image]))
            .code(if engine.program == "podman" { 125 } else { 1 });
    }
    assert!(!root().join("target/docker").join(&tag).exists());
}

#[test]
fn without_an_engine_the_error_says_how_to_install_one() {
    // All that the scripts need but an engine.
    let folder = tempfile::tempdir().unwrap();
    for name in ["awk", "bash", "cat", "dirname", "env", "id", "mkdir", "mktemp", "rm", "sed"] {
        let program = ["/usr/bin", "/bin"].map(|bin| Path::new(bin).join(name));
        symlink(program.iter().find(|program| program.exists()).unwrap(), folder.path().join(name)).unwrap();
    }
    for (script, code) in [("images", 1), ("lane", 2)] {
        let mut command = Command::new(root().join("scripts").join(script));
        command.env("PATH", folder.path()).env_remove("LP_ENGINE").current_dir(root());
        let ended = ProgramOutput::of(&mut command).code(code);
        expect![[r#"
            error: no container engine: neither `podman` nor a Docker that answers
              hint: scripts/setup containers    (installs podman from Debian)
        "#]]
        .assert_eq(&ended.stderr);
    }
}

/// Every file of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_build_in_a_container_gets_all_that_the_sources_include() {
    let mut folders = BTreeSet::from(["src".to_owned()]);
    for file in files(&root().join("src")) {
        // Modules of tests are not built.
        if file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (_, included) in
            code.match_indices("include_str!(\"").map(|(at, start)| code.split_at(at + start.len()))
        {
            let path =
                file.parent().unwrap().join(included.split('"').next().unwrap()).canonicalize().unwrap();
            let inside = path.strip_prefix(root().canonicalize().unwrap()).unwrap();
            folders.insert(inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned());
        }
    }
    assert_eq!(folders.iter().collect::<Vec<_>>(), ["Lpfile.toml", "configs", "docs", "src"]);
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let ignored = read(".dockerignore");
    let images = NAMES.map(|name| read(&format!("docker/{name}.Dockerfile")));
    for folder in folders {
        assert!(ignored.lines().any(|line| line == format!("!{folder}")), "{folder}");
        let copy = format!("COPY {folder} {folder}");
        assert!(images.iter().all(|image| image.lines().any(|line| line == copy)), "{folder}");
    }
}
