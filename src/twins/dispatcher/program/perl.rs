//! When perl's twin does the same: it finds its modules by options that we put in front, and has those that are
//! built for a processor only as they were when the table was made.

use crate::{
    file,
    format::PERL_OPTIONS,
    stack::Stack,
    table::Table,
    text::{Bytes, Text},
};

/// Whether nothing leads perl to other modules, by options, environment or a change of the image.
pub unsafe fn is_plain(table: &Table, stack: Stack) -> bool {
    !stack.has_variable(b"PERL")
        && has_plain_arguments(stack)
        && unsafe { modules_are_as_they_were(table) }
}

/// Whether no option is for folders and modules, which come before ours, and none shows what perl was built for; nor
/// does the program name folders itself.
fn has_plain_arguments(stack: Stack) -> bool {
    let mut arguments = stack.arguments();
    let mut is_line = false;
    while let Some(argument) = arguments.next() {
        let Some(letters) = argument.after(b"-") else {
            return is_line || file::passes(argument, is_plain_program);
        };
        let mut at = 0;
        while letters.at(at) != 0 {
            match letters.at(at) {
                // The code is the rest of this argument, or the next one.
                b'e' | b'E' => {
                    let attached = Text(unsafe { letters.0.add(at + 1) });
                    let code = match attached.at(0) {
                        0 => arguments.next(),
                        _ => Some(attached),
                    };
                    if !code.is_some_and(|code| is_plain_program(code.bytes())) {
                        return false;
                    }
                    is_line = true;
                    break;
                }
                b'I' | b'V' | b'v' | b'S' | b'x' => return false,
                // The rest is a module, a suffix, or what separates fields.
                b'M' | b'm' if letters.contains(b"lib") => return false,
                b'M' | b'm' | b'i' | b'F' => break,
                _ => at += 1,
            }
        }
    }
    // Else a script from a pipe, or a terminal.
    is_line
}

/// Modules in folders that a program names itself may be built for the image's processor.
fn is_plain_program(text: Bytes) -> bool {
    let first_line = Bytes {
        length: (0..text.length)
            .find(|at| text.at(*at) == b'\n')
            .unwrap_or(text.length),
        ..text
    };
    let names_folders = text.contain(b"use lib") || text.contain(b"findbin");
    let has_option = first_line.contain(b"#!") && first_line.contain(b" -i");
    !(names_folders || has_option)
}

unsafe fn modules_are_as_they_were(table: &Table) -> bool {
    let guards = table.guards();
    let mut all = 0..table.header().guards as usize;
    all.all(|index| unsafe { table.holds(&*guards.add(index)) })
}

/// Puts the options into `to`, which is null where there is none.
pub unsafe fn options(table: &Table, to: &mut [*const u8]) {
    let mut text = Text(unsafe { table.text(table.header().perl_options) });
    let mut left = PERL_OPTIONS;
    for place in to {
        if left == 0 || text.at(0) == 0 {
            return;
        }
        *place = text.0;
        text = Text(unsafe { text.0.add(text.length() + 1) });
        left -= 1;
    }
}
