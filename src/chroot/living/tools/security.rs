//! What keeps programs apart and notes what they do is in the kernel: AppArmor's profiles and the rules of the audit are
//! files, which each boot loads.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Component, Path, PathBuf},
};

use crate::{
    chroot::{
        living::{
            call::{Answer, Call},
            env_file::text,
            machine::Machine,
            record::How,
            tool::Tools,
        },
        target::security,
    },
    sys::inroot::Root,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("aa-enabled", aa_enabled),
    ("apparmor_parser", apparmor_parser),
    ("auditctl", auditctl),
    ("setcap", setcap),
];

/// Where setcap's files are noted, for the stage.
pub const GIVEN: &str = "/run/pichroot/rights";

/// Where each boot loads profiles from, and where those are that it does not.
const PROFILES: &str = "/etc/apparmor.d";
const DISABLED: &str = "/etc/apparmor.d/disable";
/// What each boot loads, and what that is made of.
const RULES: &str = "/etc/audit/audit.rules";
const PARTS: &str = "/etc/audit/rules.d";
const MAX_PARTS: usize = 200;

/// As the machine's kernel will say.
fn aa_enabled(call: &Call, machine: &mut Machine) -> Answer {
    let release = machine.kernel.lock().release.clone();
    let enabled = Root::open(&machine.root)
        .ok()
        .and_then(|root| security::has_apparmor(&root, &release));
    let quiet = call
        .args
        .iter()
        .any(|word| word == "-q" || word == "--quiet");
    let said = |text: &str| {
        if quiet {
            String::new()
        } else {
            text.to_owned()
        }
    };
    match enabled {
        _ if call
            .args
            .iter()
            .any(|word| word == "-h" || word == "--help") =>
        {
            Answer::Pass
        }
        Some(true) => Answer::out(said("Yes\n")),
        Some(false) => Answer::Said {
            code: 1,
            out: said("No - disabled at boot.\n").into_bytes(),
            err: Vec::new(),
        },
        None => Answer::Pass,
    }
}

/// It reads the profiles, and finds what is wrong with them; only the kernel does not get them.
fn apparmor_parser(call: &Call, machine: &mut Machine) -> Answer {
    // What it only shows, and what it writes.
    let other = [
        "-N",
        "--names",
        "-S",
        "--stdout",
        "-o",
        "--ofile",
        "-p",
        "--preprocess",
        "-V",
        "--version",
        "-h",
        "--help",
        "-Q",
        "--skip-kernel-load",
        "--purge-cache",
        "--print-cache-dir",
        "--print-config-file",
        "-d",
        "--debug",
    ];
    let with_value = [
        "-b",
        "--base",
        "-I",
        "--Include",
        "-f",
        "--subdomainfs",
        "-m",
        "--match-string",
        "-M",
        "--features-file",
        "-n",
        "--namespace",
        "-j",
        "--jobs",
        "--max-jobs",
        "--cache-loc",
        "-L",
        "-O",
        "--optimize",
        "--warn",
        "--config-file",
        "--policy-features",
        "--kernel-features",
        "--estimated-compile-size",
    ];
    let names = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    if !call.is_root() || call.args.iter().any(|word| other.contains(&&*names(word))) {
        return Answer::Pass;
    }
    let mut files = Vec::new();
    let mut words = call.args.iter();
    while let Some(word) = words.next() {
        if with_value.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            files.push(absolute(call, word));
        }
    }
    let removes = call.args.iter().any(|word| {
        let short = word.starts_with('-') && !word.starts_with("--") && word.contains('R');
        short || word == "--remove"
    });
    // From standard input there is nothing that a boot could load.
    if files.is_empty() {
        return Answer::Pass;
    }
    let loads = [
        "-a",
        "--add",
        "-r",
        "--replace",
        "-R",
        "--remove",
        "-W",
        "--write-cache",
    ];
    let mut args = vec!["-Q", "-K"];
    let rest = call
        .args
        .iter()
        .map(String::as_str)
        .filter(|word| !loads.contains(word));
    args.extend(rest);
    let checked = call.real(&call.program.to_string_lossy(), &args);
    let Ok(checked) = checked else {
        return Answer::Pass;
    };
    if !checked.status.success() {
        return Answer::Said {
            code: checked
                .status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
            out: checked.stdout,
            err: checked.stderr,
        };
    }
    let elsewhere = files.iter().find(|file| !file.starts_with(PROFILES));
    match elsewhere {
        // After a boot what is there is there again, as on any machine.
        None if removes => machine.record.put_off(call.line(), How::ByBoot),
        None => {
            let folder = if files.iter().all(|file| file.starts_with(DISABLED)) {
                DISABLED
            } else {
                PROFILES
            };
            machine
                .record
                .put_off(call.line(), How::Carried(folder.into()));
        }
        Some(_) => return machine.put_off_to_unit(&call.line(), call.line()),
    }
    Answer::ok()
}

