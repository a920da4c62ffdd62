//! The file provisioner.

use serde_yaml::{Mapping, Value as Yaml};

use super::{
    image::Image,
    places::Places,
    plays::Plays,
    template::{Block, Left, Template, known},
};

/// Adds what the provisioner copies to `plays`.
pub fn file(
    block: &Block,
    template: &Template,
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
    for field in ["source", "sources"] {
        for path in template.texts_now(block, field, left) {
            let (shown, found) = places.find(&path);
            if !found {
                left.push(Left::missing(block.line_of(field), "file", &shown));
            }
            let parts = [
                ("src", shown.as_str()),
                ("dest", &destination),
                ("mode", "preserve"),
            ];
            copy(&parts, &destination, plays);
        }
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
