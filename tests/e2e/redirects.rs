//! Redirects, and who gets to see credentials: only the server that was asked first.

use crate::hostile::{Head, Hostile, respond, video};

/// A server that has the video at `/video`, and redirects `/a.mp4` to a place.
fn redirecting(place: &str) -> Hostile {
    let location = format!("Location: {place}");
    Hostile::start(move |head, stream| match head.path.as_str() {
        "/video" => respond(stream, "200 OK", &[], &video(1000)),
        _ => respond(stream, "302 Found", &[&location], b""),
    })
}

#[track_caller]
fn refused(place: &str, cause: &str) {
    let server = redirecting(place);
    let ended = server.workspace("").lp("build download:a.mp4").code(1);
    let cause = cause.replace("URL", &format!("`{}`", server.url("/a.mp4"))).replace("HERE", &server.url(""));
    let ended = ended.stderr_has(&format!("caused by: {cause}\n"));
    assert!(!ended.stderr.contains("asking again"), "{}", ended.stderr);
}

#[test]
fn redirects_that_lead_nowhere_are_errors() {
    refused("/a.mp4", "URL redirects in a loop: `HERE/a.mp4` -> `HERE/a.mp4`");
    refused(
        "file:///etc/passwd",
        "URL redirects to `file:///etc/passwd`, but only `http://` and `https://` are followed",
    );
    let server = Hostile::start(|head, stream| {
        let next = format!("Location: {}x?Signature=secret", head.path.split('?').next().unwrap());
        respond(stream, "301 Moved Permanently", &[&next], b"")
    });
    let ended = server.workspace("").lp("build download:a.mp4").code(1);
    let cause = format!(
        "redirects more than 10 times, last to `{}?***`",
        server.url(&format!("/a.mp4{}", "x".repeat(11)))
    );
    let ended = ended.stderr_has(&cause);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    assert_eq!(server.heads().len(), 11);
}

#[test]
fn an_error_names_the_place_that_a_redirect_led_to() {
    let other = Hostile::start(|_, stream| respond(stream, "403 Forbidden", &[], b"no"));
    let server = redirecting(&other.url("/b?token=secret"));
    let ended = server.workspace("").lp("build download:a.mp4").code(1);
    let cause = format!(
        "the server answered 403 for `{}` (redirected to `{}?***`)\n",
        server.url("/a.mp4"),
        other.url("/b")
    );
    let ended = ended.stderr_has(&cause);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
}

const ASSET: &str = "[asset.\"a.mp4\"]\ntoken = \"CLIPS_TOKEN\"\n\
    headers = { Referer = \"https://shop.example/\", X-Api-Key = \"${API_KEY}\" }\n";

fn sent(head: &Head, names: [&str; 3]) -> [Option<String>; 3] {
    names.map(|name| head.header(name).map(str::to_owned))
}

#[test]
fn secrets_go_to_the_first_host_only() {
    let other = Hostile::start(|_, stream| respond(stream, "200 OK", &[], &video(1000)));
    let server = {
        let away = format!("Location: {}", other.url("/b"));
        Hostile::start(move |head, stream| match head.path.as_str() {
            "/a.mp4" => respond(stream, "307 Temporary Redirect", &["Location: /here"], b""),
            _ => respond(stream, "302 Found", &[&away], b""),
        })
    };
    let ws = server.workspace(ASSET).env("CLIPS_TOKEN", "t0p-s3cret").env("API_KEY", "k3y-s3cret");
    ws.lp("build download:a.mp4").success();
    let names = ["authorization", "x-api-key", "referer"];
    let all = [Some("Bearer t0p-s3cret"), Some("k3y-s3cret"), Some("https://shop.example/")];
    for head in server.heads() {
        assert_eq!(sent(&head, names), all.map(|value| value.map(str::to_owned)), "{}", head.path);
    }
    assert_eq!(server.heads().len(), 2);
    assert_eq!(sent(&other.heads()[0], names), [None, None, Some("https://shop.example/".to_owned())]);
    // Their names are in the key, and nothing has their values.
    let shown = ws.lp("cache show download:a.mp4").success().stdout;
    assert!(!shown.contains("s3cret"), "{shown}");
    for (file, bytes) in files(&ws.path(".")) {
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"), "{}", file.display());
    }
    // Another value is no other action; another name is one, unless the lock has the contents.
    let ws = ws.env("CLIPS_TOKEN", "another");
    ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
    ws.write("Lpfile.toml", &ASSET.replace("CLIPS_TOKEN", "OTHER_TOKEN"));
    ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
    std::fs::remove_file(ws.path("Lpfile.lock")).unwrap();
    let ended = ws.lp("build download:a.mp4").code(1).stderr_has("stale: `token` changed");
    ended.stderr_has("caused by: the token is the value of the variable `OTHER_TOKEN`, which is not set\n");
}

/// All files below a folder.
fn files(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found
}

#[test]
fn a_password_of_the_users_netrc_is_sent_unless_the_url_has_one() {
    let server = Hostile::start(|_, stream| respond(stream, "200 OK", &[], &video(1000)));
    let ws = server.workspace("");
    ws.write("netrc", "machine 127.0.0.1 login ann password s3cret\n");
    let netrc = ws.path("netrc");
    let ws = ws.env("NETRC", netrc.to_str().unwrap());
    ws.lp("build download:a.mp4").success();
    // `printf ann:s3cret | base64`, and of `bob:x`.
    assert_eq!(server.heads()[0].header("authorization"), Some("Basic YW5uOnMzY3JldA=="));
    let cameras = ws.read("configs/camera_to_workload.json").replace("http://", "http://bob:x@");
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("build --again download:a.mp4").success();
    assert_eq!(server.heads()[1].header("authorization"), Some("Basic Ym9iOng="));
    std::fs::remove_file(netrc).unwrap();
    let ended = ws.lp("build --again download:a.mp4").code(1);
    ended.stderr_has("caused by: the passwords of hosts are not known\n").stderr_has("netrc`");
}

#[test]
fn headers_that_lp_sends_itself_are_refused() {
    let server = redirecting("/video");
    let ws =
        server.workspace("[asset.\"a.mp4\".headers]\nAuthorization = \"Bearer x\"\nrange = \"bytes=0-\"\n");
    let ended = ws.lp("check").code(2).stderr_has("the header `Authorization` cannot be set");
    let ended = ended.stderr_has("write `token = \"VARIABLE\"` for a token");
    ended.stderr_has("the header `range` cannot be set");
    assert!(server.heads().is_empty());
}
