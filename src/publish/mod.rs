//! What machines boot from: published trees, and their generations.
//!
//! A [`Place`](place::Place) is one machine's directory below one that a server serves. A new tree is complete in
//! `.pichroot/NAME` beside it before the two are exchanged, in one step; the one before is kept there as a generation.
//! A [`Record`](record::Record) beside each tree says what it was made of.

pub mod configuration;
pub mod listing;
pub mod place;
pub mod rbd;
pub mod record;
pub mod tree;
