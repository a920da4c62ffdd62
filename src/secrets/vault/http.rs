//! Requests to Vault, and what its refusals mean.

use std::{io::ErrorKind, time::Duration};

use percent_encoding::utf8_percent_encode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use ureq::{Agent, tls::TlsConfig};

use super::{Settings, authorities};
use crate::{
    address::Address,
    error::{Kind, Result},
    secrets::percent::PATH,
};

/// The longest reply that is read, in bytes.
const LIMIT: u64 = 4 << 20;
/// How long a request may take in all, and how long the connection.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many redirections are followed: a standby server names the active one.
const REDIRECTS: usize = 3;

/// A failed request: everything for the error but the secret's name.
#[derive(Debug)]
pub(super) struct Problem {
    pub kind: Kind,
    pub what: String,
    pub hint: String,
}

impl Problem {
    /// What was asked for is not there, or not for us.
    pub fn missing(what: String, hint: &str) -> Self {
        Problem {
            kind: Kind::Usage,
            what,
            hint: hint.into(),
        }
    }

    fn unreachable(what: String, hint: &str) -> Self {
        Problem {
            kind: Kind::Host,
            ..Problem::missing(what, hint)
        }
    }
}

/// An answer of Vault's, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    /// `null` where it is not JSON.
    pub body: Value,
}

#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    address: String,
    token: SecretString,
    namespace: Option<String>,
}

impl Http {
    pub fn new(settings: &Settings) -> Result<Self> {
        let tls = TlsConfig::builder()
            .root_certs(authorities::trusted(settings)?)
            .build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT));
        if is_loopback(&settings.address) {
            config = config.proxy(None);
        }
        Ok(Http {
            agent: config.build().new_agent(),
            address: settings.address.clone(),
            token: settings.token.clone(),
            namespace: settings.namespace.clone(),
        })
    }

    /// Gets `/v1/PATH`.
    pub fn get(&self, path: &str) -> Result<Reply, Problem> {
        let mut url = format!("{}/v1/{}", self.address, utf8_percent_encode(path, PATH));
        for _ in 0..=REDIRECTS {
            let mut request = self
                .agent
                .get(&url)
                .header("X-Vault-Token", self.token.expose_secret())
                .header("X-Vault-Request", "true");
            if let Some(namespace) = &self.namespace {
                request = request.header("X-Vault-Namespace", namespace);
            }
            let mut response = request.call().map_err(|error| self.unreachable(&error))?;
            let status = response.status().as_u16();
            if matches!(status, 301 | 302 | 307 | 308) {
                let to = response.headers().get("location");
                let to = to.and_then(|to| to.to_str().ok()).unwrap_or_default();
                // The token goes along, so never from an encrypted connection to a plain one.
                if to.starts_with("https://")
                    || (to.starts_with("http://") && url.starts_with("http://"))
                {
                    url = to.to_owned();
                    continue;
                }
                return Err(Problem::unreachable(
                    format!(
                        "Vault at {} redirects to where it cannot be followed",
                        self.address
                    ),
                    "set VAULT_ADDR to the active server's address",
                ));
            }
            let body = response
                .body_mut()
                .with_config()
                .limit(LIMIT)
                .read_to_vec()
                .map_err(|error| self.unreachable(&error))?;
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            return Ok(Reply { status, body });
        }
        Err(Problem::unreachable(
            format!("Vault at {} redirects without end", self.address),
            "set VAULT_ADDR to the active server's address",
        ))
    }

    /// What a reply that has no secret in it means.
    pub fn refusal(&self, path: &str, reply: &Reply) -> Problem {
        let address = &self.address;
        match reply.status {
            403 => Problem::missing(
                format!("Vault at {address} refuses to read {path} (403)"),
                "`vault token lookup` tells whether the token is valid, and `vault token \
                 capabilities` whether it may read this path; check VAULT_NAMESPACE too",
            ),
            200 | 404 => Problem::missing(
                format!("Vault at {address} has no key-value secret at {path}"),
                "write the path as `vault kv get` takes it, without /data/; check VAULT_NAMESPACE",
            ),
            501 => Problem::unreachable(
                format!("Vault at {address} is not initialized"),
                "run `vault operator init` on it, or set VAULT_ADDR to another",
            ),
            503 => Problem::unreachable(
                format!("Vault at {address} is sealed or down for maintenance (503)"),
                "run `vault operator unseal` on it, or try again later",
            ),
            status => Problem::unreachable(
                format!(
                    "Vault at {address} answered {status} for {path}{}",
                    said(&reply.body)
                ),
                "check VAULT_ADDR: is this a Vault server?",
            ),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Problem {
        let bad_certificate = match error {
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
            // What goes wrong in the handshake comes from the stream.
            ureq::Error::Io(io) => io.kind() == ErrorKind::InvalidData,
            _ => false,
        };
        let hint = if bad_certificate {
            "set VAULT_CACERT to the PEM file of the authority that signed Vault's certificate"
        } else {
            "check VAULT_ADDR, and that Vault is running and can be reached from here"
        };
        Problem::unreachable(
            format!("cannot talk to Vault at {}: {error}", self.address),
            hint,
        )
    }
}

/// Vault's own words about a failure.
fn said(body: &Value) -> String {
    let errors = body.get("errors").and_then(Value::as_array);
    let texts: Vec<_> = errors
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if texts.is_empty() {
        return String::new();
    }
    let text = texts.join("; ");
    format!(": {}", text.chars().take(200).collect::<String>())
}

/// Whether the server is on this machine, where no proxy is asked.
fn is_loopback(address: &str) -> bool {
    let host = Address::of(address).host;
    ["127.", "localhost", "[::1]"]
        .iter()
        .any(|name| host.starts_with(name))
}
