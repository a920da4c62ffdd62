//! What is cheap to know, told before anything long begins: a download, or unpacking.

use super::{job::AnsibleCommand, listing::Listing};
use crate::{
    ansible::selection::{Nowhere, Selection},
    chroot::trial,
    config::AnsiblePlan,
    emulation::{self, Cpu, Emulator, Mode, arch::Arch, qemu},
    error::{Error, Kind, Result},
    event::{Event, Report},
    nearest::nearest,
    stage::protocol::Settings,
    sys::programs,
    ui::Ui,
};

/// How many names are listed in a hint.
const NAMED: usize = 12;

/// Whether this machine can do it: programs, and what the kernel allows. A trial takes the first steps of a run.
///
/// # Errors
/// [`Kind::Host`], as a run would end with.
pub fn host(settings: &Settings, ui: &Ui) -> Result<()> {
    programs::find("e2fsck")?;
    if let Err(error) = programs::find("fsck.vfat") {
        // There are images without FAT, but hardly any.
        ui.tell(Event::Lacking((&error).into()));
    }
    let emulator = emulator(settings)?;
    // What it warns of, the run will warn of.
    trial::run(emulator.as_ref()).map(drop)
}

/// The emulator that the image will need, unless it is of this machine's own kind. Nobody knows yet.
fn emulator(settings: &Settings) -> Result<Option<Emulator>> {
    let Some(host) = Arch::host() else {
        return Ok(None);
    };
    let mode = match settings.emulation {
        Mode::Native => return Ok(None),
        Mode::Qemu => Mode::Qemu,
        Mode::Auto | Mode::Twin => Mode::Auto,
    };
    let cpu = Cpu {
        wanted: settings.cpu.as_deref(),
        better: None,
    };
    let chosen = emulation::choose(mode, Arch::Aarch64, host, cpu);
    chosen.or_else(|error| match qemu::find(Arch::Arm, &qemu::search_path()) {
        Ok(_) => Ok(None),
        Err(_) => {
            let install = error.hint_text().unwrap_or_default().to_owned();
            Err(error.better_hint(format!(
                "{install}; an image of this machine's own kind needs none, with --emulation native"
            )))
        }
    })
}

/// Whether ansible-playbook takes the playbook with its roles, the inventories and vault passwords, and whether what
/// the user selects is there at all. One start of Ansible tells all of it.
///
/// # Errors
/// [`Kind::Playbook`], after what ansible-playbook says; [`Kind::Usage`] for a tag or task that is nowhere.
pub fn playbook(command: &AnsibleCommand, plan: &AnsiblePlan, ui: &Ui) -> Result<()> {
    let (selection, mut arguments) = Selection::take(&plan.arguments);
    arguments.extend(Selection::everything());
    let listed = Listing::new(command, plan, &arguments)?.read(ui)?;
    match selection.missing(&listed) {
        None => Ok(()),
        Some(Nowhere::Tag {
            name, maybe: true, ..
        }) => {
            ui.tell(Event::TagNowhere(name));
            Ok(())
        }
        Some(Nowhere::Tag { name, known, .. }) => {
            Err(nowhere("task is tagged", &name, "the tags are", &known))
        }
        Some(Nowhere::Task { name, known }) => {
            Err(nowhere("task is called", &name, "the tasks are", &known))
        }
    }
}

fn nowhere(what: &str, name: &str, are: &str, known: &[String]) -> Error {
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let hint = match nearest(name, &known) {
        Some(word) => format!("did you mean {word}?"),
        None if known.is_empty() => "pichroot ansible PLAYBOOK --list-tasks lists them".into(),
        None => format!("{are} {}", known[..known.len().min(NAMED)].join(", ")),
    };
    Error::new(Kind::Usage, format!("no {what} {name}")).hint(hint)
}
