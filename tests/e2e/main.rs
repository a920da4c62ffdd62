//! The whole program on the real base image, judged from outside.

#[path = "../support/mod.rs"]
mod support;

mod exec;
