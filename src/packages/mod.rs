//! Packages for several runs: a caching HTTP proxy for the image's apt.
//!
//! A proxy and not a shared folder: apt checks each file against signed metadata wherever it came from,
//! so no image has to trust what another one put there; nothing is mounted, and the image's own
//! /var/cache/apt is as without. The images cannot put anything there: this process asks the servers.
//!
//! [`gate`] lets in who has the token, [`server`] takes requests and [`request`] reads them, without the
//! [`login`] that an address may have. [`answers`] decides: what never changes under its address ([`item`])
//! comes from the [`store`] or goes into it, by one run at a time ([`turns`]) and where there is [`room`];
//! all else is passed on. [`upstream`] asks servers, [`reply`] writes heads. [`image_proxy`] tells which image
//! gets none of this.

mod answers;
mod gate;
mod image_proxy;
mod item;
mod login;
mod reply;
mod request;
mod room;
mod server;
mod store;
#[cfg(test)]
mod tests;
mod turns;
mod upstream;

use std::{
    fs::File,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

pub use self::image_proxy::is_named as image_has_proxy;
use self::{answers::Answers, server::Server, store::Store};
use crate::{
    error::{Context, Kind, Result},
    hex::hex,
};

/// How much is kept, in bytes. A full upgrade of a Pi is some hundred MiB.
const LIMIT: u64 = 4 << 30;
/// The user that apt gives with the token.
const USER: &str = "pichroot";

/// The running proxy. It ends with this process.
pub struct Proxy {
    address: SocketAddr,
    token: String,
}

impl Proxy {
    /// Starts it, with its files in `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// [`Kind::Host`] when the directory cannot be used, or there is no loopback interface.
    pub fn start(dir: &Path) -> Result<Proxy> {
        let store = Store::open(dir, LIMIT).context(Kind::Host, || {
            format!("cannot use the cache of packages {}", dir.display())
        })?;
        Self::with(Answers::new(store))
    }

    fn with(answers: Answers) -> Result<Proxy> {
        let failed = || "cannot start the cache of packages".to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(Kind::Host, failed)?;
        let address = listener.local_addr().context(Kind::Host, failed)?;
        let token = token().context(Kind::Host, failed)?;
        Server::new(&format!("{USER}:{token}"), answers)
            .start(listener)
            .context(Kind::Host, failed)?;
        Ok(Proxy { address, token })
    }

    /// The lines of configuration with which apt uses it. They hold the token.
    ///
    /// For https there is nothing to keep, and apt would take the proxy for http. Not for an image
    /// [with a proxy of its own](image_has_proxy).
    pub fn apt_lines(&self) -> String {
        let Proxy { address, token } = self;
        format!(
            "Acquire::http::Proxy \"http://{USER}:{token}@{address}/\";\n\
             Acquire::https::Proxy \"DIRECT\";\n"
        )
    }
}

/// What only this run's image knows, so that nobody else on this machine gets a proxy by us.
fn token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex(&bytes))
}
