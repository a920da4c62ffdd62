//! The swap space that is in use: /proc/swaps.

use std::{fmt::Write, fs::File, io, os::unix::fs::FileExt};

use crate::{disk::fstab, sys::inroot::Root};

/// The page sizes of arm64, of which a swap file's head is one.
const PAGES: [u64; 3] = [4096, 16384, 65536];
/// What is at the end of the head, and where in it the number of the last page is (include/linux/swap.h).
const SIGNATURE: &[u8; 10] = b"SWAPSPACE2";
const LAST_PAGE: u64 = 1028;
/// The most at once (MAX_SWAPFILES).
const MAX_SWAPS: usize = 28;
const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

/// All that is in use.
#[derive(Debug, Default)]
pub struct Swaps(Vec<Swap>);

#[derive(Debug)]
struct Swap {
    path: String,
    /// In KiB.
    size: u64,
    priority: i32,
}

/// The size of a swap file in KiB.
///
/// # Errors
/// When it is none.
pub fn size_of(file: &File) -> io::Result<u64> {
    for page in PAGES {
        let mut end = [0; SIGNATURE.len()];
        let at = page - end.len() as u64;
        if file.read_exact_at(&mut end, at).is_ok() && end == *SIGNATURE {
            let mut last = [0; 4];
            file.read_exact_at(&mut last, LAST_PAGE)?;
            return Ok(u64::from(u32::from_le_bytes(last)) * page / 1024);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

impl Swaps {
    /// The swap files of the image at `root` that a boot uses.
    pub fn boot(root: &Root) -> Self {
        let text = root.read("etc/fstab".as_ref(), fstab::MAX_BYTES as u64);
        let mut swaps = Swaps::default();
        for entry in fstab::parse(&text.unwrap_or_default()) {
            let used = entry.fstype == "swap" && !entry.has_option("noauto");
            if used && let Ok(file) = root.file(entry.source.as_ref()) {
                let priority = entry
                    .options
                    .iter()
                    .find_map(|o| o.strip_prefix("pri=")?.parse().ok());
                if let Ok(size) = size_of(&file) {
                    swaps.add(&entry.source, size, priority);
                }
            }
        }
        swaps
    }

    /// Whether this one is in use.
    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|swap| swap.path == path)
    }

    /// The paths of all.
    pub fn paths(&self) -> Vec<String> {
        self.0.iter().map(|swap| swap.path.clone()).collect()
    }

    /// Uses one more, unless it is used, or there are too many.
    pub fn add(&mut self, path: &str, size: u64, priority: Option<i32>) {
        if self.has(path) || self.0.len() >= MAX_SWAPS {
            return;
        }
        // The kernel counts down from -2.
        let next = || -2 - self.0.iter().filter(|swap| swap.priority < 0).count() as i32;
        let priority = priority.unwrap_or_else(next);
        let path = path.to_owned();
        self.0.push(Swap {
            path,
            size,
            priority,
        });
    }

    /// Does without it.
    pub fn remove(&mut self, path: &str) {
        self.0.retain(|swap| swap.path != path);
    }

    /// /proc/swaps.
    pub fn listed(&self) -> String {
        self.0.iter().fold(HEADING.to_owned(), |mut text, swap| {
            let Swap {
                path,
                size,
                priority,
            } = swap;
            let wide = if *size < 10_000_000 { "\t" } else { "" };
            // Writing to a text does not fail.
            let _ = writeln!(text, "{path:<39} file\t\t{size}\t{wide}0\t\t{priority}");
            text
        })
    }
}

#[cfg(test)]
pub mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Makes a swap file of 1 MiB, as mkswap does.
    pub fn make(path: &Path) {
        let mut head = vec![0; 4096];
        head[1024] = 1;
        head[1028..1032].copy_from_slice(&255_u32.to_le_bytes());
        head[4086..].copy_from_slice(SIGNATURE);
        fs::write(path, head).unwrap();
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(1 << 20)
            .unwrap();
    }

    #[test]
    fn a_boot_uses_the_swap_files_of_fstab() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        let text = "/swap none swap sw,pri=5 0 0\n/other none swap sw 0 0\n/off none swap noauto\n/no none swap sw\n";
        fs::write(dir.path().join("etc/fstab"), text).unwrap();
        for name in ["swap", "other", "off"] {
            make(&dir.path().join(name));
        }
        fs::write(dir.path().join("no"), [0; 5000]).unwrap();
        let mut swaps = Swaps::boot(&Root::open(dir.path()).unwrap());
        let line = |path: &str, priority| format!("{path:<39} file\t\t1020\t\t0\t\t{priority}\n");
        let expected = [HEADING.to_owned(), line("/swap", 5), line("/other", -2)].concat();
        assert_eq!(swaps.listed(), expected);
        swaps.remove("/swap");
        assert_eq!(swaps.paths(), ["/other"]);
    }
}
