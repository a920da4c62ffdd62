//! Disk images of virtual machines: whether one stands by itself. qemu-img opens whatever others they name, so those that
//! name any are refused.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::{bytes::Fields, sys::qemu_img::DiskFormat};

/// Where QEMU looks for the description in a VMDK, and for how far, in bytes.
const DESCRIPTION: u64 = 512;
const DESCRIPTION_SIZE: usize = 64 << 10;

/// Refuses an image that needs another one, is encrypted or says that it is damaged.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] with what is wrong, in words that follow its name.
pub fn stands_alone(file: &File, format: DiskFormat) -> io::Result<()> {
    let mut head = vec![0; DESCRIPTION as usize + DESCRIPTION_SIZE];
    let length = read_up_to(file, &mut head)?;
    head.truncate(length);
    let wrong = match format {
        DiskFormat::Qcow2 => qcow2(&head),
        DiskFormat::Vmdk => vmdk(&head),
        // QEMU reads none of these that has a parent.
        DiskFormat::Vdi | DiskFormat::Vhdx => None,
    };
    match wrong {
        Some(what) => Err(io::Error::new(io::ErrorKind::InvalidInput, what)),
        None => Ok(()),
    }
}

fn read_up_to(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// docs/interop/qcow2.rst of QEMU; numbers are big-endian.
fn qcow2(head: &[u8]) -> Option<&'static str> {
    let number = |at: usize| u64::from_be_bytes(head.array(at));
    let version = u32::from_be_bytes(head.array(4));
    let features = if version >= 3 { number(72) } else { 0 };
    if number(8) != 0 {
        Some("it holds only what differs from another image, its backing file")
    } else if u32::from_be_bytes(head.array(32)) != 0 {
        Some("it is encrypted")
    } else if features & 2 != 0 {
        Some("it is marked as damaged")
    } else if features & 4 != 0 {
        Some("its data are in another file")
    } else {
        None
    }
}

/// The "Virtual Disk Format" of VMware: a header, and a description as text.
fn vmdk(head: &[u8]) -> Option<&'static str> {
    let holds = |text: &[u8]| {
        head.windows(text.len())
            .any(|part| part.eq_ignore_ascii_case(text))
    };
    if head.u64(12) == 0 {
        Some("its data are in other files")
    } else if holds(b"parentFileNameHint") {
        Some("it holds only what differs from another image, its parent")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn qemu_img(args: &[&str], dir: &std::path::Path) {
        let output = Command::new("qemu-img")
            .args(args)
            .current_dir(dir)
            .output();
        let output = output.expect("qemu-img of the package qemu-utils");
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn what_needs_another_image_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let check = |name: &str, format| {
            stands_alone(&File::open(dir.path().join(name)).unwrap(), format)
                .map_err(|error| error.to_string())
        };
        let make = |args: &[&str]| qemu_img(args, dir.path());
        for (format, name) in [(DiskFormat::Qcow2, "qcow2"), (DiskFormat::Vmdk, "vmdk")] {
            make(&["create", "-q", "-f", name, name, "8M"]);
            assert_eq!(check(name, format), Ok(()));
            let child = format!("child.{name}");
            make(&["create", "-q", "-f", name, "-b", name, "-F", name, &child]);
            assert!(
                check(&child, format)
                    .unwrap_err()
                    .contains("differs from another"),
                "{name}"
            );
        }
        make(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "data_file=data",
            "split.qcow2",
            "8M",
        ]);
        assert!(
            check("split.qcow2", DiskFormat::Qcow2)
                .unwrap_err()
                .contains("another file")
        );
        make(&[
            "create",
            "-q",
            "-f",
            "vmdk",
            "-o",
            "subformat=streamOptimized",
            "s.vmdk",
            "8M",
        ]);
        assert_eq!(check("s.vmdk", DiskFormat::Vmdk), Ok(()));
        for (format, name) in [(DiskFormat::Vdi, "vdi"), (DiskFormat::Vhdx, "vhdx")] {
            make(&["create", "-q", "-f", name, name, "8M"]);
            assert_eq!(check(name, format), Ok(()));
        }
    }
}
