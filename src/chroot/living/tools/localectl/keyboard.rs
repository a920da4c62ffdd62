//! The keyboards of the console and of X11, each of which follows the other.

use super::common::{allowed, is_debian, mapping};
use crate::chroot::living::{
    call::Call,
    env_file::{EnvFile, replace, text},
    machine::Machine,
    record::How,
};

pub(super) const CONSOLE: &str = "/etc/vconsole.conf";
pub(super) const X11: &str = "/etc/X11/xorg.conf.d/00-keyboard.conf";
const DEBIANS_X11: &str = "/etc/default/keyboard";
/// What is in the latter, and what the former and messages call it.
const KEYBOARD: [(&str, &str); 4] = [
    ("XKBLAYOUT", "Layout"),
    ("XKBMODEL", "Model"),
    ("XKBVARIANT", "Variant"),
    ("XKBOPTIONS", "Options"),
];
const MODELS: &str = "/usr/share/systemd/kbd-model-map";
const KEYMAPS: [&str; 3] = [
    "/usr/share/keymaps",
    "/usr/share/kbd/keymaps",
    "/usr/lib/kbd/keymaps",
];

/// Layout, model, variant and options.
pub(super) type Keyboard = [Option<String>; 4];

pub(super) fn keyboard(machine: &Machine) -> Keyboard {
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

pub(super) fn set_keymap(
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

pub(super) fn set_x11(
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
