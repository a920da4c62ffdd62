//! What a plan depends on beside arguments and files. The environment is read here and nowhere else.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use super::{data_dir, sudo};
use crate::{
    ansible::bundle,
    error::{Context, Error, Kind, Result},
};

/// The variables that name a proxy, in lower case.
const PROXIES: [&str; 5] = [
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
];

/// The working directory, the environment, and what follows from them.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The environment. Under sudo, `HOME` is the caller's.
    pub env: BTreeMap<OsString, OsString>,
    /// The folder that is used in place of the bundle.
    pub data_dir: Option<PathBuf>,
    /// Where a virtual environment with Ansible may be.
    pub venv: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn of_process() -> Result<Self> {
        let mut env: BTreeMap<_, _> = std::env::vars_os().collect();
        let home = nix::unistd::geteuid().is_root().then(|| sudo::home(&env));
        if let Some(home) = home.flatten() {
            env.insert("HOME".into(), home.into());
        }
        let cwd = std::env::current_dir().context(Kind::Usage, || {
            "the working directory cannot be found".to_owned()
        })?;
        let data_dir = data_dir::given(&env);
        Ok(Surroundings {
            cwd,
            venv: data_dir::venv(data_dir.as_deref()),
            data_dir,
            env,
        })
    }

    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let value = self.env.get(OsStr::new(name))?;
        Some(value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// A variable that is set to something, if that is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variable(name)?.to_str()
    }

    /// The environment, as far as it is UTF-8.
    pub fn utf8(&self) -> Vec<(String, String)> {
        let utf8 = |(key, value): (&OsString, &OsString)| {
            Some((key.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        self.env.iter().filter_map(utf8).collect()
    }

    /// The proxies of this machine.
    pub fn proxies(&self) -> Vec<(String, String)> {
        let mut all = self.utf8();
        all.retain(|(name, _)| PROXIES.contains(&name.to_ascii_lowercase().as_str()));
        all
    }

    /// Whom what is made belongs to, where that is not this process's user: the caller of sudo, by
    /// user and group.
    pub fn caller(&self) -> Option<(u32, u32)> {
        let id = |name| self.text(name)?.parse::<u32>().ok();
        let is_root = nix::unistd::geteuid().is_root();
        is_root.then(|| Some((id("SUDO_UID")?, id("SUDO_GID")?)))?
    }

    /// Where the cache is: `PICHROOT_CACHE_DIR`, else for root /var/cache/pichroot, else
    /// `XDG_CACHE_HOME`/pichroot or ~/.cache/pichroot.
    ///
    /// # Errors
    /// A usage error when none of these variables is set.
    pub fn cache_dir(&self) -> Result<PathBuf> {
        self.cache_dir_for(nix::unistd::geteuid().is_root())
    }

    fn cache_dir_for(&self, root: bool) -> Result<PathBuf> {
        if let Some(dir) = self.variable("PICHROOT_CACHE_DIR") {
            return Ok(self.cwd.join(dir));
        }
        if root {
            return Ok("/var/cache/pichroot".into());
        }
        // The XDG base directory specification: a relative path is to be ignored.
        let dir = |name| {
            self.variable(name)
                .map(Path::new)
                .filter(|path| path.is_absolute())
        };
        let cache = dir("XDG_CACHE_HOME").map(Path::to_owned);
        cache
            .or_else(|| Some(dir("HOME")?.join(".cache")))
            .map(|cache| cache.join("pichroot"))
            .ok_or_else(|| {
                Error::usage("no place for the cache: HOME is not set")
                    .hint("set PICHROOT_CACHE_DIR to a directory that can be written")
            })
    }

    /// A folder in memory for files of one run: /run for root, else `XDG_RUNTIME_DIR`, else /dev/shm.
    pub fn in_memory(&self) -> PathBuf {
        if nix::unistd::geteuid().is_root() {
            return "/run".into();
        }
        let dir = self.variable("XDG_RUNTIME_DIR").map(Path::new);
        let dir = dir.filter(|dir| dir.is_absolute() && dir.is_dir());
        dir.unwrap_or(Path::new("/dev/shm")).into()
    }

    /// Where playbooks and the connection plugin are, in a run with this folder of its own.
    pub fn bundle(&self, run_folder: &Path) -> PathBuf {
        let data_dir = self.data_dir.clone();
        data_dir.unwrap_or_else(|| run_folder.join(bundle::FOLDER))
    }

    /// Checks that there is a connection plugin.
    ///
    /// # Errors
    /// [`Kind::Host`] when it is not in the folder that is used in place of the bundle.
    pub fn has_connection_plugin(&self) -> Result<()> {
        let Some(folder) = &self.data_dir else {
            return Ok(());
        };
        let plugin = folder.join(bundle::CONNECTION_PLUGINS).join("chroot.py");
        if plugin.is_file() {
            return Ok(());
        }
        Err(Error::host(format!(
            "there is no connection plugin {}",
            plugin.display()
        ))
        .hint(
            "PICHROOT_DATA_DIR has to name a folder with pichroot's ansible_plugins/ in it; without the variable \
             pichroot uses the plugin that it carries",
        ))
    }

    /// `HOME`.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Surroundings {
        let own = |(key, value): &(&str, &str)| (key.into(), value.into());
        Surroundings {
            cwd: "/cwd".into(),
            env: vars.iter().map(own).collect(),
            data_dir: None,
            venv: None,
        }
    }

    #[test]
    fn where_the_cache_is() {
        let at = |vars: &[(&str, &str)], root| {
            let found = with(vars).cache_dir_for(root);
            found.map(|dir| dir.display().to_string())
        };
        let own = [("PICHROOT_CACHE_DIR", "/c"), ("HOME", "/h")];
        assert_eq!(at(&own, true).unwrap(), "/c");
        let relative = [("PICHROOT_CACHE_DIR", "c")];
        assert_eq!(at(&relative, true).unwrap(), "/cwd/c");
        assert_eq!(at(&[("HOME", "/h")], true).unwrap(), "/var/cache/pichroot");
        assert_eq!(at(&[("HOME", "/h")], false).unwrap(), "/h/.cache/pichroot");
        let xdg = [("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(at(&xdg, false).unwrap(), "/x/pichroot");
        let relative = [("XDG_CACHE_HOME", "x"), ("HOME", "/h")];
        assert_eq!(at(&relative, false).unwrap(), "/h/.cache/pichroot");
        assert_eq!(at(&[], false).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn proxies_are_those_in_either_case() {
        let around = with(&[("HTTPS_PROXY", "a"), ("no_proxy", "b"), ("PROXY", "c")]);
        let names: Vec<_> = around.proxies().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["HTTPS_PROXY", "no_proxy"]);
    }
}
