//! Tables on standard output.

use std::io::{self, Write};

use super::{is_obeyed, shown};

// Bold colours (ECMA-48), and none.
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const GREEN: &str = "\x1b[1;32m";
const PLAIN: &str = "\x1b[0m";

/// What a line of a table means, shown as the colour of its first cell; words tell it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// All is well.
    Good,
    /// Something to know.
    Caution,
    /// Something is wrong.
    Bad,
}

/// Writes lines of cells to standard output, each column as wide as its widest cell. A line of one cell stands beside
/// the columns, and may be longer than they are. What a terminal would obey is shown.
///
/// # Errors
/// Those of writing; a reader that went away is none.
pub fn table(lines: &[(Tone, Vec<String>)]) -> io::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    match out
        .write_all(layout(lines).as_bytes())
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn layout(lines: &[(Tone, Vec<String>)]) -> String {
    let visible = |(tone, cells): &(Tone, Vec<String>)| {
        let cells = cells.iter().map(|cell| shown(cell, is_obeyed).into_owned());
        (*tone, cells.collect())
    };
    let lines: Vec<(Tone, Vec<String>)> = lines.iter().map(visible).collect();
    let mut widths: Vec<usize> = Vec::new();
    for (_, cells) in lines.iter().filter(|(_, cells)| cells.len() > 1) {
        widths.resize(widths.len().max(cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (tone, cells) in &lines {
        let mut line = String::new();
        for (number, cell) in cells.iter().enumerate() {
            let width = widths.get(number).copied().unwrap_or_default();
            let padded = format!("{cell:width$}");
            let colour = match tone {
                _ if number > 0 => "",
                Tone::Plain => "",
                Tone::Good => GREEN,
                Tone::Caution => YELLOW,
                Tone::Bad => RED,
            };
            match colour {
                "" => line.push_str(&padded),
                _ => line.push_str(&format!("{colour}{padded}{PLAIN}")),
            }
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_lines_have_no_blanks_at_their_end() {
        let line = |a: &str, b: &str, c: &str| (Tone::Plain, vec![a.into(), b.into(), c.into()]);
        let text = layout(&[
            line("ok", "e2fsck", "here"),
            line("missing", "x", ""),
            line("", "", "run"),
        ]);
        assert_eq!(
            text,
            "ok       e2fsck  here\nmissing  x\n                 run\n"
        );
        let alone = (Tone::Plain, vec!["a long line beside them".into()]);
        let text = layout(&[line("a\n\x1b[2J", "b", "c"), alone, line("d", "e", "")]);
        assert_eq!(
            text,
            "a\\n\\u{1b}[2J  b  c\na long line beside them\nd             e\n"
        );
    }
}
