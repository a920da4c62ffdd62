//! Provisioners become plays.

use std::path::PathBuf;

use serde_yaml::{Mapping, Value as Yaml};

use super::{
    ansible,
    later::{Later, Piece, pieces},
    places::Places,
    source::{Image, Secret},
    template::{Block, Left, Template},
};
use crate::sys::command::quote;

/// A play of the new playbook.
#[derive(Debug, PartialEq)]
pub enum Play {
    /// Tasks for the image, none of which needs Python in it but for copying.
    Tasks(Vec<Mapping>),
    /// Somebody's playbook.
    Import(String),
}

/// The plays, and the files that they need.
#[derive(Debug, Default)]
pub struct Plays {
    /// In the order of the template.
    pub plays: Vec<Play>,
    /// Files by their name in the folder.
    pub files: Vec<(PathBuf, String)>,
}

/// What says of a provisioner how it is run, and not what it does.
const HOW: &[&str] = &[
    "pause_before",
    "max_retries",
    "timeout",
    "keep_inventory_file",
];

/// Whether this is a field of every provisioner that says nothing here.
pub fn known(name: &str) -> bool {
    HOW.contains(&name)
}

/// All provisioners that are for `source`, and what is to be said of the post-processors.
pub fn plays(
    source: &Block,
    template: &Template,
    places: &Places,
    image: &mut Image,
    left: &mut Vec<Left>,
) -> Plays {
    let mut plays = Plays::default();
    for block in &template.provisioners {
        if !is_for(block, source) {
            let why = "it is not for the source that is translated";
            left.push(Left::new(
                block.line,
                format!("provisioner {}", block.kind),
                why,
            ));
            continue;
        }
        match block.kind.as_str() {
            "shell" => shell(block, template, places, &mut plays, image, left),
            "file" => file(block, places, &mut plays, image, left),
            "ansible" | "ansible-local" => {
                for playbook in ansible::playbooks(block, template, places, image, left) {
                    plays.plays.push(Play::Import(playbook));
                }
            }
            kind => {
                let why = match kind {
                    "shell-local" => {
                        "it runs on this machine: write a task with delegate_to: localhost"
                    }
                    "breakpoint" => {
                        "to look into an image: --on-error keep, then pichroot shell --write OUTPUT.failed"
                    }
                    "sleep" => "there is nothing to wait for",
                    _ => "write what it does as a task",
                };
                left.push(Left::new(block.line, format!("provisioner {kind}"), why));
            }
        }
    }
    for block in &template.after {
        let why = match block.kind.as_str() {
            "checksum" => "run sha256sum on the output",
            "compress" => "pack the output: xz -T0 OUTPUT",
            "flash" => "write the output to the card with dd",
            _ => "run what it does on the output, afterwards",
        };
        left.push(Left::new(
            block.line,
            format!("post-processor {}", block.kind),
            why,
        ));
    }
    plays
}

/// Whether a provisioner is for this source, by its `only` and `except`.
fn is_for(block: &Block, source: &Block) -> bool {
    let full = format!("{}.{}", source.kind, source.name);
    let names = |field| {
        block
            .texts(field)
            .iter()
            .any(|name| *name == full || *name == source.name)
    };
    (block.field("only").is_none() || names("only")) && !names("except")
}

impl Plays {
    /// Adds a task to the play of the tasks before it.
    fn task(&mut self, name: String, parts: impl IntoIterator<Item = (String, Yaml)>) {
        let mut task = Mapping::from_iter([(Yaml::from("name"), Yaml::from(name))]);
        task.extend(
            parts
                .into_iter()
                .map(|(key, value)| (Yaml::from(key), value)),
        );
        match self.plays.last_mut() {
            Some(Play::Tasks(tasks)) => tasks.push(task),
            _ => self.plays.push(Play::Tasks(vec![task])),
        }
    }
}

