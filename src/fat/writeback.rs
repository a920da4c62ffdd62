//! What is written back to the device beside file content, and when.

use nix::errno::Errno;

use super::{Outcome, volume::Volume};

impl Volume {
    /// Before the first change: marks the file system as in use, as Linux does.
    pub(super) fn touch(&mut self) -> Outcome<()> {
        if !self.touched {
            self.touched = true;
            self.set_state(true)?;
        }
        Ok(())
    }

    fn set_state(&mut self, in_use: bool) -> Outcome<()> {
        // One that was found in that state stays so, for fsck.
        if !self.was_clean {
            return Ok(());
        }
        let at = self.geometry.state_byte();
        let mut byte = [0];
        self.device.read(at as u64, &mut byte)?;
        byte[0] = byte[0] & !1 | u8::from(in_use);
        self.device.write(at as u64, &byte)
    }

    /// Writes back what changed in a directory.
    pub(super) fn flush_directory(&mut self, ino: u64) -> Outcome<()> {
        let Some(mut dir) = self.nodes.get_mut(&ino).and_then(|node| node.dir.take()) else {
            return Ok(());
        };
        let outcome = dir.flush(|at, bytes| {
            for (place, from, length) in self.pieces(ino, at, bytes.len())? {
                self.device.write(place, &bytes[from..from + length])?;
            }
            Ok(())
        });
        self.node(ino)?.dir = Some(dir);
        outcome
    }

    /// Writes everything back.
    pub(super) fn flush(&mut self) -> Outcome<()> {
        let mut directories: Vec<u64> = self.nodes.keys().copied().collect();
        directories.sort_unstable();
        for ino in directories {
            self.flush_directory(ino)?;
        }
        if self.table.is_dirty() {
            self.flush_info()?;
        }
        self.table.flush(&self.device, &self.geometry)
    }

    /// Writes the number of free clusters to the FSInfo sector, if there is a valid one.
    fn flush_info(&mut self) -> Outcome<()> {
        let Some(at) = self.geometry.fs_info else {
            return Ok(());
        };
        let mut sector = [0; 512];
        self.device.read(at, &mut sector)?;
        let marks: [(usize, &[u8]); 3] = [(0, b"RRaA"), (484, b"rrAa"), (508, b"\0\0\x55\xaa")];
        if marks
            .iter()
            .all(|&(at, mark)| sector[at..].starts_with(mark))
        {
            sector[488..492].copy_from_slice(&self.table.free().to_le_bytes());
            sector[492..496].copy_from_slice(&self.table.hint().to_le_bytes());
            self.device.write(at, &sector)?;
        }
        Ok(())
    }

    /// Makes all free clusters read as zeros, so that nothing deleted stays on the device.
    pub(super) fn zero_free(&mut self) -> Outcome<()> {
        let cluster = u64::from(self.geometry.cluster);
        for (first, count) in self.table.free_runs() {
            let at = self.geometry.cluster_start(first).ok_or(Errno::EIO)?;
            self.device.zero(at, u64::from(count) * cluster)?;
        }
        Ok(())
    }

    /// Ends the service: frees what was deleted, writes everything back, zeroes what is free. Where
    /// nothing was changed, nothing is written.
    pub(super) fn finish(&mut self) -> Outcome<()> {
        self.closed = true;
        let deleted: Vec<u64> = self.nodes.keys().copied().collect();
        for ino in deleted {
            self.node(ino)?.opens = 0;
            self.reap(ino)?;
        }
        if !self.touched {
            return Ok(());
        }
        self.flush()?;
        self.zero_free()?;
        self.set_state(false)?;
        self.device.sync()
    }
}
