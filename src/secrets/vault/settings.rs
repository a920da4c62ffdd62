//! Vault's usual environment variables.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::{
    error::{Error, Result},
    secrets::variables::let_through,
};

/// Where `vault login` puts a token, below the home folder.
const TOKEN_FILE: &str = ".vault-token";

/// How to reach Vault, and as whom.
#[derive(Debug)]
pub struct Settings {
    /// `VAULT_ADDR`, without a slash at its end.
    pub address: String,
    /// `VAULT_TOKEN`, else the content of ~/.vault-token.
    pub token: SecretString,
    /// `VAULT_NAMESPACE`.
    pub namespace: Option<String>,
    /// `VAULT_CACERT`: a PEM file with the only authorities to trust.
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    /// Reads them from the environment `env`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when there is no token, or a setting that is not supported.
    pub fn from_env(env: &BTreeMap<OsString, OsString>) -> Result<Self> {
        let get = |name: &str| {
            let value = env.get(OsStr::new(name)).and_then(|value| value.to_str());
            value.filter(|value| !value.is_empty())
        };
        if get("VAULT_SKIP_VERIFY").is_some_and(|v| !matches!(v, "0" | "false" | "f" | "F")) {
            return Err(Error::usage(
                "VAULT_SKIP_VERIFY is set, and pichroot always verifies Vault",
            )
            .hint("unset it, and give the server's authority by VAULT_CACERT=FILE"));
        }
        let address = get("VAULT_ADDR").unwrap_or("https://127.0.0.1:8200");
        if !address.starts_with("https://") && !address.starts_with("http://") {
            return Err(Error::usage("VAULT_ADDR is not an http or https address")
                .hint("set it like https://vault.example.com:8200"));
        }
        let token = match get("VAULT_TOKEN") {
            Some(token) => token.to_owned(),
            None => {
                let file = get("HOME").map(|home| Path::new(home).join(TOKEN_FILE));
                file.as_deref().and_then(token_file).ok_or_else(|| {
                    let file = file.unwrap_or_else(|| Path::new("~").join(TOKEN_FILE));
                    Error::usage(format!(
                        "there is no Vault token: VAULT_TOKEN is not set, and {} has none",
                        file.display()
                    ))
                    .hint(format!(
                        "run `vault login`, or {}",
                        let_through("VAULT_TOKEN", env)
                    ))
                })?
            }
        };
        if !token.trim().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(
                Error::usage("the Vault token holds characters no token has")
                    .hint("run `vault login` again, or set VAULT_TOKEN"),
            );
        }
        Ok(Settings {
            address: address.trim_end_matches('/').to_owned(),
            token: token.trim().into(),
            namespace: get("VAULT_NAMESPACE").map(|n| n.trim_matches('/').to_owned()),
            ca_file: get("VAULT_CACERT").map(PathBuf::from),
        })
    }
}

fn token_file(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    (!text.trim().is_empty()).then_some(text)
}
