//! Loading modules, and removing them (modprobe(8), insmod(8), rmmod(8)): put off, as an image has no running kernel.
//!
//! The program itself looks for what would be loaded, so it fails where it would fail on the machine.

use std::process::Output;

use super::options::{Known, Options};
use crate::{
    chroot::living::{
        call::{Answer, Call, quoted},
        kernel::{
            assigned,
            catalogue::{Catalogue, has_kernel, name_of},
            modules::at_boot,
            persistent::nothing,
            subject::Subject,
        },
        machine::Machine,
        tool::Tools,
    },
    sys::inroot::Root,
};

/// What answers these.
pub const TOOLS: Tools = &[("insmod", insmod), ("modprobe", modprobe), ("rmmod", rmmod)];

const MODPROBE: Known = Known {
    with_value: &[
        ("config", "C"),
        ("dirname", "d"),
        ("set-version", "S"),
        ("wait", "w"),
    ],
    plain: &[
        ("all", "a"),
        ("dry-run", "n"),
        ("dump-modversions", ""),
        ("first-time", ""),
        ("force", "f"),
        ("force-modversion", ""),
        ("force-vermagic", ""),
        ("help", "h"),
        ("ignore-install", "i"),
        ("ignore-remove", ""),
        ("quiet", "q"),
        ("remove", "r"),
        ("remove-dependencies", ""),
        ("remove-holders", ""),
        ("resolve-alias", "R"),
        ("show", ""),
        ("show-config", ""),
        ("show-depends", "D"),
        ("show-exports", ""),
        ("show-modversions", ""),
        ("showconfig", "c"),
        ("syslog", "s"),
        ("use-blacklist", "b"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};
/// With these it only tells something, of the image's own modules.
const TELLS: [&str; 4] = ["dry-run", "show", "show-depends", "resolve-alias"];
/// With these it has nothing to do with what is loaded.
const OTHER: [&str; 8] = [
    "dirname",
    "dump-modversions",
    "help",
    "show-config",
    "show-exports",
    "show-modversions",
    "showconfig",
    "version",
];
const SIMPLE: Known = Known {
    with_value: &[],
    plain: &[
        ("force", "f"),
        ("help", "h"),
        ("syslog", "s"),
        ("verbose", "v"),
        ("version", "V"),
        ("wait", "w"),
    ],
};
/// udev applies the settings of this module, and of no other, when it is loaded (99-systemd.rules).
const BRIDGES: (&str, &str) = ("br_netfilter", "net/bridge/");

fn modprobe(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&MODPROBE, &call.args) else {
        return Answer::Pass;
    };
    let Some(root) = machine.files_root().filter(|_| call.is_root()) else {
        return Answer::Pass;
    };
    if options.words.is_empty() || OTHER.iter().any(|name| options.has(name)) {
        return Answer::Pass;
    }
    let known = has_kernel(&root);
    if TELLS.iter().any(|name| options.has(name)) {
        return match known {
            true => said(resolve(call, machine, &options, false)),
            false => Answer::Pass,
        };
    }
    let found = match known {
        true => match resolve(call, machine, &options, true) {
            Ok(output) if output.status.success() => Found::read(&output),
            output => return without_output(said(output), &options),
        },
        false => Found::default(),
    };
    let removes = ["remove", "remove-dependencies", "remove-holders"];
    let done = match removes.iter().any(|name| options.has(name)) {
        true => remove(call, machine, &options.words, found.removed),
        false if found.loaded.is_empty() && found.commands.iter().any(|c| nothing(c)) => {
            // It runs them and says what they say: nothing is loaded by these.
            return said(call.real(&program(call), &words(&call.args)));
        }
        false if known && found.loaded.is_empty() && found.commands.is_empty() => Ok(()),
        false => load(machine, &root, &options, &found),
    };
    match done {
        Ok(()) if options.has("verbose") => Answer::out(found.text),
        Ok(()) => Answer::ok(),
        Err(refused) => refused,
    }
}

/// What the program would do.
#[derive(Debug, Default)]
struct Found {
    loaded: Vec<String>,
    removed: Vec<String>,
    commands: Vec<String>,
    text: String,
}

impl Found {
    fn read(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut found = Found::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("insmod", rest)) => {
                    let path = rest.split_whitespace().next().unwrap_or_default();
                    found.loaded.push(name_of(path));
                }
                Some(("rmmod", rest)) => found.removed.push(name_of(rest.trim())),
                Some(("install" | "remove", rest)) => found.commands.push(rest.trim().to_owned()),
                _ => {}
            }
        }
        Found { text, ..found }
    }
}

