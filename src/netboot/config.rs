//! config.txt, as the firmware of one board reads it.
//!
//! raspberrypi.com/documentation/computers/config_txt.html has the format: a setting on each line, lines that are cut after 98
//! characters, files that are included, and filters in brackets, of which those of one type replace each other.

use std::{io, path::Path};

use super::{
    Board,
    tree::{Tree, at},
};

/// The most that is read of one file, in bytes.
const MAX_BYTES: u64 = 64 << 10;
/// How many lines count, with those of all included files.
const MAX_LINES: usize = 4096;
/// How deep files may include each other.
const MAX_DEPTH: usize = 8;
/// What the firmware reads of a line, in characters.
const MAX_LINE: usize = 98;

/// A setting that applies, or may.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// What is set.
    pub key: String,
    /// To what.
    pub value: String,
    /// The file and the line.
    pub place: String,
    /// Whether it applies for sure: what depends on a screen or on a pin may or may not.
    pub sure: bool,
}

/// What the firmware would stumble over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// The file and the line.
    pub place: String,
}

/// All that config.txt sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Config {
    /// In the order in which they stand.
    pub settings: Vec<Setting>,
    /// What is wrong with the files.
    pub faults: Vec<Fault>,
}

impl Config {
    /// The value that counts: the last one that applies for sure.
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut sure = self.settings.iter().rev().filter(|setting| setting.sure);
        sure.find(|setting| setting.key == key)
            .map(|setting| setting.value.as_str())
    }

    /// Whether a number is set that is not 0.
    pub fn is_on(&self, key: &str) -> bool {
        self.number(key).is_some_and(|number| number != 0)
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.value(key)?.trim().parse().ok()
    }

    /// Every setting of `key`, also those that only may apply.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Setting> {
        self.settings
            .iter()
            .filter(move |setting| setting.key == key)
    }
}

/// Reads the file `name`, for a board of which the serial number may be known; `None` if there is no such file.
///
/// # Errors
/// Those of the tree.
pub fn read(
    tree: &dyn Tree,
    name: &str,
    board: Board,
    serial: Option<&str>,
) -> io::Result<Option<Config>> {
    let mut reader = Reader {
        tree,
        board,
        serial,
        filters: Filters::default(),
        lines: 0,
        config: Config::default(),
    };
    Ok(reader.file(name, 0)?.then_some(reader.config))
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        match holds {
            true => Holds::Yes,
            false => Holds::No,
        }
    }
}

/// The filters that are in force: one of each type.
#[derive(Debug, Clone, Copy)]
struct Filters {
    model: Holds,
    serial: Holds,
    never: Holds,
    tryboot: Holds,
    other: Holds,
}

impl Default for Filters {
    fn default() -> Self {
        Filters {
            model: Holds::Yes,
            serial: Holds::Yes,
            never: Holds::Yes,
            tryboot: Holds::Yes,
            other: Holds::Yes,
        }
    }
}

impl Filters {
    fn all(&self) -> Holds {
        [self.serial, self.never, self.tryboot, self.other]
            .into_iter()
            .fold(self.model, Holds::min)
    }

