//! The whole program on the real base image, judged from outside.

#[path = "../support/mod.rs"]
mod support;

// What the tests are made of.
mod ended;
mod image;
mod live;
mod processes;
mod scene;
mod terminal;
mod vault;
mod watcher;

// The tests.
mod asked;
mod bootstrap;
mod covers;
mod exec;
mod executor;
mod facts;
mod failure;
mod firewall;
mod first_boot;
mod host_mounts;
mod import;
mod interactive;
mod inventory;
mod kernel;
mod kill;
mod kill_parts;
mod kills;
mod layouts;
mod living;
mod names;
mod netboot;
mod packages;
mod parallel;
mod secrets;
mod settings;
mod shapes;
mod shell;
mod shortcuts;
mod signals;
mod sudo;
mod twins;
mod units;
mod users;
