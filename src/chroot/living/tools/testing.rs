//! What tests of tools begin with.

use std::{fs, os::unix::fs::symlink};

use crate::chroot::living::{
    call::{Answer, Call},
    machine::Machine,
    tool::{self, Tools},
};

/// The machine of an image with systemd, in a folder.
pub fn with_systemd() -> (tempfile::TempDir, Machine) {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::new(dir.path(), true);
    for folder in ["etc/default", "run", "sbin", "usr/lib/systemd", "usr/sbin"] {
        fs::create_dir_all(machine.at(folder)).unwrap();
    }
    fs::write(machine.at("usr/lib/systemd/systemd"), "").unwrap();
    symlink("/usr/lib/systemd/systemd", machine.at("sbin/init")).unwrap();
    (dir, machine)
}

/// The exit code, and all that was said.
pub fn said(tools: Tools, call: &Call, machine: &mut Machine) -> (u8, String) {
    match tool::find(tools, call.name()).unwrap()(call, machine) {
        Answer::Said { code, out, err } => (code, String::from_utf8([out, err].concat()).unwrap()),
        other => panic!("{call:?}: {other:?}"),
    }
}
