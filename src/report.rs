//! How lower layers tell the user what they do, without printing: `ui` implements these traits.

/// Receives steps, warnings and progress. Shared between threads.
pub trait Report: Send + Sync {
    /// A step began, such as "decompressing ubuntu.img.xz".
    fn step(&self, text: &str);
    /// Something the user should know, and that does not stop the run.
    fn warning(&self, text: &str);
    /// A detail that is shown with `-v` only.
    fn detail(&self, text: &str);
    /// Starts a progress bar over `total` bytes (unknown where `None`); it ends when dropped.
    fn progress(&self, text: &str, total: Option<u64>) -> Box<dyn Progress>;
}

/// A running progress bar.
pub trait Progress: Send {
    /// `bytes` are done, counted from the start.
    fn at(&self, bytes: u64);
}

/// Reports nothing; for tests and for quiet helpers.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Report for Silent {
    fn step(&self, _: &str) {}
    fn warning(&self, _: &str) {}
    fn detail(&self, _: &str) {}
    fn progress(&self, _: &str, _: Option<u64>) -> Box<dyn Progress> {
        Box::new(Silent)
    }
}

impl Progress for Silent {
    fn at(&self, _: u64) {}
}
