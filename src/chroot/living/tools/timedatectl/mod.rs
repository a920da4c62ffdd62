//! timedatectl, and what timedated does for it; hwclock, as there is no hardware yet.

#[cfg(test)]
mod tests;

use super::{
    hostnamectl::table,
    options::{Known, Options},
    systemctl,
};
use crate::{
    chroot::living::{
        call::{Answer, Call},
        clock,
        machine::Machine,
        record::How,
        stamp::stamp,
        tool::{self, Tools},
        units::{name, scope::Scope, tree::Tree, unit::Load},
    },
    sys::inroot::Root,
};

/// What is answered here.
pub const TOOLS: Tools = &[("hwclock", hwclock), ("timedatectl", timedatectl)];

const KNOWN: Known = Known {
    with_value: &[
        ("host", "H"),
        ("machine", "M"),
        ("property", "p"),
        ("values-of", "P"),
    ],
    plain: &[
        ("adjust-system-clock", ""),
        ("all", "a"),
        ("help", "h"),
        ("monitor", ""),
        ("no-ask-password", ""),
        ("no-pager", ""),
        ("value", ""),
        ("version", ""),
    ],
};

/// Folders with lists of services that set the clock, the first before the others.
const LISTS: [&str; 4] = [
    "etc/systemd/ntp-units.d",
    "run/systemd/ntp-units.d",
    "usr/local/lib/systemd/ntp-units.d",
    "usr/lib/systemd/ntp-units.d",
];
const MAX_LISTS: usize = 100;
const MAX_TEXT: u64 = 64 << 10;

const NO_CLOCK: &str = "an image has no clock to set";
const CLOCK_HINT: &str =
    "leave this task out: the machine has its time from the network or from its own clock";

fn timedatectl(call: &Call, machine: &mut Machine) -> Answer {
    let (Ok(root), Some(options)) = (
        Root::open(&machine.root),
        Options::of_client(&KNOWN, call, machine),
    ) else {
        return Answer::Pass;
    };
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] | ["status"] => Ok(status(call, machine, &root)),
        ["show"] => Ok(show(machine, &root, &options)),
        ["set-timezone", zone] => set_zone(call, machine, zone),
        ["set-local-rtc", word] => set_local(call, machine, word),
        ["set-ntp", word] => set_ntp(call, machine, &root, word),
        ["set-time", _] => return Answer::refused(NO_CLOCK, CLOCK_HINT),
        ["list-timezones"] => Ok(zones(&root)),
        _ => return Answer::Pass,
    };
    match done {
        Ok(out) => Answer::out(out),
        Err(said) => Answer::fails(1, format!("{said}\n")),
    }
}

fn set_zone(call: &Call, machine: &Machine, zone: &str) -> Result<String, String> {
    let failed = |why: &str| format!("Failed to set time zone: {why}");
    if !clock::has_zone(machine, zone) {
        return Err(failed(&format!(
            "Invalid or not installed time zone '{zone}'"
        )));
    }
    if clock::zone(machine).as_deref() != Some(zone) {
        allowed(call).map_err(failed)?;
        clock::set_zone(machine, zone)
            .map_err(|error| failed(&format!("Failed to set time zone: {error}")))?;
    }
    Ok(String::new())
}

fn set_local(call: &Call, machine: &Machine, word: &str) -> Result<String, String> {
    let local = flag(word).ok_or(format!(
        "Failed to parse local RTC setting '{word}': Invalid argument"
    ))?;
    if local != clock::is_local(machine) {
        let failed = |why: &str| format!("Failed to set local RTC: {why}");
        allowed(call).map_err(failed)?;
        let done = clock::set_local(machine, local);
        done.map_err(|error| failed(&format!("Failed to set RTC: {error}")))?;
    }
    Ok(String::new())
}

/// The first service that there is comes on, and all others go off.
fn set_ntp(call: &Call, machine: &mut Machine, root: &Root, word: &str) -> Result<String, String> {
    let on = flag(word).ok_or(format!(
        "Failed to parse NTP setting '{word}': Invalid argument"
    ))?;
    let services = services(root);
    if services.is_empty() {
        return Err("Failed to set ntp: NTP not supported".into());
    }
    allowed(call).map_err(|why| format!("Failed to set ntp: {why}"))?;
    for (place, service) in services.iter().enumerate() {
        let verb = if on && place == 0 {
            "enable"
        } else {
            "disable"
        };
        let call = call.of("/usr/bin/systemctl", &[verb, "--now", "--quiet", service]);
        let systemctl = tool::find(systemctl::TOOLS, "systemctl").expect("is one");
        if let Answer::Said { code: 1.., err, .. } = systemctl(&call, machine) {
            let why = String::from_utf8_lossy(&err);
            return Err(format!("Failed to set ntp: {}", why.trim_end()));
        }
    }
    Ok(String::new())
}

/// The services that can set the clock, of those that are there.
fn services(root: &Root) -> Vec<String> {
    let tree = Tree::new(root, &Scope::System);
    let mut lists: Vec<(String, &str)> = Vec::new();
    for folder in LISTS {
        for list in root.names(folder.as_ref(), MAX_LISTS).unwrap_or_default() {
            if list.ends_with(".list") && lists.iter().all(|(known, _)| *known != list) {
                lists.push((list, folder));
            }
        }
    }
    lists.sort();
    let mut services = Vec::new();
    for (list, folder) in lists {
        let text = root
            .read(format!("{folder}/{list}").as_ref(), MAX_TEXT)
            .unwrap_or_default();
        let named = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#') && name::is_valid(line));
        for service in named {
            if tree.unit(service).load == Load::Loaded
                && services.iter().all(|known| known != service)
            {
                services.push(service.to_owned());
            }
        }
    }
    services
}