impl Image {
    /// A text for Ansible, with variables for secrets in it.
    pub fn in_ansible(&mut self, text: &str) -> Result<String, String> {
        let mut named = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => named += &text,
                Piece::Later(later) => {
                    let name = match &later {
                        Later::Variable(name) => {
                            self.handed_on.push(name.clone());
                            name.clone()
                        }
                        Later::Vault(path, field) => {
                            let secret = Secret::Vault(path.clone(), field.clone());
                            self.secret(&format!("{path}_{field}"), secret)
                        }
                        Later::Environment(variable) => {
                            self.secret(variable, Secret::Environment(variable.clone()))
                        }
                        Later::Unknown(why) => return Err(why.clone()),
                    };
                    named += &Later::Variable(name).mark();
                }
            }
        }
        super::later::jinja(&named)
    }

    /// The same for each text in a value.
    pub fn in_ansible_deep(
        &mut self,
        value: serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        use serde_json::Value;
        Ok(match value {
            Value::String(text) => self.in_ansible(&text)?.into(),
            Value::Array(values) => {
                let values = values.into_iter().map(|value| self.in_ansible_deep(value));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let map = map
                    .into_iter()
                    .map(|(key, value)| Ok((key, self.in_ansible_deep(value)?)));
                Value::Object(map.collect::<Result<_, String>>()?)
            }
            other => other,
        })
    }

    /// The name of the variable with this secret.
    fn secret(&mut self, text: &str, secret: Secret) -> String {
        if let Some((name, _)) = self.secrets.iter().find(|(_, known)| *known == secret) {
            return name.clone();
        }
        let name: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let name = format!("secret_{name}");
        self.secrets.push((name.clone(), secret));
        name
    }
}

fn shell(
    block: &Block,
    template: &Template,
    places: &Places,
    plays: &mut Plays,
    image: &mut Image,
    left: &mut Vec<Left>,
) {
    let mut common: Vec<(String, Yaml)> = Vec::new();
    let mut environment = Mapping::new();
    for (field, text) in ["environment_vars", "env"].map(|field| (field, block.texts(field))) {
        for assignment in text {
            let line = block.line_of(field);
            match assignment
                .split_once('=')
                .map(|(name, value)| (name, image.in_ansible(value)))
            {
                Some((name, Ok(value))) => {
                    environment.insert(name.into(), value.into());
                }
                Some((name, Err(why))) => {
                    left.push(Left::new(line, format!("{field} {name}"), why))
                }
                None => left.push(Left::new(line, field, "this is no NAME=VALUE")),
            }
        }
    }
    if !environment.is_empty() {
        common.push(("environment".into(), environment.into()));
    }
    for field in &block.fields {
        let name = field.name.as_str();
        if let Err(why) = &field.value {
            left.push(Left::new(field.line, name, why));
            continue;
        }
        match name {
            "inline" => inline(block, common.clone(), plays, image, left),
            "script" | "scripts" => {
                for text in block.texts(name) {
                    match template.now(&text) {
                        Err(why) => left.push(Left::new(field.line, name, why)),
                        Ok(path) => script(&path, field.line, common.clone(), places, plays, left),
                    }
                }
            }
            "execute_command" => {
                let why = "scripts are run by the interpreter in their first line, as root";
                left.push(Left::new(field.line, name, why));
            }
            "valid_exit_codes" => {
                let why =
                    "add failed_when to the task, such as failed_when: result.rc not in [0, 3]";
                left.push(Left::new(field.line, name, why));
            }
            "environment_vars"
            | "env"
            | "inline_shebang"
            | "remote_folder"
            | "remote_file"
            | "remote_path"
            | "skip_clean"
            | "binary"
            | "use_env_var_file"
            | "env_var_format"
            | "expect_disconnect"
            | "start_retry_timeout"
            | "pause_after"
            | "only"
            | "except" => {}
            name if known(name) => {}
            name => left.push(Left::new(field.line, name, "nothing here is like it")),
        }
    }
}

fn script(
    path: &str,
    line: usize,
    common: Vec<(String, Yaml)>,
    places: &Places,
    plays: &mut Plays,
    left: &mut Vec<Left>,
) {
    let (path, found) = places.find(path);
    if !found {
        left.push(Left::missing(line, "script", &path));
    }
    let run = (
        "ansible.builtin.script".to_owned(),
        Yaml::from(quote(&path)),
    );
    plays.task(format!("Run {path}"), std::iter::once(run).chain(common));
}

