//! The executor process: prepares the chroot, confines itself to it, and serves.
//!
//! It is PID 1 of the chroot's PID namespace; when it ends, everything in the chroot ends. The
//! stage starts it, still privileged, with a socket for orders as descriptor 3.

use std::{
    os::unix::{
        fs::MetadataExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    thread,
};

use super::{
    confine,
    emulator::Loaded,
    filesystems,
    living::{self, after_boot, kernel::show, server::Living, way::Way},
    plan::{ChrootPlan, Order, Report, environment},
    server, services,
    table::Table,
    target::{files, machine::Target},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::Event,
    sys::{frame, inroot::Root, mount, process, seccomp},
    twins::dispatcher::front,
};

/// The name the process is started by.
pub const NAME: &str = "pichroot-executor";
/// The descriptor of the socket to the stage.
pub const ORDERS: i32 = 3;

/// The executor's `main`; returns its exit code.
pub fn main() -> u8 {
    let Ok(orders) = process::adopt(ORDERS) else {
        return Kind::Usage.exit_code();
    };
    let orders = UnixStream::from(orders);
    match run(&orders) {
        Ok(()) => 0,
        Err(error) => {
            let report = Report::Failed((&error).into());
            // If the stage is gone there is nobody left to tell.
            let _ = tell(&orders, &report);
            error.kind().exit_code()
        }
    }
}

fn run(orders: &UnixStream) -> Result<()> {
    mount::follow_host()?;
    let Order::Prepare(plan) = next(orders)? else {
        return Err(out_of_step());
    };
    let listener = UnixListener::bind(ChrootPlan::socket(&plan.dir))
        .context(Kind::Host, || "cannot make the executor's socket".into())?;
    let device = std::fs::metadata(&plan.dir)
        .context(Kind::Host, || "cannot look at the stage's directory".into())?
        .dev();
    let load = |emulator| Loaded::load(emulator, plan.kernel.as_deref(), device);
    let emulator = plan.emulator.as_ref().map(load).transpose()?;
    let uncovered = {
        let root = Root::open(&plan.root)?;
        filesystems::mount_all(&root)?;
        files::cover(&root, &plan.target)?;
        // Only the filter keeps programs of the image from changing its devices.
        if seccomp::exists() {
            plan.disk.show(&root)?;
        }
        if let Some(twins) = &plan.twins {
            filesystems::show_twins(&root, twins)?;
        }
        services::cover(&root, &plan)?
    };
    // Until this process ends, and with it everything in the chroot.
    let _held = plan.disk.hold()?;
    let unconfined = confine::leave_host(plan.network)?;
    tell(orders, &Report::NeedsMaps)?;
    let Order::Mapped = next(orders)? else {
        return Err(out_of_step());
    };
    // To be opened here: see its comment.
    let device = plan.living.map(|_| show::device());
    let needed = emulator.is_some() || plan.living.is_some();
    let table = needed.then(|| Table::mount(&plan.root)).flatten();
    let warning = emulator
        .map(|e| e.register(table.as_ref()))
        .transpose()?
        .flatten();
    let others = confine::enter_image(&plan)?;
    let told = uncovered.into_iter().chain(unconfined);
    for event in told.chain(warning).chain(others) {
        tell(orders, &Report::Told(event))?;
    }
    let mut environment = environment(&plan);
    let (mut living, mut _shown) = (None, None);
    if let Some(living_plan) = plan.living {
        let dispatcher = plan.emulator.is_some() && front::exists();
        let way = Way::choose(dispatcher, table)?;
        if let Some(weakness) = way.as_ref().map_or(Some(Event::NotAnswered), Way::weakness) {
            tell(orders, &Report::Told(weakness))?;
        }
        if let Some(way) = way {
            // A hundred files are read for it, and Ansible takes longer to begin.
            let making = thread::spawn(|| after_boot::prepare(Path::new("/")));
            environment.extend(way.path());
            let socket = living::server::socket()?;
            let new = Living::new(living_plan, plan.kernel.as_deref(), way);
            new.wait_for(making);
            if plan.target.board.is_some() {
                new.has_device_tree();
            }
            if let Some(device) = device {
                match device.and_then(|device| new.show_kernel(device)) {
                    Ok(session) => _shown = Some(session),
                    Err(error) => tell(orders, &Report::Told(Event::HostsKernel((&error).into())))?,
                }
            }
            living = Some((new, socket));
        }
    }
    // What programs take PID 1 for: by this Ansible looks for the image's real init, /sbin/init.
    let _ = nix::sys::prctl::set_name(c"init");
    let orders = orders
        .try_clone()
        .context(Kind::Other, || "cannot keep the stage's socket".into())?;
    let root = "/".as_ref();
    let target = Target::new(&plan.target, root, plan.kernel.as_deref(), &environment);
    server::serve(listener, environment, (living, target), move |report| {
        tell(&orders, report)
    })
}

fn next(orders: &UnixStream) -> Result<Order> {
    let message = frame::receive(orders).context(Kind::Other, || "the stage is gone".into())?;
    message.map(|(order, _)| order).ok_or_else(out_of_step)
}

fn tell(orders: &UnixStream, report: &Report) -> Result<()> {
    frame::send(orders, report, &[]).context(Kind::Other, || "the stage is gone".into())
}

fn out_of_step() -> Error {
    Error::other("the stage and the executor are out of step")
}
