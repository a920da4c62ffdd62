//! The stage process: PID 1 of the stage's namespaces, from the first mount to the last check.
//!
//! Three phases. Opening and closing are plain sequential code in the only thread; between them a
//! runtime waits for orders, the job and the executor.

use std::{
    fs::File,
    os::{
        fd::OwnedFd,
        unix::{fs::symlink, net::UnixStream},
    },
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        stat,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{
    boot, directory,
    executor::{self, Executor},
    facts::{self, Facts},
    fullness::Watch,
    installed, leaks,
    mounts::Mounts,
    partition::Access,
    protocol::{Event, Last, Order, StagePlan},
    serve,
    supervisor::Supervisor,
    work,
};
use crate::{
    chroot::{
        client,
        covers::{Covers, cover::Covering},
        placeholders::Placeholders,
        plan::ChrootPlan,
        room, services,
        shortcuts::Shortcuts,
        target::plan::TargetPlan,
    },
    emulation::{self, Cpu, Mode, arch::Arch},
    error::{Context, Error, Kind, Result},
    event, packages,
    shape::check,
    sys::{frame, inroot::Root, mount, process, tar},
    twins::place::{self, Twinning, starts},
};

/// The name the process is started by.
pub const NAME: &str = "pichroot-stage";
/// The descriptor of the socket to the supervisor.
pub const CONTROL: i32 = 3;
/// The descriptor of the image.
pub const IMAGE: i32 = 4;
/// How long killed processes may take to go: they may be waiting for a disk.
const REAP: Duration = Duration::from_secs(30);

/// The stage's `main`; returns its exit code.
pub fn main() -> u8 {
    // What is made for the chroot is for all its users, whatever the caller's mask is.
    stat::umask(stat::Mode::from_bits_truncate(0o022));
    let descriptors = process::adopt(CONTROL).and_then(|c| Ok((c, process::adopt(IMAGE)?)));
    let Ok((control, image)) = descriptors else {
        return Kind::Usage.exit_code();
    };
    let supervisor = Supervisor(UnixStream::from(control));
    match run(&supervisor, &File::from(image)) {
        Ok(()) => 0,
        Err(error) => {
            // If the supervisor is gone there is nobody left to tell.
            let _ = supervisor.tell(&Event::Failed((&error).into()));
            error.kind().exit_code()
        }
    }
}

fn run(supervisor: &Supervisor, image: &File) -> Result<()> {
    mount::follow_host()?;
    mount::fresh_proc()?;
    directory::mount()?;
    let first = frame::receive(&supervisor.0).context(Kind::Other, || "no orders".into())?;
    match first {
        Some((Order::Open(plan), _)) => open(supervisor, image, &plan),
        Some((Order::Work(work), mut fds)) => work::run(supervisor, image, work, fds.pop()),
        _ => Err(Error::other("no orders")),
    }
}

/// From the first mount to the last check.
fn open(supervisor: &Supervisor, image: &File, plan: &StagePlan) -> Result<()> {
    let started = SystemTime::now();
    let (mut mounts, by_fstab) = Mounts::open(
        image,
        &plan.volumes,
        plan.settings.layout.as_ref(),
        Access::Write,
    )?;
    if let Some(layout) = by_fstab {
        let told = boot::mount(&mut mounts, &layout)?;
        supervisor.report(told)?;
    }
    supervisor.report(mounts.notes())?;
    let numbers = mounts
        .places()
        .into_iter()
        .map(|(number, _)| number)
        .collect::<Vec<_>>();
    let used = use_image(supervisor, plan, &mut mounts);
    // Nothing runs in it any more. An output with such a name in it would be worse than none.
    let clean = match &used {
        // Without `?`: whatever is found, the image is unmounted below.
        Ok(used) if used.any => Root::open(mounts.root())
            .and_then(|root| leaks::search(&root, &[mounts.root(), &directory::nodes()], started)),
        _ => Ok(()),
    };
    let used = used.map(|used| {
        let had = match clean {
            Ok(()) => take(&used, mounts.root()),
            Err(_) => Ok(Vec::new()),
        };
        (used.any, had)
    });
    // Whatever happened: unmounted is unmounted. The first failure is the one to report, except that
    // writes which did not get into the image, or damage in it, explain what failed before.
    let (used, had) = match (used, mounts.close()) {
        (Err(_), Err(lost)) if matches!(lost.kind(), Kind::Host | Kind::Image) => return Err(lost),
        (used, closed) => {
            let used = used?;
            supervisor.report(closed?)?;
            used
        }
    };
    check::at_end(image, &plan.volumes, &numbers, &directory::nodes())?;
    clean?;
    let packages = had?;
    let starts = starts::read(&directory::path().join(place::FOLDER));
    supervisor.tell(&Event::Closed {
        used,
        starts,
        packages,
    })
}

/// What there is to do with an image that was used.
struct Used {
    /// Whether any program was run in it.
    any: bool,
    /// What is wanted of it before it is unmounted.
    last: Last,
    /// Where an archive goes.
    archive: Option<OwnedFd>,
}

/// Does what is wanted of the image at `root` before it is unmounted; its packages, if they are.
fn take(used: &Used, root: &Path) -> Result<Vec<event::PackageVersion>> {
    if let (Some(archive), Some(to)) = (used.last.archive, &used.archive) {
        let to = to
            .try_clone()
            .context(Kind::Host, || "cannot share a pipe".into())?;
        let packing = tar::Packing {
            latest: archive.latest,
            ..tar::Packing::default()
        };
        tar::pack(root, to, &packing)?.end()?;
    }
    match used.last.packages {
        true => Ok(installed::packages(&Root::open(root)?)),
        false => Ok(Vec::new()),
    }
}

/// From mounted to ready to be unmounted.
fn use_image(supervisor: &Supervisor, plan: &StagePlan, mounts: &mut Mounts) -> Result<Used> {
    let root = Root::open(mounts.root())?;
    let (possible, mut told) = plan.settings.shortcuts.possible_in(&root);
    let mut keeps = plan.settings.packages.is_some();
    if keeps && packages::image_has_proxy(&root) {
        told.push(event::Event::NoShortcut {
            name: "packages".into(),
            why: "the image's apt has a proxy".into(),
        });
        keeps = false;
    }
    supervisor.report(told)?;
    let shortcuts = Shortcuts {
        packages: keeps,
        ..possible
    };
    let no_room = |error| room::explain(&root, error);
    let placeholders =
        Placeholders::make(&root, services::wanted(&root, shortcuts)).map_err(no_room)?;
    let (covers, covering, uncovered) = match Covers::put(&root, plan.settings.network) {
        Ok(put) => put,
        Err(error) => {
            // The first failure is the one to report.
            let _ = placeholders.remove();
            return Err(no_room(error));
        }
    };
    let started = supervisor
        .report(uncovered)
        .and_then(|()| start(supervisor, plan, (shortcuts, covering), mounts, &root));
    let served = started.and_then(|(executor, twinning)| {
        let place = (directory::path(), &root);
        let watch = Watch::of(&root, &mounts.places());
        let (last, archive) =
            serve::until_close(supervisor, place, watch, shortcuts, &executor, twinning)?;
        let until_now = executor.use_until_now();
        if !until_now.left.is_empty() {
            let names = Vec::from_iter(until_now.left);
            supervisor.report([event::Event::LeftRunning(names)])?;
        }
        Ok(Used {
            any: until_now.used,
            last,
            archive,
        })
    });
    // Nothing may run in the chroot when these go.
    end_everything()?;
    let removed = covers.take_away(&root).and(placeholders.remove());
    let removed = removed.map_err(|error| {
        error.hint("an error in the image's file system makes it read-only: see `dmesg`")
    });
    let used = served?;
    removed.map(|()| used)
}

fn start(
    supervisor: &Supervisor,
    plan: &StagePlan,
    (shortcuts, covering): (Shortcuts, Covering),
    mounts: &mut Mounts,
    root: &Root,
) -> Result<(Executor, Option<Twinning>)> {
    let arch = facts::arch(root)?;
    let host = Arch::host().ok_or_else(|| Error::host("this host's architecture is unknown"))?;
    let board = plan.settings.board;
    board.map_or(Ok(()), |board| board.check(arch))?;
    let least = plan.settings.least_cpu.as_deref();
    let better = board.map(|board| board.kind.cpu.qemu).or(least);
    let cpu = Cpu {
        wanted: plan.settings.cpu.as_deref(),
        better: better.filter(|_| arch == Arch::Aarch64),
    };
    let emulator = emulation::choose(plan.settings.emulation, arch, host, cpu)?;
    let facts = Facts {
        root: mounts.root().to_owned(),
        arch,
        emulator: emulator.as_ref().map(|e| e.program.clone()),
        os: facts::os(root),
        python: facts::python(root),
        mounts: mounts.places(),
    };
    let kernel = facts::kernel(root);
    let place = (mounts.root(), kernel.as_deref());
    let (twinning, none) = place::begin(
        plan.settings.twins.as_ref(),
        directory::path(),
        emulator.as_ref(),
        place,
    )?;
    supervisor.report(none)?;
    let packages = plan
        .settings
        .packages
        .as_deref()
        .filter(|_| shortcuts.packages);
    let packages = packages.map(packages::Proxy::start);
    let packages = match packages.transpose() {
        Ok(proxy) => proxy,
        // Without it each run downloads for itself.
        Err(error) => {
            supervisor.report([event::Event::NoPackageCache((&error).into())])?;
            None
        }
    };
    let (executor, warnings) = executor::start(ChrootPlan {
        dir: directory::path().to_owned(),
        root: mounts.root().to_owned(),
        hostname: plan.settings.hostname.clone(),
        target: TargetPlan {
            arch,
            board,
            native: emulator.is_none(),
        },
        emulator,
        kernel,
        twins: twinning
            .is_some()
            .then(|| directory::path().join(place::FOLDER)),
        network: plan.settings.network,
        term: plan.settings.term.clone(),
        disk: mounts.show_disk()?,
        shortcuts,
        covering,
        living: plan.settings.living,
        apt: packages.as_ref().map(packages::Proxy::apt_lines),
    })?;
    supervisor.report(warnings)?;
    // By its name: whoever runs the link is another program, with another /proc/self/exe.
    std::env::current_exe()
        .and_then(|own| symlink(own, directory::path().join(client::NAME)))
        .context(Kind::Host, || "cannot make the link to the client".into())?;
    if plan.settings.emulation == Mode::Twin {
        let count = match &twinning {
            Some(twinning) => twinning.settled(&supervisor.0, |said| supervisor.pass_on(said))?,
            None => 0,
        };
        if count == 0 {
            return Err(Error::host("there are no twins for this image")
                .hint("leave out --emulation twin to go on without; `pichroot doctor` tells what twins need"));
        }
    }
    supervisor.tell(&Event::Ready(facts))?;
    Ok((executor, twinning))
}

/// Kills every process of the stage's PID namespace but this one, and waits for each to be gone.
///
/// # Errors
/// [`Kind::Teardown`] when some do not go.
fn end_everything() -> Result<()> {
    let deadline = Instant::now() + REAP;
    // ESRCH: there are none.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) if Instant::now() > deadline => {
                return Err(
                    Error::new(Kind::Teardown, "processes in the image do not end")
                        .hint("they wait for the kernel; see `ps` for state D"),
                );
            }
            Ok(WaitStatus::StillAlive) => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(_) | Err(_) => {}
        }
    }
}
