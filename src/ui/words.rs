//! What happened, in words.

use std::{fmt::Display, path::Path, time::Duration};

use super::first_boot;
use crate::{
    disk::partition::{WHOLE, called},
    error::{Error, Failure},
    event::{
        Copied, Event, Met, NoMachine, NoTwins, Opened, Opening, Starts, Stranger, Task,
        TwinMissing,
    },
    sys::room::{self, Size},
};

/// How many programs are named where that was not asked for.
const NAMED: usize = 5;

/// The event in lines, mostly one; none where there is nothing to tell. With `verbose` lists are complete.
pub fn of(event: &Event, verbose: bool) -> Vec<String> {
    match event {
        Event::FirstBoot(all) => first_boot::lines(all, verbose),
        event => Vec::from_iter(in_one(event, verbose)),
    }
}

fn in_one(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::WaitingFor(source) => format!("waiting for another run that fetches {source}"),
        Event::Opened(image) => opened(image),
        Event::Booting {
            machine,
            kernel,
            port,
        } => booting(machine, kernel.as_deref(), *port),
        Event::BootKeys => {
            "its console is this terminal: Ctrl-a x switches it off, Ctrl-a h tells more keys".into()
        }
        Event::Console(line) => line.clone(),
        Event::Booted(after) => {
            format!("what was waited for has come after {} s", after.as_secs())
        }
        Event::Rebooting => "the machine starts again".into(),
        Event::MakingInitramfs(kernel) => format!("making the initramfs of {kernel}"),
        Event::Started(starts) => {
            return started(starts, if verbose { usize::MAX } else { NAMED });
        }
        Event::NewImage {
            size,
            partitions,
            from,
        } => format!(
            "a new image of {} with {partitions} partitions gets the files of {from}",
            Size(*size)
        ),
        Event::Grown { partition, size } => {
            format!("partition {partition} has grown to {}", Size(*size))
        }
        Event::Shrunk {
            partition,
            had,
            size,
        } => format!(
            "partition {partition} is as small as it can be, and the image has {} in place of {}",
            Size(*size),
            Size(*had)
        ),
        Event::ToFlash {
            image,
            size,
            bytes,
            disk,
            disk_size,
            model,
        } => to_flash(image, (*size, *bytes), disk, (*disk_size, model.as_deref())),
        Event::Flashed { disk, bytes } => format!(
            "wrote {} to {}, and read them back",
            Size(*bytes),
            disk.display()
        ),
        Event::NetbootCheck {
            check,
            passed,
            saw,
            place,
            hint,
            ..
        } => netboot_check(check, *passed, saw, (place.as_deref(), hint.as_deref())),
        Event::Published {
            what,
            generation,
            before,
        } => {
            let before = match before {
                Some(before) => format!("; generation {before} is kept"),
                None => String::new(),
            };
            format!("published {what}, generation {generation}{before}")
        }
        Event::Unchanged { what, generation } => {
            format!("{what} is as it was, generation {generation}")
        }
        Event::Made(output) => format!("made {}", output.display()),
        Event::Kept(image) => format!(
            "kept the work image as {0}; to look into it: pichroot shell --write {0}; to go on from it: \
             the same command with --resume",
            image.display()
        ),

        Event::Chosen {
            name,
            date,
            location,
        } => match date {
            Some(date) => format!("{name}, of {date}: {location}"),
            None => format!("{name}: {location}"),
        },
        Event::OldLists {
            lists,
            age,
            failure,
        } => {
            let (copies, of) = match lists {
                1 => ("its copy in the cache is used", ""),
                _ => ("copies in the cache are used", ", at the oldest"),
            };
            format!("{}; so {copies}, of {} ago{of}", failed(failure), ago(*age))
        }
        Event::ListsNotRead { lists: 1, failure } | Event::ListNotRead(failure) => failed(failure),
        Event::ListsNotRead { lists, failure } => {
            format!("{lists} lists of images are not read, -v tells which; the first: {}", failed(failure))
        }
        Event::Signed { what, by } => format!("{what} is signed by {by}"),
        Event::OldSignature(failure) => format!(
            "{}; so what it was good for before is used, if the cache has that",
            failed(failure)
        ),
        Event::Unchecked {
            source,
            meant: true,
        } => format!("{source} is used without checking it"),
        Event::Unchecked {
            source,
            meant: false,
        } => format!(
            "no checksum is given for {source}, so it is used without checking it; \
             give --checksum sha256:HEX or file:URL, or none to say that this is meant"
        ),
        Event::ImagesChecksum(source) => {
            format!("the checksum is not that of {source} but of the image in it, which has it")
        }
        Event::OldChecksum { file, failure } => format!(
            "{}; so the checksum is used that was last seen in {file}",
            failed(failure)
        ),
        Event::NoAnswerYet(address) => format!("waiting for an answer from {address}"),
        Event::Retrying {
            failure,
            pause,
            number,
            left,
        } => format!(
            "{}; trying again in {pause:.0?} (retry {number}; given up after {left} more failures)",
            failed(failure)
        ),
        Event::ConfigNotRead(path) => format!(
            "{} is not read, as it is not in the working directory; name it by --config",
            path.display()
        ),
        Event::Lacking(failure) => with_hint(failure),
        Event::TagNowhere(tag) => format!(
            "no task is seen to be tagged {tag}; only what is included while the playbook runs may be"
        ),
        Event::ShortSecret(name) => {
            format!("secret {name} is too short to be kept out of the output")
        }
        Event::NoAnsibleLog(log) => {
            format!("Ansible's log {log} is not written: it would hold the secrets")
        }
        Event::SourceInUse { source, by } => {
            format!("{source} is in use by {by}: the copy may lack what that has not written out")
        }
        Event::NotMounted {
            line,
            source,
            at,
            why,
        } => format!("the image's fstab line {line}, {source} on {at}, is not mounted: {why}"),
        Event::LittleRoom {
            partition,
            at,
            left,
        } => format!(
            "the image's file system on {} ({}) had {}; if that is too little, make the image \
             larger with --grow or image.grow, or have the playbook remove what it can",
            at.display(),
            called(*partition),
            room::words(left)
        ),
        Event::MayFail(why) => format!("not mounted, and the image boots without (nofail): {why}"),
        Event::NoPlace(partition, why) => format!(
            "partition {partition}, which the image boots from, is not mounted, and what is written to /boot stays in \
             the root: {why}; if that matters, give image.layout in pichroot.yml"
        ),
        Event::LeftOut(partition, why) => format!("partition {partition} is not mounted: {why}"),
        Event::Repaired(partition) => {
            let on = called(*partition);
            format!("the file system of {on} was not clean and has been repaired")
        }
        Event::NotTrimmed { partition, why } => {
            let of = called(*partition);
            format!("the free blocks of {of} may still hold deleted data: {why}")
        }
        Event::NoNames(why) => format!("names are not resolved in the image: {why}"),
        Event::ServicesMayStart(why) => {
            format!("packages may start their services in the image: {why}")
        }
        Event::Open(opening) => open(*opening).into(),
        Event::HostsKernel(failure) => format!(
            "programs of the image see the settings and modules of this host's kernel, and cannot change them: {}",
            with_hint(failure)
        ),
        Event::AnsweredByPath => "this kernel has no binfmt_misc for user namespaces (Linux 6.7): reboot, systemctl and others are \
             answered where PATH finds them, but not by their whole paths, nor by sudo"
            .to_owned(),
        Event::NotAnswered => "reboot, systemctl and others that act on a running machine are not answered on this processor".to_owned(),
        Event::NoTwins(why) => no_twins(why),
        Event::NoPackageCache(failure) => failed(failure),
        Event::NotTranslated { place, text } => format!("{place}: {text}"),
        Event::AlsoFailed(failure) => with_hint(failure),
        Event::InitramfsModules => {
            "an initramfs was made with MODULES=most in place of the image's MODULES=dep, which would have looked \
             at this machine's hardware"
                .into()
        }
        Event::LeftUndone(command) => {
            format!(
                "the initramfs was to be made at the end: {}",
                command.join(" ")
            )
        }
        Event::NothingRun(host_name) => {
            format!("the playbook ran nothing in the image; does a play of it match {host_name}?")
        }
        Event::NotInInventory(stranger) => not_in_inventory(stranger),
        Event::NoMachine(failed) => no_machine(failed),
        Event::FirstBoot(_) => return None,

        Event::Reading(address) => format!("reading {address}"),
        Event::BaseImage(path) => format!("the base image is {}", path.display()),
        Event::Copied(how) => match how {
            Copied::Shared => "the work image shares its blocks with the base image".into(),
            Copied::Extents => "the work image is a copy of the base image's data".into(),
            Copied::ReadWrite => "the work image is a copy, made by reading and writing".into(),
        },
        Event::NoShortcut { name, why } => format!("the shortcut {name} is not taken: {why}"),
        Event::Running(line) => line.clone(),
        Event::LeftRunning(names) => format!(
            "commands left programs running in the image: {}; they end now",
            names.join(", ")
        ),
        Event::NoInitramfs { kernel, gone } => {
            format!("the initramfs of {kernel} is not made: {gone} is gone")
        }
        Event::AskingForTwins => "asking the image's sources for twins".into(),
        Event::FetchingTwins {
            packages,
            architecture,
        } => format!("fetching {packages} packages for {architecture}"),
        Event::Twins { programs, missing } => twins(*programs, missing),
        Event::TwinsFailed { what, why } => format!("{what}: {why}"),
    })
}

