//! HTTP requests: one agent, one set of limits, and errors that say whether trying again may help.

use std::{io::Read, sync::mpsc, thread, time::Duration};

use ureq::{
    Agent, Body, Proxy, ResponseExt,
    http::{Response, header},
};

use super::{location::Location, record::Validators};
use crate::{
    address::Address,
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
};

/// How patient the client is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often in a row it may fail without getting a single new byte.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub pause: Duration,
    /// How long connecting, and looking up the name, may take.
    pub connect: Duration,
    /// How long the server may stay silent.
    pub stall: Duration,
    /// How long all of a request may take; as long as something comes, where there is no limit.
    pub whole: Option<Duration>,
}

impl Patience {
    /// For something small that is one of many, or that one can do without.
    pub fn with_small_things() -> Self {
        Patience {
            attempts: 3,
            stall: Duration::from_secs(20),
            whole: Some(Duration::from_secs(60)),
            ..Patience::default()
        }
    }
}

impl Default for Patience {
    /// Gives up on a dead network after half a minute, on a dead connection after one minute;
    /// servers that are slow to fetch a file from their own storage answer within that.
    fn default() -> Self {
        Patience {
            attempts: 5,
            pause: Duration::from_secs(1),
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(60),
            whole: None,
        }
    }
}

/// What a server has to say of a file that may be known already.
pub enum Version {
    /// It is still the one that is known.
    Known,
    /// All of it, and what to recognise it by the next time.
    New(Vec<u8>, Validators),
}

/// How many redirects are followed: mirrors use one to three, loops never end.
const REDIRECTS: u32 = 10;

/// A request that failed, and whether it may work the next time.
#[derive(Debug)]
pub struct Fault {
    /// What happened.
    pub error: Error,
    /// Whether to try again.
    pub again: bool,
}

impl Fault {
    /// A failure that stays.
    pub fn fatal(error: Error) -> Self {
        Fault {
            error,
            again: false,
        }
    }

    /// A failure that may pass.
    pub fn passing(error: Error) -> Self {
        Fault { error, again: true }
    }
}

/// Makes requests.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    patience: Patience,
}

impl Client {
    /// A client that uses the proxies of the environment (`https_proxy` and so on).
    pub fn new(patience: Patience) -> Self {
        Self::through(Proxy::try_from_env(), patience)
    }

