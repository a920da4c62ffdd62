//! What bad input gets: its exit code, one error and one hint, and nothing left behind. And the
//! kinds of images that are not bad input.
//!
//! One file per theme; [`case`] has what they share, [`images`] makes their small images.

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod case;
mod images;

mod ansible;
mod architecture;
mod boot;
mod catalogue;
mod catalogue_search;
mod checksum;
mod classes;
mod config;
mod disk_full;
mod early;
mod flash;
mod formats;
mod fsck;
mod grow;
mod help;
mod import;
mod in_use;
mod kinds;
mod layouts;
mod limits;
mod network;
mod new_image;
mod older;
mod others;
mod output;
mod package;
mod packed;
mod partitions;
mod publish;
mod secrets;
mod shrink;
mod signature;
mod sound;
mod sudo;
mod usage;
mod virtual_disks;
