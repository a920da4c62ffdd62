//! When bash's twin does the same: bash has what it was built for in $HOSTTYPE and $MACHTYPE.

use crate::{file, stack::Stack, text::Bytes};

/// Whether it runs one line, or a script, that does not mention these; what is read from a terminal or a
/// pipe cannot be known. `export` alone shows no variable that is not exported, `set` alone all of them.
pub fn is_plain(stack: Stack) -> bool {
    if stack.arguments().any(|argument| mention(argument.bytes())) {
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
    text.contain(b"hosttype") || text.contain(b"machtype")
}
