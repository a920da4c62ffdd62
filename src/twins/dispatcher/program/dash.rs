//! When dash's twin does the same: it is the emulator that shows /proc/device-tree, where the kernel has none.

use crate::{file, format::DEVICE_TREE, stack::Stack};

/// Whether it runs no script that looks there. What is in its arguments is known already.
pub fn is_plain(stack: Stack) -> bool {
    let mut words = stack.arguments().skip_while(|word| word.at(0) == b'-' || word.at(0) == b'+');
    let looks = |script| file::passes(script, |text| text.contain(DEVICE_TREE.as_bytes()));
    !words.next().is_some_and(looks)
}
