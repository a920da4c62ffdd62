//! Provisioners become plays.

use super::{
    ansible, files,
    image::Image,
    places::Places,
    plays::{Play, Plays},
    shell,
    template::{Block, Left, Template},
};

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
            "shell" => shell::shell(block, template, places, &mut plays, image, left),
            "file" => files::file(block, template, places, &mut plays, image, left),
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
            "compress" => "end the output in .img.xz, .img.zst or .img.gz",
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
    let full = source.full_name();
    let names = |field| {
        block
            .texts(field)
            .iter()
            .any(|name| *name == full || *name == source.name)
    };
    (block.of.is_empty() || block.of.contains(&full))
        && (block.field("only").is_none() || names("only"))
        && !names("except")
}
