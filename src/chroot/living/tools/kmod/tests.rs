use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::chroot::living::{
    call::tests::call,
    kernel::{Shared, catalogue::tests::kernel},
    outstanding,
    record::How,
};

const RELEASE: &str = "6.1.0";

/// A machine whose modprobe says these lines, and ends with this code.
fn machine(top: &Path, says: &str, code: u8) -> (Machine, String) {
    kernel(top, RELEASE);
    let program = top.join("modprobe");
    let text = format!(
        "#!/bin/sh\necho \"$*\" >>{0}.args\ncat <<'END'\n{says}END\n[ {code} = 0 ] || echo fault >&2\nexit {code}\n",
        program.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let machine = Machine::with_kernel(top, true, Shared::boot(top, Some(RELEASE)));
    (machine, program.display().to_string())
}

fn run(machine: &mut Machine, program: &str, line: &str) -> Answer {
    let mut call = call(line);
    if call.name() == "modprobe" {
        call.program = program.into();
    }
    match call.name() {
        "modprobe" => modprobe(&call, machine),
        "rmmod" => rmmod(&call, machine),
        _ => insmod(&call, machine),
    }
}

fn loaded(machine: &Machine) -> Vec<String> {
    machine
        .kernel
        .lock()
        .modules
        .names()
        .map(str::to_owned)
        .collect()
}

const BRIDGE: &str = "insmod /lib/modules/6.1.0/kernel/net/llc.ko
insmod /lib/modules/6.1.0/kernel/net/stp.ko
insmod /lib/modules/6.1.0/kernel/net/bridge.ko
insmod /lib/modules/6.1.0/kernel/net/br_netfilter.ko.xz a=1
";

#[test]
fn a_module_is_loaded_with_what_it_needs_and_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let (mut machine, program) = machine(dir.path(), BRIDGE, 0);
    fs::create_dir_all(dir.path().join("etc/sysctl.d")).unwrap();
    let text = "net.bridge.bridge-nf-call-iptables = 0\n";
    fs::write(dir.path().join("etc/sysctl.d/k.conf"), text).unwrap();
    assert_eq!(
        run(&mut machine, &program, "modprobe br-netfilter a=1"),
        Answer::ok()
    );
    let args = fs::read_to_string(format!("{program}.args")).unwrap();
    assert_eq!(
        args,
        "--dry-run --verbose --set-version 6.1.0 br-netfilter a=1\n"
    );
    assert_eq!(loaded(&machine), ["br_netfilter", "bridge", "stp", "llc"]);
    let setting = machine
        .kernel
        .lock()
        .sysctl
        .read("net/bridge/bridge-nf-call-iptables");
    assert_eq!(setting.as_deref(), Ok("0\n"));
    let record = outstanding::take(&mut machine);
    assert_eq!(
        record.all()[0].how,
        How::Unit("modprobe br-netfilter a=1".into())
    );
    assert_eq!(record.all().len(), 1);
    let told = run(&mut machine, &program, "modprobe -v br-netfilter a=1");
    assert_eq!(told, Answer::out(BRIDGE));
}

#[test]
fn a_file_for_the_boot_carries_it_also_when_it_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let (mut machine, program) = machine(dir.path(), BRIDGE, 0);
    run(&mut machine, &program, "modprobe br_netfilter a=1");
    for (file, text) in [
        ("modules-load.d/k.conf", "br_netfilter\n"),
        ("modprobe.d/k.conf", "options br_netfilter a=1\n"),
    ] {
        let at = dir.path().join("etc").join(file);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }
    let record = outstanding::take(&mut machine);
    assert_eq!(
        record.all()[0].how,
        How::Carried("/etc/modules-load.d/k.conf".into())
    );
}

#[test]
fn what_is_no_module_fails_as_it_would() {
    let dir = tempfile::tempdir().unwrap();
    let (mut machine, program) = machine(dir.path(), "", 1);
    assert_eq!(
        run(&mut machine, &program, "modprobe nosuch"),
        Answer::fails(1, "fault\n")
    );
    assert_eq!(run(&mut machine, &program, "modprobe -h"), Answer::Pass);
    assert_eq!(
        run(&mut machine, &program, "modprobe --nosuch x"),
        Answer::Pass
    );
    assert!(loaded(&machine).is_empty() && outstanding::take(&mut machine).all().is_empty());
}

#[test]
fn without_any_kernel_nobody_can_say_whether_there_is_such_a_module() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(dir.path(), true);
    assert_eq!(
        run(&mut machine, "/no/modprobe", "modprobe -a x y-z"),
        Answer::ok()
    );
    assert_eq!(loaded(&machine), ["y_z", "x"]);
    assert_eq!(outstanding::take(&mut machine).all().len(), 2);
    let mut machine = Machine::new(dir.path(), false);
    let refused = run(&mut machine, "/no/modprobe", "modprobe x");
    assert!(
        matches!(refused, Answer::Said { code: 1, .. }),
        "{refused:?}"
    );
    assert!(loaded(&machine).is_empty());
}

#[test]
fn a_module_that_goes_again_is_put_off_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (mut machine, program) = machine(dir.path(), BRIDGE, 0);
    run(&mut machine, &program, "modprobe br_netfilter");
    // The program says why not.
    assert_eq!(run(&mut machine, &program, "rmmod bridge"), Answer::Pass);
    assert_eq!(run(&mut machine, &program, "rmmod nosuch"), Answer::Pass);
    assert_eq!(
        run(&mut machine, &program, "rmmod br_netfilter"),
        Answer::ok()
    );
    assert_eq!(loaded(&machine), ["bridge", "stp", "llc"]);
    assert!(outstanding::take(&mut machine).all().is_empty());
    assert_eq!(
        run(&mut machine, &program, "rmmod -v bridge"),
        Answer::out("rmmod bridge\n")
    );
    let record = outstanding::take(&mut machine);
    assert_eq!(record.all()[0].how, How::Unit("rmmod bridge".into()));
}

#[test]
fn a_module_is_loaded_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(dir.path(), true);
    fs::write(dir.path().join("my-driver.ko"), "").unwrap();
    assert_eq!(run(&mut machine, "", "insmod nosuch.ko"), Answer::Pass);
    assert_eq!(
        run(&mut machine, "", "insmod my-driver.ko x=1"),
        Answer::ok()
    );
    assert_eq!(loaded(&machine), ["my_driver"]);
    let again = run(&mut machine, "", "insmod my-driver.ko");
    assert!(matches!(again, Answer::Said { code: 1, .. }));
    let record = outstanding::take(&mut machine);
    assert_eq!(
        record.all()[0].how,
        How::Unit("insmod /my-driver.ko x=1".into())
    );
}
