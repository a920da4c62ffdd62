use super::*;

fn sysctl() -> Sysctl {
    Sysctl::new(Some("6.12.1"))
}

#[test]
fn what_is_written_is_read_and_noted() {
    let mut sysctl = sysctl();
    let path = "net/ipv4/tcp_rmem";
    sysctl
        .write(path, b"4096 87380 16777216\n", Some("a task".into()))
        .unwrap();
    assert_eq!(sysctl.read(path).unwrap(), "4096\t87380\t16777216\n");
    let noted = Written {
        path: path.into(),
        task: Some("a task".into()),
    };
    assert_eq!(sysctl.take_written(), [noted]);
    // The same again changes nothing.
    sysctl.write(path, b"4096\t87380\t16777216", None).unwrap();
    sysctl.write("vm/drop_caches", b"3\n", None).unwrap();
    let written = sysctl.take_written();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].path, "vm/drop_caches");
    for (path, text, expected) in [
        ("net/ipv4/ip_forward", "on", Errno::EINVAL),
        ("net/ipv4/nosuch", "1", Errno::ENOENT),
        ("net/ipv4", "1", Errno::ENOENT),
        ("kernel/ostype", "Minix", Errno::EACCES),
    ] {
        assert_eq!(sysctl.write(path, text.as_bytes(), None), Err(expected));
    }
    assert_eq!(sysctl.take_written(), []);
}

#[test]
fn what_belongs_together_changes_together() {
    let mut sysctl = sysctl();
    sysctl.write("net/ipv4/ip_forward", b"1", None).unwrap();
    sysctl.write("vm/dirty_bytes", b"4096000", None).unwrap();
    for (path, expected) in [
        ("net/ipv4/conf/all/forwarding", "1\n"),
        ("net/ipv4/conf/eth0/forwarding", "1\n"),
        ("net/ipv6/conf/all/forwarding", "0\n"),
        ("vm/dirty_ratio", "0\n"),
        ("vm/dirty_background_ratio", "10\n"),
    ] {
        assert_eq!(sysctl.read(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn a_module_brings_its_own() {
    let mut sysctl = sysctl();
    let path = "net/bridge/bridge-nf-call-iptables";
    assert!(!sysctl.has_folder("net/bridge") && sysctl.get(path).is_none());
    sysctl.add_module("br_netfilter");
    assert_eq!(sysctl.read(path).as_deref(), Ok("1\n"));
    assert!(sysctl.names("net").unwrap().contains_key("bridge"));
    sysctl.remove_module("br_netfilter");
    assert_eq!(sysctl.names("net/bridge"), None);
}

#[test]
fn folders_have_what_is_in_them() {
    let sysctl = sysctl();
    let top = sysctl.names("").unwrap();
    assert!(
        top.values().all(Option::is_none) && top.contains_key("vm"),
        "{top:?}"
    );
    let kernel = sysctl.names("kernel").unwrap();
    assert_eq!(
        (kernel["random"], kernel["cap_last_cap"]),
        (None, Some(0o444))
    );
    assert_eq!(sysctl.names(EMPTY), Some(BTreeMap::new()));
    assert!(sysctl.names("fs").unwrap().contains_key("binfmt_misc"));
    for path in ["ker", "kernel/printk", "nosuch"] {
        assert!(
            !sysctl.has_folder(path) && sysctl.names(path).is_none(),
            "{path}"
        );
    }
}

#[test]
fn some_is_made_when_it_is_read() {
    let sysctl = sysctl();
    let read = |path| sysctl.read(path).unwrap();
    assert_ne!(read(UUID), read(UUID));
    assert_eq!((read(UUID).len(), &read(UUID)[14..15]), (37, "4"));
    assert_eq!(read(RELEASE), "6.12.1\n");
}
