//! Files that tell what a program is going to do: scripts and settings.

use crate::{
    calls::Descriptor,
    kernel::{O_RDONLY, Stat, stat},
    text::{Bytes, Text},
};

/// The longest file that is looked through.
const LONGEST: usize = 64 << 10;

/// Whether `test` holds for what is in the file at `path`. It does not where that is longer, or no plain file: who
/// writes to a pipe must not find that it was opened and closed.
// Its buffer must not be in the frame of who writes the new stack.
#[inline(never)]
pub fn passes(path: Text, test: impl FnOnce(Bytes) -> bool) -> bool {
    unsafe {
        let is_plain = |stat: &Stat| stat.mode & 0o170000 == 0o100000;
        if !stat(path.0).is_some_and(|stat| is_plain(&stat)) {
            return false;
        }
        let Some(file) = Descriptor::open(path.0, O_RDONLY) else {
            return false;
        };
        let now = file.stat().filter(is_plain);
        let size = now.map_or(usize::MAX, |stat| stat.size as usize);
        let mut passed = false;
        if size <= LONGEST {
            let mut buffer = core::mem::MaybeUninit::<[u8; LONGEST]>::uninit();
            let start = buffer.as_mut_ptr().cast::<u8>();
            let length = file.read_start(start, size);
            passed = length == size && test(Bytes { start, length });
        }
        file.close();
        passed
    }
}
