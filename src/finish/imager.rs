//! An entry for Raspberry Pi Imager: `rpi-imager --repo FILE` offers the image.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What the user says of it; all of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entry {
    /// What Imager calls it; the machine's name and its system where nothing is said.
    pub name: Option<String>,
    /// A sentence below the name.
    pub description: Option<String>,
    /// The address of a picture.
    pub icon: Option<String>,
    /// The address of the folder that the image is published in; where nothing is said, the file on this machine.
    pub url: Option<String>,
    /// The boards that it is for, by Imager's tags, such as `pi5-64bit`.
    pub devices: Vec<String>,
    /// How Imager may customise it: `systemd`, `cloudinit`, or not at all.
    pub init_format: Option<String>,
}

/// What is known of an image that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Image<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// The machine's name.
    pub machine: &'a str,
    /// Its system.
    pub system: Option<&'a str>,
    /// The size of the unpacked image, in bytes.
    pub size: u64,
    /// The SHA-256 of the unpacked image.
    pub sha256: &'a str,
    /// The size of the file, in bytes.
    pub packed_size: u64,
    /// The SHA-256 of the file.
    pub packed_sha256: &'a str,
    /// When it was made, as a date.
    pub date: &'a str,
}

/// The document, with this image alone in its list.
pub fn document(entry: &Entry, image: &Image) -> String {
    let name = entry.name.clone().unwrap_or_else(|| match image.system {
        Some(system) => format!("{} ({system})", image.machine),
        None => image.machine.to_owned(),
    });
    let description = entry.description.clone();
    let file = image.path.file_name().unwrap_or_default().to_string_lossy();
    let url = match &entry.url {
        Some(folder) => format!("{}/{}", folder.trim_end_matches('/'), encoded(&file)),
        None => format!("file://{}", encoded(&image.path.to_string_lossy())),
    };
    let mut os = Map::new();
    let mut set = |key: &str, value: Value| os.insert(key.to_owned(), value);
    set("name", name.into());
    set(
        "description",
        description
            .unwrap_or_else(|| format!("{} of {}", image.machine, image.date))
            .into(),
    );
    set("icon", entry.icon.clone().unwrap_or_default().into());
    set("url", url.into());
    set("extract_size", image.size.into());
    set("extract_sha256", image.sha256.into());
    set("image_download_size", image.packed_size.into());
    set("image_download_sha256", image.packed_sha256.into());
    set("release_date", image.date.into());
    if !entry.devices.is_empty() {
        set("devices", json!(entry.devices));
    }
    if let Some(format) = &entry.init_format {
        set("init_format", format.clone().into());
    }
    let list = json!({ "os_list": [os] });
    let mut text = serde_json::to_string_pretty(&list).expect("it has texts and numbers only");
    text.push('\n');
    text
}

/// A path as a part of an address.
fn encoded(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(path, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_imager_wants_is_there() {
        let image = Image {
            path: "/o/my pi.img.xz".as_ref(),
            machine: "mypi",
            system: Some("Debian GNU/Linux 12 (bookworm)"),
            size: 7,
            sha256: "aa",
            packed_size: 5,
            packed_sha256: "bb",
            date: "2026-11-28",
        };
        let read = |entry: &Entry| -> Value {
            let list: Value = serde_json::from_str(&document(entry, &image)).unwrap();
            list["os_list"][0].clone()
        };
        let os = read(&Entry::default());
        for key in [
            "name",
            "description",
            "icon",
            "url",
            "extract_size",
            "extract_sha256",
            "image_download_size",
            "release_date",
        ] {
            assert!(!os[key].is_null(), "{key}");
        }
        assert_eq!(os["name"], "mypi (Debian GNU/Linux 12 (bookworm))");
        assert_eq!(os["url"], "file:///o/my%20pi.img.xz");
        assert!(os.get("devices").is_none());
        let entry = Entry {
            url: Some("https://example.org/images/".into()),
            devices: vec!["pi4-64bit".into()],
            ..Entry::default()
        };
        let os = read(&entry);
        assert_eq!(os["url"], "https://example.org/images/my%20pi.img.xz");
        assert_eq!(os["devices"][0], "pi4-64bit");
    }
}
