//! Downloads to a file, going on where an earlier attempt, or an earlier run, stopped.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use ureq::{
    Body,
    http::{Response, header},
};

use super::{
    digest::name_for,
    http::{self, Client, Failure},
    record::{self, Validators},
    source::Location,
};
use crate::{
    error::{Context, Error, Kind, Result},
    report::Report,
};

/// How much is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// What came of asking a server for a file.
pub enum Answer {
    /// It is still the version that was asked about.
    Unchanged,
    /// It is in this file.
    Complete(Download),
}

/// A download, in files of its own until [`Download::remove`].
#[derive(Debug)]
pub struct Download {
    part: PathBuf,
    meta: PathBuf,
    state: State,
}

/// What is remembered of a download that is not complete.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    /// The address, without secrets; for people who look into the directory.
    url: String,
    /// Which version of the file this is part of.
    validators: Validators,
    /// Its size in bytes, where the server told.
    total: Option<u64>,
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

/// Downloads `url` into the directory `dir`. The caller sees to it that no other run does.
///
/// With `cached`, asks first whether the file is still that version. `verified` says that the
/// content will be checked, so that a server which names no versions may be trusted to resume.
///
/// # Errors
/// [`Kind::Usage`] when the server does not have the file, [`Kind::Host`] when the network or the
/// disk fails; what was read until then stays for the next attempt.
pub fn download(
    client: &Client,
    dir: &Path,
    url: &str,
    cached: Option<&Validators>,
    verified: bool,
    report: &dyn Report,
) -> Result<Answer> {
    let shown = Location::Url(url.to_owned()).to_string();
    let part = dir.join(format!("{}.part", name_for(url)));
    let meta = part.with_extension("json");
    let mut state: State = record::read(&meta).unwrap_or_default();
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&part)
        .context(Kind::Host, || format!("cannot write {}", part.display()))?;
    let mut transfer = Transfer {
        client,
        url,
        shown: &shown,
        file: &file,
        meta: &meta,
        verified,
        report,
    };
    let length = || file.metadata().map_or(0, |meta| meta.len());
    let complete = client.patiently(&shown, report, &mut || length(), &mut || {
        transfer.attempt(&mut state, cached)
    });
    match complete {
        Ok(true) => Ok(Answer::Complete(Download { part, meta, state })),
        unchanged_or_failed => {
            // Nothing to resume from: leave nothing.
            if length() == 0 {
                let _ = (fs::remove_file(&part), fs::remove_file(&meta));
            }
            unchanged_or_failed.map(|_| Answer::Unchanged)
        }
    }
}

impl Download {
    /// Opens the complete file.
    pub fn open(&self) -> Result<File> {
        File::open(&self.part).context(Kind::Host, || {
            format!("cannot read {}", self.part.display())
        })
    }

    /// What the server said to recognise this version by.
    pub fn validators(&self) -> &Validators {
        &self.state.validators
    }

    /// Removes it; it is of no more use, or no good.
    pub fn remove(self) {
        // A file that cannot be removed now is resumed, and found complete, by the next download.
        let _ = (fs::remove_file(&self.part), fs::remove_file(&self.meta));
    }
}

/// One download, over as many connections as it takes.
struct Transfer<'a> {
    client: &'a Client,
    url: &'a str,
    shown: &'a str,
    file: &'a File,
    meta: &'a Path,
    verified: bool,
    report: &'a dyn Report,
}

impl Transfer<'_> {
    /// One request; false when the file is still the version `cached`.
    fn attempt(&mut self, state: &mut State, cached: Option<&Validators>) -> Result<bool, Failure> {
        let have = self.resumable(state).map_err(|error| self.disk(error))?;
        let mut headers = Vec::new();
        if have > 0 {
            headers.push(("range", format!("bytes={have}-")));
            headers.extend(state.if_range().map(|version| ("if-range", version)));
        } else if let Some(cached) = cached {
            headers.extend(cached.etag.clone().map(|etag| ("if-none-match", etag)));
            headers.extend(
                cached
                    .last_modified
                    .clone()
                    .map(|date| ("if-modified-since", date)),
            );
        }
        let response = self.client.get(self.url, self.shown, &headers)?;
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
        Err(Failure::passing(Error::host(what)))
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
    ) -> Result<bool, Failure> {
        let broken = |why: &str| {
            let what = format!("the download of {} broke off {why}", self.shown);
            Failure::passing(Error::host(what))
        };
        let progress = self
            .report
            .progress(&format!("downloading {}", self.shown), total);
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
                .map_err(|error| self.disk(error))?;
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

    fn disk(&self, error: io::Error) -> Failure {
        let what = || format!("cannot write the download of {} to the cache", self.shown);
        let failed: Result<()> = Err(error).context(Kind::Host, what);
        Failure::fatal(failed.unwrap_err())
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

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
