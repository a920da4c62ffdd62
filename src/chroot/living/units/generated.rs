//! Units that have no file, and that systemd makes one for at each boot: of fstab, and of init scripts.

use std::os::unix::fs::PermissionsExt;

use super::{name, settings::Settings};
use crate::{
    disk::fstab::{self, Entry},
    sys::inroot::Root,
};

const FSTAB: &str = "/etc/fstab";
const SCRIPTS: &str = "/etc/init.d";
/// Only so much of a script is looked at for its header.
const MAX_HEADER: u64 = 64 << 10;
const MAX_SCRIPTS: usize = 1000;

/// File systems that need the network.
const REMOTE: [&str; 14] = [
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "fuse.davfs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "gfs",
    "glusterfs",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
];

/// One of them.
#[derive(Debug)]
pub struct Generated {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub source: String,
    /// What would be in its file.
    pub settings: Settings,
    /// The target that starts it, and whether the target cannot do without it.
    pub pulled: Option<(&'static str, bool)>,
}

/// All of fstab's.
pub fn of_fstab(root: &Root) -> Vec<Generated> {
    let text = root.read(FSTAB.as_ref(), fstab::MAX_BYTES as u64);
    let entries = fstab::parse(&text.unwrap_or_default());
    let mut units: Vec<Generated> = entries.iter().filter_map(mount).collect();
    if !units.iter().any(|unit| unit.name == "-.mount") {
        let mut settings = Settings::default();
        settings.set("Unit", "Description", "Root Mount");
        settings.set("Mount", "Where", "/");
        units.push(Generated {
            name: "-.mount".into(),
            source: FSTAB.into(),
            settings,
            pulled: None,
        });
    }
    units
}

fn mount(entry: &Entry) -> Option<Generated> {
    let what = device(&entry.source);
    let has = |option: &str| entry.has_option(option);
    let mut settings = Settings::default();
    let (name, target) = if entry.fstype == "swap" {
        settings.set("Swap", "What", &what);
        (format!("{}.swap", name::escape_path(&what)), "swap.target")
    } else if entry.file.starts_with('/') {
        let remote = has("_netdev") || REMOTE.contains(&&*entry.fstype);
        let target = if remote {
            "remote-fs.target"
        } else {
            "local-fs.target"
        };
        let text = if entry.file == "/" {
            "Root Mount"
        } else {
            &entry.file
        };
        settings.set("Unit", "Description", text);
        settings.set("Mount", "What", &what);
        settings.set("Mount", "Where", &entry.file);
        settings.set("Mount", "Type", &entry.fstype);
        settings.set("Mount", "Options", &entry.options.join(","));
        let automatic = has("x-systemd.automount");
        let kind = if automatic { "automount" } else { "mount" };
        (format!("{}.{kind}", name::escape_path(&entry.file)), target)
    } else {
        return None;
    };
    settings.set(
        "Unit",
        "Documentation",
        "man:fstab(5) man:systemd-fstab-generator(8)",
    );
    Some(Generated {
        name,
        source: FSTAB.into(),
        settings,
        pulled: (!has("noauto") && entry.file != "/").then_some((target, !has("nofail"))),
    })
}

/// The device that the first field of an entry means.
fn device(source: &str) -> String {
    let tags = [
        ("LABEL=", "label"),
        ("UUID=", "uuid"),
        ("PARTUUID=", "partuuid"),
        ("PARTLABEL=", "partlabel"),
    ];
    let by = tags.iter().find_map(|(tag, folder)| {
        let value = source.strip_prefix(tag)?.trim_matches('"');
        Some(format!("/dev/disk/by-{folder}/{value}"))
    });
    by.unwrap_or_else(|| source.to_owned())
}

/// The one of the init script for the service `id`.
pub fn of_script(root: &Root, id: &str) -> Option<Generated> {
    let stem = id.strip_suffix(".service")?;
    let found = [stem.to_owned(), format!("{stem}.sh")];
    let script = found.into_iter().find(|name| is_script(root, name))?;
    let path = format!("{SCRIPTS}/{script}");
    let text = root.read(path.as_ref(), MAX_HEADER).unwrap_or_default();
    let header = |key: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix('#'));
        let mut values = lines.filter_map(|line| line.trim().strip_prefix(key));
        values
            .next()
            .map(str::trim)
            .filter(|value| !value.is_empty())
    };
    let mut settings = Settings::default();
    let short = header("Short-Description:").unwrap_or(&script);
    settings.set("Unit", "Description", &format!("LSB: {short}"));
    settings.set("Unit", "Documentation", "man:systemd-sysv-generator(8)");
    settings.set("Service", "Type", "forking");
    settings.set("Service", "ExecStart", &format!("{path} start"));
    settings.set("Service", "ExecStop", &format!("{path} stop"));
    match header("pidfile:") {
        Some(file) => settings.set("Service", "PIDFile", file),
        None => settings.set("Service", "RemainAfterExit", "yes"),
    }
    if text.contains("reload)") {
        settings.set("Service", "ExecReload", &format!("{path} reload"));
    }
    let pulled = is_enabled(root, &script).then_some(("multi-user.target", false));
    Some(Generated {
        name: id.to_owned(),
        source: path,
        settings,
        pulled,
    })
}

/// The services that init scripts are, whether or not a unit takes their place.
pub fn scripts(root: &Root) -> Vec<String> {
    let names = root
        .names(SCRIPTS.as_ref(), MAX_SCRIPTS)
        .unwrap_or_default();
    let scripts = names.into_iter().filter(|name| is_script(root, name));
    scripts
        .map(|name| format!("{}.service", name.strip_suffix(".sh").unwrap_or(&name)))
        .filter(|name| name::is_valid(name))
        .collect()
}

fn is_script(root: &Root, name: &str) -> bool {
    if name.starts_with('.') || ["rc", "rcS", "README", "skeleton"].contains(&name) {
        return false;
    }
    let file = root.file(format!("{SCRIPTS}/{name}").as_ref());
    let mode = file.and_then(|file| file.metadata());
    mode.is_ok_and(|data| data.permissions().mode() & 0o100 != 0)
}

/// Whether a runlevel in which people work starts it.
fn is_enabled(root: &Root, script: &str) -> bool {
    ["rc2.d", "rc3.d", "rc4.d", "rc5.d"].iter().any(|level| {
        let links = root.names(format!("/etc/{level}").as_ref(), MAX_SCRIPTS);
        let starts = |name: &String| {
            let number = name.strip_prefix('S').and_then(|rest| rest.get(..2));
            number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
                && name.get(3..) == Some(script)
        };
        links.unwrap_or_default().iter().any(starts)
    })
}
