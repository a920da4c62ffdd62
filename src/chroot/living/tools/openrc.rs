//! rc-service, OpenRC's systemctl. There is no unit for the first boot without systemd, so what no runlevel starts is refused.

use crate::{
    chroot::living::{
        call::{Answer, Call},
        machine::Machine,
        openrc,
        record::How,
        tool::Tools,
    },
    sys::inroot::Root,
};

/// What is answered here; `service` is the same program.
pub const TOOLS: Tools = &[("rc-service", rc_service), ("service", rc_service)];

/// Its exit code for a service that does not run.
const STOPPED: u8 = 3;

fn rc_service(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(root) = Root::open(&machine.root) else {
        return Answer::Pass;
    };
    let [options @ .., name, verb] = call.args.as_slice() else {
        return Answer::Pass;
    };
    // Those that make it do something else are for itself.
    let usual = [
        "-q",
        "--quiet",
        "-C",
        "--nocolor",
        "-i",
        "--ifexists",
        "-v",
        "--verbose",
    ];
    if !openrc::is_there(&root) || !options.iter().all(|option| usual.contains(&&**option)) {
        return Answer::Pass;
    }
    if !openrc::exists(&root, name) {
        return match options
            .iter()
            .any(|option| ["-i", "--ifexists"].contains(&&**option))
        {
            true => Answer::ok(),
            false => Answer::fails(
                1,
                format!(" * rc-service: service `{name}' does not exist\n"),
            ),
        };
    }
    let (runs, boots) = (
        machine.services.runs(&root, name),
        openrc::boots(&root, name),
    );
    match &**verb {
        "status" if runs => Answer::out(" * status: started\n"),
        "status" => Answer::Said {
            code: STOPPED,
            out: b" * status: stopped\n".into(),
            err: Vec::new(),
        },
        "start" | "stop" | "restart" | "reload" if !call.is_root() => {
            Answer::fails(1, format!(" * {name}: superuser access required\n"))
        }
        "start" if runs => {
            Answer::fails(0, format!(" * WARNING: {name} has already been started\n"))
        }
        "stop" if !runs => Answer::fails(0, format!(" * WARNING: {name} is already stopped\n")),
        "reload" if !runs => Answer::fails(1, format!(" * ERROR: {name} has not been started\n")),
        "start" | "restart" | "reload" if boots => put_off(call, machine, name, true),
        // Nor does a boot start it.
        "stop" if !boots => put_off(call, machine, name, false),
        "start" | "stop" | "restart" | "reload" => Answer::refused(
            &format!(
                "no boot does what `{}` asks for, and nothing runs in an image",
                call.line()
            ),
            "have a runlevel start it, or not, with rc-update in an earlier task",
        ),
        _ => Answer::Pass,
    }
}

fn put_off(call: &Call, machine: &mut Machine, name: &str, runs: bool) -> Answer {
    machine.services.set(name, runs);
    machine.record.put_off(call.line(), How::ByBoot);
    let what = if runs { "Starting" } else { "Stopping" };
    Answer::out(format!(" * {what} {name} ... [ ok ]\n"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::chroot::living::call::tests::call;

    #[test]
    fn what_a_runlevel_starts_runs() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(dir.path(), true);
        assert_eq!(
            rc_service(&call("service a start"), &mut machine),
            Answer::Pass
        );
        for folder in ["etc/init.d", "etc/runlevels/default", "sbin"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["sbin/openrc", "etc/init.d/a", "etc/init.d/b"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        symlink("/etc/init.d/a", dir.path().join("etc/runlevels/default/a")).unwrap();
        let mut code = |line: &str| match rc_service(&call(line), &mut machine) {
            Answer::Said { code, .. } => code,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(
            (code("rc-service a status"), code("rc-service -q b status")),
            (0, STOPPED)
        );
        assert_eq!(
            (code("rc-service a start"), code("rc-service a restart")),
            (0, 0)
        );
        assert_eq!(
            (
                code("rc-service b start"),
                code("rc-service a stop"),
                code("rc-service c start")
            ),
            (1, 1, 1)
        );
        assert_eq!(
            (code("rc-service b stop"), code("rc-service -i c start")),
            (0, 0)
        );
        let put_off: Vec<&str> = machine
            .record
            .all()
            .iter()
            .map(|put_off| &*put_off.what)
            .collect();
        assert_eq!(put_off, ["rc-service a restart"]);
    }
}
