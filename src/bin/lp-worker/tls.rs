//! Whose certificates a source of `rtsps` trusts, and what is wrong with one that it refuses.
//!
//! GLib verifies certificates: the authorities are those of the file `$SSL_CERT_FILE`, as for downloads,
//! or else those of the system. Through a relay it would compare the name with that of the relay,
//! to which it is connected, and accept a certificate for `127.0.0.1` without a question. So it trusts
//! nobody there, finds fault with every certificate, and each is verified here, for the host of the URI.

use std::ffi::OsStr;

use gio::TlsCertificateFlags as Flags;
use gio::prelude::*;
use gstreamer as gst;

use lp::os::env;
use lp::os::memory_file::MemoryFile;
use lp::os::rtsp::{is_encrypted, server};

/// What GLib may trust where it must accept nothing: it takes no file without a certificate. This one was
/// valid for the first day of 1970, vouches for no other, and its key is gone.
const NOBODY: &str = include_str!("nobody.pem");

/// Prepares an `rtspsrc` whose properties are set. Other streams than those of `rtsps` need nothing.
///
/// # Errors
/// When the file of authorities cannot be read.
pub(crate) fn prepare(source: &gst::Element) -> Result<(), String> {
    let uri = source.property::<Option<String>>("location").unwrap_or_default();
    let Some((host, port)) = server(&uri).filter(|_| is_encrypted(&uri)) else { return Ok(()) };
    let is_relayed = source.property::<Option<String>>("proxy").is_some();
    // Read in any case: its error is one of the start.
    let trusted = trusted()?;
    let used = if is_relayed { nobody()? } else { trusted };
    source.set_property("tls-database", &used);
    let source_of = source.downgrade();
    // Asked only for a certificate with faults.
    source.connect("accept-certificate", false, move |values| {
        let certificate = values.get(2).and_then(|value| value.get::<gio::TlsCertificate>().ok());
        let faults = values.get(3).and_then(|value| value.get::<Flags>().ok());
        let (Some(certificate), Some(mut faults)) = (certificate, faults) else {
            return Some(false.to_value());
        };
        if is_relayed {
            faults = faults_for(&certificate, &host, port);
        }
        if let Some(source) = source_of.upgrade().filter(|_| !faults.is_empty()) {
            let why = format!("the certificate of the server is not accepted: {}", in_words(faults, &host));
            // Its own error comes later, and says nothing of this.
            gst::element_error!(source, gst::ResourceError::Settings, ("{why}"));
        }
        Some(faults.is_empty().to_value())
    });
    Ok(())
}

/// What is wrong with the certificate of the server `host`, where GLib cannot know its name.
fn faults_for(certificate: &gio::TlsCertificate, host: &str, port: u16) -> Flags {
    let verified = trusted().ok().and_then(|authorities| {
        let purpose = gio::TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER;
        let meant = gio::NetworkAddress::new(host, port);
        let (talk, flags) = (gio::TlsInteraction::NONE, gio::TlsDatabaseVerifyFlags::NONE);
        authorities.verify_chain(certificate, purpose, Some(&meant), talk, flags, gio::Cancellable::NONE).ok()
    });
    verified.unwrap_or(Flags::GENERIC_ERROR)
}

/// The authorities of the file `$SSL_CERT_FILE`, or else those of the system.
fn trusted() -> Result<gio::TlsDatabase, String> {
    match env::raw("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        Some(file) => read(&file),
        None => Ok(gio::TlsBackend::default().default_database()),
    }
}

/// No authority, so that GLib finds fault with every certificate.
fn nobody() -> Result<gio::TlsDatabase, String> {
    let file = MemoryFile::new("nobody.pem", NOBODY.as_bytes()).map_err(|error| error.to_string())?;
    let database = gio::TlsFileDatabase::new(file.path()).map_err(|error| error.to_string())?;
    Ok(database.upcast())
}

fn read(file: &OsStr) -> Result<gio::TlsDatabase, String> {
    let place = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let database = gio::TlsFileDatabase::new(&place)
        .map_err(|error| format!("`SSL_CERT_FILE`, `{}`: {error}", place.display()))?;
    Ok(database.upcast())
}

fn in_words(faults: Flags, host: &str) -> String {
    let known = [
        (Flags::UNKNOWN_CA, "no authority that this machine trusts has signed it".to_owned()),
        (Flags::BAD_IDENTITY, format!("it is not for `{host}`")),
        (Flags::NOT_ACTIVATED, "it is not valid yet".to_owned()),
        (Flags::EXPIRED, "it has expired".to_owned()),
        (Flags::REVOKED, "it was revoked".to_owned()),
        (Flags::INSECURE, "it is signed in a way that is not secure".to_owned()),
    ];
    let told: Vec<String> =
        known.into_iter().filter(|(flag, _)| faults.contains(*flag)).map(|it| it.1).collect();
    if told.is_empty() { "GLib does not say why".to_owned() } else { told.join(", and ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glib_accepts_nothing_where_it_trusts_nobody() {
        let own = gio::TlsCertificate::from_pem(NOBODY).unwrap();
        let purpose = gio::TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER;
        let (talk, flags) = (gio::TlsInteraction::NONE, gio::TlsDatabaseVerifyFlags::NONE);
        let name = gio::NetworkAddress::new("nobody", 1);
        let faults = nobody()
            .and_then(|none| {
                let verified =
                    none.verify_chain(&own, purpose, Some(&name), talk, flags, gio::Cancellable::NONE);
                verified.map_err(|error| error.to_string())
            })
            .unwrap();
        assert_eq!(faults, Flags::EXPIRED);
    }

    #[test]
    fn every_fault_of_a_certificate_is_told() {
        assert_eq!(
            in_words(Flags::UNKNOWN_CA | Flags::BAD_IDENTITY, "door"),
            "no authority that this machine trusts has signed it, and it is not for `door`"
        );
        assert_eq!(in_words(Flags::GENERIC_ERROR, "door"), "GLib does not say why");
    }
}
