//! HashiCorp Vault's key-value engine, versions 1 and 2, over its HTTP API.
//!
//! As the `vault kv get` command does, the mount of a path and its version are asked for first. A
//! token that may not ask gets the two shapes tried in turn.

mod authorities;
mod http;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::Settings;

use http::{Http, Reply};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A connection to one Vault server.
#[derive(Debug)]
pub struct Client {
    http: Http,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When the CA file cannot be used.
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(Client {
            http: Http::new(settings)?,
        })
    }

    /// The value of `field` of the secret at `path`; `name` is the variable it becomes, for errors.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when it is not there or the token may not read it,
    /// [`crate::error::Kind::Host`] when Vault cannot be reached or is sealed.
    pub fn read(&self, name: &str, path: &str, field: &str) -> Result<SecretString> {
        let fields = self.fields(path).map_err(|problem| {
            let error = Error::new(problem.kind, format!("secret {name}: {}", problem.what));
            error.hint(problem.hint)
        })?;
        let Some(value) = fields.get(field) else {
            let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
            names.sort_unstable();
            return Err(Error::usage(format!(
                "secret {name}: Vault has no field {field} at {path}"
            ))
            .hint(format!("its fields are: {}", names.join(", "))));
        };
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.is_empty() || value.is_null() {
            return Err(Error::usage(format!(
                "secret {name}: the field {field} at {path} in Vault is empty"
            ))
            .hint("`vault kv put` gives it a value"));
        }
        Ok(text.into())
    }

    fn fields(&self, path: &str) -> Result<Map<String, Value>, http::Problem> {
        let reply = self.http.get(&format!("sys/internal/ui/mounts/{path}"))?;
        match (reply.status, mount(&reply)) {
            (
                200,
                Some(Mount {
                    path: mount,
                    version: 2,
                }),
            ) => {
                let Some(below) = below(path, &mount) else {
                    return Err(self.http.refusal(path, &reply));
                };
                self.read_v2(path, &format!("{mount}data/{below}"))
            }
            (200, _) => self.read_v1(path, path),
            // Not allowed to ask, or a server without this call.
            (403 | 404, _) => {
                self.read_v1(path, path)
                    .or_else(|first| match path.split_once('/') {
                        Some((mount, below)) => self
                            .read_v2(path, &format!("{mount}/data/{below}"))
                            .map_err(|_| first),
                        None => Err(first),
                    })
            }
            _ => Err(self.http.refusal(path, &reply)),
        }
    }

    fn read_v1(&self, path: &str, at: &str) -> Result<Map<String, Value>, http::Problem> {
        let reply = self.http.get(at)?;
        match (reply.status, object(&reply, "/data")) {
            (200, Some(data)) => Ok(match versioned(data) {
                Some(inner) => inner.clone(),
                None => data.clone(),
            }),
            _ => Err(self.http.refusal(path, &reply)),
        }
    }

    fn read_v2(&self, path: &str, at: &str) -> Result<Map<String, Value>, http::Problem> {
        let reply = self.http.get(at)?;
        match (reply.status, object(&reply, "/data/data")) {
            (200, Some(data)) => Ok(data.clone()),
            _ if object(&reply, "/data/metadata").is_some() => Err(http::Problem::missing(
                format!("the latest version of {path} in Vault is deleted"),
                "`vault kv undelete` or `vault kv put` brings one back",
            )),
            _ => Err(self.http.refusal(path, &reply)),
        }
    }
}

/// Where a path is mounted: with a slash at its end, and the version of the key-value engine.
struct Mount {
    path: String,
    version: u8,
}

fn mount(reply: &Reply) -> Option<Mount> {
    let data = object(reply, "/data")?;
    let options = data.get("options").and_then(|o| o.get("version"));
    Some(Mount {
        path: data.get("path")?.as_str()?.to_owned(),
        version: if options.and_then(Value::as_str) == Some("2") {
            2
        } else {
            1
        },
    })
}

/// What remains of `path` below `mount`.
fn below<'a>(path: &'a str, mount: &str) -> Option<&'a str> {
    path.strip_prefix(mount).filter(|rest| !rest.is_empty())
}

/// The fields of a version 2 reply that was asked for by its full path, `secret/data/x`.
fn versioned(data: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let metadata = data.get("metadata")?.as_object()?;
    (data.len() == 2 && metadata.contains_key("version"))
        .then(|| data.get("data")?.as_object())
        .flatten()
}

fn object<'a>(reply: &'a Reply, pointer: &str) -> Option<&'a Map<String, Value>> {
    reply.body.pointer(pointer)?.as_object()
}
