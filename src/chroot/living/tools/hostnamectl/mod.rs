//! hostnamectl, and what hostnamed does for it: two files, and the name that the chroot has (systemd's src/hostname).

#[cfg(test)]
mod tests;

use std::io;

use nix::unistd::{gethostname, sethostname};

use super::options::{Known, Options};
use crate::chroot::living::{
    call::{Answer, Call},
    env_file::{EnvFile, remove, replace, text},
    machine::Machine,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[("hostnamectl", hostnamectl)];

const KNOWN: Known = Known {
    with_value: &[("host", "H"), ("json", ""), ("machine", "M")],
    plain: &[
        ("help", "h"),
        ("no-ask-password", ""),
        ("pretty", ""),
        ("static", ""),
        ("transient", ""),
        ("version", ""),
    ],
};

const NAME: &str = "/etc/hostname";
const INFO: &str = "/etc/machine-info";
const PRETTY: &str = "PRETTY_HOSTNAME";
/// The longest name that Linux takes, in bytes.
const LONGEST: usize = 64;

/// What is kept in [`INFO`]: verb, older verb, variable, what messages call it, and its property.
const KEPT: [(&str, &str, &str, &str, &str); 4] = [
    (
        "icon-name",
        "set-icon-name",
        "ICON_NAME",
        "icon",
        "IconName",
    ),
    ("chassis", "set-chassis", "CHASSIS", "chassis", "Chassis"),
    (
        "deployment",
        "set-deployment",
        "DEPLOYMENT",
        "deployment",
        "Deployment",
    ),
    (
        "location",
        "set-location",
        "LOCATION",
        "location",
        "Location",
    ),
];
const CHASSIS: [&str; 10] = [
    "vm",
    "container",
    "desktop",
    "laptop",
    "convertible",
    "server",
    "tablet",
    "handset",
    "watch",
    "embedded",
];

fn hostnamectl(call: &Call, machine: &mut Machine) -> Answer {
    let Some(options) = Options::of_client(&KNOWN, call, machine) else {
        return Answer::Pass;
    };
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] | ["status"] => status(call, machine, &options),
        ["hostname"] => one_name(machine, &options),
        ["hostname" | "set-hostname", name] => set_names(call, machine, &options, name),
        [verb, ref rest @ ..] => match (kept(verb), rest) {
            (Some((variable, _, property)), []) => {
                Ok(format!("{}\n", property_of(machine, variable, property)))
            }
            (Some(kept), [value]) => set_kept(call, machine, kept, value),
            _ => return Answer::Pass,
        },
    };
    match done {
        Ok(out) => Answer::out(out),
        Err(said) => Answer::fails(1, format!("{said}\n")),
    }
}

fn kept(verb: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let found = KEPT
        .iter()
        .find(|(new, old, ..)| verb == *new || verb == *old);
    found.map(|(_, _, variable, called, property)| (*variable, *called, *property))
}

/// The name that programs see now. In unit tests, that of the image alone.
fn current(machine: &Machine) -> String {
    let own = machine.root.as_os_str() == "/";
    let name = own
        .then(|| gethostname().ok()?.into_string().ok())
        .flatten();
    name.or_else(|| static_name(machine))
        .unwrap_or_else(|| "localhost".into())
}

/// The name in the file, which is the first line that says something.
fn static_name(machine: &Machine) -> Option<String> {
    let text = text(machine, NAME)?;
    let mut lines = text.lines().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
}

fn one_name(machine: &Machine, options: &Options) -> Result<String, String> {
    let asked = ["pretty", "static", "transient"].map(|name| options.has(name));
    let name = match asked {
        [true, false, false] => EnvFile::read(machine, INFO)
            .get(PRETTY)
            .unwrap_or_default()
            .to_owned(),
        [false, true, false] => static_name(machine).unwrap_or_default(),
        [false, false, _] => current(machine),
        _ => return Err("Cannot query more than one name type at a time".into()),
    };
    Ok(format!("{name}\n"))
}