/// Has the program itself look for modules of the image's kernel, not of this host's.
fn resolve(
    call: &Call,
    machine: &Machine,
    options: &Options,
    dry: bool,
) -> std::io::Result<Output> {
    let release = machine.kernel.lock().release.clone();
    let mut args = Vec::new();
    if dry {
        args.extend(["--dry-run", "--verbose"]);
    }
    if options.value("set-version").is_none() {
        args.extend(["--set-version", &release]);
    }
    args.extend(words(&call.args));
    call.real(&program(call), &args)
}

fn load(
    machine: &mut Machine,
    root: &Root,
    options: &Options,
    found: &Found,
) -> Result<(), Answer> {
    let (names, parameters) = match options.has("all") {
        true => (&options.words[..], &[][..]),
        false => options.words.split_at(1),
    };
    for word in names {
        let words = ["modprobe", word]
            .into_iter()
            .chain(parameters.iter().map(String::as_str));
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        let subject = Subject::Module {
            name: name_of(word),
            parameters: parameters.to_vec(),
            line: line.clone(),
        };
        machine.note_change(&line, subject)?;
    }
    let asked = names.iter().map(|name| name_of(name));
    match found.loaded.is_empty() {
        // There is nobody to ask, or a command of the image loads it at the first boot.
        true => asked.for_each(|name| load_one(machine, root, &name)),
        false => found
            .loaded
            .iter()
            .for_each(|name| load_one(machine, root, name)),
    }
    Ok(())
}

fn load_one(machine: &Machine, root: &Root, name: &str) {
    let mut kernel = machine.kernel.lock();
    let catalogue = Catalogue::read(root, &kernel.release);
    if kernel.modules.load(name, &catalogue, root) {
        kernel.sysctl.add_module(name);
        if name == BRIDGES.0 {
            kernel.sysctl.apply(&assigned::read(root), BRIDGES.1);
        }
    }
}

/// Removes these; of what was asked for, notes that it is to go.
fn remove(
    call: &Call,
    machine: &mut Machine,
    asked: &[String],
    removed: Vec<String>,
) -> Result<(), Answer> {
    let root = machine.files_root();
    let at_boot = root.map(|root| at_boot(&root)).unwrap_or_default();
    for word in asked {
        let name = name_of(word);
        let line = match call.name() {
            "rmmod" => format!("rmmod {}", quoted(word)),
            _ => format!("modprobe -r {}", quoted(word)),
        };
        let subject = Subject::NoModule {
            name: name.clone(),
            line: line.clone(),
        };
        // One that only a task has loaded is as before.
        let before = machine.changes.undo(&subject);
        let was_ours = matches!(before, Some(Subject::Module { .. }));
        if !was_ours || at_boot.iter().any(|(other, _)| *other == name) {
            machine.note_change(&line, subject)?;
        }
    }
    let mut kernel = machine.kernel.lock();
    let asked = asked.iter().map(|word| name_of(word));
    for name in asked.chain(removed) {
        kernel.modules.remove(&name);
        kernel.sysctl.remove_module(&name);
    }
    Ok(())
}

fn rmmod(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&SIMPLE, &call.args) else {
        return Answer::Pass;
    };
    let goes = |word: &String| {
        let (kernel, name) = (machine.kernel.lock(), name_of(word));
        kernel.modules.has(&name) && (options.has("force") || !kernel.modules.is_used(&name))
    };
    // What it finds fault with, it says itself.
    if !call.is_root() || options.words.is_empty() || !options.words.iter().all(goes) {
        return Answer::Pass;
    }
    match remove(call, machine, &options.words, Vec::new()) {
        Ok(()) if options.has("verbose") => {
            let lines = options
                .words
                .iter()
                .map(|word| format!("rmmod {}\n", name_of(word)));
            Answer::out(lines.collect::<String>())
        }
        Ok(()) => Answer::ok(),
        Err(refused) => refused,
    }
}

