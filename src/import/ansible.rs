//! The ansible provisioner: its playbook, and what its arguments say.

use serde_json::Value;

use super::{
    image::{Image, Secret},
    later::{Later, Piece, pieces},
    places::Places,
    template::{Block, Left, Template, known},
};
use crate::config::{key_value, yaml};

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

/// The playbooks of the provisioner; what it says beside goes into `image`.
pub fn playbooks(
    block: &Block,
    template: &Template,
    places: &Places,
    image: &mut Image,
    left: &mut Vec<Left>,
) -> Vec<String> {
    let mut playbooks = Vec::new();
    for field in &block.fields {
        let (name, line) = (field.name.as_str(), field.line);
        if let Err(why) = &field.value {
            left.push(Left::new(line, name, why));
            continue;
        }
        let texts = block.texts(name);
        match name {
            "playbook_file" | "playbook_files" => {
                for text in texts {
                    match template.now(&text) {
                        Err(why) => left.push(Left::new(line, name, &why)),
                        Ok(path) => {
                            let (path, found) = places.find(&path);
                            if !found {
                                left.push(Left::missing(line, "playbook", &path));
                            }
                            playbooks.push(path);
                        }
                    }
                }
            }
            "extra_arguments" => arguments(texts, line, template, places, image, left),
            "user" => image.user = texts.into_iter().next(),
            "ansible_env_vars" => {
                for text in texts {
                    match (template.now(&text), text.split_once('=')) {
                        (Ok(now), Some(_)) => {
                            let (name, value) = now.split_once('=').expect("it had one before");
                            image
                                .command_environment
                                .push((name.into(), value.trim_matches(['"', '\'']).into()));
                        }
                        (Err(why), _) => left.push(Left::new(line, name, &why)),
                        (Ok(_), None) => left.push(Left::new(line, &text, "this is no NAME=VALUE")),
                    }
                }
            }
            "inventory_file" => image
                .inventory
                .extend(texts.iter().map(|path| places.find(path).0)),
            "roles_path" | "collections_path" => {
                let variable = format!("ANSIBLE_{}", name.to_uppercase());
                let path = texts.first().map(|path| places.find(path).0);
                image
                    .command_environment
                    .extend(path.map(|path| (variable, path)));
            }
            "galaxy_file" => {
                let files = texts
                    .iter()
                    .map(|path| format!("ansible-galaxy install -r {}", places.find(path).0));
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
    if playbooks.is_empty() {
        left.push(Left::new(
            block.line,
            "a provisioner without a playbook",
            "add its playbook to the new one",
        ));
    }
    playbooks
}

/// Arguments of ansible-playbook.
fn arguments(
    given: Vec<String>,
    line: usize,
    template: &Template,
    places: &Places,
    image: &mut Image,
    left: &mut Vec<Left>,
) {
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
            "-u" | "--user" => image.user = Some(value()),
            "-e" | "--extra-vars" => variables(&value(), line, places, image, left),
            "-k" | "--ask-pass" | "--private-key" | "--key-file" | "-T" | "--timeout" => {
                if option != "-k" && option != "--ask-pass" {
                    value();
                }
            }
            _ => match template.now(&argument) {
                Ok(argument) => image.args.push(argument),
                Err(why) => left.push(Left::new(line, "an argument of ansible-playbook", why)),
            },
        }
    }
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
fn variables(text: &str, line: usize, places: &Places, image: &mut Image, left: &mut Vec<Left>) {
    if let Some(path) = text.strip_prefix('@') {
        image
            .command_words
            .push(format!("-e @{}", places.find(path).0));
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
        image.vars.push((name.to_owned(), value));
        return Ok(());
    };
    match pieces(text).as_slice() {
        [Piece::Later(Later::Variable(same))] if same == name => {
            image.handed_on.push(name.to_owned())
        }
        [Piece::Later(Later::Vault(path, field))] => {
            let secret = Secret::Vault(path.clone(), field.clone());
            image.secrets.push((name.to_owned(), secret));
        }
        [Piece::Later(Later::Environment(variable))] => {
            image
                .secrets
                .push((name.to_owned(), Secret::Environment(variable.clone())));
        }
        _ => {
            let value = match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                text => image.in_ansible(text)?.into(),
            };
            image.vars.push((name.to_owned(), value));
        }
    }
    Ok(())
}
