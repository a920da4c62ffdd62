//! The files and the command line, as text.

use std::path::PathBuf;

use serde_yaml::{Mapping, Value as Yaml};

use super::{
    image::{Image, Secret},
    later::{Later, ansible_name, fill},
    places::Places,
    plays::{Play, Plays},
    template::Template,
};
use crate::{config::file::NAME, sys::command::quote};

/// All files by their names, and what to run.
pub fn all(
    template: &Template,
    mut image: Image,
    plays: Plays,
    places: &Places,
) -> (Vec<(PathBuf, String)>, Vec<String>) {
    let output = image.output.as_deref().and_then(|output| {
        let expanded = fill(output, |later| match later {
            Later::Variable(name) => Ok(format!("{{{}}}", ansible_name(name))),
            other => Err(other.to_string()),
        });
        image.handed_on.extend(Template::variables_in(output));
        // Nothing else is in it.
        expanded.ok()
    });
    image.handed_on.sort_unstable();
    image.handed_on.dedup();
    let playbook = name(&places.stem, &plays);
    let command = command(template, &image, &playbook);
    let mut files = vec![
        (PathBuf::from(NAME), configuration(template, &image, output)),
        (PathBuf::from(&playbook), playbook_text(&image, plays.plays)),
    ];
    files.extend(plays.files);
    let mut commands = image.before;
    commands.push(command);
    (files, commands)
}

/// The new playbook's name, which is neither pichroot's nor that of a playbook that it imports.
fn name(stem: &str, plays: &Plays) -> String {
    let mut name = format!("{stem}.yml");
    while name == NAME || plays.plays.contains(&Play::Import(name.clone())) {
        name.insert_str(name.len() - ".yml".len(), "-image");
    }
    name
}

fn configuration(template: &Template, image: &Image, output: Option<String>) -> String {
    let mut section = Mapping::new();
    let parts = [
        ("source", image.source.clone()),
        ("checksum", image.checksum.clone()),
        ("grow", image.grow.clone()),
        ("output", output),
    ];
    section.extend(
        parts
            .into_iter()
            .filter_map(|(key, value)| Some((key.into(), value?.into()))),
    );
    let new = image
        .new
        .as_ref()
        .map(|new| serde_yaml::to_value(new).unwrap_or_default());
    section.extend(new.map(|new| ("new".into(), new)));
    let mut ansible = Mapping::new();
    let user = image.user.as_deref();
    ansible.extend(user.map(|user| ("user".into(), user.into())));
    let args = image.args.as_deref().unwrap_or_default();
    for (key, list) in [("inventory", &image.inventory[..]), ("args", args)] {
        if !list.is_empty() {
            let list: Vec<Yaml> = list.iter().map(|text| text.as_str().into()).collect();
            ansible.insert(key.into(), list.into());
        }
    }
    let mut vars = Mapping::new();
    for name in &image.handed_on {
        let variable = template
            .variables
            .iter()
            .find(|variable| variable.name == *name);
        if let Some(variable) = variable.filter(|variable| !variable.sensitive && !variable.in_file)
            && let Some(value) = &variable.value
        {
            vars.insert(
                ansible_name(name).into(),
                serde_yaml::to_value(value).unwrap_or_default(),
            );
        }
    }
    for (name, value) in &image.vars {
        vars.insert(
            name.as_str().into(),
            serde_yaml::to_value(value).unwrap_or_default(),
        );
    }
    let mut secrets = Mapping::new();
    for (name, secret) in &image.secrets {
        let source: &[(&str, &str)] = match secret {
            Secret::Vault(path, field) => &[("vault", path), ("field", field)],
            Secret::Environment(name) => &[("env", name)],
        };
        let source: Mapping = source
            .iter()
            .map(|(key, value)| (Yaml::from(*key), Yaml::from(*value)))
            .collect();
        secrets.insert(name.as_str().into(), source.into());
    }
    let sections = [
        ("image", section),
        ("ansible", ansible),
        ("vars", vars),
        ("secrets", secrets),
    ];
    let sections = sections
        .into_iter()
        .filter(|(_, section)| !section.is_empty());
    let file: Mapping = sections
        .map(|(key, section)| (Yaml::from(key), section.into()))
        .collect();
    format!(
        "# Made by pichroot import. docs/configuration.md describes it.\n{}",
        yaml(&file.into())
    )
}

fn playbook_text(image: &Image, plays: Vec<Play>) -> String {
    let plays = plays.into_iter().map(|play| match play {
        Play::Import(path) => {
            let name = ("name", Yaml::from(format!("Run {path}")));
            mapping([name, ("ansible.builtin.import_playbook", path.into())])
        }
        Play::Tasks(tasks) => {
            let mut play = mapping([
                ("name", "Do what the template's provisioners do".into()),
                ("hosts", "all".into()),
                ("gather_facts", false.into()),
            ]);
            if !image.environment.is_empty() {
                let environment = image.environment.iter();
                let environment: Mapping = environment
                    .map(|(k, v)| (k.as_str().into(), v.as_str().into()))
                    .collect();
                play.insert("environment".into(), environment.into());
            }
            let tasks: Vec<Yaml> = tasks.into_iter().map(Yaml::from).collect();
            play.insert("tasks".into(), tasks.into());
            play
        }
    });
    let plays: Vec<Yaml> = plays.map(Yaml::from).collect();
    format!("# Made by pichroot import.\n{}", yaml(&plays.into()))
}

fn mapping<const N: usize>(parts: [(&str, Yaml); N]) -> Mapping {
    parts
        .into_iter()
        .map(|(key, value)| (Yaml::from(key), value))
        .collect()
}

fn yaml(value: &Yaml) -> String {
    serde_yaml::to_string(value).expect("it is made of texts, lists and mappings")
}

fn command(template: &Template, image: &Image, playbook: &str) -> String {
    let mut words = vec!["sudo".to_owned()];
    let vault = image
        .secrets
        .iter()
        .any(|(_, secret)| matches!(secret, Secret::Vault(..)));
    let mut let_through: Vec<&str> = if vault {
        vec!["VAULT_ADDR", "VAULT_TOKEN"]
    } else {
        Vec::new()
    };
    let_through.extend(image.secrets.iter().filter_map(|(_, secret)| match secret {
        Secret::Environment(name) => Some(name.as_str()),
        Secret::Vault(..) => None,
    }));
    if !let_through.is_empty() {
        words.push(format!("--preserve-env={}", let_through.join(",")));
    }
    if !image.command_environment.is_empty() {
        words.push("env".into());
        let assignments = image.command_environment.iter();
        words.extend(assignments.map(|(name, value)| quote(&format!("{name}={value}"))));
    }
    words.extend(["pichroot".into(), "ansible".into(), quote(playbook)]);
    for name in &image.handed_on {
        let variable = template
            .variables
            .iter()
            .find(|variable| variable.name == *name);
        let name = ansible_name(name);
        match variable {
            Some(variable) if variable.in_file => {}
            Some(variable) if variable.sensitive => words.push(format!("--secret {name}=prompt")),
            Some(variable) if variable.value.is_none() => words.push(format!("-e {name}=VALUE")),
            _ => {}
        }
    }
    words.extend(image.command_words.iter().cloned());
    words.join(" ")
}
