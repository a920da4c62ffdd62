//! What becomes of the rules when a run ends.

use std::{fs, path::Path};

use super::{
    Asked, Kind, boot, differences,
    iptables::{self, How, Tables, program_of},
    names::{Family, Names},
    nft::ruleset::{Ruleset, Style},
    steps::{self, BEGIN_NFT, BEGIN_SETS, END, begin_restore},
};
use crate::chroot::living::{machine::Machine, record::How as By};

/// What becomes of one kind of rules.
#[derive(Default)]
struct Settled {
    /// The file that a boot loads and that has them.
    file: Option<&'static str>,
    /// What the first boot does.
    step: String,
}

/// Puts what no boot loads where it is loaded, and notes all of it.
pub fn settle(machine: &mut Machine) {
    let now = machine.firewall.state();
    machine.firewall.forget_vain(now);
    let asked = std::mem::take(&mut machine.firewall.asked);
    let root = machine.root.clone();
    // Rules name sets, which must be there before.
    let sets = sets(machine, &root);
    let kept = sets.step.is_empty();
    let iptables = tables(machine, &root, kept);
    let nft = nft(machine, &root);
    for (kind, settled) in [
        (Kind::Sets, sets),
        (Kind::Iptables, iptables),
        (Kind::Nft, nft),
    ] {
        note(
            machine,
            asked.iter().filter(|asked| asked.kind == kind),
            &settled,
        );
    }
}

fn note<'a>(machine: &mut Machine, asked: impl Iterator<Item = &'a Asked>, settled: &Settled) {
    let mut asked = asked.peekable();
    let now = machine.record.task.take();
    while let Some(Asked {
        what, task, more, ..
    }) = asked.next()
    {
        let what = match more {
            0 => what.clone(),
            more => format!("{what} (and {more} more)"),
        };
        machine.record.task.clone_from(task);
        match settled.file {
            // The last one's step is for all of them.
            _ if !settled.step.is_empty() => {
                let last = asked.peek().is_none();
                let step = if last { settled.step.as_str() } else { "" };
                machine.record.put_off(what, By::Unit(step.to_owned()));
            }
            Some(file) => machine.record.put_off(what, By::Carried(file.to_owned())),
            // It came to nothing.
            None => {}
        }
    }
    machine.record.task = now;
}

fn tables(machine: &mut Machine, root: &Path, sets_kept: bool) -> Settled {
    let mut settled = Settled::default();
    for family in [Family::V4, Family::V6] {
        let rules = match family {
            Family::V4 => machine.firewall.v4.take(),
            Family::V6 => machine.firewall.v6.take(),
        };
        let Some(rules) = rules else { continue };
        let names = Names::new(family, root, None);
        let file = boot::file(family, root);
        if let Some(file) = file.filter(|_| adopt(&rules.now, &names, root)) {
            settled.file = settled.file.or(Some(file));
            continue;
        }
        if rules.before == rules.now {
            continue;
        }
        let mut at_boot = boot::tables(&names, root);
        let lines = differences::lines(&rules.before, &rules.now, &at_boot);
        if lines.is_empty() {
            let ufw = boot::ufw_is_on(root).then_some("/etc/ufw/ufw.conf");
            settled.file = settled.file.or(ufw).or(file);
            continue;
        }
        let complete = sets_kept || !lines.contains("-set ");
        let file = file
            .filter(|file| complete && save(&mut at_boot, &lines, &names, &root.join(&file[1..])));
        settled.file = settled.file.or(file);
        if file.is_none() {
            settled.step += &format!("{}{lines}{END}\n", begin_restore(family));
        }
    }
    settled
}

/// Where an earlier run has put rules off to the unit, and there is a file for them by now, that gets all of them.
fn adopt(now: &Tables, names: &Names, root: &Path) -> bool {
    let begin = begin_restore(names.family);
    if !steps::earlier(&begin, root, |_| {}) {
        return false;
    }
    let Some(file) = boot::file(names.family, root).map(|file| root.join(&file[1..])) else {
        return false;
    };
    let mut tables = Tables::default();
    boot::load_file(&mut tables, names, root);
    let lines = differences::lines(&Tables::default(), now, &tables);
    let saved = lines.is_empty() || save(&mut tables, &lines, names, &file);
    if saved {
        steps::forget(&begin, root);
    }
    saved
}

/// Adds `lines` to what the file has; false where that cannot be.
fn save(tables: &mut Tables, lines: &str, names: &Names, file: &Path) -> bool {
    let how = How {
        keep: true,
        program: "iptables-restore".into(),
        ..How::default()
    };
    let head = format!("{}-save", program_of(names.family));
    iptables::restore(tables, lines, &how, names).is_ok()
        && write(file, &iptables::save(tables.used(), &head, false))
}

/// Writes a file, unless a link or a pipe is in its place, which is not ours to follow.
fn write(file: &Path, text: &str) -> bool {
    let folder = file
        .parent()
        .is_some_and(|folder| fs::create_dir_all(folder).is_ok());
    let plain = fs::symlink_metadata(file).map_or(true, |it| it.is_file());
    folder && plain && fs::write(file, text).is_ok()
}

fn sets(machine: &mut Machine, root: &Path) -> Settled {
    let mut settled = Settled::default();
    let Some(sets) = machine.firewall.sets.take() else {
        return settled;
    };
    let lines = sets.now.changes(&sets.before, &boot::sets(root));
    let file = boot::sets_file(root);
    if lines.is_empty() {
        settled.file = file.filter(|_| sets.now != sets.before);
    } else if let Some(file) =
        file.filter(|file| write(&root.join(&file[1..]), &sets.now.save(None)))
    {
        settled.file = Some(file);
    } else {
        settled.step = format!("{BEGIN_SETS}{lines}{END}\n");
    }
    settled
}

fn nft(machine: &mut Machine, root: &Path) -> Settled {
    let mut settled = Settled::default();
    let Some(rules) = machine.firewall.nft.take() else {
        return settled;
    };
    let (before, now, at_boot) = (&rules.before, &rules.now, boot::ruleset(root));
    let mut changed = false;
    let mut lines = String::new();
    for table in &now.tables {
        let same = |other: &Ruleset| {
            let other = other.table(&table.family, &table.name);
            other.is_some_and(|other| other.same(table))
        };
        let new = !same(before);
        changed |= new;
        if new && !same(&at_boot) {
            let name = format!("{} {}", table.family, table.name);
            // Whatever is there by then is replaced.
            lines += &format!("table {name}\ndelete table {name}\n");
            let style = Style {
                stateless: true,
                ..Style::default()
            };
            lines += &table.print(style);
        }
    }
    for table in &before.tables {
        let there = |rules: &Ruleset| rules.table(&table.family, &table.name).is_some();
        if !there(now) {
            changed = true;
            if there(&at_boot) {
                lines += &format!("delete table {} {}\n", table.family, table.name);
            }
        }
    }
    match lines.is_empty() {
        true => settled.file = boot::nft_file(root).filter(|_| changed),
        false => settled.step = format!("{BEGIN_NFT}{lines}{END}\n"),
    }
    settled
}
