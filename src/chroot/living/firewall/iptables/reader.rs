//! Reads a command's words, with those of the matches and targets that it names.

use super::{
    super::names::{Family, Names},
    command::{
        Action, Command, Format, Problem, check_interfaces, is_target, letter, long_options,
        short_enough, valid_name,
    },
    extension::{About, Extension, Part},
    getopt::{Next, Words},
    matches::MATCHES,
    protocol,
    rule::{Maybe, Rule, Target},
    targets::TARGETS,
    values,
};

/// What was read so far.
pub struct Reader<'a> {
    words: Words,
    names: &'a Names<'a>,
    lines: bool,
    not: bool,
    table: Option<String>,
    action: Option<(char, Asked)>,
    format: Format,
    used: String,
    sources: Option<(bool, String)>,
    destinations: Option<(bool, String)>,
    rule: Rule,
    /// The match or target that was named last: what is not known elsewhere belongs to it.
    last: Last,
}

/// What a command's letter came with.
#[derive(Default)]
struct Asked {
    chain: Option<String>,
    number: Option<usize>,
    word: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Match,
    Target,
}

impl<'a> Reader<'a> {
    /// Before the first word.
    pub fn new(words: Vec<String>, names: &'a Names<'a>, lines: bool) -> Self {
        Reader {
            words: Words::new(words),
            names,
            lines,
            not: false,
            table: None,
            action: None,
            format: Format::default(),
            used: String::new(),
            sources: None,
            destinations: None,
            rule: Rule::default(),
            last: Last::Nothing,
        }
    }

    /// All of it.
    pub fn read(mut self) -> Result<Option<Command>, Problem> {
        loop {
            let long: Vec<&str> = long_options().chain(self.long_of_parts()).collect();
            let strange = self.strange().is_some();
            let Some(next) = self.words.next(long.into_iter(), !strange) else {
                break;
            };
            match next {
                Next::Word(word) if word == "!" => {
                    if self.not {
                        return Err(words("multiple consecutive ! not allowed"));
                    }
                    self.not = true;
                    continue;
                }
                Next::Word(word) => return Err(Problem::Bare(format!("Bad argument `{word}'\n"))),
                Next::Short('4') if self.names.family == Family::V4 => {}
                Next::Short('6') if self.names.family == Family::V6 => {}
                Next::Short('4' | '6') if self.lines => return Ok(None),
                Next::Short(letter) => self.option(letter)?,
                Next::Long(name) => match letter(&name) {
                    Some(letter) => self.option(letter)?,
                    None => self.option_of_part(&name)?,
                },
                Next::Unknown(_) if !strange && self.load_match_of_protocol() => {
                    self.words.back();
                    continue;
                }
                Next::Unknown(word) => self.unknown(&word)?,
            }
            self.not = false;
        }
        self.finish().map(Some)
    }

