//! When bash's twin does the same: bash has what it was built for in $HOSTTYPE, $MACHTYPE and $BASH_VERSINFO, and
//! `enable -f` loads what is built for it. And some files only the emulator shows.

use crate::{
    file, lacking,
    stack::Stack,
    text::{Bytes, Text},
};

/// Whether it runs one line, or a script, that does not mention these; what is read from a terminal or a
/// pipe cannot be known. `export` alone shows no variable that is not exported, `set` alone all of them.
pub fn is_plain(stack: Stack) -> bool {
    let exports_functions = |variable: Text| variable.after(b"BASH_FUNC_").is_some();
    let functions = stack.variables().filter(|it| exports_functions(*it));
    if stack
        .arguments()
        .chain(functions)
        .any(|it| mention(it.bytes()))
    {
        return false;
    }
    // Options in front: only those that say nothing about where the commands come from.
    for argument in stack.arguments() {
        let Some(letters) = argument.after(b"-").or(argument.after(b"+")) else {
            return file::passes(argument, |script| !mention(script));
        };
        let mut at = 0;
        while letters.at(at) != 0 {
            match letters.at(at) {
                b'c' => return true,
                b'e' | b'u' | b'x' | b'f' | b'n' | b'v' | b'p' => {}
                _ => return false,
            }
            at += 1;
        }
    }
    false
}

fn mention(text: Bytes) -> bool {
    text.contain(b"hosttype")
        || text.contain(b"machtype")
        || text.contain(b"bash_versinfo")
        || text.contain(b"enable -f")
        || lacking::are_in(text)
}
