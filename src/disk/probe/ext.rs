//! ext2, ext3 and ext4. The superblock is 1024 bytes in; see the kernel's `struct ext4_super_block`.

use std::io::{Read, Seek};

use super::{
    kind::{FileSystem, FsKind},
    text::{text, uuid},
};
use crate::bytes::{Fields, read_array};

/// Features that ext3 knows; any other makes it ext4. Incompatible: filetype, recover, meta_bg.
const EXT3_INCOMPAT: u32 = 0x02 | 0x04 | 0x10;
/// Read-only compatible: sparse_super, large_file, btree_dir.
const EXT3_RO_COMPAT: u32 = 0x01 | 0x02 | 0x04;
/// Compatible: has_journal.
const HAS_JOURNAL: u32 = 0x04;
/// Incompatible: this is a journal, not a file system.
const JOURNAL_DEVICE: u32 = 0x08;

/// The ext file system under `reader`, if it is one.
pub fn probe(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    let sb: [u8; 256] = read_array(reader, 1024).ok()??;
    if sb.u16(0x38) != 0xef53 {
        return None;
    }
    let (compat, incompat, ro_compat) = (sb.u32(0x5c), sb.u32(0x60), sb.u32(0x64));
    let kind = if incompat & JOURNAL_DEVICE != 0 {
        return None;
    } else if incompat & !EXT3_INCOMPAT != 0 || ro_compat & !EXT3_RO_COMPAT != 0 {
        FsKind::Ext4
    } else if compat & HAS_JOURNAL != 0 {
        FsKind::Ext3
    } else {
        FsKind::Ext2
    };
    Some(FileSystem {
        kind,
        label: text(&sb[0x78..0x88]),
        uuid: uuid(sb.array(0x68)),
    })
}

/// Incompatible: numbers of blocks have 64 bits.
const BITS_64: u32 = 0x80;

/// The size of the ext file system under `reader` by its own account, in bytes.
pub fn size(reader: &mut (impl Read + Seek)) -> Option<u64> {
    let sb: [u8; 1024] = read_array(reader, 1024).ok()??;
    let block = 1024u64
        .checked_shl(sb.u32(0x18))
        .filter(|size| *size <= 64 << 10)?;
    let high = match sb.u32(0x60) & BITS_64 {
        0 => 0,
        _ => u64::from(sb.u32(0x150)) << 32,
    };
    let known = sb.u16(0x38) == 0xef53;
    (high | u64::from(sb.u32(0x04)))
        .checked_mul(block)
        .filter(|_| known)
}
