//! When bash's twin does the same: bash has what it was built for in $HOSTTYPE and $MACHTYPE.

use crate::{
    calls::{Descriptor, O_RDONLY},
    stack::Stack,
    text::{Text, contains},
};

const HOSTTYPE: &[u8] = b"hosttype";
const MACHTYPE: &[u8] = b"machtype";
/// The longest script that is looked through.
const SCRIPT: usize = 32 << 10;

/// Whether it runs one line, or a script, that does not mention these; what is read from a terminal or a
/// pipe cannot be known. `export` alone shows no variable that is not exported, `set` alone all of them.
pub fn is_plain(stack: Stack) -> bool {
    let count = stack.argument_count();
    let mut index = 3;
    while index < count {
        if mentions(stack.argument(index)) {
            return false;
        }
        index += 1;
    }
    // Options in front: only those that say nothing about where the commands come from.
    let mut index = 3;
    while index < count {
        let argument = stack.argument(index);
        let option = argument.after(b"-").or(argument.after(b"+"));
        let Some(letters) = option else {
            return script_is_plain(argument);
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
        index += 1;
    }
    false
}

fn mentions(text: Text) -> bool {
    text.contains(HOSTTYPE) || text.contains(MACHTYPE)
}

fn script_is_plain(path: Text) -> bool {
    unsafe {
        let Some(file) = Descriptor::open(path.0, O_RDONLY) else {
            return false;
        };
        // A pipe or a terminal must not be read.
        let size = file
            .stat()
            .filter(|stat| stat.mode & 0o170000 == 0o100000)
            .map_or(usize::MAX, |stat| stat.size as usize);
        let mut plain = false;
        if size <= SCRIPT {
            let mut buffer = core::mem::MaybeUninit::<[u8; SCRIPT]>::uninit();
            let start = buffer.as_mut_ptr().cast::<u8>();
            let length = file.read(start, size);
            plain = length == size;
            plain &= !contains(start, length, HOSTTYPE) && !contains(start, length, MACHTYPE);
        }
        file.close();
        plain
    }
}
