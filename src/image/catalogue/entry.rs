//! A list of images as it is written: Raspberry Pi Imager's JSON.
//!
//! A list comes from a stranger, and one wrong entry is no reason to have none of the others: what is not understood is
//! passed over.

use serde_json::Value;

use super::super::{
    digest::{Algorithm, Digest},
    location::Location,
};
use crate::address::Address;

/// The longest name, in characters; entries with a longer one are passed over.
const NAME: usize = 200;

/// How much of a description is kept, in characters.
const DESCRIPTION: usize = 500;

/// How many devices of an entry are kept, and the longest name of one, in characters.
const DEVICES: (usize, usize) = (64, 64);

/// An image that a list offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; another entry may have the same.
    pub name: String,
    /// The names of what it is part of, from the outside to the inside.
    pub within: Vec<String>,
    /// What it is, in a sentence.
    pub description: String,
    /// The boards that it is for, as the publisher calls them: `pi5-64bit`.
    pub devices: Vec<String>,
    /// When it was published: `2025-05-13`.
    pub date: Option<String>,
    /// Where it is.
    pub location: Location,
    /// Its size as it is packed, in bytes.
    pub packed: Option<u64>,
    /// The digest of that file; Raspberry Pi OS gives none.
    pub packed_digest: Option<Digest>,
    /// The size of the image itself, in bytes.
    pub unpacked: Option<u64>,
    /// The digest of the image itself.
    pub unpacked_digest: Digest,
    /// The list that it is in, without what may be secret in its address.
    pub list: String,
}

/// Another list, in which some of the entries are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Further {
    /// Its address.
    pub url: String,
    /// As [`Entry::within`].
    pub within: Vec<String>,
}

/// What a list holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Images, in the order of the list.
    pub entries: Vec<Entry>,
    /// Other lists.
    pub further: Vec<Further>,
}

/// Where a list was read.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The list.
    pub list: &'a Location,
    /// What all of it is part of.
    pub within: &'a [String],
}

impl Content {
    /// Reads the text of a list.
    ///
    /// # Errors
    /// Why it is none, to follow its name.
    pub fn parse(text: &[u8], origin: Origin) -> Result<Self, String> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let value: Value =
            serde_json::from_slice(text).map_err(|error| format!("is not JSON: {error}"))?;
        let items = value.get("os_list").and_then(Value::as_array);
        let items = items.ok_or("has no os_list, in which images would be")?;
        let mut content = Content::default();
        let mut within = origin.within.to_vec();
        content.take(items, &mut within, origin.list);
        Ok(content)
    }

    /// Takes images and other lists of `items`. The parser's limit of nesting is that of this, too.
    fn take(&mut self, items: &[Value], within: &mut Vec<String>, list: &Location) {
        for item in items {
            let name = text(item, "name").filter(|name| name.chars().count() <= NAME);
            let inner = item.get("subitems").and_then(Value::as_array);
            let url = text(item, "subitems_url");
            if inner.is_some() || url.is_some() {
                let named = name.is_some();
                within.extend(name.map(str::to_owned));
                if let Some(inner) = inner {
                    self.take(inner, within, list);
                }
                self.further.extend(url.map(|url| Further {
                    url: url.to_owned(),
                    within: within.clone(),
                }));
                if named {
                    within.pop();
                }
            } else if let Some(name) = name {
                self.entries.extend(entry(item, name, within, list));
            }
        }
    }
}

/// The image of an item, if it is one that can be fetched and checked.
fn entry(item: &Value, name: &str, within: &[String], list: &Location) -> Option<Entry> {
    let sha256 = |key| Digest::new(Algorithm::Sha256, text(item, key)?);
    let devices = item.get("devices").and_then(Value::as_array);
    let devices = devices.into_iter().flatten().filter_map(Value::as_str);
    let devices = devices.filter(|device| device.chars().count() <= DEVICES.1);
    Some(Entry {
        name: name.to_owned(),
        within: within.to_vec(),
        description: text(item, "description")
            .unwrap_or_default()
            .chars()
            .take(DESCRIPTION)
            .collect(),
        devices: devices.take(DEVICES.0).map(str::to_owned).collect(),
        date: text(item, "release_date")
            .filter(|date| is_date(date))
            .map(str::to_owned),
        location: location(text(item, "url")?, list)?,
        packed: size(item, "image_download_size"),
        packed_digest: sha256("image_download_sha256"),
        unpacked: size(item, "extract_size"),
        unpacked_digest: sha256("extract_sha256")?,
        list: list.to_string(),
    })
}

/// Where an image is. A list from a server must not make us read files of this machine.
fn location(url: &str, list: &Location) -> Option<Location> {
    let scheme = Address::of(url).scheme?;
    let location = Location::parse(url).ok()?;
    match (&location, list) {
        (Location::Url(_), _) => Some(location),
        (Location::Path(_), Location::Path(_)) if scheme == "file" => Some(location),
        _ => None,
    }
}

