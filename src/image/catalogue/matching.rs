//! Which image is meant by a name.
//!
//! The whole name comes first, then its slug (`raspberry-pi-os-lite-64-bit`), then a part of the image's address that has
//! several words (`raspios-lite-arm64`). Else each word must be in the entry, at the beginning of a word of it.

use super::entry::Entry;
use crate::{address::Address, image::location::Location};

/// What a name fits best.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit<'a> {
    /// Each image once.
    pub entries: Vec<&'a Entry>,
    /// Whether it is a name, and not words that may be in others, too.
    pub by_name: bool,
}

/// The entries that `name` fits best.
pub fn find<'a>(entries: &'a [Entry], name: &str) -> Fit<'a> {
    let wanted = slug(name);
    let whole = |entry: &Entry| folded(&entry.name) == folded(name);
    let slugged = |entry: &Entry| !wanted.is_empty() && slug(&entry.name) == wanted;
    let placed =
        |entry: &Entry| wanted.contains('-') && parts(&entry.location).any(|part| part == wanted);
    let names: [&dyn Fn(&Entry) -> bool; 3] = [&whole, &slugged, &placed];
    for fits in names {
        let entries = images(entries.iter().filter(|entry| fits(entry)));
        if !entries.is_empty() {
            return Fit {
                entries,
                by_name: true,
            };
        }
    }
    let words = words(name);
    let found = entries
        .iter()
        .filter(|entry| !words.is_empty() && has(entry, &words));
    Fit {
        entries: images(found),
        by_name: false,
    }
}

/// The entries that have all words of `text`; all entries where there is none.
pub fn search<'a>(entries: &'a [Entry], text: &str) -> Vec<&'a Entry> {
    let words = words(text);
    let mut found: Vec<&Entry> = Vec::new();
    for entry in entries.iter().filter(|entry| has(entry, &words)) {
        // The same entry in two lists, or twice in one.
        if !found
            .iter()
            .any(|other| other.name == entry.name && same_image(other, entry))
        {
            found.push(entry);
        }
    }
    found
}

/// What to write for each of `several` entries, all of which fit `name`, so that it alone is meant; in their order.
pub fn apart(entries: &[Entry], several: &[&Entry]) -> Vec<String> {
    several
        .iter()
        .map(|entry| unmistakable(entries, entry))
        .collect()
}

/// Words that are of this image and of no other.
fn unmistakable(entries: &[Entry], entry: &Entry) -> String {
    let alone = |text: &String| find(entries, text).entries == [entry];
    let file = entry.location.file_name();
    let more = entry
        .devices
        .iter()
        .chain(&entry.date)
        .chain(&entry.within)
        .chain([&file]);
    let longer = more.map(|word| format!("{} {word}", entry.name));
    let name = std::iter::once(entry.name.clone());
    let text = name.chain(longer).find(alone);
    // Nothing but its address, then, which needs no list.
    text.unwrap_or_else(|| entry.location.to_string())
}

/// Each image once, where several entries lead to the same.
fn images<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let mut images: Vec<&Entry> = Vec::new();
    for entry in entries {
        if !images.iter().any(|other| same_image(other, entry)) {
            images.push(entry);
        }
    }
    images
}

fn same_image(one: &Entry, other: &Entry) -> bool {
    one.location == other.location && one.unpacked_digest == other.unpacked_digest
}

/// Whether all of `words` are in the entry.
fn has(entry: &Entry, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let place: Vec<String> = parts(&entry.location).collect();
    let all = [&entry.name, &entry.description].into_iter();
    let all = all
        .chain(&entry.within)
        .chain(&entry.devices)
        .chain(&entry.date);
    let text: String = all
        .map(|text| slug(text))
        .chain(place)
        .map(|slug| format!("-{slug}\n"))
        .collect();
    words.iter().all(|word| text.contains(&format!("-{word}")))
}

/// The words of a text, each as its slug: `24.04` is to be found in `24.04.1`, and not in `04-24`.
fn words(text: &str) -> Vec<String> {
    let words = text.split_whitespace().map(slug);
    words.filter(|word| !word.is_empty()).collect()
}

/// The slugs of the folders and of the file that an address is made of.
fn parts(location: &Location) -> impl Iterator<Item = String> {
    let text = match location {
        Location::Path(path) => path.to_string_lossy().into_owned(),
        Location::Url(url) => Address::of(url).path.to_owned(),
    };
    let parts: Vec<String> = text.split('/').map(slug).collect();
    parts.into_iter().filter(|part| !part.is_empty())
}

