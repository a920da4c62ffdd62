//! Files by which a machine is known, in the chroot's /run, and shown where the kernel has its own.
//!
//! They stay files that the executor can write, so that a board can still be named when they are in use. The mounts are
//! made while still privileged, so that root in the chroot cannot take them away.

use std::{fs, io, os::fd::OwnedFd, path::Path};

use super::{board::Board, cpuinfo, plan::TargetPlan};
use crate::{
    chroot::filesystems::{bind_read_only, mkdir},
    emulation::arch::Arch,
    error::{Context, Kind, Result},
    sys::inroot::{Root, path_of},
};

/// Where they are, from the chroot's root.
pub const PLACE: &str = "run/pichroot/target";

/// What is shown, and where.
const SHOWN: [(&str, &str); 5] = [
    ("cpuinfo", "proc/cpuinfo"),
    ("firmware", "sys/firmware"),
    ("net", "sys/class/net"),
    // What this machine's firmware says of it, serial numbers included.
    ("none", "sys/class/dmi"),
    ("none", "sys/devices/virtual/dmi"),
];
/// The tree of devices, below /sys/firmware.
const TREE: &str = "devicetree/base";

/// Makes the files, and shows them.
pub fn cover(root: &Root, plan: &TargetPlan) -> Result<()> {
    let failed = || "cannot show the image its machine".to_owned();
    let parent = Path::new(PLACE)
        .parent()
        .and_then(Path::to_str)
        .unwrap_or_default();
    for folder in [parent, PLACE] {
        mkdir(root, folder, 0o755)?;
    }
    let place = root.locate(PLACE.as_ref()).context(Kind::Host, failed)?;
    write(&path_of(&place), plan).context(Kind::Host, failed)?;
    for (file, name) in SHOWN {
        // Some kernels have no such place.
        if root.locate(name.as_ref()).is_ok() {
            let file: OwnedFd = root
                .locate(&Path::new(PLACE).join(file))
                .context(Kind::Host, failed)?;
            bind_read_only(root, name, &path_of(&file))?;
        }
    }
    Ok(())
}

fn write(place: &Path, plan: &TargetPlan) -> io::Result<()> {
    for folder in ["firmware", "net", "none"] {
        fs::create_dir(place.join(folder))?;
    }
    interface(place, "lo", 1)?;
    if let Some(known) = plan.board {
        return board(place, known, plan.arch);
    }
    let text = match plan.native {
        true => cpuinfo::of_this_machine(&fs::read_to_string("/proc/cpuinfo")?),
        false => {
            let processors = std::thread::available_parallelism();
            cpuinfo::of_any(plan.arch, processors.map_or(1, usize::from))
        }
    };
    fs::write(place.join("cpuinfo"), text)
}

/// Writes what is of a board, in place of what was there.
pub fn board(place: &Path, board: Board, arch: Arch) -> io::Result<()> {
    // In place: what is shown is this very file.
    fs::write(place.join("cpuinfo"), cpuinfo::of_board(board, arch))?;
    let tree = place.join("firmware").join(TREE);
    fs::create_dir_all(tree.join("system"))?;
    let ended = |text: &str| format!("{text}\0");
    let compatible = board.kind.compatible.iter().copied().map(ended);
    fs::write(tree.join("compatible"), compatible.collect::<String>())?;
    fs::write(tree.join("model"), ended(board.kind.model))?;
    fs::write(tree.join("name"), "\0")?;
    fs::write(
        tree.join("system/linux,revision"),
        board.revision().to_be_bytes(),
    )?;
    for (name, number) in board.kind.interfaces.iter().zip(2..) {
        interface(place, name, number)?;
    }
    Ok(())
}

/// The folder of an interface in /sys/class/net. Only `lo` is up, and no other has an address yet.
fn interface(place: &Path, name: &str, number: u32) -> io::Result<()> {
    let at = place.join("net").join(name);
    fs::create_dir_all(&at)?;
    let (mtu, flags, state, kind) = match name {
        "lo" => ("65536", "0x9", "unknown", "772"),
        _ => ("1500", "0x1002", "down", "1"),
    };
    let number = number.to_string();
    for (file, value) in [
        // None is known; without the file Ansible gathers no facts of the network.
        ("address", "00:00:00:00:00:00"),
        ("flags", flags),
        ("ifindex", &number),
        ("mtu", mtu),
        ("operstate", state),
        ("type", kind),
    ] {
        fs::write(at.join(file), format!("{value}\n"))?;
    }
    if name.starts_with("wl") {
        fs::create_dir_all(at.join("wireless"))?;
    }
    Ok(())
}