fn is_set_by_network(machine: &Machine, root: &Root, services: &[String]) -> bool {
    let tree = Tree::new(root, &Scope::System);
    let runs = |service: &String| {
        let unit = tree.unit(service);
        machine
            .units
            .state(root, &tree, &Scope::System, &unit)
            .active
    };
    services.iter().any(runs)
}

/// Whether a boot starts something that sets the clock.
pub fn is_set_at_boot(machine: &Machine) -> bool {
    Root::open(&machine.root).is_ok_and(|root| is_set_by_network(machine, &root, &services(&root)))
}

/// What there is in the order of D-Bus; the clock of the machine will be right once a service sets it.
fn show(machine: &Machine, root: &Root, options: &Options) -> String {
    let services = services(root);
    let by_network = is_set_by_network(machine, root, &services);
    let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let all = [
        ("Timezone", clock::zone(machine).unwrap_or_default()),
        ("LocalRTC", word(clock::is_local(machine))),
        ("CanNTP", word(!services.is_empty())),
        ("NTP", word(by_network)),
        ("NTPSynchronized", word(by_network)),
        ("TimeUSec", stamp(std::time::SystemTime::now())),
        ("RTCTimeUSec", "n/a".to_owned()),
    ];
    let wanted = [options.list("property"), options.list("values-of")].concat();
    let value_only = options.has("value") || options.has("values-of");
    let shown = all
        .iter()
        .filter(|(key, _)| wanted.is_empty() || wanted.contains(key));
    let line = |(key, value): &(&str, String)| match value_only {
        true => format!("{value}\n"),
        false => format!("{key}={value}\n"),
    };
    shown.map(line).collect()
}

fn status(call: &Call, machine: &Machine, root: &Root) -> String {
    let services = services(root);
    let by_network = is_set_by_network(machine, root, &services);
    let zone = clock::zone(machine);
    let in_zone = format!("TZ=:{}", zone.as_deref().unwrap_or("UTC"));
    // The image's own zones.
    let format = "+%a %Y-%m-%d %H:%M:%S %Z|%Z, %z|";
    let here = call.real("env", &["LC_ALL=C", &in_zone, "date", format]);
    let here = here.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let here = here.unwrap_or_default();
    let mut parts = here.split('|');
    let (local, of_zone) = (parts.next().unwrap_or("n/a"), parts.next().unwrap_or("n/a"));
    let service = match (services.is_empty(), by_network) {
        (true, _) => "n/a",
        (false, true) => "active",
        (false, false) => "inactive",
    };
    let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
    table(&[
        ("Local time", local.to_owned()),
        ("Universal time", stamp(std::time::SystemTime::now())),
        ("RTC time", "n/a".to_owned()),
        (
            "Time zone",
            format!("{} ({of_zone})", zone.as_deref().unwrap_or("n/a")),
        ),
        ("System clock synchronized", word(by_network)),
        ("NTP service", service.to_owned()),
        ("RTC in local TZ", word(clock::is_local(machine))),
    ])
}

/// The list that timedated reads, too.
fn zones(root: &Root) -> String {
    let text = root
        .read("usr/share/zoneinfo/tzdata.zi".as_ref(), 8 << 20)
        .unwrap_or_default();
    // Zones, and links to them: the third word of a link is its own name.
    let named = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        match words.next()? {
            "Z" => words.next(),
            "L" => words.nth(1),
            _ => None,
        }
    });
    let mut zones: Vec<&str> = named.chain(["UTC"]).collect();
    zones.sort_unstable();
    zones.dedup();
    zones.iter().map(|zone| format!("{zone}\n")).collect()
}

/// systemd's words for yes and no.
fn flag(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

fn allowed(call: &Call) -> Result<(), &'static str> {
    match call.is_root() {
        true => Ok(()),
        false => Err("Interactive authentication required."),
    }
}

const CLOCK: Known = Known {
    with_value: &[
        ("adjfile", ""),
        ("date", ""),
        ("delay", ""),
        ("epoch", ""),
        ("param-get", ""),
        ("param-set", ""),
        ("rtc", "f"),
    ],
    plain: &[
        ("adjust", "a"),
        ("debug", "D"),
        ("directisa", ""),
        ("get", ""),
        ("getepoch", ""),
        ("hctosys", "s"),
        ("help", "h"),
        ("localtime", "l"),
        ("noadjfile", ""),
        ("predict", ""),
        ("set", ""),
        ("setepoch", ""),
        ("show", "r"),
        ("systohc", "w"),
        ("systz", ""),
        ("test", ""),
        ("update-drift", ""),
        ("utc", "u"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};

/// One clock is set by the other at every boot and end of the machine. Which time it has is a file.
fn hwclock(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&CLOCK, &call.args) else {
        return Answer::Pass;
    };
    if !call.is_root() || options.has("adjfile") || options.has("test") {
        return Answer::Pass;
    }
    if options.has("set") {
        return Answer::refused(NO_CLOCK, CLOCK_HINT);
    }
    if !["systohc", "hctosys", "systz"]
        .iter()
        .any(|name| options.has(name))
    {
        return Answer::Pass;
    }
    let said = [("utc", false), ("localtime", true)]
        .into_iter()
        .find(|(name, _)| options.has(name));
    if let Some((_, local)) = said.filter(|_| !options.has("noadjfile"))
        && let Err(error) = clock::set_local(machine, local)
    {
        return Answer::fails(1, format!("hwclock: cannot update /etc/adjtime: {error}\n"));
    }
    machine.record.put_off(call.line(), How::ByBoot);
    Answer::ok()
}
