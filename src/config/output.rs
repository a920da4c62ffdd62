//! Whether the output can be written, as far as can be said before the work.

use std::{fs, path::Path};

use crate::error::{Error, Result};

/// Checks that `output` can take a new file, and is not the `image` itself. A regular file that
/// exists is only accepted with `replace`; anything else that exists, never.
///
/// # Errors
/// [`crate::error::Kind::Usage`], with the path.
pub fn check(output: &Path, image: &str, replace: bool) -> Result<()> {
    let wrong = |what: &str, hint: &str| {
        Err(Error::usage(format!("the output {} {what}", output.display())).hint(hint))
    };
    let folder = output.parent().unwrap_or(Path::new("/"));
    if output.file_name().is_none() || output.is_dir() {
        return wrong(
            "is a folder",
            "give the file's name too: -o FOLDER/NAME.img",
        );
    }
    if !folder.is_dir() {
        return wrong(
            "is in a folder that does not exist",
            &format!("mkdir -p {}", folder.display()),
        );
    }
    let Ok(metadata) = fs::symlink_metadata(output) else {
        return Ok(());
    };
    if let (Ok(a), Ok(b)) = (output.canonicalize(), Path::new(image).canonicalize())
        && a == b
    {
        return wrong("is the source image", "name another file by -o");
    }
    if !metadata.is_file() {
        return wrong(
            "exists and is not a regular file",
            "write to a file, then copy that to the device or link",
        );
    }
    if !replace {
        return wrong("exists", "use --force to replace it, or name another by -o");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_replaced_and_never_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.img");
        let source = folder.path().join("s.img");
        fs::write(&source, "").unwrap();
        check(&path, "/none", false).unwrap();
        fs::write(&path, "").unwrap();
        assert!(check(&path, "/none", false).is_err());
        check(&path, "/none", true).unwrap();
        let link = folder.path().join("l.img");
        std::os::unix::fs::symlink(&source, &link).unwrap();
        for bad in [
            &link,
            &source,
            folder.path(),
            &folder.path().join("no/a.img"),
        ] as [&Path; 4]
        {
            assert!(
                check(bad, source.to_str().unwrap(), true).is_err(),
                "{bad:?}"
            );
        }
    }
}
