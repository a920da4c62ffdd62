//! Reads a script for nft, and carries out what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    expressions::{check, unexpected},
    lexer::{Token, Wrong, join, tokens},
    ruleset::{Chain, Object, Rule, Ruleset, Table},
};
use crate::chroot::living::firewall::names::read;

const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
const OBJECTS: [&str; 9] = [
    "set",
    "map",
    "counter",
    "quota",
    "limit",
    "flowtable",
    "secmark",
    "synproxy",
    "meter",
];
/// How deep files may include each other, as nft has it.
const MAX_DEPTH: usize = 16;
/// The most rules and objects that are kept.
const MAX_PARTS: usize = 100_000;

/// A script with what it is read with.
pub struct Script<'a> {
    tokens: Vec<Token>,
    at: usize,
    /// Where the image's files are.
    root: &'a Path,
    /// The folder that included files are in.
    folder: std::path::PathBuf,
    depth: usize,
    variables: BTreeMap<String, Vec<Token>>,
    /// Chains that the script makes somewhere: rules may lead to them before.
    chains: BTreeSet<String>,
}

/// What a script asks for besides changes, and what it took away.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be listed, as words.
    pub lists: Vec<Vec<String>>,
    /// `flush ruleset` was said, for this family or all.
    pub flushed: Vec<Option<String>>,
}

type Done = Result<(), Wrong>;

impl<'a> Script<'a> {
    /// A script in a folder of the image.
    pub fn new(text: &str, root: &'a Path, folder: &Path) -> Result<Self, Wrong> {
        let tokens = tokens(text)?;
        Ok(Script {
            chains: chains(&tokens).collect(),
            tokens,
            at: 0,
            root,
            folder: folder.to_owned(),
            depth: 0,
            variables: BTreeMap::new(),
        })
    }

    /// Carries all of it out.
    pub fn run(&mut self, rules: &mut Ruleset, out: &mut Outcome) -> Done {
        while self.at < self.tokens.len() {
            if !self.eat(";") {
                self.command(rules, out)?;
            }
        }
        let parts = |table: &Table| {
            let rules: usize = table.chains.iter().map(|chain| chain.rules.len()).sum();
            let elements: usize = table
                .objects
                .iter()
                .map(|object| object.elements.len())
                .sum();
            table.chains.len() + rules + table.objects.len() + elements
        };
        if rules.tables.iter().map(parts).sum::<usize>() > MAX_PARTS {
            return Err(self
                .here()
                .wrong("Could not process rule: Cannot allocate memory"));
        }
        Ok(())
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or(";", |token| &token.text)
    }

