//! The checked plan of `pichroot ansible`.

use std::{
    ffi::OsString,
    mem::take,
    path::{Path, PathBuf},
};

use super::{
    choice::{Executor, OnError},
    extra_vars,
    file::File,
    finish,
    given::Given,
    image::{ImagePlan, Machine},
    known::Known,
    locations, machine, names, passthrough,
    playbook::Playbook,
    read::{read_config, unread},
    source,
    surroundings::Surroundings,
    targets::{GivenTargets, Targets},
};
use crate::{
    ansible::{ExtraVars, find, hosts, json::Vars, user_inventory},
    error::{Error, Result},
    event::Event,
    finish::plan::Finish,
    image::{Asked, Source as ImageSource, kept},
    nearest,
    secrets::{Secret, Source},
    shape::grow::Grow,
};

/// Everything `pichroot ansible` is going to do; all paths are absolute.
#[derive(Debug)]
pub struct AnsiblePlan {
    /// The playbook.
    pub playbook: Playbook,
    /// The image to start from, and how its programs are run; `None` where ansible-playbook only lists.
    pub image: Option<ImagePlan>,
    /// How large the image is to be.
    pub grow: Option<Grow>,
    /// How large a kept image was before it was grown, in bytes.
    pub original_size: Option<u64>,
    /// The plain image, which is one of the outputs or stands for the first of them.
    pub output: PathBuf,
    /// What is made of it.
    pub finish: Finish,
    /// Where it is published in the end.
    pub publish: Option<Targets>,
    /// Plain variables that are known before Ansible runs.
    pub known: Known,
    /// Whether an output that exists is replaced.
    pub force: bool,
    /// The image's name in the inventory, and its host name while the playbook runs.
    pub host_name: String,
    /// `vars` of pichroot.yml: the lowest precedence.
    pub vars: Vars,
    /// `--var-file`, then `-e`: lowest precedence first.
    pub extra_vars: Vec<ExtraVars>,
    /// Secrets, not yet fetched: the highest precedence.
    pub secrets: Vec<Secret>,
    /// `--user`.
    pub user: Option<String>,
    /// The user's inventories, also those of ANSIBLE_INVENTORY and ansible.cfg.
    pub inventories: Vec<String>,
    /// The user's `--limit`.
    pub limit: Option<String>,
    /// How many `-v`.
    pub verbosity: u8,
    /// Further arguments for ansible-playbook.
    pub arguments: Vec<OsString>,
    /// Whether ansible-playbook will change nothing (`--check`, or it only lists),
    /// so that there is nothing to write to `output`.
    pub changes_nothing: bool,
    /// `ansible.command` of pichroot.yml.
    pub command: Option<PathBuf>,
    /// Whether an image in which nothing ran is an output, too.
    pub allow_unchanged: bool,
    /// Whether this goes on from a kept image, which is then its source.
    pub resume: bool,
    /// What becomes of the work image on failure.
    pub on_error: OnError,
    /// How Ansible reaches the image.
    pub executor: Executor,
}

