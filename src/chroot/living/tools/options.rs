//! Options and words that were typed after a program's name.

use crate::chroot::living::{call::Call, first_boot, machine::Machine};

/// The options that a program has, each with its letter, if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Those with a value.
    pub with_value: &'static [(&'static str, &'static str)],
    /// Those without one.
    pub plain: &'static [(&'static str, &'static str)],
}

impl Known {
    /// An option's whole name, and whether it takes a value; a beginning that only one has is enough.
    fn long(&self, name: &str) -> Result<(&'static str, bool), ()> {
        if let Some((long, _, takes)) = self.all().find(|(long, ..)| *long == name) {
            return Ok((long, takes));
        }
        let mut begun = self.all().filter(|(long, ..)| long.starts_with(name));
        match (begun.next(), begun.next()) {
            (Some((long, _, takes)), None) => Ok((long, takes)),
            _ => Err(()),
        }
    }

    fn letter(&self, letter: char) -> Option<(&'static str, bool)> {
        let mut all = self.all();
        let found = all.find(|(_, short, _)| short.starts_with(letter));
        found.map(|(long, _, takes)| (long, takes))
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let with_value = self
            .with_value
            .iter()
            .map(|(long, short)| (*long, *short, true));
        with_value.chain(
            self.plain
                .iter()
                .map(|(long, short)| (*long, *short, false)),
        )
    }
}

/// Options and words, apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    given: Vec<(&'static str, Option<String>)>,
    /// The verb, if there is one, and what comes after it.
    pub words: Vec<String>,
}

impl Options {
    /// Takes them apart as getopt does.
    ///
    /// # Errors
    /// For what the program itself is to find fault with.
    pub fn parse(known: &Known, args: &[String]) -> Result<Self, ()> {
        Self::take(known, args, false)
    }

    /// Those of a program that a daemon of systemd works for; `None` where it is to run itself.
    pub fn of_client(known: &Known, call: &Call, machine: &Machine) -> Option<Self> {
        let options = Self::parse(known, &call.args).ok()?;
        let apart = ["help", "host", "machine", "version"];
        let answered = !apart.into_iter().any(|option| options.has(option))
            && first_boot::has_systemd(&machine.root);
        answered.then_some(options)
    }

    /// The same, where what begins with the first word is another program's.
    ///
    /// # Errors
    /// As above.
    pub fn parse_first(known: &Known, args: &[String]) -> Result<Self, ()> {
        Self::take(known, args, true)
    }

    fn take(known: &Known, args: &[String], first: bool) -> Result<Self, ()> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                options.words.extend(args.cloned());
                break;
            }
            if let Some(long) = arg.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let (name, takes) = known.long(name)?;
                let value = match (takes, value) {
                    (true, None) => Some(args.next().ok_or(())?.clone()),
                    (false, Some(_)) => return Err(()),
                    (_, value) => value,
                };
                options.given.push((name, value));
            } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
                options.letters(known, letters, &mut args)?;
            } else {
                options.words.push(arg.clone());
                if first {
                    options.words.extend(args.by_ref().cloned());
                }
            }
        }
        Ok(options)
    }

    fn letters<'a>(
        &mut self,
        known: &Known,
        letters: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), ()> {
        for (at, letter) in letters.char_indices() {
            let (name, takes) = known.letter(letter).ok_or(())?;
            if !takes {
                self.given.push((name, None));
                continue;
            }
            let rest = &letters[at + letter.len_utf8()..];
            let value = if rest.is_empty() {
                args.next().ok_or(())?.clone()
            } else {
                rest.to_owned()
            };
            self.given.push((name, Some(value)));
            break;
        }
        Ok(())
    }

    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The value that was given last.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.given.iter().rev().find(|(given, _)| *given == name);
        found.and_then(|(_, value)| value.as_deref())
    }

    /// All values of an option that takes lists.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let given = self.given.iter().filter(|(given, _)| *given == name);
        let values = given.filter_map(|(_, value)| value.as_deref());
        values
            .flat_map(|value| value.split(','))
            .filter(|v| !v.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known {
        with_value: &[("property", "p"), ("type", "t"), ("machine", "M")],
        plain: &[
            ("quiet", "q"),
            ("all", "a"),
            ("no-pager", ""),
            ("no-legend", ""),
        ],
    };

    fn parse(line: &str) -> Result<Options, ()> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&KNOWN, &words)
    }

    #[test]
    fn options_are_wherever_people_put_them() {
        let options =
            parse("show ssh -p A,B --prop=C --no-pag -qa -tservice -M x -- -.mount").unwrap();
        assert_eq!(options.words, ["show", "ssh", "-.mount"]);
        assert_eq!(options.list("property"), ["A", "B", "C"]);
        assert!(
            ["no-pager", "quiet", "all"]
                .iter()
                .all(|name| options.has(name))
        );
        assert_eq!(options.value("type"), Some("service"));
        assert_eq!(options.value("machine"), Some("x"));
    }

    #[test]
    fn what_another_program_gets_is_left_alone() {
        let line = ["-q", "--type", "a", "run", "--all", "-Z"].map(str::to_owned);
        let options = Options::parse_first(&KNOWN, &line).unwrap();
        assert_eq!(options.words, ["run", "--all", "-Z"]);
        assert!(options.has("quiet") && !options.has("all"));
    }

    #[test]
    fn what_a_program_would_not_take_is_left_to_it() {
        for bad in ["--frobnicate", "--no", "-Z", "--quiet=yes", "show -p"] {
            assert_eq!(parse(bad), Err(()), "{bad}");
        }
    }
}
