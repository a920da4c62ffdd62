//! What pichroot and the dispatcher, the small program in front of qemu, have in common: places, and the layout
//! of three pieces of memory: its settings, the table of twins, the counts. All numbers are those of this machine.
//!
//! Compiled twice: into pichroot, and by build.rs into the dispatcher, which has no standard library.

use core::ffi::CStr;

/// Where the chroot sees the twins; nothing of an image is there.
pub const PLACE: &str = "/run/twins";
/// The table of twins, below [`PLACE`].
pub const TABLE: &str = "table";
/// The counts of starts, below [`PLACE`].
pub const COUNTS: &str = "counts";

/// What the emulator looks for files in before the root, in the chroot's own memory: for those that this host's kernel does not have.
pub const LACKING: &CStr = c"/run/pichroot/lacking";

/// The first bytes of the dispatcher, filled in when it is put in front of an emulator.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The emulator's own entry, less the address of these settings.
    pub emulator: i64,
    /// The device number of the file system with the table: another table is none of ours.
    pub device: u64,
    /// The emulator's `-cpu`, ended by NUL; empty is its default.
    pub cpu: [u8; 32],
    /// The emulator's `-r`, the kernel release that programs see; ended by NUL, or empty.
    pub release: [u8; 80],
}

/// Where the dispatcher's first instruction is, from its start.
pub const ENTRY: usize = 128;

const _: () = assert!(size_of::<Settings>() == ENTRY);

/// A page of memory, in bytes; the only size on x86_64.
pub const PAGE: u64 = 4096;

/// The first bytes of a table.
pub const MAGIC: u64 = u64::from_le_bytes(*b"twins\0\0\x01");

/// A part of ld.so that is mapped, as in its program header.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Segment {
    /// Where in the file, in bytes; a multiple of the page.
    pub offset: u64,
    /// Where in memory, from the first segment; a multiple of the page.
    pub address: u64,
    /// How much of it is in the file.
    pub in_file: u64,
    /// How much it is in memory; the rest is zero.
    pub in_memory: u64,
    /// PROT_READ and so on.
    pub protection: u64,
}

/// The most options for perl: one for each folder that it looks for modules in.
pub const PERL_OPTIONS: usize = 10;

/// The most segments of an ld.so; glibc's has four or five.
pub const SEGMENTS: usize = 8;

/// The table's beginning. Its entries come after it, then their paths, each ended by NUL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// How many entries there are.
    pub count: u64,
    /// How much memory ld.so takes, in bytes; a multiple of the page.
    pub loader_size: u64,
    /// Its entry, from its first segment.
    pub loader_entry: u64,
    /// Its program headers, from its first segment, and how many there are.
    pub loader_headers: [u64; 2],
    /// Where ld.so's path begins, from the table's start.
    pub loader_path: u32,
    /// Where the path of the folder with the libraries begins.
    pub library_path: u32,
    /// Where perl's options begin, each ended by NUL, then an empty one.
    pub perl_options: u32,
    /// How many guards come after the entries; they are for perl.
    pub guards: u32,
    /// How users are looked up, for every program.
    pub nsswitch: Guard,
    /// What to map of ld.so; unused ones are empty.
    pub segments: [Segment; SEGMENTS],
}

/// A program of the image that has a twin. Sorted by inode number.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The file in the image: any change of it is another `changed`, any other file another inode.
    pub inode: u64,
    /// Its device.
    pub device: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its time of change, in seconds and nanoseconds.
    pub changed: [i64; 2],
    /// Where the twin's path begins, from the table's start.
    pub path: u32,
    /// When the twin may be used: one of the `RULE_` numbers.
    pub rule: u32,
}

/// A file or folder of the image by which twins were chosen, such as a folder with modules that perl loads.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Its inode, 0 if there is to be none.
    pub inode: u64,
    /// Its device.
    pub device: u64,
    /// Its time of modification, in seconds and nanoseconds.
    pub modified: [i64; 2],
    /// Where its path begins, from the table's start.
    pub path: u64,
}

/// Always.
pub const RULE_ALWAYS: u32 = 0;
/// When an argument names a kernel release: else the program asks for the running one, which is the host's.
pub const RULE_NAMES_RELEASE: u32 = 1;
/// When it is a shell line or a script that does not mention what the shell was built for.
pub const RULE_BASH: u32 = 2;
/// With perl's own options in front of the arguments, when all guards are as they were.
pub const RULE_PERL: u32 = 3;
/// When it loads no extension, and goes through no array.
pub const RULE_GAWK: u32 = 4;
/// When it loads no provider and no engine, and tells nothing of itself.
pub const RULE_OPENSSL: u32 = 5;

/// When it is no script that names a file that only the emulator shows.
pub const RULE_DASH: u32 = 6;

/// How many different programs are counted; more are left out.
pub const SLOTS: usize = 1024;

/// How often one program was started. All zero where there is none yet.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// FNV-1a of the name; never 0.
    pub hash: u64,
    /// The last component of its path, ended by NUL or the end.
    pub name: [u8; 32],
    /// By a twin.
    pub twinned: u32,
    /// By the emulator.
    pub emulated: u32,
}
