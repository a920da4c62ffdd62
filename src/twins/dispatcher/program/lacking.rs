//! Files that the emulator shows, and that this host's kernel does not have: who looks at them has no twin.

use crate::{stack::Stack, text::Bytes};

/// Whether an argument names one.
pub fn are_in_arguments(stack: Stack) -> bool {
    stack.arguments().any(|word| are_in(word.bytes()))
}

/// Whether a script names one.
pub fn are_in(text: Bytes) -> bool {
    text.contain(b"/proc/device-tree")
        || text.contain(b"/proc/modules")
        || text.contain(b"/modules.builtin")
}
