//! Where a path of the image leads in the chroot, whose /run and /tmp are not there yet.
//!
//! The kernel follows links only in what is mounted now. So this goes step by step, and stops where it comes to a
//! directory that the chroot covers.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use nix::{
    fcntl::{AtFlags, OFlag, openat, readlinkat},
    sys::stat::{FileStat, Mode, SFlag, fstat, fstatat},
};

use crate::sys::inroot::Root;

/// As many as the kernel follows.
const MAX_LINKS: usize = 40;
/// No path that anybody uses is deeper.
const MAX_DEPTH: usize = 64;

/// Where a path leads.
#[derive(Debug)]
pub enum Leads {
    /// To a file of the image, or to where it would be.
    File {
        /// Its directory.
        dir: OwnedFd,
        /// Its name there.
        name: OsString,
        /// Its path in the image, without links.
        path: PathBuf,
    },
    /// To this place on a file system that the chroot has in memory, below `run` or `tmp`.
    Memory(PathBuf),
    /// To no place where a file can be; why.
    Nowhere(String),
}

/// What a directory is known by, whatever leads to it.
type Identity = (u64, u64);

fn identity(stat: &FileStat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// A directory on the way.
struct Step {
    dir: OwnedFd,
    path: PathBuf,
}

/// Follows `path`, and the links that it leads through.
pub fn follow(root: &Root, path: &str) -> Leads {
    walk(root, path).unwrap_or_else(Leads::Nowhere)
}

fn walk(root: &Root, path: &str) -> Result<Leads, String> {
    let said = |errno: nix::Error| errno.desc().to_owned();
    let top = root.locate("/".as_ref()).map_err(said)?;
    let covered = |name: &str| {
        let found = root.locate(name.as_ref()).ok()?;
        Some(identity(&fstat(&found).ok()?))
    };
    let memory = ["run", "tmp"].map(|name| (name, covered(name)));
    let kernels = ["dev", "proc", "sys"].map(|name| (name, covered(name)));
    let mut way: Vec<Step> = Vec::new();
    let mut rest = parts(Path::new(path));
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            way.pop();
            continue;
        }
        let dir = way.last().map_or(&top, |step| &step.dir);
        let here = way.last().map_or(PathBuf::new(), |step| step.path.clone());
        let shown = here.join(&name);
        let stat = match fstatat(dir, &*name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(nix::Error::ENOENT) if rest.is_empty() => {
                let dir = dir.try_clone().map_err(|error| error.to_string())?;
                let path = shown;
                return Ok(Leads::File { dir, name, path });
            }
            Err(nix::Error::ENOENT) => return Err(format!("there is no /{}", shown.display())),
            Err(errno) => return Err(said(errno)),
        };
        match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFLNK => {
                links += 1;
                if links > MAX_LINKS {
                    return Err("its links lead in a circle".into());
                }
                let target = readlinkat(dir, &*name).map_err(said)?;
                let target = Path::new(&target);
                if target.is_absolute() {
                    way.clear();
                }
                for part in parts(target).into_iter().rev() {
                    rest.push_front(part);
                }
                if rest.is_empty() {
                    return Err(format!("/{} is a directory", shown.display()));
                }
            }
            SFlag::S_IFDIR => {
                let is =
                    |(_, covered): &&(&str, Option<Identity>)| *covered == Some(identity(&stat));
                if let Some((name, _)) = memory.iter().find(is) {
                    return in_memory(name, &rest);
                }
                if kernels.iter().any(|dir| is(&dir)) {
                    return Err(format!("/{} is the kernel's", shown.display()));
                }
                if rest.is_empty() {
                    return Err(format!("/{} is a directory", shown.display()));
                }
                if way.len() == MAX_DEPTH {
                    return Err("it is too deep".into());
                }
                let flags =
                    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let dir = openat(dir, &*name, flags, Mode::empty()).map_err(said)?;
                way.push(Step { dir, path: shown });
            }
            _ if rest.is_empty() => {
                let dir = dir.try_clone().map_err(|error| error.to_string())?;
                let path = shown;
                return Ok(Leads::File { dir, name, path });
            }
            _ => return Err(format!("/{} is no directory", shown.display())),
        }
    }
    Err("it is a directory".into())
}

/// The parts of a path that say something.
fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components()
        .filter_map(part)
        .map(OsString::from)
        .collect()
}

/// The file system is empty, so that whatever follows is no link.
fn in_memory(name: &str, rest: &VecDeque<OsString>) -> Result<Leads, String> {
    if rest.is_empty() || rest.iter().any(|part| part == "..") || rest.len() > MAX_DEPTH {
        return Err(format!("it leads to no file in /{name}"));
    }
    let mut path = PathBuf::from(name);
    path.extend(rest);
    Ok(Leads::Memory(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Where etc/resolv.conf leads once `links` are made, as one text.
    fn leads(links: &[(&str, &str)]) -> String {
        let top = tempfile::tempdir().unwrap();
        for dir in ["etc", "run", "tmp", "proc/net", "var/lib"] {
            std::fs::create_dir_all(top.path().join(dir)).unwrap();
        }
        std::fs::write(top.path().join("etc/static"), "").unwrap();
        for (name, target) in links {
            symlink(target, top.path().join(name)).unwrap();
        }
        let root = Root::open(top.path()).unwrap();
        match follow(&root, "etc/resolv.conf") {
            Leads::File { path, .. } => format!("file {}", path.display()),
            Leads::Memory(path) => format!("memory {}", path.display()),
            Leads::Nowhere(_) => "nowhere".into(),
        }
    }

    #[test]
    fn links_are_followed_into_what_the_chroot_has_in_memory() {
        let resolv = "etc/resolv.conf";
        for (links, wanted) in [
            (&[][..], "file etc/resolv.conf"),
            (&[(resolv, "static")], "file etc/static"),
            (&[(resolv, "/var/lib/../none")], "file var/none"),
            (&[(resolv, "../../../../run/a/b")], "memory run/a/b"),
            (&[(resolv, "/tmp/x")], "memory tmp/x"),
            (
                &[("var/run", "/run"), (resolv, "/var/run/a")],
                "memory run/a",
            ),
            (
                &[("etc/r", "/run/r"), (resolv, "r/resolv.conf")],
                "memory run/r/resolv.conf",
            ),
            (
                &[(resolv, "a"), ("etc/a", "b"), ("etc/b", "/run/c")],
                "memory run/c",
            ),
            (&[(resolv, "resolv.conf")], "nowhere"),
            (&[(resolv, "/proc/net/pnp")], "nowhere"),
            (&[(resolv, "/none/x")], "nowhere"),
            (&[(resolv, "/etc")], "nowhere"),
            (&[(resolv, "/")], "nowhere"),
            (&[(resolv, "/run")], "nowhere"),
            (&[(resolv, "/run/../etc/static")], "nowhere"),
            (&[(resolv, "static/x")], "nowhere"),
        ] {
            assert_eq!(leads(links), wanted, "{links:?}");
        }
    }
}
