//! Everything about ansible-playbook that is not a running process: its inventory, extra variables,
//! command line, environment, and where to find it.
//!
//! A [`Play`] is given checked values (secrets already resolved) and yields the files the stage
//! writes to its tmpfs ([`Play::files`]) and the arguments that refer to them
//! ([`Play::arguments`]). Nothing secret is ever in those arguments.

pub mod ansible_cfg;
pub mod booted;
pub mod bundle;
pub mod connection;
pub mod environment;
pub mod extra_vars;
pub mod find;
pub mod guard;
pub mod hosts;
pub mod inventory;
pub mod json;
pub mod library;
pub mod passwords;
pub mod play;
pub mod selection;
pub mod signs;
pub mod user_inventory;
pub mod version;

pub use connection::Connection;
pub use extra_vars::ExtraVars;
pub use play::Play;