    /// A client that uses this proxy, or none.
    pub fn through(proxy: Option<Proxy>, patience: Patience) -> Self {
        let agent = Agent::config_builder()
            .proxy(proxy)
            .user_agent(concat!("pichroot/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.stall))
            .timeout_per_read(Some(patience.stall))
            .timeout_global(patience.whole)
            .build()
            .new_agent();
        Client { agent, patience }
    }

    /// Sends a GET request; the answer has status 200, 206, 304 or 416.
    pub fn get(
        &self,
        url: &str,
        shown: &str,
        headers: &[(&str, String)],
        report: &dyn Report,
    ) -> Result<Response<Body>, Fault> {
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = impatiently(shown, report, || request.call());
        let response = answer.map_err(|error| failed(shown, error))?;
        let secure = |scheme: Option<&str>| scheme.is_some_and(|s| s.eq_ignore_ascii_case("https"));
        if secure(Address::of(url).scheme) && !secure(response.get_uri().scheme_str()) {
            return Err(Fault::fatal(
                Error::host(format!("{shown} redirects to an address without https"))
                    .hint("name another address; the http:// one needs a checksum to be safe"),
            ));
        }
        refuse_status(shown, &response).map_or(Ok(response), Err)
    }

    /// A client that gives up after the first retry.
    pub fn hurried(&self) -> Self {
        let attempts = self.patience.attempts.min(2);
        Client {
            agent: self.agent.clone(),
            patience: Patience {
                attempts,
                ..self.patience
            },
        }
    }

    /// Where `url` leads, after all redirects.
    pub fn target(&self, url: &str, report: &dyn Report) -> Result<Location> {
        let shown = Address::of(url).to_string();
        self.patiently(report, &mut || 0, &mut || {
            // Not HEAD, which some servers refuse. The body is not read.
            let first = [("range", "bytes=0-0".to_owned())];
            let response = self.get(url, &shown, &first, report)?;
            Ok(Location::Url(response.get_uri().to_string()))
        })
    }

    /// What is at `url`.
    ///
    /// # Errors
    /// Also [`Kind::Image`], where that is more than `limit` bytes.
    pub fn bytes(&self, url: &str, limit: u64, report: &dyn Report) -> Result<Vec<u8>> {
        match self.version(url, limit, None, report)? {
            Version::New(bytes, _) => Ok(bytes),
            Version::Known => unreachable!("no version is known"),
        }
    }

    /// What is at `url`, unless it is still the version `known`.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn version(
        &self,
        url: &str,
        limit: u64,
        known: Option<&Validators>,
        report: &dyn Report,
    ) -> Result<Version> {
        let shown = Address::of(url).to_string();
        report.tell(Event::Reading(shown.clone()));
        let headers = known.map(Validators::headers).unwrap_or_default();
        self.patiently(report, &mut || 0, &mut || {
            let response = self.get(url, &shown, &headers, report)?;
            match response.status().as_u16() {
                200 => {}
                304 if !headers.is_empty() => return Ok(Version::Known),
                status => {
                    let what = format!("{shown}: the server answers {status} to a plain request");
                    return Err(Fault::fatal(Error::host(what).hint("try another address")));
                }
            }
            let validators = Validators {
                etag: header(&response, header::ETAG),
                last_modified: header(&response, header::LAST_MODIFIED),
            };
            let mut bytes = Vec::new();
            let body = response.into_body().into_reader();
            let read = body.take(limit + 1).read_to_end(&mut bytes);
            read.context(Kind::Host, || format!("cannot read {shown}"))
                .map_err(Fault::passing)?;
            if bytes.len() as u64 > limit {
                let what = format!("{shown} is larger than {} MiB", limit >> 20);
                let hint = "check the address: this is not what was expected there";
                return Err(Fault::fatal(Error::image(what).hint(hint)));
            }
            Ok(Version::New(bytes, validators))
        })
    }

    /// Calls `attempt` until it works, fails for good, or has failed too often. A failure after
    /// which `done` is larger than ever before does not count.
    pub fn patiently<T>(
        &self,
        report: &dyn Report,
        done: &mut dyn FnMut() -> u64,
        attempt: &mut dyn FnMut() -> Result<T, Fault>,
    ) -> Result<T> {
        let mut best = done();
        let mut failures = 0;
        let mut number = 0;
        loop {
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let now = done();
            failures = if now > best { 0 } else { failures + 1 };
            best = best.max(now);
            if !failure.again {
                return Err(failure.error);
            }
            if failures >= self.patience.attempts {
                let hint = "check the address and the network, then run it again; \
                            a download goes on where it stopped";
                return Err(failure.error.hint(hint));
            }
            let pause = self.patience.pause * 2_u32.pow(failures.saturating_sub(1));
            number += 1;
            report.tell(Event::Retrying {
                failure: (&failure.error).into(),
                pause,
                number,
                left: self.patience.attempts - failures,
            });
            thread::sleep(pause);
        }
    }
}

/// How long a server may take before the user is told whom we are waiting for.
const SILENCE: Duration = Duration::from_secs(2);

/// Does `work`, and tells after a while that it has not ended yet.
fn impatiently<T>(shown: &str, report: &dyn Report, work: impl FnOnce() -> T) -> T {
    let (ended, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(SILENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                report.tell(Event::NoAnswerYet(shown.to_owned()));
            }
        });
        let result = work();
        drop(ended);
        result
    })
}

/// The failure that an answer's status stands for, if it is one.
fn refuse_status(shown: &str, response: &Response<Body>) -> Option<Fault> {
    let status = response.status();
    let what = format!("{shown}: the server answers {status}");
    let hint = match status.as_u16() {
        200 | 206 | 304 | 416 => return None,
        408 | 425 | 429 | 500.. => return Some(Fault::passing(Error::host(what))),
        401 | 403 | 407 => "the server wants a login, or does not serve this address to everybody",
        404 | 410 => "check the address; publishers move images when a new release is out",
        _ => "check the address",
    };
    Some(Fault::fatal(Error::usage(what).hint(hint)))
}

/// The failure for a request that got no answer.
fn failed(shown: &str, error: ureq::Error) -> Fault {
    let again = !matches!(
        error,
        ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::TooManyRedirects
            | ureq::Error::RedirectFailed
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)
            | ureq::Error::HostNotFound
    );
    let error = Err::<(), _>(error).context(Kind::Host, || format!("cannot get {shown}"));
    let error = error.unwrap_err().hint("check the address and the network");
    Fault { error, again }
}

/// A response header as text.
pub fn header(response: &Response<Body>, name: header::HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}
