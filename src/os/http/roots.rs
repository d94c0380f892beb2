//! The certificates of the authorities that are trusted.
//!
//! They are the system's, so that `lp` gets through a proxy with an authority of the
//! company's, as other programs do: the file `$SSL_CERT_FILE`, the folder `$SSL_CERT_DIR`, or
//! what the distribution has. A system without any (a small container) has those of Mozilla,
//! which are compiled in.

use std::sync::LazyLock;

use rustls_native_certs::load_native_certs;
use ureq::tls::{Certificate, RootCerts};

/// They are read once.
static TRUSTED: LazyLock<RootCerts> = LazyLock::new(|| {
    // Files that cannot be read are as good as missing: a server's certificate is then refused.
    let found = load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    RootCerts::from(found.iter().map(|der| Certificate::from_der(der).to_owned()))
});

/// What a server's certificate must lead to.
pub(super) fn trusted() -> RootCerts {
    TRUSTED.clone()
}
