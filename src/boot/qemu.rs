//! The command line of the emulator.

use std::{ffi::OsString, path::PathBuf};

use super::machine::{At, Machine};
use crate::emulation::{
    arch::Arch,
    drivers::{Card, Disk},
};

/// What the user can choose.
#[derive(Debug, Clone)]
pub struct Size {
    /// The memory, such as `1G`.
    pub memory: String,
    /// How many processors.
    pub processors: u32,
}

/// Where its console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// The user's terminal, with QEMU's keys.
    Terminal,
    /// Its standard output.
    Output,
}

/// The numbers of open files of ours, by which QEMU finds what it is lent.
#[derive(Debug, Clone)]
pub struct Lent {
    /// The disk, open for reading and writing.
    pub disk: i32,
    /// The same for reading: QEMU does not write before the machine does.
    pub disk_read: i32,
    /// A socket on which QEMU tells what becomes of the machine.
    pub monitor: i32,
    /// How it starts.
    pub start: Start,
}

/// How a machine starts.
#[derive(Debug, Clone)]
pub enum Start {
    /// With a kernel.
    Kernel {
        /// The kernel.
        kernel: i32,
        /// Its initramfs.
        initramfs: Option<i32>,
        /// Its device tree.
        tree: Option<i32>,
        /// Its arguments.
        arguments: String,
    },
    /// With a boot loader for UEFI.
    Uefi {
        /// The firmware.
        code: PathBuf,
        /// Its variables, open for reading and writing, and for reading.
        variables: (i32, i32),
    },
}

/// The network of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// The port of this machine, on 127.0.0.1, that leads to the SSH server.
    pub port: u16,
    /// Whether it can reach others.
    pub open: bool,
}

/// The arguments; `kvm` says whether this machine's processor runs the image's programs.
pub fn arguments(
    machine: &Machine,
    size: &Size,
    lent: &Lent,
    network: Network,
    console: Console,
    kvm: bool,
) -> Vec<OsString> {
    let mut words = Words::default();
    words.add(["-nodefaults", "-no-user-config", "-display", "none"]);
    words.add(["-machine", &machine.model]);
    words.add(["-accel", if kvm { "kvm" } else { "tcg" }]);
    if let Some(cpu) = processor(machine, kvm) {
        words.add(["-cpu", cpu]);
    }
    let (memory, processors) = match machine.fixed {
        Some((memory, processors)) => (memory, processors),
        None => (size.memory.as_str(), size.processors),
    };
    words.add(["-m", memory, "-smp", &processors.to_string()]);
    words.start(&lent.start);
    words.disk(machine, lent);
    words.network(machine, network);
    words.add([
        "-chardev",
        &format!("socket,id=monitor,fd={}", lent.monitor),
    ]);
    words.add(["-mon", "chardev=monitor,mode=control"]);
    words.add([
        "-serial",
        match console {
            Console::Terminal => "mon:stdio",
            Console::Output => "stdio",
        },
    ]);
    words.0
}

/// Which processor it is, where the model leaves that open.
fn processor(machine: &Machine, kvm: bool) -> Option<&'static str> {
    match machine.arch {
        _ if machine.fixed.is_some() => None,
        _ if kvm => Some("host"),
        // Newer ones compute signatures of pointers, which QEMU does slowly.
        Arch::Aarch64 => Some("cortex-a72"),
        Arch::Arm => Some("cortex-a15"),
        Arch::X86_64 | Arch::I386 => Some("max"),
        Arch::Riscv64 => None,
    }
}