/// The task's beginning, in one line.
pub fn of_task(task: &Task) -> String {
    match task {
        Task::Downloading(source) => format!("downloading {source}"),
        Task::Verifying(source) => format!("verifying {source}"),
        Task::Decompressing(source) => format!("decompressing {source}"),
        Task::Writing(image, disk) => {
            format!("writing {} to {}", image.display(), disk.display())
        }
        Task::ReadingBack(disk) => format!("reading {} back", disk.display()),
        Task::Publishing(path) => format!("publishing {}", path.display()),
        Task::Packing(path) => format!("making {}", path.display()),
        Task::Copying(path) => format!("copying {}", path.display()),
    }
}

fn booting(machine: &str, kernel: Option<&str>, port: Option<u16>) -> String {
    let with = match kernel {
        Some(kernel) => format!("its kernel /{kernel}"),
        None => "its boot loader, by UEFI".into(),
    };
    let reached = match port {
        Some(port) => format!("; its SSH server: ssh -p {port} USER@127.0.0.1"),
        None => "; it has no network".into(),
    };
    format!("starting the image as QEMU's machine {machine}, with {with}{reached}")
}

/// How long ago something was, to a unit that says enough.
pub fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// What a check found, where, and what to do.
fn netboot_check(
    check: &str,
    passed: Option<bool>,
    saw: &str,
    (place, hint): (Option<&str>, Option<&str>),
) -> String {
    let place = place.map_or(String::new(), |place| format!("{place}: "));
    let hint = hint.map_or(String::new(), |hint| format!(" ({hint})"));
    match (passed, saw) {
        (Some(true), "") => format!("netboot check {check}: passed"),
        (None, _) => format!("netboot check {check} cannot tell: {place}{saw}{hint}"),
        _ => format!("netboot check {check}: {place}{saw}{hint}"),
    }
}