/// A text that says something.
fn text<'a>(item: &'a Value, key: &str) -> Option<&'a str> {
    let text = item.get(key)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

fn size(item: &Value, key: &str) -> Option<u64> {
    item.get(key)?.as_u64().filter(|size| *size > 0)
}

/// `2025-05-13`
fn is_date(text: &str) -> bool {
    let form = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(form)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub fn parse(value: &Value) -> Content {
        let list = Location::parse("https://h.example/list.json").unwrap();
        let origin = Origin {
            list: &list,
            within: &[],
        };
        Content::parse(&serde_json::to_vec(value).unwrap(), origin).unwrap()
    }

    /// An entry with what every entry has.
    pub fn item(name: &str, url: &str) -> Value {
        json!({
            "name": name, "description": format!("{name}, described"), "icon": "https://h.example/i.png",
            "url": url, "extract_size": 2_000_000_000, "extract_sha256": "AB".repeat(32),
            "image_download_size": 500_000_000, "release_date": "2025-05-13", "init_format": "systemd",
        })
    }

    #[test]
    fn nested_images_know_what_they_are_part_of() {
        let mut lite = item("Lite", "https://h.example/lite.img.xz");
        lite["devices"] = json!(["pi5-64bit", 7, "pi4-64bit"]);
        lite["image_download_sha256"] = json!("cd".repeat(32));
        let content = parse(&json!({
            "imager": {"devices": []},
            "os_list": [
                {"name": "Other", "subitems": [
                    {"name": "Old", "subitems": [lite]},
                    {"name": "Far", "subitems_url": "https://far.example/os.json"},
                ]},
                item("Top", "http://h.example/top.zip"),
            ],
        }));
        let names: Vec<_> = content.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["Lite", "Top"]);
        let lite = &content.entries[0];
        assert_eq!(lite.within, ["Other", "Old"]);
        assert_eq!(lite.devices, ["pi5-64bit", "pi4-64bit"]);
        assert_eq!(lite.unpacked_digest.hex, "ab".repeat(32));
        assert_eq!(lite.packed_digest.as_ref().unwrap().hex, "cd".repeat(32));
        assert_eq!(lite.date.as_deref(), Some("2025-05-13"));
        assert_eq!(
            (lite.packed, lite.unpacked),
            (Some(500_000_000), Some(2_000_000_000))
        );
        assert_eq!(content.further.len(), 1);
        assert_eq!(content.further[0].within, ["Other", "Far"]);
        assert_eq!(content.entries[1].within, [""; 0]);
    }

    #[test]
    fn what_is_no_image_to_fetch_is_passed_over() {
        let broken = |key: &str, value: Value| {
            let mut item = item("x", "https://h.example/x.img");
            item[key] = value;
            item
        };
        let content = parse(&json!({"os_list": [
            broken("url", json!("internal://format")),
            broken("url", json!("file:///etc/shadow")),
            broken("url", json!("/etc/shadow")),
            broken("url", json!(["https://h.example/x.img"])),
            broken("extract_sha256", json!("ab")),
            broken("extract_sha256", Value::Null),
            broken("name", json!("")),
            broken("name", json!("x".repeat(201))),
            "text", 7, null, [],
            {"name": "nothing"},
        ]}));
        assert_eq!(content, Content::default());
        // What is only told is left out alone.
        let content = parse(&json!({"os_list": [
            broken("release_date", json!("soon")), broken("extract_size", json!("2 GB")),
            broken("devices", json!("all")), broken("subitems_url", json!("")),
        ]}));
        assert_eq!(content.entries.len(), 4);
        assert_eq!(content.entries[0].date, None);
        assert_eq!(content.entries[1].unpacked, None);
    }

    #[test]
    fn a_list_on_this_machine_may_name_files_of_it() {
        let list = Location::parse("/srv/list.json").unwrap();
        let text = json!({"os_list": [item("x", "file:///srv/x.img"), item("y", "y.img")]});
        let origin = Origin {
            list: &list,
            within: &[],
        };
        let content = Content::parse(text.to_string().as_bytes(), origin).unwrap();
        let found: Vec<_> = content.entries.into_iter().map(|e| e.location).collect();
        assert_eq!(found, [Location::Path("/srv/x.img".into())]);
    }

    #[test]
    fn what_is_no_list_is_told() {
        let list = Location::parse("https://h.example/list.json").unwrap();
        let origin = Origin {
            list: &list,
            within: &[],
        };
        let why = |text: &str| Content::parse(text.as_bytes(), origin).unwrap_err();
        assert!(why("<html>").starts_with("is not JSON: "));
        assert!(why("").starts_with("is not JSON: "));
        assert!(why("{\"os_list\": {}}").contains("no os_list"));
        assert!(why("[]").contains("no os_list"));
        let deep = format!("{{\"os_list\": {}", "[".repeat(100_000));
        assert!(why(&deep).contains("recursion limit"));
    }
}