impl AnsiblePlan {
    /// Makes the plan from the command line and the configuration file it names, else
    /// ./pichroot.yml where that exists.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] for whatever is wrong, with its path or name and a hint.
    pub fn new(mut given: Given, around: &Surroundings) -> Result<Self> {
        let (cwd, home) = (around.cwd.as_path(), around.home());
        let (file, folder) = read_config(given.image.config.as_deref(), cwd)?;
        let playbook = Playbook::find(&given.playbook, cwd, around.data_dir.as_deref())?;

        let mut extra = Vec::new();
        for path in &given.var_files {
            extra.push(extra_vars::file(path, cwd)?);
        }
        for text in &given.extra_vars {
            extra.push(extra_vars::option(text, cwd)?);
        }
        let known = Known::new(&file.vars, &extra);
        let unread = unread(given.image.config.as_deref(), cwd, playbook.name());

        passthrough::check(file.ansible.args.iter().map(AsRef::as_ref), "ansible.args")?;
        passthrough::check(given.rest.iter().map(AsRef::as_ref), "what follows --")?;
        let configured = file.ansible.args.iter().map(OsString::from);
        let typed = take(&mut given.options)
            .into_iter()
            .chain(take(&mut given.rest));
        let mut arguments: Vec<_> = configured.chain(typed).collect();
        let changes_nothing = passthrough::changes_nothing(&arguments);

        let inventories = if given.inventories.is_empty() {
            inventories(&file.ansible.inventory, &folder, home)?
        } else {
            inventories(&given.inventories, cwd, home)?
        };
        let command = file.ansible.command.as_deref();
        let command = command.map(|command| locations::program(command, &folder, home));
        let machine = names::given(file.ansible.host_name.as_deref(), &known, || {
            only_host(
                command.as_deref(),
                &inventories,
                given.limit.as_deref(),
                around,
            )
        })?;
        let finish = finish::plan(&mut given, &file.finish, around, || {
            let expand = |template: &String| {
                let path = names::expand("image.output", template, &known, machine.as_deref())?;
                Ok(locations::absolute(&path, &folder, home))
            };
            match file.image.output.all() {
                [] => Ok(vec![cwd.join(names::default_output(
                    machine.as_deref(),
                    playbook.name(),
                ))]),
                templates => templates.iter().map(expand).collect(),
            }
        })?;
        let output = finish.image();
        let publish = match given.publish && !changes_nothing {
            true => Some(publish(&given, (&file, &folder), &extra, around)?),
            false => None,
        };
        let host_name = machine.unwrap_or_else(|| names::from_stem(&output));

        let becomes = Machine::new(&host_name, &known)?;
        let mut original_size = None;
        let image = if passthrough::only_lists(&arguments) {
            None
        } else {
            let files = (&file, folder.as_path());
            let source = match given.resume {
                true => {
                    let record = kept(&output, &playbook)?;
                    original_size = record.size;
                    arguments.extend(resume(record, &arguments));
                    Ok(Asked::Source(ImageSource::kept(&output)))
                }
                false => source::source(given.source.as_deref(), &given.image, files, around),
            };
            let source = source.map_err(|error| match &unread {
                Some(path) if given.source.is_none() => error.better_hint(format!(
                    "{} is read only in its own folder, or by --config {}",
                    path.display(),
                    path.display()
                )),
                _ => error,
            })?;
            finish.check(given.force || changes_nothing, source.path())?;
            let mut image = ImagePlan::new(source, becomes, &given.image, &file, around)?;
            if let Some(declared) = &file.image.new {
                let new = finish::new_image(declared, &file, given.grow.is_some())?;
                image.settings.layout = Some(new.layout.clone());
                // A kept image has been made.
                image.new = (!given.resume).then_some(new);
            }
            image.notes.extend(unread.map(Event::ConfigNotRead));
            if changes_nothing {
                image.settings.shortcuts.initramfs = false;
            }
            Some(image)
        };

        let grow = given.grow.or(file.image.grow);
        let grow = grow.map(|size| size.parse()).transpose()?;
        let secrets = file
            .secrets
            .0
            .into_iter()
            .map(|(name, entry)| (name, entry.0));
        Ok(AnsiblePlan {
            secrets: secrets_of(secrets, &given.secrets, &folder, around)?,
            inventories: user_inventory::sources(&inventories, &around.env, cwd),
            command,
            user: given.user.or(file.ansible.user),
            resume: given.resume,
            on_error: given.on_error.or(file.on_error).unwrap_or_default(),
            executor: given.executor.or(file.executor).unwrap_or_default(),
            limit: given.limit,
            verbosity: given.verbosity,
            force: given.force,
            allow_unchanged: given.allow_unchanged,
            vars: file.vars,
            extra_vars: extra,
            playbook,
            image,
            grow,
            original_size,
            output,
            finish,
            publish,
            known,
            host_name,
            arguments,
            changes_nothing,
        })
    }

