//! When perl's twin does the same: it finds its modules by options that we put in front, and has those that are
//! built for a processor only as they were when the table was made.

use crate::{
    calls::stat,
    format::{Guard, PERL_OPTIONS},
    stack::Stack,
    text::Text,
    twin::Table,
};

/// Whether nothing leads perl to other modules, by options, environment or a change of the image.
pub unsafe fn is_plain(table: &Table, stack: Stack) -> bool {
    !options_matter(stack)
        && !stack.has_variable(b"PERL")
        && unsafe { modules_are_as_they_were(table) }
}

/// Options for folders and modules, which come before ours, and the one that shows what perl was built for.
fn options_matter(stack: Stack) -> bool {
    for argument in stack.arguments() {
        let Some(letters) = argument.after(b"-") else {
            return false;
        };
        let mut at = 0;
        while letters.at(at) != 0 {
            match letters.at(at) {
                // The code is the next argument, or the rest of this one.
                b'e' | b'E' => return false,
                b'I' | b'V' | b'S' | b'x' => return true,
                // The rest is a module.
                b'M' | b'm' => break,
                _ => at += 1,
            }
        }
    }
    // A script from a pipe, or a terminal.
    false
}

unsafe fn modules_are_as_they_were(table: &Table) -> bool {
    let mut guard = table.guards();
    let mut left = table.header().guards;
    while left > 0 {
        unsafe {
            let Guard {
                inode,
                device,
                modified,
                path,
            } = *guard;
            let same = match stat(table.text(path as u32)) {
                None => inode == 0,
                Some(now) => {
                    now.inode == inode
                        && now.device == device
                        && now.modified[0] == modified[0]
                        && now.modified[1] == modified[1]
                }
            };
            if !same {
                return false;
            }
            guard = guard.add(1);
        }
        left -= 1;
    }
    true
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
