//! cloud-init writes a configuration of the network at the first boot, for netplan, NetworkManager or ifupdown, in which nothing keeps
//! what is set up. `network: {config: disabled}` stops that (cloud-init's documentation, "Network configuration").

use std::io;

use serde_yaml::Value;

use super::{
    super::super::{finding::Notes, seen::Seen, units},
    files,
};

/// The units that it is started by: the first are those of all versions, the last that of 24.3 and later.
const UNITS: [&str; 4] = [
    "cloud-init-local.service",
    "cloud-init.target",
    "cloud-init.service",
    "cloud-init-main.service",
];

/// `cloud-init`
pub fn check(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    // Its generator starts it, whether or not a link does.
    let mut is_there = root.is_file("usr/lib/systemd/system-generators/cloud-init-generator")?
        || root.is_file("lib/systemd/system-generators/cloud-init-generator")?;
    for unit in UNITS {
        is_there |= units::is_enabled(root, unit)?;
    }
    if !is_there {
        notes.fine("it is not enabled");
        return Ok(());
    }
    if root.stat("etc/cloud/cloud-init.disabled")?.is_some() {
        notes.fine("/etc/cloud/cloud-init.disabled is there");
        return Ok(());
    }
    let mut is_everywhere = true;
    for load in &seen.loads {
        let line = seen.cmdline(load)?.unwrap_or_default();
        is_everywhere &= line
            .split_whitespace()
            .any(|word| word == "cloud-init=disabled" || word == "network-config=disabled");
    }
    if is_everywhere {
        notes.fine("the kernel's command line turns it off");
        return Ok(());
    }
    let mut settings = files(root, &["etc/cloud/cloud.cfg.d"], ".cfg")?;
    let main = "etc/cloud/cloud.cfg";
    settings.insert(0, (main.to_owned(), root.text(main)?.unwrap_or_default()));
    let mut is_disabled = false;
    for (path, text) in settings {
        match serde_yaml::from_str::<Value>(&text) {
            Ok(document) => {
                let config = document
                    .get("network")
                    .and_then(|network| network.get("config"));
                if let Some(config) = config {
                    is_disabled = config.as_str() == Some("disabled");
                }
            }
            // cloud.cfg is a template in few images.
            Err(error) => notes.unknown(format!("/{path} is no YAML: {error}")),
        }
    }
    match is_disabled {
        true => notes.fine("it leaves the network alone"),
        false => {
            let hint = "write network: {config: disabled} to /etc/cloud/cloud.cfg.d/99-netboot.cfg";
            notes.fail(
                "it configures the network at the first boot",
                "/etc/cloud/cloud.cfg",
                hint,
            );
        }
    }
    Ok(())
}
