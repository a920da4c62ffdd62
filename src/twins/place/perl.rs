//! What perl's twin needs beside libraries: the modules that are built for a processor, and its own name.

use std::{fs, io, os::unix::fs::symlink, path::Path};

use sha2::{Digest, Sha256};

use super::copies::{copy, identity, write};
use crate::{
    hex::hex,
    twins::{
        dispatcher::format::{PERL_OPTIONS, PLACE},
        find::perl::{Content, Folder, Perl},
    },
};

/// What perl reads its own path from, for `$^X`: under qemu it reads the path in the image.
const OWN_NAME: &[u8; 14] = b"/proc/self/exe";
/// What the twin reads instead: a link to there.
const LINK: &str = "exe";
const PERL: &str = "/usr/bin/perl";

/// Puts the modules below `folder`; the options that make perl find them, and all others where the image's own
/// perl does.
pub fn put(perl: &Perl, folder: &Path) -> io::Result<Vec<String>> {
    let link = folder.join(LINK);
    if fs::symlink_metadata(&link).is_err() {
        symlink(PERL, link)?;
    }
    let mut options = Vec::new();
    for modules in &perl.folders {
        let place = match modules {
            Folder::OfImage(path) => path.clone(),
            Folder::Built(files) => {
                let name = format!("perl-{}", fingerprint(files)?);
                let at = folder.join(&name);
                if !at.exists() {
                    let new = folder.join(".perl");
                    let _ = fs::remove_dir_all(&new);
                    fs::create_dir(&new)?;
                    for (path, content) in files {
                        let to = new.join(path);
                        fs::create_dir_all(to.parent().unwrap_or(&new))?;
                        match content {
                            Content::Copy(from) => copy(from, &to)?,
                            Content::Link(target) => symlink(target, to)?,
                            Content::Text(text) => write(text.as_bytes(), &to)?,
                        }
                    }
                    fs::rename(new, at)?;
                }
                format!("{PLACE}/{name}")
            }
        };
        options.push(format!("-I{place}"));
    }
    if options.len() > PERL_OPTIONS {
        return Err(io::Error::other("perl has too many folders of modules"));
    }
    Ok(options)
}

fn fingerprint(files: &[(String, Content)]) -> io::Result<String> {
    let mut hash = Sha256::new();
    for (path, content) in files {
        hash.update(path);
        match content {
            Content::Copy(from) => hash.update(identity(from)?),
            Content::Link(text) | Content::Text(text) => hash.update(text),
        }
        hash.update([0]);
    }
    Ok(hex(&hash.finalize()[..8]))
}

/// perl's program, changed to take its own name from our link; `None` if it does not have that just once.
pub fn with_own_name(mut program: Vec<u8>) -> Option<Vec<u8>> {
    let new = format!("{PLACE}/{LINK}");
    let mut places = (0..program.len().saturating_sub(OWN_NAME.len()))
        .filter(|at| program[*at] == b'/' && program[*at..].starts_with(OWN_NAME));
    let (at, more) = (places.next()?, places.next());
    if more.is_some() || new.len() != OWN_NAME.len() {
        return None;
    }
    program[at..at + new.len()].copy_from_slice(new.as_bytes());
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_changed_where_it_is_there_once() {
        let changed = with_own_name(b"..\0/proc/self/exe\0..".to_vec()).unwrap();
        assert_eq!(changed, b"..\0/run/twins/exe\0..");
        assert_eq!(with_own_name(b"/proc/self/fd".to_vec()), None);
        let twice = [&OWN_NAME[..], &OWN_NAME[..], b"."].concat();
        assert_eq!(with_own_name(twice), None);
    }
}
