//! What is in the braces of tables, chains, sets and so on.

use super::{
    expressions::{check, unexpected},
    lexer::{Token, Wrong, join},
    parser::{Done, Script},
    places::{add_elements, chain, exists, missing},
    ruleset::{Chain, Object, Rule, Table},
};

/// The kinds of objects, apart from those of two words.
pub const OBJECTS: [&str; 9] = [
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

impl Script<'_> {
    /// Carries out what is in a table's braces.
    pub fn table_block(&mut self, table: &mut Table) -> Done {
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

    /// Makes a chain, with what is in its braces.
    pub fn make_chain(&mut self, table: &mut Table, name: &Token, fresh: bool) -> Done {
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
    pub fn check_jump(&self, table: &Table, words: &[Token]) -> Done {
        let mut pairs = words.windows(2);
        let jump = pairs.find(|pair| pair[0].text == "jump" || pair[0].text == "goto");
        let Some([_, to]) = jump else { return Ok(()) };
        let there = table.chains.iter().any(|chain| chain.name == to.text);
        match there || self.chains.contains(&to.text) || to.text == "{" {
            true => Ok(()),
            false => Err(missing(to)),
        }
    }

    /// Makes a set or another object, with what is in its braces.
    pub fn make_object(
        &mut self,
        table: &mut Table,
        kind: &str,
        name: &Token,
        fresh: bool,
    ) -> Done {
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
    pub fn elements(&mut self) -> Result<Vec<String>, Wrong> {
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

    /// What kind of object, where two words say it.
    pub fn kind(&mut self, first: &str, token: &Token) -> Result<String, Wrong> {
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
