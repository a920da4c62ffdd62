use std::fs;

use super::*;
use crate::chroot::living::{call::tests::call, tools::testing};

fn said(line: &str, machine: &mut Machine) -> (u8, String) {
    testing::said(TOOLS, &call(line), machine)
}

#[test]
fn a_name_is_in_the_file_and_seen() {
    let (_dir, mut machine) = testing::with_systemd();
    fs::write(machine.at("/etc/hostname"), "ubuntu\n").unwrap();
    let mut say = |line| said(line, &mut machine);
    // As ansible.builtin.hostname does.
    assert_eq!(say("hostnamectl --static status"), (0, "ubuntu\n".into()));
    assert_eq!(
        say("hostnamectl --pretty --static set-hostname my-pi"),
        (0, String::new())
    );
    assert_eq!(say("hostnamectl --static status"), (0, "my-pi\n".into()));
    assert_eq!(say("hostnamectl --transient status"), (0, "my-pi\n".into()));
    assert_eq!(say("hostnamectl --pretty hostname"), (0, "my-pi\n".into()));
    let (code, error) = say("hostnamectl --static set-hostname my_pi");
    assert_eq!(
        (code, &*error),
        (
            1,
            "Could not set static hostname: Invalid static hostname 'my_pi'\n"
        )
    );
    assert!(
        say("hostnamectl")
            .1
            .trim_start()
            .starts_with("Static hostname: my-pi\n")
    );
    assert!(
        say("hostnamectl --json=short")
            .1
            .contains("\"StaticHostname\":\"my-pi\"")
    );
    assert_eq!(
        fs::read_to_string(machine.at("/etc/hostname")).unwrap(),
        "my-pi\n"
    );
}

#[test]
fn a_plain_name_needs_no_pretty_one() {
    let (_dir, mut machine) = testing::with_systemd();
    let mut set = |name: &str| {
        let mut call = call("hostnamectl set-hostname");
        call.args.push(name.into());
        assert_eq!(hostnamectl(&call, &mut machine), Answer::ok());
        let read = |path| fs::read_to_string(machine.at(path)).ok();
        (read("/etc/hostname").unwrap(), read("/etc/machine-info"))
    };
    let info = "PRETTY_HOSTNAME=\"Ann's Pi (2)\"\n".to_owned();
    assert_eq!(set("Ann's Pi (2)"), ("AnnsPi2\n".into(), Some(info)));
    assert_eq!(set("pi.example.org"), ("pi.example.org\n".into(), None));
}

#[test]
fn what_else_is_known_of_the_machine_is_in_a_file() {
    let (_dir, mut machine) = testing::with_systemd();
    let mut say = |line| said(line, &mut machine);
    assert_eq!(say("hostnamectl set-chassis server"), (0, String::new()));
    assert_eq!(
        say("hostnamectl icon-name"),
        (0, "computer-server\n".into())
    );
    assert_eq!(say("hostnamectl chassis toaster").0, 1);
    assert_eq!(say("hostnamectl deployment production"), (0, String::new()));
    let info = fs::read_to_string(machine.at("/etc/machine-info")).unwrap();
    assert_eq!(info, "CHASSIS=server\nDEPLOYMENT=production\n");
    let mut call = call("hostnamectl set-location here");
    call.user = 1000;
    let (code, error) = testing::said(TOOLS, &call, &mut machine);
    assert_eq!(
        (code, &*error),
        (
            1,
            "Could not set location: Interactive authentication required.\n"
        )
    );
}
