//! Options as C's getopt_long finds them: joined short ones, long ones cut short, values with `=`.

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// An option of one letter.
    Short(char),
    /// A long option, as it is called in full.
    Long(String),
    /// A word that is no option.
    Word(String),
    /// An option that nobody has, as it was typed.
    Unknown(String),
}

/// The words of a command, and how far they were read.
pub struct Words {
    words: Vec<String>,
    at: usize,
    /// What is left of joined short options.
    joined: String,
    /// What was behind `=`.
    value: Option<String>,
}

impl Words {
    /// Before the first of them.
    pub fn new(words: Vec<String>) -> Self {
        Words {
            words,
            at: 0,
            joined: String::new(),
            value: None,
        }
    }

    /// The next option or word. `long` are the names of all long options that there are now, which may be cut `short`.
    pub fn next<'a>(&mut self, long: impl Iterator<Item = &'a str>, short: bool) -> Option<Next> {
        self.value = None;
        if !self.joined.is_empty() {
            return Some(Next::Short(self.joined.remove(0)));
        }
        let word = self.words.get(self.at)?.clone();
        self.at += 1;
        if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            self.value = value;
            let found = find(name, long).filter(|found| short || found == name);
            return Some(found.map_or(Next::Unknown(word), Next::Long));
        }
        match word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            Some(letters) => {
                self.joined = letters.to_owned();
                Some(Next::Short(self.joined.remove(0)))
            }
            None => Some(Next::Word(word)),
        }
    }

    /// Puts what [`Words::next`] returned back.
    pub fn back(&mut self) {
        self.at -= 1;
        self.joined.clear();
    }

    /// The value of the option that was read last.
    pub fn needed(&mut self) -> Result<String, String> {
        if let Some(value) = self.attached() {
            return Ok(value);
        }
        let value = self.words.get(self.at).cloned();
        let option = &self.words[self.at - 1];
        let missing = || format!("option \"{option}\" requires an argument");
        let value = value.ok_or_else(missing)?;
        self.at += 1;
        Ok(value)
    }

    /// The value that is in the same word as the option.
    pub fn attached(&mut self) -> Option<String> {
        if !self.joined.is_empty() {
            return Some(std::mem::take(&mut self.joined));
        }
        self.value.take()
    }

    /// The next word, if it may be a value.
    pub fn maybe(&mut self) -> Option<String> {
        let word = self.words.get(self.at)?;
        let may = self.joined.is_empty() && !word.starts_with(['-', '!']);
        may.then(|| {
            self.at += 1;
            word.clone()
        })
    }

    /// The word that comes next.
    pub fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    /// As it was typed.
    pub fn last(&self) -> &str {
        &self.words[self.at - 1]
    }
}

/// The long option that a name, which may be cut short, means.
fn find<'a>(name: &str, long: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut found: Option<&str> = None;
    for option in long {
        if option == name {
            return Some(option.to_owned());
        }
        if option.starts_with(name) {
            if found.is_some_and(|other| other != option) {
                // Two could be meant. An exact one may still come.
                found = Some("");
                continue;
            }
            found = Some(option);
        }
    }
    found.filter(|option| !option.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_as_getopt_finds_them() {
        let line = "-tnat -nvL INPUT --to-dest 1 --to-ports=2 ! --d x";
        let mut words = Words::new(line.split(' ').map(str::to_owned).collect());
        let long = ["to-destination", "to-ports", "dport", "dst"];
        let next = |words: &mut Words| words.next(long.into_iter(), true).unwrap();
        assert_eq!(next(&mut words), Next::Short('t'));
        assert_eq!(words.needed().unwrap(), "nat");
        for letter in ['n', 'v', 'L'] {
            assert_eq!(next(&mut words), Next::Short(letter));
        }
        assert_eq!(words.maybe().unwrap(), "INPUT");
        assert_eq!(next(&mut words), Next::Long("to-destination".into()));
        assert_eq!(words.needed().unwrap(), "1");
        assert_eq!(next(&mut words), Next::Long("to-ports".into()));
        assert_eq!(words.needed().unwrap(), "2");
        assert_eq!(next(&mut words), Next::Word("!".into()));
        assert_eq!(next(&mut words), Next::Unknown("--d".into()));
    }
}
