//! The shell provisioner: scripts, and commands in the template.

use std::path::PathBuf;

use serde_yaml::{Mapping, Value as Yaml};

use super::{
    image::Image,
    later::{is_marked, shown},
    places::Places,
    plays::Plays,
    template::{Block, Left, Template, known},
};
use crate::sys::command::quote;

/// Adds what the provisioner does to `plays`.
pub fn shell(
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
            Err(why) if shown(&command) == "${...}" => {
                left.push(Left::new(line, "a command", why));
            }
            Err(why) => left.push(Left::new(
                line,
                format!("the command {:?}", shown(&command)),
                why,
            )),
        }
    }
    if lines.is_empty() {
        return;
    }
    let name = format!("Run the commands of line {line}");
    let is_plain = lines.iter().all(|line| !is_marked(line));
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
