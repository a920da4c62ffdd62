//! How nmcli prints, and what it says where only the daemon could answer.

use super::super::super::call::{Answer, Call};

/// How nmcli prints.
#[derive(Default)]
pub struct Style {
    /// `-t`.
    pub terse: bool,
    /// `-g`: values alone.
    pub values: bool,
    /// `-s`.
    pub secrets: bool,
    /// `-f`.
    pub fields: Option<Vec<String>>,
    /// `-m`.
    pub multiline: Option<bool>,
    /// Unless `-e no`.
    pub escape: bool,
}

impl Style {
    /// A table, or its values with colons in between.
    pub fn table(&self, heads: &[&str], rows: &[Vec<String>]) -> String {
        let wanted: Vec<usize> = match &self.fields {
            None => (0..heads.len()).collect(),
            Some(fields)
                if fields
                    .iter()
                    .any(|field| field == "all" || field == "common") =>
            {
                (0..heads.len()).collect()
            }
            Some(fields) => {
                let place = |field: &String| {
                    heads
                        .iter()
                        .position(|head| head.eq_ignore_ascii_case(field))
                };
                fields.iter().filter_map(place).collect()
            }
        };
        if self.multiline == Some(true) {
            let mut out = String::new();
            for (row, at) in rows
                .iter()
                .flat_map(|row| wanted.iter().map(move |at| (row, *at)))
            {
                out += &self.line(heads[at], &row[at]);
            }
            return out;
        }
        if self.terse {
            let line = |row: &Vec<String>| {
                let values = wanted.iter().map(|at| self.escaped(&row[*at]));
                values.collect::<Vec<_>>().join(":") + "\n"
            };
            return rows.iter().map(line).collect();
        }
        let shown = |value: &str| {
            if value.is_empty() {
                "--".to_owned()
            } else {
                value.to_owned()
            }
        };
        let width = |at: usize| {
            let values = rows.iter().map(|row| shown(&row[at]).chars().count());
            values.max().unwrap_or(0).max(heads[at].len())
        };
        let mut out = String::new();
        let line = |cells: Vec<String>| {
            let cells = cells
                .into_iter()
                .zip(&wanted)
                .map(|(cell, at)| format!("{cell:<w$}  ", w = width(*at)));
            cells.collect::<String>() + "\n"
        };
        out += &line(wanted.iter().map(|at| heads[*at].to_owned()).collect());
        for row in rows {
            out += &line(wanted.iter().map(|at| shown(&row[*at])).collect());
        }
        out
    }

    /// A property with its value.
    pub fn line(&self, name: &str, value: &str) -> String {
        match (self.values, self.terse) {
            (true, _) => format!("{}\n", self.bare(value)),
            (_, true) => format!("{name}:{}\n", self.bare(value)),
            _ => format!(
                "{:<40}{}\n",
                format!("{name}:"),
                if value.is_empty() { "--" } else { value }
            ),
        }
    }

    /// Nothing is the empty text.
    fn bare(&self, value: &str) -> String {
        let value = if value == "--" { "" } else { value };
        // What a number means is for people.
        let number = value
            .split_once(" (")
            .filter(|(number, _)| number.parse::<i64>().is_ok());
        self.escaped(number.map_or(value, |(number, _)| number))
    }

    fn escaped(&self, value: &str) -> String {
        match self.escape && self.terse {
            true => value.replace('\\', "\\\\").replace(':', "\\:"),
            false => value.to_owned(),
        }
    }
}

/// Only the daemon can do it.
pub fn not_here(call: &Call) -> Answer {
    Answer::refused(
        &format!(
            "'{}' needs NetworkManager itself, which runs on the machine",
            call.line()
        ),
        "leave it to the machine, or write the connection with `nmcli connection add` and `modify`",
    )
}
