//! A trial of all that a run asks of this host's kernel, without an image.
//!
//! It goes the executor's way: namespaces, a loop device, a user namespace with its id maps, a
//! private binfmt_misc with qemu in it, and a program for the emulated processor. It happens in a
//! process of its own, whose end undoes it all.

use std::{
    fs::File,
    io::Write,
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
    path::Path,
    time::Duration,
};

use nix::{
    mount::MsFlags,
    sched::CloneFlags,
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::{Signal, kill},
        wait::waitpid,
    },
};

use super::{
    confine,
    emulator::Loaded,
    executor::ORDERS,
    plan::{Network, Order, Report},
    table::Table,
};
use crate::{
    emulation::{Emulator, arch::Arch},
    error::{Context, Error, Kind, Result},
    event::Event,
    sys::{
        command, frame,
        loopdev::{LoopDevice, Window},
        mount,
        process::{self, own_executable},
    },
};

/// The name the process is started by.
pub const NAME: &str = "pichroot-trial";
/// Far more than it takes; a kernel that hangs must not make us hang.
const LIMIT: Duration = Duration::from_secs(30);
/// The disk of the trial, in bytes.
const DISK: u64 = 1 << 20;
/// Where the trial keeps its files: on a tmpfs that only it sees, where a stage has its own.
const PLACE: &str = mount::EMPTY_DIRECTORY;
/// What the emulated program exits with.
const ANSWER: i32 = 42;

/// Tries it with `emulator`, if there is one. Needs root. Returns the warnings a run would show.
///
/// # Errors
/// The first step that the kernel refuses.
pub fn run(emulator: Option<&Emulator>) -> Result<Vec<Event>> {
    let failed = || "cannot talk to the trial".to_owned();
    let (ours, theirs) = UnixStream::pair().context(Kind::Host, failed)?;
    ours.set_read_timeout(Some(LIMIT))
        .context(Kind::Host, failed)?;
    let pid = process::spawn_confined(
        &own_executable()?,
        NAME,
        (&theirs, ORDERS),
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC,
    )
    .map_err(|error| error.hint("a container must be allowed to mount"))?;
    drop(theirs);
    let outcome = attend(&ours, pid, emulator);
    let _ = kill(pid, Signal::SIGKILL);
    let _ = waitpid(pid, None);
    outcome
}

/// The parent's side.
fn attend(
    trial: &UnixStream,
    pid: nix::unistd::Pid,
    emulator: Option<&Emulator>,
) -> Result<Vec<Event>> {
    let gone = || "the trial ended before it was done".to_owned();
    // One that has failed already may be gone; what it has said is still to be read.
    let sent = frame::send(trial, &emulator, &[]);
    let mut told = Vec::new();
    loop {
        let report = frame::receive(trial).context(Kind::Host, gone)?;
        match report.map(|(report, _)| report) {
            Some(Report::NeedsMaps) => {
                process::map_every_id(pid)?;
                frame::send(trial, &Order::Mapped, &[]).context(Kind::Host, gone)?;
            }
            Some(Report::Told(event)) => told.push(event),
            Some(Report::Ready | Report::Used | Report::Left(_)) => return Ok(told),
            Some(Report::Failed(failure)) => return Err(failure.into()),
            None => {
                sent.context(Kind::Host, gone)?;
                return Err(Error::host(gone()));
            }
        }
    }
}

/// The trial's `main`; returns its exit code.
pub fn main() -> u8 {
    let Ok(parent) = process::adopt(ORDERS) else {
        return Kind::Usage.exit_code();
    };
    let parent = UnixStream::from(parent);
    let report = match try_it(&parent) {
        Ok(()) => Report::Ready,
        Err(error) => Report::Failed((&error).into()),
    };
    // If the parent is gone there is nobody left to tell.
    let _ = frame::send(&parent, &report, &[]);
    0
}

