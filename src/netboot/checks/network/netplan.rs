//! netplan writes files for systemd-networkd, of which those with `critical: true` keep what is set up (netplan's YAML reference). With
//! NetworkManager it makes no difference.

use std::{collections::BTreeMap, io};

use serde_yaml::Value;

use super::{
    super::super::{finding::Notes, seen::Seen},
    files, is_wired, networkd,
};

/// `netplan`
pub fn check(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    let mut is_installed = false;
    for path in [
        "usr/sbin/netplan",
        "usr/libexec/netplan/generate",
        "usr/lib/netplan/generate",
    ] {
        is_installed |= root.stat(path)?.is_some();
    }
    if !is_installed {
        notes.fine("it is not installed");
        return Ok(());
    }
    let mut default = String::new();
    let mut devices: BTreeMap<String, Device> = BTreeMap::new();
    for (path, text) in files(
        root,
        &["etc/netplan", "usr/lib/netplan", "lib/netplan"],
        ".yaml",
    )? {
        let network = match serde_yaml::from_str::<Value>(&text) {
            Ok(document) => document.get("network").cloned().unwrap_or_default(),
            Err(error) => {
                notes.unknown(format!("/{path} is no YAML: {error}"));
                continue;
            }
        };
        if let Some(renderer) = word(&network, "renderer") {
            default = renderer;
        }
        let ethernets = network.get("ethernets").cloned().unwrap_or_default();
        if let Some(renderer) = word(&ethernets, "renderer") {
            default = renderer;
        }
        for (id, settings) in ethernets.as_mapping().into_iter().flatten() {
            let (Some(id), true) = (id.as_str(), settings.is_mapping()) else {
                continue;
            };
            devices
                .entry(id.to_owned())
                .or_default()
                .add(settings, &path);
        }
    }
    for (id, device) in devices {
        if !device.is_wired(seen, &id) {
            continue;
        }
        let renderer = device.renderer.as_deref().unwrap_or(&default);
        if renderer == "NetworkManager" {
            notes.fine(format!("{id} is for NetworkManager"));
        } else if device.is_critical {
            notes.fine(format!("{id} is critical"));
        } else if networkd::is_kept_before(seen, &format!("10-netplan-{id}.network"))? {
            notes.fine(format!(
                "{id}: a .network file that comes before netplan's keeps the interface"
            ));
        } else if seen.is_nfs() {
            notes.fine(format!(
                "{id}: systemd-networkd keeps the interface of a root on NFS"
            ));
        } else {
            let saw = format!(
                "{id} is for the wired interface, and without critical: true drops what the initramfs has set up"
            );
            let hint = "add critical: true below it, or take the interface out";
            notes.fail(saw, format!("/{}", device.path), hint);
        }
    }
    notes.fine("nothing else is for the interface");
    Ok(())
}

/// What all files say of one interface.
#[derive(Default)]
struct Device {
    path: String,
    renderer: Option<String>,
    is_critical: bool,
    name: Option<String>,
    has_other_match: bool,
}

impl Device {
    /// A later file adds to what earlier ones say, and wins.
    fn add(&mut self, settings: &Value, path: &str) {
        path.clone_into(&mut self.path);
        if let Some(critical) = settings.get("critical").and_then(Value::as_bool) {
            self.is_critical = critical;
        }
        self.renderer = word(settings, "renderer").or(self.renderer.take());
        if let Some(found) = settings.get("match") {
            self.name = word(found, "name").or(self.name.take());
            // By the address or the driver: it may be the one.
            self.has_other_match = true;
        }
    }

    fn is_wired(&self, seen: &Seen<'_>, id: &str) -> bool {
        match (&self.name, self.has_other_match) {
            (Some(name), _) => is_wired(seen, [name.as_str()]),
            (None, true) => true,
            (None, false) => is_wired(seen, [id]),
        }
    }
}

fn word(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
