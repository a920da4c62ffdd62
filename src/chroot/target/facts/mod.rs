//! Ansible's facts, as they are on the machine that the image becomes.
//!
//! A module that gathers facts looks at the kernel that runs, which is this machine's. What it finds is sent here before
//! anything of the playbook sees it. What the [table] says of each fact is done, so that every fact is the target's, or
//! absent.

pub mod table;

use serde_json::{Map, Value, json};

use super::{board::PROCESSORS, machine::Target};
use table::From;

/// The prefix that all names have, but in `ansible_facts`.
const PREFIX: &str = "ansible_";
/// What a network interface's fact has, one or the other.
const OF_INTERFACES: [&str; 3] = ["device", "ipv4", "ipv4_secondaries"];
/// What Ansible calls a text that the machine does not have.
const NOT_AVAILABLE: &str = "NA";

/// What was gathered, as it is on `target`.
pub fn on(target: &Target, gathered: Map<String, Value>) -> Map<String, Value> {
    let mut facts = Map::new();
    for (full, value) in gathered {
        let (prefix, name) = match full.strip_prefix(PREFIX) {
            Some(name) => (PREFIX, name),
            None => ("", full.as_str()),
        };
        let new = match table::find(name) {
            None if is_interface(&value) => None,
            None | Some(From::Host) => Some(value),
            Some(From::Image) => Some(in_image(name, value)),
            Some(From::Kernel) => apparmor(target),
            Some(From::AnyKernel) if target.release().is_none() => Some(value),
            Some(From::AnyKernel) => of_kernel(target, name),
            Some(From::Board) => of_board(target, name),
            Some(From::Machine) => Some(of_machine(target, name, value)),
            Some(From::Nowhere) => None,
        };
        if name == "interfaces" {
            for interface in interfaces(target) {
                facts.insert(format!("{prefix}{interface}"), interface_fact(interface));
            }
        }
        if let Some(new) = new {
            facts.insert(full, new);
        }
    }
    facts
}

fn is_interface(value: &Value) -> bool {
    OF_INTERFACES.iter().any(|key| value.get(key).is_some())
}

fn in_image(name: &str, mut value: Value) -> Value {
    if name == "mounts" {
        for mount in value.as_array_mut().into_iter().flatten() {
            // Our own FAT, for kernels without it.
            if mount["fstype"] == "fuse.vfat" {
                mount["fstype"] = "vfat".into();
            }
        }
    }
    value
}

fn of_kernel(target: &Target, name: &str) -> Option<Value> {
    match name {
        "kernel" => target.release().map(Value::from),
        // Else it is "kernel_version".
        _ => target.version().map(Value::from),
    }
}

fn apparmor(target: &Target) -> Option<Value> {
    let status = match target.has_apparmor()? {
        true => "enabled",
        false => "disabled",
    };
    Some(json!({"status": status}))
}

fn of_board(target: &Target, name: &str) -> Option<Value> {
    let board = target.board();
    if name == "memory_mb" {
        let swap = json!({"total": 0, "free": 0, "used": 0, "cached": 0});
        return Some(match board {
            Some(board) => json!({"real": {"total": board.usable_memory()}, "swap": swap}),
            None => json!({"swap": swap}),
        });
    }
    let board = board?;
    Some(match name {
        "memtotal_mb" => board.usable_memory().into(),
        "processor" => target.processor().into(),
        // What Ansible makes of /proc/cpuinfo of an ARM: every processor is a socket.
        "processor_cores" | "processor_threads_per_core" => 1.into(),
        _ => PROCESSORS.into(),
    })
}

fn of_machine(target: &Target, name: &str, value: Value) -> Value {
    match name {
        "swapfree_mb" | "swaptotal_mb" => 0.into(),
        "interfaces" => interfaces(target).collect(),
        "default_ipv4" | "default_ipv6" => json!({}),
        "all_ipv4_addresses" | "all_ipv6_addresses" | "fibre_channel_wwn" => json!([]),
        "virtualization_tech_guest" | "virtualization_tech_host" => json!([]),
        "locally_reachable_ips" => json!({"ipv4": ["127.0.0.0/8", "127.0.0.1"], "ipv6": ["::1"]}),
        "dns" => target.dns(),
        "fips" => target.boots_with("fips=1").into(),
        "uptime_seconds" => target.uptime().into(),
        "env" => match value {
            Value::Object(mut variables) => {
                variables.retain(|name, _| !target.is_of_build(name));
                variables.into()
            }
            other => other,
        },
        _ => NOT_AVAILABLE.into(),
    }
}

fn interfaces(target: &Target) -> impl Iterator<Item = &'static str> {
    let of_board = target.board().map(|board| board.kind.interfaces);
    let of_board = of_board.into_iter().flatten().copied();
    ["lo"].into_iter().chain(of_board)
}

