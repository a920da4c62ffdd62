//! What tells programs that the machine has booted anew.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::libc::O_NONBLOCK;

/// Where Linux has a number that is another one after each boot.
pub const ID: &str = "/proc/sys/kernel/random/boot_id";
/// Ours, which is shown there.
pub const AT: &str = "/run/pichroot/boot_id";

/// A new one: a random UUID (RFC 9562, version 4), on a line.
///
/// # Errors
/// When there are no random numbers.
pub fn new_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::hex::hex(&bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]);
    Ok(parts.join("-") + "\n")
}

/// Gives the machine at `root` a new one, as if it had booted.
///
/// # Errors
/// When ours is not there any more.
pub fn anew(id: &Path) -> io::Result<()> {
    let new = new_id()?;
    // What is there may be a pipe by now.
    let mut file = File::options()
        .write(true)
        .truncate(true)
        .custom_flags(O_NONBLOCK)
        .open(id)?;
    file.write_all(new.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_boot_has_an_id_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let id = dir.path().join("boot_id");
        std::fs::write(&id, "longer than what comes after it, by far\n").unwrap();
        let mut ids = Vec::new();
        for _ in 0..3 {
            anew(&id).unwrap();
            ids.push(std::fs::read_to_string(&id).unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|id| id.len() == 37 && &id[14..15] == "4"));
    }
}
