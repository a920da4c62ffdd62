//! One request of a download: what to ask for, and whether the answer goes on with what is here.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use serde::{Deserialize, Serialize};
use ureq::{
    Body,
    http::{Response, header},
};

use super::super::{
    cache::ELSEWHERE,
    http::{self, Client, Fault},
    record::{self, Validators},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Report, Task},
    sys::{self, room},
};

/// How much is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// What is remembered of a download that is not complete.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The address, without secrets; for people who look into the directory.
    pub url: String,
    /// Which version of the file this is part of.
    pub validators: Validators,
    /// Its size in bytes, where the server told.
    pub total: Option<u64>,
}

impl State {
    /// The If-Range header, which makes the server send everything when the file has changed. RFC
    /// 9110, section 13.1.5: a weak ETag must not be used for it.
    fn if_range(&self) -> Option<String> {
        let strong = self
            .validators
            .etag
            .clone()
            .filter(|etag| !etag.starts_with("W/"));
        strong.or_else(|| self.validators.last_modified.clone())
    }
}

/// One download, over as many connections as it takes.
pub struct Transfer<'a> {
    /// Makes the requests.
    pub client: &'a Client,
    /// The address.
    pub url: &'a str,
    /// The address for messages.
    pub shown: &'a str,
    /// What was received.
    pub file: &'a File,
    /// Where the [`State`] is noted.
    pub meta: &'a Path,
    /// Whether the content will be checked against a digest.
    pub verified: bool,
    /// Who is told of the progress.
    pub report: &'a dyn Report,
}

impl Transfer<'_> {
    /// One request; false when the file is still the version `cached`.
    pub fn attempt(
        &mut self,
        state: &mut State,
        cached: Option<&Validators>,
    ) -> Result<bool, Fault> {
        let have = self.resumable(state).map_err(|error| self.disk(error))?;
        let mut headers = Vec::new();
        if have > 0 {
            headers.push(("range", format!("bytes={have}-")));
            headers.extend(state.if_range().map(|version| ("if-range", version)));
        } else if let Some(cached) = cached {
            headers.extend(cached.headers());
        }
        let response = self
            .client
            .get(self.url, self.shown, &headers, self.report)?;
        match response.status().as_u16() {
            304 => return Ok(false),
            416 if content_range(&response).is_some_and(|range| range.total == Some(have)) => {
                return Ok(true);
            }
            206 => match content_range(&response) {
                // The part and the rest must be of one size, or they are of two versions.
                Some(range) if range.start == Some(have) && may_join(state.total, range.total) => {
                    state.total = range.total.or(state.total);
                    return self.receive(response, have, state.total);
                }
                _ => {}
            },
            200 => {
                self.file.set_len(0).map_err(|error| self.disk(error))?;
                *state = State {
                    url: self.shown.to_owned(),
                    validators: Validators {
                        etag: http::header(&response, header::ETAG),
                        last_modified: http::header(&response, header::LAST_MODIFIED),
                    },
                    total: response.body().content_length(),
                };
                record::write(self.meta, state).map_err(|error| self.disk(error))?;
                return self.receive(response, 0, state.total);
            }
            _ => {}
        }
        // The server does not go on with what is here: from the start, then.
        self.file.set_len(0).map_err(|error| self.disk(error))?;
        let what = format!("{}: the server cannot resume the download", self.shown);
        Err(Fault::passing(Error::host(what)))
    }

    /// How many bytes are here and may be gone on from.
    fn resumable(&self, state: &State) -> io::Result<u64> {
        let have = self.file.metadata()?.len();
        let known = state.if_range().is_some() || (self.verified && state.total.is_some());
        if have > 0 && !known {
            self.file.set_len(0)?;
            return Ok(0);
        }
        Ok(have)
    }

    /// Writes the body behind the `have` bytes that are here.
    fn receive(
        &mut self,
        response: Response<Body>,
        mut have: u64,
        total: Option<u64>,
    ) -> Result<bool, Fault> {
        let broken = |why: &str| {
            let what = format!("the download of {} broke off {why}", self.shown);
            Fault::passing(Error::host(what))
        };
        self.check_room(have, total.unwrap_or_default())?;
        let progress = self
            .report
            .begin(Task::Downloading(self.shown.to_owned()), total);
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER];
        loop {
            progress.at(have);
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(broken(&format!("at {have} bytes: {error}"))),
            };
            self.file
                .write_all_at(&buffer[..count], have)
                .map_err(|error| {
                    let more = total.map(|total| total.saturating_sub(have));
                    self.full(more, error)
                })?;
            have += count as u64;
        }
        match total {
            Some(total) if have < total => Err(broken(&format!("at {have} of {total} bytes"))),
            Some(total) if have > total => {
                self.file.set_len(0).map_err(|error| self.disk(error))?;
                Err(broken("with more bytes than announced"))
            }
            _ => Ok(true),
        }
    }

    /// Refuses a download of `total` bytes before it begins, rather than after an hour. A packed image is unpacked
    /// beside its download, and is not smaller then.
    fn check_room(&self, have: u64, total: u64) -> Result<(), Fault> {
        const PACKED: [&str; 4] = [".xz", ".gz", ".zst", ".zip"];
        let packed = PACKED.iter().any(|ending| self.shown.ends_with(ending));
        let unpacked = if packed { total } else { 0 };
        let more = total.saturating_sub(have).saturating_add(unpacked);
        match room::free(self.file) {
            Some(free) if free < more => {
                Err(self.full(Some(more), io::Error::from_raw_os_error(nix::libc::ENOSPC)))
            }
            _ => Ok(()),
        }
    }

    fn disk(&self, error: io::Error) -> Fault {
        self.full(None, error)
    }

    /// The file cannot be written: maybe for lack of room, with `more` bytes to come.
    fn full(&self, more: Option<u64>, error: io::Error) -> Fault {
        let what = || format!("cannot write the download of {} to the cache", self.shown);
        let full = sys::file::is_full(&error);
        let failed: Result<()> = Err(error).context(Kind::Host, what);
        let error = failed.unwrap_err();
        Fault::fatal(match full {
            true => error.better_hint(room::hint(self.file, more, ELSEWHERE)),
            false => error,
        })
    }
}

/// A Content-Range header: where the body starts in the file, and the file's size.
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

/// Reads `bytes START-END/TOTAL`, either part of which may be `*` (RFC 9110, section 14.4).
fn content_range(response: &Response<Body>) -> Option<ContentRange> {
    let text = http::header(response, header::CONTENT_RANGE)?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range
        .split_once('-')
        .and_then(|(start, _)| start.trim().parse().ok());
    Some(ContentRange {
        start,
        total: total.trim().parse().ok(),
    })
}

/// Whether sizes known before and now can be of one file.
fn may_join(before: Option<u64>, now: Option<u64>) -> bool {
    before.is_none() || now.is_none() || before == now
}
