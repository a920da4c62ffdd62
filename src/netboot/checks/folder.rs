//! The folder as a whole: its name, who can read it, where its links lead, and how long it takes to fetch.

use std::{
    io,
    path::{Component, Path},
};

use super::super::{Kind, finding::Notes, load::Load, seen::Seen};

/// More than any folder for a Pi has.
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 16;

/// What the bootloader asks a TFTP server for at a time, in bytes, and how long it takes until the next, in microseconds:
/// raspberrypi/rpi-eeprom, issues 74 and 87.
const BLOCK: u64 = 1024;
const ROUND_TRIP: u64 = 200;

/// The most that one file may have, in bytes. The bootloader counts blocks with 16 bits and does not begin again (raspberrypi/rpi-eeprom,
/// issue 720): with its usual blocks, and with the largest that any version asks for.
const SAFE_SIZE: u64 = 0xffff * BLOCK;
const MAX_SIZE: u64 = 0xffff * 1468;

/// `directory-name`
pub fn name(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let Some(name) = seen.wanted.directory.as_deref() else {
        notes.unknown("what the folder will be called is not known");
        return Ok(());
    };
    let is_hex = |text: &str| text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if seen.wanted.by_mac {
        let parts: Vec<&str> = name.split('-').collect();
        if parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && is_hex(part)) {
            notes.fine(format!("{name} is a MAC address with dashes"));
        } else {
            let hint = "name it after the MAC address, in lower case, with dashes: dc-a6-32-01-36-c2; the Pi needs TFTP_PREFIX=2";
            notes.fail(format!("the folder is called {name}"), "", hint);
        }
    } else if name.len() == 8 && is_hex(name) {
        notes.fine(format!("{name} is the end of a serial number"));
    } else {
        let hint = "name it after the last eight digits of the serial number (grep Serial /proc/cpuinfo), in lower case";
        notes.fail(format!("the folder is called {name}"), "", hint);
    }
    Ok(())
}

/// Calls `visit` for everything in the folder, with its path. A folder that a link leads to is not gone into.
fn walk(seen: &Seen<'_>, visit: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let mut folders = vec![String::new()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        let limit = MAX_FILES - count;
        for name in seen
            .boot
            .list(if folder.is_empty() { "." } else { &folder }, limit)?
        {
            count += 1;
            let path = match folder.as_str() {
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            visit(&path)?;
            let is_link = seen.boot.tree.link(path.as_ref())?.is_some();
            let is_folder = || {
                Ok::<_, io::Error>(
                    seen.boot
                        .stat(&path)?
                        .is_some_and(|stat| stat.kind == Kind::Directory),
                )
            };
            if !is_link && is_folder()? {
                if path.split('/').count() > MAX_DEPTH {
                    return Err(io::Error::other(format!(
                        "more than {MAX_DEPTH} folders in each other"
                    )));
                }
                folders.push(path);
            }
        }
    }
    Ok(())
}

/// `readable`
pub fn readable(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let mut count = 0;
    walk(seen, &mut |path| {
        count += 1;
        let Some(stat) = seen.boot.stat(path)? else {
            // A link that leads nowhere, which is another check's.
            return Ok(());
        };
        let (needed, hint) = match stat.kind {
            Kind::Directory => (0o5, "chmod o+rx it: the TFTP server does not run as root"),
            _ => (0o4, "chmod o+r it: the TFTP server does not run as root"),
        };
        if stat.mode & needed != needed {
            notes.fail(
                format!("others cannot read it: its mode is {:o}", stat.mode),
                path,
                hint,
            );
        }
        Ok(())
    })?;
    notes.fine(format!("all of {count} files and folders"));
    Ok(())
}

/// `links`
pub fn links(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let mut count = 0;
    walk(seen, &mut |path| {
        let Some(target) = seen.boot.tree.link(path.as_ref())? else {
            return Ok(());
        };
        count += 1;
        if leads_out(path, &target) {
            let hint = "put the file itself there, or a relative link that stays in the folder";
            notes.fail(
                format!("a link to {target}, which is not in the folder"),
                path,
                hint,
            );
        } else if seen.boot.stat(path)?.is_none() {
            let hint = "remove the link, or put there what it leads to";
            notes.fail(
                format!("a link to {target}, which does not exist"),
                path,
                hint,
            );
        }
        Ok(())
    })?;
    match count {
        0 => notes.fine("there are none"),
        count => notes.fine(format!("{count} of them stay in the folder")),
    }
    Ok(())
}

/// Whether a link leads out of the folder that `path` is relative to.
fn leads_out(path: &str, target: &str) -> bool {
    let mut depth = path.split('/').count() as i64 - 1;
    for part in Path::new(target).components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// `transfer`
pub fn transfer(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let mut bytes = 0;
        for file in load.files() {
            let size = file.size.unwrap_or(0);
            bytes += size;
            let saw = format!("{} has {:.1} MB", file.path, megabytes(size));
            if size > MAX_SIZE {
                let hint = "make it smaller, such as with MODULES=dep or a better compression: a Pi's TFTP cannot fetch it";
                notes.fail(saw, &file.path, hint);
            } else if size > SAFE_SIZE {
                notes.unknown(format!("{saw}, which only newer bootloaders can fetch"));
            }
        }
        notes.fine(format!(
            "{} fetches {:.1} MB in {} files, which takes some {} s over TFTP",
            load.board.name(),
            megabytes(bytes),
            load.files().count(),
            seconds(load, bytes),
        ));
    }
    notes.fine(format!(
        "in blocks of {BLOCK} bytes, each {:.1} ms after the one before",
        ROUND_TRIP as f64 / 1000.0
    ));
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// How long it takes to fetch so much. TFTP waits for an answer to each block (RFC 1350).
fn seconds(load: &Load, bytes: u64) -> u64 {
    let waiting = bytes / BLOCK * ROUND_TRIP;
    let sending = bytes * 8 * 1_000_000 / load.board.speed();
    (waiting + sending).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::leads_out;

    #[test]
    fn a_link_leads_out_if_it_ever_leaves_the_folder() {
        for (path, target, expected) in [
            ("a", "b", false),
            ("x/a", "../b", false),
            ("a", "../b", true),
            ("a", "/srv/tftp/b", true),
            ("x/a", "y/../../b", false),
            ("x/a", "../../x/b", true),
        ] {
            assert_eq!(leads_out(path, target), expected, "{path} -> {target}");
        }
    }
}
