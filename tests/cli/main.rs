//! What bad input gets: its exit code, one error and one hint, and nothing left behind.

#[path = "../support/mod.rs"]
mod support;