    fn add(&mut self, filter: &str, board: Board, serial: Option<&str>) {
        if let Some(holds) = model(filter, board) {
            self.model = holds;
        } else if let Some(digits) = filter.strip_prefix("0x") {
            self.serial = match serial {
                Some(serial) => Holds::from(number(digits) == number(serial)),
                None => Holds::Maybe,
            };
        } else {
            match filter {
                "all" => *self = Filters::default(),
                "none" => self.never = Holds::No,
                // Only after `reboot '0 tryboot'`, which a Pi that boots from the network never gets.
                "tryboot" => self.tryboot = Holds::No,
                _ => self.other = Holds::Maybe,
            }
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// Whether a filter of models holds for a board; `None` for other filters.
fn model(filter: &str, board: Board) -> Option<Holds> {
    if let Some(kind) = filter.strip_prefix("board-type=") {
        let kind = kind.strip_prefix("0x").and_then(number);
        return Some(match (board, kind?) {
            (Board::Pi3, 0x08 | 0x0d) => Holds::Maybe,
            (Board::Pi4, 0x11) | (Board::Pi5, 0x17) => Holds::Yes,
            _ => Holds::No,
        });
    }
    let is_model = filter.starts_with("pi") || filter.starts_with("cm");
    is_model.then_some(match (filter, board) {
        ("pi3", Board::Pi3) | ("pi4", Board::Pi4) | ("pi5", Board::Pi5) => Holds::Yes,
        ("pi3+", Board::Pi3) => Holds::Maybe,
        _ => Holds::No,
    })
}

struct Reader<'a> {
    tree: &'a dyn Tree,
    board: Board,
    serial: Option<&'a str>,
    filters: Filters,
    lines: usize,
    config: Config,
}

impl Reader<'_> {
    /// Reads a file; whether there is one.
    fn file(&mut self, name: &str, depth: usize) -> io::Result<bool> {
        let path = name.trim_start_matches('/');
        let bytes = self.tree.read(Path::new(path), MAX_BYTES);
        let Some(bytes) = bytes.map_err(|error| at(path, &error))? else {
            return Ok(false);
        };
        for (line, number) in String::from_utf8_lossy(&bytes).lines().zip(1..) {
            self.lines += 1;
            if self.lines > MAX_LINES {
                self.fault("has too many lines, with what it includes", name, number);
                break;
            }
            self.line(line, name, number, depth)?;
        }
        Ok(true)
    }

    fn fault(&mut self, what: impl Into<String>, file: &str, line: u32) {
        self.config.faults.push(Fault {
            what: what.into(),
            place: format!("{file}:{line}"),
        });
    }

    fn line(&mut self, line: &str, file: &str, number: u32, depth: usize) -> io::Result<()> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(filter) = line.strip_prefix('[') {
            let filter = filter.split(']').next().unwrap_or_default();
            self.filters.add(filter, self.board, self.serial);
            return Ok(());
        }
        let holds = self.filters.all();
        if holds == Holds::No {
            return Ok(());
        }
        if line.chars().count() > MAX_LINE {
            let what = format!("the firmware reads {MAX_LINE} characters of a line, this has more");
            self.fault(what, file, number);
        }
        let line: String = line.chars().take(MAX_LINE).collect();
        if let Some(name) = line.strip_prefix("include ") {
            return self.include(name.trim(), file, number, depth);
        }
        let spaced = line.strip_prefix("initramfs ");
        let (key, value) = match spaced {
            Some(value) => ("initramfs", value),
            None => line.split_once('=').unwrap_or((&line, "")),
        };
        if spaced.is_none() && key.trim() == "initramfs" {
            self.fault(
                "initramfs takes no \"=\", so this does nothing",
                file,
                number,
            );
            return Ok(());
        }
        self.config.settings.push(Setting {
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            place: format!("{file}:{number}"),
            sure: holds == Holds::Yes,
        });
        Ok(())
    }

