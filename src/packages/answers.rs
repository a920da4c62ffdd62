//! The answer to a request: from the store, or from the server and into the store.

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    sync::Mutex,
};

use ureq::{
    Body,
    http::{HeaderMap, Response, StatusCode, Uri, header},
};

use super::{
    item::{Item, Proof},
    reply::{self, End},
    request::Request,
    store::{Draft, Entry, Store},
    upstream::Upstream,
};

/// How much is read from a server at once, in bytes.
const CHUNK: usize = 64 << 10;
/// How many items are remembered as asked for.
const MAX_ASKED: usize = 100_000;

/// Answers requests.
pub struct Answers {
    store: Store,
    upstream: Upstream,
    /// Keys of what was asked for in this run.
    asked: Mutex<HashSet<String>>,
}

impl Answers {
    pub fn new(store: Store) -> Self {
        Answers {
            store,
            upstream: Upstream::new(),
            asked: Mutex::default(),
        }
    }

    /// Answers one request. After an error the connection is of no more use.
    pub fn answer(&self, request: &Request, client: &mut impl Write) -> io::Result<()> {
        let Request {
            head_only, ref url, ..
        } = *request;
        let Some(item) = Item::of(request) else {
            return match self.upstream.ask(url, head_only, &request.headers) {
                Ok(response) => self.pass_on(response, head_only, None, client),
                Err(why) => client.write_all(reply::unreachable(&why, head_only).as_bytes()),
            };
        };
        // Whoever asks again in one run did not like what came; but what has its digest stays what it is.
        let again = !head_only && item.proof == Proof::Archive && self.was_asked_for(&item.key);
        let entry = self.store.find(&item).filter(|_| !again);
        let seen = entry.as_ref().map(|entry| entry.head().to_owned());
        if let Some(entry) = entry
            && self.is_current(&entry, &item, url)
        {
            return entry.send(head_only, client);
        }
        let _turn = (!head_only).then(|| self.store.turns.take(&item));
        let Some(kept) = self.store.find(&item) else {
            // Whole, even if the client has a part of it: that is what the next one wants.
            return match self.upstream.ask(url, head_only, &[]) {
                Ok(response) => self.pass_on(response, head_only, Some(&item), client),
                Err(why) => client.write_all(reply::unreachable(&why, head_only).as_bytes()),
            };
        };
        // Another run may have downloaded it while this one waited.
        if !again && seen.as_deref() != Some(kept.head()) {
            return kept.send(head_only, client);
        }
        match self.upstream.ask_briefly(url, head_only) {
            Ok(response) if response.status() == StatusCode::OK => {
                self.pass_on(response, head_only, Some(&item), client)
            }
            _ => kept.send(head_only, client),
        }
    }

    /// Whether an entry is what its server has. A repository may have built a package anew under the same
    /// name: then apt, which has the digest of the new one, would refuse the old one in each run.
    fn is_current(&self, entry: &Entry, item: &Item, url: &Uri) -> bool {
        if matches!(item.proof, Proof::Digest(_)) || self.upstream.is_down(url) {
            return true;
        }
        match self.upstream.ask_briefly(url, true) {
            Ok(response) if response.status() == StatusCode::OK => {
                let headers = response.headers();
                let head = length(headers).map(|length| reply::kept(headers, length));
                head.is_some_and(|head| head == entry.head())
            }
            // Out of reach, in trouble, or it has removed it, as archives do with old versions.
            _ => true,
        }
    }

    fn was_asked_for(&self, key: &str) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(|e| e.into_inner());
        if asked.len() >= MAX_ASKED {
            asked.clear();
        }
        !asked.insert(key.to_owned())
    }

    /// Passes on what the server answers, and keeps it where it is an `item`.
    fn pass_on(
        &self,
        response: Response<Body>,
        head_only: bool,
        item: Option<&Item>,
        client: &mut impl Write,
    ) -> io::Result<()> {
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        let length = length(&headers);
        let bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let end = match length {
            _ if bare => End::Head,
            Some(length) => End::Length(length),
            None if head_only => End::Head,
            None => End::Chunks,
        };
        let reason = status.canonical_reason().unwrap_or("Unknown");
        client.write_all(reply::head(status.as_u16(), reason, &headers, end).as_bytes())?;
        if head_only || bare {
            return Ok(());
        }
        let item = item.filter(|_| status == StatusCode::OK && may_be_kept(&headers));
        let draft = item.zip(length).and_then(|(item, length)| {
            self.store
                .begin(item, &reply::kept(&headers, length), length)
        });
        copy(body, end, draft, client)
    }
}

/// The length of a body, if the server knew it.
fn length(headers: &HeaderMap) -> Option<u64> {
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let length = headers.get(header::CONTENT_LENGTH).filter(|_| !chunked)?;
    length.to_str().ok()?.parse().ok()
}

/// Not what is packed on its way, nor what the server wants nobody to keep.
fn may_be_kept(headers: &HeaderMap) -> bool {
    let control = headers.get_all(header::CACHE_CONTROL).iter();
    let mut control = control.filter_map(|value| value.to_str().ok());
    let refused = control.any(|v| v.contains("no-store") || v.contains("private"));
    !refused && !headers.contains_key(header::CONTENT_ENCODING)
}

fn copy(
    body: Body,
    end: End,
    mut draft: Option<Draft<'_>>,
    client: &mut impl Write,
) -> io::Result<()> {
    let mut body = body.into_reader();
    let mut buffer = vec![0; CHUNK];
    let mut done = 0;
    loop {
        let bytes = match body.read(&mut buffer)? {
            0 => break,
            count => &buffer[..count],
        };
        done += bytes.len() as u64;
        // First, so that it is there when the client has all of it. If it fails, the disk may be full: that
        // is no reason not to pass it on.
        draft = draft.and_then(|draft| draft.write(bytes).ok().flatten());
        if end == End::Chunks {
            write!(client, "{:x}\r\n", bytes.len())?;
        }
        client.write_all(bytes)?;
        if end == End::Chunks {
            client.write_all(b"\r\n")?;
        }
    }
    match end {
        End::Chunks => client.write_all(b"0\r\n\r\n"),
        End::Length(length) if length != done => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