fn to_flash(
    image: &Path,
    (size, bytes): (Option<u64>, Option<u64>),
    disk: &Path,
    (disk_size, model): (u64, Option<&str>),
) -> String {
    let of = match (size, bytes) {
        (Some(size), Some(bytes)) if bytes < size => {
            format!(" ({} of {} matter)", Size(bytes), Size(size))
        }
        (Some(size), _) => format!(" ({})", Size(size)),
        _ => String::new(),
    };
    let model = model.unwrap_or("a disk without a name");
    let (image, disk) = (image.display(), disk.display());
    format!("{image}{of} goes to {disk}: {model}, {}", Size(disk_size))
}

fn opened(image: &Opened) -> String {
    let os = image.os.as_deref().unwrap_or("a Linux");
    let how = match &image.emulator {
        Some(program) => format!("by {}", program.display()),
        None => "natively".into(),
    };
    let architecture = &image.architecture;
    let places = match &image.partitions[..] {
        [(WHOLE, at)] => format!("one file system, on {}", at.display()),
        all => {
            let places = all
                .iter()
                .map(|(number, at)| format!("{number} on {}", at.display()));
            format!("partitions {}", joined(places))
        }
    };
    format!("{os} for {architecture}, run {how}; {places}")
}

fn started(starts: &Starts, most: usize) -> Option<String> {
    let total = |list: &[(String, u32)]| list.iter().map(|(_, n)| u64::from(*n)).sum::<u64>();
    let names = |list: &[(String, u32)]| {
        let shown = list.iter().take(most);
        let more = (list.len() > most).then(|| "...".to_owned());
        let names = joined(shown.map(|(name, n)| format!("{name} {n}")).chain(more));
        match names.is_empty() {
            true => names,
            false => format!(" ({names})"),
        }
    };
    let (twinned, emulated) = (total(&starts.twinned), total(&starts.emulated));
    (twinned + emulated > 0).then(|| {
        format!(
            "programs of the image started: {twinned} by twins{}, {emulated} emulated{}",
            names(&starts.twinned),
            names(&starts.emulated)
        )
    })
}