#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn add<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        self.0.extend(words.into_iter().map(OsString::from));
    }

    fn start(&mut self, start: &Start) {
        match start {
            Start::Kernel {
                kernel,
                initramfs,
                tree,
                arguments,
            } => {
                // A reboot takes what the disk has by then, which only we can give it.
                self.add(["-no-reboot", "-kernel", &path(*kernel)]);
                for (option, file) in [("-initrd", initramfs), ("-dtb", tree)] {
                    if let Some(file) = file {
                        self.add([option, &path(*file)]);
                    }
                }
                self.add(["-append", arguments]);
            }
            Start::Uefi { code, variables } => {
                self.files(2, [variables.0, variables.1]);
                // In QEMU's lists a comma is written twice.
                let code = code.display().to_string().replace(',', ",,");
                self.add([
                    "-drive",
                    &format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"),
                ]);
                self.add(["-drive", "if=pflash,format=raw,unit=1,file=/dev/fdset/2"]);
            }
        }
    }

    /// Open files that QEMU calls /dev/fdset/NUMBER.
    fn files(&mut self, number: u32, files: [i32; 2]) {
        for file in files {
            self.add(["-add-fd", &format!("fd={file},set={number}")]);
        }
    }

    fn disk(&mut self, machine: &Machine, lent: &Lent) {
        self.files(1, [lent.disk, lent.disk_read]);
        let interface = match machine.disk {
            At::Bus(_) => "none,id=disk",
            At::Slot => "sd",
        };
        // What is written is thrown away, so nothing has to wait for the disk. Nobody else has it, and a lock of QEMU's would be
        // ours too, and stay.
        self.add([
            "-drive",
            &format!("if={interface},format=raw,file=/dev/fdset/1,cache=unsafe,discard=unmap,file.locking=off"),
        ]);
        let At::Bus(disk) = machine.disk else {
            return;
        };
        let devices: &[&str] = match disk {
            Disk::VirtioPci => &["virtio-blk-pci,drive=disk"],
            Disk::VirtioMmio => &["virtio-blk-device,drive=disk"],
            Disk::VirtioScsi => &["virtio-scsi-pci,id=scsi", "scsi-hd,bus=scsi.0,drive=disk"],
            Disk::Nvme => &["nvme,serial=pichroot,drive=disk"],
            Disk::Ahci => &["ich9-ahci,id=sata", "ide-hd,bus=sata.0,drive=disk"],
            Disk::Usb => &["qemu-xhci,id=usb", "usb-storage,bus=usb.0,drive=disk"],
        };
        devices
            .iter()
            .for_each(|device| self.add(["-device", device]));
    }

    fn network(&mut self, machine: &Machine, network: Network) {
        let device = match machine.card {
            // QEMU wants no ROM for it, which is often not installed.
            Some(Card::VirtioPci) => "virtio-net-pci,netdev=net,romfile=",
            Some(Card::VirtioMmio) => "virtio-net-device,netdev=net",
            Some(Card::E1000e) => "e1000e,netdev=net,romfile=",
            Some(Card::Usb) => "usb-net,netdev=net",
            None => return,
        };
        let port = network.port;
        let restrict = if network.open { "" } else { ",restrict=on" };
        self.add([
            "-netdev",
            &format!("user,id=net{restrict},hostfwd=tcp:127.0.0.1:{port}-:22"),
            "-device",
            device,
        ]);
        if machine.card == Some(Card::VirtioPci) {
            // An SSH server makes its keys with it.
            self.add([
                "-object",
                "rng-builtin,id=random",
                "-device",
                "virtio-rng-pci,rng=random",
            ]);
        }
    }
}

/// By which QEMU opens a file of ours.
fn path(file: i32) -> String {
    format!("/proc/self/fd/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(machine: &Machine, start: Start, open: bool, kvm: bool) -> String {
        let lent = Lent {
            disk: 10,
            disk_read: 11,
            monitor: 12,
            start,
        };
        let size = Size {
            memory: "1G".into(),
            processors: 2,
        };
        let network = Network { port: 2222, open };
        let words = arguments(machine, &size, &lent, network, Console::Output, kvm);
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    fn kernel(tree: Option<i32>) -> Start {
        Start::Kernel {
            kernel: 20,
            initramfs: Some(21),
            tree,
            arguments: "root=LABEL=x".into(),
        }
    }

    fn machine() -> Machine {
        Machine {
            arch: Arch::Aarch64,
            model: "virt".into(),
            disk: At::Bus(Disk::VirtioPci),
            card: Some(Card::VirtioPci),
            consoles: &["ttyAMA0"],
            device_tree: None,
            fixed: None,
            uefi: false,
        }
    }

    #[test]
    fn a_virtual_machine_is_as_the_user_wants_it() {
        let text = line(&machine(), kernel(None), true, false);
        for part in [
            "-machine virt -accel tcg -cpu cortex-a72 -m 1G -smp 2",
            "-no-reboot -kernel /proc/self/fd/20 -initrd /proc/self/fd/21 -append root=LABEL=x",
            "-add-fd fd=10,set=1 -add-fd fd=11,set=1 -drive if=none,id=disk,format=raw,file=/dev/fdset/1",
            "user,id=net,hostfwd=tcp:127.0.0.1:2222-:22",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = line(&machine(), kernel(None), false, true);
        assert!(text.contains("-accel kvm -cpu host "), "{text}");
        assert!(text.contains("user,id=net,restrict=on,hostfwd="), "{text}");
    }

    #[test]
    fn a_board_has_what_it_is_sold_with() {
        let board = Machine {
            model: "raspi3b".into(),
            disk: At::Slot,
            card: None,
            fixed: Some(("1G", 4)),
            ..machine()
        };
        let text = line(&board, kernel(Some(22)), true, false);
        assert!(
            text.contains("-m 1G -smp 4") && !text.contains("-cpu"),
            "{text}"
        );
        assert!(text.contains("-dtb /proc/self/fd/22"), "{text}");
        assert!(text.contains("-drive if=sd,format=raw"), "{text}");
        assert!(!text.contains("-netdev"), "{text}");
    }

    #[test]
    fn a_boot_loader_finds_its_firmware() {
        let start = Start::Uefi {
            code: "/usr/share/a,b.fd".into(),
            variables: (30, 31),
        };
        let text = line(&machine(), start, true, false);
        assert!(
            text.contains("unit=0,readonly=on,file=/usr/share/a,,b.fd"),
            "{text}"
        );
        assert!(
            text.contains("-add-fd fd=30,set=2 -add-fd fd=31,set=2"),
            "{text}"
        );
        assert!(!text.contains("-no-reboot"), "{text}");
    }
}
