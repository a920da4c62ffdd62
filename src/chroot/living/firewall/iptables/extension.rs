//! Matches and targets: which options each has, and how what was given is saved.

use super::super::{
    names::{Family, Names},
    text,
};
use super::values::{Given, Value};

/// A match or a target that is known by heart.
pub struct Extension {
    /// Its name.
    pub name: &'static str,
    /// Its options, in the order in which they are saved.
    pub options: &'static [Opt],
    /// What remains to be said when all options were read: defaults, and what must be there.
    pub finish: fn(&mut Part, &About) -> Result<(), String>,
}

/// An option of an extension.
pub struct Opt {
    /// Its name, without dashes.
    pub name: &'static str,
    /// Other names of it.
    pub also: &'static [&'static str],
    /// What follows it, and how that is saved.
    pub values: &'static [Value],
    /// Whether `!` may be in front of it.
    pub not: bool,
}

impl Opt {
    /// An option with a value, which `!` turns around.
    pub const fn new(name: &'static str, values: &'static [Value]) -> Self {
        Opt {
            name,
            also: &[],
            values,
            not: true,
        }
    }

    /// One that `!` cannot turn around.
    pub const fn sure(name: &'static str, values: &'static [Value]) -> Self {
        Opt {
            not: false,
            ..Opt::new(name, values)
        }
    }

    /// With other names.
    pub const fn also(self, also: &'static [&'static str]) -> Self {
        Opt { also, ..self }
    }
}

/// What a rule says besides, for extensions that want to know.
pub struct About<'a> {
    /// IPv4 or IPv6.
    pub names: &'a Names<'a>,
    /// The protocol, unless it is negated.
    pub protocol: Option<&'a str>,
}

impl About<'_> {
    /// The tables' family.
    pub fn family(&self) -> Family {
        self.names.family
    }
}

/// A match or a target in a rule, in the form in which it is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The extension's name.
    pub name: String,
    /// Its options.
    pub options: Vec<Chosen>,
}

/// An option in a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Where among the extension's options it is.
    order: usize,
    /// Whether `!` is in front of it.
    pub not: bool,
    /// Its name, without dashes.
    pub name: String,
    /// Its values, as they are saved.
    pub values: Vec<String>,
}

impl Part {
    /// One without options.
    pub fn new(name: &str) -> Self {
        Part {
            name: name.to_owned(),
            options: Vec::new(),
        }
    }

    /// Whether this option was given.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// This option, where it was given.
    pub fn get(&self, name: &str) -> Option<&Chosen> {
        self.options.iter().find(|chosen| chosen.name == name)
    }

    /// The first value of this option.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name)?.values.first().map(String::as_str)
    }

    /// Takes an option away, and returns it.
    pub fn take(&mut self, name: &str) -> Option<Chosen> {
        let at = self.options.iter().position(|chosen| chosen.name == name)?;
        Some(self.options.remove(at))
    }

    /// Gives it this option, where it was not given.
    pub fn default(&mut self, name: &str, values: &[&str]) {
        if !self.has(name) {
            self.set(name, values);
        }
    }

    /// Gives it this option.
    pub fn set(&mut self, name: &str, values: &[&str]) {
        self.take(name);
        self.options.push(Chosen {
            order: usize::MAX,
            not: false,
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        });
    }

    /// Takes an option away that says what holds anyway.
    pub fn leave_out(&mut self, name: &str, value: &str) {
        let same = |chosen: &Chosen| !chosen.not && chosen.values == [value];
        if self.get(name).is_some_and(same) {
            self.take(name);
        }
    }

    /// Takes what follows an option, and the option itself, into the rule.
    pub fn add(&mut self, order: usize, opt: &Opt, not: bool, values: Vec<String>) {
        self.options.push(Chosen {
            order,
            not,
            name: opt.name.to_owned(),
            values,
        });
    }

    /// Takes words of an extension that is not known into the rule, as they are.
    pub fn add_unknown(&mut self, not: bool, name: &str, values: &[String]) {
        let order = self.options.len();
        self.options.push(Chosen {
            order,
            not,
            name: name.to_owned(),
            values: values.iter().map(|value| text::saved(value)).collect(),
        });
    }

    /// Brings its options into the order in which they are saved.
    pub fn sort(&mut self, extension: &Extension) {
        for chosen in &mut self.options {
            let named = |opt: &Opt| opt.name == chosen.name;
            let at = extension.options.iter().position(named);
            chosen.order = at.unwrap_or(chosen.order);
        }
        self.options.sort_by_key(|chosen| chosen.order);
    }

    /// Its options as they are saved, each with a space in front.
    pub fn saved(&self) -> String {
        let mut saved = String::new();
        for Chosen {
            not, name, values, ..
        } in &self.options
        {
            saved += if *not { " !" } else { "" };
            saved += " --";
            saved += name;
            for value in values {
                saved.push(' ');
                saved += value;
            }
        }
        saved
    }
}

impl Extension {
    /// The option of this name, with its place, and how an error calls it.
    pub fn option(&self, name: &str) -> Option<(usize, &'static Opt)> {
        let named = |opt: &&Opt| opt.name == name || opt.also.contains(&name);
        let at = self.options.iter().position(|opt| named(&opt))?;
        Some((at, &self.options[at]))
    }

    /// All names of options.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let of = |opt: &'static Opt| std::iter::once(opt.name).chain(opt.also.iter().copied());
        self.options.iter().flat_map(of)
    }

    /// Reads an option with what follows it into `part`.
    pub fn read(
        &self,
        part: &mut Part,
        (order, opt): (usize, &Opt),
        not: bool,
        given: &[String],
        about: &About,
    ) -> Result<(), String> {
        let (extension, option) = (self.name, opt.name);
        if part.has(option) {
            return Err(format!(
                "{extension}: option \"--{option}\" can only be used once.\n"
            ));
        }
        if not && !opt.not {
            return Err(format!(
                "{extension}: option \"--{option}\" cannot be inverted.\n"
            ));
        }
        let mut values = Vec::new();
        for (value, text) in opt.values.iter().zip(given) {
            values.push(value(&Given {
                text,
                extension,
                option,
                protocol: about.protocol,
                names: about.names,
            })?);
        }
        part.add(order, opt, not, values);
        Ok(())
    }
}

/// Nothing remains to be said.
pub fn done(_: &mut Part, _: &About) -> Result<(), String> {
    Ok(())
}

/// At least one of the options must be there.
pub fn any(part: &Part, names: &[&str]) -> Result<(), String> {
    if names.iter().any(|name| part.has(name)) {
        return Ok(());
    }
    let name = &part.name;
    Err(match names {
        [one] => format!("{name}: option \"--{one}\" must be specified\n"),
        _ => format!("{name}: no option specified\n"),
    })
}

/// At most one of the options can be there.
pub fn exclusive(part: &Part, names: &[&str]) -> Result<(), String> {
    let mut there = names.iter().filter(|name| part.has(name));
    match (there.next(), there.next()) {
        (Some(first), Some(second)) => Err(format!(
            "{}: option \"--{first}\" cannot be used together with \"--{second}\".\n",
            part.name
        )),
        _ => Ok(()),
    }
}

/// Exactly one of the options must be there.
pub fn one(part: &Part, names: &[&str]) -> Result<(), String> {
    exclusive(part, names).and_then(|()| any(part, names))
}
