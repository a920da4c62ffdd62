//! A builder becomes the section `image`.

use std::path::Path;

use serde_json::Value;

use super::{
    image::Image,
    later::{Later, Piece, pieces, shown},
    partitions,
    places::Places,
    template::{Block, Field, Left, Template},
};
use crate::finish::output::Output;

/// What is read from the image itself, or is not needed.
const NOTHING: &[&str] = &[
    "image_mount_path",
    "image_size",
    "image_type",
    "image_size_bytes",
    "qemu_binary_source_path",
    "qemu_binary_destination_path",
    "qemu_binary",
    "qemu_required",
    "disable_embedded",
    "file_target_extension",
    "file_target_path",
    "file_unarchive_cmd",
    "file_tmp_dir_location",
    "file_checksum_type",
    "file_user_agent",
    "iso_target_path",
    "iso_target_extension",
    "image_arch",
    "image_mounts",
    "mount_path",
    "resolv-conf",
    "resolv_conf",
];

/// Fields whose value is looked at elsewhere in this file.
const READ: &[&str] = &[
    "file_urls",
    "file_url",
    "file_checksum",
    "file_checksum_url",
    "image_build_method",
    "image_path",
    "image_partitions",
    "image_chroot_env",
    "iso_url",
    "iso_urls",
    "iso_checksum",
    "output_filename",
    "iso_checksum_type",
    "iso_checksum_url",
    "target_image_size",
    "last_partition_extra_size",
    "qemu_args",
];

/// The section `image` of a builder.
pub fn image(source: &Block, template: &Template, places: &Places, left: &mut Vec<Left>) -> Image {
    let mut image = Image::default();
    for field in &source.fields {
        if let (Err(why), false) = (&field.value, NOTHING.contains(&field.name.as_str())) {
            left.push(Left::new(field.line, &field.name, why));
        }
    }
    image.source = address(source, template, places, left);
    image.checksum = checksum(source, template, places, left);
    image.grow = size(source, template, left);
    if source.text("image_build_method").as_deref() == Some("new") {
        image.new = partitions::new(source, template, left);
    }
    output(source, &mut image, left);
    environment(source, &mut image, left);
    processor(source, template, &mut image, left);
    for field in &source.fields {
        let name = field.name.as_str();
        if field.value.is_ok() && !READ.contains(&name) && !NOTHING.contains(&name) {
            left.extend(other(field));
        }
    }
    image
}

fn address(
    source: &Block,
    template: &Template,
    places: &Places,
    left: &mut Vec<Left>,
) -> Option<String> {
    let names = ["file_urls", "file_url", "iso_urls", "iso_url"];
    let Some((name, urls)) = names
        .map(|name| (name, source.texts(name)))
        .into_iter()
        .find(|(_, urls)| !urls.is_empty())
    else {
        let why = "name the image by image.source, or by --image";
        left.push(Left::new(source.line, "a source without an address", why));
        return None;
    };
    let line = source.line_of(name);
    if urls.len() > 1 {
        let why = "only the first address is used; a download that breaks off is resumed";
        left.push(Left::new(
            line,
            format!("{} more addresses in {name}", urls.len() - 1),
            why,
        ));
    }
    let url = template.now(&urls[0]);
    let url = url.map_err(|why| left.push(Left::new(line, name, why)));
    Some(places.location(&url.ok()?))
}

fn checksum(
    source: &Block,
    template: &Template,
    places: &Places,
    left: &mut Vec<Left>,
) -> Option<String> {
    let mut now = |name: &str| template.text_now(source, name, left);
    let given = |text: &String| !text.is_empty();
    let mut either = |name: &str| {
        let theirs = now(&format!("file_{name}")).filter(given);
        theirs.or_else(|| now(&format!("iso_{name}")).filter(given))
    };
    let kind = either("checksum_type");
    if kind.as_deref() == Some("none") {
        return kind;
    }
    if let Some(url) = either("checksum_url") {
        return Some(format!("file:{}", places.location(&url)));
    }
    let sum = either("checksum")?;
    Some(match (kind, sum.split_once(':')) {
        (_, None) if sum == "none" => sum,
        (_, Some(("file", url))) => format!("file:{}", places.location(url)),
        (_, Some(_)) => sum,
        (Some(kind), None) => format!("{kind}:{sum}"),
        (None, None) => format!("{}:{sum}", kind_of(&sum)),
    })
}

