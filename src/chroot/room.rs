//! Why an image does not take a file.

use crate::{
    error::Error,
    event::Left,
    sys::{inroot::Root, room},
};

/// `error` of something that was to be made in the image at `root`, with what to do about it. No room is the image's
/// fault, and not that of this machine's disk.
pub fn explain(root: &Root, error: Error) -> Error {
    let left = root.locate("etc".as_ref()).and_then(|etc| room::left(&etc));
    match left.ok().filter(Left::is_nothing) {
        None => error.hint("is the image's file system read-only? see `dmesg`"),
        Some(left) => Error::image(error.to_string()).hint(format!(
            "the image's file system has {}: make it larger, as in --grow +1G, or remove files from it",
            room::words(&left)
        )),
    }
}
