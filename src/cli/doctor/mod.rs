//! `pichroot doctor`: what this machine can do, and what to run where it cannot.

mod ansible;
mod check;
mod distribution;
mod kernel;
mod programs;
mod space;
mod trial;
mod twins;

use check::{Check, Status};
use distribution::Distribution;
use serde::Serialize;

use super::args::DoctorArgs;
use crate::{
    config::Surroundings,
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
    ui::{self, Tone},
};

/// Raised when a field changes its meaning; new fields and new checks do not raise it.
const SCHEMA: u32 = 1;

/// The document of `--json`; docs/doctor.md describes it.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'static str,
    ready: bool,
    checks: &'a [Check],
}

/// `pichroot doctor`.
///
/// # Errors
/// [`Kind::Host`] when something is missing.
pub fn run(args: &DoctorArgs) -> Result<u8> {
    let checks = examine(&Surroundings::of_process()?);
    let count = |status| checks.iter().filter(|c| c.status == status).count();
    let (missing, warnings) = (count(Status::Missing), count(Status::Warning));
    let shown = if args.json {
        let document = Document {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            ready: missing == 0,
            checks: &checks,
        };
        serde_json::to_string_pretty(&document)
            .map_err(std::io::Error::other)
            .and_then(|text| ui::document(&text))
    } else {
        ui::table(&checks.iter().flat_map(lines).collect::<Vec<_>>())
    };
    shown.context(Kind::Other, || "cannot write to standard output".into())?;
    if missing == 0 {
        return Ok(0);
    }
    let warned = match warnings {
        0 => String::new(),
        n => format!(", and {n} to know about"),
    };
    Err(Error::host(format!(
        "this machine lacks {missing} of what it takes{warned}"
    ))
    .hint("see to the lines marked missing, by the command below each, and run this again"))
}

/// Everything there is to look at, in the order in which a run needs it.
fn examine(around: &Surroundings) -> Vec<Check> {
    let distribution = Distribution::of_this_host();
    let host = Arch::host();
    let root = nix::unistd::geteuid().is_root();
    let mut checks = vec![
        kernel::root(root),
        kernel::version(),
        kernel::user_namespaces(root),
        kernel::binfmt(host),
        kernel::loop_devices(),
        kernel::ext4(),
        kernel::fat(),
        programs::qemu(Arch::Aarch64, host, &distribution),
        programs::qemu(Arch::Arm, host, &distribution),
        twins::check(),
        programs::checker("e2fsck", &distribution),
        programs::checker("fsck.vfat", &distribution),
    ];
    checks.extend(ansible::checks(around, &distribution));
    checks.push(space::cache(around));
    checks.push(space::output(&around.cwd));
    checks.push(trial::all_together(root, host));
    checks
}

/// The lines of one check in the table: what was found, and below it what to run.
fn lines(check: &Check) -> Vec<(Tone, Vec<String>)> {
    let tone = match check.status {
        Status::Ok => Tone::Good,
        Status::Warning => Tone::Caution,
        Status::Missing => Tone::Bad,
    };
    let first = vec![
        check.status.word().to_owned(),
        check.id.to_owned(),
        check.found.clone(),
    ];
    let run = check.run.iter().map(|command| {
        let cells = vec![String::new(), String::new(), format!("run: {command}")];
        (Tone::Plain, cells)
    });
    std::iter::once((tone, first)).chain(run).collect()
}
