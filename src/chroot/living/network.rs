//! The machine's network interfaces, as far as tasks make and change them.
//!
//! Those of the build machine are nobody's business: there are `lo`, the board's, where one is named, and what tasks have made in
//! this run.

use std::path::Path;

/// The most that is remembered of each.
const MAX: usize = 1000;

/// What `ip` shows.
#[derive(Debug, Default)]
pub struct Network {
    links: Option<Vec<Link>>,
    /// Routes and rules as they were typed, behind `4` or `6`.
    pub routes: Vec<String>,
    /// Rules of routing.
    pub rules: Vec<String>,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// What it is, where it was made: `bridge`, `dummy`, `vlan`.
    pub kind: Option<String>,
    /// Whether it is on.
    pub up: bool,
    /// The most that a packet may have.
    pub mtu: u32,
    /// Its addresses with their lengths.
    pub addresses: Vec<String>,
}

impl Link {
    /// One that is there and off.
    pub fn new(name: &str, kind: Option<&str>) -> Self {
        Link {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            up: false,
            mtu: 1500,
            addresses: Vec::new(),
        }
    }
}

impl Network {
    /// All interfaces of the machine: at first those that its /sys shows.
    pub fn links(&mut self, root: &Path) -> &mut Vec<Link> {
        self.links.get_or_insert_with(|| {
            let mut lo = Link::new("lo", None);
            (lo.up, lo.mtu) = (true, 65_536);
            lo.addresses = vec!["127.0.0.1/8".into(), "::1/128".into()];
            let names = std::fs::read_dir(root.join("sys/class/net"))
                .into_iter()
                .flatten();
            let names = names.take(MAX).flatten().map(|name| name.file_name());
            let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
            names.retain(|name| name != "lo");
            names.sort();
            let others = names.iter().map(|name| Link::new(name, None));
            std::iter::once(lo).chain(others).collect()
        })
    }

    /// The interface of this name.
    pub fn link(&mut self, root: &Path, name: &str) -> Option<&mut Link> {
        self.links(root).iter_mut().find(|link| link.name == name)
    }

    /// A new one, unless there are too many.
    pub fn add(&mut self, root: &Path, link: Link) {
        let links = self.links(root);
        if links.len() < MAX {
            links.push(link);
        }
    }
}
