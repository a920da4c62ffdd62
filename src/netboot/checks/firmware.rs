//! What the firmware needs before there is a kernel.

use std::io;

use super::super::{
    Board,
    finding::Notes,
    load::{File, Load},
    seen::Seen,
};

/// `config`
pub fn config(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let Some(config) = &load.config else {
            let hint = "publish the whole boot partition; a Pi 5 does not boot from a folder without config.txt";
            notes.fail("there is none", "config.txt", hint);
            continue;
        };
        for fault in &config.faults {
            notes.fail(&fault.what, &fault.place, "mend that line");
        }
        if config.is_on("boot_ramdisk") {
            notes.unknown("boot_ramdisk=1 has the Pi boot from boot.img, which is not looked into");
        }
        let count = config.settings.len();
        notes.fine(format!("{count} settings apply to {}", load.board.name()));
    }
    Ok(())
}

/// `os-prefix`
pub fn os_prefix(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        match &load.prefix {
            (prefix, _) if prefix.is_empty() => notes.fine("none is set"),
            (prefix, true) => notes.fine(format!("{prefix} has kernel and device tree")),
            (prefix, false) => {
                let saw = format!(
                    "{} drops os_prefix={prefix}, for it does not have both kernel and device tree",
                    load.board.name()
                );
                let hint = format!("publish what is below {prefix}, or leave os_prefix out");
                notes.fail(saw, "config.txt", hint);
            }
        }
    }
    Ok(())
}

/// What is missing, with what asks for it.
fn missing(file: &File, board: Board, what: &str, notes: &mut Notes) -> bool {
    if file.size.is_some() {
        return false;
    }
    let saw = format!("{} wants {}, which is not there", board.name(), file.path);
    let place = match file.asked.contains(':') {
        true => file.asked.as_str(),
        false => "",
    };
    notes.fail(saw, place, what);
    true
}

/// `firmware`
pub fn firmware(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let board = load.board;
        let mut is_whole = true;
        for file in &load.firmware {
            let hint = match file.path.as_str() {
                "bootcode.bin" => {
                    "a Pi 3 fetches it from the root of the TFTP server: copy it there from the package raspi-firmware"
                }
                _ => {
                    "copy it from the package raspi-firmware: without it the Pi leaves this folder and looks in the TFTP server's root"
                }
            };
            is_whole &= !missing(file, board, hint, notes);
        }
        if is_whole {
            notes.fine(match board {
                Board::Pi5 => "pi5 has it in its EEPROM".into(),
                Board::Pi3 => {
                    "pi3: all there; bootcode.bin must be in the root of the TFTP server, too"
                        .into()
                }
                Board::Pi4 => format!("pi4: {}", paths(&load.firmware)),
            });
        }
    }
    Ok(())
}

fn paths(files: &[File]) -> String {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.join(", ")
}

/// `device-tree`
pub fn device_tree(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let hint = "publish the device trees of the kernel's package; the kernel does not start without one";
        if !missing(&load.device_tree, load.board, hint, notes) {
            notes.fine(format!("{}: {}", load.board.name(), load.device_tree.path));
        }
    }
    Ok(())
}

/// `overlays`
pub fn overlays(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let hint = "publish the folder of overlays, or take the line out: the firmware goes on without it, and so does what it is for";
        for file in &load.overlays {
            missing(file, load.board, hint, notes);
        }
        notes.fine(format!("{} of {}", load.overlays.len(), load.board.name()));
    }
    Ok(())
}

/// `tryboot`
pub fn tryboot(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    const HINT: &str = "take it away: it chooses between partitions, and over TFTP there are none; what is in this folder is what boots";
    if let Some(text) = seen.boot.text("autoboot.txt")? {
        // Ubuntu has tryboot_a_b=1 in it, which by itself chooses nothing.
        let chosen = text
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("boot_partition="));
        match chosen {
            Some(line) => notes.fail(format!("it says {line}"), "autoboot.txt", HINT),
            None => notes.fine("autoboot.txt chooses no partition"),
        }
    }
    if seen.boot.is_file("tryboot.txt")? {
        notes.fail(
            "tryboot.txt is never read over TFTP",
            "tryboot.txt",
            "take it away",
        );
    }
    // Ubuntu since 25.10 tries a new kernel in new/ and makes it current/ when it has booted.
    let uses_current = |load: &Load| load.prefix.0.starts_with("current");
    if seen.loads.iter().any(uses_current) {
        let new = seen.boot.list("new", 1000)?;
        if !new.is_empty() {
            let hint = "move new/ to current/ before you publish: a trial boot is asked for in the Pi's memory, which TFTP knows nothing of";
            notes.fail(
                "new/ has boot files that wait for a trial boot",
                "new",
                hint,
            );
        }
        notes.fine("only current/ boots, and new/ is empty");
    }
    notes.fine("nothing asks for a trial boot");
    Ok(())
}
