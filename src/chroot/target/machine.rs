//! What is known of the machine while the image is open.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::Instant,
};

use serde_json::{Map, Value};

use super::{board::Board, cpuinfo, files, kernel, plan::TargetPlan, security};
use crate::{
    chroot::{covers::names, filesystems},
    emulation::arch::Arch,
    error::{Context, Kind, Result},
    sys::inroot::Root,
};

/// The longest kernel configuration or resolv.conf that is read, in bytes.
const MAX_TEXT: u64 = 1 << 20;

/// The machine.
#[derive(Debug)]
pub struct Target {
    arch: Arch,
    /// Where the image is.
    root: PathBuf,
    /// The release of its kernel.
    release: Option<String>,
    /// Names of variables that commands have for the build alone.
    of_build: Vec<String>,
    opened: Instant,
    board: Mutex<Option<Board>>,
    banner: OnceLock<Option<String>>,
}

impl Target {
    /// The machine of the image at `root`, which is what this process sees as `/` by now.
    pub fn new(
        plan: &TargetPlan,
        root: &Path,
        release: Option<&str>,
        environment: &[(String, String)],
    ) -> Self {
        const THE_MACHINES: [&str; 4] = ["PATH", "HOME", "LANG", "TERM"];
        let names = environment.iter().map(|(name, _)| name);
        let of_build = names.filter(|name| !THE_MACHINES.contains(&name.as_str()));
        Target {
            arch: plan.arch,
            root: root.to_owned(),
            release: release.map(str::to_owned),
            of_build: of_build.cloned().collect(),
            opened: Instant::now(),
            board: Mutex::new(plan.board),
            banner: OnceLock::new(),
        }
    }

    /// The board, if one is named.
    pub fn board(&self) -> Option<Board> {
        *self.board.lock().expect("no panic while locked")
    }

    /// From now on it is this board.
    ///
    /// # Errors
    /// Where the name is none, or the image not for it.
    pub fn become_board(&self, name: &str) -> Result<()> {
        let board = Board::named(name)?;
        board.check(self.arch)?;
        let mut now = self.board.lock().expect("no panic while locked");
        if *now != Some(board) {
            let place = self.root.join(files::PLACE);
            files::board(&place, board, self.arch)
                .context(Kind::Other, || format!("cannot show the image a {board}"))?;
            *now = Some(board);
        }
        Ok(())
    }

    /// The release of its kernel, as of `uname -r`.
    pub fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// The version of its kernel, as of `uname -v`.
    pub fn version(&self) -> Option<&str> {
        let banner = self.banner.get_or_init(|| {
            let root = Root::open(&self.root).ok()?;
            kernel::banner(&root, self.release()?)
        });
        kernel::version(banner.as_deref()?)
    }

    /// Whether its kernel starts with AppArmor; `None` if it does not tell.
    pub fn has_apparmor(&self) -> Option<bool> {
        security::has_apparmor(&Root::open(&self.root).ok()?, self.release()?)
    }

    /// Whether the arguments that it boots with have this word.
    pub fn boots_with(&self, word: &str) -> bool {
        self.arguments()
            .split_ascii_whitespace()
            .any(|it| it == word)
    }

    fn arguments(&self) -> String {
        let root = Root::open(&self.root);
        root.map_or_else(|_| String::new(), |root| filesystems::boot_arguments(&root))
    }