/// An interface that has no address yet; `lo` has its own.
fn interface_fact(name: &str) -> Value {
    if name == "lo" {
        return json!({
            "active": true, "device": "lo", "mtu": 65536, "promisc": false, "type": "loopback",
            "ipv4": {
                "address": "127.0.0.1", "broadcast": "", "netmask": "255.0.0.0",
                "network": "127.0.0.0", "prefix": "8",
            },
            "ipv6": [{"address": "::1", "prefix": "128", "scope": "host"}],
        });
    }
    json!({"active": false, "device": name, "mtu": 1500, "promisc": false, "type": "ether"})
}

#[cfg(test)]
mod tests {
    use super::{
        super::{board::Board, machine::tests::target},
        *,
    };

    /// Some of what is gathered on a build machine.
    fn gathered() -> Map<String, Value> {
        let facts = json!({
            "ansible_architecture": "aarch64",
            "ansible_kernel": "6.18.0-host", "ansible_kernel_version": "#1 SMP host",
            "ansible_processor": ["0", "AuthenticAMD", "AMD EPYC"], "ansible_processor_vcpus": 64,
            "ansible_processor_cores": 64, "ansible_memtotal_mb": 24105, "ansible_memfree_mb": 9,
            "ansible_memory_mb": {"real": {"total": 24105}, "swap": {"total": 7}},
            "ansible_interfaces": ["lo", "enp3s0", "docker0"],
            "ansible_enp3s0": {"active": true, "device": "enp3s0", "macaddress": "02:fc:00:00:00:01"},
            "ansible_enp3s0_1": {"ipv4": {"address": "192.0.2.3"}},
            "ansible_lo": {"device": "lo"},
            "ansible_default_ipv4": {"address": "192.0.2.2"},
            "ansible_virtualization_type": "kvm", "ansible_virtualization_tech_guest": ["kvm"],
            "ansible_product_uuid": "5f1d3c0e", "ansible_loadavg": {"1m": 1.5},
            "ansible_mounts": [{"mount": "/boot", "fstype": "fuse.vfat"}, {"fstype": "ext4"}],
            "ansible_env": {"HOME": "/root", "QEMU_CPU": "x", "MINE": "1"},
            "ansible_new_in_some_version": [1.25],
        });
        match facts {
            Value::Object(facts) => facts,
            _ => unreachable!("an object literal"),
        }
    }

    #[test]
    fn without_a_board_nothing_of_this_machine_is_told() {
        let (_dir, target) = target(None);
        let facts = on(&target, gathered());
        let text = serde_json::to_string(&facts).unwrap();
        for of_host in ["EPYC", "enp3s0", "192.0.2", "kvm", "24105", "5f1d", "QEMU"] {
            assert!(!text.contains(of_host), "{of_host}: {text}");
        }
        for absent in ["processor", "processor_vcpus", "memtotal_mb", "loadavg"] {
            assert!(
                !facts.contains_key(&format!("ansible_{absent}")),
                "{absent}"
            );
        }
        // The image has no kernel, as a container's.
        assert_eq!(facts["ansible_kernel"], "6.18.0-host");
        assert_eq!(facts["ansible_interfaces"], json!(["lo"]));
        assert_eq!(facts["ansible_lo"]["ipv4"]["address"], "127.0.0.1");
        assert_eq!(facts["ansible_default_ipv4"], json!({}));
        assert_eq!(facts["ansible_memory_mb"]["swap"]["total"], 0);
        assert_eq!(facts["ansible_mounts"][0]["fstype"], "vfat");
        assert_eq!(facts["ansible_env"], json!({"HOME": "/root", "MINE": "1"}));
        assert_eq!(facts["ansible_new_in_some_version"], json!([1.25]));
    }

    #[test]
    fn with_a_board_they_are_its_own() {
        let (_dir, target) = target(Some(Board::named("pi4-4g").unwrap()));
        let facts = on(&target, gathered());
        assert_eq!(facts["ansible_processor"], json!(["0", "1", "2", "3"]));
        assert_eq!(facts["ansible_processor_vcpus"], 4);
        assert_eq!(facts["ansible_processor_cores"], 1);
        assert_eq!(facts["ansible_memtotal_mb"], 3584);
        assert_eq!(facts["ansible_interfaces"], json!(["lo", "eth0", "wlan0"]));
        assert_eq!(facts["ansible_eth0"]["active"], false);
        assert!(facts["ansible_eth0"].get("macaddress").is_none());
    }

    /// As with `gather_subset` and `filter`.
    #[test]
    fn only_what_was_gathered_is_told() {
        let (_dir, target) = target(Some(Board::named("pi4").unwrap()));
        let one = Map::from_iter([("ansible_processor_count".to_owned(), 64.into())]);
        assert_eq!(
            Value::from(on(&target, one)),
            json!({"ansible_processor_count": 4})
        );
    }
}
