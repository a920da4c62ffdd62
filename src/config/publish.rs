//! The plan of `pichroot publish`, and of `--publish`.

use std::path::{Path, PathBuf};

use super::{
    extra_vars,
    file::{self, File},
    given::GivenImage,
    image::{ImagePlan, Machine},
    known::Known,
    locations, machine, names,
    read::read_config,
    source,
    surroundings::Surroundings,
};
use crate::{
    error::{Error, Result},
    netboot::{self, Board, RootOn},
    publish::{
        rbd::{self, Ceph, Replaced, Spec},
        tree,
    },
    secrets::{Secret, Source},
};

/// For `--no-check`: every check.
const ALL: &str = "all";

/// What the command line says to `pichroot publish`. No `Debug`: `extra_vars` may hold secrets.
#[derive(Default)]
pub struct GivenPublish {
    /// The image.
    pub source: Option<String>,
    /// What is said of it.
    pub image: GivenImage,
    /// Where it goes.
    pub to: GivenTargets,
    /// Each `--extra-vars`.
    pub extra_vars: Vec<String>,
    /// Each `--var-file`.
    pub var_files: Vec<PathBuf>,
    /// Each `--inventory`.
    pub inventories: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--check`.
    pub check: bool,
    /// `--rollback`.
    pub roll_back: bool,
}

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

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Publish, if the checks pass.
    Publish,
    /// Make the checks only.
    Check,
    /// Serve the generation before again.
    RollBack,
}

/// What `pichroot publish` is going to do; all paths are absolute.
#[derive(Debug)]
pub struct PublishPlan {
    /// What of it.
    pub action: Action,
    /// The image; `None` where none is looked at.
    pub image: Option<ImagePlan>,
    /// Where it goes, and for which machine.
    pub targets: Targets,
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

/// What is known of a machine that boots from the network.
#[derive(Debug)]
pub struct Netbooted {
    /// Its name.
    pub name: String,
    /// What its firmware asks the TFTP server for.
    pub directory: Option<String>,
    /// Whether that is its MAC address.
    pub by_mac: bool,
    /// Its board.
    pub board: Option<Board>,
    /// Where its root file system is.
    pub root: RootOn,
    /// The user of Ceph's that it is.
    pub ceph_user: Option<String>,
}

impl PublishPlan {
    /// Makes the plan from the command line and the configuration file, as [`super::AnsiblePlan::new`] does.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] for whatever is wrong, with its path or name and a hint.
    pub fn new(given: GivenPublish, around: &Surroundings) -> Result<Self> {
        let (file, folder) = read_config(given.image.config.as_deref(), &around.cwd)?;
        let mut extra = Vec::new();
        for path in &given.var_files {
            extra.push(extra_vars::file(path, &around.cwd)?);
        }
        for text in &given.extra_vars {
            extra.push(extra_vars::option(text, &around.cwd)?);
        }
        let asked = machine::Asked {
            inventories: &given.inventories,
            limit: given.limit.as_deref(),
        };
        let (known, name) = machine::find(&asked, (&file, &folder), &extra, around)?;
        let name = name.ok_or_else(machine::unnamed)?;
        let targets = Targets::new(&given.to, (&file, &folder), &known, &name, around)?;
        let action = match (given.check, given.roll_back) {
            (_, true) => Action::RollBack,
            (true, false) => Action::Check,
            (false, false) => Action::Publish,
        };
        let image = match action {
            Action::RollBack => None,
            _ => Some(image(&given, (&file, &folder), &known, &name, around)?),
        };
        Ok(PublishPlan {
            action,
            image,
            targets,
        })
    }
}

/// The image that is given, else the first output of the configuration file that is one.
fn image(
    given: &GivenPublish,
    (file, folder): (&File, &Path),
    known: &Known,
    name: &str,
    around: &Surroundings,
) -> Result<ImagePlan> {
    let home = around.home();
    let source = match &given.source {
        Some(source) => source.clone(),
        None => {
            let is_image = |path: &&String| !path.ends_with('/') && !path.contains(".tar");
            let template = file.image.output.all().iter().find(is_image);
            let path = match template {
                Some(template) => names::expand("image.output", template, known, Some(name))?,
                None => names::default_output(Some(name), Path::new(""))
                    .display()
                    .to_string(),
            };
            let path = locations::absolute(&path, folder, home);
            if !path.exists() {
                return Err(Error::usage(format!("there is no image {}", path.display())).hint(
                    "make it by `pichroot ansible`, or name another one: pichroot publish IMAGE",
                ));
            }
            path.display().to_string()
        }
    };
    let source = source::source(Some(&source), &given.image, (file, folder), around)?;
    let machine = Machine::new(name, known)?;
    ImagePlan::new(source, machine, &given.image, file, around)
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

impl Netbooted {
    fn new(known: &Known, name: &str) -> Result<Self> {
        if known.get("hn_netboot").is_some_and(|value| !is_true(value)) {
            return Err(Error::usage(format!("{name} does not boot from the network: hn_netboot is false"))
                .hint("write its image to a card by `pichroot flash`, or set hn_netboot=true and build it anew"));
        }
        let id = known.get("hn_host_id").map(directory).transpose()?;
        let board = known.get("hn_board").and_then(Board::named);
        let (directory, by_mac) = id.map_or((None, false), |(name, by_mac)| (Some(name), by_mac));
        let text = |name: &str| known.get(name).map(str::to_owned);
        let root = match known.get("hn_root") {
            Some("nfs") => RootOn::Nfs {
                server: text("hn_nfs_server").unwrap_or_default(),
                path: text("hn_nfs_root").unwrap_or_else(|| format!("/srv/nfs/{name}")),
            },
            None | Some("rbd") => RootOn::Rbd {
                partition: partition(known)?,
            },
            Some(other) => {
                return Err(Error::usage(format!("hn_root is {other}")).hint("it is rbd or nfs"));
            }
        };
        Ok(Netbooted {
            name: name.to_owned(),
            directory,
            by_mac,
            board,
            root,
            ceph_user: text("hn_ceph_user"),
        })
    }

    fn directory(&self) -> Result<String> {
        self.directory.clone().ok_or_else(|| {
            Error::usage(format!("the serial number of {} is not known", self.name)).hint(
                "set hn_host_id to the last eight digits of what its /proc/cpuinfo calls Serial, or to its MAC address",
            )
        })
    }

    fn may_be_on_nfs(&self) -> bool {
        matches!(self.root, RootOn::Nfs { .. })
    }

    fn may_be_on_rbd(&self) -> bool {
        matches!(self.root, RootOn::Rbd { .. })
    }
}

/// The folder that the firmware asks for, and whether that is a MAC address: `TFTP_PREFIX` of its EEPROM.
fn directory(id: &str) -> Result<(String, bool)> {
    let is_hex = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    // Of a serial number of sixteen digits it takes the last eight.
    let serial = match id.len() {
        16 => id.get(8..).unwrap_or(id),
        _ => id,
    };
    if serial.len() == 8 && is_hex(id) {
        return Ok((serial.to_owned(), false));
    }
    let mac = id.replace(':', "-").to_ascii_lowercase();
    if mac.len() == 17
        && mac.split('-').count() == 6
        && mac.split('-').all(|two| two.len() == 2 && is_hex(two))
    {
        return Ok((mac, true));
    }
    Err(Error::usage(format!("hn_host_id is {id}, which is no serial number of a Pi")).hint(
        "a serial number has eight digits, 0 to 9 and a to f, as /proc/cpuinfo of the Pi shows it; a MAC address is taken, too",
    ))
}

/// `hn_ceph_partition`, which is empty where there is no table.
fn partition(known: &Known) -> Result<Option<u32>> {
    match known.get("hn_ceph_partition").filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Error::usage(format!("hn_ceph_partition is {text}"))
                .hint("it is the number of the partition with the root, or empty if there is no partition table")
        }),
    }
}

/// As Ansible's filter `bool`.
fn is_true(text: &str) -> bool {
    ["true", "yes", "on", "1"].contains(&text.to_ascii_lowercase().as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_asks_for_eight_digits_or_for_a_mac_address() {
        let name = |id| directory(id).ok();
        assert_eq!(name("abcdef12"), Some(("abcdef12".into(), false)));
        assert_eq!(name("10000000abcdef12"), Some(("abcdef12".into(), false)));
        for mac in ["DC:A6:32:01:36:C2", "dc-a6-32-01-36-c2"] {
            assert_eq!(name(mac), Some(("dc-a6-32-01-36-c2".into(), true)));
        }
        for wrong in [
            "",
            "ABCDEF12",
            "abcdef1",
            "../../xx",
            "dc:a6:32:01:36",
            "abcdefgh",
        ] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
