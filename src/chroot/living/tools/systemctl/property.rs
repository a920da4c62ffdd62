//! Values of settings, as `systemctl show` has them.

use crate::chroot::living::{
    stamp::{parse_span, span},
    units::{name::Kind, unit::Unit},
};

/// What systemd has where a service says nothing (of systemd 252), a property on each line.
const SERVICE: &str = include_str!("service-defaults.txt");
/// What it has for units of all kinds.
const GENERAL: &str = include_str!("general-defaults.txt");

/// The properties that are settings, in systemd's order: those with a default, then the others that the unit sets.
pub fn of_settings(unit: &Unit) -> Vec<(String, String)> {
    let is_service = unit.kind == Kind::Service;
    let own = if is_service { SERVICE } else { "" };
    let sections = [(own, unit.kind.section()), (GENERAL, "Unit")];
    let mut properties = Vec::new();
    for (defaults, section) in sections {
        let defaults = defaults.lines().filter_map(|line| line.split_once('='));
        let first = properties.len();
        properties.extend(defaults.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for key in unit.settings.keys(section) {
            let Some(value) = unit.settings.last(section, key) else {
                continue;
            };
            for (key, value) in converted(key, &unit.expanded(value)) {
                match properties[first..]
                    .iter_mut()
                    .find(|(known, _)| *known == key)
                {
                    Some((_, default)) => *default = value,
                    None if section != "Unit" => properties.push((key, value)),
                    // These others are lists of units and conditions.
                    None => {}
                }
            }
        }
    }
    // What this kind of service has in the place of "none".
    if unit.service_type().starts_with("notify") && unit.own("NotifyAccess").is_none() {
        for (_, value) in properties
            .iter_mut()
            .filter(|(key, _)| key == "NotifyAccess")
        {
            *value = "main".into();
        }
    }
    properties
}

/// The properties that one setting makes.
fn converted(key: &str, value: &str) -> Vec<(String, String)> {
    if key.starts_with("Exec") {
        return Vec::new();
    }
    if let Some(name) = key.strip_suffix("Sec") {
        let time = parse_span(value).map_or_else(|| value.to_owned(), span);
        return vec![(format!("{name}USec"), time)];
    }
    if let Some(name) = key.strip_prefix("Limit") {
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        return vec![
            (format!("Limit{name}"), bytes(hard)),
            (format!("Limit{name}Soft"), bytes(soft)),
        ];
    }
    let value = match &*value.to_ascii_lowercase() {
        "true" | "yes" | "on" => "yes".into(),
        "false" | "no" | "off" => "no".into(),
        _ if key.starts_with("Memory") => bytes(value),
        _ => value.to_owned(),
    };
    vec![(key.to_owned(), value)]
}

/// A number of bytes, such as `512M`; anything else stays.
fn bytes(value: &str) -> String {
    let factors = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let number = factors.iter().find_map(|(unit, shift)| {
        let number: u64 = value.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(1 << shift)
    });
    number.map_or_else(|| value.to_owned(), |number| number.to_string())
}

/// The commands of a service, a property for each: nothing has run yet that systemd could tell of.
pub fn commands(unit: &Unit) -> Vec<(String, String)> {
    let section = unit.kind.section();
    let keys = unit.settings.keys(section).into_iter();
    let mut commands = Vec::new();
    for key in keys.filter(|key| key.starts_with("Exec")) {
        for command in unit.settings.all(section, key) {
            let command = unit.expanded(command);
            let signs = command.len() - command.trim_start_matches(['-', '@', ':', '+', '!']).len();
            let (signs, argv) = command.split_at(signs);
            let path = argv.split_whitespace().next().unwrap_or_default();
            let ignored = if signs.contains('-') { "yes" } else { "no" };
            let value = format!(
                "{{ path={path} ; argv[]={argv} ; ignore_errors={ignored} ; start_time=[n/a] ; stop_time=[n/a] ; \
                 pid=0 ; code=(null) ; status=0/0 }}"
            );
            commands.push((key.to_owned(), value));
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_properties() {
        let one = |key, value| converted(key, value);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            one("TimeoutStartSec", "90"),
            [pair("TimeoutStartUSec", "1min 30s")]
        );
        assert_eq!(
            one("RestartSec", "infinity"),
            [pair("RestartUSec", "infinity")]
        );
        assert_eq!(one("MemoryMax", "512M"), [pair("MemoryMax", "536870912")]);
        assert_eq!(one("PrivateTmp", "true"), [pair("PrivateTmp", "yes")]);
        let limits = [
            pair("LimitNOFILE", "infinity"),
            pair("LimitNOFILESoft", "1024"),
        ];
        assert_eq!(one("LimitNOFILE", "1024:infinity"), limits);
    }
}
