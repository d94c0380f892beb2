//! Downloads over TLS, from a server whose certificate only `tests/data/tls/ca.pem` vouches for.
//!
//! `tests/data/tls` was made by openssl: an authority (`ca.pem`, whose key is gone) and a
//! certificate for 127.0.0.1 with its key, each valid for a century.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::hostile::{names, video};
use crate::support::{CAMERAS, Workspace};

fn data(name: &str) -> String {
    format!("{}/tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A server that gives each connection this answer; returns its address.
fn serve(answer: Vec<u8>) -> String {
    let chain = CertificateDer::pem_file_iter(data("server.pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(data("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that refuses the certificate is no fault of the server's.
            let _ = reply(StreamOwned::new(session, stream.unwrap()), &answer);
        }
    });
    format!("https://{address}")
}

fn reply(mut stream: impl Read + Write, answer: &[u8]) -> io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    stream.write_all(answer)?;
    stream.flush()?;
    // Until the client has gone.
    while stream.read(&mut byte)? > 0 {}
    Ok(())
}

fn workspace(server: &str) -> Workspace {
    let cameras = CAMERAS.replace("http://127.0.0.1:9", server);
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
    ws.env("NO_PROXY", "127.0.0.1").env("HOME", "/nonexistent")
}

#[test]
fn an_authority_of_the_systems_is_trusted_and_no_other() {
    let body = video(200_000);
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let ws = workspace(&serve([head.as_bytes(), &body].concat()));
    let ended = ws.lp("build download:a.mp4").code(1).stderr_has("caused by: fault of TLS: ");
    assert!(ended.stderr.contains("certificate"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("asking again"), "{}", ended.stderr);
    assert_eq!(names(&ws, "media"), [""; 0]);
    let ws = ws.env("SSL_CERT_FILE", &data("ca.pem"));
    ws.lp("build download:a.mp4").code(0);
    assert_eq!(std::fs::read(ws.path("media/a.mp4")).unwrap(), body);
}

#[test]
fn a_redirect_that_leaves_tls_is_refused() {
    let answer = "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:9/a.mp4\r\n\r\n";
    let ws = workspace(&serve(answer.into())).env("SSL_CERT_FILE", &data("ca.pem"));
    ws.lp("build download:a.mp4")
        .code(1)
        .stderr_has("redirects from `https://` to `http://127.0.0.1:9/a.mp4`");
    assert_eq!(names(&ws, "media"), [""; 0]);
}