/// As hostnamectl itself takes a name apart, and then hostnamed each of them.
fn set_names(
    call: &Call,
    machine: &Machine,
    options: &Options,
    name: &str,
) -> Result<String, String> {
    let [pretty, of_file, transient] =
        ["pretty", "static", "transient"].map(|name| options.has(name));
    let all = !pretty && !of_file && !transient;
    let mut name = name.to_owned();
    if all || pretty {
        let redundant = all && is_valid(name.strip_suffix('.').unwrap_or(&name));
        let shown = if redundant { "" } else { name.as_str() };
        set_info(call, machine, (PRETTY, "pretty hostname"), shown)?;
        name = cleaned(&name);
    }
    if all || of_file {
        let failed = |why: &str| format!("Could not set static hostname: {why}");
        let new = Some(name.as_str()).filter(|name| !name.is_empty());
        if new != static_name(machine).as_deref() {
            if new.is_some_and(|name| !is_valid(name)) {
                return Err(failed(&format!("Invalid static hostname '{name}'")));
            }
            allowed(call).map_err(failed)?;
            let done = match new {
                Some(name) => replace(machine, NAME, &format!("{name}\n")),
                None => remove(machine, NAME),
            };
            done.map_err(|error| failed(&format!("Failed to set static hostname: {error}")))?;
            take(machine, new.unwrap_or("localhost"));
        }
    }
    if all || transient {
        let failed = |why: &str| format!("Could not set transient hostname: {why}");
        let new = static_name(machine).unwrap_or(name);
        if new != current(machine) {
            if !is_valid(&new) {
                return Err(failed(&format!("Invalid hostname '{new}'")));
            }
            allowed(call).map_err(failed)?;
            take(machine, &new);
        }
    }
    Ok(String::new())
}

/// From now on programs see this name.
fn take(machine: &Machine, name: &str) {
    if machine.root.as_os_str() == "/" {
        // The chroot's own, and valid: so it is taken.
        let _ = sethostname(name);
    }
}

fn set_kept(
    call: &Call,
    machine: &Machine,
    (variable, called, _): (&str, &str, &str),
    value: &str,
) -> Result<String, String> {
    let valid = match variable {
        "CHASSIS" => CHASSIS.contains(&value),
        "ICON_NAME" => !value.contains('/') && value != "." && value != "..",
        // The machine's role is one word.
        "DEPLOYMENT" => !value.contains(char::is_whitespace) && !value.contains(char::is_control),
        _ => !value.contains(char::is_control),
    };
    if !valid && !value.is_empty() {
        let what = if called == "icon" {
            "icon name"
        } else {
            called
        };
        return Err(format!("Could not set {called}: Invalid {what} '{value}'"));
    }
    set_info(call, machine, (variable, called), value)
}

fn set_info(
    call: &Call,
    machine: &Machine,
    (variable, called): (&str, &str),
    value: &str,
) -> Result<String, String> {
    let mut info = EnvFile::read(machine, INFO);
    if info.get(variable).unwrap_or_default() != value {
        let failed = |why: String| format!("Could not set {called}: {why}");
        allowed(call).map_err(|why| failed(why.into()))?;
        info.set(variable, Some(value).filter(|value| !value.is_empty()));
        info.write(machine, INFO)
            .map_err(|error: io::Error| failed(format!("Failed to write machine info: {error}")))?;
    }
    Ok(String::new())
}

/// As polkit has it for somebody without a terminal.
fn allowed(call: &Call) -> Result<(), &'static str> {
    match call.is_root() {
        true => Ok(()),
        false => Err("Interactive authentication required."),
    }
}

fn property_of(machine: &Machine, variable: &str, property: &str) -> String {
    let info = EnvFile::read(machine, INFO);
    match (info.get(variable), property) {
        (Some(value), _) => value.to_owned(),
        // What hostnamed says where nothing tells more: a board is no desktop.
        (None, "IconName") => format!("computer{}", dashed(info.get("CHASSIS"))),
        (None, _) => String::new(),
    }
}

fn dashed(chassis: Option<&str>) -> String {
    chassis.map_or_else(String::new, |chassis| format!("-{chassis}"))
}

