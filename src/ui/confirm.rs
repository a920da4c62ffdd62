//! A question with two answers.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
};

/// Asks on the terminal; `None` without one.
pub fn ask(question: &str) -> io::Result<Option<bool>> {
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    write!(&terminal, "{question} [y/N] ")?;
    let mut answer = String::new();
    BufReader::new(&terminal).read_line(&mut answer)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(Some(matches!(answer.as_str(), "y" | "yes")))
}
