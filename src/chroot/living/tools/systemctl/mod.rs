//! systemctl, as on the machine that the image becomes: what changes files is done by itself, and what asks for or changes
//! what runs is answered by [`Units`](crate::chroot::living::units::Units).

mod act;
mod asked;
mod dependencies;
mod files;
mod list;
mod manager;
mod options;
mod properties;
mod property;
mod show;
mod state;
mod status;
mod write;

use asked::Asked;

use crate::{
    chroot::living::{
        accounts::Accounts,
        call::{Answer, Call},
        first_boot,
        machine::Machine,
        tool::Tools,
        tools::{options::Options, power},
        units::scope::Scope,
    },
    sys::inroot::Root,
};

/// What is answered here.
pub const TOOLS: Tools = &[("runlevel", runlevel), ("systemctl", systemctl)];

fn systemctl(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(root) = Root::open(&machine.root) else {
        return Answer::Pass;
    };
    let Ok(options) = Options::parse(&options::KNOWN, &call.args) else {
        return Answer::Pass;
    };
    // These need no manager.
    let apart = ["global", "help", "host", "image", "root", "version"];
    if apart.into_iter().any(|option| options.has(option))
        || !first_boot::has_systemd(&machine.root)
    {
        return Answer::Pass;
    }
    let Some(scope) = scope(call, &options, &root) else {
        return Answer::Pass;
    };
    let asked = Asked {
        call,
        options: &options,
        root: &root,
        scope: &scope,
    };
    answer(&asked, machine)
}

fn answer(asked: &Asked<'_>, machine: &mut Machine) -> Answer {
    let verb = asked
        .options
        .words
        .first()
        .map_or("list-units", |verb| &**verb);
    match verb {
        "start"
        | "stop"
        | "restart"
        | "try-restart"
        | "condrestart"
        | "reload"
        | "reload-or-restart"
        | "force-reload"
        | "try-reload-or-restart"
        | "reload-or-try-restart"
        | "condreload"
        | "condstop"
        | "isolate"
        | "kill"
        | "freeze"
        | "thaw"
        | "clean" => act::act(asked, machine, verb),
        "enable" | "disable" | "reenable" | "preset" | "preset-all" | "mask" | "unmask"
        | "link" | "revert" | "add-wants" | "add-requires" | "set-default" => {
            files::change(asked, machine, verb)
        }
        "is-enabled" | "list-unit-files" | "get-default" => files::ask(asked),
        "set-property" => write::set_property(asked, machine),
        "edit" => write::edit(asked, machine),
        "daemon-reload" | "daemon-reexec" | "reset-failed" | "set-environment"
        | "unset-environment" | "import-environment" | "show-environment" | "log-level"
        | "log-target" | "service-watchdogs" | "cancel" => manager::manage(asked, machine, verb),
        "is-active" | "check" => state::is_active(asked, machine),
        "is-failed" => state::is_failed(asked, machine),
        "is-system-running" => state::is_system_running(asked),
        "list-units" => list::units(asked, machine),
        "list-timers" => list::timers(asked, machine),
        "list-sockets" => list::sockets(asked, machine),
        "list-jobs" => list::jobs(asked),
        "list-dependencies" => dependencies::list(asked, machine),
        "status" => status::status(asked, machine),
        "show" => show::show(asked, machine),
        "cat" => files::cat(asked),
        // What ends or stops the machine is the same as the programs of these names.
        "reboot" | "kexec" | "soft-reboot" if asked.call.is_root() => {
            power::reboot(asked.call, machine)
        }
        "halt" | "poweroff" if asked.call.is_root() => power::refuse_to_end(asked.call),
        _ => Answer::Pass,
    }
}

/// The manager that is meant; nothing where it is another machine's.
fn scope(call: &Call, options: &Options, root: &Root) -> Option<Scope> {
    let user_of = |machine: &str| {
        let (user, host) = machine.split_once('@').unwrap_or(("", machine));
        ["", ".host"].contains(&host).then(|| user.to_owned())
    };
    let asked = options.value("machine").map(user_of);
    if asked == Some(None) {
        return None;
    }
    if !options.has("user") {
        return Some(Scope::System);
    }
    let accounts = Accounts::read(root);
    let user = match asked.flatten().filter(|name| !name.is_empty()) {
        Some(name) => accounts.user(&name),
        None => accounts.user_with_id(call.user),
    };
    user.cloned().map(Scope::User)
}

/// What the machine says once it has booted.
fn runlevel(_: &Call, machine: &mut Machine) -> Answer {
    if first_boot::has_systemd(&machine.root) {
        Answer::out("N 5\n")
    } else {
        Answer::Pass
    }
}

#[cfg(test)]
mod tests;
