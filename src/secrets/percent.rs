//! What is percent-encoded in addresses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// All but letters, digits and `-._~`.
pub(super) const ALL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The same in a path, which keeps its slashes.
pub(super) const PATH: &AsciiSet = &ALL.remove(b'/');