fn status(call: &Call, machine: &Machine, options: &Options) -> Result<String, String> {
    if let Some(style) = options.value("json").filter(|style| *style != "off") {
        return Ok(json(call, machine, style == "pretty"));
    }
    if ["pretty", "static", "transient"]
        .iter()
        .any(|name| options.has(name))
    {
        return one_name(machine, options);
    }
    let of_file = static_name(machine).unwrap_or_default();
    let (now, info) = (current(machine), EnvFile::read(machine, INFO));
    let release = EnvFile::read(machine, "/etc/os-release");
    let id = |path| {
        text(machine, path)
            .unwrap_or_default()
            .trim()
            .replace('-', "")
    };
    let shown = |name: &str| info.get(name).unwrap_or_default().to_owned();
    let pretty = Some(shown(PRETTY))
        .filter(|name| *name != of_file)
        .unwrap_or_default();
    let transient = Some(now)
        .filter(|name| *name != of_file)
        .unwrap_or_default();
    let unset = if of_file.is_empty() {
        "(unset)".to_owned()
    } else {
        of_file
    };
    let lines = [
        ("Static hostname", unset),
        ("Pretty hostname", pretty),
        ("Transient hostname", transient),
        ("Icon name", property_of(machine, "ICON_NAME", "IconName")),
        ("Chassis", shown("CHASSIS")),
        ("Deployment", shown("DEPLOYMENT")),
        ("Location", shown("LOCATION")),
        ("Machine ID", id("/etc/machine-id")),
        ("Boot ID", id("/proc/sys/kernel/random/boot_id")),
        (
            "Operating System",
            release.get("PRETTY_NAME").unwrap_or_default().to_owned(),
        ),
        ("Kernel", format!("Linux {}", machine.kernel.lock().release)),
        ("Architecture", architecture(call)),
    ];
    Ok(table(&lines))
}

/// Lines with their names to the right, of those that have a value.
pub fn table(lines: &[(&str, String)]) -> String {
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    let width = shown
        .clone()
        .map(|(name, _)| name.len() + 1)
        .max()
        .unwrap_or_default();
    let line = |(name, value): &(&str, String)| format!("{:>width$} {value}\n", format!("{name}:"));
    shown.map(line).collect()
}

/// systemd's word for what `uname -m` says.
fn architecture(call: &Call) -> String {
    let said = call
        .real("uname", &["-m"])
        .map(|output| output.stdout)
        .unwrap_or_default();
    match String::from_utf8_lossy(&said).trim() {
        "aarch64" => "arm64".into(),
        "x86_64" => "x86-64".into(),
        "i386" | "i686" => "x86".into(),
        machine if machine.starts_with("arm") => "arm".into(),
        machine => machine.into(),
    }
}

fn json(call: &Call, machine: &Machine, pretty: bool) -> String {
    let (info, release) = (
        EnvFile::read(machine, INFO),
        EnvFile::read(machine, "/etc/os-release"),
    );
    let or_null = |value: Option<&str>| value.map_or(serde_json::Value::Null, Into::into);
    let of_file = static_name(machine);
    let source = if of_file.is_some() {
        "static"
    } else {
        "default"
    };
    let kernel = machine.kernel.lock().release.clone();
    let value = serde_json::json!({
        "Hostname": current(machine),
        "StaticHostname": or_null(of_file.as_deref()),
        "PrettyHostname": or_null(info.get(PRETTY)),
        "DefaultHostname": "localhost",
        "HostnameSource": source,
        "IconName": property_of(machine, "ICON_NAME", "IconName"),
        "Chassis": or_null(info.get("CHASSIS")),
        "Deployment": or_null(info.get("DEPLOYMENT")),
        "Location": or_null(info.get("LOCATION")),
        "KernelName": "Linux",
        "KernelRelease": kernel,
        "OperatingSystemPrettyName": or_null(release.get("PRETTY_NAME")),
        "OperatingSystemCPEName": or_null(release.get("CPE_NAME")),
        "OperatingSystemHomeURL": or_null(release.get("HOME_URL")),
        "HardwareVendor": null, "HardwareModel": null, "HardwareSerial": null,
        "FirmwareVersion": null, "ProductUUID": null,
        "Architecture": architecture(call),
    });
    let text = match pretty {
        true => serde_json::to_string_pretty(&value),
        false => serde_json::to_string(&value),
    };
    format!("{}\n", text.unwrap_or_default())
}

/// As the file may have it (hostname_is_valid).
fn is_valid(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= LONGEST && name.split('.').all(label)
}

/// What is left of a name without what must not be in one (hostname_cleanup).
fn cleaned(name: &str) -> String {
    let mut clean = String::new();
    for letter in name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-.".contains(*letter))
    {
        if clean.len() == LONGEST {
            break;
        }
        let last = clean.chars().last();
        let allowed = match letter {
            '.' => last.is_some_and(|last| last != '.' && last != '-'),
            '-' => last.is_some_and(|last| last != '.'),
            _ => true,
        };
        if allowed {
            clean.push(letter);
        }
    }
    clean.strip_suffix(['-', '.']).unwrap_or(&clean).to_owned()
}