    /// The token that comes now; at the end, one behind the last.
    fn here(&self) -> Token {
        let end = self.tokens.last().map_or(0, |token| token.at.end);
        let nothing = Token {
            text: ";".into(),
            at: end..end + 1,
        };
        self.tokens.get(self.at).cloned().unwrap_or(nothing)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.at < self.tokens.len() && self.peek() == text;
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> Result<Token, Wrong> {
        let token = self.here();
        if [";", "{", "}", ",", "="].contains(&token.text.as_str()) {
            return Err(unexpected(&token));
        }
        self.at += 1;
        Ok(token)
    }

    fn expect(&mut self, text: &str) -> Done {
        match self.eat(text) {
            true => Ok(()),
            false => Err(unexpected(&self.here())),
        }
    }

    /// Nothing more may be in this statement; a block ends it, too.
    fn end(&mut self) -> Done {
        let token = self.here();
        match token.text.as_str() {
            ";" => {
                self.at += 1;
                Ok(())
            }
            "}" => Ok(()),
            _ => Err(unexpected(&token)),
        }
    }

    /// All up to the end of the statement, with variables replaced.
    fn rest(&mut self) -> Result<Vec<Token>, Wrong> {
        let mut rest = Vec::new();
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.peek() {
                ";" if depth == 0 => break,
                "}" if depth == 0 => break,
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let token = self.here();
            self.at += 1;
            match token.text.strip_prefix('$') {
                Some(name) => {
                    let value = self.variables.get(name);
                    let unknown = || token.wrong(format!("unknown identifier '{name}'"));
                    rest.extend(value.ok_or_else(unknown)?.iter().cloned());
                }
                // Lines may end inside of sets.
                None if token.text == ";" => {}
                None => rest.push(token),
            }
        }
        Ok(rest)
    }

    fn command(&mut self, rules: &mut Ruleset, out: &mut Outcome) -> Done {
        let first = self.word()?;
        match first.text.as_str() {
            "include" => self.include(rules, out),
            "define" | "redefine" => {
                let name = self.word()?.text;
                self.expect("=")?;
                let value = self.rest()?;
                self.variables.insert(name, value);
                self.end()
            }
            "undefine" => {
                let name = self.word()?.text;
                self.variables.remove(&name);
                self.end()
            }
            "list" | "reset" | "monitor" | "describe" | "export" => {
                let words = self.rest()?;
                let words = words.into_iter().map(|token| token.text);
                out.lists
                    .push(std::iter::once(first.text).chain(words).collect());
                self.end()
            }
            "flush" => self.flush(rules, out),
            "add" | "create" | "insert" | "replace" => {
                let what = self.word()?;
                self.make(rules, &first.text, what)
            }
            "delete" | "destroy" => self.delete(rules, first.text == "destroy"),
            "rename" => {
                self.expect("chain")?;
                let (family, table, name) = self.in_table()?;
                let new = self.word()?.text;
                let found = find(rules, &family, &table)?.chains.iter_mut();
                let chain = { found }.find(|chain| chain.name == name.text);
                chain.ok_or_else(|| missing(&name))?.name = new;
                self.end()
            }
            "table" | "chain" | "rule" | "element" => self.make(rules, "add", first),
            kind if OBJECTS.contains(&kind) || kind == "ct" => self.make(rules, "add", first),
            _ => Err(unexpected(&first)),
        }
    }

    fn include(&mut self, rules: &mut Ruleset, out: &mut Outcome) -> Done {
        let token = self.word()?;
        self.included(&token, |script| script.run(rules, out))?;
        self.end()
    }

    /// Has `read` read each file that is included here, with the variables that there are.
    fn included(&mut self, token: &Token, mut read_all: impl FnMut(&mut Script) -> Done) -> Done {
        let pattern = self.folder.join(token.unquoted());
        let files = match token.unquoted().contains(['*', '?', '[']) {
            true => matching(self.root, &pattern),
            false => vec![pattern],
        };
        if self.depth >= MAX_DEPTH {
            return Err(token.wrong("Include nested too deeply, max 16 levels"));
        }
        for file in files {
            let inside = self.root.join(file.strip_prefix("/").unwrap_or(&file));
            let text = read(&inside).ok_or_else(|| token.wrong("Could not open file"))?;
            let there = |wrong: Wrong| token.wrong(format!("{}: {}", file.display(), wrong.what));
            let tokens = tokens(&text).map_err(there)?;
            self.chains.extend(chains(&tokens));
            let mut script = Script {
                tokens,
                at: 0,
                root: self.root,
                folder: self.folder.clone(),
                depth: self.depth + 1,
                variables: std::mem::take(&mut self.variables),
                chains: std::mem::take(&mut self.chains),
            };
            let ran = read_all(&mut script);
            self.variables = script.variables;
            self.chains = script.chains;
            ran.map_err(there)?;
        }
        Ok(())
    }

    /// A family, where one is said, and a table's name.
    fn table(&mut self) -> Result<(String, Token), Wrong> {
        let first = self.word()?;
        match FAMILIES.contains(&first.text.as_str()) {
            true => Ok((first.text, self.word()?)),
            false => Ok(("ip".into(), first)),
        }
    }

    /// The same, and the name of something in the table.
    fn in_table(&mut self) -> Result<(String, Token, Token), Wrong> {
        let (family, table) = self.table()?;
        Ok((family, table, self.word()?))
    }

    fn flush(&mut self, rules: &mut Ruleset, out: &mut Outcome) -> Done {
        let what = self.word()?;
        match what.text.as_str() {
            "ruleset" => {
                let family = FAMILIES.contains(&self.peek()).then(|| self.here().text);
                self.at += usize::from(family.is_some());
                let mine =
                    |table: &Table| family.as_ref().is_none_or(|family| table.family == *family);
                rules.tables.retain(|table| !mine(table));
                out.flushed.push(family);
            }
            "table" => {
                let (family, table) = self.table()?;
                let chains = &mut find(rules, &family, &table)?.chains;
                chains.iter_mut().for_each(|chain| chain.rules.clear());
            }
            "chain" => {
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                chain(table, &name)?.rules.clear();
            }
            "set" | "map" | "meter" => {
                let (family, table, name) = self.in_table()?;
                let objects = &mut find(rules, &family, &table)?.objects;
                let found = objects.iter_mut().find(|object| object.name == name.text);
                found.ok_or_else(|| missing(&name))?.elements.clear();
            }
            _ => return Err(unexpected(&what)),
        }
        self.end()
    }

    fn make(&mut self, rules: &mut Ruleset, how: &str, what: Token) -> Done {
        match what.text.as_str() {
            "table" => {
                let (family, name) = self.table()?;
                match rules.table(&family, &name.text) {
                    Some(_) if how == "create" => return Err(exists(&name)),
                    Some(_) => {}
                    None => rules.tables.push(Table::new(&family, &name.text)),
                }
                if self.eat("{") {
                    let table = find(rules, &family, &name)?;
                    self.table_block(table)?;
                }
            }
            "chain" => {
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                self.make_chain(table, &name, how == "create")?;
            }
            "rule" => return self.make_rule(rules, how),
            "element" => {
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                let elements = self.elements()?;
                let found = table
                    .objects
                    .iter_mut()
                    .find(|object| object.name == name.text);
                add_elements(found.ok_or_else(|| missing(&name))?, elements);
            }
            kind => {
                let kind = self.kind(kind, &what)?;
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                self.make_object(table, &kind, &name, how == "create")?;
            }
        }
        self.end()
    }

    /// What kind of object, where two words say it.
    fn kind(&mut self, first: &str, token: &Token) -> Result<String, Wrong> {
        match first {
            "ct" => {
                let second = self.word()?;
                match ["helper", "timeout", "expectation"].contains(&second.text.as_str()) {
                    true => Ok(format!("ct {}", second.text)),
                    false => Err(unexpected(&second)),
                }
            }
            kind if OBJECTS.contains(&kind) => Ok(kind.to_owned()),
            _ => Err(unexpected(token)),
        }
    }

    fn table_block(&mut self, table: &mut Table) -> Done {
        loop {
            if self.eat(";") {
                continue;
            }
            if self.eat("}") {
                return Ok(());
            }
            if self.at >= self.tokens.len() {
                return Err(self.here().wrong("syntax error, unexpected end of file"));
            }
            let first = self.word()?;
            match first.text.as_str() {
                "flags" | "comment" => {
                    let words = self.rest()?;
                    let note = format!("{} {}", first.text, join(words.iter()));
                    if !table.notes.contains(&note) {
                        table.notes.push(note);
                    }
                }
                "define" | "redefine" => {
                    let name = self.word()?.text;
                    self.expect("=")?;
                    let value = self.rest()?;
                    self.variables.insert(name, value);
                }
                "include" => {
                    let file = self.word()?;
                    self.included(&file, |script| {
                        let end = script.here();
                        script.tokens.push(Token {
                            text: "}".into(),
                            at: end.at,
                        });
                        script.table_block(table)
                    })?;
                }
                "chain" => {
                    let name = self.word()?;
                    self.make_chain(table, &name, false)?;
                }
                kind => {
                    let kind = self.kind(kind, &first)?;
                    let name = self.word()?;
                    self.make_object(table, &kind, &name, false)?;
                }
            }
            self.end()?;
        }
    }

    fn make_chain(&mut self, table: &mut Table, name: &Token, fresh: bool) -> Done {
        let there = table.chains.iter().any(|chain| chain.name == name.text);
        if there && fresh {
            return Err(exists(name));
        }
        if !there {
            let handle = table.number();
            table.chains.push(Chain {
                name: name.text.clone(),
                hook: None,
                policy: None,
                notes: Vec::new(),
                rules: Vec::new(),
                handle,
            });
        }
        if !self.eat("{") {
            return Ok(());
        }
        loop {
            if self.eat(";") {
                continue;
            }
            if self.eat("}") {
                return Ok(());
            }
            if self.at >= self.tokens.len() {
                return Err(self.here().wrong("syntax error, unexpected end of file"));
            }
            let words = self.rest()?;
            let Some(first) = words.first() else {
                return Err(unexpected(&self.here()));
            };
            let handle = table.number();
            let chain = chain(table, name)?;
            match first.text.as_str() {
                "type" => chain.hook = Some(hook(&words)?),
                "policy" => match words.get(1) {
                    Some(policy) if ["accept", "drop"].contains(&policy.text.as_str()) => {
                        chain.policy = Some(policy.text.clone());
                    }
                    other => return Err(unexpected(other.unwrap_or(&self.here()))),
                },
                "flags" | "comment" | "device" | "devices" => {
                    let note = join(words.iter());
                    if !chain.notes.contains(&note) {
                        chain.notes.push(note);
                    }
                }
                _ => {
                    check(&words)?;
                    let text = join(words.iter());
                    chain.rules.push(Rule { handle, text });
                    self.check_jump(table, &words)?;
                }
            }
            self.end()?;
        }
    }

    /// Whether the chain that a rule leads to is there. In a block, it may come later.
    fn check_jump(&self, table: &Table, words: &[Token]) -> Done {
        let mut pairs = words.windows(2);
        let jump = pairs.find(|pair| pair[0].text == "jump" || pair[0].text == "goto");
        let Some([_, to]) = jump else { return Ok(()) };
        let there = table.chains.iter().any(|chain| chain.name == to.text);
        match there || self.chains.contains(&to.text) || to.text == "{" {
            true => Ok(()),
            false => Err(missing(to)),
        }
    }

    fn make_rule(&mut self, rules: &mut Ruleset, how: &str) -> Done {
        let (family, table, name) = self.in_table()?;
        let table = find(rules, &family, &table)?;
        let mut place = None;
        if ["handle", "position", "index"].contains(&self.peek()) {
            let kind = self.word()?.text;
            let number = self.word()?;
            let parsed: Option<usize> = number.text.parse().ok();
            let parsed = parsed.ok_or_else(|| unexpected(&number))?;
            let rules = &chain(table, &name)?.rules;
            let at = match kind.as_str() {
                "index" => (parsed < rules.len()).then_some(parsed),
                _ => rules.iter().position(|rule| rule.handle == parsed),
            };
            place = Some(at.ok_or_else(|| missing(&number))?);
        }
        let words = self.rest()?;
        if words.is_empty() {
            return Err(unexpected(&self.here()));
        }
        check(&words)?;
        self.check_jump(table, &words)?;
        let (handle, text) = (table.number(), join(words.iter()));
        let rules = &mut chain(table, &name)?.rules;
        match (how, place) {
            ("replace", Some(at)) => rules[at].text = text,
            ("replace", None) => return Err(unexpected(&self.here())),
            ("insert", at) => rules.insert(at.unwrap_or(0), Rule { handle, text }),
            (_, at) => {
                let at = at.map_or(rules.len(), |at| at + 1);
                rules.insert(at, Rule { handle, text });
            }
        }
        self.end()
    }

    fn make_object(&mut self, table: &mut Table, kind: &str, name: &Token, fresh: bool) -> Done {
        let named = |object: &&mut Object| object.kind == kind && object.name == name.text;
        if fresh
            && table
                .objects
                .iter_mut()
                .any(|mut object| named(&mut object))
        {
            return Err(exists(name));
        }
        let mut lines = Vec::new();
        let mut elements = Vec::new();
        if self.eat("{") {
            loop {
                if self.eat(";") {
                    continue;
                }
                if self.eat("}") {
                    break;
                }
                if self.at >= self.tokens.len() {
                    return Err(self.here().wrong("syntax error, unexpected end of file"));
                }
                if self.peek() == "elements" {
                    self.at += 1;
                    self.expect("=")?;
                    elements = self.elements()?;
                } else {
                    let words = self.rest()?;
                    if words.is_empty() {
                        return Err(unexpected(&self.here()));
                    }
                    lines.push(join(words.iter()));
                }
                self.end()?;
            }
        } else {
            let words = self.rest()?;
            if !words.is_empty() {
                lines.push(join(words.iter()));
            }
        }
        let set = kind == "set" || kind == "map";
        let typed = lines
            .iter()
            .any(|line| line.starts_with("type ") || line.starts_with("typeof "));
        let found = table.objects.iter_mut().find(named);
        match found {
            Some(object) => add_elements(object, elements),
            None if set && !typed => return Err(name.wrong("set definition does not specify key")),
            None => {
                let handle = table.number();
                table.objects.push(Object {
                    kind: kind.to_owned(),
                    name: name.text.clone(),
                    lines,
                    elements,
                    handle,
                });
            }
        }
        Ok(())
    }

    /// Elements in braces, or in a variable.
    fn elements(&mut self) -> Result<Vec<String>, Wrong> {
        let here = self.here();
        let words = self.rest()?;
        let inside = match words.as_slice() {
            [first, inside @ .., last] if first.text == "{" && last.text == "}" => inside,
            _ => return Err(unexpected(&here)),
        };
        let mut elements = Vec::new();
        let mut depth = 0;
        let mut one = Vec::new();
        for token in inside {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 0 => {
                    elements.push(join(one.drain(..)));
                    continue;
                }
                _ => {}
            }
            one.push(token);
        }
        elements.push(join(one.drain(..)));
        elements.retain(|element| !element.is_empty());
        Ok(elements)
    }

