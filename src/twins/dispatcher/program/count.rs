//! Counting how often each program is started, in memory that all share. Whoever may start programs may write
//! there; so what is read is only for the user's information.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::{
    calls::Descriptor,
    format::{SLOTS, Slot},
    kernel::{MAP_SHARED, O_RDWR, PROT_READ, PROT_WRITE, map, unmap},
    text::Text,
};

const SIZE: usize = SLOTS * size_of::<Slot>();
/// More than that and the table is as good as full.
const TRIES: usize = 64;

/// Counts a start of the program at `path`.
pub unsafe fn count(path: Text, twinned: bool, device: u64) {
    unsafe {
        let Some(file) = Descriptor::open(c"/run/twins/counts".as_ptr().cast(), O_RDWR) else {
            return;
        };
        let ours = file
            .stat()
            .is_some_and(|stat| stat.device == device && stat.size == SIZE as i64);
        if ours {
            let at = map(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            if !at.is_null() {
                add(at.cast(), path.file_name(), twinned);
                unmap(at, SIZE);
            }
        }
        file.close();
    }
}

unsafe fn add(slots: *mut Slot, name: Text, twinned: bool) {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut length = 0;
    while name.at(length) != 0 {
        hash = (hash ^ u64::from(name.at(length))).wrapping_mul(0x100_0000_01b3);
        length += 1;
    }
    hash |= 1;
    let mut index = hash as usize % SLOTS;
    for _ in 0..TRIES {
        unsafe {
            let slot = slots.add(index);
            let owner = AtomicU64::from_ptr(&raw mut (*slot).hash);
            match owner.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    let to = (&raw mut (*slot).name).cast::<u8>();
                    let mut at = 0;
                    while at < length && at < 32 {
                        to.add(at).write_volatile(name.at(at));
                        at += 1;
                    }
                }
                Err(found) if found == hash => {}
                Err(_) => {
                    index = (index + 1) % SLOTS;
                    continue;
                }
            }
            let number = match twinned {
                true => &raw mut (*slot).twinned,
                false => &raw mut (*slot).emulated,
            };
            AtomicU32::from_ptr(number).fetch_add(1, Ordering::Relaxed);
        }
        return;
    }
}
