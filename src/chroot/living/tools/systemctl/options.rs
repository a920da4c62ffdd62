//! What was typed after `systemctl`.

/// Options with a value, each with its letter.
const WITH_VALUE: [(&str, &str); 27] = [
    ("boot-loader-entry", ""),
    ("boot-loader-menu", ""),
    ("check-inhibitors", ""),
    ("drop-in", ""),
    ("host", "H"),
    ("image", ""),
    ("image-policy", ""),
    ("job-mode", ""),
    ("kill-mode", ""),
    ("kill-subgroup", ""),
    ("kill-value", ""),
    ("kill-who", ""),
    ("kill-whom", ""),
    ("legend", ""),
    ("lines", "n"),
    ("machine", "M"),
    ("message", ""),
    ("output", "o"),
    ("preset-mode", ""),
    ("property", "p"),
    ("reboot-argument", ""),
    ("root", ""),
    ("signal", "s"),
    ("state", ""),
    ("timestamp", ""),
    ("type", "t"),
    ("what", ""),
];

/// Those without one.
const PLAIN: [(&str, &str); 43] = [
    ("after", ""),
    ("all", "a"),
    ("before", ""),
    ("dry-run", ""),
    ("failed", ""),
    ("firmware-setup", ""),
    ("force", "f"),
    ("full", "l"),
    ("global", ""),
    ("help", "h"),
    ("ignore-dependencies", ""),
    ("ignore-inhibitors", "i"),
    ("marked", ""),
    ("mkdir", ""),
    ("no-ask-password", ""),
    ("no-block", ""),
    ("no-legend", ""),
    ("no-pager", ""),
    ("no-reload", ""),
    ("no-sync", ""),
    ("no-wall", ""),
    ("no-warn", ""),
    ("now", ""),
    ("plain", ""),
    ("quiet", "q"),
    ("read-only", ""),
    ("recursive", "r"),
    ("reverse", ""),
    ("runtime", ""),
    ("show-transaction", "T"),
    ("show-types", ""),
    ("stdin", ""),
    ("system", ""),
    ("user", ""),
    ("valid", ""),
    ("value", ""),
    ("verbose", "v"),
    ("version", ""),
    ("wait", ""),
    ("with-dependencies", ""),
    ("fail", ""),
    ("irreversible", ""),
    ("isolate", ""),
];

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
    /// For what systemctl itself is to find fault with.
    pub fn parse(args: &[String]) -> Result<Self, ()> {
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
                let (name, takes) = known(name)?;
                let value = match (takes, value) {
                    (true, None) => Some(args.next().ok_or(())?.clone()),
                    (false, Some(_)) => return Err(()),
                    (_, value) => value,
                };
                options.given.push((name, value));
            } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
                options.letters(letters, &mut args)?;
            } else {
                options.words.push(arg.clone());
            }
        }
        Ok(options)
    }

    fn letters<'a>(
        &mut self,
        letters: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), ()> {
        for (at, letter) in letters.char_indices() {
            // -P: the values of these properties.
            let (name, takes) = if letter == 'P' {
                self.given.push(("value", None));
                ("property", true)
            } else {
                lettered(letter).ok_or(())?
            };
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

/// An option's whole name, and whether it takes a value; a beginning that only one has is enough.
fn known(name: &str) -> Result<(&'static str, bool), ()> {
    let all = || {
        let with_value = WITH_VALUE.iter().map(|(long, _)| (*long, true));
        with_value.chain(PLAIN.iter().map(|(long, _)| (*long, false)))
    };
    if let Some(found) = all().find(|(long, _)| *long == name) {
        return Ok(found);
    }
    let mut begun = all().filter(|(long, _)| long.starts_with(name));
    match (begun.next(), begun.next()) {
        (Some(found), None) => Ok(found),
        _ => Err(()),
    }
}

fn lettered(letter: char) -> Option<(&'static str, bool)> {
    let is = |short: &str| short.starts_with(letter);
    let with_value = WITH_VALUE.iter().find(|(_, short)| is(short));
    let plain = PLAIN.iter().find(|(_, short)| is(short));
    with_value
        .map(|(long, _)| (*long, true))
        .or(plain.map(|(long, _)| (*long, false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, ()> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_are_wherever_people_put_them() {
        let options =
            parse("show ssh -p ActiveState,SubState --prop=Id --value --no-pag -qa -tservice")
                .unwrap();
        assert_eq!(options.words, ["show", "ssh"]);
        assert_eq!(options.list("property"), ["ActiveState", "SubState", "Id"]);
        assert!(
            ["value", "no-pager", "quiet", "all"]
                .iter()
                .all(|name| options.has(name))
        );
        assert_eq!(options.value("type"), Some("service"));
        let options = parse("-M joe@ --user start -- -.mount").unwrap();
        assert_eq!(options.value("machine"), Some("joe@"));
        assert_eq!(options.words, ["start", "-.mount"]);
        let options = parse("show -P MainPID ssh").unwrap();
        assert!(options.has("value") && options.list("property") == ["MainPID"]);
    }

    #[test]
    fn what_systemctl_would_not_take_is_left_to_it() {
        for bad in ["--frobnicate", "--no", "-Z", "--quiet=yes", "start -p"] {
            assert_eq!(parse(bad), Err(()), "{bad}");
        }
    }
}
