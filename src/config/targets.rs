//! Where the parts of an image are published.

use std::path::{Path, PathBuf};

use super::{
    file::{self, File},
    known::Known,
    locations, names,
    netbooted::Netbooted,
    surroundings::Surroundings,
};
use crate::{
    error::{Error, Result},
    netboot::{self, RootOn},
    publish::{
        rbd::{self, Ceph, Replaced, Spec},
        tree,
    },
    secrets::{Secret, Source},
};

/// For `--no-check`: every check.
const ALL: &str = "all";

/// What it says of where an image goes.
#[derive(Default)]
pub struct GivenTargets {
    /// `--tftp`.
    pub tftp: Option<PathBuf>,
    /// `--nfs-root`.
    pub nfs_root: Option<PathBuf>,
    /// `--rbd`.
    pub rbd: Option<String>,
    /// `--ceph-conf`.
    pub ceph_conf: Option<PathBuf>,
    /// `--ceph-user`.
    pub ceph_user: Option<String>,
    /// `--key`.
    pub key: Option<String>,
    /// `--keep`.
    pub keep: Option<usize>,
    /// Each `--no-check`.
    pub without: Vec<String>,
    /// `--force`.
    pub force: bool,
    /// `--write-configuration`.
    pub configuration: Option<PathBuf>,
}

/// Where the parts of an image go, and what the machine is.
#[derive(Debug)]
pub struct Targets {
    /// The machine.
    pub machine: Netbooted,
    /// The tree for the TFTP server.
    pub tftp: Option<tree::Wanted>,
    /// The root file system as a tree for the NFS server.
    pub nfs_root: Option<tree::Wanted>,
    /// The root file system as a block device.
    pub rbd: Option<OnCeph>,
    /// Which checks are left out.
    pub without: Vec<netboot::Name>,
    /// Where the servers' configuration is written to.
    pub configuration: Option<PathBuf>,
}

/// A block device and how it is reached.
#[derive(Debug)]
pub struct OnCeph {
    /// What is wanted of it.
    pub wanted: rbd::Wanted,
    /// The cluster.
    pub ceph: Ceph,
    /// The key of the user that publishes.
    pub key: Option<Secret>,
    /// The partition with the root, if the device gets the image's partition table.
    pub partition: Option<u32>,
}

impl Targets {
    /// Where the image of the machine `name` goes, by what is given, else by `file`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] for whatever is wrong or missing.
    pub(super) fn new(
        given: &GivenTargets,
        (file, folder): (&File, &Path),
        known: &Known,
        name: &str,
        around: &Surroundings,
    ) -> Result<Self> {
        let said = &file.publish;
        let machine = Netbooted::new(known, name)?;
        let path = |given: &Option<PathBuf>, said: &Option<String>| match (given, said) {
            (Some(path), _) => Some(around.cwd.join(path)),
            (None, said) => said
                .as_ref()
                .map(|path| locations::absolute(path, folder, around.home())),
        };
        let wanted = |dir: PathBuf, name: String, watched: bool| tree::Wanted {
            dir,
            name,
            watched,
            force: given.force,
            keep: given.keep.or(said.keep).unwrap_or(1),
        };
        let tftp = match path(&given.tftp, &said.tftp) {
            Some(dir) => Some(wanted(dir, machine.directory()?, true)),
            None => None,
        };
        let nfs_root = path(&given.nfs_root, &said.nfs_root);
        let nfs_root = nfs_root.filter(|_| given.nfs_root.is_some() || machine.may_be_on_nfs());
        let nfs_root = nfs_root.map(|dir| wanted(dir, name.to_owned(), false));
        let rbd = given.rbd.as_ref().or(said.rbd.as_ref());
        let rbd = rbd.filter(|_| given.rbd.is_some() || machine.may_be_on_rbd());
        let rbd = match rbd {
            Some(template) => {
                let text = names::expand("publish.rbd", template, known, Some(name))?;
                Some(OnCeph::new(
                    &text,
                    given,
                    (said, folder),
                    known,
                    &machine,
                    around,
                )?)
            }
            None => None,
        };
        let mut without = given.without.iter().chain(&said.no_check);
        let without = match without.clone().any(|name| name == ALL) {
            true => netboot::Name::ALL.to_vec(),
            false => without.try_fold(Vec::new(), |mut names, name| {
                names.push(netboot::Name::named(name)?);
                Ok::<_, Error>(names)
            })?,
        };
        let targets = Targets {
            machine,
            tftp,
            nfs_root,
            rbd,
            without,
            configuration: given
                .configuration
                .as_ref()
                .map(|path| around.cwd.join(path)),
        };
        match (&targets.tftp, &targets.nfs_root, &targets.rbd) {
            (None, None, None) => Err(Error::usage("nothing says where the image is published").hint(
                "name the TFTP server's folder by --tftp, and where the root goes by --nfs-root or --rbd, or all of them \
                 in the section publish of pichroot.yml",
            )),
            _ => Ok(targets),
        }
    }
}

impl OnCeph {
    fn new(
        spec: &str,
        given: &GivenTargets,
        (said, folder): (&file::Publish, &Path),
        known: &Known,
        machine: &Netbooted,
        around: &Surroundings,
    ) -> Result<Self> {
        let source = match (&given.key, &said.key) {
            (Some(text), _) => Some((Source::parse("key", text)?, around.cwd.as_path())),
            (None, Some(entry)) => Some((entry.0.clone(), folder)),
            (None, None) => None,
        };
        let key = source.map(|(mut source, base)| {
            if let Source::File(path) = &mut source {
                *path = locations::absolute(&path.to_string_lossy(), base, around.home());
            }
            Secret {
                name: "publish.key".into(),
                source,
            }
        });
        let conf = match (&given.ceph_conf, &said.ceph.conf) {
            (Some(path), _) => Some(around.cwd.join(path)),
            (None, said) => said
                .as_ref()
                .map(|path| locations::absolute(path, folder, around.home())),
        };
        let user = given.ceph_user.clone().or(said.ceph.user.clone());
        let passed_on = ["HOME", "CEPH_ARGS", "CEPH_CONF", "CEPH_KEYRING"];
        let environment = passed_on.into_iter().filter_map(|name| {
            around
                .variable(name)
                .map(|value| (name.into(), value.into()))
        });
        // Those of the machine, where there is no configuration to have them from.
        let own = conf.is_none() && !Path::new("/etc/ceph/ceph.conf").exists();
        let monitors = known
            .get("hn_ceph_monitors")
            .filter(|_| own)
            .map(str::to_owned);
        Ok(OnCeph {
            wanted: rbd::Wanted {
                spec: Spec::parse(spec)?,
                force: given.force,
                keep: given.keep.or(said.keep).unwrap_or(1),
                replaced: said.replaced.unwrap_or(Replaced::Keep),
            },
            ceph: Ceph {
                conf,
                user,
                monitors,
                environment: environment.collect(),
            },
            key,
            partition: match machine.root {
                RootOn::Rbd { partition } => partition,
                _ => None,
            },
        })
    }
}
