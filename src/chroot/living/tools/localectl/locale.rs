//! The languages of the machine, and the locales that are made for them.

use std::collections::BTreeSet;

use super::common::{allowed, is_debian, mapping};
use crate::chroot::living::{
    call::Call,
    env_file::{EnvFile, replace, text},
    machine::Machine,
};

/// The variables of a locale, in systemd's order.
pub(super) const VARIABLES: [&str; 14] = [
    "LANG",
    "LANGUAGE",
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
];
const LOCALE: &str = "/etc/locale.conf";
const DEBIANS_LOCALE: &str = "/etc/default/locale";
const GEN: &str = "/etc/locale.gen";
const GENERATOR: &str = "/usr/sbin/locale-gen";
pub(super) const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
const FALLBACKS: &str = "/usr/share/systemd/language-fallback-map";

/// The file that it is, on this distribution.
pub(super) fn locale_file(machine: &Machine) -> &'static str {
    match machine.at(LOCALE).exists() || !is_debian(machine) {
        true => LOCALE,
        false => DEBIANS_LOCALE,
    }
}

pub(super) fn set_locale(call: &Call, machine: &Machine, assigned: &[&str]) -> Result<(), String> {
    let generates = machine.at(GENERATOR).exists() && machine.at(GEN).exists();
    let installed = || installed(call);
    let mut new = EnvFile::default();
    for one in assigned {
        let (name, value) = match (one.split_once('='), assigned.len()) {
            (Some(pair), _) => pair,
            (None, 1) => ("LANG", *one),
            (None, _) => return Err(format!("Locale assignment {one} not valid, refusing.")),
        };
        if !VARIABLES.contains(&name) {
            return Err(format!("Locale assignment {one} not valid, refusing."));
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-@:".contains(letter);
        if !value.chars().all(plain) {
            return Err(format!("Locale {value} is not valid, refusing."));
        }
        if !generates
            && !value.is_empty()
            && name != "LANGUAGE"
            && !installed().contains(&normal(value))
        {
            return Err(format!("Locale {value} not installed, refusing."));
        }
        new.set(name, Some(value));
    }
    if let (Some(language), None) = (new.get("LANG").map(str::to_owned), new.get("LANGUAGE")) {
        let fallback = mapping(machine, FALLBACKS)
            .into_iter()
            .find(|words| words[0] == language);
        if let Some(others) = fallback.and_then(|words| words.get(1).cloned()) {
            new.set("LANGUAGE", Some(&others));
        }
    }
    let file = locale_file(machine);
    let old = EnvFile::read(machine, file);
    let mut all = EnvFile::default();
    for name in VARIABLES {
        all.set(name, new.get(name).or(old.get(name)));
    }
    let language = all.get("LANG").map(str::to_owned);
    for name in &VARIABLES[2..] {
        if all.get(name) == language.as_deref() {
            all.set(name, None);
        }
    }
    if VARIABLES.iter().all(|name| all.get(name) == old.get(name)) {
        return Ok(());
    }
    allowed(call)?;
    if generates {
        for name in VARIABLES.iter().filter(|name| **name != "LANGUAGE") {
            let missing = all
                .get(name)
                .filter(|value| !installed().contains(&normal(value)));
            if let Some(value) = missing {
                generate(call, machine, value)?;
            }
        }
    }
    all.write(machine, file)
        .map_err(|error| format!("Failed to set locale: {error}"))
}

/// The locales that are there, in small letters and without the dash of the character set.
fn installed(call: &Call) -> BTreeSet<String> {
    let listed = call
        .real("locale", &["-a"])
        .map(|output| output.stdout)
        .unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    listed
        .lines()
        .map(normal)
        .chain(["c".into(), "posix".into()])
        .collect()
}

fn normal(name: &str) -> String {
    match name.split_once('.') {
        Some((language, set)) => format!("{language}.{}", set.replace('-', "")).to_lowercase(),
        None => name.to_lowercase(),
    }
}

/// Has it made, as localed does where there is locale-gen.
fn generate(call: &Call, machine: &Machine, name: &str) -> Result<(), String> {
    enable(machine, name)?;
    match call.real(GENERATOR, &[]) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("Failed to generate locale: {}", why.trim()))
        }
        Err(error) => Err(format!("Failed to generate locale: {error}")),
    }
}

/// Has it be in the list of those that are made.
pub(super) fn enable(machine: &Machine, name: &str) -> Result<(), String> {
    let lower = name.to_lowercase();
    if name.contains('.') && !lower.ends_with(".utf-8") && !lower.contains(".utf-8@") {
        return Err(format!(
            "Specified locale is not installed and non-UTF-8 locale will not be auto-generated: {name}"
        ));
    }
    let entry = format!("{name} UTF-8");
    let supported = text(machine, SUPPORTED);
    if supported.is_some_and(|text| text.lines().all(|line| line.trim() != entry)) {
        return Err(format!(
            "Can not enable locale generation for invalid locale: {name}"
        ));
    }
    let old = text(machine, GEN).unwrap_or_default();
    let is_it = |line: &str| {
        line.trim()
            .trim_start_matches('#')
            .trim()
            .eq_ignore_ascii_case(&entry)
    };
    let enabled = old
        .lines()
        .any(|line| line.trim().eq_ignore_ascii_case(&entry));
    if !enabled {
        let place = old.lines().position(is_it);
        let lines = old.lines().enumerate();
        let line = |(number, line)| {
            if Some(number) == place {
                entry.as_str()
            } else {
                line
            }
        };
        let mut lines: Vec<&str> = lines.map(line).collect();
        if place.is_none() {
            lines.push(&entry);
        }
        replace(machine, GEN, &format!("{}\n", lines.join("\n")))
            .map_err(|error| format!("Failed to enable locale generation: {error}"))?;
    }
    Ok(())
}
