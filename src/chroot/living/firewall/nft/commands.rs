//! The commands of a script.

use super::{
    blocks::OBJECTS,
    expressions::{check, unexpected},
    lexer::{Token, Wrong, join},
    parser::{Done, Outcome, Script},
    places::{add_elements, chain, exists, find, key, missing},
    ruleset::{Object, Rule, Ruleset, Table},
};

const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];

impl Script<'_> {
    /// Carries out one command.
    pub fn command(&mut self, rules: &mut Ruleset, out: &mut Outcome) -> Done {
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
                        .position(|other| super::places::key(other) == key);
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
