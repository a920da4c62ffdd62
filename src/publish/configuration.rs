//! What the servers of a machine that boots from the network need to know: lines for exports, dnsmasq and Ceph.

use std::{fmt::Write, path::Path};

use super::rbd::Spec;

/// What is known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The machine's name.
    pub machine: &'a str,
    /// What its firmware asks the TFTP server for.
    pub directory: Option<&'a str>,
    /// Whether that is its MAC address.
    pub by_mac: bool,
    /// The folder that the TFTP server serves.
    pub tftp: Option<&'a Path>,
    /// The folder with the root file systems that the NFS server exports.
    pub nfs_root: Option<&'a Path>,
    /// The block device with the root file system.
    pub rbd: Option<&'a Spec>,
    /// The user of Ceph's that the machine is.
    pub user: Option<&'a str>,
}

/// Options of exports(5): the machine's root writes there as root, and without the check of subtrees, which breaks where files
/// are renamed.
const EXPORT: &str = "rw,sync,no_subtree_check,no_root_squash";

/// Files, by their names.
pub fn files(known: &Known) -> Vec<(&'static str, String)> {
    let all = [
        ("exports", exports(known)),
        ("dnsmasq.conf", dnsmasq(known)),
        ("ceph-auth.sh", ceph(known)),
    ];
    all.into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// All of them, one behind the other.
pub fn text(known: &Known) -> String {
    let parts = files(known).into_iter().map(|(_, text)| text);
    parts.collect::<Vec<_>>().join("\n")
}

fn exports(known: &Known) -> String {
    let boot = known
        .tftp
        .zip(known.directory)
        .map(|(dir, name)| dir.join(name));
    let root = known.nfs_root.map(|dir| dir.join(known.machine));
    let mut text = String::new();
    for path in boot.into_iter().chain(root) {
        if text.is_empty() {
            text = "# /etc/exports of the NFS server; then run: exportfs -ra\n".into();
        }
        let _ = writeln!(text, "{} {}({EXPORT})", path.display(), known.machine);
    }
    text
}

fn dnsmasq(known: &Known) -> String {
    let Some(tftp) = known.tftp else {
        return String::new();
    };
    let host = match known.directory.filter(|_| known.by_mac) {
        Some(mac) => format!("dhcp-host={},{}\n", mac.replace('-', ":"), known.machine),
        None => String::new(),
    };
    format!(
        "# dnsmasq, beside a DHCP server that is there; SUBNET is that of the machines, such as 192.0.2.0\n\
         port=0\n\
         dhcp-range=SUBNET,proxy\n\
         pxe-service=0,\"Raspberry Pi Boot\"\n\
         enable-tftp\n\
         tftp-root={tftp}\n\
         \n\
         # or as the DHCP server, in place of the lines with dhcp-range and pxe-service\n\
         #dhcp-range=FIRST,LAST,12h\n\
         #dhcp-option=43,\"Raspberry Pi Boot\"\n\
         {host}",
        tftp = tftp.display(),
        host = host
            .lines()
            .map(|line| format!("#{line}\n"))
            .collect::<String>(),
    )
}

fn ceph(known: &Known) -> String {
    let Some(spec) = known.rbd else {
        return String::new();
    };
    let (pool, namespace) = spec.pool();
    let (place, note) = match namespace {
        Some(namespace) => (format!("pool={pool} namespace={namespace}"), ""),
        None => (
            format!("pool={pool}"),
            "# It reaches all of the pool; with a namespace for each machine it would reach its own only.\n",
        ),
    };
    format!(
        "# on the Ceph cluster: the user that {machine} is, and its key for hn_ceph_key\n\
         {note}ceph auth get-or-create client.{user} mon 'profile rbd' osd 'profile rbd {place}'\n",
        machine = known.machine,
        user = known.user.unwrap_or("admin"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_told_what_it_needs() {
        let spec = Spec::parse("pi-root/mypi/root").unwrap();
        let known = Known {
            machine: "mypi",
            directory: Some("dc-a6-32-01-36-c2"),
            by_mac: true,
            tftp: Some("/srv/tftp".as_ref()),
            nfs_root: None,
            rbd: Some(&spec),
            user: Some("mypi"),
        };
        let text = text(&known);
        for line in [
            "/srv/tftp/dc-a6-32-01-36-c2 mypi(rw,sync,no_subtree_check,no_root_squash)",
            "tftp-root=/srv/tftp",
            "#dhcp-host=dc:a6:32:01:36:c2,mypi",
            "ceph auth get-or-create client.mypi mon 'profile rbd' osd 'profile rbd pool=pi-root namespace=mypi'",
        ] {
            assert!(
                text.lines().any(|other| other == line),
                "{line} is not in\n{text}"
            );
        }
        let nfs = Known {
            nfs_root: Some("/srv/nfs".as_ref()),
            tftp: None,
            rbd: None,
            ..known
        };
        let names: Vec<_> = files(&nfs).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["exports"]);
        assert!(files(&nfs)[0].1.contains("\n/srv/nfs/mypi mypi("));
    }
}
