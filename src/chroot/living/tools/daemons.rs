//! Programs that tell a daemon or the kernel to do what a boot does anyway, by files: clocks, shares, quotas, memory. And
//! those that ask the firmware of a board.

use super::timedatectl;
use crate::chroot::living::{
    call::{Answer, Call},
    env_file::text,
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("chronyc", chronyc),
    ("exportfs", exportfs),
    ("ntpdate", ntpdate),
    ("quotaoff", quotaon),
    ("quotaon", quotaon),
    ("vcgencmd", vcgencmd),
    ("zramctl", zramctl),
];

fn words(call: &Call) -> Vec<&str> {
    call.args.iter().map(String::as_str).collect()
}

fn carried(call: &Call, machine: &mut Machine, file: &str) -> Answer {
    machine
        .record
        .put_off(call.line(), How::Carried(file.into()));
    Answer::ok()
}

/// Only where a boot starts what sets the clock.
fn set_by_network(call: &Call, machine: &mut Machine) -> Answer {
    if timedatectl::is_set_at_boot(machine) {
        machine.record.put_off(call.line(), How::ByBoot);
        return Answer::ok();
    }
    Answer::refused(
        &format!("`{}` sets the clock, and an image has none", call.line()),
        "enable what sets the machine's clock, such as systemd-timesyncd or chrony, and leave this task out",
    )
}

fn chronyc(call: &Call, machine: &mut Machine) -> Answer {
    let options = |word: &&str| word.starts_with('-');
    match words(call).into_iter().find(|word| !options(word)) {
        Some("makestep" | "burst" | "online" | "waitsync") if call.is_root() => {
            set_by_network(call, machine)
        }
        _ => Answer::Pass,
    }
}

fn ntpdate(call: &Call, machine: &mut Machine) -> Answer {
    match !call.is_root()
        || words(call)
            .iter()
            .any(|word| ["-q", "-h", "--help"].contains(word))
    {
        true => Answer::Pass,
        false => set_by_network(call, machine),
    }
}

/// What is in the file is exported by each boot.
fn exportfs(call: &Call, machine: &mut Machine) -> Answer {
    let words = words(call);
    let letters = |word: &&str| {
        word.starts_with('-') && word[1..].chars().all(|letter| "arfv".contains(letter))
    };
    match words[..] {
        _ if !call.is_root() => Answer::Pass,
        [] | ["-v" | "-s" | "-h"] => Answer::Pass,
        ref all if all.iter().all(letters) => carried(call, machine, "/etc/exports"),
        ["-f"] => carried(call, machine, "/etc/exports"),
        _ => machine.put_off_to_unit(&call.line(), call.line()),
    }
}

/// systemd switches quotas on where fstab has them.
fn quotaon(call: &Call, machine: &mut Machine) -> Answer {
    let shows = ["-p", "--print-state", "-h", "--help", "-V", "--version"];
    if !call.is_root() || words(call).iter().any(|word| shows.contains(word)) {
        return Answer::Pass;
    }
    let fstab = text(machine, "/etc/fstab").unwrap_or_default();
    let has = ["usrquota", "grpquota", "usrjquota", "grpjquota"]
        .iter()
        .any(|option| fstab.contains(option));
    match call.name() == "quotaon" && has {
        true => carried(call, machine, "/etc/fstab"),
        false => machine.put_off_to_unit(&call.line(), call.line()),
    }
}

fn zramctl(call: &Call, machine: &mut Machine) -> Answer {
    let changes = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default();
        [
            "-s",
            "--size",
            "-r",
            "--reset",
            "-a",
            "--algorithm",
            "-t",
            "--streams",
        ]
        .contains(&name)
    };
    match call.is_root()
        && words(call).iter().any(changes)
        && !words(call).contains(&"-f")
        && !words(call).contains(&"--find")
    {
        true => machine.put_off_to_unit(&call.line(), call.line()),
        false => Answer::Pass,
    }
}

fn vcgencmd(call: &Call, _: &mut Machine) -> Answer {
    match words(call)[..] {
        [] | ["-h" | "--help", ..] => Answer::Pass,
        _ => Answer::refused(
            &format!(
                "`{}` asks the firmware of a board, and an image has none",
                call.line()
            ),
            "settings of the firmware are in config.txt on the boot partition; with hn_board, /proc/cpuinfo tells which board it is",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::{call::tests::call, tools::testing};

    #[test]
    fn what_a_file_brings_about_is_told_by_its_name() {
        let (_dir, mut machine) = testing::with_systemd();
        let mut say = |line| testing::said(TOOLS, &call(line), &mut machine);
        for line in [
            "exportfs -ra",
            "exportfs -a -v",
            "exportfs -o rw 192.0.2.1:/srv",
            "quotaon -avug",
            "zramctl /dev/zram0 --size 1G",
        ] {
            assert_eq!(say(line), (0, String::new()), "{line}");
        }
        fs::write(
            machine.at("etc/fstab"),
            "LABEL=x / ext4 defaults,usrquota 0 1\n",
        )
        .unwrap();
        assert_eq!(
            testing::said(TOOLS, &call("quotaon -a"), &mut machine),
            (0, String::new())
        );
        let hows: Vec<_> = machine
            .record
            .all()
            .iter()
            .map(|one| one.how.clone())
            .collect();
        let (carried, unit) = (
            |file: &str| How::Carried(file.into()),
            |line: &str| How::Unit(line.into()),
        );
        let expected = [
            carried("/etc/exports"),
            carried("/etc/exports"),
            unit("exportfs -o rw 192.0.2.1:/srv"),
            unit("quotaon -avug"),
            unit("zramctl /dev/zram0 --size 1G"),
            carried("/etc/fstab"),
        ];
        assert_eq!(hows, expected);
        for line in [
            "exportfs",
            "exportfs -v",
            "quotaon -p -a",
            "zramctl",
            "chronyc tracking",
            "ntpdate -q x",
        ] {
            let call = call(line);
            let tool = crate::chroot::living::tool::find(TOOLS, call.name()).unwrap();
            assert_eq!(tool(&call, &mut machine), Answer::Pass, "{line}");
        }
    }

    #[test]
    fn a_clock_that_nothing_sets_is_not_put_off() {
        let (_dir, mut machine) = testing::with_systemd();
        for line in [
            "ntpdate pool.ntp.org",
            "chronyc makestep",
            "vcgencmd measure_temp",
        ] {
            let (code, error) = testing::said(TOOLS, &call(line), &mut machine);
            assert!(code == 1 && error.contains("hint: "), "{line}");
        }
    }
}
