//! /proc/cpuinfo as the machine shows it.

use super::board::{Board, Cpu, PLAIN_FEATURES, PROCESSORS};
use crate::emulation::arch::Arch;

/// "Features" of a 32-bit kernel on an ARMv8.
const FEATURES_32_BIT: &str =
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32";

/// What qemu is where nobody asks for another: the least that every 64-bit ARM has.
const LEAST: Cpu = Cpu {
    qemu: "cortex-a53",
    part: 0xd03,
    variant: 0,
    revision: 4,
    speed: "38.40",
    features: PLAIN_FEATURES,
    has_32_bit: true,
};

/// Lines by which a Pi is known, of the machine that a text is from.
const OF_BOARD: [&str; 4] = ["Hardware", "Revision", "Serial", "Model"];

/// For a board.
pub fn of_board(board: Board, arch: Arch) -> String {
    let text = of_cpu(&board.kind.cpu, arch, PROCESSORS);
    let (code, model) = (board.revision(), board.kind.model);
    format!("{text}Revision\t: {code:x}\nModel\t\t: {model}\n")
}

/// Of no particular machine, with so many processors.
pub fn of_any(arch: Arch, processors: usize) -> String {
    match arch {
        Arch::Aarch64 | Arch::Arm => of_cpu(&LEAST, arch, processors),
        Arch::Riscv64 => each(processors, |number| {
            format!("hart\t\t: {number}\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\n")
        }),
        Arch::X86_64 | Arch::I386 => each(processors, |_| String::new()),
    }
}

/// The text of this machine, which runs the image's programs itself, without what makes it a certain one.
pub fn of_this_machine(text: &str) -> String {
    let is_of_board = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim();
        OF_BOARD.contains(&name)
    };
    let lines = text.lines().filter(|line| !is_of_board(line));
    lines.map(|line| format!("{line}\n")).collect()
}

/// As arch/arm64/kernel/cpuinfo.c and arch/arm/kernel/setup.c write it.
fn of_cpu(cpu: &Cpu, arch: Arch, processors: usize) -> String {
    let Cpu {
        part,
        variant,
        revision,
        speed,
        ..
    } = cpu;
    let (name, features, version) = match arch == Arch::Arm && cpu.has_32_bit {
        true => {
            let name = format!("model name\t: ARMv7 Processor rev {revision} (v7l)\n");
            (name, FEATURES_32_BIT, 7)
        }
        false => (String::new(), cpu.features, 8),
    };
    each(processors, |_| {
        format!(
            "{name}BogoMIPS\t: {speed}\nFeatures\t: {features}\nCPU implementer\t: 0x41\n\
             CPU architecture: {version}\nCPU variant\t: {variant:#x}\nCPU part\t: {part:#x}\n\
             CPU revision\t: {revision}\n"
        )
    })
}

fn each(processors: usize, tell: impl Fn(usize) -> String) -> String {
    let one = |number| format!("processor\t: {number}\n{}\n", tell(number));
    (0..processors).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a real board (see [`super::super::board`]), but for its serial number.
    #[test]
    fn a_board_shows_what_a_real_one_shows() {
        let processor = |number| {
            format!(
                "processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n\
                 CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\
                 CPU revision\t: 3\n\n"
            )
        };
        let real = format!(
            "{}Revision\t: d03115\nModel\t\t: Raspberry Pi 4 Model B Rev 1.5\n",
            (0..4).map(processor).collect::<String>()
        );
        let board = Board::named("pi4-8g").unwrap();
        assert_eq!(of_board(board, Arch::Aarch64), real);
        let of_32_bit = of_board(board, Arch::Arm);
        assert!(of_32_bit.contains("model name\t: ARMv7 Processor rev 3 (v7l)\n"));
        assert!(of_32_bit.contains("CPU architecture: 7\n"));
    }

    #[test]
    fn no_board_is_no_pi() {
        let text = of_any(Arch::Aarch64, 2);
        assert_eq!(text.matches("processor").count(), 2);
        assert!(!text.contains("Raspberry") && !text.contains("Revision"));
        let this = "processor\t: 0\nCPU part\t: 0xd08\n\nRevision\t: c03112\nSerial\t\t: 1\nModel\t\t: x\n";
        assert_eq!(
            of_this_machine(this),
            "processor\t: 0\nCPU part\t: 0xd08\n\n"
        );
    }
}
