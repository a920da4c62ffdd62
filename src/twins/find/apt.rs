//! The host's apt, asked about another system's sources: nothing of the host's own configuration
//! but its proxies, nothing installed, and all in a folder that goes when it is done.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use super::{
    installed::{field, paragraphs},
    sources::Sources,
};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::command::{self, Surroundings},
};

/// How long one call of apt may take.
const LIMIT: Duration = Duration::from_secs(600);

/// The folder for temporary files, below apt's.
const TEMPORARY: &str = "tmp";

/// A .deb that the sources offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of the file, by the signed lists.
    pub sha256: String,
}

/// An apt with the sources of an image and up-to-date lists.
#[derive(Debug)]
pub struct Apt {
    folder: TempDir,
    env: Vec<(OsString, OsString)>,
    /// Whether every source could be had.
    pub complete: bool,
}

impl Apt {
    /// Sets one up for packages of `arch` in a folder of its own below `scratch`, and fetches the lists.
    ///
    /// # Errors
    /// When the host has no apt, or none of the sources can be reached.
    pub fn new(sources: &Sources, arch: &str, scratch: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            // apt fetches as a user of its own, who has to get through here.
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(scratch)
            .context(Kind::Host, || "cannot make a folder for apt".into())?;
        let failed = || format!("cannot write to {}", folder.path().display());
        set_up(folder.path(), sources, arch).context(Kind::Host, failed)?;
        let proxies = proxies()?;
        let config = folder.path().join("apt.conf");
        fs::write(&config, configuration(folder.path(), arch, &proxies))
            .context(Kind::Host, failed)?;
        let mut apt = Apt {
            env: environment(&config, &folder.path().join(TEMPORARY)),
            folder,
            complete: false,
        };
        let output = apt.run("apt-get", &["-q", "update"])?;
        // It may also exit with 0 when a source could not be had, and goes on without it.
        let failed = String::from_utf8_lossy(&output.stderr).contains("Failed to fetch");
        apt.complete = output.status.success() && !failed;
        if !apt.complete && fs::read_dir(apt.at("state/lists")).is_ok_and(has_no_packages) {
            return Err(failure("update", &output));
        }
        Ok(apt)
    }

    /// All versions that the sources have of these packages.
    pub fn offers(&self, packages: &BTreeSet<String>) -> Result<Vec<Offer>> {
        let mut args = vec!["show"];
        args.extend(packages.iter().map(String::as_str));
        // It fails where there is nothing of one of them, but shows the others.
        let output = self.run("apt-cache", &args)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let offer = |paragraph| {
            Some(Offer {
                package: field(paragraph, "Package")?.to_owned(),
                version: field(paragraph, "Version")?.to_owned(),
                sha256: field(paragraph, "SHA256")
                    .filter(|sum| is_sum(sum))?
                    .to_owned(),
            })
        };
        Ok(paragraphs(&text).filter_map(offer).collect())
    }

    /// Downloads what is offered; returns the files that could be had.
    pub fn download(&self, offers: &[Offer]) -> Result<Vec<PathBuf>> {
        let names = offers
            .iter()
            .map(|o| format!("{}={}", o.package, o.version));
        let names = names.collect::<Vec<_>>();
        let mut args = vec!["-q", "download"];
        args.extend(names.iter().map(String::as_str));
        let output = self.run("apt-get", &args)?;
        let entries = fs::read_dir(self.at("debs")).into_iter().flatten();
        let files = entries
            .flatten()
            .map(|entry| entry.path())
            .collect::<Vec<_>>();
        if files.is_empty() && !offers.is_empty() {
            return Err(failure("download", &output));
        }
        Ok(files)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        let around = Surroundings {
            dir: &self.at("debs"),
            env: &self.env,
            limit: LIMIT,
        };
        let args = args.iter().map(OsString::from).collect::<Vec<_>>();
        command::output_in(&around, program.as_ref(), &args)
    }
}

fn failure(task: &str, output: &Output) -> Error {
    command::failure(Kind::Host, "apt-get".as_ref(), &[task.into()], output)
}

/// The folders that apt wants.
fn set_up(folder: &Path, sources: &Sources, arch: &str) -> io::Result<()> {
    for part in [
        "etc/apt.conf.d",
        "etc/preferences.d",
        "etc/auth.conf.d",
        "state",
        "cache",
        "debs",
    ] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("status"), "")?;
    // Of any user's, as /tmp: what apt's helpers leave there when they are killed is gone with the folder.
    let temporary = folder.join(TEMPORARY);
    fs::create_dir(&temporary)?;
    fs::set_permissions(&temporary, Permissions::from_mode(0o1777))?;
    sources.write(arch, &folder.join("etc"))?;
    // apt's own user downloads into it; without that user apt does as ours.
    if let Ok(Some(user)) = User::from_name("_apt")
        && geteuid().is_root()
    {
        chown(folder.join("debs"), Some(user.uid.as_raw()), None)?;
    }
    Ok(())
}

/// What apt reads first of all: `Dir::Etc` keeps it from everything of the host's.
fn configuration(folder: &Path, arch: &str, proxies: &str) -> String {
    let folder = folder.display();
    format!(
        "Dir::Etc \"{folder}/etc\";\n\
         Dir::State \"{folder}/state\";\n\
         Dir::State::status \"{folder}/status\";\n\
         Dir::Cache \"{folder}/cache\";\n\
         Dir::Log \"{folder}/log\";\n\
         APT::Architecture \"{arch}\";\n\
         APT::Architectures \"{arch}\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"1\";\n\
         Acquire::http::Timeout \"20\";\n\
         Acquire::https::Timeout \"20\";\n\
         {proxies}"
    )
}

/// The host's settings of proxies, as lines of a configuration.
fn proxies() -> Result<String> {
    let args = ["dump".into(), "Acquire".into()];
    let program = Path::new("apt-config");
    let output = command::output(program, &args)
        .map_err(|error| error.hint("twins that this host has not installed need its apt"))?;
    if !output.status.success() {
        return Err(command::failure(Kind::Host, program, &args, &output));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| {
        let key = line
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        key.starts_with("acquire::http") && key.contains("::proxy")
    });
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The environment for apt: clean, but for proxies.
fn environment(config: &Path, temporary: &Path) -> Vec<(OsString, OsString)> {
    let kept = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
    let kept = kept
        .into_iter()
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    let ours: [(&str, OsString); 4] = [
        ("TMPDIR", temporary.into()),
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin".into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("APT_CONFIG", config.into()),
    ];
    ours.into_iter()
        .map(|(name, value)| (name.into(), value))
        .chain(kept)
        .collect()
}

fn has_no_packages(entries: fs::ReadDir) -> bool {
    let list = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains("Packages");
    !entries.flatten().any(|entry| list(&entry))
}

fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_never_a_path() {
        assert!(is_sum(&"a0".repeat(32)));
        for not in ["", "../x", &"A0".repeat(32), &"/0".repeat(32)] {
            assert!(!is_sum(not), "{not}");
        }
    }
}
