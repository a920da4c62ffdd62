//! The table of twins that pichroot has written.

use crate::{
    calls::Descriptor,
    format::{Entry, Guard, Header, MAGIC},
    kernel::{MAP_PRIVATE, O_RDONLY, PROT_READ, Stat, map, stat, unmap},
};

/// It, mapped.
pub struct Table {
    header: *const Header,
    size: usize,
}

impl Table {
    pub unsafe fn open(device: u64) -> Option<Table> {
        unsafe {
            let file = Descriptor::open(c"/run/twins/table".as_ptr().cast(), O_RDONLY)?;
            let stat = file.stat();
            let size = stat
                .filter(|stat| stat.device == device)
                .map_or(0, |stat| stat.size as usize);
            let at = match size >= size_of::<Header>() {
                true => map(0, size, PROT_READ, MAP_PRIVATE, file, 0),
                false => core::ptr::null_mut(),
            };
            file.close();
            let header = at as *const Header;
            if header.is_null() || (*header).magic != MAGIC {
                return None;
            }
            Some(Table { header, size })
        }
    }

    pub fn close(self) {
        unsafe { unmap(self.header.cast(), self.size) };
    }

    /// The entry of the file with `stat`.
    pub fn entry(&self, stat: &Stat) -> Option<&Entry> {
        unsafe {
            let entries = self.header.add(1).cast::<Entry>();
            let (mut low, mut high) = (0, (*self.header).count as usize);
            while low < high {
                let middle = low + (high - low) / 2;
                let entry = &*entries.add(middle);
                if entry.inode < stat.inode {
                    low = middle + 1;
                } else if entry.inode > stat.inode {
                    high = middle;
                } else {
                    let same = entry.device == stat.device
                        && entry.size == stat.size as u64
                        && entry.changed[0] == stat.changed[0]
                        && entry.changed[1] == stat.changed[1];
                    return same.then_some(entry);
                }
            }
        }
        None
    }

    pub fn header(&self) -> &Header {
        unsafe { &*self.header }
    }

    /// Comes after the entries.
    pub fn guards(&self) -> *const Guard {
        unsafe {
            let entries = self.header.add(1).cast::<Entry>();
            entries.add(self.header().count as usize).cast()
        }
    }

    /// Whether a file or folder is as it was.
    pub unsafe fn holds(&self, guard: &Guard) -> bool {
        match unsafe { stat(self.text(guard.path as u32)) } {
            None => guard.inode == 0,
            Some(now) => {
                now.inode == guard.inode
                    && now.device == guard.device
                    && now.modified[0] == guard.modified[0]
                    && now.modified[1] == guard.modified[1]
            }
        }
    }

    pub unsafe fn text(&self, at: u32) -> *const u8 {
        unsafe { self.header.cast::<u8>().add(at as usize) }
    }
}
