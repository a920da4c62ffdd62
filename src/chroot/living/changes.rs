//! Noting what tasks change of the kernel.

use super::{
    call::Answer,
    first_boot::possible,
    kernel::subject::{Files, Subject},
    machine::Machine,
    record::How,
};
use crate::sys::inroot::Root;

impl Machine {
    /// Notes what was written below /proc/sys until now. Before anything else is noted, so that the order is right.
    pub fn note_written(&mut self) {
        let mut kernel = self.kernel.lock();
        let written = kernel.sysctl.take_written();
        let Some(root) = self.files_root().filter(|_| !written.is_empty()) else {
            return;
        };
        let files = Files::read(&root);
        let now = self.record.task.take();
        for written in written {
            let what = kernel.sysctl.command(&written.path);
            let subject = Subject::Value(written.path);
            match what.filter(|_| subject.how(&files, &kernel.sysctl).is_some()) {
                Some(what) => {
                    self.record.task = written.task;
                    self.changes.note(&mut self.record, what, subject);
                }
                // It is again as it was.
                None => drop(self.changes.undo(&subject)),
            }
        }
        self.record.task = now;
    }

    /// Notes a change, as `what` asked for it.
    ///
    /// # Errors
    /// The answer that refuses it: it needs the unit of the first boot, and there can be none.
    pub fn note_change(&mut self, what: &str, subject: Subject) -> Result<(), Answer> {
        self.note_written();
        let how = self
            .files_root()
            .and_then(|root| subject.how(&Files::read(&root), &self.kernel.lock().sysctl));
        if let Some(How::Unit(_)) = how
            && let Some((why, hint)) = possible::why_not(self.first_boot, &self.root)
        {
            let what = format!("`{what}` needs a unit for the first boot, and {why}");
            return Err(Answer::refused(&what, hint));
        }
        self.changes
            .note(&mut self.record, what.to_owned(), subject);
        Ok(())
    }

    /// How the machine gets each, by the files that there are now, and by their places in the record. They are none any more.
    pub fn judged_changes(&mut self) -> Vec<(usize, Option<How>)> {
        self.note_written();
        let Some(root) = self.files_root() else {
            return Vec::new();
        };
        let files = Files::read(&root);
        let kernel = self.kernel.lock();
        self.changes
            .judged(|subject| subject.how(&files, &kernel.sysctl))
    }

    /// The machine boots: what no file says is as it was.
    pub fn boot_kernel(&mut self) {
        self.note_written();
        if let Some(root) = self.files_root() {
            let files = Files::read(&root);
            let mut kernel = self.kernel.lock();
            self.changes
                .boot(|subject| subject.how(&files, &kernel.sysctl));
            kernel.boot(&root);
        }
    }

    /// The image, for whoever reads its files.
    pub fn files_root(&self) -> Option<Root> {
        Root::open(&self.root).ok()
    }
}
