//! A builder becomes the section `image`.

use serde_json::Value;

use super::{
    image::Image,
    later::shown,
    template::{Block, Field, Left, Template},
};

/// What is read from the image itself, or is not needed.
const NOTHING: &[&str] = &[
    "image_mount_path",
    "image_partitions",
    "image_type",
    "image_size",
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
    "image_chroot_env",
    "iso_url",
    "iso_urls",
    "iso_checksum",
    "output_filename",
    "target_image_size",
    "qemu_args",
];

/// The section `image` of a builder.
pub fn image(source: &Block, template: &Template, left: &mut Vec<Left>) -> Image {
    let mut image = Image::default();
    for field in &source.fields {
        if let (Err(why), false) = (&field.value, NOTHING.contains(&field.name.as_str())) {
            left.push(Left::new(field.line, &field.name, why));
        }
    }
    addresses(source, template, &mut image, left);
    image.checksum = checksum(source, template, left);
    size(source, template, &mut image, left);
    output(source, &mut image, left);
    environment(source, &mut image, left);
    for field in &source.fields {
        let name = field.name.as_str();
        if field.value.is_ok() && !READ.contains(&name) && !NOTHING.contains(&name) {
            left.extend(other(field));
        }
    }
    image
}

fn addresses(source: &Block, template: &Template, image: &mut Image, left: &mut Vec<Left>) {
    let names = ["file_urls", "file_url", "iso_urls", "iso_url"];
    let Some((name, urls)) = names
        .map(|name| (name, source.texts(name)))
        .into_iter()
        .find(|(_, urls)| !urls.is_empty())
    else {
        let why = "name the image by image.source, or by --image";
        left.push(Left::new(source.line, "a source without an address", why));
        return;
    };
    let line = source.line_of(name);
    match template.now(&urls[0]) {
        Ok(url) => image.source = Some(url),
        Err(why) => left.push(Left::new(line, name, why)),
    }
    if urls.len() > 1 {
        let why = "only the first address is used; a download that breaks off is resumed";
        left.push(Left::new(
            line,
            format!("{} more addresses in {name}", urls.len() - 1),
            why,
        ));
    }
}

fn checksum(source: &Block, template: &Template, left: &mut Vec<Left>) -> Option<String> {
    let mut now = |name: &str| {
        let text = source.text(name)?;
        let now = template.now(&text);
        now.map_err(|why| left.push(Left::new(source.line_of(name), name, why)))
            .ok()
    };
    if let Some(url) = now("file_checksum_url") {
        return Some(format!("file:{url}"));
    }
    let kind = now("file_checksum_type");
    if kind.as_deref() == Some("none") {
        return Some("none".into());
    }
    if let Some(sum) = now("file_checksum") {
        return Some(format!(
            "{}:{sum}",
            kind.unwrap_or_else(|| kind_of(&sum).into())
        ));
    }
    let sum = now("iso_checksum")?;
    Some(match sum.as_str() {
        "none" => sum,
        sum if sum.contains(':') => sum.to_owned(),
        sum => format!("{}:{sum}", kind_of(sum)),
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

fn size(source: &Block, template: &Template, image: &mut Image, left: &mut Vec<Left>) {
    let method = source.text("image_build_method").unwrap_or_default();
    let line = source.line_of("image_build_method");
    match method.as_str() {
        "resize" => {
            let size = source.text("image_size").map(|size| template.now(&size));
            match size {
                Some(Ok(size)) => image.grow = Some(size),
                Some(Err(why)) => left.push(Left::new(source.line_of("image_size"), "image_size", why)),
                None => left.push(Left::new(line, "resize without image_size", "say how large by image.grow")),
            }
        }
        "new" => left.push(Left::new(
            line,
            "image_build_method \"new\"",
            "an image is not made of an archive of files here: start from an image that the publisher makes, or make one \
             of the archive first",
        )),
        _ => {}
    }
    // In bytes; of the last partition, as here.
    image.grow = image
        .grow
        .take()
        .or_else(|| source.text("target_image_size"));
}

fn output(source: &Block, image: &mut Image, left: &mut Vec<Left>) {
    for name in ["image_path", "output_filename"] {
        let Some(path) = source.text(name) else {
            continue;
        };
        let packed = [".gz", ".xz", ".zip", ".zst", ".bz2", ".tar"];
        if packed.iter().any(|end| path.ends_with(end)) {
            let why = "the output is a plain image: pack it, or the files in it, afterwards";
            left.push(Left::new(
                source.line_of(name),
                format!("{name} = {:?}", shown(&path)),
                why,
            ));
            continue;
        }
        image.output = Some(path);
    }
}

fn environment(source: &Block, image: &mut Image, left: &mut Vec<Left>) {
    for assignment in source.texts("image_chroot_env") {
        match assignment.split_once('=') {
            // Commands get the usual one.
            Some(("PATH", _)) => {}
            Some((name, value)) => image.environment.push((name.to_owned(), value.to_owned())),
            None => {
                let why = "this is no NAME=VALUE";
                left.push(Left::new(
                    source.line_of("image_chroot_env"),
                    assignment,
                    why,
                ));
            }
        }
    }
    let words = source.texts("qemu_args");
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
