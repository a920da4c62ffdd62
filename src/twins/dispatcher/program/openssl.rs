//! When openssl's twin does the same: its providers and engines are in a folder named after what it was built for,
//! and some of its commands tell that.

use crate::{
    file,
    stack::Stack,
    text::{Bytes, Text},
};

/// The settings of every command; the same path on every processor.
const SETTINGS: Text = Text(c"/usr/lib/ssl/openssl.cnf".as_ptr().cast());

/// Whether neither command, options, environment nor settings have to do with these.
pub fn is_plain(stack: Stack) -> bool {
    let Some(command) = stack.arguments().next() else {
        return false;
    };
    let tells = command.is(b"version")
        || command.is(b"info")
        || command.is(b"list")
        || command.is(b"speed")
        || command.is(b"fipsinstall");
    !tells
        && !stack.has_variable(b"OPENSSL")
        && file::passes(SETTINGS, are_plain_settings)
        && arguments_are_plain(stack)
}

fn arguments_are_plain(stack: Stack) -> bool {
    let mut is_settings = false;
    stack.arguments().all(|argument| {
        let passes = !is_settings || file::passes(argument, are_plain_settings);
        is_settings = argument.is(b"-config") || argument.is(b"--config");
        passes && !argument.contains(b"config=") && !mention_modules(argument.bytes())
    })
}

fn mention_modules(text: Bytes) -> bool {
    text.contain(b"engine") || text.contain(b"provider") || text.contain(b"legacy")
}

/// Whether nothing but comments mentions them, or another file.
fn are_plain_settings(settings: Bytes) -> bool {
    let (mut start, mut comment) = (0, None);
    for at in 0..=settings.length {
        let ends = at == settings.length || settings.at(at) == b'\n';
        if !ends && settings.at(at) == b'#' {
            comment = comment.or(Some(at));
        }
        if ends {
            let line = Bytes {
                start: unsafe { settings.start.add(start) },
                length: comment.unwrap_or(at) - start,
            };
            if mention_modules(line) || line.contain(b".include") {
                return false;
            }
            (start, comment) = (at + 1, None);
        }
    }
    true
}
