//! Files that only the emulator shows to programs, as neither this machine's kernel nor the image has them: see
//! `chroot/living/kernel/lacking.rs`.

use crate::stack::Stack;

/// Whether the program's arguments name one. A shell's line is an argument, too.
pub fn is_named(stack: Stack) -> bool {
    stack.arguments().any(|argument| {
        argument.contains(b"/proc/modules")
            || argument.contains(b"/proc/device-tree")
            || argument.contains(b"/modules.builtin")
    })
}