    fn delete(&mut self, rules: &mut Ruleset, if_there: bool) -> Done {
        let what = self.word()?;
        match what.text.as_str() {
            "table" => {
                let (family, name) = self.table()?;
                let at = rules
                    .tables
                    .iter()
                    .position(|table| table.is(&family, &name.text));
                match at {
                    Some(at) => drop(rules.tables.remove(at)),
                    None if if_there => {}
                    None => return Err(missing(&name)),
                }
            }
            "rule" => {
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                self.expect("handle")?;
                let number = self.word()?;
                let rules = &mut chain(table, &name)?.rules;
                let at = rules
                    .iter()
                    .position(|rule| rule.handle.to_string() == number.text);
                match at {
                    Some(at) => drop(rules.remove(at)),
                    None if if_there => {}
                    None => return Err(missing(&number)),
                }
            }
            "chain" => {
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                match table
                    .chains
                    .iter()
                    .position(|chain| chain.name == name.text)
                {
                    Some(at) => {
                        let words = [format!("jump {}", name.text), format!("goto {}", name.text)];
                        let mut all = table.chains.iter().flat_map(|chain| &chain.rules);
                        if all
                            .any(|rule| words.iter().any(|word| rule.text.contains(word.as_str())))
                        {
                            return Err(
                                name.wrong("Could not process rule: Device or resource busy")
                            );
                        }
                        table.chains.remove(at);
                    }
                    None if if_there => {}
                    None => return Err(missing(&name)),
                }
                self.rest()?;
            }
            "element" => {
                let (family, table, name) = self.in_table()?;
                let table = find(rules, &family, &table)?;
                let gone = self.elements()?;
                let found = table
                    .objects
                    .iter_mut()
                    .find(|object| object.name == name.text);
                let object = found.ok_or_else(|| missing(&name))?;
                for element in gone {
                    let key = key(&element);
                    let at = object
                        .elements
                        .iter()
                        .position(|other| self::key(other) == key);
                    match at {
                        Some(at) => drop(object.elements.remove(at)),
                        None if if_there => {}
                        None => return Err(missing(&name)),
                    }
                }
            }
            kind => {
                let kind = self.kind(kind, &what)?;
                let (family, table, name) = self.in_table()?;
                let objects = &mut find(rules, &family, &table)?.objects;
                let named = |object: &Object| object.kind == kind && object.name == name.text;
                match objects.iter().position(named) {
                    Some(at) => drop(objects.remove(at)),
                    None if if_there => {}
                    None => return Err(missing(&name)),
                }
            }
        }
        self.end()
    }
}

