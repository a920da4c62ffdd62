//! Which of QEMU's machines an image can start on.

use crate::{
    emulation::{
        arch::Arch,
        drivers::{Card, Disk, Drivers},
    },
    error::{Error, Result},
    stage::boot_files::Found,
};

/// A machine that QEMU can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What its processor is.
    pub arch: Arch,
    /// What QEMU calls it.
    pub model: String,
    /// Where its disk is.
    pub disk: At,
    /// Its network card.
    pub card: Option<Card>,
    /// What kernels may call its console; one of these is there.
    pub consoles: &'static [&'static str],
    /// The name of its device tree, if it has to be given one.
    pub device_tree: Option<String>,
    /// Its memory and processors, where that cannot be chosen.
    pub fixed: Option<(&'static str, u32)>,
    /// Whether it starts the image's boot loader by UEFI, and not the kernel.
    pub uefi: bool,
}

/// Where a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At a bus.
    Bus(Disk),
    /// In the slot for a card.
    Slot,
}

/// A board that QEMU has a model of.
struct Board {
    model: &'static str,
    /// From which version of QEMU on.
    since: &'static str,
    /// Its device trees, Raspberry Pi's own and Linux', each with what the kernel then calls the PL011. A name that is not there would
    /// keep the kernel from taking the one that is.
    trees: [(&'static str, &'static [&'static str]); 2],
    memory: &'static str,
    has_network: bool,
}

/// The one with a network first. On both the console is the PL011.
const BOARDS: [Board; 2] = [
    Board {
        model: "raspi3b",
        since: "5.2",
        trees: [
            ("bcm2710-rpi-3-b.dtb", &["ttyAMA1,115200"]),
            ("bcm2837-rpi-3-b.dtb", &["ttyAMA0,115200"]),
        ],
        memory: "1G",
        has_network: true,
    },
    Board {
        model: "raspi4b",
        since: "9.0",
        trees: [
            ("bcm2711-rpi-4-b.dtb", &["ttyAMA1,115200"]),
            ("bcm2838-rpi-4-b.dtb", &["ttyAMA0,115200"]),
        ],
        memory: "2G",
        has_network: false,
    },
];
/// How many processors each board has.
const PROCESSORS: u32 = 4;

/// What is known of an image.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// What was found in it.
    pub found: &'a Found,
    /// For which processor its kernel is, if it has one.
    pub kernel: Option<Arch>,
    /// The modules that the kernel can load before it has a root; `None` where that is not known.
    pub early: Option<&'a [String]>,
}

/// What the user asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `--machine`.
    pub model: Option<String>,
    /// `--uefi`.
    pub uefi: bool,
}

impl Wanted {
    /// Whether it is to be a board.
    pub fn is_board(&self) -> bool {
        let is = |board: &Board| Some(board.model) == self.model.as_deref();
        BOARDS.iter().any(is)
    }
}

/// The program that is such a machine.
pub fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "qemu-system-aarch64",
        Arch::Arm => "qemu-system-arm",
        Arch::Riscv64 => "qemu-system-riscv64",
        Arch::X86_64 | Arch::I386 => "qemu-system-x86_64",
    }
}

/// What QEMU calls the machine that is no real one.
fn virtual_one(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 | Arch::I386 => "q35",
        _ => "virt",
    }
}

/// Chooses one. `has_model` tells what this QEMU has.
///
/// # Errors
/// Where it can be none, with the reasons; [`crate::error::Kind::Usage`] for one that there is not.
pub fn choose(
    image: Image<'_>,
    wanted: &Wanted,
    has_model: &dyn Fn(&str) -> bool,
) -> Result<Machine> {
    let arch = image.kernel.unwrap_or(image.found.arch);
    let virtual_one = virtual_one(arch);
    if let Some(model) = wanted.model.as_deref() {
        let known = BOARDS.iter().map(|board| board.model);
        let known: Vec<_> = std::iter::once(virtual_one).chain(known).collect();
        if !known.contains(&model) {
            let what = format!("pichroot does not know how to start a machine {model}");
            return Err(Error::usage(what).hint(format!("it can be {}", known.join(", "))));
        }
    }
    let may_be = |model: &str| wanted.model.as_deref().is_none_or(|wanted| wanted == model);
    let Some(kernel) = &image.found.kernel else {
        return match image.found.uefi {
            true => Ok(by_uefi(arch, None)),
            false => Err(no_kernel()),
        };
    };
    let all = kernel.drivers.as_ref();
    if wanted.uefi {
        return match image.found.uefi {
            true => Ok(by_uefi(arch, all)),
            false => Err(Error::image("the image has no boot loader for UEFI")
                .hint("without --uefi its kernel is started")),
        };
    }
    let early = all.map(|all| match image.early {
        Some(modules) => all.with_modules(modules.iter().map(String::as_str)),
        None => all.clone(),
    });
    // Where nobody knows, it is tried.
    let disk = match &early {
        Some(early) => early.disk(arch),
        None => Some(Disk::VirtioPci),
    };
    let mut reasons = Vec::new();
    if may_be(virtual_one) {
        match disk {
            Some(disk) => {
                return Ok(Machine {
                    disk: At::Bus(disk),
                    card: all.map_or(Some(Card::VirtioPci), |all| all.card(arch)),
                    ..by_uefi(arch, None).started_by_kernel()
                });
            }
            None => reasons.push(no_driver(virtual_one, all, arch)),
        }
    }
    for board in BOARDS.iter().filter(|board| may_be(board.model)) {
        match on_board(board, image, early.as_ref(), has_model) {
            Ok(machine) => return Ok(machine),
            Err(why) => reasons.push(format!("{}: {why}", board.model)),
        }
    }
    Err(nothing(image, &kernel.path, &reasons))
}

