//! Whose certificates Vault's server may show.

use std::fs;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::Settings;
use crate::error::{Context, Error, Kind, Result};

/// Where Linux distributions keep the authorities the system trusts.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// `VAULT_CACERT` alone where it is set, else what the system trusts, else what is built in.
pub(super) fn trusted(settings: &Settings) -> Result<RootCerts> {
    if let Some(path) = &settings.ca_file {
        let pem = fs::read(path).context(Kind::Usage, || {
            format!("cannot read VAULT_CACERT, {}", path.display())
        })?;
        let certificates = certificates(&pem);
        if certificates.is_empty() {
            return Err(Error::usage(format!(
                "VAULT_CACERT, {}, holds no certificate",
                path.display()
            ))
            .hint("it has to be a PEM file"));
        }
        return Ok(RootCerts::new_with_certs(&certificates));
    }
    let system = SYSTEM_AUTHORITIES
        .iter()
        .find_map(|path| fs::read(path).ok());
    let certificates = certificates(&system.unwrap_or_default());
    Ok(if certificates.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::new_with_certs(&certificates)
    })
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).flatten();
    items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect()
}