/// The chains that a script makes.
fn chains(tokens: &[Token]) -> impl Iterator<Item = String> {
    let pairs = tokens.windows(2).filter(|pair| pair[0].text == "chain");
    // On a command line there are a family and a table in between.
    let names = tokens.windows(4).filter(|words| words[0].text == "chain");
    let names = names.flat_map(|words| [words[2].text.clone(), words[3].text.clone()]);
    pairs.map(|pair| pair[1].text.clone()).chain(names)
}

fn missing(token: &Token) -> Wrong {
    token.wrong("Could not process rule: No such file or directory")
}

fn exists(token: &Token) -> Wrong {
    token.wrong("Could not process rule: File exists")
}

fn find<'a>(rules: &'a mut Ruleset, family: &str, name: &Token) -> Result<&'a mut Table, Wrong> {
    let found = rules
        .tables
        .iter_mut()
        .find(|table| table.is(family, &name.text));
    found.ok_or_else(|| missing(name))
}

fn chain<'a>(table: &'a mut Table, name: &Token) -> Result<&'a mut Chain, Wrong> {
    let found = table
        .chains
        .iter_mut()
        .find(|chain| chain.name == name.text);
    found.ok_or_else(|| missing(name))
}

/// What an element is found by: what comes before its value, comment or time.
fn key(element: &str) -> &str {
    let end = [" : ", " comment ", " timeout ", " expires ", " counter"];
    let ends = end.iter().filter_map(|word| element.find(word));
    &element[..ends.min().unwrap_or(element.len())]
}

