//! The kernel's command line.

use std::{io, net::Ipv4Addr};

use super::{
    super::{RootOn, finding::Notes, load::Load, seen::Seen},
    drivers::is_dracut,
};

/// The longest command line that arm64 reads (COMMAND_LINE_SIZE).
const MAX_LENGTH: usize = 2048;

/// What looks at one board's command line, in words.
type Look<'a> = dyn FnMut(&Load, &[&str], &mut Notes) -> io::Result<()> + 'a;

/// Calls `look` for each board's command line. Where it is missing is for [`line`] to tell.
fn each(seen: &Seen<'_>, notes: &mut Notes, look: &mut Look<'_>) -> io::Result<()> {
    for load in &seen.loads {
        match seen.cmdline(load)? {
            Some(text) => look(load, &text.split_whitespace().collect::<Vec<_>>(), notes)?,
            None => notes.unknown(format!("there is no {}", load.cmdline.path)),
        }
    }
    Ok(())
}

/// The values of a parameter.
fn values<'a>(words: &[&'a str], key: &str) -> Vec<&'a str> {
    let value = |word: &&'a str| word.strip_prefix(key)?.strip_prefix('=');
    words.iter().filter_map(value).collect()
}

/// `cmdline`
pub fn line(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let path = &load.cmdline.path;
        let Some(text) = seen.boot.text(path)? else {
            let hint = "publish it: without it the kernel gets no root and no network";
            notes.fail(
                format!("{} wants it, and it is not there", load.board.name()),
                path,
                hint,
            );
            continue;
        };
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let lines = line.lines().count();
        if line.trim().is_empty() {
            notes.fail(
                "it is empty",
                path,
                "write the root and the network into it: the role pi_netboot does",
            );
        } else if lines > 1 || line.contains('\r') {
            let hint =
                "write all parameters on one line: the firmware passes on the first one only";
            notes.fail(format!("it has {} lines", lines.max(2)), path, hint);
        } else if line.len() > MAX_LENGTH {
            let saw = format!(
                "it has {} characters, and the kernel reads {MAX_LENGTH}",
                line.len()
            );
            notes.fail(saw, path, "make it shorter");
        }
        notes.fine(format!("{path}: one line of {} characters", line.len()));
    }
    Ok(())
}

/// `cmdline-root`
pub fn root(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    const HINT: &str =
        "name the root that was asked for and no other: the roles pi_netboot and nfs_root do";
    each(seen, notes, &mut |load, words, notes| {
        let path = &load.cmdline.path;
        let roots = values(words, "root");
        let dracut = seen.archive(load).is_some_and(is_dracut);
        let [root] = roots[..] else {
            let saw = match roots.is_empty() {
                true => "it has no root=".to_owned(),
                false => format!("it has root= {} times", roots.len()),
            };
            notes.fail(saw, path, HINT);
            return Ok(());
        };
        let fault = match &seen.wanted.root {
            RootOn::Rbd { partition } => rbd(root, *partition, words, dracut),
            RootOn::Nfs { server, path } => nfs(root, server, path, words, dracut),
            RootOn::Other => {
                notes.unknown(format!(
                    "root={root}: where the root is meant to be is not known"
                ));
                return Ok(());
            }
        };
        match fault {
            Some(saw) => notes.fail(saw, path, HINT),
            None => notes.fine(format!("root={root}")),
        }
        Ok(())
    })
}

/// What is wrong with a root on Ceph.
fn rbd(root: &str, partition: Option<u32>, words: &[&str], dracut: bool) -> Option<String> {
    let wanted = match partition {
        Some(number) => format!("/dev/rbd0p{number}"),
        None => "/dev/rbd0".to_owned(),
    };
    if root != wanted {
        return Some(format!("root={root}, and it should be {wanted}"));
    }
    if let [path, ..] = values(words, "nfsroot")[..] {
        return Some(format!("nfsroot={path} is another root"));
    }
    let boot = values(words, "boot");
    match dracut {
        true if !words.contains(&"rd.neednet=1") => {
            Some("without rd.neednet=1 dracut sets up no network for a block device".into())
        }
        false if boot.last() != Some(&"rbd") => {
            Some("without boot=rbd initramfs-tools looks for a local disk".into())
        }
        _ => None,
    }
}

