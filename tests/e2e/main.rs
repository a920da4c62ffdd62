//! The whole program on the real base image, judged from outside.

#[path = "../support/mod.rs"]
mod support;

// What the tests are made of.
mod image;
mod live;
mod scene;
mod terminal;
mod vault;

// The tests.
mod bootstrap;
mod exec;
mod failure;
mod interactive;
mod inventory;
mod kill;
mod parallel;
mod secrets;
mod shell;
mod signals;
