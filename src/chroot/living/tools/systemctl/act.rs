//! Verbs that start and stop units.

use super::asked::Asked;
use crate::chroot::living::{
    accounts::Accounts,
    after_boot,
    call::Answer,
    machine::Machine,
    record::How,
    units::{
        self,
        act::{Act, Verb},
        name,
        tree::Tree,
        unit::{Load, Unit},
    },
};

/// What is wrong, and systemctl's exit code for it.
#[derive(Debug)]
struct Wrong {
    code: u8,
    text: String,
}

/// Carries out one verb for all units that are named.
pub fn act(asked: &Asked<'_>, machine: &mut Machine, verb: &str) -> Answer {
    if asked.words().is_empty() {
        return Answer::fails(1, "Too few arguments.\n");
    }
    let tree = Tree::new(asked.root, asked.scope);
    let suffix = if verb == "isolate" {
        "target"
    } else {
        "service"
    };
    let loaded = || asked.loaded(machine, &tree);
    let (names, mut err) = asked.names(suffix, loaded);
    let mut code = 0;
    for name in names {
        if let Err(wrong) = one(asked, machine, &tree, verb, &name, &mut err) {
            err.push_str(&wrong.text);
            code = if code == 0 { wrong.code } else { code };
        }
    }
    Answer::Said {
        code,
        out: Vec::new(),
        err: err.into_bytes(),
    }
}

/// Starts (or stops) units that systemctl itself has enabled, for `--now`.
pub fn now(asked: &Asked<'_>, machine: &mut Machine, verb: &str) -> Answer {
    let verb = if verb == "enable" { "start" } else { "stop" };
    act(asked, machine, verb)
}

fn one(
    asked: &Asked<'_>,
    machine: &mut Machine,
    tree: &Tree<'_>,
    verb: &str,
    name: &str,
    told: &mut String,
) -> Result<(), Wrong> {
    let unit = tree.unit(name);
    let name = if unit.load == Load::NotFound {
        name
    } else {
        &unit.id
    };
    let active = machine
        .units
        .state(asked.root, tree, asked.scope, &unit)
        .active;
    if !asked.call.is_root() && asked.scope == &units::scope::Scope::System {
        return Err(wrong(4, verb, name, "Access denied", true));
    }
    if name::is_template(name) {
        let text = format!("Unit name {name} is missing the instance name.");
        return Err(wrong(1, verb, name, &text, true));
    }
    let act = Acting {
        asked,
        tree,
        verb,
        name,
        unit: &unit,
    };
    match verb {
        "stop" | "condstop" => act.stop(machine, active, told),
        "start" if active => act.startable(),
        "start" => act.start(machine),
        "restart" => act.start(machine),
        "isolate" => act.isolate(machine),
        "try-restart" | "condrestart" => {
            act.startable()?;
            act.refresh(machine, active)
        }
        "reload" => act.reload(machine, active),
        "reload-or-restart" | "force-reload" => {
            act.startable()?;
            if active && can_reload(&unit) {
                act.refresh(machine, true)
            } else {
                act.start(machine)
            }
        }
        "try-reload-or-restart" | "reload-or-try-restart" | "condreload" => {
            act.startable()?;
            act.refresh(machine, active)
        }
        "kill" => act.kill(machine, active),
        "clean" => Err(wrong(
            1,
            "clean unit",
            name,
            "an image has nothing to clean yet",
            false,
        )),
        // Nothing runs that could be held or let go.
        _ => Ok(()),
    }
}

/// Whether its settings can be read again.
pub fn can_reload(unit: &Unit) -> bool {
    use units::name::Kind::{Mount, Service};
    match unit.kind {
        Service => {
            !unit.settings.all("Service", "ExecReload").is_empty()
                || unit.service_type() == "notify-reload"
        }
        Mount => true,
        _ => false,
    }
}

fn wrong(code: u8, verb: &str, name: &str, why: &str, see: bool) -> Wrong {
    let verb = if verb == "isolate" { "start" } else { verb };
    let mut text = format!("Failed to {verb} {name}: {why}\n");
    if see {
        text.push_str(&format!(
            "See system logs and 'systemctl status {name}' for details.\n"
        ));
    }
    Wrong { code, text }
}

/// One verb for one unit.
struct Acting<'a> {
    asked: &'a Asked<'a>,
    tree: &'a Tree<'a>,
    verb: &'a str,
    name: &'a str,
    unit: &'a Unit,
}

