//! `list-dependencies`: what a unit starts, as a tree.

use std::collections::BTreeSet;

use super::asked::Asked;
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    units::{
        name::{self, Kind},
        tree::Tree,
    },
};

/// One list.
struct List<'a> {
    tree: &'a Tree<'a>,
    active: BTreeSet<String>,
    all: bool,
    plain: bool,
    seen: BTreeSet<String>,
    text: String,
}

/// Prints it, for the default target if none is named.
pub fn list(asked: &Asked<'_>, machine: &Machine) -> Answer {
    // These ways round are for people who look at a running machine.
    if ["reverse", "after", "before"]
        .into_iter()
        .any(|option| asked.options.has(option))
    {
        return Answer::refused(
            "only what a unit starts can be listed in an image",
            "leave out --reverse, --after and --before",
        );
    }
    let tree = Tree::new(asked.root, asked.scope);
    let (mut names, err) = asked.names("service", Vec::new);
    if names.is_empty() {
        names.push("default.target".into());
    }
    let mut list = List {
        active: machine.units.active(asked.root, &tree, asked.scope),
        tree: &tree,
        all: asked.options.has("all"),
        plain: asked.options.has("plain"),
        seen: BTreeSet::new(),
        text: String::new(),
    };
    for name in names {
        list.text += &format!("{name}\n");
        list.seen.clear();
        list.below(&name, "");
    }
    Answer::Said {
        code: 0,
        out: list.text.into_bytes(),
        err: err.into_bytes(),
    }
}

impl List<'_> {
    fn below(&mut self, name: &str, lead: &str) {
        let unit = self.tree.unit(name);
        if !self.seen.insert(unit.id.clone()) {
            return;
        }
        let started = self
            .tree
            .requires(&unit)
            .into_iter()
            .chain(self.tree.wants(&unit));
        let ids: BTreeSet<String> = started.filter(|name| !name::is_template(name)).collect();
        let mut ids: Vec<String> = ids.into_iter().collect();
        ids.sort_by_key(|id| (Kind::of(id) == Some(Kind::Target), id.to_lowercase()));
        for (at, id) in ids.iter().enumerate() {
            let last = at + 1 == ids.len();
            let branch = if last { "└─" } else { "├─" };
            let sign = if self.active.contains(&self.tree.unit(id).id) {
                '●'
            } else {
                '○'
            };
            self.text += &if self.plain {
                format!("  {id}\n")
            } else {
                format!("{sign} {lead}{branch}{id}\n")
            };
            // As systemctl does: only targets are looked into.
            if self.all || Kind::of(id) == Some(Kind::Target) {
                let more = if last { "  " } else { "│ " };
                self.below(id, &format!("{lead}{more}"));
            }
        }
    }
}