fn insmod(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&SIMPLE, &call.args) else {
        return Answer::Pass;
    };
    let Some((root, word)) = machine.files_root().zip(options.words.first()) else {
        return Answer::Pass;
    };
    let path = call.cwd.join(word);
    // What it finds fault with, it says itself.
    if !call.is_root() || root.file(&path).is_err() {
        return Answer::Pass;
    }
    let name = name_of(word);
    if machine.kernel.lock().modules.has(&name) {
        let text = format!("insmod: ERROR: could not insert module {word}: File exists\n");
        return Answer::fails(1, text);
    }
    let path = path.to_string_lossy();
    let words = ["insmod", &path]
        .into_iter()
        .chain(options.words[1..].iter().map(String::as_str));
    let line = words.map(quoted).collect::<Vec<_>>().join(" ");
    let subject = Subject::Module {
        name: name.clone(),
        parameters: options.words[1..].to_vec(),
        line: line.clone(),
    };
    match machine.note_change(&line, subject) {
        Ok(()) => {
            load_one(machine, &root, &name);
            Answer::ok()
        }
        Err(refused) => refused,
    }
}

fn program(call: &Call) -> String {
    call.program.to_string_lossy().into_owned()
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// What a program that was run has said.
fn said(output: std::io::Result<Output>) -> Answer {
    match output {
        Ok(output) => Answer::Said {
            code: output.status.code().map_or(1, |code| code as u8),
            out: output.stdout,
            err: output.stderr,
        },
        Err(error) => Answer::fails(1, format!("pichroot: {error}\n")),
    }
}

/// What it was only made to tell is left out.
fn without_output(answer: Answer, options: &Options) -> Answer {
    match answer {
        Answer::Said { code, err, .. } if !options.has("verbose") => Answer::Said {
            code,
            out: Vec::new(),
            err,
        },
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::*;
    use crate::chroot::living::{
        call::tests::call,
        kernel::{Shared, catalogue::tests::kernel},
        outstanding,
        record::How,
    };

    const RELEASE: &str = "6.1.0";

    /// A machine whose modprobe says these lines, and ends with this code.
    fn machine(top: &Path, says: &str, code: u8) -> (Machine, String) {
        kernel(top, RELEASE);
        let program = top.join("modprobe");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>{0}.args\ncat <<'END'\n{says}END\n[ {code} = 0 ] || echo fault >&2\nexit {code}\n",
            program.display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let machine = Machine::with_kernel(top, true, Shared::boot(top, Some(RELEASE)));
        (machine, program.display().to_string())
    }

    fn run(machine: &mut Machine, program: &str, line: &str) -> Answer {
        let mut call = call(line);
        if call.name() == "modprobe" {
            call.program = program.into();
        }
        match call.name() {
            "modprobe" => modprobe(&call, machine),
            "rmmod" => rmmod(&call, machine),
            _ => insmod(&call, machine),
        }
    }

    fn loaded(machine: &Machine) -> Vec<String> {
        machine
            .kernel
            .lock()
            .modules
            .names()
            .map(str::to_owned)
            .collect()
    }

    const BRIDGE: &str = "insmod /lib/modules/6.1.0/kernel/net/llc.ko
insmod /lib/modules/6.1.0/kernel/net/stp.ko
insmod /lib/modules/6.1.0/kernel/net/bridge.ko
insmod /lib/modules/6.1.0/kernel/net/br_netfilter.ko.xz a=1
";

    #[test]
    fn a_module_is_loaded_with_what_it_needs_and_its_settings() {
        let dir = tempfile::tempdir().unwrap();
        let (mut machine, program) = machine(dir.path(), BRIDGE, 0);
        fs::create_dir_all(dir.path().join("etc/sysctl.d")).unwrap();
        let text = "net.bridge.bridge-nf-call-iptables = 0\n";
        fs::write(dir.path().join("etc/sysctl.d/k.conf"), text).unwrap();
        assert_eq!(
            run(&mut machine, &program, "modprobe br-netfilter a=1"),
            Answer::ok()
        );
        let args = fs::read_to_string(format!("{program}.args")).unwrap();
        assert_eq!(
            args,
            "--dry-run --verbose --set-version 6.1.0 br-netfilter a=1\n"
        );
        assert_eq!(loaded(&machine), ["br_netfilter", "bridge", "stp", "llc"]);
        let setting = machine
            .kernel
            .lock()
            .sysctl
            .read("net/bridge/bridge-nf-call-iptables");
        assert_eq!(setting.as_deref(), Ok("0\n"));
        let record = outstanding::take(&mut machine);
        assert_eq!(
            record.all()[0].how,
            How::Unit("modprobe br-netfilter a=1".into())
        );
        assert_eq!(record.all().len(), 1);
        let told = run(&mut machine, &program, "modprobe -v br-netfilter a=1");
        assert_eq!(told, Answer::out(BRIDGE));
    }

    #[test]
    fn a_file_for_the_boot_carries_it_also_when_it_comes_later() {
        let dir = tempfile::tempdir().unwrap();
        let (mut machine, program) = machine(dir.path(), BRIDGE, 0);
        run(&mut machine, &program, "modprobe br_netfilter a=1");
        for (file, text) in [
            ("modules-load.d/k.conf", "br_netfilter\n"),
            ("modprobe.d/k.conf", "options br_netfilter a=1\n"),
        ] {
            let at = dir.path().join("etc").join(file);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        let record = outstanding::take(&mut machine);
        assert_eq!(
            record.all()[0].how,
            How::Carried("/etc/modules-load.d/k.conf".into())
        );
    }

    #[test]
    fn what_is_no_module_fails_as_it_would() {
        let dir = tempfile::tempdir().unwrap();
        let (mut machine, program) = machine(dir.path(), "", 1);
        assert_eq!(
            run(&mut machine, &program, "modprobe nosuch"),
            Answer::fails(1, "fault\n")
        );
        assert_eq!(run(&mut machine, &program, "modprobe -h"), Answer::Pass);
        assert_eq!(
            run(&mut machine, &program, "modprobe --nosuch x"),
            Answer::Pass
        );
        assert!(loaded(&machine).is_empty() && outstanding::take(&mut machine).all().is_empty());
    }

    #[test]
    fn without_any_kernel_nobody_can_say_whether_there_is_such_a_module() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(dir.path(), true);
        assert_eq!(
            run(&mut machine, "/no/modprobe", "modprobe -a x y-z"),
            Answer::ok()
        );
        assert_eq!(loaded(&machine), ["y_z", "x"]);
        assert_eq!(outstanding::take(&mut machine).all().len(), 2);
        let mut machine = Machine::new(dir.path(), false);
        let refused = run(&mut machine, "/no/modprobe", "modprobe x");
        assert!(
            matches!(refused, Answer::Said { code: 1, .. }),
            "{refused:?}"
        );
        assert!(loaded(&machine).is_empty());
    }

    #[test]
    fn a_module_that_goes_again_is_put_off_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut machine, program) = machine(dir.path(), BRIDGE, 0);
        run(&mut machine, &program, "modprobe br_netfilter");
        // The program says why not.
        assert_eq!(run(&mut machine, &program, "rmmod bridge"), Answer::Pass);
        assert_eq!(run(&mut machine, &program, "rmmod nosuch"), Answer::Pass);
        assert_eq!(
            run(&mut machine, &program, "rmmod br_netfilter"),
            Answer::ok()
        );
        assert_eq!(loaded(&machine), ["bridge", "stp", "llc"]);
        assert!(outstanding::take(&mut machine).all().is_empty());
        assert_eq!(
            run(&mut machine, &program, "rmmod -v bridge"),
            Answer::out("rmmod bridge\n")
        );
        let record = outstanding::take(&mut machine);
        assert_eq!(record.all()[0].how, How::Unit("rmmod bridge".into()));
    }

    #[test]
    fn a_module_is_loaded_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(dir.path(), true);
        fs::write(dir.path().join("my-driver.ko"), "").unwrap();
        assert_eq!(run(&mut machine, "", "insmod nosuch.ko"), Answer::Pass);
        assert_eq!(
            run(&mut machine, "", "insmod my-driver.ko x=1"),
            Answer::ok()
        );
        assert_eq!(loaded(&machine), ["my_driver"]);
        let again = run(&mut machine, "", "insmod my-driver.ko");
        assert!(matches!(again, Answer::Said { code: 1, .. }));
        let record = outstanding::take(&mut machine);
        assert_eq!(
            record.all()[0].how,
            How::Unit("insmod /my-driver.ko x=1".into())
        );
    }
}
