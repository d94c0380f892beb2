//! Cameras that ask for a login, or speak TLS, played by `lp`: the server is GStreamer's own.
//!
//! `tests/data/tls/localhost.pem` was made by openssl: a certificate for `localhost` that no authority
//! has signed, valid for a century; and `address.pem` is the same for 127.0.0.1.

use std::thread::JoinHandle;

use gio::TlsCertificate;
use gst::glib;
use gstreamer as gst;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{
    RTSP_PERM_MEDIA_FACTORY_ACCESS, RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, RTSP_TOKEN_MEDIA_FACTORY_ROLE,
    RTSPAuth, RTSPMediaFactory, RTSPServer, RTSPToken, gst_rtsp,
};
use lp::record::RunRecord;

use crate::project::latest;
use crate::rtsp::{files, project};
use crate::workspace::{Ended, Workspace};

const USER: &str = "till";
const PASSWORD: &str = "Geh@im:7%";
const WRITTEN: &str = "till:Geh%40im%3a7%25@";
const ROLE: &str = "viewer";

/// What the camera sends: as the project has it.
const VIDEO: &str = "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=180,framerate=15/1 \
                     ! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 )";

fn data(name: &str) -> String {
    format!("{}/tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A camera that serves until it is dropped.
struct Camera {
    port: u16,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
    _server: RTSPServer,
}

impl Camera {
    fn start(method: gst_rtsp::RTSPAuthMethod, is_encrypted: bool) -> Camera {
        Camera::start_as(method, is_encrypted.then_some("localhost"))
    }

    /// With one of the certificates, if any.
    fn start_as(method: gst_rtsp::RTSPAuthMethod, certificate: Option<&str>) -> Camera {
        gst::init().unwrap();
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service("0");
        let factory = RTSPMediaFactory::new();
        factory.set_launch(VIDEO);
        factory.set_shared(true);
        let allowed = [RTSP_PERM_MEDIA_FACTORY_ACCESS, RTSP_PERM_MEDIA_FACTORY_CONSTRUCT];
        let role =
            allowed.iter().fold(gst::Structure::builder(ROLE), |role, may| role.field(may.as_str(), true));
        factory.add_role_from_structure(&role.build());
        server.mount_points().unwrap().add_factory("/camera", factory);

        let auth = RTSPAuth::new();
        auth.set_supported_methods(method);
        let token = RTSPToken::builder().field(RTSP_TOKEN_MEDIA_FACTORY_ROLE.as_str(), ROLE).build();
        if method == gst_rtsp::RTSPAuthMethod::Digest {
            auth.add_digest(USER, PASSWORD, &token);
        } else {
            auth.add_basic(&RTSPAuth::make_basic(USER, PASSWORD), &token);
        }
        if let Some(name) = certificate {
            let (file, key) = (data(&format!("{name}.pem")), data(&format!("{name}.key")));
            let certificate = TlsCertificate::from_files(file, key);
            auth.set_tls_certificate(Some(&certificate.unwrap()));
        }
        server.set_auth(Some(&auth));

        let context = glib::MainContext::new();
        server.attach(Some(&context)).unwrap();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let (running, own) = (main_loop.clone(), context.clone());
        let thread = std::thread::spawn(move || drop(own.with_thread_default(|| running.run())));
        let port = server.bound_port().try_into().unwrap();
        Camera { port, context, main_loop, thread: Some(thread), _server: server }
    }
}

/// The URI of a camera, for a scheme, a login and a host.
fn uri(port: u16, scheme: &str, login: &str, host: &str) -> String {
    format!("{scheme}://{login}{host}:{port}/camera")
}

impl Drop for Camera {
    fn drop(&mut self) {
        let main_loop = self.main_loop.clone();
        // From within: a loop that is told to end before it runs would not.
        let end = glib::idle_source_new(None, glib::Priority::DEFAULT, move || {
            main_loop.quit();
            glib::ControlFlow::Break
        });
        end.attach(Some(&self.context));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn play(ws: &Workspace) -> RunRecord {
    ws.lp("run --no-verdict").success();
    latest(ws)
}

#[track_caller]
fn assert_played(record: &RunRecord) {
    let stream = &record.members[0].streams[0];
    assert_eq!(stream.failure, None);
    assert!(15 < stream.n_frames(), "{} frames", stream.n_frames());
}

/// Why the camera `till` failed.
fn failure(ws: &Workspace) -> (Ended, String) {
    let ended = ws.lp("run").code(1);
    let told = ended.stderr.lines().find_map(|line| line.strip_prefix("  caused by: till/1: "));
    let told = told.unwrap_or_else(|| panic!("{}", ended.stderr)).to_owned();
    (ended, told)
}

fn trusting(ws: Workspace) -> Workspace {
    ws.env("SSL_CERT_FILE", &data("localhost.pem"))
}

fn with_rtsp(ws: Workspace, keys: &str) -> Workspace {
    let lpfile = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{lpfile}[rtsp]\n{keys}\n"));
    ws
}

/// The right password plays, however it is given; a wrong one names camera and fault; and neither
/// is in anything that `lp` writes.
#[track_caller]
fn logs_in(method: gst_rtsp::RTSPAuthMethod, is_encrypted: bool) {
    let camera = Camera::start(method, is_encrypted);
    let (scheme, host) = if is_encrypted { ("rtsps", "localhost") } else { ("rtsp", "127.0.0.1") };
    let place = uri(camera.port, scheme, "", host);
    let of = |login: &str| trusting(project(&place.replace("://", &format!("://{login}"))));
    let by_variables = "${CAM_USER}:${CAM_PASSWORD}@";
    let variables = |ws: Workspace, password: &str| ws.env("CAM_USER", USER).env("CAM_PASSWORD", password);
    let wrong = ["geh@eimer", "geh%40eimer"];
    std::thread::scope(|scope| {
        scope.spawn(|| assert_played(&play(&of(WRITTEN))));
        scope.spawn(|| assert_played(&play(&variables(of(by_variables), PASSWORD))));
        for login in ["till:geh%40eimer@", by_variables] {
            let (of, place) = (&of, &place);
            scope.spawn(move || {
                let ws = variables(of(login), wrong[0]);
                let (ended, told) = failure(&ws);
                let expected =
                    format!("`till_1_source`: `{place}`: the server refuses this user and password (401)");
                assert_eq!(told, expected);
                let mut written = files(&ws.root());
                written.push(("stdout".to_owned(), ended.stdout.into_bytes()));
                written.push(("stderr".to_owned(), ended.stderr.into_bytes()));
                for (place, bytes) in written {
                    let text = String::from_utf8_lossy(&bytes);
                    // A warning quotes the line, without the password.
                    let found = wrong.iter().find(|form| text.contains(**form));
                    assert_eq!(found, None, "{place}");
                }
            });
        }
    });
}

#[test]
fn a_server_that_asks_for_a_digest_is_logged_in_to() {
    logs_in(gst_rtsp::RTSPAuthMethod::Digest, false);
}

#[test]
fn a_server_that_asks_for_a_password_in_tls_is_logged_in_to() {
    logs_in(gst_rtsp::RTSPAuthMethod::Digest, true);
}

#[test]
fn basic_logins_are_sent_in_tls() {
    let camera = Camera::start(gst_rtsp::RTSPAuthMethod::Basic, true);
    assert_played(&play(&trusting(project(&uri(camera.port, "rtsps", WRITTEN, "localhost")))));
}

#[test]
fn the_certificate_of_a_server_has_to_be_trusted_and_its_own() {
    let camera = Camera::start(gst_rtsp::RTSPAuthMethod::Digest, true);
    let port = camera.port;
    let at = move |host: &str| project(&uri(port, "rtsps", WRITTEN, host));
    let impair = "impair = { delay = \"40ms\", jitter = \"10ms\", rate = \"20mbit\" }";
    let stranger = |host: &str| {
        format!("no authority that this machine trusts has signed it, and it is not for `{host}`")
    };
    let uri = uri(port, "rtsps", WRITTEN, "localhost");
    std::thread::scope(|scope| {
        let (at, stranger, uri) = (&at, &stranger, &uri);
        let told = |ws: &Workspace| failure(ws).1;
        scope.spawn(move || {
            let why = "the certificate of the server is not accepted: no authority that this machine trusts has signed it";
            let told = told(&at("localhost"));
            assert!(told.ends_with(why), "{told}");
        });
        scope.spawn(move || {
            let told = told(&trusting(at("127.0.0.1")));
            assert!(told.ends_with("is not accepted: it is not for `127.0.0.1`"), "{told}");
        });
        scope.spawn(move || {
            let told = told(&at("127.0.0.1"));
            assert!(told.ends_with(&stranger("127.0.0.1")), "{told}");
        });
        scope.spawn(move || assert_played(&play(&with_rtsp(at("127.0.0.1"), "certificate = \"any\""))));
        // Through a relay, whose address the certificate does not have.
        scope.spawn(move || {
            let record = play(&with_rtsp(trusting(at("localhost")), impair));
            assert_played(&record);
            assert!(record.conditions.impair.is_some());
            // Nobody can count packets in it.
            assert_eq!(record.members[0].streams[0].impaired, None);
        });
        scope.spawn(move || {
            let told = told(&with_rtsp(trusting(at("127.0.0.1")), impair));
            assert!(told.ends_with("is not accepted: it is not for `127.0.0.1`"), "{told}");
        });
        scope.spawn(move || {
            let keys = format!("certificate = \"any\"\n{impair}");
            assert_played(&play(&with_rtsp(at("127.0.0.1"), &keys)));
        });
        scope.spawn(move || {
            let shown = trusting(at("localhost")).command(&["show", uri]).output().unwrap();
            let (stdout, stderr) =
                (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
            assert!(stdout.contains("320x180, H.264"), "{stdout}{stderr}");
            assert!(!stdout.contains("im:7") && !stdout.contains("im%3a7"), "{stdout}");
        });
    });
}

/// A relay is at 127.0.0.1 too.
#[test]
fn a_certificate_for_the_place_of_the_relay_is_not_one_for_the_host() {
    let camera = Camera::start_as(gst_rtsp::RTSPAuthMethod::Digest, Some("address"));
    let port = camera.port;
    let at = move |host: &str| {
        let ws = with_rtsp(project(&uri(port, "rtsps", WRITTEN, host)), "impair = { delay = \"40ms\" }");
        ws.env("SSL_CERT_FILE", &data("address.pem"))
    };
    std::thread::scope(|scope| {
        scope.spawn(move || assert_played(&play(&at("127.0.0.1"))));
        scope.spawn(move || {
            let (_, told) = failure(&at("localhost"));
            assert!(told.ends_with("is not accepted: it is not for `localhost`"), "{told}");
        });
    });
}

/// A server without TLS is no mute one.
#[test]
fn a_server_that_speaks_no_tls_is_named() {
    let camera = Camera::start(gst_rtsp::RTSPAuthMethod::Digest, false);
    let (_, told) = failure(&project(&uri(camera.port, "rtsps", WRITTEN, "127.0.0.1")));
    let why =
        format!("`rtsps://127.0.0.1:{}/camera`: the server accepts, but does not speak TLS", camera.port);
    assert!(told.ends_with(&why), "{told}");
}
