//! Secrets in what a TFTP server gives to everybody who asks. They are never quoted.

use std::io;

use super::super::{Kind, finding::Notes, seen::Seen};

/// How many files at the top of the folder are looked at, and how large they may be.
const MAX_FILES: usize = 2000;
const MAX_BYTES: u64 = 64 << 10;

/// Files of a first boot with passwords, or what can be tried for them.
const FIRST_BOOT: [&str; 3] = ["userconf.txt", "custom.toml", "wpa_supplicant.conf"];

/// `secrets`
pub fn secrets(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let mut texts = 0;
    for folder in [".", "current"] {
        for name in seen.boot.list(folder, MAX_FILES)? {
            let path = match folder {
                "." => name.clone(),
                folder => format!("{folder}/{name}"),
            };
            let stat = seen.boot.stat(&path)?;
            if !stat.is_some_and(|stat| stat.kind == Kind::File && stat.size <= MAX_BYTES) {
                continue;
            }
            texts += 1;
            if FIRST_BOOT.contains(&name.as_str()) {
                let hint = "take it away: everybody who reaches the TFTP server can read it";
                notes.fail("it holds a password, or a hash of one", &path, hint);
            }
            let text = seen.boot.text(&path)?.unwrap_or_default();
            if has_ceph_key(&text) {
                let hint = "take it out, and give the Pi a new key: everybody who reached the TFTP server could read it";
                notes.fail("it holds what looks like a key of Ceph", &path, hint);
            }
        }
    }
    for load in &seen.loads {
        let line = seen.cmdline(load)?.unwrap_or_default();
        if line
            .split_whitespace()
            .any(|word| word.starts_with("rbdroot=") || word.starts_with("root=rbd:"))
        {
            let hint = "take it out: every user of the Pi can read /proc/cmdline; the role rbd_root keeps the key in the initramfs";
            notes.fail("the root is named with its key", &load.cmdline.path, hint);
        }
    }
    let holds_key = |load| {
        seen.archive(load)
            .is_some_and(|archive| archive.kept.contains_key("etc/rbdroot.key"))
    };
    if seen.loads.iter().any(holds_key) {
        notes.fine("the initramfs has the key of this Pi's block device: only the Pi should reach the TFTP server");
    }
    notes.fine(format!("{texts} small files hold none"));
    Ok(())
}

/// A key as Ceph writes it: base64 of 28 bytes, of which the first two are the type of the key, 1.
fn has_ceph_key(text: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, "AQ").any(|at| {
        let is_start = at == 0 || !is_digit(&bytes[at - 1]);
        let digits = bytes[at..].iter().take_while(|byte| is_digit(byte)).count();
        is_start && digits == 38 && bytes[at + 38..].starts_with(b"==")
    })
}

#[cfg(test)]
mod tests {
    use super::has_ceph_key;

    #[test]
    fn a_key_of_ceph_is_known_by_its_form() {
        // Made for this test, of 28 bytes: no cluster has it.
        let key = format!("AQ{}==", "Bc".repeat(18));
        assert_eq!(key.len(), 40);
        for text in [
            key.clone(),
            format!("rbdroot=10.0.0.1:pi:{key}:pool"),
            format!("key = {key}\n"),
        ] {
            assert!(has_ceph_key(&text), "{text}");
        }
        for text in [
            format!("x{key}"),
            key.replace("==", ""),
            key.replace('A', "B"),
            "AQ".into(),
        ] {
            assert!(!has_ceph_key(&text), "{text}");
        }
    }
}
