//! The unit's files in the image. The image is our root, so links in it lead nowhere else.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// Its name.
pub const NAME: &str = "pichroot-first-boot.service";
const UNIT: &str = include_str!("pichroot-first-boot.service");
/// What it runs, and where. The text names both as well.
const RUN: &str = include_str!("run.sh");
const PLACE: &str = "var/lib/pichroot/first-boot";
const UNITS: &str = "etc/systemd/system";
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";
/// The most steps of all runs together: what their names have room for.
const MAX_STEPS: usize = 99_999;

/// What it is to do.
#[derive(Debug)]
pub struct Step {
    /// For people.
    pub what: String,
    /// For the shell.
    pub lines: String,
}

/// How many steps the unit of the image below `root` has.
pub fn steps_in(root: &Path) -> usize {
    numbers(&root.join(PLACE).join("steps")).map_or(0, |numbers| numbers.len())
}

/// Adds `steps` to the unit of the image below `root`, after those that it has.
///
/// The link that enables it comes last, so what is there is done as a whole or not at all.
pub fn add(root: &Path, steps: &[Step]) -> io::Result<()> {
    let place = root.join(PLACE);
    make_dirs(&root.join("var/lib"), 0o755)?;
    // Steps may hold secrets.
    make_dirs(&place, 0o700)?;
    let folder = place.join("steps");
    make_dirs(&folder, 0o700)?;
    let last = numbers(&folder)?.into_iter().max().unwrap_or_default();
    if last + steps.len() > MAX_STEPS {
        return Err(io::Error::other("it has too many steps"));
    }
    for (number, step) in (last + 1..).zip(steps) {
        let text = format!("# {}\n{}\n", one_line(&step.what), step.lines.trim_end());
        write(&folder, &format!("{number:05}"), &text, 0o600)?;
    }
    write(&place, "run", RUN, 0o700)?;
    let (units, wants) = (root.join(UNITS), root.join(WANTS));
    make_dirs(&wants, 0o755)?;
    write(&units, NAME, UNIT, 0o644)?;
    match symlink(Path::new("/").join(UNITS).join(NAME), wants.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Those in the names of steps.
fn numbers(folder: &Path) -> io::Result<Vec<usize>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_STEPS) {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<usize>().ok()));
    }
    Ok(numbers)
}

/// Makes what there is not of a folder's path, with this mode whatever the mask.
fn make_dirs(path: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(|path| !path.exists())
        .map(Path::to_owned)
        .collect();
    for path in missing.iter().rev() {
        DirBuilder::new().mode(mode).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Writes a file whole or not at all, whatever is there.
fn write(folder: &Path, name: &str, text: &str, mode: u32) -> io::Result<()> {
    let part = folder.join(format!(".{name}.part"));
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&part)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    fs::rename(part, folder.join(name))
}

/// `text` as a comment takes it.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}
