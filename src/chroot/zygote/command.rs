//! Which shell lines start a module: exactly those that Ansible makes of an interpreter, the
//! variables of `environment:`, and a become plugin.

/// A module about to be started, without its payload.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// What starts the interpreter: a shell line for `sh -c`, the same for every module of a user.
    pub line: String,
    /// The interpreter, an absolute path.
    pub interpreter: String,
    /// What the module's own environment has beside.
    pub environment: Vec<(String, String)>,
    /// What a become plugin has the line say when it has become the user; with a line's end.
    pub say: Option<String>,
}

/// What shows to the connection plugin that the user was changed (core's become plugins).
pub const SUCCESS: &str = "BECOME-SUCCESS-";

/// Prefixes of variables that an interpreter or its libraries look at before the module runs.
const AT_START: [&str; 9] = [
    "PYTHON", "LD_", "LC_", "LANG", "QEMU_", "GLIBC_", "MALLOC_", "HOME", "PATH",
];

impl Start {
    /// Reads the line; `None` on any doubt, and then a shell has to.
    pub fn recognise(line: &str) -> Option<Start> {
        let words = words(line)?;
        match &words[..] {
            // `sudo -H -S -n -u pi /bin/sh -c 'echo BECOME-SUCCESS-x ; /usr/bin/python3'`
            [user @ .., dash_c, inner] if dash_c == "-c" && !user.is_empty() => {
                let (greeting, rest) = inner.split_once(" ; ")?;
                let secret = greeting.strip_prefix("echo ")?.strip_prefix(SUCCESS)?;
                if !secret.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    return None;
                }
                let plain = Self::plain(&self::words(rest)?)?;
                let before = line.strip_suffix(&quoted(inner))?;
                let inner = format!("echo {SUCCESS} ; {}", plain.line);
                Some(Start {
                    line: format!("{before}{}", quoted(&inner)),
                    say: Some(format!("{SUCCESS}{secret}\n")),
                    ..plain
                })
            }
            _ => Self::plain(&words),
        }
    }

    /// `VARIABLE=value /usr/bin/python3`
    fn plain(words: &[String]) -> Option<Start> {
        let (interpreter, assignments) = words.split_last()?;
        if !interpreter.starts_with('/') || interpreter.contains('=') {
            return None;
        }
        let environment = assignments.iter().map(|word| {
            let (name, value) = word.split_once('=')?;
            let usual = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && name.starts_with(|c: char| !c.is_ascii_digit())
                && !AT_START.iter().any(|prefix| name.starts_with(prefix));
            usual.then(|| (name.to_owned(), value.to_owned()))
        });
        Some(Start {
            line: quoted(interpreter),
            interpreter: interpreter.clone(),
            environment: environment.collect::<Option<_>>()?,
            say: None,
        })
    }
}

/// The words of a line that needs no shell: plain characters, and what Python's `shlex.quote` makes.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        end if end == c => break,
                        // A shell looks at these between double quotes.
                        '$' | '`' | '\\' | '!' if c == '"' => return None,
                        inner => word.push(inner),
                    }
                }
            }
            // What shlex.quote leaves as it is, and no more; `~` and `=` are for the caller.
            c if c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c) => {
                word.get_or_insert_default().push(c);
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// As Python's `shlex.quote`.
pub fn quoted(word: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&b);
    if !word.is_empty() && word.bytes().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_with_variables_is_recognised() {
        let start = Start::recognise("FOO='a b' B=1 /usr/bin/python3 ").unwrap();
        assert_eq!(start.line, "/usr/bin/python3");
        let pairs = [("FOO", "a b"), ("B", "1")].map(|(k, v)| (k.into(), v.into()));
        assert_eq!(start.environment, pairs);
        assert_eq!(start.say, None);
    }

    #[test]
    fn with_become_the_line_is_the_same_for_every_task() {
        let line = |secret: &str| {
            format!(
                "sudo -H -S -n -u pi /bin/sh -c 'echo BECOME-SUCCESS-{secret} ; A='\"'\"'x y'\"'\"' /usr/bin/python3'"
            )
        };
        let (one, two) = (
            Start::recognise(&line("abc")).unwrap(),
            Start::recognise(&line("def")).unwrap(),
        );
        assert_eq!(one.line, two.line);
        assert_eq!(
            one.line,
            "sudo -H -S -n -u pi /bin/sh -c 'echo BECOME-SUCCESS- ; /usr/bin/python3'"
        );
        assert_eq!(one.say.as_deref(), Some("BECOME-SUCCESS-abc\n"));
        assert_eq!(one.environment, [("A".into(), "x y".into())]);
        assert_eq!(one.interpreter, "/usr/bin/python3");
    }

    #[test]
    fn anything_else_is_left_to_a_shell() {
        for line in [
            "",
            "python3",
            "/usr/bin/env python3",
            "/usr/bin/python3; true",
            "A=$(id) /usr/bin/python3",
            "A=\"$HOME\" /usr/bin/python3",
            "PYTHONPATH=/x /usr/bin/python3",
            "LC_ALL=de_DE.UTF-8 /usr/bin/python3",
            "1A=x /usr/bin/python3",
            "/usr/bin/python3 'unfinished",
            "/usr/bin/python3 && sleep 0",
            "~/python3",
            "sudo /bin/sh -c 'echo BECOME-SUCCESS-x; id ; /usr/bin/python3'",
            "sudo /bin/sh -c 'echo BECOME-SUCCESS-$(id) ; /usr/bin/python3'",
            "sudo /bin/sh -c 'echo hello ; /usr/bin/python3'",
            "/bin/sh -c /usr/bin/python3",
        ] {
            assert_eq!(Start::recognise(line), None, "{line}");
        }
    }
}
