//! What becomes of each fact that Ansible gathers, from ansible-core 2.16 to 2.22. The page docs/living-machines.md has the
//! same table.

/// Where a fact's value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// What is gathered in the image is true of the machine.
    Image,
    /// The image's newest kernel; absent if there is none, or it does not tell.
    Kernel,
    /// The image's newest kernel; without one what uname(2) says in the image, which is this machine's.
    AnyKernel,
    /// The board that is named; absent if none is.
    Board,
    /// What every machine of this image says.
    Machine,
    /// This machine.
    Host,
    /// Nothing can be said.
    Nowhere,
}

/// Facts with the same fate.
#[derive(Debug)]
pub struct Row {
    /// Their names, without `ansible_`.
    pub names: &'static [&'static str],
    /// Where their values are from.
    pub from: From,
}

const fn row(from: From, names: &'static [&'static str]) -> Row {
    Row { names, from }
}

/// All of them. Network interfaces have a fact each, by their names. Why each is as it is is in the page.
pub const TABLE: &[Row] = &[
    row(
        From::Image,
        &[
            "architecture",
            "machine",
            "system",
            "userspace_architecture",
            "userspace_bits",
        ],
    ),
    row(
        From::Image,
        &[
            "distribution",
            "distribution_file_parsed",
            "distribution_file_path",
            "distribution_file_search_string",
            "distribution_file_variety",
            "distribution_major_version",
            "distribution_minor_version",
            "distribution_release",
            "distribution_version",
            "lsb",
            "os_family",
            "pkg_mgr",
            "python",
            "python_version",
            "service_mgr",
            "systemd",
        ],
    ),
    row(From::Image, &["domain", "fqdn", "hostname", "nodename"]),
    row(From::Image, &["machine_id"]),
    row(
        From::Image,
        &[
            "ssh_host_key_dsa_public",
            "ssh_host_key_dsa_public_keytype",
            "ssh_host_key_ecdsa_public",
            "ssh_host_key_ecdsa_public_keytype",
            "ssh_host_key_ed25519_public",
            "ssh_host_key_ed25519_public_keytype",
            "ssh_host_key_rsa_public",
            "ssh_host_key_rsa_public_keytype",
        ],
    ),
    row(
        From::Image,
        &[
            "effective_group_id",
            "effective_user_id",
            "real_group_id",
            "real_user_id",
            "user_dir",
            "user_gecos",
            "user_gid",
            "user_id",
            "user_shell",
            "user_uid",
        ],
    ),
    row(
        From::Image,
        &["system_capabilities", "system_capabilities_enforced"],
    ),
    row(From::Image, &["local"]),
    row(From::Image, &["cmdline", "proc_cmdline"]),
    row(From::Image, &["device_links", "devices", "lvm"]),
    row(From::Image, &["mounts"]),
    row(From::Image, &["hostnqn", "iscsi_iqn"]),
    row(From::Image, &["selinux", "selinux_python_present"]),
    row(From::Image, &["is_chroot"]),
    row(From::Image, &["gather_subset", "module_setup"]),
    row(From::AnyKernel, &["kernel", "kernel_version"]),
    row(From::Kernel, &["apparmor"]),
    row(
        From::Board,
        &[
            "processor",
            "processor_cores",
            "processor_count",
            "processor_nproc",
            "processor_threads_per_core",
            "processor_vcpus",
        ],
    ),
    row(From::Board, &["memtotal_mb"]),
    row(From::Board, &["memory_mb"]),
    row(From::Machine, &["swapfree_mb", "swaptotal_mb"]),
    row(From::Machine, &["interfaces"]),
    row(
        From::Machine,
        &[
            "all_ipv4_addresses",
            "all_ipv6_addresses",
            "default_ipv4",
            "default_ipv6",
        ],
    ),
    row(From::Machine, &["locally_reachable_ips"]),
    row(From::Machine, &["dns"]),
    row(
        From::Machine,
        &[
            "bios_date",
            "bios_vendor",
            "bios_version",
            "board_asset_tag",
            "board_name",
            "board_serial",
            "board_vendor",
            "board_version",
            "chassis_asset_tag",
            "chassis_serial",
            "chassis_vendor",
            "chassis_version",
            "form_factor",
            "product_name",
            "product_serial",
            "product_uuid",
            "product_version",
            "system_vendor",
        ],
    ),
    row(
        From::Machine,
        &[
            "virtualization_role",
            "virtualization_tech_guest",
            "virtualization_tech_host",
            "virtualization_type",
        ],
    ),
    row(From::Machine, &["fibre_channel_wwn"]),
    row(From::Machine, &["fips"]),
    row(From::Machine, &["env"]),
    row(From::Machine, &["uptime_seconds"]),
    row(From::Host, &["date_time"]),
    row(From::Nowhere, &["flags"]),
    row(From::Nowhere, &["loadavg", "memfree_mb"]),
];

/// Where the fact `name` is from; `None` if it is none that is known here.
pub fn find(name: &str) -> Option<From> {
    let row = TABLE.iter().find(|row| row.names.contains(&name));
    row.map(|row| row.from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The first cells of its row in the page; the last one is for people.
    fn cells(row: &Row) -> String {
        let names: Vec<_> = row.names.iter().map(|name| format!("`{name}`")).collect();
        let from = match row.from {
            From::Image => "the image",
            From::Kernel => "its kernel, or absent",
            From::AnyKernel => "its kernel, or this machine's",
            From::Board => "the board, or absent",
            From::Machine => "any machine of it",
            From::Host => "this machine",
            From::Nowhere => "absent",
        };
        format!("| {} | {from} ", names.join(", "))
    }

    #[test]
    fn the_page_has_this_table() {
        let page = include_str!("../../../../docs/living-machines.md");
        let (_, section) = page.split_once("\n## Facts\n").expect("a section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let rows = rows.map(|row| row.rsplitn(3, '|').last().unwrap_or_default());
        assert_eq!(
            rows.collect::<Vec<_>>(),
            TABLE.iter().map(cells).collect::<Vec<_>>()
        );
    }

    #[test]
    fn no_fact_is_there_twice() {
        let names: Vec<_> = TABLE.iter().flat_map(|row| row.names).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
