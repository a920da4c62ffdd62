//! Whether it all works together: a run's first steps, with no image.

use super::check::Check;
use crate::{
    chroot::trial,
    emulation::{self, Cpu, Mode, arch::Arch},
    ui::words,
};

/// Tries it, as root.
pub fn all_together(is_root: bool, host: Option<Arch>) -> Check {
    const ID: &str = "trial";
    if !is_root {
        return Check::warning(ID, "not tried without root").run("sudo pichroot doctor".to_owned());
    }
    let Some(host) = host else {
        return Check::missing(ID, "the architecture of this machine is unknown");
    };
    let Ok(emulator) = emulation::choose(Mode::Auto, Arch::Aarch64, host, Cpu::default()) else {
        return Check::warning(ID, "not tried without qemu");
    };
    let tried = match &emulator {
        Some(_) => "namespaces, a loop device, and an aarch64 program under qemu",
        None => "namespaces and a loop device",
    };
    match trial::run(emulator.as_ref()) {
        Ok(told) => {
            let told = told.iter().flat_map(|event| words::of(event, true));
            let told = told.collect::<Vec<_>>().join("; ");
            match told.is_empty() {
                true => Check::ok(ID, tried),
                false => Check::warning(ID, format!("{tried}; {told}")),
            }
        }
        Err(error) => {
            let hint = error.hint_text().map(|hint| format!("; {hint}"));
            Check::missing(ID, format!("{error}{}", hint.unwrap_or_default()))
        }
    }
}
