//! Names that rules may have in place of numbers, as the image's files tell them.

use std::{
    fs::OpenOptions,
    io::Read,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::super::call::Call;

/// The most that is read of a file.
const MAX_FILE: u64 = 16 << 20;

/// IPv4 or IPv6: each has tables of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The image, for whoever reads rules.
pub struct Names<'a> {
    /// Which addresses there are.
    pub family: Family,
    root: &'a Path,
    call: Option<&'a Call>,
}

impl<'a> Names<'a> {
    /// Those of the image below `root`; `call` lets the image's own programs be asked.
    pub fn new(family: Family, root: &'a Path, call: Option<&'a Call>) -> Self {
        Names { family, root, call }
    }

    /// The port of a service, as in /etc/services.
    pub fn service(&self, name: &str, protocol: Option<&str>) -> Option<u16> {
        let services = read(&self.at("/etc/services"))?;
        services.lines().find_map(|line| {
            let mut words = fields(line);
            let first = words.next()?;
            let (port, of) = words.next()?.split_once('/')?;
            let named = first == name || words.any(|alias| alias == name);
            let meant = protocol.is_none_or(|protocol| protocol == of);
            (named && meant).then(|| port.parse().ok())?
        })
    }

    /// The name of a port, where it has one.
    pub fn service_of(&self, port: &str, protocol: &str) -> Option<String> {
        let services = read(&self.at("/etc/services"))?;
        let number = format!("{port}/{protocol}");
        services.lines().find_map(|line| {
            let mut words = fields(line);
            let name = words.next()?;
            (words.next()? == number).then(|| name.to_owned())
        })
    }

    /// The number of a protocol, as in /etc/protocols.
    pub fn protocol(&self, name: &str) -> Option<u8> {
        let protocols = read(&self.at("/etc/protocols"))?;
        protocols.lines().find_map(|line| {
            let mut words = fields(line);
            let first = words.next()?;
            let number = words.next()?.parse().ok()?;
            (first == name || words.any(|alias| alias == name)).then_some(number)
        })
    }

    /// The name of a protocol.
    pub fn protocol_of(&self, number: u8) -> Option<String> {
        let protocols = read(&self.at("/etc/protocols"))?;
        protocols.lines().find_map(|line| {
            let mut words = fields(line);
            let name = words.next()?;
            (words.next()?.parse() == Ok(number)).then(|| name.to_owned())
        })
    }

    /// The number of a user or a group: /etc/passwd and /etc/group have it in the same place.
    pub fn owner(&self, file: &str, name: &str) -> Option<u32> {
        let owners = read(&self.at(file))?;
        owners.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
        })
    }

    /// The addresses of a host by its name, as the image's own resolver finds them.
    pub fn host(&self, name: &str) -> Vec<IpAddr> {
        let database = match self.family {
            Family::V4 => "ahostsv4",
            Family::V6 => "ahostsv6",
        };
        let found = self.call.map(|call| call.real("getent", &[database, name]));
        let Some(Ok(found)) = found else {
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for line in String::from_utf8_lossy(&found.stdout).lines().take(1000) {
            let address = line.split_whitespace().next();
            let mapped = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
            if let Some(Ok(address)) = address.map(str::parse)
                && !addresses.contains(&address)
                && !mapped(&address)
            {
                addresses.push(address);
            }
        }
        addresses
    }

    /// Whether the image has this extension of iptables, in the folder of its architecture.
    pub fn has_extension(&self, name: &str) -> bool {
        let special = match self.family {
            Family::V4 => "libipt_",
            Family::V6 => "libip6t_",
        };
        let folders = std::fs::read_dir(self.at("/usr/lib")).into_iter().flatten();
        let mut places = folders.take(1000).flatten().map(|folder| folder.path());
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && places.any(|place| {
                let extensions = place.join("xtables");
                ["libxt_", special]
                    .iter()
                    .any(|prefix| extensions.join(format!("{prefix}{name}.so")).is_file())
            })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// A line's words without its comment.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split('#')
        .next()
        .unwrap_or_default()
        .split_whitespace()
}

/// A regular file's text; a fifo is not waited for.
pub fn read(path: &Path) -> Option<String> {
    let mut open = OpenOptions::new();
    let file = open
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path);
    let file = file
        .ok()
        .filter(|file| file.metadata().is_ok_and(|it| it.is_file()))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