    fn include(&mut self, name: &str, file: &str, number: u32, depth: usize) -> io::Result<()> {
        if depth == MAX_DEPTH {
            self.fault("files include each other without end", file, number);
        } else if !self.file(name, depth + 1)? {
            self.fault(format!("includes {name}, which is not there"), file, number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt::Write};

    use super::*;
    use crate::netboot::tree::{Kind, Stat};

    /// Files by name.
    struct Files(BTreeMap<&'static str, Vec<u8>>);

    impl Tree for Files {
        fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
            let found = self.0.get(path.to_str().unwrap_or_default());
            match found {
                Some(bytes) if bytes.len() as u64 > limit => Err(io::Error::other("too long")),
                found => Ok(found.cloned()),
            }
        }

        fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
            let found = self.0.get(path.to_str().unwrap_or_default());
            Ok(found.map(|bytes| Stat {
                kind: Kind::File,
                mode: 0o644,
                size: bytes.len() as u64,
            }))
        }

        fn link(&self, _: &Path) -> io::Result<Option<String>> {
            Ok(None)
        }

        fn list(&self, _: &Path, _: usize) -> io::Result<Vec<String>> {
            Ok(self.0.keys().map(|&name| name.to_owned()).collect())
        }
    }

    fn of(files: &[(&'static str, &str)], board: Board) -> Config {
        let files = files.iter().map(|&(name, text)| (name, text.into()));
        let tree = Files(files.collect());
        read(&tree, "config.txt", board, Some("9ffefdef"))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn filters_of_one_type_replace_each_other_and_others_add_up() {
        let text = "a=1\n[pi4]\na=4\n[0x9ffefdef]\nb=mine\n[pi5]\na=5\n[all]\n[0x1]\nb=not mine\n[all]\n\
                    [cm4]\na=cm\n[all]\n[none]\na=none\n[all]\n[tryboot]\na=try\n[all]\n[gpio4=1]\nc=1\n[all]\nc=2\n[EDID=X]\nc=3\n";
        for (board, a, b) in [(Board::Pi3, "1", None), (Board::Pi4, "4", Some("mine"))] {
            let config = of(&[("config.txt", text)], board);
            assert_eq!((config.value("a"), config.value("b")), (Some(a), b));
            // What depends on a pin or a screen does not count, and is known all the same.
            assert_eq!(config.value("c"), Some("2"));
            assert_eq!(config.all("c").count(), 3);
            assert!(config.faults.is_empty());
        }
        assert_eq!(
            of(&[("config.txt", text)], Board::Pi5).value("a"),
            Some("5")
        );
    }

    #[test]
    fn what_is_included_stands_in_its_place() {
        let files = [
            ("config.txt", "include a.txt\nkernel=late\n"),
            ("a.txt", "kernel=early\n[pi4]\nos_prefix=current/\r\n"),
        ];
        let config = of(&files, Board::Pi4);
        assert_eq!(config.value("os_prefix"), Some("current/"));
        assert_eq!(config.value("kernel"), Some("late"));
        assert_eq!(config.settings[0].place, "a.txt:1");
        // A filter of an included file stays in force.
        assert_eq!(of(&files, Board::Pi5).value("kernel"), Some("early"));
    }

    #[test]
    fn what_the_firmware_stumbles_over_is_told() {
        let text = format!(
            "include lost.txt\ninclude config.txt\ninitramfs=x\ncmdline={}\n[pi1]\ninclude x\n",
            "n".repeat(200)
        );
        let config = of(&[("config.txt", &text)], Board::Pi4);
        let faults = |what| {
            config
                .faults
                .iter()
                .filter(|f| f.what.contains(what))
                .count()
        };
        assert_eq!(faults("lost.txt, which is not there"), MAX_DEPTH);
        assert_eq!(faults("without end"), 2);
        assert!(faults("takes no \"=\"") > 0 && faults("98 characters") > 0);
        assert_eq!(config.value("cmdline").map(str::len), Some(MAX_LINE - 8));
    }

    #[test]
    fn the_work_is_bounded() {
        let mut text = String::new();
        for number in 0..300 {
            writeln!(text, "include config.txt\na={number}").unwrap();
        }
        let config = of(&[("config.txt", &text)], Board::Pi4);
        assert!(config.settings.len() <= MAX_LINES);
        assert!(config.faults.len() <= MAX_LINES + MAX_DEPTH + 300);
    }

    #[test]
    fn fuzz_config_txt() {
        let ubuntu = "[all]\nkernel=vmlinuz\ncmdline=cmdline.txt\ninitramfs initrd.img followkernel\n[pi4]\nmax_framebuffers=2\n\
                      arm_boost=1\n[all]\ndtparam=audio=on\ninclude usercfg.txt\n[cm4]\ndtoverlay=dwc2,dr_mode=host\n[none]\nx\n";
        let words = [
            "include ",
            "include a\n",
            "[all]",
            "[pi4]",
            "[0x",
            "board-type=0x",
            "]",
            "[",
            "=",
            "#",
            "initramfs ",
            "\r",
            "os_prefix=",
        ];
        crate::fuzz::run("config-txt", &[ubuntu.into()], &words, |bytes| {
            let tree = Files([("config.txt", bytes.to_vec()), ("a", bytes.to_vec())].into());
            Board::ALL.map(|board| {
                let config = read(&tree, "config.txt", board, Some("1")).ok().flatten();
                config.map(|config| {
                    assert!(config.settings.len() <= MAX_LINES);
                    let sure = config
                        .settings
                        .iter()
                        .filter(|setting| setting.sure)
                        .count();
                    (
                        sure,
                        config.faults.len(),
                        config.value("kernel").map(str::len),
                    )
                })
            })
        });
    }
}