fn absolute(call: &Call, word: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in call.cwd.join(word).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// Rules that are in the files are loaded by each boot; others by that of the unit.
fn auditctl(call: &Call, machine: &mut Machine) -> Answer {
    let words: Vec<&str> = call.args.iter().map(String::as_str).collect();
    if !call.is_root() {
        return Answer::Pass;
    }
    let kept = match words[..] {
        ["-l"] => return Answer::out(listed(machine)),
        ["-R", file] if absolute(call, file) == Path::new(RULES) => Some(RULES.to_owned()),
        ["-R", file] => {
            // The unit must not depend on what becomes of the file.
            let text = text(machine, &absolute(call, file).to_string_lossy()).unwrap_or_default();
            let lines = rules(&text).map(|rule| format!("auditctl {rule}\n"));
            return machine.put_off_to_unit(&call.line(), lines.collect());
        }
        [
            "-w" | "-a" | "-A" | "-W" | "-d" | "-D" | "-b" | "-f" | "-r" | "-e" | "-c" | "-i",
            ..,
        ] => file_of(machine, &words.join(" ")),
        // Help, the state of the kernel, or what is wrong.
        _ => return Answer::Pass,
    };
    match kept {
        Some(file) => machine.record.put_off(call.line(), How::Carried(file)),
        None => return machine.put_off_to_unit(&call.line(), call.line()),
    }
    Answer::ok()
}

/// It works; but see what becomes of the files' rights in the end (`stage/outstanding.rs`).
fn setcap(call: &Call, machine: &mut Machine) -> Answer {
    let changes = !call
        .args
        .iter()
        .any(|word| ["-v", "-h", "--license"].contains(&word.as_str()));
    if call.is_root() && changes {
        // Whatever is no file there is none of the stage's either.
        let files = call.args.iter().filter(|word| !word.starts_with('-'));
        let paths = files
            .map(|word| absolute(call, word))
            .map(|path| format!("{}\n", path.display()));
        let note = OpenOptions::new()
            .create(true)
            .append(true)
            .open(machine.at(GIVEN));
        // Without it, only the form is another one.
        let _ = note.and_then(|mut note| note.write_all(paths.collect::<String>().as_bytes()));
    }
    Answer::Pass
}

fn rules(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with('-'))
}

/// The file that has this rule.
fn file_of(machine: &Machine, rule: &str) -> Option<String> {
    let root = Root::open(&machine.root).ok()?;
    let parts = root.names(PARTS.as_ref(), MAX_PARTS).unwrap_or_default();
    let parts = parts
        .into_iter()
        .filter(|name| name.ends_with(".rules"))
        .map(|name| format!("{PARTS}/{name}"));
    let same = |line: &str| line.split_whitespace().eq(rule.split_whitespace());
    let mut files = parts.chain([RULES.to_owned()]);
    files.find(|file| text(machine, file).is_some_and(|text| rules(&text).any(same)))
}

/// The rules that a boot loads, as auditctl lists them.
fn listed(machine: &Machine) -> String {
    let text = text(machine, RULES).unwrap_or_default();
    let of_files = rules(&text)
        .filter(|rule| rule.starts_with("-w") || rule.starts_with("-a") || rule.starts_with("-A"));
    let lines: String = of_files.map(|rule| format!("{rule}\n")).collect();
    if lines.is_empty() {
        "No rules\n".into()
    } else {
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::{call::tests::call, tools::testing};

    #[test]
    fn rules_of_the_audit_are_in_its_files_or_in_the_unit() {
        let (_dir, mut machine) = testing::with_systemd();
        fs::create_dir_all(machine.at(PARTS)).unwrap();
        fs::write(
            machine.at(PARTS).join("10-x.rules"),
            "# x\n-w  /etc/passwd -p wa -k users\n",
        )
        .unwrap();
        let mut say = |line| testing::said(TOOLS, &call(line), &mut machine);
        assert_eq!(say("auditctl -l"), (0, "No rules\n".into()));
        assert_eq!(
            say("auditctl -w /etc/passwd -p wa -k users"),
            (0, String::new())
        );
        assert_eq!(say("auditctl -w /etc/shadow -p wa"), (0, String::new()));
        assert_eq!(
            say("auditctl -R /etc/audit/audit.rules"),
            (0, String::new())
        );
        let hows: Vec<_> = machine
            .record
            .all()
            .iter()
            .map(|one| one.how.clone())
            .collect();
        let carried = |file: &str| How::Carried(file.into());
        let unit = How::Unit("auditctl -w /etc/shadow -p wa".into());
        assert_eq!(
            hows,
            [
                carried("/etc/audit/rules.d/10-x.rules"),
                unit,
                carried(RULES)
            ]
        );
        fs::write(
            machine.at(RULES),
            "-D\n-b 8192\n-w /etc/passwd -p wa -k users\n",
        )
        .unwrap();
        let (_, rules) = testing::said(TOOLS, &call("auditctl -l"), &mut machine);
        assert_eq!(rules, "-w /etc/passwd -p wa -k users\n");
        assert_eq!(auditctl(&call("auditctl -s"), &mut machine), Answer::Pass);
    }

    #[test]
    fn apparmor_is_as_the_kernel_starts() {
        let (_dir, mut machine) = testing::with_systemd();
        let call = call("aa-enabled");
        assert_eq!(aa_enabled(&call, &mut machine), Answer::Pass);
        let release = machine.kernel.lock().release.clone();
        fs::create_dir_all(machine.at("boot")).unwrap();
        let config = machine.at("boot").join(format!("config-{release}"));
        fs::write(
            config,
            "#\nCONFIG_SECURITY_APPARMOR=y\nCONFIG_LSM=\"apparmor\"\n",
        )
        .unwrap();
        assert_eq!(aa_enabled(&call, &mut machine), Answer::out("Yes\n"));
    }

    #[test]
    fn a_profile_is_where_a_boot_looks() {
        let call = call("apparmor_parser -r x");
        assert_eq!(absolute(&call, "/etc/apparmor.d/../x"), Path::new("/etc/x"));
        assert_eq!(
            absolute(&call, "etc/./apparmor.d/a"),
            Path::new("/etc/apparmor.d/a")
        );
    }
}
