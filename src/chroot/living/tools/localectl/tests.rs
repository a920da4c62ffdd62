use std::fs;

use super::{
    keyboard::X11,
    locale::{SUPPORTED, enable},
    *,
};
use crate::chroot::living::{call::tests::call, tools::testing};

fn machine() -> (tempfile::TempDir, Machine) {
    let (dir, machine) = testing::with_systemd();
    for folder in ["usr/share/systemd", "usr/share/keymaps/i386/qwertz"] {
        fs::create_dir_all(machine.at(folder)).unwrap();
    }
    fs::write(machine.at("etc/debian_version"), "12.5\n").unwrap();
    fs::write(machine.at("usr/share/keymaps/i386/qwertz/de.map.gz"), "").unwrap();
    let models =
        "# x\nus us pc105 - terminate:ctrl_alt_bksp\nde de pc105 - terminate:ctrl_alt_bksp\n";
    fs::write(machine.at("usr/share/systemd/kbd-model-map"), models).unwrap();
    (dir, machine)
}

fn said(line: &str, machine: &mut Machine) -> (u8, String) {
    testing::said(TOOLS, &call(line), machine)
}

#[test]
fn a_locale_is_debians_file() {
    let (_dir, mut machine) = machine();
    fs::write(
        machine.at("etc/default/locale"),
        "LANG=C.UTF-8\nLC_TIME=C\n",
    )
    .unwrap();
    assert_eq!(
        said("localectl set-locale LC_TIME=POSIX LC_NAME=C", &mut machine),
        (0, String::new())
    );
    let file = fs::read_to_string(machine.at("etc/default/locale")).unwrap();
    assert_eq!(file, "LANG=C.UTF-8\nLC_TIME=POSIX\nLC_NAME=C\n");
    let (_, status) = said("localectl", &mut machine);
    let expected = "System Locale: LANG=C.UTF-8\n               LC_TIME=POSIX\n               LC_NAME=C\n    \
                    VC Keymap: (unset)\n   X11 Layout: (unset)\n";
    assert_eq!(status, expected);
    // What is the same as LANG is not said again.
    assert_eq!(
        said("localectl set-locale C", &mut machine),
        (0, String::new())
    );
    let file = fs::read_to_string(machine.at("etc/default/locale")).unwrap();
    assert_eq!(file, "LANG=C\nLC_TIME=POSIX\n");
    let no = "Failed to issue method call: Locale xx_YY.UTF-8 not installed, refusing.\n";
    assert_eq!(
        said("localectl set-locale LANG=xx_YY.UTF-8", &mut machine),
        (1, no.into())
    );
    let no = "Failed to issue method call: Locale assignment X=1 not valid, refusing.\n";
    assert_eq!(
        said("localectl set-locale X=1 LANG=C", &mut machine),
        (1, no.into())
    );
}

#[test]
fn elsewhere_it_is_systemds_own() {
    let (_dir, mut machine) = machine();
    fs::remove_file(machine.at("etc/debian_version")).unwrap();
    assert_eq!(
        said("localectl set-locale LANG=C", &mut machine),
        (0, String::new())
    );
    assert_eq!(
        fs::read_to_string(machine.at("etc/locale.conf")).unwrap(),
        "LANG=C\n"
    );
    assert_eq!(
        said("localectl set-x11-keymap de", &mut machine),
        (0, String::new())
    );
    let file = fs::read_to_string(machine.at(X11)).unwrap();
    assert!(
        file.ends_with("        Option \"XkbLayout\" \"de\"\nEndSection\n"),
        "{file}"
    );
}

#[test]
fn a_keyboard_is_one_of_the_console_and_of_x11() {
    let (_dir, mut machine) = machine();
    fs::write(
        machine.at("etc/default/keyboard"),
        "XKBLAYOUT=us\nBACKSPACE=\"guess\"\n",
    )
    .unwrap();
    assert_eq!(
        said("localectl set-keymap de", &mut machine),
        (0, String::new())
    );
    let read = |path: &str| fs::read_to_string(machine.at(path)).unwrap();
    assert_eq!(read("etc/vconsole.conf"), "KEYMAP=de\n");
    let keyboard =
        "XKBLAYOUT=de\nBACKSPACE=guess\nXKBMODEL=pc105\nXKBOPTIONS=terminate:ctrl_alt_bksp\n";
    assert_eq!(read("etc/default/keyboard"), keyboard);
    assert_eq!(
        said("localectl set-x11-keymap us", &mut machine),
        (0, String::new())
    );
    let read = |path: &str| fs::read_to_string(machine.at(path)).unwrap();
    assert_eq!(read("etc/vconsole.conf"), "KEYMAP=us\n");
    assert_eq!(
        read("etc/default/keyboard"),
        "XKBLAYOUT=us\nBACKSPACE=guess\n"
    );
    let no = "Failed to set keymap: Keymap xx is not installed.\n";
    assert_eq!(
        said("localectl set-keymap xx", &mut machine),
        (1, no.into())
    );
}

#[test]
fn a_locale_that_is_not_there_is_asked_for() {
    let (_dir, machine) = machine();
    fs::write(
        machine.at("etc/locale.gen"),
        "# en_US.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8\n",
    )
    .unwrap();
    enable(&machine, "de_DE.UTF-8").unwrap();
    enable(&machine, "fr_FR.UTF-8").unwrap();
    let list = fs::read_to_string(machine.at("etc/locale.gen")).unwrap();
    assert_eq!(
        list,
        "# en_US.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\nfr_FR.UTF-8 UTF-8\n"
    );
    assert!(enable(&machine, "de_DE.ISO-8859-1").is_err());
    fs::create_dir_all(machine.at("usr/share/i18n")).unwrap();
    fs::write(machine.at(SUPPORTED), "de_DE.UTF-8 UTF-8\n").unwrap();
    assert!(enable(&machine, "xx_YY.UTF-8").is_err());
}