impl Acting<'_> {
    /// Whether it can be started, with all that it needs.
    fn startable(&self) -> Result<(), Wrong> {
        self.loaded(self.unit, self.name)?;
        if self.unit.general("RefuseManualStart", false) {
            let why = format!(
                "Operation refused, unit {} may be requested by dependency only (it is configured to refuse manual \
                 start/stop).",
                self.name
            );
            return Err(wrong(4, self.verb, self.name, &why, true));
        }
        let mut needed = self.tree.requires(self.unit);
        let mut at = 0;
        while let Some(name) = needed.get(at) {
            let unit = self.tree.unit(name);
            self.loaded(&unit, name)?;
            for name in self.tree.requires(&unit) {
                if !needed.contains(&name) {
                    needed.push(name);
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn loaded(&self, unit: &Unit, name: &str) -> Result<(), Wrong> {
        let wrong = |code, why: &str, see| {
            Err(wrong(
                code,
                self.verb,
                self.name,
                &format!("Unit {name} {why}."),
                see,
            ))
        };
        match unit.load {
            Load::Loaded => Ok(()),
            Load::NotFound => wrong(5, "not found", false),
            Load::Masked => wrong(1, "is masked", false),
            Load::Bad => wrong(1, "has a bad unit file setting", true),
        }
    }

    fn start(&self, machine: &mut Machine) -> Result<(), Wrong> {
        self.startable()?;
        let Asked { root, scope, .. } = *self.asked;
        if !self.tree.conditions_are_met(self.unit) {
            return Ok(());
        }
        self.note(machine, Verb::Start)?;
        let accounts = Accounts::read(root);
        for id in machine.units.start(root, self.tree, scope, &self.unit.id) {
            after_boot::folders_of(root, &accounts, scope, &self.tree.unit(&id));
        }
        Ok(())
    }

    fn stop(&self, machine: &mut Machine, active: bool, told: &mut String) -> Result<(), Wrong> {
        if !active && [Load::NotFound, Load::Bad].contains(&self.unit.load) {
            let why = format!("Unit {} not loaded.", self.name);
            return Err(wrong(5, self.verb, self.name, &why, false));
        }
        if !active {
            return Ok(());
        }
        let Asked { root, scope, .. } = *self.asked;
        self.note(machine, Verb::Stop)?;
        machine.units.stop(root, self.tree, scope, &self.unit.id);
        let running = machine.units.active(root, self.tree, scope);
        let starts = |id: &&String| {
            self.tree
                .unit(id)
                .triggers()
                .is_some_and(|name| name == self.unit.id)
        };
        let by: Vec<String> = running
            .iter()
            .filter(starts)
            .map(|id| format!("  {id}\n"))
            .collect();
        if !by.is_empty() && !self.asked.options.has("quiet") {
            told.push_str(&format!(
                "Warning: Stopping {}, but it can still be activated by:\n{}",
                self.name,
                by.concat()
            ));
        }
        Ok(())
    }

    fn reload(&self, machine: &mut Machine, active: bool) -> Result<(), Wrong> {
        self.loaded(self.unit, self.name)?;
        if !can_reload(self.unit) {
            let why = format!("Job type reload is not applicable for unit {}.", self.name);
            return Err(wrong(3, self.verb, self.name, &why, false));
        }
        if !active {
            let text = format!("{} is not active, cannot reload.\n", self.name);
            return Err(Wrong { code: 1, text });
        }
        self.refresh(machine, true)
    }

    fn refresh(&self, machine: &mut Machine, active: bool) -> Result<(), Wrong> {
        if active {
            self.note(machine, Verb::Refresh)
        } else {
            Ok(())
        }
    }

    fn isolate(&self, machine: &mut Machine) -> Result<(), Wrong> {
        if !self.unit.general("AllowIsolate", false) {
            let why = "Operation refused, unit may not be isolated.";
            return Err(wrong(4, self.verb, self.name, why, true));
        }
        self.startable()?;
        let line = self.asked.line("isolate", self.name);
        if self.tree.unit("default.target").id == self.unit.id {
            machine.record.put_off(line, How::ByBoot);
            return Ok(());
        }
        if !machine.first_boot {
            return Err(refused(&line));
        }
        let lines = self.asked.scope.line(&format!("isolate {}", self.name));
        machine.record.put_off(line, How::Unit(lines));
        Ok(())
    }

    /// Nothing runs that a signal could reach; what starts at the boot starts afresh.
    fn kill(&self, machine: &mut Machine, active: bool) -> Result<(), Wrong> {
        if !active {
            let why = format!("Unit {} not loaded.", self.name);
            return Err(wrong(1, "kill unit", self.name, &why, false));
        }
        self.note(machine, Verb::Refresh)
    }

    /// Notes it for the end of the run.
    fn note(&self, machine: &mut Machine, verb: Verb) -> Result<(), Wrong> {
        let Asked { root, scope, .. } = *self.asked;
        let line = self.asked.line(self.verb, self.name);
        let boots = units::boots(root, self.tree, scope, &self.unit.id);
        if !machine.first_boot && boots == (verb == Verb::Stop) && verb != Verb::Refresh {
            return Err(refused(&line));
        }
        let act = Act {
            scope: scope.clone(),
            unit: self.unit.id.clone(),
            verb,
        };
        machine.record.put_off_act(line, act);
        if verb != Verb::Stop && scope == &units::scope::Scope::System {
            let root = machine.root.clone();
            machine.firewall.started(&self.unit.id, &root);
        }
        Ok(())
    }
}

fn refused(line: &str) -> Wrong {
    Wrong {
        code: 1,
        text: format!(
            "pichroot: no boot does what this asks for, and there is to be no unit for the first boot: {line}\n\
             hint: enable or disable the unit in an earlier task, or allow that unit with --first-boot on\n"
        ),
    }
}
