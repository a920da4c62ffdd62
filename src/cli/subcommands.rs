//! From the arguments of a subcommand to its plan, and over to the run.

use super::args::{
    AnsibleArgs, BootArgs, ExecArgs, FlashArgs, ImageArgs, ImagesArgs, ImportArgs, PublishArgs,
    ShellArgs,
};
use crate::{
    config::{
        AnsiblePlan, BootPlan, CommandPlan, FlashPlan, ImagesPlan, PublishPlan, Surroundings,
    },
    error::{Error, Result},
    import::Wanted,
    run::{boot, command, flash, images, import, playbook, publish},
    ui::Ui,
};

/// `pichroot ansible PLAYBOOK`.
pub fn ansible(args: AnsibleArgs, ui: &Ui) -> Result<u8> {
    let around = Surroundings::of_process()?;
    let plan = AnsiblePlan::new(args.into(), &around)?;
    playbook::run(plan, around, ui).map(|()| 0)
}

/// `pichroot exec IMAGE -- COMMAND`: its exit code.
pub fn exec(args: ExecArgs, ui: &Ui) -> Result<u8> {
    let words = args.command.into_iter().map(|word| {
        word.into_string()
            .map_err(|_| Error::usage("the command is not UTF-8"))
    });
    run(args.image, words.collect::<Result<_>>()?, ui)
}

/// `pichroot shell IMAGE`: the exit code of the shell.
pub fn shell(args: ShellArgs, ui: &Ui) -> Result<u8> {
    // bash where the image has it; `sh` is found by the executor either way.
    let login = "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi";
    run(args.image, vec!["sh".into(), "-c".into(), login.into()], ui)
}

/// `pichroot boot IMAGE`.
pub fn boot(args: BootArgs, ui: &Ui) -> Result<u8> {
    let around = Surroundings::of_process()?;
    let plan = BootPlan::new(args.into(), &around)?;
    boot::run(&plan, &around, ui).map(|()| 0)
}

/// `pichroot flash IMAGE DEVICE`.
pub fn flash(args: FlashArgs, ui: &Ui) -> Result<u8> {
    let around = Surroundings::of_process()?;
    let plan = FlashPlan::new(&args.into(), &around)?;
    flash::run(plan, ui).map(|()| 0)
}

/// `pichroot publish IMAGE`.
pub fn publish(args: PublishArgs, ui: &Ui) -> Result<u8> {
    let around = Surroundings::of_process()?;
    let plan = PublishPlan::new(args.into(), &around)?;
    publish::run(plan, &around, ui).map(|()| 0)
}

/// `pichroot images WORDS`.
pub fn images(args: &ImagesArgs, ui: &Ui) -> Result<u8> {
    let around = Surroundings::of_process()?;
    let plan = ImagesPlan::new(&args.catalogues, args.config.as_deref(), &around)?;
    images::run(&plan, &args.words.join(" "), args.json, ui).map(|()| 0)
}

/// `pichroot import TEMPLATE`.
pub fn import(args: ImportArgs, ui: &Ui) -> Result<u8> {
    let cwd = Surroundings::of_process()?.cwd;
    let variables = args
        .variables
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Error::usage(format!("--var {text} is not NAME=VALUE"))
                .hint("write --var NAME=VALUE")),
        });
    let wanted = Wanted {
        template: cwd.join(args.template),
        var_files: args
            .var_files
            .into_iter()
            .map(|path| cwd.join(path))
            .collect(),
        variables: variables.collect::<Result<_>>()?,
        folder: args
            .output
            .map_or_else(|| cwd.clone(), |folder| cwd.join(folder)),
        cwd,
    };
    import::run(&wanted, args.force, ui).map(|()| 0)
}

fn run(args: ImageArgs, words: Vec<String>, ui: &Ui) -> Result<u8> {
    let around = Surroundings::of_process()?;
    let plan = CommandPlan::new(&args.image, args.write, args.open.into(), &around)?;
    command::run(&plan, words, args.verbose, ui)
}
