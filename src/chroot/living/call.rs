//! One start of a program that acts on a running machine.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{Command, Output},
};

use super::real::Real;
use crate::bare::message::REAL;

/// A program that was started in the chroot, and waits for an answer.
///
/// Everything in it is the image's, and may be anything: sizes are bounded where it is read.
#[derive(Debug)]
pub struct Call {
    /// The program's path, as it was started.
    pub program: PathBuf,
    /// What follows its name.
    pub args: Vec<String>,
    /// The folder it was started in.
    pub cwd: PathBuf,
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The user that it runs as.
    pub user: u32,
    /// The group that it runs as.
    pub group: u32,
    /// All of its standard input, once a tool has asked for it: [`Answer::NeedsInput`].
    pub stdin: Option<Vec<u8>>,
    /// What runs programs for it.
    pub real: Real,
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The program itself is to run.
    Pass,
    /// The tool cannot say before it has seen the standard input: it is called again with that. Until then nothing may be
    /// changed, and others are answered in between, as one of them may be what writes it.
    NeedsInput,
    /// It does not run, and this is what it would have said.
    Said {
        /// Its exit code.
        code: u8,
        /// On its standard output.
        out: Vec<u8>,
        /// On its standard error.
        err: Vec<u8>,
    },
}

impl Answer {
    /// Success, without a word.
    pub fn ok() -> Self {
        Self::out("")
    }

    /// Success, with this on standard output.
    pub fn out(text: impl Into<String>) -> Self {
        Answer::Said {
            code: 0,
            out: text.into().into_bytes(),
            err: Vec::new(),
        }
    }

    /// Failure with an exit code, and this on standard error, as the program itself would say it.
    pub fn fails(code: u8, text: impl Into<String>) -> Self {
        Answer::Said {
            code,
            out: Vec::new(),
            err: text.into().into_bytes(),
        }
    }

    /// What the program itself has said; `failure` is its exit code where it was killed or cannot be started.
    pub fn of(output: io::Result<Output>, failure: u8) -> Self {
        match output {
            Ok(output) => Answer::Said {
                code: output.status.code().map_or(failure, |code| code as u8),
                out: output.stdout,
                err: output.stderr,
            },
            Err(error) => Answer::fails(failure, format!("pichroot: {error}\n")),
        }
    }

    /// Failure since an image is no running machine: the reason and what to do, in our own words.
    pub fn refused(what: &str, hint: &str) -> Self {
        Self::fails(1, format!("pichroot: {what}\nhint: {hint}\n"))
    }
}

impl Call {
    /// The name that it was started by.
    pub fn name(&self) -> &str {
        let name = self.program.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default()
    }

    /// Whether root asks.
    pub fn is_root(&self) -> bool {
        self.user == 0
    }

    /// The command as people type it, for a shell.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.name()).chain(self.args.iter().map(String::as_str));
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// The same program's start of another one, with these arguments.
    pub fn of(&self, program: &str, args: &[&str]) -> Call {
        Call {
            program: program.into(),
            args: args.iter().map(|&word| word.to_owned()).collect(),
            cwd: self.cwd.clone(),
            environment: self.environment.clone(),
            user: self.user,
            group: self.group,
            stdin: None,
            real: self.real.clone(),
        }
    }

    /// Runs the program itself, or another one of the image, as the same user, with its environment, in its folder,
    /// and without input. Bounded in time and output.
    ///
    /// # Errors
    /// When it cannot be started, takes too long or says too much.
    pub fn real(&self, program: &str, args: &[&str]) -> io::Result<Output> {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.cwd);
        command.env_clear().envs(self.environment.iter().cloned());
        command.env(REAL, "1");
        self.real.run(command, self.user, self.group)
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"%+,-./:=@_^".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// As root types it, words divided by spaces.
    pub fn call(line: &str) -> Call {
        let mut words = line.split_whitespace().map(str::to_owned);
        let name = words.next().unwrap();
        Call {
            program: PathBuf::from("/usr/sbin").join(name),
            args: words.collect(),
            cwd: "/".into(),
            environment: Vec::new(),
            user: 0,
            group: 0,
            stdin: None,
            real: Real::default(),
        }
    }

    #[test]
    fn a_line_can_be_given_to_a_shell() {
        let mut call = call("sysctl -w a=b");
        assert_eq!(call.line(), "sysctl -w a=b");
        call.args
            .extend(["it's".into(), String::new(), "$x".into()]);
        assert_eq!(call.line(), r"sysctl -w a=b 'it'\''s' '' '$x'");
    }
}
