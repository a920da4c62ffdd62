//! Files of the image that ours are in place of while it is in use, so that tasks can do to them what they do on a
//! living machine: resolv.conf, so that names resolve, and policy-rc.d, so that installing a package does not start
//! its service.
//!
//! What the playbook or a package puts in their place stays; else the image gets its own back ([`place`]). Where ours cannot be
//! put, it is bound over the image's read-only, so that a write fails and is not lost.

pub mod cover;
mod follow;
pub(super) mod names;
mod place;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    path::Path,
};

use nix::fcntl::{OFlag, readlinkat};

use self::{
    cover::{Cover, Covering, POLICY_TEXT},
    follow::Leads,
    place::Place,
};
use super::{plan::Network, times::Times};
use crate::{
    error::{Context, Error, Kind, Result},
    event::Event,
    sys::inroot::Root,
};

/// Where Debian's invoke-rc.d and deb-systemd-invoke ask whether they may start a service.
const POLICY: &str = "usr/sbin/policy-rc.d";
/// What programs of the chroot look names up with.
const NAMES: &str = "etc/resolv.conf";
const NAMES_HINT: &str = "make it a file, or a link to one below /run";
/// Where resolvconf keeps what it found, and makes another resolv.conf of.
const RESOLVCONF: &str = "etc/resolvconf/resolv.conf.d";

/// Those of one image, put in place.
#[derive(Debug)]
pub struct Covers {
    put: Vec<(Place, Times)>,
}

impl Covers {
    /// Puts them into the image at `root`, where a killed run may have left some. On an error nothing of ours stays.
    pub fn put(root: &Root, network: Network) -> Result<(Self, Covering, Vec<Event>)> {
        settle_all(root)
            .context(Kind::Image, || {
                format!(
                    "cannot repair /{NAMES} and /{POLICY} of the image, which a killed run has left"
                )
            })
            .map_err(|error| {
                error.hint("what waits beside them has a name that ends in .pichroot")
            })?;
        let mut covers = Covers { put: Vec::new() };
        let mut covering = Covering::default();
        let mut told = Vec::new();
        let done = covers
            .policy(root, &mut covering, &mut told)
            .and_then(|()| match network {
                Network::Host => covers.names(root, &mut covering, &mut told),
                Network::None => Ok(()),
            });
        match done {
            Ok(()) => Ok((covers, covering, told)),
            Err(error) => {
                // The first failure is the one to report.
                let _ = covers.take_away(root);
                Err(error)
            }
        }
    }

    /// Gives the image its own files back.
    ///
    /// # Errors
    /// [`Kind::Teardown`]; the others are put back all the same.
    pub fn take_away(self, root: &Root) -> Result<()> {
        let failed = || format!("cannot put back /{NAMES} and /{POLICY} of the image");
        let mut done = Ok(());
        for (place, times) in self.put {
            let settled = times.unchanged_by(|| place.clean_copies().and_then(|()| place.settle()));
            done = done.and(settled);
        }
        done.and(settle_all(root)).context(Kind::Teardown, failed)
    }

    fn policy(
        &mut self,
        root: &Root,
        covering: &mut Covering,
        told: &mut Vec<Event>,
    ) -> Result<()> {
        // An image without /usr/sbin has no Debian services either.
        if !root.is_dir("usr/sbin".as_ref()) {
            return Ok(());
        }
        let (dir, name) = parent_of(root, POLICY).context(Kind::Image, || cannot(POLICY))?;
        if root.is_dir(POLICY.as_ref()) {
            return Err(
                Error::image(format!("/{POLICY} of the image is a directory"))
                    .hint("remove it, or make it a program"),
            );
        }
        let place = Place::new(dir, &name, Cover::Policy);
        let Err(why) = self.place(place, |_| POLICY_TEXT.into(), None, POLICY.as_ref())? else {
            return Ok(());
        };
        if root.is_file(POLICY.as_ref()) {
            covering
                .bound
                .push((POLICY.into(), Cover::Policy, POLICY_TEXT.into()));
        } else {
            told.push(Event::ServicesMayStart(why.to_string()));
        }
        Ok(())
    }