fn add_elements(object: &mut Object, elements: Vec<String>) {
    for element in elements {
        if !object
            .elements
            .iter()
            .any(|other| key(other) == key(&element))
        {
            object.elements.push(element);
        }
    }
}

/// `type T hook H [device D] priority P`, with the names that nft prints for common priorities.
fn hook(words: &[Token]) -> Result<String, Wrong> {
    let text = |at: usize| words.get(at).map_or("", |token| token.text.as_str());
    let wrong = |at: usize| match words.get(at).or(words.last()) {
        Some(token) => unexpected(token),
        None => Wrong {
            what: "syntax error".into(),
            at: 0..1,
        },
    };
    if !["filter", "nat", "route"].contains(&text(1)) {
        return Err(wrong(1));
    }
    if text(2) != "hook" {
        return Err(wrong(2));
    }
    let hooks = [
        "prerouting",
        "input",
        "forward",
        "output",
        "postrouting",
        "ingress",
        "egress",
    ];
    if !hooks.contains(&text(3)) {
        return Err(wrong(3));
    }
    let Some(at) = words.iter().position(|token| token.text == "priority") else {
        return Err(wrong(4));
    };
    if text(at + 1).is_empty() {
        return Err(wrong(at + 1));
    }
    let priority: String = words[at + 1..]
        .iter()
        .map(|token| token.text.as_str())
        .collect();
    let named = match (priority.as_str(), text(3)) {
        ("-300", _) => "raw",
        ("-150", _) => "mangle",
        ("-100", "prerouting") => "dstnat",
        ("0", _) => "filter",
        ("50", _) => "security",
        ("100", "postrouting") => "srcnat",
        (other, _) => other,
    };
    Ok(format!("{} priority {named}", join(words[..at].iter())))
}

/// The files of the image that a pattern in a file's name means, sorted.
fn matching(root: &Path, pattern: &Path) -> Vec<std::path::PathBuf> {
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let inside = root.join(folder.strip_prefix("/").unwrap_or(folder));
    let entries = std::fs::read_dir(inside)
        .into_iter()
        .flatten()
        .take(10_000)
        .flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| fits(name.as_bytes(), entry.file_name().as_encoded_bytes()))
        .map(|entry| folder.join(entry.file_name()))
        .collect();
    files.sort();
    files
}

/// Whether a name fits a pattern with `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(_, name)| fits(pattern, name))
        }
        (Some((b'?', rest)), Some((_, name))) => fits(rest, name),
        (Some((one, rest)), Some((other, name))) if one == other => fits(rest, name),
        _ => false,
    }
}
