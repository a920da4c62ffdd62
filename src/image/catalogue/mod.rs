//! Catalogues: lists of images in Raspberry Pi Imager's form, in which a name stands for an image.
//!
//! ```text
//! collect   all lists, side by side       list    one list, and its copy in the cache
//! matching  which image a name means      entry   the text of a list, a stranger's
//! ```

mod collect;
mod entry;
mod list;
mod matching;
#[cfg(test)]
mod tests;

pub use collect::Collected;
pub use entry::Entry;
pub use matching::search;

use collect::collect;

use super::{
    cache::Cache,
    http::{Client, Patience},
    location::Location,
};
use crate::{
    error::{Error, Result},
    event::{Event, Report},
    nearest::nearest,
};

/// The list that Raspberry Pi Imager begins with.
pub const OFFICIAL: &str = "https://downloads.raspberrypi.com/os_list_imagingutility_v4.json";

/// How many images are told of where a name fits several.
const TOLD: usize = 6;

/// The lists in which names are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogues {
    /// Those that the user names: what is called so in one of them is meant, whatever others have.
    pub own: Vec<Location>,
    /// Raspberry Pi's own, or what the user has in its place.
    pub official: Option<Location>,
}

impl Catalogues {
    /// The one image that is called `name`, or has its words.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) where there is none, or more than one, with what tells them apart; where no list can be read,
    /// the reason.
    pub fn find(&self, name: &str, cache: &Cache, report: &dyn Report) -> Result<Entry> {
        let client = Client::new(Patience::with_small_things());
        self.find_with(name, cache, &client, report)
    }

    fn find_with(
        &self,
        name: &str,
        cache: &Cache,
        client: &Client,
        report: &dyn Report,
    ) -> Result<Entry> {
        let mut found = collect(&self.own, cache, client, report);
        // Nobody else is asked for what the user's own lists have.
        if !matching::find(&found.entries, name).by_name {
            found.add(collect(self.official.as_slice(), cache, client, report));
        }
        let fit = matching::find(&found.entries, name);
        let result = match fit.entries.as_slice() {
            [entry] => Ok((*entry).clone()),
            [] => Err(None),
            several => Err(Some(ambiguous(name, &found, several))),
        };
        // A list that was not read may have others that the words fit.
        let sure = result.is_ok() && fit.by_name;
        let failed = found.tell(sure, report);
        result.map_err(|several| several.unwrap_or_else(|| unknown(name, &found, failed)))
    }

    /// Everything that the lists have; says what was not read.
    ///
    /// # Errors
    /// The reason, where no list can be read.
    pub fn all(&self, cache: &Cache, report: &dyn Report) -> Result<Collected> {
        let client = Client::new(Patience::with_small_things());
        let first: Vec<Location> = self.own.iter().chain(&self.official).cloned().collect();
        if first.is_empty() {
            return Err(Error::usage("no list of images is named")
                .hint("name one by --catalogue, or as image.catalogues in pichroot.yml"));
        }
        let mut found = collect(&first, cache, &client, report);
        match found.tell(false, report) {
            Some(error) => Err(error),
            None => Ok(found),
        }
    }
}

impl Collected {
    fn add(&mut self, other: Collected) {
        self.entries.extend(other.entries);
        self.lists.extend(other.lists);
        self.unread.extend(other.unread);
    }

    /// Says which lists are old, and what was not read; where nothing was read, returns the reason instead. With
    /// `sure` it makes no difference.
    fn tell(&mut self, sure: bool, report: &dyn Report) -> Option<Error> {
        let old = self.lists.iter().filter_map(|list| Some((list.age?, list)));
        let number = old.clone().count();
        if let Some((age, _)) = old.clone().max_by_key(|(age, _)| *age) {
            let mut failures = old.filter_map(|(_, list)| list.failure.as_ref());
            if let Some(failure) = failures.next() {
                report.tell(Event::OldLists {
                    lists: number,
                    age,
                    failure: failure.into(),
                });
            }
        }
        if self.lists.is_empty() && !self.unread.is_empty() {
            return Some(self.unread.remove(0).error);
        }
        for unread in &self.unread {
            report.tell(Event::ListNotRead((&unread.error).into()));
        }
        if let (Some(first), false) = (self.unread.first(), sure) {
            report.tell(Event::ListsNotRead {
                lists: self.unread.len(),
                failure: (&first.error).into(),
            });
        }
        None
    }
}

fn ambiguous(name: &str, found: &Collected, several: &[&Entry]) -> Error {
    let told = matching::apart(&found.entries, &several[..several.len().min(TOLD)]);
    let told: Vec<String> = told.into_iter().map(|text| format!("{text:?}")).collect();
    let more = match several.len() - told.len() {
        0 => String::new(),
        more => format!(", or {more} more, which pichroot images {name:?} lists"),
    };
    Error::usage(format!("{name:?} fits {} images", several.len()))
        .hint(format!("name one of them: {}{more}", told.join(", ")))
}

/// The error for a name that no list has. Where no list could be read, `failed` is why.
fn unknown(name: &str, found: &Collected, failed: Option<Error>) -> Error {
    let Some(failed) = failed else {
        let slugs: Vec<String> = found
            .entries
            .iter()
            .map(|e| matching::slug(&e.name))
            .collect();
        let known: Vec<&str> = slugs.iter().map(String::as_str).collect();
        let meant = nearest(&matching::slug(name), &known);
        let hint = match meant {
            Some(slug) => format!("did you mean {slug}?"),
            None => {
                "pichroot images lists the names; a file is named by its path, such as ./my.img"
                    .into()
            }
        };
        let what = match found.lists.len() {
            0 => format!("no list of images is named in which {name:?} could be"),
            1 => format!("the list of images has no {name:?}"),
            lists => format!("none of {lists} lists of images has {name:?}"),
        };
        return Error::usage(what).hint(hint);
    };
    let hint = failed
        .hint_text()
        .unwrap_or("name the image by its address")
        .to_owned();
    Error::new(
        failed.kind(),
        format!("{name:?} cannot be looked up: {failed}"),
    )
    .hint(hint)
}
