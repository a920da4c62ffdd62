//! When gawk's twin does the same: it loads extensions from a folder named after what it was built for, which
//! ENVIRON shows, and goes through an array in an order that depends on whether a `char` has a sign.

use crate::{
    file,
    stack::Stack,
    text::{Bytes, Text},
};

/// Whether the program is on the command line or in files that `-f` names, and does none of that.
pub fn is_plain(stack: Stack) -> bool {
    if stack.has_variable(b"AWK") || stack.has_variable(b"GAWK") {
        return false;
    }
    let mut is_in_files = false;
    let mut arguments = stack.arguments();
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.after(b"-") else {
            return is_in_files || is_plain_program(argument.bytes());
        };
        let attached = option.at(0) != 0 && option.at(1) != 0;
        let value = match attached {
            true => Some(Text(unsafe { option.0.add(1) })),
            false => arguments.next(),
        };
        match (option.at(0), value) {
            (b'F' | b'v', Some(_)) => {}
            (b'f', Some(path)) if file::passes(path, is_plain_program) => is_in_files = true,
            _ => return false,
        }
    }
    is_in_files
}

fn is_plain_program(text: Bytes) -> bool {
    // `@load` and `@include`; SYMTAB has ENVIRON, too; what is equal is sorted by where it was.
    !(text.contain(b"@")
        || text.contain(b"environ")
        || text.contain(b"symtab")
        || text.contain(b"asort")
        || text.have_word(b"for") && text.have_word(b"in"))
}
