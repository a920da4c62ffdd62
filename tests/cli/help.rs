//! Help and version.

use clap::CommandFactory;

use crate::case::Case;

#[test]
fn the_version() {
    let case = Case::new();
    let version = concat!("pichroot ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(case.works(&mut case.pichroot(["-V"])), version);
    let long = case.works(&mut case.pichroot(["--version"]));
    assert!(long.starts_with(version), "{long}");
    for licence in ["MIT OR Apache-2.0", "GPL-3.0-or-later"] {
        assert!(long.contains(licence), "{long}");
    }
}

#[test]
fn help_names_every_subcommand_and_gives_examples() {
    let case = Case::new();
    let top = case.works(&mut case.pichroot(["--help"]));
    for command in pichroot::inside::Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            top.contains(&format!("  {name}  ")),
            "{name} is not in: {top}"
        );
        let help = case.works(&mut case.pichroot([name, "--help"]));
        assert!(help.contains("Examples:\n"), "no example in: {help}");
        assert!(help.contains(&format!("Usage: pichroot {name}")), "{help}");
    }
}

#[test]
fn every_option_and_argument_has_help_of_its_own() {
    fn check(command: &clap::Command) {
        assert!(
            command.get_about().is_some(),
            "{} has no help",
            command.get_name()
        );
        for argument in command.get_arguments() {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                !help.trim().is_empty(),
                "{} {}",
                command.get_name(),
                argument.get_id()
            );
        }
        command.get_subcommands().for_each(check);
    }
    check(&pichroot::inside::Cli::command());
}

#[test]
fn nothing_at_all_gets_the_help() {
    let case = Case::new();
    let ended = case.run(&mut case.pichroot::<&str>([]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("Usage: pichroot"), "{ended:#?}");
    case.unchanged();
}
