//! `pichroot boot`: an image as a machine, until it is switched off or shows what is waited for.

mod machine;
mod monitor;
mod prepare;
mod ssh;
mod verify;

use std::time::Instant;

use tokio::time::timeout_at;

use super::{
    need_root,
    opened::Opened,
    signals::{Signals, block_on},
};
use crate::{
    boot::console::Until,
    config::{BootPlan, Surroundings},
    error::{Error, Kind, Result},
    event::{Event, Report},
    image::WorkImage,
    sys::{run_as::Account, terminal},
    ui::Ui,
};
use machine::{Running, Turn};
use prepare::Prepared;
use verify::Verification;

/// `pichroot boot IMAGE`.
///
/// # Errors
/// [`Kind::Image`] where the machine does not come to what is waited for; [`Kind::Playbook`] where the playbook fails.
pub fn run(plan: &BootPlan, around: &Surroundings, ui: &Ui) -> Result<()> {
    need_root()?;
    // What it needs is looked for before anything is downloaded.
    let verification = plan.playbook.as_ref();
    let verification = verification
        .map(|verify| Verification::find(verify, around))
        .transpose()?;
    block_on(async {
        let mut signals = Signals::listen()?;
        let work = Opened::copy(&plan.image, false, &mut signals, ui).await?.0;
        let account = match around.caller() {
            Some((user, group)) => Account::of(user, group),
            None => Account::nobody(),
        };
        let boot = Boot {
            plan,
            name: plan.image.source.to_string(),
            port: prepare::free_port()?,
            account,
            verification,
        };
        match &plan.until {
            None => boot.on_terminal(&work, &mut signals, ui).await,
            Some(until) => boot.watched(&work, until, &mut signals, ui).await,
        }
    })
}

struct Boot<'a> {
    plan: &'a BootPlan,
    /// What the user calls the image.
    name: String,
    /// The port of this machine that leads to its SSH server, also after a reboot.
    port: u16,
    /// Whom QEMU runs as.
    account: Account,
    verification: Option<Verification<'a>>,
}

impl Boot<'_> {
    async fn prepare(&self, work: &WorkImage, signals: &mut Signals, ui: &Ui) -> Result<Prepared> {
        Prepared::new(
            (work.file(), &self.name),
            self.port,
            self.plan,
            &self.account,
            signals,
            ui,
        )
        .await
    }

    /// With the user at the console.
    async fn on_terminal(&self, work: &WorkImage, signals: &mut Signals, ui: &Ui) -> Result<()> {
        loop {
            let prepared = self.prepare(work, signals, ui).await?;
            ui.tell(Event::BootKeys);
            // QEMU changes it, and may be killed.
            let _mode = terminal::Mode::of(&std::io::stdin());
            let mut running = Running::start(&prepared, &self.account, true, ui)?;
            match signals.until(running.end(ui)).await?? {
                Turn::Reboot => ui.tell(Event::Rebooting),
                Turn::Off => return Ok(()),
            }
        }
    }

    /// Until what is waited for has come, and the playbook has ended.
    async fn watched(
        &self,
        work: &WorkImage,
        until: &Until,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<()> {
        let began = Instant::now();
        let deadline = tokio::time::Instant::from_std(began + self.plan.timeout);
        loop {
            let prepared = self.prepare(work, signals, ui).await?;
            if matches!(until, Until::Ssh) && !prepared.has_network() {
                return Err(no_network(&prepared));
            }
            let mut running = Running::start(&prepared, &self.account, false, ui)?;
            let seen = running.until_seen(until, prepared.port, ui);
            let seen = signals.until(timeout_at(deadline, seen)).await?;
            let Ok(seen) = seen else {
                return Err(self.too_late(&running));
            };
            match seen? {
                // What is left of the time is for what comes next.
                Some(Turn::Reboot) => ui.tell(Event::Rebooting),
                Some(Turn::Off) => {
                    let what =
                        "the machine switched itself off before it came to what was waited for";
                    return Err(running
                        .with_console(Error::image(what))
                        .hint("what it said last is above; -v shows all of it"));
                }
                None => {
                    ui.tell(Event::Booted(began.elapsed()));
                    let Some(verification) = &self.verification else {
                        return Ok(());
                    };
                    let name = prepared.hostname.as_deref().unwrap_or("booted");
                    let played = verification.run(name, prepared.port, ui)?;
                    return signals.until(running.during(played.end(), ui)).await??;
                }
            }
        }
    }

    fn too_late(&self, running: &Running) -> Error {
        let seconds = self.plan.timeout.as_secs();
        let what = format!("the machine did not come to what was waited for within {seconds} s");
        running.with_console(Error::image(what)).hint(
            "what it said last is above, -v shows all of it; an emulated machine takes minutes: --timeout 30m waits longer",
        )
    }
}

fn no_network(prepared: &Prepared) -> Error {
    Error::new(
        Kind::Image,
        format!("as a {} the machine has no network, so nothing can reach it", prepared.model()),
    )
    .hint("wait for --until login; for SSH, a kernel with drivers for virtual machines is needed in the image")
}