/// What the host does not close off; doctor tells it as well.
pub fn open(opening: Opening) -> &'static str {
    match opening {
        Opening::AbstractSockets => {
            "this kernel has no Landlock scopes (Linux 6.12): programs of the image can reach the \
             host's abstract sockets; --network none closes them"
        }
        Opening::SystemCalls => {
            "this kernel has no seccomp filters: programs of the image can reach the keyring of the \
             host's root, start the host's handler of core dumps, and wait for the disk at every sync"
        }
        Opening::CoreDumps => {
            "the limit of core dumps cannot be raised from 0 to 1 here: when a program of the image \
             crashes, the host's handler of core dumps is started for it"
        }
    }
}

fn no_twins(why: &NoTwins) -> String {
    let why: &dyn Display = match why {
        NoTwins::Failed(failure) => return format!("no twins: {}", with_hint(failure)),
        NoTwins::HostEntry {
            interpreter,
            credentials,
        } => {
            let lost = match credentials {
                true => "",
                false => "; its flags lack C, so sudo fails for all users but root",
            };
            &format!(
                "this kernel has no binfmt_misc for user namespaces, and the host's runs {}{lost}",
                interpreter.display()
            )
        }
        NoTwins::Host => &"they are for x86_64 hosts",
        NoTwins::Image => &"they are for 64-bit images",
        NoTwins::NoneFound(Some(why)) => why,
        NoTwins::NoneFound(None) => {
            &"neither this machine nor the image's archives have its versions"
        }
    };
    format!("no twins, so every program of the image is emulated: {why}")
}

fn twins(programs: usize, missing: &[TwinMissing]) -> String {
    let missing = missing.iter();
    let missing = joined(missing.map(|m| format!("{} {} ({})", m.package, m.version, m.why)));
    match missing.is_empty() {
        true => format!("{programs} programs have twins"),
        false => format!("{programs} programs have twins; none: {missing}"),
    }
}

fn failed(failure: &Failure) -> String {
    Error::from(failure.clone()).to_string()
}

fn with_hint(failure: &Failure) -> String {
    let error = Error::from(failure.clone());
    match error.hint_text() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

fn not_in_inventory(stranger: &Stranger) -> String {
    let more = match stranger.more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{} is not in the inventory {}; it has {}{more}",
        stranger.name,
        stranger.inventories.join(", "),
        stranger.others.join(", ")
    )
}

fn no_machine(failed: &NoMachine) -> String {
    let what = match failed.met {
        Met::KernelFiles => "the settings of this machine's kernel cannot be changed",
        Met::Modules => "this machine's kernel takes no modules",
        Met::Mounts => {
            "nothing of this machine's can be mounted or unmounted, or used for swapping"
        }
        Met::Network => "the network and the firewall are this machine's",
        Met::Systemd => "no systemd runs in an image, and no D-Bus",
        Met::Busy => "pichroot has something mounted there while the image is in use",
        Met::Rights => "the right is one over this machine's kernel",
        Met::Fact => {
            "it needs a fact that nobody knows of an image; -e hn_board=pi4 names the board, and with it the processor \
             and the memory"
        }
    };
    let task = failed.task.replace('\n', "\\n");
    format!("{task} failed for what an image is: {what}; docs/living-machines.md tells what to do")
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_programs_are_named() {
        let list = |pairs: &[(&str, u32)]| {
            let own = |(name, n): &(&str, u32)| ((*name).to_owned(), *n);
            pairs.iter().map(own).collect()
        };
        let starts = Starts {
            twinned: list(&[("sh", 7), ("cp", 2), ("mv", 1)]),
            emulated: list(&[("dpkg", 3)]),
        };
        assert_eq!(
            started(&starts, 2).unwrap(),
            "programs of the image started: 10 by twins (sh 7, cp 2, ...), 3 emulated (dpkg 3)"
        );
        assert_eq!(started(&Starts::default(), 2), None);
    }
}
