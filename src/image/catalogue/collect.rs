//! All lists that some lists lead to: side by side, each once, and within bounds that a stranger cannot move.

use std::{collections::HashSet, thread, time::Duration};

use super::{
    entry::{Entry, Further},
    list::{Asked, Read, Wanted},
};
use crate::{
    error::{Error, Kind},
    event::Report,
    image::{cache::Cache, http::Client, location::Location},
};

/// How many lists are asked for at once.
const AT_ONCE: usize = 16;

/// How many lists are read in all; the official one leads to some dozen.
const LISTS: usize = 200;

/// Over how many lists one may lead to another.
const STEPS: usize = 5;

/// How many images are taken in all.
const ENTRIES: usize = 20_000;

/// What to do about lists that cannot be read to the end.
const HINT: &str = "name the image by its address, or tell who publishes the list";

/// What all lists hold together.
#[derive(Debug, Default)]
pub struct Collected {
    /// Images, those of each list in its order.
    pub entries: Vec<Entry>,
    /// Every list that was read.
    pub lists: Vec<List>,
    /// What was not read, and why.
    pub unread: Vec<Unread>,
}

/// A list that was read.
#[derive(Debug)]
pub struct List {
    /// Where it is.
    pub location: Location,
    /// Where it is a copy from the cache: how old that is.
    pub age: Option<Duration>,
    /// Why it is; `None` where nobody was asked.
    pub failure: Option<Error>,
}

/// A list, or a part of one, that was not read.
#[derive(Debug)]
pub struct Unread {
    /// The list.
    pub location: Location,
    /// Why not.
    pub error: Error,
}

/// Reads `first` and what they lead to.
pub fn collect(
    first: &[Location],
    cache: &Cache,
    client: &Client,
    report: &dyn Report,
) -> Collected {
    let mut found = Collected::default();
    let mut known: HashSet<String> = HashSet::new();
    let wanted = |location: &Location| Wanted {
        location: location.clone(),
        within: Vec::new(),
        through: Vec::new(),
        without_asking: false,
    };
    let mut next: Vec<Wanted> = first.iter().map(wanted).collect();
    next.retain(|wanted| known.insert(wanted.location.whole()));
    for step in 0..=STEPS {
        let mut further = Vec::new();
        for batch in next.chunks(AT_ONCE) {
            for (wanted, asked) in batch.iter().zip(ask(batch, cache, client, report)) {
                match wanted.settle(asked, cache) {
                    Ok(read) => further.extend(found.take(wanted, read)),
                    Err(error) => found.unread.push(Unread {
                        location: wanted.location.clone(),
                        error,
                    }),
                }
            }
        }
        further.retain(|wanted| known.insert(wanted.location.whole()));
        let over = match step {
            STEPS => 0,
            _ => LISTS.saturating_sub(found.lists.len() + found.unread.len()),
        };
        if let Some(left_out) = further.get(over) {
            let what = match step {
                STEPS => format!(
                    "{} is not read: more than {STEPS} lists lead to it, each from another",
                    left_out.location
                ),
                _ => format!(
                    "{} is not read, and others: it is one list of more than {LISTS}",
                    left_out.location
                ),
            };
            found.leave_out(&left_out.location, what);
        }
        further.truncate(over);
        next = further;
    }
    found
}

/// Asks for each, side by side.
fn ask(batch: &[Wanted], cache: &Cache, client: &Client, report: &dyn Report) -> Vec<Asked> {
    thread::scope(|scope| {
        let asked = |wanted| scope.spawn(move || Wanted::ask(wanted, cache, client, report));
        let running: Vec<_> = batch.iter().map(asked).collect();
        let ended = running
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"));
        ended.collect()
    })
}

impl Collected {
    /// Takes what a list holds; returns the lists that it leads to.
    fn take(&mut self, wanted: &Wanted, read: Read) -> Vec<Wanted> {
        let Read { content, old } = read;
        let room = ENTRIES - self.entries.len();
        if content.entries.len() > room {
            let what = format!(
                "a part of {} is left out: there are more than {ENTRIES} images",
                wanted.location
            );
            self.leave_out(&wanted.location, what);
        }
        self.entries.extend(content.entries.into_iter().take(room));
        let offline = match &old {
            None => false,
            Some(old) => old
                .failure
                .as_ref()
                .is_none_or(|error| error.kind() == Kind::Host),
        };
        let mut through = wanted.through.clone();
        through.push(wanted.location.clone());
        let mut next = Vec::new();
        for Further { url, within } in content.further {
            match allowed(&url, &through) {
                Ok(location) => next.push(Wanted {
                    location,
                    within,
                    through: through.clone(),
                    without_asking: offline,
                }),
                Err(what) => self.leave_out(&wanted.location, what),
            }
        }
        let (age, failure) = old.map_or((None, None), |old| (Some(old.age), old.failure));
        self.lists.push(List {
            location: wanted.location.clone(),
            age,
            failure,
        });
        next
    }

    fn leave_out(&mut self, location: &Location, what: String) {
        self.unread.push(Unread {
            location: location.clone(),
            error: Error::image(what).hint(HINT),
        });
    }
}

/// The list at `url`, to which the last of `through` leads; or why it is not read.
fn allowed(url: &str, through: &[Location]) -> Result<Location, String> {
    let list = through.last().expect("a list leads to it");
    let location = match Location::parse(url) {
        Ok(location @ Location::Url(_)) => location,
        _ => {
            return Err(format!(
                "{list} leads to {url:?}, which is no address of a list"
            ));
        }
    };
    if through
        .iter()
        .any(|outer| outer.whole() == location.whole())
    {
        return Err(format!(
            "{list} leads back to {location}, which is read once"
        ));
    }
    let secure = |location: &Location| location.whole().to_ascii_lowercase().starts_with("https:");
    if secure(list) && !secure(&location) {
        return Err(format!(
            "{list} leads to {location}, which is not read: that address is without https"
        ));
    }
    Ok(location)
}
