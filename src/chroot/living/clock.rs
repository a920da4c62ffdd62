//! What the machine knows of its clocks: the time zone, and whether the one of the hardware is in local time. As
//! systemd's src/timedate/timedated.c reads and writes it.

use std::{fs, io, io::Read, path::Path};

use super::{
    env_file::{remove, replace, text},
    machine::Machine,
};
use crate::sys::inroot::Root;

const LOCAL_TIME: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo/";
const ADJTIME: &str = "/etc/adjtime";
/// Debian's own file, which systemd wrote, too, until this version.
const DEBIANS_ZONE: &str = "/etc/timezone";
const LAST_WITH_FILE: u32 = 251;
/// The file of a hardware clock that was never set.
const FRESH: &str = "0.0 0 0\n0\n";

/// The time zone; nothing where the file is no link into the zones.
pub fn zone(machine: &Machine) -> Option<String> {
    match fs::read_link(machine.at(LOCAL_TIME)) {
        Ok(target) => {
            let target = target.to_string_lossy().into_owned();
            let zone = target
                .split_once("/usr/share/zoneinfo/")
                .map(|(_, zone)| zone.to_owned());
            zone.or_else(|| {
                target
                    .strip_prefix("../usr/share/zoneinfo/")
                    .map(str::to_owned)
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("UTC".into()),
        Err(_) => None,
    }
}

/// Whether there is a zone of this name.
pub fn has_zone(machine: &Machine, name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/".contains(&byte);
    let is_name = name.bytes().all(plain) && name.split('/').all(|part| !part.is_empty());
    let magic = || {
        let root = Root::open(&machine.root).ok()?;
        let mut magic = [0; 4];
        root.file(format!("{ZONES}{name}").as_ref())
            .ok()?
            .read_exact(&mut magic)
            .ok()?;
        Some(&magic == b"TZif")
    };
    name == "UTC" || (is_name && magic() == Some(true))
}

/// Makes it the time zone.
///
/// # Errors
/// Where that cannot be.
pub fn set_zone(machine: &Machine, name: &str) -> io::Result<()> {
    let at = machine.at(LOCAL_TIME);
    if name == "UTC" && !machine.at(ZONES).join(name).exists() {
        return remove(machine, LOCAL_TIME);
    }
    let part = at.with_file_name(".localtime.pichroot");
    let _ = fs::remove_file(&part);
    std::os::unix::fs::symlink(format!("../usr/share/zoneinfo/{name}"), &part)?;
    fs::rename(part, at)?;
    let is_file = fs::symlink_metadata(machine.at(DEBIANS_ZONE)).is_ok_and(|data| data.is_file());
    if is_file && systemd(machine).is_some_and(|version| version <= LAST_WITH_FILE) {
        replace(machine, DEBIANS_ZONE, &format!("{name}\n"))?;
    }
    Ok(())
}

/// The version of systemd, by the name of its library.
fn systemd(machine: &Machine) -> Option<u32> {
    let root = Root::open(&machine.root).ok()?;
    let folders = ["usr/lib/systemd", "lib/systemd"].map(Path::new);
    let names = folders
        .into_iter()
        .flat_map(|folder| root.names(folder, 1000).unwrap_or_default());
    names
        .filter_map(|name| {
            let version = name.strip_prefix("libsystemd-shared-")?;
            version
                .split(|letter: char| !letter.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        .max()
}

/// Whether the hardware's clock is in local time.
pub fn is_local(machine: &Machine) -> bool {
    text(machine, ADJTIME).is_some_and(|text| text.lines().nth(2) == Some("LOCAL"))
}

/// Notes whether it is.
///
/// # Errors
/// Where that cannot be.
pub fn set_local(machine: &Machine, local: bool) -> io::Result<()> {
    let word = if local { "LOCAL" } else { "UTC" };
    let Some(old) = text(machine, ADJTIME) else {
        return match local {
            true => replace(machine, ADJTIME, &format!("{FRESH}{word}\n")),
            false => Ok(()),
        };
    };
    let mut lines: Vec<&str> = old.lines().collect();
    while lines.len() < 2 {
        lines.push("0");
    }
    match lines.get_mut(2) {
        Some(line) => *line = word,
        None => lines.push(word),
    }
    let new: String = lines.iter().map(|line| format!("{line}\n")).collect();
    match new == format!("{FRESH}UTC\n") {
        true => remove(machine, ADJTIME),
        false => replace(machine, ADJTIME, &new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), true);
        for folder in ["etc", "usr/share/zoneinfo/Europe", "usr/lib/systemd"] {
            fs::create_dir_all(machine.at(folder)).unwrap();
        }
        for zone in ["Europe/Vienna", "UTC"] {
            fs::write(machine.at("usr/share/zoneinfo").join(zone), "TZif2").unwrap();
        }
        (dir, machine)
    }

    #[test]
    fn a_zone_is_a_link() {
        let (_dir, machine) = machine();
        assert_eq!(zone(&machine).as_deref(), Some("UTC"));
        for (name, is) in [
            ("Europe/Vienna", true),
            ("Europe", false),
            ("../etc", false),
            ("/UTC", false),
            ("UTC", true),
        ] {
            assert_eq!(has_zone(&machine, name), is, "{name}");
        }
        fs::write(machine.at("/etc/timezone"), "Etc/UTC\n").unwrap();
        set_zone(&machine, "Europe/Vienna").unwrap();
        let link = fs::read_link(machine.at(LOCAL_TIME)).unwrap();
        assert_eq!(link, Path::new("../usr/share/zoneinfo/Europe/Vienna"));
        assert_eq!(zone(&machine).as_deref(), Some("Europe/Vienna"));
        assert_eq!(text(&machine, "/etc/timezone").unwrap(), "Etc/UTC\n");
        fs::write(machine.at("usr/lib/systemd/libsystemd-shared-249.so"), "").unwrap();
        set_zone(&machine, "UTC").unwrap();
        assert_eq!(text(&machine, "/etc/timezone").unwrap(), "UTC\n");
    }

    #[test]
    fn the_hardwares_clock_is_in_the_third_line() {
        let (_dir, machine) = machine();
        let set = |before: Option<&str>, local| {
            let _ = fs::remove_file(machine.at(ADJTIME));
            if let Some(text) = before {
                fs::write(machine.at(ADJTIME), text).unwrap();
            }
            set_local(&machine, local).unwrap();
            assert_eq!(is_local(&machine), local);
            text(&machine, ADJTIME)
        };
        assert_eq!(set(None, false), None);
        assert_eq!(set(None, true).unwrap(), "0.0 0 0\n0\nLOCAL\n");
        assert_eq!(set(Some("0.0 0 0\n0\nLOCAL\n"), false), None);
        assert_eq!(
            set(Some("1.5 7 0\n7\nUTC\n"), true).unwrap(),
            "1.5 7 0\n7\nLOCAL\n"
        );
        assert_eq!(set(Some("1.5 7 0"), true).unwrap(), "1.5 7 0\n0\nLOCAL\n");
    }
}