    fn names(&mut self, root: &Root, covering: &mut Covering, told: &mut Vec<Event>) -> Result<()> {
        let ours = names::of_this_machine();
        if !names::has_server(&ours) {
            told.push(Event::NoNames(
                "this machine's /etc/resolv.conf names no server".into(),
            ));
        }
        covering.names = Some(names::marked(&ours));
        let text = |original: &[u8]| names::before(&ours, original);
        let why = match follow::follow(root, NAMES) {
            Leads::Memory(path) => {
                covering.leads_to = Some(path);
                return Ok(());
            }
            Leads::File { dir, name, path } => {
                let place = Place::new(dir, &name, Cover::Names);
                let Err(why) = self.place(place, text, None, &path)? else {
                    return Ok(());
                };
                if root.is_file(&path) {
                    covering
                        .bound
                        .push((path, Cover::Names, names::marked(&ours)));
                    return Ok(());
                }
                why.to_string()
            }
            Leads::Nowhere(why) => {
                // A link that leads nowhere becomes one of ours for the while.
                let link = Cover::Names.link();
                match parent_of(root, NAMES) {
                    Ok((dir, name)) if readlinkat(&dir, &*name).is_ok() => {
                        let place = Place::new(dir, &name, Cover::Names);
                        let Err(why) = self.place(place, text, Some(link), NAMES.as_ref())? else {
                            covering.leads_to = Some(link.trim_start_matches('/').into());
                            return Ok(());
                        };
                        why.to_string()
                    }
                    _ => format!("/{NAMES} leads nowhere: {why}; {NAMES_HINT}"),
                }
            }
        };
        told.push(Event::NoNames(why));
        Ok(())
    }

    /// Puts one into its place. What the image does not allow is returned, and no error.
    fn place(
        &mut self,
        place: Place,
        text: impl Fn(&[u8]) -> Vec<u8>,
        link: Option<&str>,
        path: &Path,
    ) -> Result<io::Result<()>> {
        match place.put(text, link) {
            Ok(times) => {
                self.put.push((place, times));
                Ok(Ok(()))
            }
            Err(error) if not_allowed(&error) => {
                let path = path.display();
                let why = format!("cannot put ours in place of /{path}: {error}");
                Ok(Err(io::Error::new(error.kind(), why)))
            }
            Err(error) => Err(error).context(Kind::Image, || cannot(&path.display().to_string())),
        }
    }
}

/// Whether the image is made so that it cannot be: an immutable file, or a read-only file system.
fn not_allowed(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, IsADirectory, PermissionDenied, ReadOnlyFilesystem};
    [
        AlreadyExists,
        IsADirectory,
        PermissionDenied,
        ReadOnlyFilesystem,
    ]
    .contains(&error.kind())
}

fn cannot(path: &str) -> String {
    format!("cannot make /{path} in the image")
}

/// The directory of `path`, whose last component is then not followed.
fn parent_of(root: &Root, path: &str) -> nix::Result<(OwnedFd, OsString)> {
    let path = Path::new(path);
    let (parent, name) = (path.parent(), path.file_name());
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let dir = root.open_at(
        parent.unwrap_or("".as_ref()),
        flags,
        nix::sys::stat::Mode::empty(),
    )?;
    Ok((dir, name.unwrap_or_default().to_owned()))
}

/// Puts back whatever of the image's own waits, and takes ours out of copies of it.
fn settle_all(root: &Root) -> io::Result<()> {
    let mut places = Vec::new();
    for (path, cover) in [(POLICY, Cover::Policy), (NAMES, Cover::Names)] {
        if let Ok((dir, name)) = parent_of(root, path) {
            places.push(Place::new(dir, &name, cover));
        }
    }
    if let Leads::File { dir, name, .. } = follow::follow(root, NAMES) {
        places.push(Place::new(dir, &name, Cover::Names));
    }
    for place in places {
        place.clean_copies()?;
        place.settle()?;
    }
    if let Ok((dir, name)) = parent_of(root, &format!("{RESOLVCONF}/original")) {
        Place::new(dir, &name, Cover::Names).clean_copy(OsStr::new("original"), b"")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