    /// What Ansible makes of the image's own resolv.conf (module_utils/facts/system/dns.py).
    pub fn dns(&self) -> Value {
        let text = self.read("etc/resolv.conf").unwrap_or_default();
        let own = names::without_ours(text.as_bytes());
        let text = own.map_or(text, |own| String::from_utf8_lossy(&own).into_owned());
        let mut dns = Map::new();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_ascii_whitespace();
            let (Some(key), rest) = (words.next(), words.map(Value::from)) else {
                continue;
            };
            let rest: Vec<Value> = rest.collect();
            match key {
                "nameserver" => {
                    let all = dns
                        .entry("nameservers")
                        .or_insert_with(|| Value::Array(Vec::new()));
                    all.as_array_mut()
                        .into_iter()
                        .for_each(|all| all.extend(rest.clone()));
                }
                "domain" => {
                    dns.extend(
                        rest.into_iter()
                            .next()
                            .map(|name| ("domain".to_owned(), name)),
                    );
                }
                "search" | "sortlist" => {
                    dns.insert(key.to_owned(), rest.into());
                }
                "options" => {
                    let option = |word: Value| {
                        let word = word.as_str().unwrap_or_default().to_owned();
                        match word.split_once(':') {
                            Some((name, value)) if !value.is_empty() => {
                                (name.to_owned(), value.into())
                            }
                            Some((name, _)) => (name.to_owned(), true.into()),
                            None => (word, true.into()),
                        }
                    };
                    let options: Map<_, _> = rest.into_iter().map(option).collect();
                    dns.insert(key.to_owned(), options.into());
                }
                _ => {}
            }
        }
        dns.into()
    }

    /// How long it has been up, in seconds.
    pub fn uptime(&self) -> u64 {
        self.opened.elapsed().as_secs()
    }

    /// Whether a variable of the environment is there for the build alone.
    pub fn is_of_build(&self, name: &str) -> bool {
        self.of_build.iter().any(|its| its == name)
    }

    /// `ansible_processor` of the board.
    pub fn processor(&self) -> Vec<String> {
        let text = self
            .board()
            .map(|board| cpuinfo::of_board(board, self.arch));
        let text = text.unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(name, _)| matches!(name.trim(), "processor" | "model name"));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    }

    fn read(&self, path: &str) -> Option<String> {
        let root = Root::open(&self.root).ok()?;
        root.read(path.as_ref(), MAX_TEXT).ok()
    }
}

#[cfg(test)]
pub mod tests {
    use std::fs;

    use super::*;

    /// For a 64-bit image, in a folder.
    pub fn target(board: Option<Board>) -> (tempfile::TempDir, Target) {
        let dir = tempfile::tempdir().unwrap();
        let plan = TargetPlan {
            arch: Arch::Aarch64,
            board,
            native: false,
        };
        let environment = ["HOME", "QEMU_CPU"].map(|name| (name.to_owned(), String::new()));
        let target = Target::new(&plan, dir.path(), None, &environment);
        (dir, target)
    }

    fn with_files(files: &[(&str, &str)]) -> (tempfile::TempDir, Target) {
        let (dir, mut target) = target(None);
        target.release = Some("6.1.0-13-arm64".into());
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (dir, target)
    }

    #[test]
    fn only_the_images_own_servers_are_told() {
        let ours = names::marked("nameserver 192.0.2.53\n");
        let own =
            "nameserver 198.51.100.1\nnameserver 198.51.100.2\nsearch a b\noptions edns0 ndots:2\n";
        let (_dir, target) = with_files(&[("etc/resolv.conf", &format!("{ours}{own}"))]);
        let expected = serde_json::json!({
            "nameservers": ["198.51.100.1", "198.51.100.2"], "search": ["a", "b"],
            "options": {"edns0": true, "ndots": "2"},
        });
        assert_eq!(target.dns(), expected);
        assert_eq!(with_files(&[]).1.dns(), serde_json::json!({}));
    }

    #[test]
    fn a_board_can_be_named_later() {
        let (dir, target) = target(None);
        fs::create_dir_all(dir.path().join(files::PLACE).join("net")).unwrap();
        target.become_board("pi4").unwrap();
        let read = |path: &str| fs::read(dir.path().join(files::PLACE).join(path)).unwrap();
        assert!(
            String::from_utf8(read("cpuinfo"))
                .unwrap()
                .ends_with("Raspberry Pi 4 Model B Rev 1.5\n")
        );
        target.become_board("pi5-8g").unwrap();
        let tree = "firmware/devicetree/base";
        assert_eq!(
            read(&format!("{tree}/model")),
            b"Raspberry Pi 5 Model B Rev 1.1\0"
        );
        assert_eq!(
            read(&format!("{tree}/system/linux,revision")),
            [0, 0xd0, 0x41, 0x71]
        );
        assert!(target.become_board("pi9").is_err());
        assert_eq!(target.board(), Some(Board::named("pi5-8g").unwrap()));
    }
}
