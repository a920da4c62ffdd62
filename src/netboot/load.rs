//! What the firmware of one board loads, going by config.txt.

use std::{io, path::Path};

use super::{
    Board, Wanted,
    config::{self, Config},
    tree::{Kind, Tree, at},
};

/// A file that is to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path below the folder.
    pub path: String,
    /// Its size; `None` if there is no such file.
    pub size: Option<u64>,
    /// What asks for it: a line of config.txt, or the firmware.
    pub asked: String,
}

/// All that one board loads.
#[derive(Debug)]
pub struct Load {
    /// The board.
    pub board: Board,
    /// What config.txt says for it; `None` if there is no config.txt.
    pub config: Option<Config>,
    /// `os_prefix` as it is set, and whether the firmware goes by it.
    pub prefix: (String, bool),
    /// The firmware's own files.
    pub firmware: Vec<File>,
    /// The device tree; the first of its possible names, if there is none.
    pub device_tree: File,
    /// The kernel.
    pub kernel: File,
    /// Whether the processor is in 64-bit mode when the kernel starts.
    pub is_64_bit: bool,
    /// The initramfs, in its parts; none if none is loaded.
    pub initramfs: Vec<File>,
    /// The file with the kernel's command line.
    pub cmdline: File,
    /// The overlays.
    pub overlays: Vec<File>,
}

impl Load {
    /// What the firmware of `board` loads from `boot`.
    ///
    /// # Errors
    /// Those of the tree.
    pub fn of(boot: &dyn Tree, board: Board, wanted: &Wanted) -> io::Result<Self> {
        let serial = wanted.directory.as_deref().filter(|_| !wanted.by_mac);
        let config = config::read(boot, "config.txt", board, serial)?;
        let empty = Config::default();
        let finder = Finder {
            boot,
            board,
            config: config.as_ref().unwrap_or(&empty),
        };
        let asked_prefix = finder.asked_prefix();
        let is_viable = !asked_prefix.is_empty()
            && finder.kernel(&asked_prefix)?.0.size.is_some()
            && finder.device_tree(&asked_prefix)?.size.is_some();
        let prefix = if is_viable { asked_prefix.as_str() } else { "" };
        let (kernel, is_64_bit) = finder.kernel(prefix)?;
        let cmdline = finder.setting("cmdline", "cmdline.txt");
        Ok(Load {
            board,
            firmware: finder.firmware()?,
            device_tree: finder.device_tree(prefix)?,
            initramfs: finder.initramfs(prefix, &kernel.path)?,
            cmdline: finder.file(prefix, &cmdline.0, cmdline.1)?,
            overlays: finder.overlays(prefix)?,
            kernel,
            is_64_bit,
            prefix: (asked_prefix, is_viable),
            config,
        })
    }

    /// All that is fetched and is there.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        let one = [&self.device_tree, &self.kernel, &self.cmdline];
        let many = self
            .firmware
            .iter()
            .chain(&self.initramfs)
            .chain(&self.overlays);
        one.into_iter()
            .chain(many)
            .filter(|file| file.size.is_some())
    }
}

struct Finder<'a> {
    boot: &'a dyn Tree,
    board: Board,
    config: &'a Config,
}

