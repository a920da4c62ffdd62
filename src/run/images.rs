//! `pichroot images`: what the lists of images have.

use serde::Serialize;

use crate::{
    config::ImagesPlan,
    error::{Context, Error, Kind, Result},
    image::{
        Cache, Location,
        catalogue::{Collected, Entry, search},
    },
    sys::room::Size,
    ui::{self, Tone, Ui},
};

/// Raised when a field changes its meaning; new fields do not raise it.
const SCHEMA: u32 = 1;

/// The document of `--json`; docs/configuration.md describes it.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'static str,
    images: Vec<Image<'a>>,
    catalogues: Vec<Catalogue>,
    unread: Vec<Unread>,
}

#[derive(Serialize)]
struct Image<'a> {
    name: &'a str,
    within: &'a [String],
    description: &'a str,
    devices: &'a [String],
    date: Option<&'a str>,
    address: String,
    packed_size: Option<u64>,
    packed_sha256: Option<&'a str>,
    size: Option<u64>,
    sha256: &'a str,
    catalogue: &'a str,
}

#[derive(Serialize)]
struct Catalogue {
    address: String,
    /// Of a copy from the cache, in seconds; absent where it was read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
}

#[derive(Serialize)]
struct Unread {
    address: String,
    why: String,
}

/// Shows the images that have all of `words`.
///
/// # Errors
/// [`Kind::Usage`] where none has; else why no list can be read.
pub fn run(plan: &ImagesPlan, words: &str, json: bool, ui: &Ui) -> Result<()> {
    let cache = Cache::open(&plan.cache)?;
    let found = plan.catalogues.all(&cache, ui)?;
    let entries = search(&found.entries, words);
    let shown = match json {
        true => document(&found, &entries),
        false if entries.is_empty() => Ok(()),
        false => table(&entries),
    };
    shown.context(Kind::Other, || "cannot write to standard output".into())?;
    if !entries.is_empty() {
        return Ok(());
    }
    let lists = match found.lists.len() {
        1 => "one list".to_owned(),
        lists => format!("{lists} lists"),
    };
    let number = found.entries.len();
    let what = match words.is_empty() {
        true => format!("there is no image in {lists}"),
        false => format!("no image has all of these words, of {number} in {lists}: {words}"),
    };
    Err(Error::usage(what).hint("give fewer words, or further lists by --catalogue"))
}

fn document(found: &Collected, entries: &[&Entry]) -> std::io::Result<()> {
    let catalogues = found.lists.iter().map(|list| Catalogue {
        address: list.location.to_string(),
        age: list.age.map(|age| age.as_secs()),
    });
    let unread = found.unread.iter().map(|unread| Unread {
        address: unread.location.to_string(),
        why: unread.error.to_string(),
    });
    let document = Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        images: entries.iter().map(|entry| image(entry)).collect(),
        catalogues: catalogues.collect(),
        unread: unread.collect(),
    };
    ui::document(&serde_json::to_string_pretty(&document)?)
}

fn image(entry: &Entry) -> Image<'_> {
    Image {
        name: &entry.name,
        within: &entry.within,
        description: &entry.description,
        devices: &entry.devices,
        date: entry.date.as_deref(),
        address: address(&entry.location),
        packed_size: entry.packed,
        packed_sha256: entry
            .packed_digest
            .as_ref()
            .map(|digest| digest.hex.as_str()),
        size: entry.unpacked,
        sha256: &entry.unpacked_digest.hex,
        catalogue: &entry.list,
    }
}

/// All of it: the list is whose it is, and its addresses are meant to be seen.
fn address(location: &Location) -> String {
    location.whole()
}

fn table(entries: &[&Entry]) -> std::io::Result<()> {
    let head = ["NAME", "DATE", "PACKED", "UNPACKED", "DEVICES"].map(str::to_owned);
    let mut table = vec![(Tone::Plain, head.to_vec())];
    table.extend(entries.iter().copied().flat_map(lines));
    ui::table(&table)
}

/// The lines of one image in the table.
fn lines(entry: &Entry) -> [(Tone, Vec<String>); 2] {
    let size =
        |size: Option<u64>| size.map_or_else(|| "-".to_owned(), |size| Size(size).to_string());
    let first = vec![
        entry.name.clone(),
        entry.date.clone().unwrap_or_else(|| "-".into()),
        size(entry.packed),
        size(entry.unpacked),
        entry.devices.join(" "),
    ];
    let second = vec![format!("    {}", address(&entry.location))];
    [(Tone::Good, first), (Tone::Plain, second)]
}
