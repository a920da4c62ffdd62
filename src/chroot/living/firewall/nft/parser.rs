//! Reads a script for nft, and carries out what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    expressions::unexpected,
    lexer::{Token, Wrong, tokens},
    ruleset::{Ruleset, Table},
};
use crate::chroot::living::firewall::names::read;

/// How deep files may include each other, as nft has it.
const MAX_DEPTH: usize = 16;
/// How many files may be included in all.
const MAX_FILES: usize = 1000;
/// The most words that one statement may have, with those of its variables.
const MAX_WORDS: usize = 1 << 20;
/// The most rules, objects and elements that are kept.
const MAX_PARTS: usize = 200_000;

/// A script with what it is read with.
pub struct Script<'a> {
    /// Its words.
    pub tokens: Vec<Token>,
    /// How far it was read.
    pub at: usize,
    /// Where the image's files are.
    root: &'a Path,
    /// The folder that included files are in.
    folder: std::path::PathBuf,
    depth: usize,
    /// What was defined.
    pub variables: BTreeMap<String, Vec<Token>>,
    /// Chains that the script makes somewhere: rules may lead to them before.
    pub chains: BTreeSet<String>,
    /// How many files may still be included.
    files: usize,
}

/// What a script asks for besides changes, and what it took away.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be listed, as words.
    pub lists: Vec<Vec<String>>,
    /// `flush ruleset` was said, for this family or all.
    pub flushed: Vec<Option<String>>,
}

/// Nothing more than that it is done.
pub type Done = Result<(), Wrong>;

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
            files: MAX_FILES,
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

    /// The word that comes now.
    pub fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or(";", |token| &token.text)
    }

    /// The token that comes now; at the end, one behind the last.
    pub fn here(&self) -> Token {
        let end = self.tokens.last().map_or(0, |token| token.at.end);
        let nothing = Token {
            text: ";".into(),
            at: end..end + 1,
        };
        self.tokens.get(self.at).cloned().unwrap_or(nothing)
    }

    /// Whether this comes now; then it is behind us.
    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.at < self.tokens.len() && self.peek() == text;
        self.at += usize::from(found);
        found
    }

    /// A word, whatever it is.
    pub fn word(&mut self) -> Result<Token, Wrong> {
        let token = self.here();
        if [";", "{", "}", ",", "="].contains(&token.text.as_str()) {
            return Err(unexpected(&token));
        }
        self.at += 1;
        Ok(token)
    }

    /// This must come now.
    pub fn expect(&mut self, text: &str) -> Done {
        match self.eat(text) {
            true => Ok(()),
            false => Err(unexpected(&self.here())),
        }
    }

    /// Nothing more may be in this statement; a block ends it, too.
    pub fn end(&mut self) -> Done {
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
    pub fn rest(&mut self) -> Result<Vec<Token>, Wrong> {
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
            if rest.len() > MAX_WORDS {
                return Err(token.wrong("syntax error, too many words"));
            }
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

    /// Carries out a file.
    pub fn include(&mut self, rules: &mut Ruleset, out: &mut Outcome) -> Done {
        let token = self.word()?;
        self.included(&token, |script| script.run(rules, out))?;
        self.end()
    }

    /// Has `read` read each file that is included here, with the variables that there are.
    pub fn included(
        &mut self,
        token: &Token,
        mut read_all: impl FnMut(&mut Script) -> Done,
    ) -> Done {
        let pattern = self.folder.join(token.unquoted());
        let files = match token.unquoted().contains(['*', '?', '[']) {
            true => matching(self.root, &pattern),
            false => vec![pattern],
        };
        if self.depth >= MAX_DEPTH || files.len() > self.files {
            return Err(token.wrong("Include nested too deeply, max 16 levels"));
        }
        self.files -= files.len();
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
                files: self.files,
            };
            let ran = read_all(&mut script);
            self.variables = script.variables;
            self.chains = script.chains;
            self.files = script.files;
            ran.map_err(there)?;
        }
        Ok(())
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
    let (mut at, mut of) = (0, 0);
    // The last star, and how much of the name it takes.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(letter) if *letter == b'?' || *letter == name[at] => {
                (at, of) = (at + 1, of + 1);
            }
            _ => match &mut star {
                Some((place, taken)) => {
                    *taken += 1;
                    (at, of) = (*taken, *place + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|letter| *letter == b'*')
}
