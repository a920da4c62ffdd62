//! Whether a playbook reached the image at all. Ansible calls it a success when no play matches, and when
//! no task has a tag that is asked for.

use crate::{
    ansible::guard,
    config::AnsiblePlan,
    error::{Error, Kind, Result},
    event::{Event, Report, Stranger},
    ui::Ui,
};

/// Checks what the guard noted, or, where something else took the place of ansible-playbook, whether any program
/// was started in the image (`used`).
///
/// # Errors
/// [`Kind::Playbook`] when nothing ran there and the plan does not allow that.
pub fn check(plan: &AnsiblePlan, note: guard::Note, used: bool, ui: &Ui) -> Result<()> {
    if plan.changes_nothing {
        return Ok(());
    }
    let name = &plan.host_name;
    let stranger = note.others.is_some();
    if let Some(others) = note.others {
        ui.tell(Event::NotInInventory(Stranger {
            name: name.clone(),
            inventories: plan.inventories.clone(),
            others: others.names,
            more: others.more,
        }));
    }
    let reached = if note.loaded { note.ran } else { used };
    if reached {
        return Ok(());
    }
    if plan.allow_unchanged {
        ui.tell(Event::NothingRun(name.clone()));
        return Ok(());
    }
    let hint = match stranger {
        true => "name a machine of the inventory, by --limit or -e hn_hostname=NAME".into(),
        false => format!("does a play match {name}, and is a task left by tags and conditions?"),
    };
    let what = format!("the playbook ran nothing in the image, {name}, so there is no output");
    Err(Error::new(Kind::Playbook, what).hint(format!(
        "{hint} --allow-unchanged accepts the image as it is"
    )))
}
