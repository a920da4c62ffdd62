//! localectl, and what localed does for it: languages and keyboards are files (systemd's src/locale, with Debian's changes).

use std::collections::BTreeSet;

use super::{
    hostnamectl::table,
    options::{Known, Options},
};
use crate::chroot::living::{
    call::{Answer, Call},
    env_file::{EnvFile, replace, text},
    first_boot,
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("loadkeys", by_boot),
    ("localectl", localectl),
    ("setfont", by_boot),
];

const KNOWN: Known = Known {
    with_value: &[("host", "H"), ("machine", "M")],
    plain: &[
        ("full", "l"),
        ("help", "h"),
        ("no-ask-password", ""),
        ("no-convert", ""),
        ("no-pager", ""),
        ("version", ""),
    ],
};

/// The variables of a locale, in systemd's order.
const VARIABLES: [&str; 14] = [
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
const CONSOLE: &str = "/etc/vconsole.conf";
const X11: &str = "/etc/X11/xorg.conf.d/00-keyboard.conf";
const DEBIANS_X11: &str = "/etc/default/keyboard";
/// What is in the latter, and what the former and messages call it.
const KEYBOARD: [(&str, &str); 4] = [
    ("XKBLAYOUT", "Layout"),
    ("XKBMODEL", "Model"),
    ("XKBVARIANT", "Variant"),
    ("XKBOPTIONS", "Options"),
];
const GEN: &str = "/etc/locale.gen";
const GENERATOR: &str = "/usr/sbin/locale-gen";
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
const FALLBACKS: &str = "/usr/share/systemd/language-fallback-map";
const MODELS: &str = "/usr/share/systemd/kbd-model-map";
const KEYMAPS: [&str; 3] = [
    "/usr/share/keymaps",
    "/usr/share/kbd/keymaps",
    "/usr/lib/kbd/keymaps",
];

fn localectl(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&KNOWN, &call.args) else {
        return Answer::Pass;
    };
    let apart = ["help", "host", "machine", "version"];
    if apart.into_iter().any(|option| options.has(option))
        || !first_boot::has_systemd(&machine.root)
    {
        return Answer::Pass;
    }
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let converts = !options.has("no-convert");
    let done = match words[..] {
        [] | ["status"] => return Answer::out(status(machine)),
        ["set-locale", ref assigned @ ..] if !assigned.is_empty() => {
            set_locale(call, machine, assigned)
                .map_err(|why| format!("Failed to issue method call: {why}"))
        }
        ["set-keymap", map, ref toggle @ ..] if toggle.len() < 2 => set_keymap(
            call,
            machine,
            map,
            toggle.first().copied().unwrap_or_default(),
            converts,
        )
        .map_err(|why| format!("Failed to set keymap: {why}")),
        ["set-x11-keymap", ref named @ ..] if (1..=4).contains(&named.len()) => {
            set_x11(call, machine, named, converts)
                .map_err(|why| format!("Failed to set keymap: {why}"))
        }
        // These read files.
        _ => return Answer::Pass,
    };
    match done {
        Ok(()) => Answer::ok(),
        Err(said) => Answer::fails(1, format!("{said}\n")),
    }
}

/// The file that it is, on this distribution.
fn locale_file(machine: &Machine) -> &'static str {
    match machine.at(LOCALE).exists() || !is_debian(machine) {
        true => LOCALE,
        false => DEBIANS_LOCALE,
    }
}

fn is_debian(machine: &Machine) -> bool {
    machine.at("/etc/debian_version").exists()
}

