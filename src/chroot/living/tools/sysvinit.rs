//! What init scripts start their programs with: nothing of the image's services is to run in the chroot.
//!
//! A script that knows systemd has systemctl do it, and does not come here.

use crate::{
    chroot::living::{
        call::{Answer, Call},
        first_boot,
        machine::Machine,
        record::How,
        tool::Tools,
    },
    sys::inroot::Root,
};

/// What is answered here.
pub const TOOLS: Tools = &[("start-stop-daemon", start_stop_daemon)];

const MAX_SCRIPTS: usize = 1000;
const MAX_BYTES: u64 = 1 << 20;

fn start_stop_daemon(call: &Call, machine: &mut Machine) -> Answer {
    // What comes after this is for the program.
    let words = || {
        call.args
            .iter()
            .take_while(|word| *word != "--")
            .map(String::as_str)
    };
    let has = |options: &[&str]| words().any(|word| options.contains(&word));
    if !has(&["--start", "-S"]) || has(&["--test", "-t", "--help", "-H"]) {
        return Answer::Pass;
    }
    let value = |long: &str, short: &str| {
        let mut words = words();
        while let Some(word) = words.next() {
            if word == long || word == short {
                return words.next();
            }
            if let Some(("=", value)) = word
                .strip_prefix(long)
                .and_then(|rest| rest.split_at_checked(1))
            {
                return Some(value);
            }
        }
        None
    };
    let program = value("--exec", "-x").or_else(|| value("--startas", "-a"));
    let program = program.unwrap_or_default();
    let line = call.line();
    if boots(machine, program) {
        machine.record.put_off(line, How::ByBoot);
        return Answer::ok();
    }
    if !first_boot::has_systemd(&machine.root) {
        return Answer::refused(
            &format!("`{line}` starts a service, and nothing runs in an image"),
            "have a runlevel start it (update-rc.d, rc-update), in an earlier task",
        );
    }
    machine.put_off_to_unit(&line, line.clone())
}

/// Whether a script that a runlevel starts names this program.
fn boots(machine: &Machine, program: &str) -> bool {
    let Ok(root) = Root::open(&machine.root) else {
        return false;
    };
    let folders = [
        "/etc/rcS.d",
        "/etc/rc2.d",
        "/etc/rc3.d",
        "/etc/rc5.d",
        "/etc/runlevels/boot",
        "/etc/runlevels/default",
    ];
    !program.is_empty()
        && folders.iter().any(|folder| {
            let names = root.names(folder.as_ref(), MAX_SCRIPTS).unwrap_or_default();
            let mut started = names
                .iter()
                .filter(|name| folder.contains("runlevels") || name.starts_with('S'));
            started.any(|name| {
                let text = root.read(format!("{folder}/{name}").as_ref(), MAX_BYTES);
                text.is_ok_and(|text| text.contains(program))
            })
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::call::tests::call;

    #[test]
    fn a_service_is_put_off_to_a_boot_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(dir.path(), true);
        fs::create_dir_all(dir.path().join("etc/rc2.d")).unwrap();
        fs::write(dir.path().join("etc/rc2.d/S01a"), "DAEMON=/usr/sbin/a\n").unwrap();
        fs::write(dir.path().join("etc/rc2.d/K01b"), "DAEMON=/usr/sbin/b\n").unwrap();
        let mut answer = |line: &str| start_stop_daemon(&call(line), &mut machine);
        assert_eq!(
            answer("start-stop-daemon -S -q --exec=/usr/sbin/a -- -x y"),
            Answer::ok()
        );
        let refused = answer("start-stop-daemon --start --exec /usr/sbin/b");
        assert!(matches!(refused, Answer::Said { code: 1, .. }));
        for line in [
            "--stop --exec /usr/sbin/a",
            "--start --test --exec /usr/sbin/a",
            "--help",
        ] {
            assert_eq!(
                answer(&format!("start-stop-daemon {line}")),
                Answer::Pass,
                "{line}"
            );
        }
        assert_eq!(machine.record.all().len(), 1);
        fs::create_dir_all(dir.path().join("usr/lib/systemd")).unwrap();
        fs::create_dir_all(dir.path().join("sbin")).unwrap();
        fs::write(dir.path().join("usr/lib/systemd/systemd"), "").unwrap();
        std::os::unix::fs::symlink("/usr/lib/systemd/systemd", dir.path().join("sbin/init"))
            .unwrap();
        let line = "start-stop-daemon --start --startas /usr/sbin/b";
        let absolute = std::fs::canonicalize(dir.path()).unwrap();
        let mut machine = Machine::new(&absolute, true);
        assert_eq!(start_stop_daemon(&call(line), &mut machine), Answer::ok());
        assert_eq!(machine.record.all()[0].how, How::Unit(line.into()));
    }
}