/// What is wrong with a root over NFS.
fn nfs(root: &str, server: &str, path: &str, words: &[&str], dracut: bool) -> Option<String> {
    let source = format!("{server}:{path}");
    let is_source = |value: &str| {
        let rest = value.strip_prefix(&source);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ':']))
    };
    let own = root
        .strip_prefix("nfs:")
        .or_else(|| root.strip_prefix("nfs4:"));
    if let Some(value) = own {
        return match (is_source(value), dracut) {
            (_, false) => Some(format!(
                "only dracut knows root={root}; others want root=/dev/nfs nfsroot={source}"
            )),
            (true, true) => None,
            (false, true) => Some(format!("root={root}, and it should be of {source}")),
        };
    }
    if root != "/dev/nfs" {
        return Some(format!("root={root}, and it should be /dev/nfs"));
    }
    match values(words, "nfsroot")[..] {
        [] => Some(format!("it has no nfsroot={source}")),
        [value] if is_source(value) => match values(words, "boot").last() {
            // nfsroot is the playbook's own script for initramfs-tools.
            Some(boot) if !["nfs", "nfsroot"].contains(boot) => {
                Some(format!("boot={boot} is another way to the root"))
            }
            _ => None,
        },
        [value] => Some(format!("nfsroot={value}, and it should be of {source}")),
        _ => Some("it has nfsroot= several times".into()),
    }
}

/// `cmdline-ip`
pub fn ip(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    each(seen, notes, &mut |load, words, notes| {
        let path = &load.cmdline.path;
        let values = values(words, "ip");
        let Some(ip) = values.last() else {
            notes.fail(
                "it has no ip=",
                path,
                "add ip=dhcp, or a fixed address: without it nothing reaches the root",
            );
            return Ok(());
        };
        match is_network(ip) {
            true => notes.fine(format!("ip={ip}")),
            false => {
                let hint = "write ip=dhcp, or ip=ADDRESS::GATEWAY:NETMASK:HOST:INTERFACE:off";
                notes.fail(format!("ip={ip} sets up no network"), path, hint);
            }
        }
        Ok(())
    })
}

/// Whether `ip=` sets up an interface (Documentation/admin-guide/nfs/nfsroot.rst; dracut.cmdline(7) has INTERFACE:dhcp, too).
fn is_network(value: &str) -> bool {
    const WAYS: [&str; 11] = [
        "dhcp",
        "single-dhcp",
        "on",
        "any",
        "both",
        "bootp",
        "rarp",
        "dhcp6",
        "auto6",
        "either6",
        "link6",
    ];
    // dracut takes several, as in dhcp,dhcp6.
    let is_way = |ways: &str| ways.split(',').all(|way| WAYS.contains(&way));
    let fields: Vec<&str> = value.split(':').collect();
    match fields[..] {
        [one] => is_way(one) || one.parse::<Ipv4Addr>().is_ok(),
        [_, way] => is_way(way),
        // An address of its own needs the size of its network, else it has that of its class.
        [address, ..] if address.parse::<Ipv4Addr>().is_ok() => true,
        _ => fields.get(6).is_some_and(|way| is_way(way)) || value.starts_with('['),
    }
}

/// `cmdline-card`
pub fn card(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    each(seen, notes, &mut |load, words, notes| {
        for word in words {
            let is_of_disk = |tag: &str| word.contains(&format!("={tag}="));
            let is_card = word.contains("/dev/mmcblk")
                || word.contains("/dev/sd")
                || word.contains("/dev/nvme");
            if is_card
                || ["LABEL", "UUID", "PARTUUID", "PARTLABEL"]
                    .into_iter()
                    .any(is_of_disk)
            {
                let hint =
                    "take it out: a Pi that boots from the network waits for that disk without end";
                notes.fail(
                    format!("{word} is a disk of the Pi's own"),
                    &load.cmdline.path,
                    hint,
                );
            }
        }
        notes.fine("nothing of a card");
        Ok(())
    })
}

