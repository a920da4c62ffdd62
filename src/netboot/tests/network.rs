//! What sets up networks, and is told not to.

use std::fs;

use super::{super::Verdict, Published};

/// What sets up networks passes where it is told to leave the one of the root alone.
#[test]
fn what_sets_up_networks_may_be_told_to_leave_one_alone() {
    let networkd = |text: &'static str| {
        move |p: &mut Published| {
            p.enable("systemd-networkd.service");
            p.put("root/etc/systemd/network/10-eth.network", text);
        }
    };
    type Change = Box<dyn Fn(&mut Published)>;
    let changes: Vec<Change> = vec![
        Box::new(|p| p.enable("NetworkManager.service")),
        Box::new(|p| {
            p.enable("NetworkManager.service");
            let text =
                "[device]\nkeep-configuration=no\n[keyfile]\nunmanaged-devices=interface-name:e*\n";
            p.put("root/etc/NetworkManager/NetworkManager.conf", text);
        }),
        Box::new(|p| {
            p.enable("NetworkManager.service");
            let text = "[device-wifi]\nmatch-device=type:wifi\nkeep-configuration=no\n";
            p.put("root/etc/NetworkManager/NetworkManager.conf", text);
        }),
        Box::new(networkd(
            "[Match]\nName=e*\n[Network]\nDHCP=yes\nKeepConfiguration=yes\n",
        )),
        Box::new(networkd("[Match]\nName=eth0 end0\n[Link]\nUnmanaged=yes\n")),
        Box::new(networkd("[Match]\nName=wlan0\n[Network]\nDHCP=yes\n")),
        Box::new(networkd("[Match]\nName=!e*\n[Network]\nDHCP=yes\n")),
        Box::new(move |p| {
            networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\n")(p);
            p.put(
                "root/etc/systemd/network/10-eth.network.d/keep.conf",
                "[Network]\nKeepConfiguration=true\n",
            );
        }),
        Box::new(move |p| {
            networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\n")(p);
            p.link(
                "root/etc/systemd/system/systemd-networkd.service",
                "/dev/null",
            );
        }),
        Box::new(|p| {
            p.put("root/usr/sbin/netplan", "");
            p.put(
                "root/etc/netplan/50.yaml",
                "network:\n  ethernets:\n    all: {match: {name: \"e*\"}, dhcp4: true}\n",
            );
            p.put(
                "root/etc/netplan/60.yaml",
                "network:\n  ethernets:\n    all: {critical: true}\n",
            );
        }),
        Box::new(|p| {
            p.put("root/usr/sbin/netplan", "");
            p.put(
                "root/etc/netplan/50.yaml",
                "network:\n  renderer: NetworkManager\n  ethernets:\n    eth0: {dhcp4: true}\n",
            );
        }),
        Box::new(move |p| {
            networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\nKeepConfiguration=yes\n")(p);
            // Its file is 10-netplan-eth0.network.
            fs::rename(
                p.path("root/etc/systemd/network/10-eth.network"),
                p.path("root/etc/systemd/network/00-netboot.network"),
            )
            .unwrap();
            p.put("root/usr/sbin/netplan", "");
            p.put(
                "root/etc/netplan/50.yaml",
                "network:\n  ethernets:\n    eth0: {dhcp4: true}\n",
            );
        }),
        Box::new(|p| {
            p.enable("dhcpcd.service");
            p.put("root/etc/dhcpcd.conf", "persistent\ninterface wlan0\n");
        }),
        Box::new(|p| {
            p.enable("dhcpcd.service");
            p.put("root/etc/dhcpcd.conf", "denyinterfaces wlan0 e*0 # all\n");
        }),
        Box::new(|p| {
            p.enable("networking.service");
            p.put(
                "root/etc/network/interfaces",
                "auto lo eth0\niface lo inet loopback\niface eth0 inet manual\n",
            );
        }),
        Box::new(|p| {
            p.enable("networking.service");
            p.put(
                "root/etc/network/interfaces",
                "auto eth0\nno-auto-down eth0\niface eth0 inet dhcp\n",
            );
        }),
        Box::new(|p| {
            p.enable("cloud-init.target");
            p.put("root/etc/cloud/cloud.cfg", "users: [default]\n");
            p.put(
                "root/etc/cloud/cloud.cfg.d/99-netboot.cfg",
                "network: {config: disabled}\n",
            );
        }),
        Box::new(|p| {
            p.enable("cloud-init.target");
            p.edit(
                "boot/cmdline.txt",
                "ip=dhcp",
                "ip=dhcp network-config=disabled",
            );
        }),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut published = Published::rbd();
        change(&mut published);
        let faults = published.faults();
        assert!(faults.is_empty(), "{at}: {faults:#?}");
    }
    // By itself, systemd-networkd keeps the interface of a root on a network file system.
    let mut published = Published::nfs();
    networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\n")(&mut published);
    assert!(published.with(Verdict::Failed).is_empty());
}