/// The algorithm whose digests are as long.
fn kind_of(sum: &str) -> &'static str {
    match sum.len() {
        32 => "md5",
        40 => "sha1",
        128 => "sha512",
        _ => "sha256",
    }
}

fn size(source: &Block, template: &Template, left: &mut Vec<Left>) -> Option<String> {
    let method = source.text("image_build_method").unwrap_or_default();
    let line = source.line_of("image_build_method");
    match method.as_str() {
        "resize" if source.field("image_size").is_some() => {
            return template.text_now(source, "image_size", left);
        }
        "resize" => {
            let why = "say how large by image.grow";
            left.push(Left::new(line, "resize without image_size", why));
        }
        _ => {}
    }
    // In bytes; of the last partition, as here. Zero is none.
    let mut bytes = |name| {
        let bytes = template.text_now(source, name, left);
        bytes.filter(|bytes| bytes != "0")
    };
    let more = bytes("last_partition_extra_size").map(|more| format!("+{more}"));
    bytes("target_image_size").or(more)
}

fn output(source: &Block, image: &mut Image, left: &mut Vec<Left>) {
    for name in ["image_path", "output_filename"] {
        let Some(path) = source.text(name) else {
            continue;
        };
        let line = source.line_of(name);
        let unknown = pieces(&path).into_iter().find_map(|piece| match piece {
            Piece::Text(_) | Piece::Later(Later::Variable(_)) => None,
            Piece::Later(later) => Some(later.to_string()),
        });
        if let Some(why) = unknown {
            let why = format!("{why}; name the output by --output");
            left.push(Left::new(line, name, why));
            continue;
        }
        if let Err(error) = Output::new(Path::new(&shown(&path))) {
            let why = format!("{error}; name another by --output");
            left.push(Left::new(line, format!("{name} = {:?}", shown(&path)), why));
            continue;
        }
        image.output = Some(path);
    }
}

fn environment(source: &Block, image: &mut Image, left: &mut Vec<Left>) {
    let field = "image_chroot_env";
    for assignment in source.texts(field) {
        let line = source.line_of(field);
        match assignment.split_once('=') {
            // Commands get the usual one.
            Some(("PATH", _)) => {}
            Some((name, value)) => match image.in_ansible(value) {
                Ok(value) => image.environment.push((name.to_owned(), value)),
                Err(why) => left.push(Left::new(line, format!("{name} in {field}"), why)),
            },
            None => {
                let what = format!("{:?} in {field}", shown(&assignment));
                left.push(Left::new(line, what, "it is not NAME=VALUE"));
            }
        }
    }
}

fn processor(source: &Block, template: &Template, image: &mut Image, left: &mut Vec<Left>) {
    let words = template.texts_now(source, "qemu_args", left);
    match words.as_slice() {
        [] => {}
        [option, cpu] if option == "-cpu" => {
            image
                .command_environment
                .push(("QEMU_CPU".into(), cpu.clone()));
        }
        _ => left.push(Left::new(
            source.line_of("qemu_args"),
            "qemu_args",
            "only a processor can be chosen: QEMU_CPU",
        )),
    }
}

/// A field that has no counterpart, unless it says nothing.
fn other(field: &Field) -> Option<Left> {
    let empty = match field.value.as_ref().ok()? {
        Value::Array(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Null => true,
        _ => false,
    };
    let why = match field.name.as_str() {
        "image_setup_extra" => {
            "these run on this machine: put them into a task with delegate_to: localhost"
        }
        "image_chroot_mounts" | "chroot_mounts" | "additional_chroot_mounts" => {
            "/dev, /proc, /sys, /run and /tmp are mounted, and nothing else can be"
        }
        "command_wrapper" => "there are no commands to wrap",
        _ => "nothing here is like it",
    };
    (!empty).then(|| Left::new(field.line, &*field.name, why))
}
