//! What nft keeps, and how it prints it.

/// All tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// In the order in which they were made.
    pub tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `ip`, `ip6`, `inet`, `arp`, `bridge` or `netdev`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Flags and its comment.
    pub notes: Vec<String>,
    /// Sets, maps, counters and so on.
    pub objects: Vec<Object>,
    /// Its chains.
    pub chains: Vec<Chain>,
    /// The number of what is made next in it.
    next: usize,
}

/// A set, map, counter, quota, limit, flowtable, helper and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `set`, `counter`, `ct helper` and so on.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it says.
    pub lines: Vec<String>,
    /// The elements of a set or map.
    pub elements: Vec<String>,
    /// Its number.
    pub handle: usize,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where it hangs, as `type filter hook input priority filter`.
    pub hook: Option<String>,
    /// What becomes of packets that no rule decides about.
    pub policy: Option<String>,
    /// Flags and its comment.
    pub notes: Vec<String>,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Its number.
    pub handle: usize,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub handle: usize,
    /// Its words.
    pub text: String,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// `-a`: with numbers.
    pub handles: bool,
    /// `-s`: without counters.
    pub stateless: bool,
    /// `-t`: without elements.
    pub terse: bool,
}

impl Ruleset {
    /// The table of this family and name.
    pub fn table(&self, family: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.is(family, name))
    }

    /// All of it as a script that makes it again.
    pub fn print(&self, style: Style) -> String {
        let tables = self.tables.iter().map(|table| table.print(style));
        tables.collect::<Vec<_>>().join("\n")
    }
}

impl Table {
    /// An empty one.
    pub fn new(family: &str, name: &str) -> Self {
        Table {
            family: family.to_owned(),
            name: name.to_owned(),
            notes: Vec::new(),
            objects: Vec::new(),
            chains: Vec::new(),
            next: 0,
        }
    }

    /// Whether it is this one.
    pub fn is(&self, family: &str, name: &str) -> bool {
        self.family == family && self.name == name
    }

    /// The number of what is made now.
    pub fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// Whether both would be made by the same script: numbers do not count.
    pub fn same(&self, other: &Table) -> bool {
        self.print(Style::default()) == other.print(Style::default())
    }

    /// As a script that makes it.
    pub fn print(&self, style: Style) -> String {
        self.print_some(style, &|_, _| true)
    }

    /// The same with those parts alone whose kind and name are wanted.
    pub fn print_some(&self, style: Style, wanted: &dyn Fn(&str, &str) -> bool) -> String {
        let handle = |handle: usize| match style.handles {
            true => format!(" # handle {handle}"),
            false => String::new(),
        };
        let mut out = format!("table {} {} {{{}\n", self.family, self.name, handle(1));
        for note in &self.notes {
            out += &format!("\t{note}\n");
        }
        let mut parts = Vec::new();
        let last = |object: &&Object| {
            ["set", "map", "flowtable"]
                .iter()
                .position(|kind| object.kind == *kind)
        };
        let wants = |object: &&Object| wanted(&object.kind, &object.name);
        let mut objects: Vec<&Object> = self.objects.iter().filter(wants).collect();
        objects.sort_by_key(|object| last(object).map_or(0, |at| at + 1));
        for object in objects {
            let mut part = format!(
                "\t{} {} {{{}\n",
                object.kind,
                object.name,
                handle(object.handle)
            );
            for line in &object.lines {
                part += &format!("\t\t{line}\n");
            }
            if !object.elements.is_empty() && !style.terse {
                part += &format!("\t\telements = {{ {} }}\n", object.elements.join(", "));
            }
            parts.push(part + "\t}\n");
        }
        for chain in self
            .chains
            .iter()
            .filter(|chain| wanted("chain", &chain.name))
        {
            let mut part = format!("\tchain {} {{{}\n", chain.name, handle(chain.handle));
            for note in &chain.notes {
                part += &format!("\t\t{note}\n");
            }
            if let Some(hook) = &chain.hook {
                let policy = chain.policy.as_deref().unwrap_or("accept");
                part += &format!("\t\t{hook}; policy {policy};\n");
            }
            for rule in &chain.rules {
                let text = counted(&rule.text, style.stateless);
                part += &format!("\t\t{text}{}\n", handle(rule.handle));
            }
            parts.push(part + "\t}\n");
        }
        out += &parts.join("\n");
        out + "}\n"
    }
}

/// Counters have counted nothing; without state, nothing is said of that.
fn counted(rule: &str, stateless: bool) -> String {
    let words: Vec<&str> = rule.split(' ').collect();
    let mut out: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        out.push(words[at]);
        let counts = words.get(at + 1) == Some(&"packets") && words.get(at + 3) == Some(&"bytes");
        if words[at] == "counter" && counts {
            if !stateless {
                out.extend(&words[at + 1..(at + 5).min(words.len())]);
            }
            at += 4;
        } else if words[at] == "counter" && words.get(at + 1) != Some(&"name") && !stateless {
            out.extend(["packets", "0", "bytes", "0"]);
        }
        at += 1;
    }
    out.join(" ")
}
