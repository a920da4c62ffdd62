//! systemd-run: a unit without a file, which runs while people wait for it or on its own.

use super::options::{Known, Options};
use crate::chroot::living::{
    call::{Answer, Call},
    machine::Machine,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[("systemd-run", systemd_run)];

const KNOWN: Known = Known {
    with_value: &[
        ("background", ""),
        ("description", ""),
        ("expand-environment", ""),
        ("gid", ""),
        ("host", "H"),
        ("job-mode", ""),
        ("machine", "M"),
        ("nice", ""),
        ("on-active", ""),
        ("on-boot", ""),
        ("on-calendar", ""),
        ("on-startup", ""),
        ("on-unit-active", ""),
        ("on-unit-inactive", ""),
        ("path-property", ""),
        ("property", "p"),
        ("service-type", ""),
        ("setenv", "E"),
        ("slice", ""),
        ("socket-property", ""),
        ("timer-property", ""),
        ("uid", ""),
        ("unit", "u"),
        ("working-directory", ""),
    ],
    plain: &[
        ("collect", "G"),
        ("help", "h"),
        ("no-ask-password", ""),
        ("no-block", ""),
        ("on-clock-change", ""),
        ("on-timezone-change", ""),
        ("pipe", "P"),
        ("pty", "t"),
        ("quiet", "q"),
        ("remain-after-exit", "r"),
        ("same-dir", "d"),
        ("scope", ""),
        ("send-sighup", ""),
        ("shell", "S"),
        ("slice-inherit", ""),
        ("system", ""),
        ("user", ""),
        ("version", ""),
        ("wait", ""),
    ],
};

/// Those by which the caller waits for what it runs.
const WAITS: [&str; 5] = ["pipe", "pty", "scope", "shell", "wait"];

fn systemd_run(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse_first(&KNOWN, &call.args) else {
        return Answer::Pass;
    };
    let apart = ["help", "host", "machine", "user", "version"];
    if apart.into_iter().any(|option| options.has(option)) {
        return Answer::Pass;
    }
    let timed = |option: &&(&str, &str)| option.0.starts_with("on-") && options.has(option.0);
    let timer = KNOWN.with_value.iter().any(|option| timed(&option));
    if options.words.is_empty() && !timer && !options.has("shell") {
        return Answer::fails(1, "Command line to execute required.\n");
    }
    if !call.is_root() {
        return Answer::fails(1, "Failed to start transient service unit: Access denied\n");
    }
    if WAITS.into_iter().any(|option| options.has(option)) {
        return Answer::refused(
            &format!(
                "`{}` waits for what systemd runs, and systemd does not run in an image",
                call.line()
            ),
            "run the command itself: what it does to files is the same",
        );
    }
    let answer = machine.put_off_to_unit(&call.line(), call.line());
    match answer {
        Answer::Said { code: 0, .. } if !options.has("quiet") => Answer::Said {
            code: 0,
            out: Vec::new(),
            err: started(&options, timer).into_bytes(),
        },
        answer => answer,
    }
}

/// What it says, with the name that was given or one as systemd makes them.
fn started(options: &Options, timer: bool) -> String {
    let given = options.value("unit").unwrap_or("run-u1");
    let ends = [".service", ".timer"];
    let stem = ends
        .iter()
        .find_map(|end| given.strip_suffix(end))
        .unwrap_or(given);
    if timer {
        format!("Running timer as unit: {stem}.timer\nWill run service as unit: {stem}.service\n")
    } else {
        format!("Running as unit: {stem}.service\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot::living::{call::tests::call, record::How};

    #[test]
    fn what_runs_on_its_own_runs_at_the_first_boot() {
        let mut machine = Machine::new("/nonexistent".as_ref(), true);
        let line = "systemd-run -u later --on-active 5 /bin/sh -c true --wait";
        let said = "Running timer as unit: later.timer\nWill run service as unit: later.service\n";
        let answer = systemd_run(&call(line), &mut machine);
        assert_eq!(
            answer,
            Answer::Said {
                code: 0,
                out: Vec::new(),
                err: said.into()
            }
        );
        assert_eq!(machine.record.all()[0].how, How::Unit(line.into()));
        assert_eq!(
            systemd_run(&call("systemd-run -q /bin/true"), &mut machine),
            Answer::ok()
        );
        machine.first_boot = false;
        for line in [
            "systemd-run /bin/true",
            "systemd-run --wait /bin/true",
            "systemd-run --scope /bin/true",
            "systemd-run",
        ] {
            let answer = systemd_run(&call(line), &mut machine);
            assert!(matches!(answer, Answer::Said { code: 1, .. }), "{line}");
        }
        assert_eq!(machine.record.all().len(), 2);
        assert_eq!(
            systemd_run(&call("systemd-run --version"), &mut machine),
            Answer::Pass
        );
    }
}