    /// The environment variables that hold secrets, which Ansible is not to see.
    pub fn secret_variables(&self) -> Vec<String> {
        let names = self.secrets.iter().map(|secret| match &secret.source {
            Source::Env(name) => Some(name.clone()),
            _ => None,
        });
        names.flatten().collect()
    }
}

/// Where the image is published, by the machine's variables.
fn publish(
    given: &Given,
    files: (&File, &Path),
    extra: &[ExtraVars],
    around: &Surroundings,
) -> Result<Targets> {
    let asked = machine::Asked {
        inventories: &given.inventories,
        limit: given.limit.as_deref(),
    };
    let (known, name) = machine::find(&asked, files, extra, around)?;
    let name = name.ok_or_else(machine::unnamed)?;
    Targets::new(&GivenTargets::default(), files, &known, &name, around)
}

/// The secrets of the file with those of the command line in place of, or after, them.
fn secrets_of(
    configured: impl Iterator<Item = (String, Source)>,
    given: &[String],
    folder: &Path,
    around: &Surroundings,
) -> Result<Vec<Secret>> {
    let mut secrets: Vec<Secret> = Vec::new();
    let mut add = |name: String, mut source: Source, base: &Path| {
        if let Source::File(path) = &mut source {
            *path = locations::absolute(&path.to_string_lossy(), base, around.home());
        }
        secrets.retain(|secret| secret.name != name);
        secrets.push(Secret { name, source });
    };
    for (name, source) in configured {
        add(name, source, folder);
    }
    for text in given {
        let (name, source) = Source::parse_assignment(text)?;
        add(name, source, &around.cwd);
    }
    Ok(secrets)
}

/// Absolute inventories that exist; Ansible would only warn of a missing one.
fn inventories(given: &[String], base: &Path, home: Option<&Path>) -> Result<Vec<String>> {
    let absolute = given.iter().map(|text| {
        let place = locations::inventory(text, base, home);
        if place.contains(',') || Path::new(&place).exists() {
            return Ok(place);
        }
        let other = "name a file or folder, or a list of hosts with a comma at its end";
        Err(Error::usage(format!("there is no inventory {place}"))
            .hint(nearest::hint(Path::new(&place), other)))
    });
    absolute.collect()
}

/// What is known of the kept run, which has to be one of this playbook.
fn kept(output: &Path, playbook: &Playbook) -> Result<kept::Record> {
    let record = kept::Record::read(output)?;
    if Path::new(&record.playbook) != playbook.name() {
        return Err(Error::usage(format!(
            "{} is of another playbook, {}",
            kept::name(output).display(),
            record.playbook
        ))
        .hint("give that playbook, or leave out --resume"));
    }
    Ok(record)
}

/// The argument to go on with where the kept run has failed, unless the user names a task.
fn resume(record: kept::Record, arguments: &[OsString]) -> Option<OsString> {
    let option = "--start-at-task";
    let named = arguments
        .iter()
        .any(|argument| argument.as_encoded_bytes().starts_with(option.as_bytes()));
    let task = record.start_at_task.filter(|_| !named);
    task.map(|task| format!("{option}={task}").into())
}

/// The one host of the inventories that are given, if there is one and no other.
fn only_host(
    command: Option<&Path>,
    inventories: &[String],
    limit: Option<&str>,
    around: &Surroundings,
) -> Result<Option<String>> {
    if inventories.is_empty() {
        return Ok(None);
    }
    let (env, cwd) = (&around.env, &around.cwd);
    let program = find::ansible_playbook(command, env, cwd, around.venv.as_deref())?;
    let mut hosts = hosts::of(&program, inventories, limit, env, cwd)?;
    Ok(hosts.pop().filter(|_| hosts.is_empty()))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
