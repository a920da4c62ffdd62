//! The shell lines that ansible-core sends around a module, done without a shell: an emulated one
//! takes tens of milliseconds for each.
//!
//! They are those of `plugins/shell/` in ansible-core 2.16 to 2.22. A line is recognised when making it again
//! from what was read of it gives the same line.

use std::{
    fs::{DirBuilder, File, Metadata, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use super::{plan::HOME, zygote::words};

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// `echo ~`: the home directory that every command has.
    Home,
    /// Ansible's temporary directory: its parents, itself, and its name.
    MakeTemporary {
        /// What is to exist.
        base: String,
        /// What is made in it.
        name: String,
    },
    /// `chmod u+rwx FILES`, as bits to set.
    AddMode(u32, Vec<String>),
    /// `rm -f -r DIRECTORY`
    Remove(String),
}

/// Reads a line; `None`: it is for a shell.
pub fn recognise(line: &str) -> Option<Line> {
    let line = line.trim_end();
    if line == "echo ~" {
        return Some(Line::Home);
    }
    if let Some(rest) = line.strip_prefix("( umask 77 && mkdir -p \"` echo ") {
        let (base, rest) = rest.split_once(" `\"")?;
        let name = rest.rsplit_once(" && echo ")?.1.split_once('=')?.0;
        let again = format!(
            "( umask 77 && mkdir -p \"` echo {base} `\"&& mkdir \"` echo {base}/{name} `\" \
             && echo {name}=\"` echo {base}/{name} `\" )"
        );
        let plain = is_plain(base) && is_plain(name) && !name.contains('/');
        return (plain && again == line).then(|| Line::MakeTemporary {
            base: base.to_owned(),
            name: name.to_owned(),
        });
    }
    if let Some(rest) = line.strip_prefix("rm -f -r ") {
        let path = rest.strip_suffix(" > /dev/null 2>&1")?;
        let directory = path.strip_suffix('/').unwrap_or(path);
        let ours = is_plain(path) && directory.contains("/ansible-tmp-");
        return ours.then(|| Line::Remove(directory.to_owned()));
    }
    let words = words(line)?;
    let [chmod, mode, paths @ ..] = &words[..] else {
        return None;
    };
    let bits = match mode.as_str() {
        "u+x" => 0o100,
        "u+rwx" => 0o700,
        _ => return None,
    };
    let plain = paths.iter().all(|path| is_plain(path));
    (chmod == "chmod" && plain && !paths.is_empty()).then(|| Line::AddMode(bits, paths.to_vec()))
}

/// An absolute path that a shell takes as it is, without any `..`.
fn is_plain(text: &str) -> bool {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    text.bytes().all(usual) && !text.split('/').any(|part| part == "..")
}

impl Line {
    /// Does it; the exit code of the shell, or `None` if only a shell can tell what went wrong.
    pub fn run(&self, mut stdout: File) -> Option<i32> {
        let done = match self {
            Line::Home => writeln!(stdout, "{HOME}"),
            Line::MakeTemporary { base, name } => {
                make_temporary(base, name).and_then(|()| writeln!(stdout, "{name}={base}/{name}"))
            }
            Line::AddMode(bits, paths) => paths.iter().try_for_each(|path| add_mode(path, *bits)),
            Line::Remove(path) => remove(path),
        };
        done.ok().map(|()| 0)
    }
}

fn make_temporary(base: &str, name: &str) -> io::Result<()> {
    let private = |recursive| {
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(recursive);
        builder
    };
    private(true).create(base)?;
    private(false).create(Path::new(base).join(name))
}

fn add_mode(path: &str, bits: u32) -> io::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    std::fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 | bits))
}

fn remove(path: &str) -> io::Result<()> {
    match std::fs::symlink_metadata(path)
        .as_ref()
        .map(Metadata::is_dir)
    {
        Ok(true) => std::fs::remove_dir_all(path),
        Ok(false) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io::Error::from(error.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKE: &str = "( umask 77 && mkdir -p \"` echo /tmp/a `\"&& mkdir \"` echo /tmp/a/ansible-tmp-1.2-3 `\" \
                        && echo ansible-tmp-1.2-3=\"` echo /tmp/a/ansible-tmp-1.2-3 `\" )";

    #[test]
    fn the_lines_of_ansible_core_are_understood() {
        let paths = [
            "/t/ansible-tmp-1/".to_owned(),
            "/t/ansible-tmp-1/x.py".into(),
        ];
        for (line, wanted) in [
            ("echo ~", Line::Home),
            (
                MAKE,
                Line::MakeTemporary {
                    base: "/tmp/a".into(),
                    name: "ansible-tmp-1.2-3".into(),
                },
            ),
            (
                "chmod u+rwx /t/ansible-tmp-1/ /t/ansible-tmp-1/x.py",
                Line::AddMode(0o700, paths.into()),
            ),
            (
                "rm -f -r /t/ansible-tmp-1/ > /dev/null 2>&1 ",
                Line::Remove("/t/ansible-tmp-1".into()),
            ),
        ] {
            assert_eq!(recognise(line), Some(wanted), "{line}");
        }
    }

    #[test]
    fn others_are_for_a_shell() {
        for line in [
            "echo ~root",
            "echo ~; id",
            "rm -f -r / > /dev/null 2>&1",
            "rm -f -r /t/ansible-tmp-1/../.. > /dev/null 2>&1",
            "rm -f -r /t/ansible-tmp-*/ > /dev/null 2>&1",
            "rm -f -r /t/ansible-tmp-1",
            "chmod u+rwx",
            "chmod u+rwx $HOME",
            "chmod u+s /t/x",
            "chmod u+x /t/x && id",
            &MAKE.replace("/tmp/a ", "/tmp/$a "),
            &MAKE.replace("umask 77", "umask 0"),
            &MAKE.replace(" )", "; id )"),
            &MAKE.replacen("1.2-3", "4", 1),
        ] {
            assert_eq!(recognise(line), None, "{line}");
        }
    }

    #[test]
    fn they_do_what_the_shell_does() {
        let top = tempfile::tempdir().unwrap();
        let base = top.path().join("made/a").display().to_string();
        let name = "ansible-tmp-1".to_owned();
        let run = |line: &Line| {
            let said = tempfile::NamedTempFile::new().unwrap();
            (
                line.run(said.reopen().unwrap()),
                std::fs::read_to_string(said.path()).unwrap(),
            )
        };
        let make = Line::MakeTemporary {
            base: base.clone(),
            name,
        };
        assert_eq!(
            run(&make),
            (Some(0), format!("ansible-tmp-1={base}/ansible-tmp-1\n"))
        );
        // It exists: mkdir fails, and says why.
        assert_eq!(run(&make).0, None);
        let made = format!("{base}/ansible-tmp-1");
        let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&base), mode(&made)), (0o700, 0o700));
        let file = format!("{made}/x");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o2044)).unwrap();
        assert_eq!(run(&Line::AddMode(0o700, vec![file.clone()])).0, Some(0));
        assert_eq!(mode(&file), 0o2744);
        assert_eq!(run(&Line::Remove(made.clone())).0, Some(0));
        assert!(!Path::new(&made).exists());
        assert_eq!(run(&Line::Remove(made)).0, Some(0));
    }
}
