use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::chroot::living::{call::tests::call, tools::testing};

fn machine() -> (tempfile::TempDir, Machine) {
    let (dir, machine) = testing::with_systemd();
    fs::create_dir_all(machine.at("usr/share/zoneinfo/Europe")).unwrap();
    fs::write(machine.at("usr/share/zoneinfo/Europe/Vienna"), "TZif2").unwrap();
    symlink("/usr/share/zoneinfo/Etc/UTC", machine.at("etc/localtime")).unwrap();
    (dir, machine)
}

fn said(line: &str, machine: &mut Machine) -> (u8, String) {
    testing::said(TOOLS, &call(line), machine)
}

#[test]
fn a_zone_is_set_and_told() {
    let (_dir, mut machine) = machine();
    let mut say = |line| said(line, &mut machine);
    assert_eq!(
        say("timedatectl show -p Timezone --value"),
        (0, "Etc/UTC\n".into())
    );
    assert_eq!(
        say("timedatectl set-timezone Europe/Vienna"),
        (0, String::new())
    );
    let (_, status) = say("timedatectl");
    assert!(
        status.contains("                Time zone: Europe/Vienna ("),
        "{status}"
    );
    assert!(
        status.contains("          RTC in local TZ: no\n"),
        "{status}"
    );
    let (code, error) = say("timedatectl set-timezone Mars/Base");
    assert_eq!(
        (code, &*error),
        (
            1,
            "Failed to set time zone: Invalid or not installed time zone 'Mars/Base'\n"
        )
    );
    assert_eq!(say("timedatectl set-local-rtc 1"), (0, String::new()));
    assert_eq!(
        say("timedatectl show --property=LocalRTC"),
        (0, "LocalRTC=yes\n".into())
    );
    assert_eq!(say("hwclock --systohc --utc"), (0, String::new()));
    assert_eq!(
        say("timedatectl show --property=LocalRTC"),
        (0, "LocalRTC=no\n".into())
    );
}

#[test]
fn what_sets_the_clock_is_one_service() {
    let (_dir, mut machine) = machine();
    let no = (1, "Failed to set ntp: NTP not supported\n".to_owned());
    assert_eq!(said("timedatectl set-ntp true", &mut machine), no);
    for folder in [
        "usr/lib/systemd/ntp-units.d",
        "usr/lib/systemd/system",
        "etc/systemd/ntp-units.d",
    ] {
        fs::create_dir_all(machine.at(folder)).unwrap();
    }
    let units = machine.at("usr/lib/systemd/system");
    for name in ["chrony", "systemd-timesyncd"] {
        fs::write(
            units.join(format!("{name}.service")),
            "[Service]\nExecStart=/bin/x\n",
        )
        .unwrap();
    }
    let lists = [
        (
            "usr/lib/systemd/ntp-units.d/50-chrony.list",
            "chrony.service\n",
        ),
        (
            "usr/lib/systemd/ntp-units.d/80-systemd-timesync.list",
            "# x\nsystemd-timesyncd.service\n",
        ),
        ("etc/systemd/ntp-units.d/20-none.list", "ntpsec.service\n"),
    ];
    for (path, text) in lists {
        fs::write(machine.at(path), text).unwrap();
    }
    let root = Root::open(&machine.root).unwrap();
    assert_eq!(
        services(&root),
        ["chrony.service", "systemd-timesyncd.service"]
    );
    let (_, shown) = said("timedatectl show", &mut machine);
    assert!(shown.contains("CanNTP=yes\nNTP=no\n"), "{shown}");
}

#[test]
fn no_clock_is_set() {
    let (_dir, mut machine) = machine();
    for line in ["timedatectl set-time 10:00", "hwclock --set --date=now"] {
        let (code, error) = said(line, &mut machine);
        assert!(code == 1 && error.contains("hint: "), "{line}");
    }
    let mut call = call("timedatectl set-timezone Europe/Vienna");
    call.user = 1000;
    let (code, error) = testing::said(TOOLS, &call, &mut machine);
    assert_eq!(
        (code, &*error),
        (
            1,
            "Failed to set time zone: Interactive authentication required.\n"
        )
    );
    assert_eq!(
        hwclock(&self::call("hwclock --show"), &mut machine),
        Answer::Pass
    );
}