impl Finder<'_> {
    fn asked_prefix(&self) -> String {
        match self.config.value("os_prefix") {
            Some(prefix) => prefix.to_owned(),
            None if self.config.is_on("upstream_kernel") => "upstream/".to_owned(),
            None => String::new(),
        }
    }

    /// A name that config.txt may set, and where it does.
    fn setting(&self, key: &str, default: &str) -> (String, String) {
        let last = self.config.all(key).filter(|setting| setting.sure).last();
        match last.filter(|setting| !setting.value.is_empty()) {
            Some(setting) => (setting.value.clone(), setting.place.clone()),
            None => (default.to_owned(), "the firmware".to_owned()),
        }
    }

    /// The file that the firmware makes of a name: one that begins with a slash has no prefix.
    fn file(&self, prefix: &str, name: &str, asked: impl Into<String>) -> io::Result<File> {
        let path = match name.strip_prefix('/') {
            Some(path) => path.to_owned(),
            None => format!("{prefix}{name}"),
        };
        let stat = self.boot.stat(Path::new(&path));
        let stat = stat.map_err(|error| at(&path, &error))?;
        Ok(File {
            size: stat
                .filter(|stat| stat.kind == Kind::File)
                .map(|stat| stat.size),
            path,
            asked: asked.into(),
        })
    }

    /// The first of these that is there, or else the first.
    fn first(&self, prefix: &str, names: &[&str], asked: &str) -> io::Result<File> {
        let mut first = None;
        for name in names {
            let file = self.file(prefix, name, asked)?;
            if file.size.is_some() {
                return Ok(file);
            }
            first.get_or_insert(file);
        }
        first.ok_or_else(|| io::Error::other("no name to look for"))
    }

    /// The kernel, and whether it starts in 64-bit mode. A Pi 5 has no other mode.
    fn kernel(&self, prefix: &str) -> io::Result<(File, bool)> {
        let wish = self.config.number("arm_64bit").map(|bits| bits != 0);
        let (name, place) = self.setting("kernel", "");
        if !name.is_empty() {
            let known = match name.trim_start_matches('/') {
                "kernel8.img" | "kernel_2712.img" => Some(true),
                "kernel.img" | "kernel7.img" | "kernel7l.img" => Some(false),
                _ => None,
            };
            let is_64_bit = wish.or(known).unwrap_or(self.board != Board::Pi3);
            let file = self.file(prefix, &name, place)?;
            return Ok((file, is_64_bit || self.board == Board::Pi5));
        }
        let names: &[&str] = match (self.board, wish) {
            (Board::Pi5, _) => &["kernel_2712.img", "kernel8.img"],
            (_, Some(true)) => &["kernel8.img"],
            (Board::Pi4, Some(false)) => &["kernel7l.img"],
            (Board::Pi4, None) => &["kernel8.img", "kernel7l.img"],
            (Board::Pi3, Some(false)) => &["kernel7.img"],
            (Board::Pi3, None) => &["kernel7.img", "kernel8.img"],
        };
        let file = self.first(prefix, names, "the firmware")?;
        let is_64_bit = file.path.ends_with("kernel8.img") || self.board == Board::Pi5;
        Ok((file, is_64_bit))
    }

    fn device_tree(&self, prefix: &str) -> io::Result<File> {
        let (name, place) = self.setting("device_tree", "");
        match name.is_empty() {
            true => self.first(prefix, self.board.device_trees(), "the firmware"),
            false => self.file(prefix, &name, place),
        }
    }

    /// What is loaded before config.txt counts in full: it is never below the prefix.
    fn firmware(&self) -> io::Result<Vec<File>> {
        // The firmware of a Pi 5 is in its EEPROM.
        let digit = match self.board {
            Board::Pi3 => "",
            Board::Pi4 => "4",
            Board::Pi5 => return Ok(Vec::new()),
        };
        let variant = if self.config.is_on("start_x") {
            "x"
        } else if self.config.is_on("start_debug") {
            "db"
        } else if self.config.number("gpu_mem") == Some(16) {
            "cd"
        } else {
            ""
        };
        // start_x.elf and start4x.elf.
        let joined = match (digit, variant) {
            (_, "") => digit.to_owned(),
            ("", "cd") => "_cd".to_owned(),
            ("", variant) => format!("_{variant}"),
            (digit, variant) => format!("{digit}{variant}"),
        };
        let mut files = Vec::new();
        if self.board == Board::Pi3 {
            files.push(self.file("", "bootcode.bin", "the boot ROM")?);
        }
        for (key, default) in [
            ("start_file", format!("start{joined}.elf")),
            ("fixup_file", format!("fixup{joined}.dat")),
        ] {
            let (name, place) = self.setting(key, &default);
            files.push(self.file("", &name, place)?);
        }
        Ok(files)
    }

    fn initramfs(&self, prefix: &str, kernel: &str) -> io::Result<Vec<File>> {
        let last = |key| self.config.all(key).filter(|setting| setting.sure).last();
        // The one has an address behind the names, the other has not.
        if let Some(setting) = last("initramfs").or_else(|| last("ramfsfile")) {
            let names = setting.value.split_whitespace().next().unwrap_or_default();
            let names = names.split(',').filter(|name| !name.is_empty());
            return names
                .map(|name| self.file(prefix, name, &setting.place))
                .collect();
        }
        let auto = match kernel.rsplit('/').next() {
            Some("kernel8.img") => "initramfs8",
            Some("kernel_2712.img") => "initramfs_2712",
            Some("kernel7l.img") => "initramfs7l",
            Some("kernel7.img") => "initramfs7",
            Some("kernel.img") => "initramfs",
            _ => return Ok(Vec::new()),
        };
        if !self.config.is_on("auto_initramfs") {
            return Ok(Vec::new());
        }
        let file = self.file(prefix, auto, "auto_initramfs")?;
        Ok(file.size.is_some().then_some(file).into_iter().collect())
    }

    /// What `dtoverlay` names, also where that only may apply.
    fn overlays(&self, prefix: &str) -> io::Result<Vec<File>> {
        let folder = self.config.value("overlay_prefix").unwrap_or("overlays/");
        let readme = self.file(prefix, &format!("{folder}README"), "")?;
        // Without that file, overlays are shared, says the documentation of os_prefix.
        let prefix = if readme.size.is_some() { prefix } else { "" };
        let mut files: Vec<File> = Vec::new();
        for setting in self.config.all("dtoverlay") {
            let name = setting.value.split([',', ':']).next().unwrap_or_default();
            if name.is_empty() {
                continue;
            }
            // overlays/overlay_map.dtb has some overlays go by another name on newer boards.
            let of_board = format!("{name}-{}", self.board.name());
            let path = |name: &str| match name.strip_prefix('/') {
                Some(_) => format!("{name}.dtbo"),
                None => format!("{folder}{name}.dtbo"),
            };
            let names = [path(&of_board), path(name)];
            let mut file = self.first(
                prefix,
                &names.each_ref().map(String::as_str),
                &setting.place,
            )?;
            if file.size.is_none() {
                file = self.file(prefix, &names[1], &setting.place)?;
            }
            if !files.iter().any(|known| known.path == file.path) {
                files.push(file);
            }
        }
        Ok(files)
    }
}
