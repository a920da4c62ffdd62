//! Verbs that only change and show files: systemctl itself does that in a chroot, once it knows that it is in one.

use super::{act, asked::Asked};
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    units::{tree::Tree, unit::Load},
};

/// By this systemctl knows; sudo may have taken it away.
const OFFLINE: &str = "SYSTEMD_OFFLINE";

/// Has systemctl change files. What runs goes on, and nothing else starts, unless `--now` says so.
pub fn change(asked: &Asked<'_>, machine: &mut Machine, verb: &str) -> Answer {
    let now = asked.options.has("now") && ["enable", "disable", "mask"].contains(&verb);
    let active = {
        let tree = Tree::new(asked.root, asked.scope);
        machine.units.active(asked.root, &tree, asked.scope)
    };
    let mut answer = itself(asked);
    let tree = Tree::new(asked.root, asked.scope);
    machine.units.keep(asked.root, &tree, asked.scope, &active);
    if !now || !matches!(answer, Answer::Said { code: 0, .. }) {
        return answer;
    }
    let Answer::Said { code, out, err } = act::now(asked, machine, verb) else {
        return answer;
    };
    if let Answer::Said {
        code: c,
        out: o,
        err: e,
    } = &mut answer
    {
        *c = code;
        o.extend(out);
        e.extend(err);
    }
    answer
}

/// Has it say something about files.
pub fn ask(asked: &Asked<'_>) -> Answer {
    if asked.options.words[0] == "is-enabled" && !asked.words().is_empty() {
        let tree = Tree::new(asked.root, asked.scope);
        let (names, _) = asked.names("service", Vec::new);
        // Of these it has no file, and a boot would make one.
        let mounts = names
            .iter()
            .all(|name| tree.unit(name).source.as_deref() == Some("/etc/fstab"));
        if mounts && !names.is_empty() {
            return Answer::out("generated\n".repeat(names.len()));
        }
    }
    let is = |(key, value): &(_, _)| key == OFFLINE && value == "1";
    if asked.call.environment.iter().any(is) {
        Answer::Pass
    } else {
        itself(asked)
    }
}

/// systemctl itself, with the same words but for `--now`, which it cannot do.
fn itself(asked: &Asked<'_>) -> Answer {
    let offline = format!("{OFFLINE}=1");
    let program = asked.call.program.to_string_lossy();
    let mut args = vec![&*offline, &*program];
    args.extend(
        asked
            .call
            .args
            .iter()
            .map(String::as_str)
            .filter(|arg| *arg != "--now"),
    );
    match asked.call.real("/usr/bin/env", &args) {
        Ok(ended) => Answer::Said {
            code: ended
                .status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
            out: ended.stdout,
            err: without_chroot(&ended.stderr),
        },
        Err(error) => Answer::fails(1, format!("pichroot: cannot run {program}: {error}\n")),
    }
}

/// What it says, but for what it says only in a chroot: it has programs that change links of init scripts, and those have it
/// read units again.
fn without_chroot(said: &[u8]) -> Vec<u8> {
    let lines = said.split_inclusive(|b| *b == b'\n');
    lines
        .filter(|line| !line.starts_with(b"Running in chroot, ignoring "))
        .flatten()
        .copied()
        .collect()
}

/// Shows files, each after its path.
pub fn cat(asked: &Asked<'_>) -> Answer {
    if asked.words().is_empty() {
        return Answer::fails(1, "Too few arguments.\n");
    }
    let tree = Tree::new(asked.root, asked.scope);
    let (names, mut err) = asked.names("service", || tree.folders.names().into_iter().collect());
    let (mut code, mut parts) = (0, Vec::new());
    for name in names {
        let unit = tree.unit(&name);
        if unit.load == Load::NotFound || unit.source.is_some() || unit.fragment.is_none() {
            err.push_str(&format!("No files found for {name}.\n"));
            code = 1;
            continue;
        }
        for path in unit.fragment.iter().chain(&unit.drop_ins) {
            parts.push(format!("# {path}\n{}", tree.folders.text(path)));
        }
    }
    Answer::Said {
        code,
        out: parts.join("\n").into_bytes(),
        err: err.into_bytes(),
    }
}
