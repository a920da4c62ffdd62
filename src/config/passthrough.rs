//! Arguments handed to ansible-playbook as they are.

use std::ffi::{OsStr, OsString};

use crate::error::{Error, Result};

/// Options that pichroot has to see itself: it keeps secrets out of the process list, and it makes
/// sure that the image, and nothing else, is reached. The second of each is the shortest
/// abbreviation ansible-playbook takes.
const OWN: [(&str, &str, &str); 5] = [
    ("-e", "--e", "--extra-vars"),
    ("-i", "--i", "--inventory"),
    ("-l", "--lim", "--limit"),
    ("-c", "--conn", "--connection"),
    ("-k", "--ask-p", "--ask-pass"),
];

/// Options with which ansible-playbook changes nothing on its hosts.
const DRY: [&str; 2] = ["-C", "--check"];

/// Options with which it does not even reach them.
const LISTING: [&str; 4] = [
    "--list-hosts",
    "--list-tags",
    "--list-tasks",
    "--syntax-check",
];

/// Refuses options that have to be pichroot's own; `place` says where they were given.
///
/// # Errors
/// [`crate::error::Kind::Usage`], with the option but not its value.
pub fn check<'a>(arguments: impl Iterator<Item = &'a OsStr>, place: &str) -> Result<()> {
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let long = argument.split('=').next().unwrap_or_default();
        let found = OWN.iter().find(|(short, least, full)| {
            argument.starts_with(short) || (long.starts_with(least) && full.starts_with(long))
        });
        let Some((_, _, option)) = found else {
            continue;
        };
        let error = Error::usage(format!("{option} cannot be in {place}"));
        return Err(error.hint(match *option {
            "--connection" | "--ask-pass" => "pichroot sets the connection to the image itself",
            _ => "give it to pichroot, before any --",
        }));
    }
    Ok(())
}

/// Whether ansible-playbook with these arguments only looks.
pub fn changes_nothing(arguments: &[OsString]) -> bool {
    only_lists(arguments) || any(arguments, &DRY)
}

/// Whether ansible-playbook with these arguments only reads the playbook.
pub fn only_lists(arguments: &[OsString]) -> bool {
    any(arguments, &LISTING)
}

fn any(arguments: &[OsString], options: &[&str]) -> bool {
    let is_one = |given: &OsString| options.iter().any(|option| given == option);
    arguments.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_go_round_pichroot_is_refused() {
        let refused = |argument: &str| {
            let result = check([OsStr::new(argument)].into_iter(), "x");
            result.map_err(|error| error.to_string())
        };
        for bad in [
            "-e",
            "-epw=hunter2",
            "--extra-vars=pw=hunter2",
            "--extra",
            "-i",
            "--inv",
            "-call",
        ] {
            assert!(!refused(bad).unwrap_err().contains("hunter2"));
        }
        for good in [
            "--tags",
            "-t",
            "--check",
            "x",
            "--limits",
            "--force-handlers",
            "-K",
        ] {
            refused(good).unwrap();
        }
    }

    #[test]
    fn dry_runs_are_seen() {
        assert!(changes_nothing(&["-D".into(), "--check".into()]));
        assert!(!changes_nothing(&["--diff".into()]));
    }
}
