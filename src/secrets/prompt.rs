//! Asks for a secret on the terminal, without echo.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
};

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use secrecy::zeroize::Zeroizing;

use crate::error::{Context, Error, Kind, Result};

/// Asks on /dev/tty for the secret `name`; returns the line typed.
///
/// # Errors
/// [`Kind::Usage`] when there is no terminal or nothing was typed before its end;
/// [`Kind::Signal`] on Ctrl-C.
pub fn ask(name: &str) -> Result<Vec<u8>> {
    let tty = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .context(Kind::Usage, || {
            format!("secret {name}: there is no terminal to ask on")
        })
        .map_err(|error| {
            error.hint("use env:, file:, cmd: or vault: when run without a terminal")
        })?;
    read_hidden(&tty, name)
}

/// Restores the terminal's mode, however the prompt ends.
struct Hidden<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    /// Turns off echo, and line and signal handling: Ctrl-C must come to us as a byte, since a
    /// process killed by it could not restore anything.
    fn new(tty: &'a File) -> nix::Result<Self> {
        let before = termios::tcgetattr(tty)?;
        let mut mode = before.clone();
        mode.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        termios::tcsetattr(tty, SetArg::TCSAFLUSH, &mode)?;
        Ok(Hidden { tty, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // Nothing could be done about a failure here, and the secret is already read.
        let _ = termios::tcsetattr(self.tty, SetArg::TCSADRAIN, &self.before);
    }
}

fn read_hidden(mut tty: &File, name: &str) -> Result<Vec<u8>> {
    let failed = || format!("secret {name}: cannot ask on the terminal");
    let hidden = Hidden::new(tty).context(Kind::Usage, failed)?;
    write!(tty, "{name}: ").context(Kind::Usage, failed)?;
    let line = read_line(tty, name);
    drop(hidden);
    // The end of the line was not echoed either; the answer counts even if this one cannot be shown.
    let _ = tty.write_all(b"\n");
    line
}

fn read_line(mut tty: &File, name: &str) -> Result<Vec<u8>> {
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    let mut byte = [0];
    loop {
        match tty.read(&mut byte) {
            Ok(0) => byte[0] = 4,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(error).context(Kind::Usage, || {
                    format!("secret {name}: cannot read from the terminal")
                });
            }
        }
        match byte[0] {
            b'\n' | b'\r' => return Ok(std::mem::take(&mut *line)),
            3 => {
                return Err(Error::new(
                    Kind::Signal(nix::libc::SIGINT),
                    format!("interrupted at the prompt for {name}"),
                ));
            }
            4 if line.is_empty() => {
                return Err(Error::usage(format!(
                    "secret {name}: nothing was typed at its prompt"
                ))
                .hint("type the secret and press Enter"));
            }
            4 => return Ok(std::mem::take(&mut *line)),
            8 | 127 => remove_character(&mut line),
            21 => line.clear(),
            other => line.push(other),
        }
    }
}

/// Removes the last UTF-8 character.
fn remove_character(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;

    /// Types `keys` at a prompt on a new terminal; returns the answer and what the user saw.
    fn type_at_prompt(keys: &[u8]) -> (Result<Vec<u8>>, String) {
        let pty = openpty(None, None).unwrap();
        let (mut master, slave) = (File::from(pty.master), File::from(pty.slave));
        let before = termios::tcgetattr(&slave).unwrap();
        let mut screen = vec![0; 256];
        let (answer, prompt) = std::thread::scope(|scope| {
            let asking = scope.spawn(|| read_hidden(&slave, "pw"));
            // Once the prompt is seen the mode is set, so nothing typed is flushed. It may come in parts.
            let mut prompt = [0; 4];
            master.read_exact(&mut prompt).unwrap();
            master.write_all(keys).unwrap();
            (asking.join().unwrap(), prompt)
        });
        assert_eq!(&prompt, b"pw: ");
        let seen = master.read(&mut screen).unwrap();
        let after = termios::tcgetattr(&slave).unwrap();
        assert_eq!(after.local_flags, before.local_flags);
        (
            answer,
            String::from_utf8_lossy(&screen[..seen]).into_owned(),
        )
    }

    #[test]
    fn the_answer_is_read_without_echo() {
        let (answer, seen) = type_at_prompt("wrong\u{15}gehé\u{7f}eim\n".as_bytes());
        assert_eq!(answer.unwrap(), b"geheim");
        assert_eq!(seen.trim(), "");
    }

    #[test]
    fn interrupt_and_end_of_input_restore_the_terminal() {
        let (answer, _) = type_at_prompt(b"abc\x03");
        assert_eq!(answer.unwrap_err().kind(), Kind::Signal(2));
        let (answer, _) = type_at_prompt(b"\x04");
        assert_eq!(answer.unwrap_err().kind(), Kind::Usage);
    }
}