/// Without regard to case and blanks.
fn folded(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Letters and digits in lower case, and one hyphen for whatever is between.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::{
        super::entry::tests::{item, parse},
        *,
    };
    use serde_json::json;

    const PI: &str = "https://downloads.example/";

    fn entries() -> Vec<Entry> {
        let pi = |name: &str, folder: &str, file: &str| {
            let mut item = item(
                name,
                &format!("{PI}{folder}/images/{folder}-2025-05-13/{file}"),
            );
            item["extract_sha256"] = json!(format!("{:0>64}", hex_of(file)));
            item
        };
        let dietpi = |device: &str, file: &str| {
            let mut item = pi("DietPi", "dietpi", file);
            item["devices"] = json!([device]);
            item
        };
        let list = json!({"os_list": [
            pi("Raspberry Pi OS (64-bit)", "raspios_arm64", "2025-05-13-raspios-bookworm-arm64.img.xz"),
            {"name": "Raspberry Pi OS (other)", "subitems": [
                pi("Raspberry Pi OS (64-bit)", "raspios_arm64", "2025-05-13-raspios-bookworm-arm64.img.xz"),
                pi("Raspberry Pi OS Lite (64-bit)", "raspios_lite_arm64", "2025-05-13-raspios-bookworm-arm64-lite.img.xz"),
                pi("Raspberry Pi OS (Legacy, 64-bit) Lite", "raspios_oldstable_lite_arm64",
                    "2025-05-06-raspios-bullseye-arm64-lite.img.xz"),
                pi("Raspberry Pi OS Lite (32-bit)", "raspios_lite_armhf", "2025-05-13-raspios-bookworm-armhf-lite.img.xz"),
            ]},
            pi("Ubuntu Server 24.04.2 LTS (64-bit)", "noble", "ubuntu-24.04.2-preinstalled-server-arm64+raspi.img.xz"),
            dietpi("pi5-64bit", "DietPi_RPi5-ARMv8-Bookworm.img.xz"),
            dietpi("pi4-64bit", "DietPi_RPi234-ARMv8-Bookworm.img.xz"),
        ]});
        parse(&list).entries
    }

    /// Some hexadecimal digits that are the same for the same text.
    fn hex_of(text: &str) -> String {
        let sum = text
            .bytes()
            .fold(7_u64, |sum, b| sum.wrapping_mul(31) + u64::from(b));
        format!("{sum:x}")
    }

    fn names(name: &str) -> Vec<String> {
        let entries = entries();
        let found = find(&entries, name).entries;
        found.iter().map(|entry| entry.name.clone()).collect()
    }

    #[test]
    fn a_name_its_slug_and_a_part_of_the_address() {
        let lite = ["Raspberry Pi OS Lite (64-bit)"];
        assert_eq!(names("Raspberry Pi OS Lite (64-bit)"), lite);
        assert_eq!(names(" raspberry pi os  lite (64-BIT)"), lite);
        assert_eq!(names("raspberry-pi-os-lite-64-bit"), lite);
        assert_eq!(names("raspios-lite-arm64"), lite);
        assert_eq!(names("raspios_lite_arm64"), lite);
        // The same image twice is one.
        assert_eq!(names("Raspberry Pi OS (64-bit)").len(), 1);
        // One word of an address, such as a folder's, is no name.
        assert_eq!(names("noble").len(), 1);
        assert!(!find(&entries(), "noble").by_name);
        assert!(names("images").len() > 1);
    }

    #[test]
    fn words_are_found_where_words_begin() {
        assert_eq!(
            names("ubuntu server"),
            ["Ubuntu Server 24.04.2 LTS (64-bit)"]
        );
        assert_eq!(names("24.04"), ["Ubuntu Server 24.04.2 LTS (64-bit)"]);
        assert_eq!(
            names("lite bullseye"),
            ["Raspberry Pi OS (Legacy, 64-bit) Lite"]
        );
        assert_eq!(names("dietpi pi5-64bit"), ["DietPi"]);
        assert_eq!(names("lite raspios").len(), 3);
        for none in ["04-24", "buntu", "lite windows", "", " ", "()", "-"] {
            assert_eq!(names(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn what_is_told_of_several_is_of_one_alone() {
        let entries = entries();
        for (name, several) in [("DietPi", 2), ("lite", 3), ("64-bit", 4)] {
            let fit = find(&entries, name);
            assert_eq!(fit.entries.len(), several, "{name}");
            let told = apart(&entries, &fit.entries);
            for (entry, text) in fit.entries.iter().zip(told) {
                assert_eq!(find(&entries, &text).entries, [*entry], "{text}");
            }
        }
        let fit = find(&entries, "DietPi");
        assert_eq!(
            apart(&entries, &fit.entries),
            ["DietPi pi5-64bit", "DietPi pi4-64bit"]
        );
    }

    #[test]
    fn a_search_shows_what_the_same_words_choose_from() {
        let entries = entries();
        assert_eq!(search(&entries, "").len(), 7);
        assert_eq!(search(&entries, "lite arm64").len(), 2);
        assert_eq!(search(&entries, "nothing").len(), 0);
    }

    #[test]
    fn slugs() {
        assert_eq!(
            slug("Raspberry Pi OS (Legacy, 64-bit)"),
            "raspberry-pi-os-legacy-64-bit"
        );
        assert_eq!(slug("  __ "), "");
        assert_eq!(slug("Über 2/3/4"), "über-2-3-4");
    }
}