/// `cmdline-first-boot`
pub fn first_boot(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    each(seen, notes, &mut |load, words, notes| {
        for word in words {
            let key = word.split('=').next().unwrap_or_default();
            // Those that start something else than the system, and Raspberry Pi OS's own, which resizes its card.
            let is_other =
                ["init", "rdinit", "systemd.unit"].contains(&key) || key.starts_with("systemd.run");
            let is_plain = [
                "init=/sbin/init",
                "init=/lib/systemd/systemd",
                "init=/usr/lib/systemd/systemd",
            ]
            .contains(word);
            if *word == "resize" || is_other && !is_plain {
                let hint = "take it out: it is for the first boot from a card, and resizes that or starts no system";
                notes.fail(format!("it has {word}"), &load.cmdline.path, hint);
            }
        }
        notes.fine("it starts the system itself");
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_up_a_network_is_known() {
        for value in [
            "dhcp",
            "eth0:dhcp",
            "dhcp,dhcp6",
            ":::::eth0:dhcp",
            "10.0.0.2::10.0.0.1:255.255.255.0:pi:eth0:off",
            "10.0.0.2",
            "on",
            "[fd00::2]::[fd00::1]:64:pi:eth0:none",
        ] {
            assert!(is_network(value), "{value}");
        }
        for value in ["off", "none", "", "eth0", ":::::eth0:off", "eth0:off"] {
            assert!(!is_network(value), "{value}");
        }
    }

    #[test]
    fn the_root_must_be_the_one_that_was_asked_for() {
        let fault = |line: &str, dracut| {
            let words: Vec<&str> = line.split_whitespace().collect();
            nfs(
                values(&words, "root")[0],
                "10.0.0.1",
                "/srv/pi",
                &words,
                dracut,
            )
        };
        for (line, dracut) in [
            (
                "root=/dev/nfs nfsroot=10.0.0.1:/srv/pi,vers=3 ip=dhcp",
                false,
            ),
            ("boot=nfs root=/dev/nfs nfsroot=10.0.0.1:/srv/pi", false),
            ("boot=nfsroot root=/dev/nfs nfsroot=10.0.0.1:/srv/pi", false),
            ("root=nfs:10.0.0.1:/srv/pi:vers=4", true),
        ] {
            assert_eq!(fault(line, dracut), None, "{line}");
        }
        for (line, dracut) in [
            ("root=/dev/nfs nfsroot=10.0.0.1:/srv/pi2", false),
            ("root=/dev/nfs", false),
            ("root=/dev/rbd0 nfsroot=10.0.0.1:/srv/pi", false),
            ("root=nfs:10.0.0.1:/srv/pi", false),
            ("boot=rbd root=/dev/nfs nfsroot=10.0.0.1:/srv/pi", false),
            ("root=nfs:10.0.0.2:/srv/pi", true),
        ] {
            assert!(fault(line, dracut).is_some(), "{line}");
        }
        let fault = |line: &str, partition, dracut| {
            let words: Vec<&str> = line.split_whitespace().collect();
            rbd(values(&words, "root")[0], partition, &words, dracut)
        };
        assert_eq!(fault("boot=rbd root=/dev/rbd0", None, false), None);
        assert_eq!(
            fault("boot=rbd root=/dev/rbd0p2 rd.neednet=1", Some(2), true),
            None
        );
        for (line, partition, dracut) in [
            ("boot=rbd root=/dev/rbd0", Some(2), false),
            ("root=/dev/rbd0", None, false),
            ("boot=rbd root=/dev/rbd0", None, true),
            ("boot=rbd root=/dev/rbd0 nfsroot=x:/y", None, false),
        ] {
            assert!(fault(line, partition, dracut).is_some(), "{line}");
        }
    }
}
