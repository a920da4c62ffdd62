//! Mounting (mount(8)): what the chroot may mount is mounted in it; for the rest an empty file system stands in, which nothing can
//! be written to. How the machine gets it is judged at the end: by fstab, or by the unit of the first boot.

mod flags;
mod umount;
mod wanted;
mod way;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Output,
};

use self::{
    umount::umount,
    wanted::{KNOWN, Wanted, is_meant},
    way::Way,
};
use super::options::Options;
use crate::{
    chroot::living::{
        call::{Answer, Call, quoted},
        kernel::subject::{Files, Subject},
        machine::Machine,
        mounted::Made,
        record::How,
        tool::Tools,
    },
    disk::fstab::{self, Entry},
    error::Error,
    sys::{self, mountinfo},
};

/// What answers these.
pub const TOOLS: Tools = &[("mount", mount), ("umount", umount)];

/// The chroot has them of memory, whatever the machine has.
const MEMORY: [&str; 3] = ["/dev/shm", "/run", umount::TMP];
const FSTAB: &str = "/etc/fstab";
/// With these it is the program's own. Every boot makes all mounts shared, and what keeps one to itself does so in the chroot.
const OTHER: [&str; 15] = [
    "fake",
    "help",
    "make-private",
    "make-rprivate",
    "make-rshared",
    "make-rslave",
    "make-runbindable",
    "make-shared",
    "make-slave",
    "make-unbindable",
    "move",
    "namespace",
    "onlyonce",
    "target-prefix",
    "version",
];
/// mount(8): "mount failure", and "some mount succeeded".
const FAILURE: u8 = 32;
const SOME: u8 = 64;

fn mount(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&KNOWN, &call.args) else {
        return Answer::Pass;
    };
    if !call.is_root() || OTHER.iter().any(|name| options.has(name)) {
        return Answer::Pass;
    }
    let task = Task {
        call,
        mkdir: options.has("mkdir"),
        all: options.has("all"),
        fstab: options.value("fstab").unwrap_or(FSTAB).to_owned(),
    };
    if task.all {
        return task.every(machine, &options);
    }
    let (mut wanted, single) = Wanted::read(&options);
    if let Some(word) = single {
        let path = task.absolute(&word);
        match task
            .entries(machine)
            .iter()
            .rfind(|entry| is_meant(entry, &word) || is_meant(entry, &path))
        {
            Some(entry) => {
                wanted = Wanted {
                    kind: wanted.kind.or(Some(entry.fstype.clone())),
                    ..Wanted::of(entry, &wanted.options)
                };
            }
            None => wanted.target = Some(word),
        }
    }
    match (&wanted.source, &wanted.target) {
        (_, Some(_)) if wanted.remounts() => task.again(machine, &wanted),
        (Some(_), Some(_)) => task.one(machine, &wanted),
        // A list, a mount's propagation, or what is nowhere.
        _ => Answer::Pass,
    }
}

/// One start of it.
struct Task<'a> {
    call: &'a Call,
    mkdir: bool,
    all: bool,
    fstab: String,
}

