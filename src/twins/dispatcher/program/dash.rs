//! When dash's twin does the same: some files only the emulator shows.

use crate::{file, lacking, stack::Stack};

/// Whether it runs no script that looks there. What is in its arguments is known already.
pub fn is_plain(stack: Stack) -> bool {
    let mut words = stack
        .arguments()
        .skip_while(|word| word.at(0) == b'-' || word.at(0) == b'+');
    let looks = |script| file::passes(script, lacking::are_in);
    !words.next().is_some_and(looks)
}
