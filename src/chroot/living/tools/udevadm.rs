//! udevadm: a boot has udev look at every device, by rules that are files.

use crate::chroot::living::{
    call::{Answer, Call},
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[("udevadm", udevadm)];

fn udevadm(call: &Call, machine: &mut Machine) -> Answer {
    let mut words = call
        .args
        .iter()
        .skip_while(|word| ["-d", "--debug"].contains(&&***word));
    let verb = words.next().map_or("", |verb| &**verb);
    let shows = |word: &&String| ["-h", "--help", "-V", "--version"].contains(&&***word);
    if words.clone().any(|word| shows(&word)) {
        return Answer::Pass;
    }
    match verb {
        // There is nothing to wait for, and anybody may.
        "settle" => Answer::ok(),
        "trigger"
            if words
                .clone()
                .any(|word| ["-n", "--dry-run", "-v", "--verbose"].contains(&&**word)) =>
        {
            Answer::Pass
        }
        "trigger" | "control" if !call.is_root() => Answer::Pass,
        "control" if !words.clone().any(|word| is_by_boot(word)) => Answer::refused(
            "udev does not run in an image",
            "put what it is to be told into /etc/udev/udev.conf or a rule",
        ),
        "trigger" | "control" => {
            machine.record.put_off(call.line(), How::ByBoot);
            Answer::ok()
        }
        // These look at files and at /sys.
        _ => Answer::Pass,
    }
}

/// What udev does anyway when it starts, or needs no more.
fn is_by_boot(word: &str) -> bool {
    const WORDS: [&str; 8] = [
        "-R",
        "--reload",
        "--reload-rules",
        "--ping",
        "-s",
        "-S",
        "--stop-exec-queue",
        "--start-exec-queue",
    ];
    WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot::living::call::tests::call;

    #[test]
    fn rules_are_read_at_the_boot() {
        let mut machine = Machine::new("/nonexistent".as_ref(), false);
        for line in [
            "udevadm control --reload-rules",
            "udevadm control -R",
            "udevadm trigger",
            "udevadm trigger --subsystem-match=net --action=change",
        ] {
            assert_eq!(udevadm(&call(line), &mut machine), Answer::ok(), "{line}");
            let last = machine.record.all().last().unwrap();
            assert_eq!((&*last.what, &last.how), (line, &How::ByBoot));
        }
        let noted = machine.record.all().len();
        assert_eq!(
            udevadm(&call("udevadm settle --timeout=5"), &mut machine),
            Answer::ok()
        );
        for line in [
            "udevadm info --query=all /dev/null",
            "udevadm trigger --dry-run",
            "udevadm --version",
            "udevadm hwdb --update",
        ] {
            assert_eq!(udevadm(&call(line), &mut machine), Answer::Pass, "{line}");
        }
        let refused = udevadm(&call("udevadm control --log-level=debug"), &mut machine);
        assert!(matches!(refused, Answer::Said { code: 1, .. }));
        assert_eq!(machine.record.all().len(), noted);
    }
}
