//! A line of SHA256SUMS for an output, among those of others.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::{
    error::{Context, Kind, Result},
    image::{OutputFile, directory},
};

/// The file's name, as publishers have it.
const NAME: &str = "SHA256SUMS";

/// The largest one that is added to, in bytes.
const LIMIT: u64 = 16 << 20;

/// Notes the SHA-256 of the output at `path` in the SHA256SUMS of its folder: in place of an older line of the same name,
/// and with those of others as they are.
///
/// # Errors
/// [`Kind::Host`] when it cannot be written.
pub fn note(path: &Path, sha256: &str, owner: Option<(u32, u32)>) -> Result<()> {
    let folder = directory(path);
    let file = folder.join(NAME);
    let failed = || format!("cannot write {}", file.display());
    // Runs at the same time have one file.
    let lock = File::open(folder).context(Kind::Host, failed)?;
    lock.lock().context(Kind::Host, failed)?;
    let old = read(&file).context(Kind::Host, failed)?;
    let name = path.file_name().unwrap_or_default();
    let new = with_line(&old, name, sha256);
    let output = OutputFile::create(&file, true, owner).context(Kind::Host, failed)?;
    output.open_to_all().context(Kind::Host, failed)?;
    output.file().write_all(&new).context(Kind::Host, failed)?;
    output.publish()
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Ok(meta) if meta.is_file() && meta.len() <= LIMIT => fs::read(file),
        Ok(_) => Err(io::Error::other("it is no file like that")),
        Err(error) => Err(error),
    }
}

/// The lines of `old` but that of `name`, and its new one behind them.
fn with_line(old: &[u8], name: &OsStr, sha256: &str) -> Vec<u8> {
    let name = name.as_encoded_bytes();
    let mut new = Vec::with_capacity(old.len() + 128);
    for line in old
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let of_this = line
            .get(65..)
            .is_some_and(|rest| &rest[1.min(rest.len())..] == name);
        if !of_this {
            new.extend_from_slice(line);
            new.push(b'\n');
        }
    }
    // The star stands for a file that is no text; sha256sum writes it for all.
    new.extend_from_slice(format!("{sha256} *").as_bytes());
    new.extend_from_slice(name);
    new.push(b'\n');
    new
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::hex::hex;
    use sha2::{Digest, Sha256};

    #[test]
    fn sha256sum_finds_all_of_them_right() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            note(&path, &hex(&Sha256::digest(text)), None).unwrap();
        };
        write("a.img", "old");
        write("b c.img", "b");
        write("xa.img", "x");
        write("a.img", "new");
        let lines = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert_eq!(lines.lines().count(), 3, "{lines}");
        let check = Command::new("sha256sum")
            .args(["--check", "--strict", NAME])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(check.status.success(), "{check:?}");
        // Lines of others stay, however they are written.
        fs::write(dir.path().join(NAME), "# mine\nabc  other").unwrap();
        write("a.img", "newer");
        let lines = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(lines.starts_with("# mine\nabc  other\n"), "{lines}");
    }
}