fn status(machine: &Machine) -> String {
    let locale = EnvFile::read(machine, locale_file(machine));
    let set = VARIABLES
        .iter()
        .filter_map(|name| Some(format!("{name}={}", locale.get(name)?)));
    let set: Vec<String> = set.collect();
    let console = EnvFile::read(machine, CONSOLE);
    let keyboard = keyboard(machine);
    let or_unset = |value: Option<&str>| value.unwrap_or("(unset)").to_owned();
    let shown = |index: usize| keyboard[index].clone().unwrap_or_default();
    let mut lines = vec![
        (
            "System Locale",
            set.first().cloned().unwrap_or_else(|| "(unset)".into()),
        ),
        ("VC Keymap", or_unset(console.get("KEYMAP"))),
        (
            "VC Toggle Keymap",
            console.get("KEYMAP_TOGGLE").unwrap_or_default().to_owned(),
        ),
        ("X11 Layout", or_unset(keyboard[0].as_deref())),
        ("X11 Model", shown(1)),
        ("X11 Variant", shown(2)),
        ("X11 Options", shown(3)),
    ];
    // The other variables are below the first.
    let more: String = set.iter().skip(1).map(|one| format!("\n\0{one}")).collect();
    lines[0].1 += &more;
    let text = table(&lines);
    let width = text
        .lines()
        .nth(1 + set.len().saturating_sub(1))
        .and_then(|line| line.find(": "));
    text.replace('\0', &" ".repeat(width.unwrap_or_default() + 2))
}

