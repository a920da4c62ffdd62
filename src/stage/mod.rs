//! stage

pub mod fat;