impl Machine {
    fn started_by_kernel(self) -> Self {
        Machine {
            uefi: false,
            ..self
        }
    }
}

fn by_uefi(arch: Arch, drivers: Option<&Drivers>) -> Machine {
    let disk = drivers.and_then(|drivers| drivers.disk(arch));
    let card = drivers.and_then(|drivers| drivers.card(arch));
    Machine {
        arch,
        model: virtual_one(arch).into(),
        disk: At::Bus(
            disk.filter(|disk| *disk != Disk::VirtioMmio)
                .unwrap_or(Disk::VirtioPci),
        ),
        card: Some(card.unwrap_or(Card::VirtioPci)),
        consoles: match arch {
            Arch::Aarch64 | Arch::Arm => &["ttyAMA0"],
            _ => &["ttyS0"],
        },
        device_tree: None,
        fixed: None,
        uefi: true,
    }
}

/// The machine of a board, or why it cannot be that one.
fn on_board(
    board: &Board,
    image: Image<'_>,
    early: Option<&Drivers>,
    has_model: &dyn Fn(&str) -> bool,
) -> Result<Machine, String> {
    if image.kernel != Some(Arch::Aarch64) {
        return Err("it needs a kernel for 64-bit ARM".into());
    }
    let trees = &image.found.device_trees;
    let has = |name: &str| trees.iter().any(|tree| tree == name);
    let Some((tree, consoles)) = board.trees.iter().find(|(name, _)| has(name)) else {
        let names = board.trees.map(|(name, _)| name).join(" or ");
        return Err(format!("the image has no {names}"));
    };
    if early.is_some_and(|early| !early.reads_cards()) {
        return Err("the kernel has no driver for its card".into());
    }
    if !has_model(board.model) {
        return Err(format!(
            "this QEMU has no such board, QEMU {} has",
            board.since
        ));
    }
    let drivers = image
        .found
        .kernel
        .as_ref()
        .and_then(|kernel| kernel.drivers.as_ref());
    let usb = drivers.is_none_or(Drivers::has_usb_network);
    Ok(Machine {
        arch: Arch::Aarch64,
        model: board.model.into(),
        disk: At::Slot,
        card: (board.has_network && usb).then_some(Card::Usb),
        consoles,
        device_tree: Some((*tree).to_owned()),
        fixed: Some((board.memory, PROCESSORS)),
        uefi: false,
    })
}

fn no_driver(model: &str, all: Option<&Drivers>, arch: Arch) -> String {
    let has_module = all.is_some_and(|all| all.disk(arch).is_some());
    match has_module {
        true => format!("{model}: the drivers of its disk are modules that the initramfs lacks"),
        false => format!("{model}: the kernel has no driver for its disk, such as virtio_blk"),
    }
}

fn no_kernel() -> Error {
    Error::image("the image has no kernel, and no boot loader for UEFI").hint(
        "install one in it, such as linux-image-arm64: `pichroot exec --write IMAGE -- apt-get install -y \
         linux-image-arm64`",
    )
}

fn nothing(image: Image<'_>, kernel: &str, reasons: &[String]) -> Error {
    let trees = &image.found.device_trees;
    let is_new = |name: &String| name.starts_with("bcm2712");
    let new = !trees.is_empty() && trees.iter().all(is_new) || kernel.contains("2712");
    let why = reasons.join("; ");
    let error = match new {
        true => Error::image(format!(
            "the kernel /{kernel} is for the Raspberry Pi 5, which QEMU has no model of, and starts on no other \
             machine of QEMU's: {why}"
        )),
        false => Error::image(format!(
            "the kernel /{kernel} starts on no machine of this QEMU: {why}"
        )),
    };
    error.hint(
        "boot it on its board, or install a kernel with drivers for virtual machines in the image as well, such as \
         linux-image-arm64",
    )
}
