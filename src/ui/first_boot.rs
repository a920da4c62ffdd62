//! What was put off to the first boot, in a block of lines.

use crate::event::{By, FirstBoot, PutOff};

/// How many lines there are where not all were asked for.
const LINES: usize = 20;
/// How many things a line names then.
const NAMED: usize = 3;
/// How much of each then, in characters.
const LENGTH: usize = 100;

/// The lines, from the title on; none where there is nothing. With `verbose` each thing has one, in the tasks' order.
pub fn lines(all: &FirstBoot, verbose: bool) -> Vec<String> {
    let mut lines = match verbose {
        true => all.put_off.iter().map(one).collect(),
        false => short(&all.put_off),
    };
    if all.more > 0 {
        lines.push(format!("and {} more, which need no unit", all.more));
    }
    let unit = all.put_off.iter().any(|one| one.by == By::Unit);
    if unit && all.earlier > 0 {
        let steps = match all.earlier {
            1 => "the step of an earlier run".into(),
            number => format!("the {number} steps of earlier runs"),
        };
        lines.push(format!("before these the unit does {steps}"));
    }
    if !lines.is_empty() {
        lines.insert(0, "at first boot:".into());
    }
    lines
}

fn one(put_off: &PutOff) -> String {
    let what = one_line(&put_off.what);
    format!("{}: {what}{}", by(&put_off.by), task(&put_off.task))
}

/// What any boot does in one line, and then what one task has put off in the same way in one line each.
fn short(all: &[PutOff]) -> Vec<String> {
    let (boot, others): (Vec<&PutOff>, Vec<_>) = all.iter().partition(|one| one.by == By::Boot);
    let mut whats: Vec<&str> = Vec::new();
    for what in boot.iter().map(|one| one.what.as_str()) {
        if !whats.contains(&what) {
            whats.push(what);
        }
    }
    let mut lines = Vec::new();
    if !whats.is_empty() {
        lines.push(format!("{}: {}", by(&By::Boot), some(&whats)));
    }
    let same = |a: &&PutOff, b: &&PutOff| a.by == b.by && a.task == b.task;
    for group in others.chunk_by(same) {
        let whats: Vec<_> = group.iter().map(|one| one.what.as_str()).collect();
        let (by, task) = (by(&group[0].by), task(&group[0].task));
        lines.push(format!("{by}: {}{task}", some(&whats)));
    }
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("and {more} lines more, which -v shows"));
    }
    lines
}

fn by(by: &By) -> String {
    match by {
        By::Boot => "any boot does".into(),
        By::File(file) => format!("by {} in the image", one_line(file)),
        By::Unit => "by pichroot-first-boot.service".into(),
    }
}

fn task(task: &Option<String>) -> String {
    let named = task.as_ref().map(|name| format!(" ({})", one_line(name)));
    named.unwrap_or_default()
}

/// The first of them.
fn some(whats: &[&str]) -> String {
    let named = whats.iter().take(NAMED).map(|what| one_line(&cut(what)));
    let named = named.collect::<Vec<_>>().join(", ");
    match whats.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// Names of the image's must not look like lines of ours.
fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_off(by: By, what: &str, task: &str) -> PutOff {
        PutOff {
            what: what.into(),
            task: Some(task.into()),
            by,
        }
    }

    fn all() -> FirstBoot {
        let file = || By::File("/etc/sysctl.d/x.conf".into());
        FirstBoot {
            put_off: vec![
                put_off(By::Boot, "reboot", "a"),
                put_off(By::Unit, "modprobe x\ny", "b\nc"),
                put_off(By::Boot, "reboot", "d"),
                put_off(file(), "sysctl -w a=1", "e"),
                put_off(By::Unit, "ip 1", "f"),
                put_off(By::Unit, "ip 2", "f"),
                put_off(By::Unit, "ip 3", "f"),
                put_off(By::Unit, &"x".repeat(200), "f"),
                put_off(By::Unit, "ip 4", "g"),
            ],
            more: 0,
            earlier: 2,
        }
    }

    #[test]
    fn what_belongs_together_is_in_one_line() {
        let lines = lines(&all(), false);
        let unit = "by pichroot-first-boot.service";
        assert_eq!(
            lines,
            [
                "at first boot:",
                "any boot does: reboot",
                &format!(r"{unit}: modprobe x\ny (b\nc)"),
                "by /etc/sysctl.d/x.conf in the image: sysctl -w a=1 (e)",
                &format!("{unit}: ip 1, ip 2, ip 3 and 1 more (f)"),
                &format!("{unit}: ip 4 (g)"),
                "before these the unit does the 2 steps of earlier runs",
            ]
        );
    }

    #[test]
    fn each_is_named_where_that_is_asked_for() {
        let lines = lines(&all(), true);
        assert_eq!(lines.len(), 1 + 9 + 1);
        assert_eq!(lines[1], "any boot does: reboot (a)");
        assert_eq!(lines[3], "any boot does: reboot (d)");
        assert!(lines[8].contains(&"x".repeat(200)));
    }

    #[test]
    fn there_are_not_too_many_lines() {
        let mut all = FirstBoot::default();
        assert!(lines(&all, false).is_empty());
        for number in 0..50 {
            let task = format!("task {number}");
            all.put_off.push(put_off(By::Unit, &"y".repeat(101), &task));
        }
        let lines = lines(&all, false);
        assert_eq!(lines.len(), 1 + LINES + 1);
        assert!(lines[1].contains(&format!("{}... (task 0)", "y".repeat(100))));
        assert_eq!(lines[LINES + 1], "and 30 lines more, which -v shows");
    }
}
