//! Swap space (swapon(8), swapoff(8)): the machine's, so what is changed of it is put off, and /proc/swaps has it.

use std::{
    fs::{self, File},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use nix::libc::O_NONBLOCK;

use super::options::{Known, Options};
use crate::chroot::living::{
    call::{Answer, Call, quoted},
    kernel::{subject::Subject, swaps},
    machine::Machine,
    tool::Tools,
};

/// What answers these.
pub const TOOLS: Tools = &[("swapoff", swapoff), ("swapon", swapon)];

const SWAPON: Known = Known {
    with_value: &[
        ("discard", "d"),
        ("options", "o"),
        ("priority", "p"),
        ("label", "L"),
        ("uuid", "U"),
    ],
    plain: &[
        ("all", "a"),
        ("bytes", ""),
        ("fixpgsz", "f"),
        ("help", "h"),
        ("ifexists", "e"),
        ("noheadings", ""),
        ("raw", ""),
        ("show", ""),
        ("summary", "s"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};
const SWAPOFF: Known = Known {
    with_value: &[("label", "L"), ("uuid", "U")],
    plain: &[
        ("all", "a"),
        ("help", "h"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};
/// swapoff(8): the system call failed.
const FAILURE: u8 = 4;
/// swapon(8) ends like this where it fails.
const ERROR: u8 = 255;
/// What the last step of the program says here, which only the machine can do.
const LAST: &str = ": swapon failed: Operation not permitted";

fn swapon(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&SWAPON, &call.args) else {
        return Answer::Pass;
    };
    let tells = ["help", "show", "summary", "version"];
    let none = options.words.is_empty()
        && !["all", "label", "uuid"]
            .iter()
            .any(|name| options.has(name));
    if !call.is_root() || none || tells.iter().any(|name| options.has(name)) {
        return Answer::Pass;
    }
    for word in &options.words {
        if machine.kernel.lock().swaps.has(&path_of(call, word)) {
            let text = format!("swapon: {word}: swapon failed: Device or resource busy\n");
            return Answer::fails(ERROR, text);
        }
    }
    // It looks at everything itself, and only the last step is not for it.
    let args = call.args.iter().map(String::as_str).collect::<Vec<_>>();
    let output = match call.real(&call.program.to_string_lossy(), &args) {
        Ok(output) => output,
        Err(error) => return Answer::fails(ERROR, format!("pichroot: {error}\n")),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let (mut failed, mut said) = (false, String::new());
    let mut used = Vec::new();
    for line in text.lines() {
        match line
            .strip_prefix("swapon: ")
            .and_then(|line| line.strip_suffix(LAST))
        {
            Some(path) => used.push(path.to_owned()),
            None => {
                // Advice about permissions is no failure.
                failed |= !line.ends_with("suggested.");
                said += line;
                said.push('\n');
            }
        }
    }
    let priority = options.value("priority").and_then(|text| text.parse().ok());
    for path in &used {
        let line = match options.value("priority") {
            Some(priority) => format!("swapon -p {} {}", quoted(priority), quoted(path)),
            None => format!("swapon {}", quoted(path)),
        };
        let subject = Subject::Swap {
            path: path.clone(),
            line: line.clone(),
        };
        if let Err(refused) = machine.note_change(&line, subject) {
            return refused;
        }
        let size = open(Path::new(path)).and_then(|file| swaps::size_of(&file));
        let mut kernel = machine.kernel.lock();
        kernel.swaps.add(path, size.unwrap_or_default(), priority);
    }
    let code = match (used.is_empty() || failed, output.status.code()) {
        (true, Some(code)) => code as u8,
        (true, None) => ERROR,
        (false, _) => 0,
    };
    Answer::Said {
        code,
        out: output.stdout,
        err: said.into_bytes(),
    }
}

fn swapoff(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&SWAPOFF, &call.args) else {
        return Answer::Pass;
    };
    let tells = ["help", "version", "label", "uuid"];
    if !call.is_root() || tells.iter().any(|name| options.has(name)) {
        return Answer::Pass;
    }
    let paths = match options.has("all") {
        true => machine.kernel.lock().swaps.paths(),
        false if options.words.is_empty() => return Answer::Pass,
        false => options
            .words
            .iter()
            .map(|word| path_of(call, word))
            .collect(),
    };
    let mut text = String::new();
    for path in paths {
        if !machine.kernel.lock().swaps.has(&path) {
            return match Path::new(&path).exists() {
                true => Answer::fails(
                    FAILURE,
                    format!("swapoff: {path}: swapoff failed: Invalid argument\n"),
                ),
                false => Answer::Pass,
            };
        }
        let line = format!("swapoff {}", quoted(&path));
        let subject = Subject::NoSwap {
            path: path.clone(),
            line: line.clone(),
        };
        // What only a task has it use is as before.
        if !matches!(machine.changes.undo(&subject), Some(Subject::Swap { .. }))
            && let Err(refused) = machine.note_change(&line, subject)
        {
            return refused;
        }
        machine.kernel.lock().swaps.remove(&path);
        if options.has("verbose") {
            text += &format!("swapoff {path}\n");
        }
    }
    Answer::out(text)
}

fn path_of(call: &Call, word: &str) -> String {
    let path = call.cwd.join(word);
    let path = fs::canonicalize(&path).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

/// A file, or a device, but nothing that has to be waited for.
fn open(path: &Path) -> std::io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    match kind.is_file() || kind.is_block_device() {
        true => File::options()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(path),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    }
}