fn set_locale(call: &Call, machine: &Machine, assigned: &[&str]) -> Result<(), String> {
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
fn enable(machine: &Machine, name: &str) -> Result<(), String> {
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

/// Lines of at least two words, of a table that systemd brings along.
fn mapping(machine: &Machine, path: &str) -> Vec<Vec<String>> {
    let text = text(machine, path).unwrap_or_default();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| {
        line.split_whitespace()
            .map(|word| word.trim_matches('"').to_owned())
            .collect()
    });
    words
        .filter(|words: &Vec<String>| words.len() > 1)
        .collect()
}

/// Layout, model, variant and options.
type Keyboard = [Option<String>; 4];

fn keyboard(machine: &Machine) -> Keyboard {
    if is_debian(machine) {
        let file = EnvFile::read(machine, DEBIANS_X11);
        return KEYBOARD.map(|(name, _)| file.get(name).map(str::to_owned));
    }
    let text = text(machine, X11).unwrap_or_default();
    KEYBOARD.map(|(_, name)| {
        let mut lines = text.lines().map(str::trim);
        let option = format!("Option \"Xkb{name}\" ");
        lines.find_map(|line| {
            Some(
                line.strip_prefix(&option)?
                    .trim()
                    .trim_matches('"')
                    .to_owned(),
            )
        })
    })
}

fn write_keyboard(machine: &Machine, new: &Keyboard) -> std::io::Result<()> {
    if is_debian(machine) {
        let mut file = EnvFile::read(machine, DEBIANS_X11);
        for ((name, _), value) in KEYBOARD.iter().zip(new) {
            file.set(name, value.as_deref());
        }
        return file.write(machine, DEBIANS_X11);
    }
    if new.iter().all(Option::is_none) {
        return crate::chroot::living::env_file::remove(machine, X11);
    }
    let mut text = "# Written by systemd-localed(8), read by systemd-localed and Xorg. It's\n\
                    # probably wise not to edit this file manually. Use localectl(1) to\n\
                    # instruct systemd-localed to update it.\n\
                    Section \"InputClass\"\n        Identifier \"system-keyboard\"\n        MatchIsKeyboard \"on\"\n"
        .to_owned();
    for ((_, name), value) in KEYBOARD.iter().zip(new) {
        if let Some(value) = value {
            text += &format!("        Option \"Xkb{name}\" \"{value}\"\n");
        }
    }
    std::fs::create_dir_all(machine.at("/etc/X11/xorg.conf.d"))?;
    replace(machine, X11, &format!("{text}EndSection\n"))
}

fn write_console(
    machine: &Machine,
    map: Option<&str>,
    toggle: Option<&str>,
) -> std::io::Result<()> {
    let mut file = EnvFile::read(machine, CONSOLE);
    file.set("KEYMAP", map);
    file.set("KEYMAP_TOGGLE", toggle);
    file.write(machine, CONSOLE)
}

fn set_keymap(
    call: &Call,
    machine: &mut Machine,
    map: &str,
    toggle: &str,
    converts: bool,
) -> Result<(), String> {
    let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    let (map, toggle) = (named(map), named(toggle));
    for name in map.iter().chain(&toggle) {
        if !has_keymap(machine, name) {
            return Err(format!("Keymap {name} is not installed."));
        }
    }
    let old = EnvFile::read(machine, CONSOLE);
    if old.get("KEYMAP") == map.as_deref() && old.get("KEYMAP_TOGGLE") == toggle.as_deref() {
        return Ok(());
    }
    allowed(call)?;
    let failed = |error| format!("Failed to set virtual console keymap: {error}");
    write_console(machine, map.as_deref(), toggle.as_deref()).map_err(failed)?;
    machine
        .record
        .put_off(call.line(), How::Carried(CONSOLE.into()));
    if converts {
        let new = match &map {
            None => Some(Keyboard::default()),
            Some(map) => {
                let known = mapping(machine, MODELS).into_iter();
                let mut known = known.filter(|words| words.len() >= 5 && words[0] == *map);
                known.next().map(|words| {
                    [1, 2, 3, 4].map(|at| Some(words[at].clone()).filter(|word| word != "-"))
                })
            }
        };
        if let Some(new) = new.filter(|new| *new != keyboard(machine)) {
            write_keyboard(machine, &new).map_err(failed)?;
        }
    }
    Ok(())
}

fn set_x11(
    call: &Call,
    machine: &mut Machine,
    named: &[&str],
    converts: bool,
) -> Result<(), String> {
    let part = |at: usize| {
        named
            .get(at)
            .filter(|word| !word.is_empty())
            .map(|word| (*word).to_owned())
    };
    let new: Keyboard = [0, 1, 2, 3].map(part);
    if new == keyboard(machine) {
        return Ok(());
    }
    let unsafe_letter = |letter: char| letter.is_control() || "\"'\\".contains(letter);
    if new
        .iter()
        .flatten()
        .any(|word| word.contains(unsafe_letter))
    {
        return Err("Received invalid keyboard data".into());
    }
    allowed(call)?;
    let failed = |error| format!("Failed to set X11 keyboard layout: {error}");
    write_keyboard(machine, &new).map_err(failed)?;
    let file = if is_debian(machine) { DEBIANS_X11 } else { X11 };
    machine
        .record
        .put_off(call.line(), How::Carried(file.into()));
    if converts {
        let map = console_map(machine, &new);
        let old = EnvFile::read(machine, CONSOLE);
        if old.get("KEYMAP") != map.as_deref()
            || (new[0].is_none() && old.get("KEYMAP_TOGGLE").is_some())
        {
            write_console(machine, map.as_deref(), None).map_err(failed)?;
        }
    }
    Ok(())
}

/// The map of the console that is most like a keyboard (find_converted_keymap and find_legacy_keymap).
fn console_map(machine: &Machine, [layout, model, variant, options]: &Keyboard) -> Option<String> {
    let layout = layout.as_deref()?;
    let converted = |layout: &str, variant: Option<&str>| {
        let name = variant.map_or(layout.to_owned(), |variant| format!("{layout}-{variant}"));
        let has = KEYMAPS.iter().any(|folder| {
            let at = machine.at(folder).join("xkb");
            ["map", "map.gz"]
                .iter()
                .any(|end| at.join(format!("{name}.{end}")).exists())
        });
        has.then_some(name)
    };
    if let Some(name) = converted(layout, variant.as_deref()) {
        return Some(name);
    }
    let first = |list: &str| list.split(',').next().unwrap_or_default().to_owned();
    let begins = |with: &str| {
        layout
            .strip_prefix(with)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
    };
    let (mut best, mut found) = (0, None);
    for words in mapping(machine, MODELS)
        .iter()
        .filter(|words| words.len() >= 5)
    {
        let mut score = match &words[1] {
            its if its == layout => 10,
            its if begins(its) => 5,
            its if begins(&first(its)) => 1,
            _ => continue,
        };
        let same = |value: &Option<String>, its: &str| value.as_deref() == Some(its);
        if model.is_none() || same(model, &words[2]) {
            score += 1;
            if same(variant, &words[3]) {
                score += 1 + i32::from(same(options, &words[4]));
            }
        }
        if score > best {
            (best, found) = (score, Some(words[0].clone()));
        }
    }
    if best < 10 {
        let variant = variant.as_deref().map(first);
        return converted(&first(layout), variant.as_deref()).or(found);
    }
    found
}

fn has_keymap(machine: &Machine, name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_graphic() && letter != '/';
    name.chars().all(plain)
        && KEYMAPS
            .iter()
            .any(|folder| has_file(&machine.at(folder), name, 5))
}

fn has_file(folder: &std::path::Path, name: &str, depth: u32) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().take(10_000).any(|entry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let is_map = file
            .strip_prefix(name)
            .is_some_and(|end| [".map", ".map.gz"].contains(&end));
        let is_folder = || entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_map || (depth > 0 && is_folder() && has_file(&entry.path(), name, depth - 1))
    })
}

