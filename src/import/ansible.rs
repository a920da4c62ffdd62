//! The ansible provisioner: its playbook, and what its arguments say.

use serde_json::Value;

use super::{
    image::{Image, Secret},
    later::{Later, Piece, ansible_name, pieces},
    places::Places,
    template::{Block, Left, Template, known},
};
use crate::{
    config::{key_value, yaml},
    sys::command::quote,
};

/// What only reaching a machine needs, or is as always here.
const NOTHING: &[&str] = &[
    "use_proxy",
    "local_port",
    "ssh_host_key_file",
    "ssh_authorized_key_file",
    "ansible_proxy_key_type",
    "sftp_command",
    "use_sftp",
    "skip_version_check",
    "inventory_directory",
    "keep_inventory_file",
    "ansible_ssh_extra_args",
    "host_alias",
    "galaxy_command",
    "galaxy_force_install",
    "galaxy_force_with_deps",
    "command",
    "staging_directory",
    "clean_staging_directory",
    "ansible_winrm_use_http",
];

/// Options with a value that only reaching a machine needs.
const LOGIN: &[&str] = &[
    "--private-key",
    "--key-file",
    "-T",
    "--timeout",
    "--ssh-common-args",
    "--ssh-extra-args",
    "--scp-extra-args",
    "--sftp-extra-args",
];

/// The playbooks of the provisioner; what it says beside goes into `image`.
pub fn playbooks(
    block: &Block,
    template: &Template,
    places: &Places,
    image: &mut Image,
    left: &mut Vec<Left>,
) -> Vec<String> {
    let mut playbooks = Vec::new();
    let mut args = Vec::new();
    for field in &block.fields {
        let (name, line) = (field.name.as_str(), field.line);
        if let Err(why) = &field.value {
            left.push(Left::new(line, name, why));
            continue;
        }
        let mut now = || template.texts_now(block, name, left);
        match name {
            "playbook_file" | "playbook_files" => {
                for path in now() {
                    let (path, found) = places.find(&path);
                    if !found {
                        left.push(Left::missing(line, "playbook", &path));
                    }
                    playbooks.push(path);
                }
            }
            "extra_arguments" => {
                args = arguments(block.texts(name), line, template, places, image, left);
            }
            "user" => image.user = now().pop(),
            "ansible_env_vars" => {
                for text in now() {
                    match text.split_once('=') {
                        Some((name, value)) => image
                            .command_environment
                            .push((name.into(), value.trim_matches(['"', '\'']).into())),
                        None => {
                            let what = format!("{text:?} in {name}");
                            left.push(Left::new(line, what, "it is not NAME=VALUE"));
                        }
                    }
                }
            }
            "inventory_file" => {
                let paths = now().into_iter().map(|path| places.find(&path).0);
                image.inventory.extend(paths);
            }
            "roles_path" | "collections_path" => {
                let variable = format!("ANSIBLE_{}", name.to_uppercase());
                let path = now().pop().map(|path| places.find(&path).0);
                image
                    .command_environment
                    .extend(path.map(|path| (variable, path)));
            }
            "galaxy_file" => {
                let files = now().into_iter().map(|path| {
                    format!("ansible-galaxy install -r {}", quote(&places.find(&path).0))
                });
                image.before.extend(files);
            }
            "groups" | "empty_groups" => left.push(Left::new(
                line,
                name,
                "put the machine's name into these groups in an inventory, and name that by -i",
            )),
            _ if NOTHING.contains(&name) || known(name) => {}
            _ => left.push(Left::new(line, name, "nothing here is like it")),
        }
    }
    if image.args.as_ref().is_some_and(|known| *known != args) {
        let why =
            "one run has all playbooks, so the arguments of all provisioners are for each of them";
        let line = block.line_of("extra_arguments");
        left.push(Left::new(line, "a run with other arguments", why));
    }
    let known = image.args.get_or_insert_default();
    let new = args.into_iter().filter(|arg| !known.contains(arg));
    let new: Vec<_> = new.collect();
    known.extend(new);
    let named = ["playbook_file", "playbook_files"];
    if named.iter().all(|name| block.field(name).is_none()) {
        left.push(Left::new(
            block.line,
            "a provisioner without a playbook",
            "add its playbook to the new one",
        ));
    }
    playbooks
}