fn try_it(parent: &UnixStream) -> Result<()> {
    let gone = || "pichroot itself is gone".to_owned();
    mount::follow_host()?;
    mount::fresh_proc()?;
    mount::virtual_fs("tmpfs", PLACE.as_ref(), MsFlags::MS_NOSUID, "mode=0755")?;
    let _device = attach()?;
    let (emulator, _): (Option<Emulator>, _) = frame::receive(parent)
        .context(Kind::Other, gone)?
        .ok_or_else(|| Error::other(gone()))?;
    let loaded = emulator
        .as_ref()
        .map(|emulator| Loaded::load(emulator, None, 0))
        .transpose()?;
    let program = Path::new(PLACE).join("program");
    let foreign = emulator.filter(|emulator| emulator.arch == Arch::Aarch64);
    if foreign.is_some() {
        write_program(&program)?;
    }
    let unconfined = confine::leave_host(Network::Host)?;
    frame::send(parent, &Report::NeedsMaps, &[]).context(Kind::Other, gone)?;
    let Some((Order::Mapped, _)) = frame::receive(parent).context(Kind::Other, gone)? else {
        return Err(Error::other(gone()));
    };
    let registered = loaded
        .map(|loaded| loaded.register(Table::mount(Path::new("/")).as_ref()))
        .transpose()?;
    for event in unconfined.into_iter().chain(registered.flatten()) {
        frame::send(parent, &Report::Told(event), &[]).context(Kind::Other, gone)?;
    }
    match foreign {
        None => Ok(()),
        Some(emulator) => execute(&program, &emulator),
    }
}

/// Attaches a loop device to a file in memory, through a node of our own, as for a partition.
fn attach() -> Result<LoopDevice> {
    let failed = || "cannot make a disk for the trial".to_owned();
    let disk =
        memfd_create(c"pichroot-trial-disk", MFdFlags::MFD_CLOEXEC).context(Kind::Host, failed)?;
    let disk = File::from(disk);
    disk.set_len(DISK).context(Kind::Host, failed)?;
    let window = Window {
        start: DISK / 2,
        size: DISK / 2,
        read_only: false,
    };
    LoopDevice::attach(&disk, window, PLACE.as_ref())
}

fn write_program(at: &Path) -> Result<()> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(at)
        .and_then(|mut file| file.write_all(&program()))
        .context(Kind::Host, || format!("cannot write {}", at.display()))
}

fn execute(program: &Path, emulator: &Emulator) -> Result<()> {
    let output = command::output(program, &[])?;
    match output.status.code() {
        Some(ANSWER) => Ok(()),
        _ => Err(command::failure(
            Kind::Host,
            &emulator.program,
            &[],
            &output,
        )),
    }
}

/// A whole ELF program for aarch64 that exits with [`ANSWER`]: file header, one segment, three
/// instructions (ELF-64 object file format; the Arm architecture reference's encodings).
fn program() -> Vec<u8> {
    /// Where the segment is in memory; any page will do.
    const BASE: u64 = 0x40_0000;
    /// Size of the file header and of one program header.
    const HEADERS: (u16, u16) = (64, 56);
    const CODE: [u32; 3] = [
        0xd280_0ba8,                        // mov x8, #93 (exit)
        0xd280_0000 | (ANSWER as u32) << 5, // mov x0, #ANSWER
        0xd400_0001,                        // svc #0
    ];
    let entry = u64::from(HEADERS.0 + HEADERS.1);
    let size = entry + 4 * CODE.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2u16, 183].map(u16::to_le_bytes).concat()); // ET_EXEC, EM_AARCH64
    elf.extend(1u32.to_le_bytes());
    elf.extend(
        [BASE + entry, u64::from(HEADERS.0), 0]
            .map(u64::to_le_bytes)
            .concat(),
    );
    elf.extend(0u32.to_le_bytes());
    elf.extend(
        [HEADERS.0, HEADERS.1, 1, 64, 0, 0]
            .map(u16::to_le_bytes)
            .concat(),
    );
    elf.extend([1u32, 5].map(u32::to_le_bytes).concat()); // PT_LOAD, read and execute
    elf.extend(
        [0, BASE, BASE, size, size, 0x1000]
            .map(u64::to_le_bytes)
            .concat(),
    );
    elf.extend(CODE.map(u32::to_le_bytes).concat());
    elf
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::read_elf;

    #[test]
    fn the_program_is_a_static_one_for_aarch64() {
        let bytes = program();
        let elf = read_elf(&mut std::io::Cursor::new(&bytes))
            .unwrap()
            .unwrap();
        assert_eq!(Arch::of(&elf), Some(Arch::Aarch64));
        assert!(!elf.dynamic);
        assert_eq!(bytes.len(), 64 + 56 + 12);
    }
}
