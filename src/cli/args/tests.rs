//! Command lines, right and wrong.

use clap::CommandFactory;

use super::*;
use crate::config::{Emulation, FirstBoot, Given, Live, Network, OnError, Shortcut};

fn parse(line: &[&str]) -> Result<Command, String> {
    Cli::try_parse_from(std::iter::once(&"pichroot").chain(line))
        .map(|cli| cli.command)
        .map_err(|error| error.to_string())
}

fn given(line: &[&str]) -> Given {
    match parse(line) {
        Ok(Command::Ansible(args)) => (*args).into(),
        Ok(_) => panic!("not the ansible command"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn options_may_stand_before_and_after_the_playbook() {
    let given = given(&[
        "ansible",
        "-v",
        "site.yml",
        "-e",
        "a=1",
        "--extra-vars={b: 2}",
        "-vv",
        "-t",
        "x",
        "--tags",
        "y",
        "--on-error",
        "keep",
        "--emulation=qemu",
        "--network",
        "none",
        "--live=fail",
        "--first-boot",
        "off",
        "-CD",
        "--",
        "--foo",
        "-v",
    ]);
    assert_eq!(given.playbook.to_str(), Some("site.yml"));
    assert_eq!(given.extra_vars, ["a=1", "{b: 2}"]);
    assert_eq!(given.verbosity, 3);
    assert_eq!(given.options, ["--check", "--diff", "--tags=x", "--tags=y"]);
    assert_eq!(given.rest, ["--foo", "-v"]);
    assert_eq!(given.on_error, Some(OnError::Keep));
    assert_eq!(given.image.emulation, Some(Emulation::Qemu));
    assert_eq!(given.image.network, Some(Network::None));
    assert_eq!(given.image.live, Some(Live::Fail));
    assert_eq!(given.image.first_boot, Some(FirstBoot::Off));
}

#[test]
fn shortcuts_are_named_one_by_one() {
    let line = [
        "site.yml",
        "--no-shortcut",
        "sync",
        "--no-shortcut=apt-hooks",
    ];
    let given = given(&[&["ansible"], &line[..]].concat());
    assert_eq!(
        given.image.no_shortcuts,
        [Shortcut::Sync, Shortcut::AptHooks]
    );
    let Ok(Command::Shell(args)) = parse(&["shell", "--no-shortcut", "all", "a.img"]) else {
        panic!("shell expected")
    };
    assert_eq!(args.image.open.no_shortcuts, [Shortcut::All]);
    let error = parse(&["ansible", "site.yml", "--no-shortcut", "snyc"]);
    assert!(error.err().unwrap().contains("sync"));
}

#[test]
fn a_command_in_an_image_follows_two_hyphens() {
    let Ok(Command::Exec(args)) = parse(&["exec", "--write", "a.img", "--", "ls", "-l"]) else {
        panic!("exec expected")
    };
    assert!(args.image.write);
    assert_eq!(args.command, ["ls", "-l"]);
    assert!(parse(&["exec", "a.img"]).is_err());
    assert!(matches!(parse(&["shell", "a.img"]), Ok(Command::Shell(_))));
    assert!(matches!(
        parse(&["doctor", "--json"]),
        Ok(Command::Doctor(_))
    ));
}

#[test]
fn errors_do_not_repeat_variables() {
    for line in [
        &["ansible", "-e", "pw=hunter2"][..],
        &[
            "ansible",
            "site.yml",
            "-e",
            "pw=hunter2",
            "--emulation",
            "wrong",
        ],
        &["ansible", "site.yml", "-e", "pw=hunter2", "--unknown"],
    ] {
        let error = parse(line).err().unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn every_command_has_examples() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string);
        assert!(help.is_some_and(|help| help.matches("  pichroot ").count()
            + help.matches("sudo pichroot").count()
            >= 3));
    }
}