/// Arguments of ansible-playbook: those that are to be handed on.
fn arguments(
    given: Vec<String>,
    line: usize,
    template: &Template,
    places: &Places,
    image: &mut Image,
    left: &mut Vec<Left>,
) -> Vec<String> {
    let mut args = Vec::new();
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        let (option, joined) = split(&argument);
        let mut value = || joined.clone().or_else(|| given.next()).unwrap_or_default();
        match option {
            "-c" | "--connection" => drop(value()),
            "-i" | "--inventory" | "--inventory-file" => {
                let value = value();
                // The image itself, by where it is mounted.
                if !value.ends_with(',') && template.now(&value).is_ok() {
                    image.inventory.push(places.find(&value).0);
                }
            }
            "-l" | "--limit" => {
                let value = value();
                if template.now(&value).is_ok() {
                    let why = "the image is the only host: its name has to be in what --limit says";
                    left.push(Left::new(line, format!("{option} {value}"), why));
                }
            }
            "-u" | "--user" => match template.now(&value()) {
                Ok(user) => image.user = Some(user),
                Err(why) => left.push(Left::new(line, option, why)),
            },
            "-e" | "--extra-vars" => {
                variables(&value(), line, template, places, image, left);
            }
            "-k" | "--ask-pass" => {}
            _ if LOGIN.contains(&option) => drop(value()),
            _ => match template.now(&argument) {
                Ok(argument) => args.push(argument),
                Err(why) => left.push(Left::new(line, "an argument of ansible-playbook", why)),
            },
        }
    }
    args
}

/// An option with the value that is joined to it.
fn split(argument: &str) -> (&str, Option<String>) {
    if argument.starts_with("--") {
        return match argument.split_once('=') {
            Some((option, value)) => (option, Some(value.to_owned())),
            None => (argument, None),
        };
    }
    let joins = ["-e", "-i", "-l", "-u", "-c"];
    match joins
        .iter()
        .find(|option| argument.len() > 2 && argument.starts_with(**option))
    {
        Some(option) => (
            &argument[..2],
            Some(argument[option.len()..].trim_start_matches('=').to_owned()),
        ),
        None => (argument, None),
    }
}

/// What `--extra-vars` says.
fn variables(
    text: &str,
    line: usize,
    template: &Template,
    places: &Places,
    image: &mut Image,
    left: &mut Vec<Left>,
) {
    if let Some(path) = text.strip_prefix('@') {
        match template.now(path) {
            Ok(path) => {
                let words = format!("-e {}", quote(&format!("@{}", places.find(&path).0)));
                image.command_words.push(words);
            }
            Err(why) => left.push(Left::new(line, "a file of variables", why)),
        }
        return;
    }
    let map = match text.trim_start().starts_with(['{', '[']) {
        true => serde_yaml::from_str(text)
            .ok()
            .and_then(|value| yaml::to_json(value).ok()),
        false => key_value::parse(text).ok().map(Value::Object),
    };
    let Some(Value::Object(map)) = map else {
        let why = "these cannot be read: add them to vars of pichroot.yml";
        left.push(Left::new(line, "extra variables", why));
        return;
    };
    // Where the image is, and how it is reached.
    let ours = [
        "ansible_host",
        "ansible_connection",
        "ansible_port",
        "ansible_ssh_private_key_file",
    ];
    for (name, value) in map {
        if !ours.contains(&name.as_str())
            && let Err(why) = variable(&name, value, image)
        {
            left.push(Left::new(line, format!("the variable {name}"), why));
        }
    }
}

fn variable(name: &str, value: Value, image: &mut Image) -> Result<(), String> {
    let Value::String(text) = &value else {
        let value = image.in_ansible_deep(value)?;
        return image.set_var(name, value);
    };
    match pieces(text).as_slice() {
        [Piece::Later(Later::Variable(same))] if ansible_name(same) == name => {
            image.handed_on.push(same.clone());
        }
        [Piece::Later(Later::Vault(path, field))] => {
            let secret = Secret::Vault(path.clone(), field.clone());
            image.set_secret(name, secret)?;
        }
        [Piece::Later(Later::Environment(variable))] => {
            image.set_secret(name, Secret::Environment(variable.clone()))?;
        }
        _ => {
            let value = match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                text => image.in_ansible(text)?.into(),
            };
            image.set_var(name, value)?;
        }
    }
    Ok(())
}
