//! Whose certificates a source of `rtsps` trusts, and what is wrong with one that it refuses.
//!
//! GLib verifies certificates: the authorities are those of the file `$SSL_CERT_FILE`, as for downloads,
//! or else those of the system. Through a relay it compares the name with that of the relay,
//! to which it is connected, so here it is compared with the host of the URI.

use gio::TlsCertificateFlags as Flags;
use gio::prelude::*;
use gstreamer as gst;

use lp::os::env;
use lp::os::rtsp::{is_encrypted, server};

/// Prepares an `rtspsrc` whose properties are set. Other streams than those of `rtsps` need nothing.
///
/// # Errors
/// When the file of authorities cannot be read.
pub(crate) fn prepare(source: &gst::Element) -> Result<(), String> {
    let uri = source.property::<Option<String>>("location").unwrap_or_default();
    let Some((host, port)) = server(&uri).filter(|_| is_encrypted(&uri)) else { return Ok(()) };
    if let Some(file) = env::raw("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        let place = std::path::absolute(&file).unwrap_or_else(|_| file.clone().into());
        let database = gio::TlsFileDatabase::new(&place)
            .map_err(|error| format!("`SSL_CERT_FILE`, `{}`: {error}", place.display()))?;
        source.set_property("tls-database", &database);
    }
    let is_relayed = source.property::<Option<String>>("proxy").is_some();
    let source_of = source.downgrade();
    // Asked only for a certificate with faults.
    source.connect("accept-certificate", false, move |values| {
        let certificate = values.get(2).and_then(|value| value.get::<gio::TlsCertificate>().ok());
        let faults = values.get(3).and_then(|value| value.get::<Flags>().ok());
        let (Some(certificate), Some(mut faults)) = (certificate, faults) else {
            return Some(false.to_value());
        };
        if is_relayed {
            let meant = gio::NetworkAddress::new(&host, port);
            let of_meant = certificate.verify(Some(&meant), gio::TlsCertificate::NONE);
            faults.set(Flags::BAD_IDENTITY, of_meant.contains(Flags::BAD_IDENTITY));
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
    fn every_fault_of_a_certificate_is_told() {
        assert_eq!(
            in_words(Flags::UNKNOWN_CA | Flags::BAD_IDENTITY, "door"),
            "no authority that this machine trusts has signed it, and it is not for `door`"
        );
        assert_eq!(in_words(Flags::GENERIC_ERROR, "door"), "GLib does not say why");
    }
}
