//! One list: read from a file, or asked for on its server, and kept with what tells its versions apart.

use std::{
    fs,
    io::ErrorKind,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::entry::{Content, Origin};
use crate::{
    error::{Context, Error, Kind, Result},
    event::Report,
    image::{
        cache::Cache,
        http::{Client, Version},
        location::Location,
        record::{self, Validators},
        small_file,
    },
    nearest,
};

/// The largest list that is read, in bytes; the official one has some hundred KiB.
pub const SIZE: u64 = 8 << 20;

/// What to do about a list that is none.
const HINT: &str =
    "name a list of images in Raspberry Pi Imager's form (os_list), as rpi-imager --repo takes it";

/// A list as it was last read from its server.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The address, without secrets; for people who look into the directory.
    url: String,
    validators: Validators,
    /// When the server last said that this is it, in seconds since 1970.
    seen: u64,
    text: String,
}

/// A list that is to be read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it is.
    pub location: Location,
    /// What all of it is part of.
    pub within: Vec<String>,
    /// The lists that lead to it, from the outside to the inside.
    pub through: Vec<Location>,
    /// Whether a kept copy is used without asking: the list that leads here could not be had either.
    pub without_asking: bool,
}

/// What came of asking for a list; not looked into yet.
pub struct Asked {
    kept: Option<Kept>,
    answer: Result<Answer>,
}

enum Answer {
    /// What is kept will do.
    AsKept,
    /// This is the list now.
    New(Vec<u8>, Validators),
}

/// A list that was read.
pub struct Read {
    /// What it holds.
    pub content: Content,
    /// Where it is an older copy: why.
    pub old: Option<Old>,
}

/// A copy from the cache, used as the list itself could not be had.
#[derive(Debug)]
pub struct Old {
    /// How long ago the server last said that this is it.
    pub age: Duration,
    /// Why it was not read now; `None` where nobody was asked.
    pub failure: Option<Error>,
}

impl Wanted {
    /// Asks for it.
    pub fn ask(&self, cache: &Cache, client: &Client, report: &dyn Report) -> Asked {
        let url = match &self.location {
            Location::Path(path) => {
                let what = || format!("cannot read the list of images {}", path.display());
                let read = small_file::read(path, SIZE).or_else(|error| {
                    let kind = match error.kind() {
                        ErrorKind::FileTooLarge => Kind::Image,
                        _ => Kind::Usage,
                    };
                    Err(error).context(kind, what)
                });
                let read = read.map_err(|error| error.hint(nearest::hint(path, HINT)));
                return Asked {
                    kept: None,
                    answer: read.map(|text| Answer::New(text, Validators::default())),
                };
            }
            Location::Url(url) => url,
        };
        let kept: Option<Kept> = record::read(&cache.list_path(url));
        if self.without_asking && kept.is_some() {
            return Asked {
                kept,
                answer: Ok(Answer::AsKept),
            };
        }
        let known = kept.as_ref().map(|kept| &kept.validators);
        // Who has something to fall back on is not kept waiting for long.
        let hurried = client.hurried();
        let client = if kept.is_some() { &hurried } else { client };
        let answer = client
            .version(url, SIZE, known, report)
            .map(|version| match version {
                Version::Known => Answer::AsKept,
                Version::New(text, validators) => Answer::New(text, validators),
            });
        Asked { kept, answer }
    }

    /// Looks into what came of that, and keeps it where it is a list.
    ///
    /// # Errors
    /// Those of asking; [`Kind::Image`] when it is no list. Not where an older copy is kept.
    pub fn settle(&self, asked: Asked, cache: &Cache) -> Result<Read> {
        let Asked { kept, answer } = asked;
        let failure = match answer {
            Ok(Answer::AsKept) => None,
            Err(error) => Some(error),
            Ok(Answer::New(text, validators)) => match self.content(&text) {
                Ok(content) => {
                    self.keep(text, validators, cache);
                    return Ok(Read { content, old: None });
                }
                Err(error) => Some(error),
            },
        };
        let usable = kept.and_then(|kept| Some((self.content(kept.text.as_bytes()).ok()?, kept)));
        match (usable, failure) {
            (None, Some(error)) => Err(error),
            (None, None) => {
                self.forget(cache);
                let what = format!("the copy of {} in the cache is of no use", self.location);
                Err(Error::host(what).hint("run it again: it has been removed"))
            }
            (Some((content, kept)), None) if !self.without_asking => {
                self.keep(kept.text.into_bytes(), kept.validators, cache);
                Ok(Read { content, old: None })
            }
            (Some((content, kept)), failure) => {
                let age = Duration::from_secs(now().saturating_sub(kept.seen));
                Ok(Read {
                    content,
                    old: Some(Old { age, failure }),
                })
            }
        }
    }

    fn content(&self, text: &[u8]) -> Result<Content> {
        let origin = Origin {
            list: &self.location,
            within: &self.within,
        };
        Content::parse(text, origin).map_err(|why| {
            Error::image(format!("the list of images {} {why}", self.location)).hint(HINT)
        })
    }

    /// Only a way out for later runs, so failure does no harm.
    fn keep(&self, text: Vec<u8>, validators: Validators, cache: &Cache) {
        if let (Location::Url(url), Ok(text)) = (&self.location, String::from_utf8(text)) {
            let kept = Kept {
                url: self.location.to_string(),
                validators,
                seen: now(),
                text,
            };
            let _ = record::write(&cache.list_path(url), &kept);
        }
    }

    fn forget(&self, cache: &Cache) {
        if let Location::Url(url) = &self.location {
            // If it cannot be removed, the next run says the same.
            let _ = fs::remove_file(cache.list_path(url));
        }
    }
}

fn now() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}
