//! Rebooting: the image boots anyway, later. Switching off is none of its business.
//!
//! As systemd's programs have it (shutdown(8), halt(8), telinit(8)).

use crate::chroot::living::{
    boot,
    call::{Answer, Call},
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What answers these.
pub const TOOLS: Tools = &[
    ("halt", halt),
    ("init", runlevel),
    ("poweroff", halt),
    ("reboot", halt),
    ("shutdown", shutdown),
    ("telinit", runlevel),
];

/// The machine boots: from now on it is one that has.
pub fn reboot(call: &Call, machine: &mut Machine) -> Answer {
    if let Err(error) = boot::anew(&machine.at(boot::ID)) {
        let text = format!("pichroot: {}: {error}\n", boot::ID);
        return Answer::fails(1, text);
    }
    machine.units.reboot();
    machine.boot_kernel();
    machine.record.put_off(call.line(), How::ByBoot);
    Answer::ok()
}

/// The machine ends.
pub fn refuse_to_end(call: &Call) -> Answer {
    Answer::refused(
        &format!(
            "`{}` would end the machine, and this is an image",
            call.line()
        ),
        "leave this task out; pichroot ends by itself when the play does",
    )
}

/// halt, poweroff and reboot, which take each other's options.
fn halt(call: &Call, machine: &mut Machine) -> Answer {
    let mut reboots = call.name() == "reboot";
    for word in &call.args {
        match word.as_str() {
            "--halt" | "-p" | "--poweroff" => reboots = false,
            "--reboot" => reboots = true,
            "-f" | "-ff" | "--force" | "-n" | "--no-sync" | "-d" | "--no-wtmp" | "--no-wall" => {}
            // Help, a record in wtmp, an argument for the boot loader, what is wrong: as the program has it.
            _ => return Answer::Pass,
        }
    }
    match (call.is_root(), reboots) {
        (false, _) => Answer::Pass,
        (true, true) => reboot(call, machine),
        (true, false) => refuse_to_end(call),
    }
}

/// What shutdown is to do.
#[derive(Clone, Copy, PartialEq)]
enum Shutdown {
    Off,
    Reboot,
    Cancel,
    OnlyTell,
}

fn shutdown(call: &Call, machine: &mut Machine) -> Answer {
    let mut what = Shutdown::Off;
    let mut words = call.args.iter();
    for word in words.by_ref().take_while(|word| word.starts_with('-')) {
        let Some(letters) = letters(word) else {
            return Answer::Pass;
        };
        for letter in letters.chars() {
            what = match letter {
                'r' => Shutdown::Reboot,
                'h' | 'H' | 'P' if what != Shutdown::Cancel => Shutdown::Off,
                'k' => Shutdown::OnlyTell,
                'c' => Shutdown::Cancel,
                // Old forms that do nothing more.
                'f' | 'F' | 'n' | 't' | ' ' => what,
                _ => return Answer::Pass,
            };
        }
    }
    if !call.is_root() {
        return Answer::Pass;
    }
    match what {
        Shutdown::Reboot => reboot(call, machine),
        Shutdown::Off => refuse_to_end(call),
        // Nothing is scheduled, and nobody is there.
        Shutdown::Cancel | Shutdown::OnlyTell => Answer::ok(),
    }
}

/// The short form of an option.
fn letters(word: &str) -> Option<&str> {
    match word {
        "--reboot" => Some("r"),
        "--poweroff" => Some("P"),
        "--halt" => Some("H"),
        "--no-wall" => Some(" "),
        _ if word.starts_with("--") => None,
        _ => Some(&word[1..]),
    }
}

/// init and telinit: 6 is a boot, 0 the end, and the others are targets, which a boot reaches by itself.
fn runlevel(call: &Call, machine: &mut Machine) -> Answer {
    let mut words = call.args.iter().filter(|word| *word != "--no-wall");
    let (Some(word), None, true) = (words.next(), words.next(), call.is_root()) else {
        return Answer::Pass;
    };
    match word.as_str() {
        "6" => reboot(call, machine),
        "0" => refuse_to_end(call),
        // Units and the program itself read anew.
        "q" | "Q" | "u" | "U" => {
            machine.record.put_off(call.line(), How::ByBoot);
            Answer::ok()
        }
        _ => Answer::Pass,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::{call::tests::call, tool::find};

    fn answer(line: &str, machine: &mut Machine) -> Answer {
        let call = call(line);
        find(TOOLS, call.name()).unwrap()(&call, machine)
    }

    fn machine() -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), true);
        let id = machine.at(boot::ID);
        fs::create_dir_all(id.parent().unwrap()).unwrap();
        fs::write(id, "before\n").unwrap();
        (dir, machine)
    }

    #[test]
    fn all_forms_of_a_reboot_are_put_off_and_seen() {
        let mut before = "before\n".to_owned();
        let (_dir, mut machine) = machine();
        for line in [
            "reboot",
            "reboot -f --no-wall",
            "halt --reboot",
            "shutdown -r",
            "shutdown -r now",
            "shutdown --reboot --no-wall +1 Back soon",
            "shutdown -rf 0",
            "init 6",
            "telinit 6",
        ] {
            assert_eq!(answer(line, &mut machine), Answer::ok(), "{line}");
            let now = fs::read_to_string(machine.at(boot::ID)).unwrap();
            assert_ne!(now, before, "{line}");
            let last = machine.record.all().last().unwrap();
            assert_eq!((last.what.as_str(), &last.how), (line, &How::ByBoot));
            before = now;
        }
    }

    #[test]
    fn the_end_is_refused_and_what_is_no_such_thing_is_left_alone() {
        let (_dir, mut machine) = machine();
        for line in [
            "poweroff",
            "halt -p",
            "reboot --halt",
            "shutdown",
            "shutdown -h now",
            "shutdown -P +5",
            "init 0",
        ] {
            let Answer::Said { code: 1, err, .. } = answer(line, &mut machine) else {
                panic!("{line}");
            };
            let err = String::from_utf8(err).unwrap();
            assert!(err.contains(line) && err.contains("hint: "), "{err}");
        }
        for line in [
            "reboot --help",
            "shutdown --show",
            "init",
            "init splash",
            "reboot -w",
        ] {
            assert_eq!(answer(line, &mut machine), Answer::Pass, "{line}");
        }
        for line in ["shutdown -c", "shutdown -k now Hello"] {
            assert_eq!(answer(line, &mut machine), Answer::ok(), "{line}");
        }
        assert!(machine.record.all().is_empty());
        assert_eq!(
            fs::read_to_string(machine.at(boot::ID)).unwrap(),
            "before\n"
        );
    }

    #[test]
    fn only_root_reboots() {
        let (_dir, mut machine) = machine();
        let mut call = call("reboot");
        call.user = 1000;
        assert_eq!(halt(&call, &mut machine), Answer::Pass);
    }
}
