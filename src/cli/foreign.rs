//! Words of ansible-playbook and Packer that are none here, and what to write in their place.

use std::path::Path;

/// What only reaching a machine over a network needs.
const LOGIN: [&str; 13] = [
    "-k",
    "-T",
    "--ask-pass",
    "--connection",
    "--connection-password-file",
    "--conn-pass-file",
    "--key-file",
    "--private-key",
    "--scp-extra-args",
    "--sftp-extra-args",
    "--ssh-common-args",
    "--ssh-extra-args",
    "--timeout",
];

/// What ansible-playbook has, and pichroot only hands on.
const HANDED_ON: [&str; 2] = ["--become-password-file", "--become-pass-file"];

/// Packer's options, which have one hyphen, and ours.
const PACKER: [(&str, &str); 3] = [
    ("-var", "-e NAME=VALUE"),
    ("--var", "-e NAME=VALUE"),
    ("-var-file", "--var-file FILE"),
];

/// What to do about the unknown subcommand `word`.
pub fn subcommand(word: &str) -> Option<String> {
    let extension = Path::new(word).extension().and_then(|end| end.to_str());
    Some(match (word, extension) {
        ("build" | "run" | "playbook" | "ansible-playbook", _) => {
            "to make an image: pichroot ansible PLAYBOOK --image SOURCE".into()
        }
        ("validate", _) => "to check a playbook: pichroot ansible PLAYBOOK --syntax-check".into(),
        ("init", _) => {
            "nothing has to be set up; pichroot doctor tells what this machine lacks".into()
        }
        ("chroot", _) => "to look into an image: pichroot shell IMAGE".into(),
        (_, Some("yml" | "yaml")) => format!("to make an image: pichroot ansible {word}"),
        (_, Some("img" | "xz")) => format!("to look into an image: pichroot shell {word}"),
        (_, Some("hcl" | "pkr" | "json")) => {
            format!("to translate a Packer template: pichroot import {word}")
        }
        _ => return None,
    })
}

/// The option of `line` that the parser could not read, as it was meant, and what to do; `found` is what the parser
/// calls it.
pub fn option(found: &str, line: &[String]) -> Option<(String, String)> {
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let options = || {
        line.iter()
            .take_while(|word| *word != "--")
            .map(|word| name(word))
    };
    // Read letter by letter: the parser stumbles over its `a`.
    let packer = |word: &String| PACKER.iter().find(|(theirs, _)| theirs == word);
    if (found == "-a" || found == "--var")
        && let Some((theirs, ours)) = options().find_map(|word| packer(&word))
    {
        return Some((
            (*theirs).to_owned(),
            format!("Packer's {theirs} is {ours} here"),
        ));
    }
    let found = name(found);
    if LOGIN.contains(&found.as_str()) {
        let hint =
            format!("leave out {found}: the image is mounted here, and reached without a login");
        return Some((found, hint));
    }
    if HANDED_ON.contains(&found.as_str()) {
        let hint = format!("hand it on to ansible-playbook behind two hyphens: -- {found}=FILE");
        return Some((found, hint));
    }
    None
}

/// How to run the command that begins with the word `found` of `line`, where the two hyphens before it are missing.
pub fn command(found: &str, line: &[String]) -> Option<String> {
    let subcommand = line.first()?;
    let known = matches!(subcommand.as_str(), "exec" | "shell");
    if !known || found.starts_with('-') || line.iter().any(|word| word == "--") {
        return None;
    }
    let at = line.iter().skip(1).position(|word| word == found)?;
    let before = line[1..=at].join(" ");
    Some(format!(
        "write two hyphens before the command: pichroot exec {before} -- {found} ..."
    ))
}
