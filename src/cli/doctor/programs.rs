//! The programs of the host that a run starts, Ansible apart.

use std::path::Path;

use super::{check::Check, distribution::Distribution};
use crate::{
    emulation::{arch::Arch, qemu},
    sys::{command, programs},
};

/// The emulator for `arch`. Without the one for 32-bit ARM most images still work.
pub fn qemu(arch: Arch, host: Option<Arch>, distribution: &Distribution) -> Check {
    let id = match arch {
        Arch::Arm => "qemu-arm",
        _ => "qemu-aarch64",
    };
    if host.is_some_and(|host| host.runs(arch)) {
        return Check::ok(id, format!("not needed: this machine runs {arch} programs"));
    }
    match qemu::find(arch, &qemu::search_path()) {
        Ok(path) => match first_line(&path, &["--version"]) {
            Some(line) => Check::ok(id, format!("{}, static, {line}", path.display())),
            None => Check::missing(id, format!("{} does not run", path.display()))
                .run(distribution.install_qemu(arch)),
        },
        Err(error) if arch == Arch::Arm => {
            Check::warning(id, format!("{error}; images for 32-bit ARM need it"))
                .run(distribution.install_qemu(arch))
        }
        Err(error) => Check::missing(id, error.to_string()).run(distribution.install_qemu(arch)),
    }
}

/// A file system checker, without which no image is published.
pub fn checker(program: &'static str, distribution: &Distribution) -> Check {
    let Ok(path) = programs::find(program) else {
        return Check::missing(program, format!("there is no {program}"))
            .run(distribution.install_checker(program));
    };
    let shown = path.display();
    // fsck.vfat has no way to ask.
    match (program == "e2fsck")
        .then(|| first_line(&path, &["-V"]))
        .flatten()
    {
        Some(line) => Check::ok(program, format!("{shown}, {line}")),
        None => Check::ok(program, shown.to_string()),
    }
}

/// The first line that a program prints; `None` when it cannot be run or prints nothing.
pub fn first_line(program: &Path, args: &[&str]) -> Option<String> {
    let args: Vec<_> = args.iter().map(Into::into).collect();
    let output = command::output(program, &args).ok()?;
    let text = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&text)
        .lines()
        .next()?
        .trim()
        .to_owned();
    (!line.is_empty()).then_some(line)
}