/// Commands in the template: a script of their own, or text in the playbook where variables are in it.
fn inline(
    block: &Block,
    mut common: Vec<(String, Yaml)>,
    plays: &mut Plays,
    image: &mut Image,
    left: &mut Vec<Left>,
) {
    let line = block.line_of("inline");
    let shebang = block
        .text("inline_shebang")
        .unwrap_or_else(|| "/bin/sh -e".into());
    let mut lines = Vec::new();
    for command in block.texts("inline") {
        match image.in_ansible(&command) {
            Ok(_) => lines.push(command),
            Err(why) if super::written::shown(&command) == "${...}" => {
                left.push(Left::new(line, "a command", why));
            }
            Err(why) => left.push(Left::new(
                line,
                format!("the command {:?}", super::written::shown(&command)),
                why,
            )),
        }
    }
    if lines.is_empty() {
        return;
    }
    let name = format!("Run the commands of line {line}");
    let is_plain = lines.iter().all(|line| !super::later::is_marked(line));
    if is_plain {
        let path = PathBuf::from(format!("scripts/line-{line:03}.sh"));
        let task = run_script(&path.display().to_string());
        plays
            .files
            .push((path, format!("#!{shebang}\n{}\n", lines.join("\n"))));
        plays.task(name, task.into_iter().chain(common));
        return;
    }
    let text: Result<Vec<String>, String> =
        lines.iter().map(|line| image.in_ansible(line)).collect();
    let text = text.expect("it was before").join("\n");
    let mut secrets = image
        .secrets
        .iter()
        .map(|(name, _)| format!("{{{{ {name} }}}}"));
    if secrets.any(|secret| text.contains(&secret)) {
        common.push(("no_log".into(), true.into()));
    }
    // Not as an argument, in which Ansible looks for quotes and braces that match.
    let task = (
        "ansible.builtin.raw".to_owned(),
        Yaml::from("{{ commands }}"),
    );
    let text = format!("set -e; cd /\n{text}\n");
    let vars = ("vars".to_owned(), mapping("commands", &text));
    let args = ("args".to_owned(), mapping("executable", "/bin/sh"));
    plays.task(name, [task, args, vars].into_iter().chain(common));
}

/// A script that is run where Packer runs it: in the image's root.
fn run_script(path: &str) -> [(String, Yaml); 2] {
    [
        ("ansible.builtin.script".into(), quote(path).into()),
        ("args".into(), mapping("chdir", "/")),
    ]
}

fn mapping(key: &str, value: &str) -> Yaml {
    Mapping::from_iter([(Yaml::from(key), Yaml::from(value))]).into()
}

fn file(
    block: &Block,
    places: &Places,
    plays: &mut Plays,
    image: &mut Image,
    left: &mut Vec<Left>,
) {
    if block.text("direction").as_deref() == Some("download") {
        let why = "use ansible.builtin.fetch to get a file out of the image";
        left.push(Left::new(
            block.line,
            "provisioner file, direction download",
            why,
        ));
        return;
    }
    for field in &block.fields {
        let known_here = [
            "source",
            "sources",
            "content",
            "destination",
            "direction",
            "generated",
            "only",
            "except",
        ];
        match &field.value {
            Err(why) => left.push(Left::new(field.line, &*field.name, why)),
            Ok(_) if known_here.contains(&field.name.as_str()) || known(&field.name) => {}
            Ok(_) => left.push(Left::new(
                field.line,
                &*field.name,
                "nothing here is like it",
            )),
        }
    }
    let destination = block
        .text("destination")
        .map(|path| image.in_ansible(&path));
    let destination = match destination {
        Some(Ok(path)) => path,
        Some(Err(why)) => {
            return left.push(Left::new(block.line_of("destination"), "destination", why));
        }
        None => {
            return left.push(Left::new(
                block.line,
                "provisioner file",
                "it has no destination",
            ));
        }
    };
    let content = block
        .text("content")
        .map(|content| image.in_ansible(&content));
    match content {
        Some(Err(why)) => left.push(Left::new(block.line_of("content"), "content", why)),
        Some(Ok(content)) => copy(
            &[("content", &content), ("dest", &destination)],
            &destination,
            plays,
        ),
        None => {}
    }
    for path in [block.texts("source"), block.texts("sources")].concat() {
        let (shown, found) = places.find(&path);
        if !found {
            left.push(Left::missing(block.line_of("source"), "file", &shown));
        }
        let parts = [
            ("src", shown.as_str()),
            ("dest", &destination),
            ("mode", "preserve"),
        ];
        copy(&parts, &destination, plays);
    }
}

fn copy(parts: &[(&str, &str)], destination: &str, plays: &mut Plays) {
    let copy: Mapping = parts
        .iter()
        .map(|(key, value)| (Yaml::from(*key), Yaml::from(*value)))
        .collect();
    let task = ("ansible.builtin.copy".to_owned(), Yaml::from(copy));
    plays.task(format!("Copy to {destination}"), [task]);
}