impl Task<'_> {
    fn entries(&self, machine: &Machine) -> Vec<Entry> {
        let path = self.call.cwd.join(&self.fstab);
        let text = machine
            .files_root()
            .and_then(|root| root.read(&path, fstab::MAX_BYTES as u64).ok());
        fstab::parse(&text.unwrap_or_default())
    }

    /// Where a path leads to, without links where it is there.
    fn absolute(&self, path: &str) -> String {
        let path = self.call.cwd.join(path);
        let found = fs::canonicalize(&path).unwrap_or(path);
        found.to_string_lossy().into_owned()
    }

    /// mount -a.
    fn every(&self, machine: &mut Machine, options: &Options) -> Answer {
        if options.has("test-opts") {
            return Answer::Pass;
        }
        let kinds = options.list("types");
        let (mut done, mut failed, mut out, mut err) = (0, 0, Vec::new(), Vec::new());
        for entry in self.entries(machine) {
            if entry.fstype == "swap"
                || entry.file == "/"
                || !entry.file.starts_with('/')
                || entry.has_option("noauto")
            {
                continue;
            }
            let (excluded, names) = match kinds.first().and_then(|first| first.strip_prefix("no")) {
                Some(first) => (true, [&[first], &kinds[1..]].concat()),
                None => (false, kinds.clone()),
            };
            if !names.is_empty() && names.contains(&entry.fstype.as_str()) == excluded {
                continue;
            }
            let at = self.absolute(&entry.file);
            if mountinfo::list().is_ok_and(|all| all.iter().any(|mount| mount.at == at)) {
                continue;
            }
            match self.one(machine, &Wanted::of(&entry, &[])) {
                Answer::Said {
                    code,
                    out: o,
                    err: e,
                } => {
                    match code {
                        0 => done += 1,
                        _ => failed += 1,
                    }
                    out.extend(o);
                    err.extend(e);
                }
                Answer::Pass | Answer::NeedsInput => {}
            }
        }
        let code = match (done, failed) {
            (_, 0) => 0,
            (0, _) => FAILURE,
            _ => SOME,
        };
        Answer::Said { code, out, err }
    }

    /// Mounts something new.
    fn one(&self, machine: &mut Machine, wanted: &Wanted) -> Answer {
        let (source, target) = (
            wanted.source.as_deref().unwrap_or_default(),
            wanted.target.as_deref().unwrap_or_default(),
        );
        let at = self.absolute(target);
        if !Path::new(&at).exists() {
            if !self.mkdir
                && !wanted
                    .options
                    .iter()
                    .any(|option| option.starts_with("X-mount.mkdir"))
            {
                return fails(&at, "mount point does not exist.");
            }
            if let Err(error) = fs::create_dir_all(&at) {
                return fails(&at, &format!("mount point cannot be made: {error}."));
            }
        }
        let is_file =
            |path: &str| fs::metadata(self.call.cwd.join(path)).is_ok_and(|found| found.is_file());
        let way = way::choose(wanted, is_file);
        let device = match way {
            Way::Device => self.device(source),
            _ => source.to_owned(),
        };
        let mounts = mountinfo::list().unwrap_or_default();
        if way != Way::Real
            && mounts
                .iter()
                .any(|mount| mount.at == at && (mount.source == device || mount.source == source))
        {
            return fails(&at, &format!("{source} already mounted on {at}."));
        }
        let line = self.line(wanted, &at);
        match way {
            Way::Real => self.real(machine, wanted, (&at, line)),
            Way::Bind(from) => self.show(machine, Path::new(from), (&at, line)),
            Way::Device
                if mounts
                    .iter()
                    .any(|mount| mount.source == device && mount.at != "/") =>
            {
                // A partition of the image, which is there.
                let from = mounts
                    .iter()
                    .rfind(|mount| mount.source == device)
                    .map(|mount| mount.at.clone());
                self.show(machine, Path::new(&from.unwrap_or_default()), (&at, line))
            }
            Way::OfKernel => {
                let kind = wanted.kind.as_deref().unwrap_or_default();
                let boot = way::is_mounted_by_any_boot(kind, &at);
                self.stand_in(machine, source, (&at, (!boot).then_some(line)))
            }
            Way::Elsewhere(Some(helper)) if !has_helper(&helper) => fails(
                &at,
                "bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
            ),
            Way::Elsewhere(_) | Way::Device | Way::File => {
                match self.is_known(machine, wanted, &at) {
                    true => self.stand_in(machine, source, (&at, Some(line))),
                    false => Answer::refused(
                        &format!(
                            "{source} cannot be mounted here, and what is in it is not known: an image is no running machine"
                        ),
                        "put it into /etc/fstab, with nofail, and mount it by its mount point: then the machine mounts it at every boot",
                    ),
                }
            }
        }
    }

    /// What the first boot is to run.
    fn line(&self, wanted: &Wanted, at: &str) -> String {
        let mkdir = match ["/run/", "/tmp/", "/dev/"]
            .iter()
            .any(|memory| at.starts_with(memory))
        {
            true => format!("mkdir -p {} && ", quoted(at)),
            false => String::new(),
        };
        if wanted.by_fstab && self.fstab == FSTAB {
            return format!("{mkdir}mount {}", quoted(at));
        }
        let mut words = vec!["mount".to_owned()];
        if let Some(kind) = &wanted.kind {
            words.extend(["-t".to_owned(), kind.clone()]);
        }
        if !wanted.options.is_empty() {
            words.extend(["-o".to_owned(), wanted.options.join(",")]);
        }
        let source = wanted.source.clone().unwrap_or_default();
        words.push(match self.call.cwd.join(&source).exists() {
            true => self.absolute(&source),
            false => source,
        });
        words.push(at.to_owned());
        let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>();
        mkdir + &words.join(" ")
    }

    fn real(&self, machine: &mut Machine, wanted: &Wanted, (at, line): (&str, String)) -> Answer {
        if let Some(options) = self.is_there(wanted, at) {
            let subject = Subject::Mount {
                at: at.to_owned(),
                line,
            };
            return match machine.note_change(&self.call.line(), subject) {
                Ok(()) => {
                    machine.mounted.add(at, Made::There);
                    restrict(at, options, &wanted.options);
                    Answer::ok()
                }
                Err(refused) => refused,
            };
        }
        let (source, target) = (wanted.source.as_deref(), wanted.target.as_deref());
        let args: Vec<&str> = self.call.args.iter().map(String::as_str).collect();
        let output = match wanted.bind() {
            // It would clear flags that are locked in the chroot.
            Some(bind) => self.run(&[bind, source.unwrap_or_default(), at]),
            // Not all of what was typed is about this one.
            None if self.all => self.run(&["-T", &self.fstab, target.unwrap_or_default()]),
            None => self.run(&args),
        };
        if output.as_ref().is_ok_and(|output| output.status.success()) {
            if wanted.bind().is_some()
                && let Some(now) = options_of(at)
            {
                restrict(at, now, &wanted.options);
            }
            machine.mounted.add(at, Made::Real);
            self.note(machine, at, line);
        }
        Answer::of(output, FAILURE)
    }

    /// The options of what the chroot has there already: memory, in which its own programs have what they need.
    fn is_there(&self, wanted: &Wanted, at: &str) -> Option<Vec<String>> {
        if wanted.kind.as_deref() != Some("tmpfs") || !MEMORY.contains(&at) {
            return None;
        }
        options_of(at)
    }

    /// Shows at a second place what the chroot has already.
    fn show(&self, machine: &mut Machine, from: &Path, (at, line): (&str, String)) -> Answer {
        match sys::mount::bind(from, at.as_ref(), true) {
            Ok(()) => {
                machine.mounted.add(at, Made::Shown);
                self.note(machine, at, line);
                Answer::ok()
            }
            Err(error) => failed(at, &error),
        }
    }

    /// Mounts an empty file system in the place of `source`. Without a line every boot mounts it.
    fn stand_in(
        &self,
        machine: &mut Machine,
        source: &str,
        (at, line): (&str, Option<String>),
    ) -> Answer {
        if machine.mounted.is_full() {
            return fails(at, "too much is mounted that is not here.");
        }
        if let Some(line) = line {
            let at = at.to_owned();
            if let Err(refused) =
                machine.note_change(&self.call.line(), Subject::Mount { at, line })
            {
                return refused;
            }
        } else {
            machine.record.put_off(self.call.line(), How::ByBoot);
        }
        match sys::mount::empty(source, at.as_ref()) {
            Ok(()) => {
                machine.mounted.add(at, Made::Empty);
                Answer::ok()
            }
            Err(error) => failed(at, &error),
        }
    }

    /// Notes what is mounted already. It may be for the moment only, so it is not refused where there is to be no unit.
    fn note(&self, machine: &mut Machine, at: &str, line: String) {
        machine.note_written();
        let at = at.to_owned();
        machine.changes.note(
            &mut machine.record,
            self.call.line(),
            Subject::Mount { at, line },
        );
    }

    /// Whether a file of the image says what is mounted there.
    fn is_known(&self, machine: &Machine, wanted: &Wanted, at: &str) -> bool {
        let root = machine.files_root();
        let carried = || {
            root.as_ref()
                .is_some_and(|root| Files::read(root).mounts(at).is_some())
        };
        (wanted.by_fstab && self.fstab == FSTAB) || carried()
    }

    /// Changes what is mounted.
    fn again(&self, machine: &mut Machine, wanted: &Wanted) -> Answer {
        let at = self.absolute(wanted.target.as_deref().unwrap_or_default());
        let mounts = mountinfo::list().unwrap_or_default();
        let made = machine.mounted.get(&at);
        let Some(mount) = mounts.iter().rfind(|mount| mount.at == at) else {
            return Answer::Pass;
        };
        if made == Some(Made::Real) {
            // The program would clear flags that are locked in the chroot.
            let only_flags = wanted.options.iter().all(|option| flags::is_one(option));
            let flags = flags::stricter(&mount.options, &wanted.options).filter(|_| only_flags);
            return match flags.map(|flags| sys::mount::set_flags(at.as_ref(), flags)) {
                Some(Ok(())) => Answer::ok(),
                Some(Err(_)) | None => Answer::Pass,
            };
        }
        if made.is_none() && at == umount::TMP && !self.is_known(machine, wanted, &at) {
            return fails(&at, "mount point not mounted or bad option.");
        }
        let wants = |option: &&String| !matches!(option.as_str(), "remount" | "bind" | "defaults");
        let options = wanted
            .options
            .iter()
            .filter(wants)
            .cloned()
            .collect::<Vec<_>>();
        if !options.is_empty() {
            let line = format!(
                "mount -o remount,{} {}",
                quoted(&options.join(",")),
                quoted(&at)
            );
            let subject = Subject::Options {
                at: at.clone(),
                options: options.clone(),
                line,
            };
            if let Err(refused) = machine.note_change(&self.call.line(), subject) {
                return refused;
            }
        }
        // What the chroot has is not its own to change, but for what keeps it from more.
        if matches!(made, None | Some(Made::There)) && at != "/" {
            restrict(&at, mount.options.clone(), &options);
        }
        Answer::ok()
    }

    /// The device that a tag stands for, where the image has it.
    fn device(&self, source: &str) -> String {
        let (tag, value) = source.split_once('=').unwrap_or(("", source));
        let path = match tag {
            "" => PathBuf::from(source),
            tag => Path::new("/dev/disk")
                .join(format!("by-{}", tag.to_lowercase()))
                .join(value),
        };
        let found = fs::canonicalize(path).ok();
        found.map_or_else(
            || source.to_owned(),
            |path| path.to_string_lossy().into_owned(),
        )
    }

    fn run(&self, args: &[&str]) -> io::Result<Output> {
        self.call.real(&self.call.program.to_string_lossy(), args)
    }
}

/// What the mount at this path has.
fn options_of(at: &str) -> Option<Vec<String>> {
    let mounts = mountinfo::list().ok()?;
    let mount = mounts.into_iter().rfind(|mount| mount.at == at)?;
    Some(mount.options)
}

/// Has the chroot's own mount keep programs from more. Where that cannot be, the machine's does.
fn restrict(at: &str, now: Vec<String>, wanted: &[String]) {
    if let Some(flags) = flags::stricter(&now, wanted) {
        let _ = sys::mount::set_flags(at.as_ref(), flags);
    }
}

fn has_helper(kind: &str) -> bool {
    let names = match kind {
        "fuse" => vec!["mount.fuse3".to_owned(), "mount.fuse".to_owned()],
        kind => vec![format!("mount.{kind}")],
    };
    let folders = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];
    names.iter().any(|name| {
        folders
            .iter()
            .any(|folder| Path::new(folder).join(name).exists())
    })
}

fn fails(at: &str, why: &str) -> Answer {
    let more = "       dmesg(1) may have more information after failed mount system call.\n";
    Answer::fails(FAILURE, format!("mount: {at}: {why}\n{more}"))
}

fn failed(at: &str, error: &Error) -> Answer {
    fails(at, &format!("{error}."))
}
