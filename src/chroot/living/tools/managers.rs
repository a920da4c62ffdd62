//! Programs that have one of systemd's services do something: networkd, resolved, journald and machined.

use crate::chroot::living::{
    call::{Answer, Call},
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("journalctl", journalctl),
    ("machinectl", machinectl),
    ("networkctl", networkctl),
    ("resolvectl", resolvectl),
    ("systemd-resolve", systemd_resolve),
];

fn by_boot(call: &Call, machine: &mut Machine) -> Answer {
    machine.record.put_off(call.line(), How::ByBoot);
    Answer::ok()
}

/// Whether one of the words before `--` is one of these, or begins so with a value.
fn has(call: &Call, options: &[&str]) -> bool {
    let mut words = call.args.iter().take_while(|word| *word != "--");
    words.any(|word| options.contains(&word.split('=').next().unwrap_or_default()))
}

/// The words that are no options.
fn words(call: &Call) -> Vec<&str> {
    let words = call.args.iter().map(String::as_str);
    words.filter(|word| !word.starts_with('-')).collect()
}

const SHOWS: [&str; 3] = ["--help", "--version", "-h"];

/// Files are read and cleaned without journald; what is for journald itself, a boot does.
fn journalctl(call: &Call, machine: &mut Machine) -> Answer {
    let for_journald = [
        "--flush",
        "--relinquish-var",
        "--rotate",
        "--smart-relinquish-var",
        "--sync",
    ];
    let cleans = ["--vacuum-files", "--vacuum-size", "--vacuum-time"];
    if !call.is_root() || has(call, &SHOWS) || has(call, &cleans) || !has(call, &for_journald) {
        return Answer::Pass;
    }
    by_boot(call, machine)
}

fn networkctl(call: &Call, machine: &mut Machine) -> Answer {
    if !call.is_root() || has(call, &SHOWS) {
        return Answer::Pass;
    }
    match words(call)[..] {
        ["reload" | "reconfigure" | "renew" | "forcerenew", ..] => by_boot(call, machine),
        ["up" | "down" | "delete", ..] => machine.put_off_to_unit(&call.line(), call.line()),
        _ => Answer::Pass,
    }
}

fn resolvectl(call: &Call, machine: &mut Machine) -> Answer {
    if has(call, &SHOWS) {
        return Answer::Pass;
    }
    let (root, words) = (call.is_root(), words(call));
    match words[..] {
        [
            "flush-caches" | "reset-statistics" | "reset-server-features",
            ..,
        ] if root => by_boot(call, machine),
        ["revert", ..] if root => by_boot(call, machine),
        // A link with a value: until the link or resolved goes down.
        [
            "dns" | "domain" | "default-route" | "llmnr" | "mdns" | "dnsovertls" | "dnssec" | "nta",
            _,
            _,
            ..,
        ] if root => machine.put_off_to_unit(&call.line(), call.line()),
        _ => not_resolved(call),
    }
}

fn systemd_resolve(call: &Call, machine: &mut Machine) -> Answer {
    if has(call, &SHOWS) {
        return Answer::Pass;
    }
    if call.is_root()
        && has(
            call,
            &[
                "--flush-caches",
                "--reset-statistics",
                "--reset-server-features",
            ],
        )
    {
        return by_boot(call, machine);
    }
    not_resolved(call)
}

fn not_resolved(call: &Call) -> Answer {
    Answer::refused(
        &format!(
            "`{}` asks systemd-resolved, and it does not run in an image",
            call.line()
        ),
        "`getent hosts NAME` looks names up; settings are in /etc/systemd/resolved.conf",
    )
}

fn machinectl(call: &Call, _: &mut Machine) -> Answer {
    if has(call, &SHOWS) {
        return Answer::Pass;
    }
    match words(call)[..] {
        [] | ["list", ..] => Answer::out(if has(call, &["--no-legend"]) {
            ""
        } else {
            "No machines.\n"
        }),
        [
            "enable" | "disable" | "list-images" | "image-status" | "show-image" | "clean",
            ..,
        ] => Answer::Pass,
        ["shell" | "login", ..] => Answer::refused(
            "`machinectl shell` needs a machine that has booted",
            "become another user with sudo: become_method: ansible.builtin.sudo",
        ),
        _ => Answer::refused(
            "there are no machines in an image",
            "have a unit do this at a boot",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot::living::{call::tests::call, tool::find};

    fn answer(line: &str, machine: &mut Machine) -> Answer {
        let call = call(line);
        find(TOOLS, call.name()).unwrap()(&call, machine)
    }

    #[test]
    fn what_a_boot_does_needs_no_unit() {
        let mut machine = Machine::new("/nonexistent".as_ref(), false);
        for line in [
            "networkctl reload",
            "networkctl reconfigure eth0",
            "resolvectl flush-caches",
            "systemd-resolve --flush-caches",
            "journalctl --flush",
            "journalctl --rotate",
        ] {
            assert_eq!(answer(line, &mut machine), Answer::ok(), "{line}");
            let last = machine.record.all().last().unwrap();
            assert_eq!((&*last.what, &last.how), (line, &How::ByBoot));
        }
        for line in [
            "journalctl -u ssh",
            "journalctl --rotate --vacuum-time=1s",
            "networkctl list",
        ] {
            assert_eq!(answer(line, &mut machine), Answer::Pass, "{line}");
        }
        // No unit for the first boot.
        for line in ["networkctl down eth0", "resolvectl dns eth0 1.1.1.1"] {
            assert!(
                matches!(answer(line, &mut machine), Answer::Said { code: 1, .. }),
                "{line}"
            );
        }
    }

    #[test]
    fn the_rest_is_for_the_first_boot_or_refused() {
        let mut machine = Machine::new("/nonexistent".as_ref(), true);
        for line in ["networkctl down eth0", "resolvectl dns eth0 1.1.1.1"] {
            assert_eq!(answer(line, &mut machine), Answer::ok(), "{line}");
            assert_eq!(
                machine.record.all().last().unwrap().how,
                How::Unit(line.into())
            );
        }
        for line in [
            "resolvectl status",
            "resolvectl query example.org",
            "resolvectl dns",
            "machinectl shell joe@",
        ] {
            assert!(
                matches!(answer(line, &mut machine), Answer::Said { code: 1, .. }),
                "{line}"
            );
        }
        assert_eq!(
            answer("machinectl", &mut machine),
            Answer::out("No machines.\n")
        );
    }
}