    fn option(&mut self, letter: char) -> Result<(), Problem> {
        match letter {
            'A' | 'C' | 'D' | 'R' | 'I' | 'N' | 'E' | 'P' | 'L' | 'S' | 'F' | 'Z' | 'X' => {
                return self.action(letter);
            }
            't' => self.table = Some(self.words.needed()?),
            's' | 'd' => {
                let (not, value) = self.value(letter)?;
                let place = match letter {
                    's' => &mut self.sources,
                    _ => &mut self.destinations,
                };
                *place = Some((not, value));
            }
            'p' => {
                let (not, value) = self.value(letter)?;
                let number = protocol::number(&value.to_ascii_lowercase(), self.names)?;
                if number == 0 && not {
                    return Err(words("rule would never match protocol"));
                }
                let value = match number {
                    0 => String::new(),
                    number => protocol::saved(number, self.names),
                };
                self.rule.protocol = Maybe { not, value };
            }
            'i' | 'o' => {
                let (not, value) = self.value(letter)?;
                if value.len() > 15 {
                    return Err(Problem::Words(format!(
                        "interface name `{value}' must be shorter than IFNAMSIZ (15)"
                    )));
                }
                let value = if value == "+" { String::new() } else { value };
                let place = match letter {
                    'i' => &mut self.rule.input,
                    _ => &mut self.rule.output,
                };
                *place = Maybe { not, value };
            }
            'j' | 'g' => {
                let value = self.words.needed()?;
                self.once('j')?;
                if self.not {
                    return Err(words("cannot have ! before -j"));
                }
                short_enough(&value)?;
                let part = Part::new(&value);
                let goto = letter == 'g';
                self.rule.target = Some(Target { goto, part });
                self.last = Last::Target;
            }
            'm' => {
                let value = self.words.needed()?;
                if self.not {
                    return Err(words("unexpected ! flag before --match"));
                }
                self.load_match(&value)?;
            }
            'f' => {
                if self.names.family == Family::V6 {
                    return Err(words("`-f' is not supported in IPv6, use -m frag instead"));
                }
                self.once('f')?;
                self.rule.fragment = Some(!self.not);
            }
            'n' | 'x' | '0' | 'v' => {
                if letter != 'v' {
                    self.once(letter)?;
                }
                match letter {
                    'n' => self.format.numeric = true,
                    'v' => self.format.verbose = true,
                    '0' => self.format.numbers = true,
                    _ => {}
                }
            }
            'w' | 'W' => {
                let attached = self.words.attached();
                if let Some(seconds) = attached.or_else(|| self.words.maybe())
                    && values::number(&seconds).is_none()
                {
                    return Err(words("wait seconds not numeric"));
                }
            }
            'M' => drop(self.words.needed()?),
            'c' => {
                let packets = self.words.needed()?;
                if !packets.contains(',') && self.words.maybe().is_none() {
                    return Err(words("-c requires packet and byte counter"));
                }
            }
            letter => {
                return Err(Problem::Words(format!("unknown option \"-{letter}\"")));
            }
        }
        Ok(())
    }

    /// The value of an option that may be negated, also in the old way, behind it.
    fn value(&mut self, letter: char) -> Result<(bool, String), Problem> {
        let value = self.words.needed()?;
        self.once(letter)?;
        Ok((self.not, value))
    }

    fn once(&mut self, letter: char) -> Result<(), Problem> {
        if self.used.contains(letter) {
            return Err(Problem::Words(format!(
                "multiple -{letter} flags not allowed"
            )));
        }
        self.used.push(letter);
        Ok(())
    }

    fn action(&mut self, letter: char) -> Result<(), Problem> {
        if self.not {
            return Err(words("unexpected '!' flag"));
        }
        let chain = match letter {
            'L' | 'S' | 'F' | 'Z' | 'X' => {
                let attached = self.words.attached();
                attached.or_else(|| self.words.maybe())
            }
            _ => Some(self.words.needed()?),
        };
        let mut asked = Asked {
            chain,
            ..Asked::default()
        };
        match letter {
            'D' | 'R' | 'I' | 'L' | 'S' | 'Z' => {
                if let Some(number) = self.words.maybe() {
                    asked.number = Some(rule_number(&number)?);
                }
            }
            'E' | 'P' => {
                let needs = match letter {
                    'E' => "-E requires old-chain-name and new-chain-name",
                    _ => "-P requires a chain and a policy",
                };
                asked.word = self.words.maybe().ok_or_else(|| words(needs))?;
            }
            _ => {}
        }
        match &self.action {
            None => self.action = Some((letter, asked)),
            Some((first, _)) if matches!((*first, letter), ('L' | 'S', 'Z')) => {}
            Some(('Z', _)) if matches!(letter, 'L' | 'S') => self.action = Some((letter, asked)),
            Some((first, _)) => {
                let first = *first;
                return Err(Problem::Words(format!(
                    "Cannot use -{letter} with -{first}"
                )));
            }
        }
        Ok(())
    }