fn allowed(call: &Call) -> Result<(), String> {
    match call.is_root() {
        true => Ok(()),
        false => Err("Interactive authentication required.".into()),
    }
}

/// The console of the machine, which each boot sets up by files.
fn by_boot(call: &Call, machine: &mut Machine) -> Answer {
    let shows = |word: &String| {
        [
            "-h",
            "--help",
            "-V",
            "--version",
            "-b",
            "--bkeymap",
            "-m",
            "-p",
        ]
        .contains(&word.as_str())
    };
    if call.args.is_empty() || call.args.iter().any(shows) {
        return Answer::Pass;
    }
    machine.record.put_off(call.line(), How::ByBoot);
    Answer::ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::{call::tests::call, tools::testing};

    fn machine() -> (tempfile::TempDir, Machine) {
        let (dir, machine) = testing::with_systemd();
        for folder in ["usr/share/systemd", "usr/share/keymaps/i386/qwertz"] {
            fs::create_dir_all(machine.at(folder)).unwrap();
        }
        fs::write(machine.at("etc/debian_version"), "12.5\n").unwrap();
        fs::write(machine.at("usr/share/keymaps/i386/qwertz/de.map.gz"), "").unwrap();
        let models =
            "# x\nus us pc105 - terminate:ctrl_alt_bksp\nde de pc105 - terminate:ctrl_alt_bksp\n";
        fs::write(machine.at("usr/share/systemd/kbd-model-map"), models).unwrap();
        (dir, machine)
    }

    fn said(line: &str, machine: &mut Machine) -> (u8, String) {
        testing::said(TOOLS, &call(line), machine)
    }

    #[test]
    fn a_locale_is_debians_file() {
        let (_dir, mut machine) = machine();
        fs::write(
            machine.at("etc/default/locale"),
            "LANG=C.UTF-8\nLC_TIME=C\n",
        )
        .unwrap();
        assert_eq!(
            said("localectl set-locale LC_TIME=POSIX LC_NAME=C", &mut machine),
            (0, String::new())
        );
        let file = fs::read_to_string(machine.at("etc/default/locale")).unwrap();
        assert_eq!(file, "LANG=C.UTF-8\nLC_TIME=POSIX\nLC_NAME=C\n");
        let (_, status) = said("localectl", &mut machine);
        let expected = "System Locale: LANG=C.UTF-8\n               LC_TIME=POSIX\n               LC_NAME=C\n    \
                        VC Keymap: (unset)\n   X11 Layout: (unset)\n";
        assert_eq!(status, expected);
        // What is the same as LANG is not said again.
        assert_eq!(
            said("localectl set-locale C", &mut machine),
            (0, String::new())
        );
        let file = fs::read_to_string(machine.at("etc/default/locale")).unwrap();
        assert_eq!(file, "LANG=C\nLC_TIME=POSIX\n");
        let no = "Failed to issue method call: Locale xx_YY.UTF-8 not installed, refusing.\n";
        assert_eq!(
            said("localectl set-locale LANG=xx_YY.UTF-8", &mut machine),
            (1, no.into())
        );
        let no = "Failed to issue method call: Locale assignment X=1 not valid, refusing.\n";
        assert_eq!(
            said("localectl set-locale X=1 LANG=C", &mut machine),
            (1, no.into())
        );
    }

    #[test]
    fn elsewhere_it_is_systemds_own() {
        let (_dir, mut machine) = machine();
        fs::remove_file(machine.at("etc/debian_version")).unwrap();
        assert_eq!(
            said("localectl set-locale LANG=C", &mut machine),
            (0, String::new())
        );
        assert_eq!(
            fs::read_to_string(machine.at("etc/locale.conf")).unwrap(),
            "LANG=C\n"
        );
        assert_eq!(
            said("localectl set-x11-keymap de", &mut machine),
            (0, String::new())
        );
        let file = fs::read_to_string(machine.at(X11)).unwrap();
        assert!(
            file.ends_with("        Option \"XkbLayout\" \"de\"\nEndSection\n"),
            "{file}"
        );
    }

    #[test]
    fn a_keyboard_is_one_of_the_console_and_of_x11() {
        let (_dir, mut machine) = machine();
        fs::write(
            machine.at("etc/default/keyboard"),
            "XKBLAYOUT=us\nBACKSPACE=\"guess\"\n",
        )
        .unwrap();
        assert_eq!(
            said("localectl set-keymap de", &mut machine),
            (0, String::new())
        );
        let read = |path: &str| fs::read_to_string(machine.at(path)).unwrap();
        assert_eq!(read("etc/vconsole.conf"), "KEYMAP=de\n");
        let keyboard =
            "XKBLAYOUT=de\nBACKSPACE=guess\nXKBMODEL=pc105\nXKBOPTIONS=terminate:ctrl_alt_bksp\n";
        assert_eq!(read("etc/default/keyboard"), keyboard);
        assert_eq!(
            said("localectl set-x11-keymap us", &mut machine),
            (0, String::new())
        );
        let read = |path: &str| fs::read_to_string(machine.at(path)).unwrap();
        assert_eq!(read("etc/vconsole.conf"), "KEYMAP=us\n");
        assert_eq!(
            read("etc/default/keyboard"),
            "XKBLAYOUT=us\nBACKSPACE=guess\n"
        );
        let no = "Failed to set keymap: Keymap xx is not installed.\n";
        assert_eq!(
            said("localectl set-keymap xx", &mut machine),
            (1, no.into())
        );
    }

    #[test]
    fn a_locale_that_is_not_there_is_asked_for() {
        let (_dir, machine) = machine();
        fs::write(
            machine.at("etc/locale.gen"),
            "# en_US.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8\n",
        )
        .unwrap();
        enable(&machine, "de_DE.UTF-8").unwrap();
        enable(&machine, "fr_FR.UTF-8").unwrap();
        let list = fs::read_to_string(machine.at("etc/locale.gen")).unwrap();
        assert_eq!(
            list,
            "# en_US.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\nfr_FR.UTF-8 UTF-8\n"
        );
        assert!(enable(&machine, "de_DE.ISO-8859-1").is_err());
        fs::create_dir_all(machine.at("usr/share/i18n")).unwrap();
        fs::write(machine.at(SUPPORTED), "de_DE.UTF-8 UTF-8\n").unwrap();
        assert!(enable(&machine, "xx_YY.UTF-8").is_err());
    }
}
