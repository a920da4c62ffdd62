//! Programs that call something by the system's bus: what is there has not started. The few calls that only have something read
//! its settings again are put off, as it reads them when it starts.

use crate::chroot::living::{
    call::{Answer, Call},
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("busctl", busctl),
    ("dbus-send", dbus_send),
    ("gdbus", gdbus),
];

/// Interface and method of what every boot does anyway.
const BY_BOOT: [&str; 6] = [
    "org.freedesktop.DBus.ReloadConfig",
    "org.freedesktop.systemd1.Manager.Reload",
    "org.freedesktop.systemd1.Manager.Reexecute",
    "org.freedesktop.network1.Manager.Reload",
    "org.freedesktop.resolve1.Manager.FlushCaches",
    "org.freedesktop.NetworkManager.Reload",
];

fn called(call: &Call, machine: &mut Machine, method: &str) -> Answer {
    if BY_BOOT.contains(&method) && call.is_root() {
        machine.record.put_off(call.line(), How::ByBoot);
        return Answer::ok();
    }
    Answer::refused(
        &format!(
            "`{}` calls a service by the system's bus, and none runs in an image",
            call.line()
        ),
        "change its settings in files, or have a unit of your own call it at a boot",
    )
}

/// `busctl call SERVICE OBJECT INTERFACE METHOD`
fn busctl(call: &Call, machine: &mut Machine) -> Answer {
    let words: Vec<&str> = call
        .args
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let options = [
        "--user",
        "--address",
        "--host",
        "-H",
        "--machine",
        "-M",
        "--help",
        "-h",
        "--version",
    ];
    let elsewhere = call
        .args
        .iter()
        .any(|word| options.contains(&word.split('=').next().unwrap_or_default()));
    match words[..] {
        _ if elsewhere => Answer::Pass,
        ["call", _, _, interface, method, ..] => {
            called(call, machine, &format!("{interface}.{method}"))
        }
        _ => called(call, machine, ""),
    }
}

/// `dbus-send --system --dest=SERVICE OBJECT INTERFACE.METHOD`
fn dbus_send(call: &Call, machine: &mut Machine) -> Answer {
    // The bus of a session may well be there: the task has started it.
    if !call.args.iter().any(|word| word == "--system") {
        return Answer::Pass;
    }
    let mut words = call.args.iter().filter(|word| !word.starts_with('-'));
    let method = words.nth(1).map_or("", |method| &**method);
    called(call, machine, method)
}

/// `gdbus call --system --dest SERVICE --object-path OBJECT --method INTERFACE.METHOD`
fn gdbus(call: &Call, machine: &mut Machine) -> Answer {
    let is = |short: &str, long: &str| call.args.iter().any(|word| word == short || word == long);
    if !is("-y", "--system") {
        return Answer::Pass;
    }
    let mut words = call.args.iter();
    let mut method = "";
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("--method", value)) => method = value,
            _ if ["-m", "--method"].contains(&&**word) => {
                method = words.next().map_or("", |value| &**value)
            }
            _ => {}
        }
    }
    called(call, machine, method)
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
    fn settings_are_read_at_the_boot_and_other_calls_are_refused() {
        let mut machine = Machine::new("/nonexistent".as_ref(), false);
        for line in [
            "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Reload",
            "dbus-send --system --type=method_call --dest=org.freedesktop.DBus / org.freedesktop.DBus.ReloadConfig",
            "gdbus call -y -d org.freedesktop.DBus -o / --method org.freedesktop.DBus.ReloadConfig",
        ] {
            assert_eq!(answer(line, &mut machine), Answer::ok(), "{line}");
            assert_eq!(machine.record.all().last().unwrap().what, line);
        }
        for line in [
            "busctl list",
            "busctl get-property a b c d",
            "dbus-send --system --dest=a /b c.d",
            "gdbus introspect --system --dest a --object-path /",
        ] {
            assert!(
                matches!(answer(line, &mut machine), Answer::Said { code: 1, .. }),
                "{line}"
            );
        }
        for line in [
            "dbus-send --session --dest=a /b c.d",
            "gdbus call -e -d a -o / -m b",
            "busctl --user list",
        ] {
            assert_eq!(answer(line, &mut machine), Answer::Pass, "{line}");
        }
        assert_eq!(machine.record.all().len(), 3);
    }
}