    /// The names of all options of what was named so far.
    fn long_of_parts(&self) -> impl Iterator<Item = &'static str> {
        let matches = self
            .rule
            .matches
            .iter()
            .filter_map(|part| find(MATCHES, &part.name));
        let target = self.rule.target.iter().filter(|target| !target.goto);
        let target = target.filter_map(|target| find(TARGETS, &target.part.name));
        let all: Vec<&Extension> = target.chain(matches).collect();
        all.into_iter().flat_map(Extension::names)
    }

    /// An option of the target or of the match that was named last and has it.
    fn option_of_part(&mut self, name: &str) -> Result<(), Problem> {
        let about = About {
            names: self.names,
            protocol: self.rule.protocol.sure(),
        };
        let target = self
            .rule
            .target
            .as_mut()
            .map(|target| (&mut target.part, TARGETS));
        let matches = self
            .rule
            .matches
            .iter_mut()
            .rev()
            .map(|part| (part, MATCHES));
        let parts = target.into_iter().chain(matches);
        let found = parts.filter_map(|(part, known)| {
            let extension = find(known, &part.name)?;
            Some((part, extension, extension.option(name)?))
        });
        let Some((part, extension, (order, opt))) = { found }.next() else {
            return Err(Problem::Words(format!("unknown option \"--{name}\"")));
        };
        let mut given = Vec::new();
        for _ in opt.values {
            given.push(self.words.needed()?);
        }
        extension.read(part, (order, opt), self.not, &given, &about)?;
        Ok(())
    }

    fn load_match(&mut self, name: &str) -> Result<(), Problem> {
        let name = match name {
            "icmpv6" => "icmp6",
            name => name,
        };
        if find(MATCHES, name).is_none() && !self.names.has_extension(name) {
            return Err(Problem::Words(format!(
                "Couldn't load match `{name}':No such file or directory\n"
            )));
        }
        self.rule.matches.push(Part::new(name));
        self.last = Last::Match;
        Ok(())
    }

    /// A protocol brings its match along, for options that only that has.
    fn load_match_of_protocol(&mut self) -> bool {
        let Some(protocol) = self.rule.protocol.sure() else {
            return false;
        };
        let name = protocol::match_of(protocol).to_owned();
        let there = self.rule.matches.iter().any(|part| part.name == name);
        if there || find(MATCHES, &name).is_none() {
            return false;
        }
        let named = self.last;
        let loaded = self.load_match(&name).is_ok();
        self.last = if named == Last::Target {
            named
        } else {
            self.last
        };
        loaded
    }

    /// An option of a match or target that only the image's own iptables knows.
    fn unknown(&mut self, word: &str) -> Result<(), Problem> {
        let not = self.not;
        let mut given = Vec::new();
        if self.strange().is_none() {
            return Err(Problem::Words(format!("unknown option \"{word}\"")));
        }
        let name = word.trim_start_matches('-');
        let (name, value) = name.split_once('=').unwrap_or((name, ""));
        if !value.is_empty() {
            given.push(value.to_owned());
        }
        while let Some(value) = self.words.maybe() {
            given.push(value);
        }
        if let Some(part) = self.strange() {
            part.add_unknown(not, name, &given);
        }
        Ok(())
    }

    /// The match or target that was named last, if its options are not known here.
    fn strange(&mut self) -> Option<&mut Part> {
        match self.last {
            Last::Match => {
                let last = self.rule.matches.last_mut();
                last.filter(|part| find(MATCHES, &part.name).is_none())
            }
            Last::Target => {
                let target = self.rule.target.as_mut().map(|target| &mut target.part);
                target.filter(|part| !is_target(&part.name) && self.names.has_extension(&part.name))
            }
            Last::Nothing => None,
        }
    }

    fn finish(mut self) -> Result<Command, Problem> {
        let table = self.table.clone().unwrap_or_else(|| "filter".into());
        let about = About {
            names: self.names,
            protocol: self.rule.protocol.sure(),
        };
        for part in &mut self.rule.matches {
            finish(part, MATCHES, &about)?;
        }
        if let Some(target) = self.rule.target.as_mut().filter(|target| !target.goto) {
            if table == "nat" && target.part.name == "DROP" {
                return Err(words(NO_FILTER));
            }
            finish(&mut target.part, TARGETS, &about)?;
        }
        let Some((letter, asked)) = self.action.take() else {
            return Err(words("no command specified"));
        };
        if self.not {
            return Err(words("nothing appropriate following !"));
        }
        let with_rule =
            matches!(letter, 'A' | 'I' | 'R' | 'C') || (letter == 'D' && asked.number.is_none());
        let illegal = match with_rule {
            true => "nx0",
            false if letter == 'L' => "sdpjiof",
            false => "nsdpjxio0f",
        };
        if let Some(option) = illegal.chars().find(|letter| self.used.contains(*letter)) {
            let shown = if option == '0' {
                "0".into()
            } else {
                option.to_string()
            };
            return Err(Problem::Words(format!(
                "Illegal option `-{shown}' with this command"
            )));
        }
        if let Some(chain) = &asked.chain {
            short_enough(chain)?;
        }
        let chain = asked.chain.clone().unwrap_or_default();
        let rules = if with_rule { self.rules()? } else { Vec::new() };
        for rule in &rules {
            check_interfaces(&chain, rule)?;
        }
        let action = match letter {
            'A' => Action::Append(chain, rules),
            'I' => Action::Insert(chain, asked.number.unwrap_or(1), rules),
            'C' => Action::Check(chain, rules),
            'D' => match asked.number {
                Some(number) => Action::DeleteAt(chain, number),
                None => Action::Delete(chain, rules),
            },
            'R' => {
                let number = asked
                    .number
                    .ok_or_else(|| words("-R requires a rule number"))?;
                let [rule] = <[Rule; 1]>::try_from(rules)
                    .map_err(|_| words("Replacement rule does not specify a unique address"))?;
                Action::Replace(chain, number, Box::new(rule))
            }
            'L' => Action::List(asked.chain, asked.number),
            'S' => Action::Rules(asked.chain, asked.number),
            'F' => Action::Flush(asked.chain),
            'Z' => Action::Zero(asked.chain),
            'N' => {
                valid_name(&chain)?;
                Action::New(chain)
            }
            'X' => Action::Remove(asked.chain),
            'E' => {
                valid_name(&asked.word)?;
                Action::Rename(chain, asked.word)
            }
            _ => {
                if table == "nat" && asked.word == "DROP" {
                    return Err(words(NO_FILTER));
                }
                Action::Policy(chain, asked.word)
            }
        };
        let format = self.format;
        Ok(Command {
            table,
            action,
            format,
        })
    }

    /// One rule for each pair of addresses.
    fn rules(&self) -> Result<Vec<Rule>, Problem> {
        let all = |given: &Option<(bool, String)>| -> Result<Vec<Maybe>, Problem> {
            let Some((not, list)) = given else {
                return Ok(vec![Maybe::default()]);
            };
            let found = values::networks(list, self.names)?;
            if *not && found.len() > 1 {
                return Err(words(
                    "! not allowed with multiple source or destination IP addresses",
                ));
            }
            let maybe = |value| Maybe { not: *not, value };
            Ok(found.into_iter().map(maybe).collect())
        };
        let (sources, destinations) = (all(&self.sources)?, all(&self.destinations)?);
        let mut rules = Vec::new();
        for source in &sources {
            for destination in &destinations {
                rules.push(Rule {
                    source: source.clone(),
                    destination: destination.clone(),
                    ..self.rule.clone()
                });
            }
        }
        Ok(rules)
    }
}

const NO_FILTER: &str = "\nThe \"nat\" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n";

fn finish(part: &mut Part, known: &'static [Extension], about: &About) -> Result<(), Problem> {
    if let Some(extension) = find(known, &part.name) {
        (extension.finish)(part, about)?;
        part.sort(extension);
    }
    Ok(())
}

fn find(known: &'static [Extension], name: &str) -> Option<&'static Extension> {
    known.iter().find(|extension| extension.name == name)
}

fn rule_number(text: &str) -> Result<usize, Problem> {
    let number = values::number(text).filter(|number| (1..=0x7fff_ffff).contains(number));
    let wrong = || Problem::Words(format!("Invalid rule number `{text}'"));
    number.map(|number| number as usize).ok_or_else(wrong)
}

fn words(text: &str) -> Problem {
    Problem::Words(text.into())
}
