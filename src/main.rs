//! The pichroot command.

fn main() {}
