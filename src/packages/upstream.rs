//! Asking servers.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use ureq::{
    Agent, Body,
    http::{Response, Uri},
};

use super::request::Header;

/// How long connecting, and looking up the name, may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a server may stay silent.
const STALL: Duration = Duration::from_secs(60);
/// How long each of these may take where there is an answer without the server: apt, which gives up after 30
/// seconds, is to get that one.
const BRIEF: Duration = Duration::from_secs(8);
/// How many redirects are followed: mirrors use one to three, loops never end.
const REDIRECTS: u32 = 10;
/// How long one that could not be reached is left alone, where there is an answer without it.
const DOWN: Duration = Duration::from_secs(30);
/// Of how many that is known.
const MAX_DOWN: usize = 64;

/// The servers that images ask.
pub struct Upstream {
    agent: Agent,
    down: Mutex<HashMap<String, Instant>>,
}

impl Upstream {
    pub fn new() -> Self {
        let agent = Agent::config_builder()
            // The stage has no environment that could name one, and apt is configured without us where
            // the host has one.
            .proxy(None)
            .user_agent(concat!("pichroot/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(STALL))
            .timeout_per_read(Some(STALL))
            .build()
            .new_agent();
        Upstream {
            agent,
            down: Mutex::default(),
        }
    }

    /// The answer of `url`'s server; else why there is none.
    pub fn ask(
        &self,
        url: &Uri,
        head_only: bool,
        headers: &[Header],
    ) -> Result<Response<Body>, String> {
        let mut request = match head_only {
            true => self.agent.head(url),
            false => self.agent.get(url),
        };
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.noted(url, request.call())
    }

    /// The same where there is an answer without it.
    pub fn ask_briefly(&self, url: &Uri, head_only: bool) -> Result<Response<Body>, String> {
        let limit = Some(BRIEF);
        let request = match head_only {
            true => self.agent.head(url).config().timeout_global(limit).build(),
            // A body may take its time.
            false => {
                let config = self.agent.get(url).config();
                let config = config.timeout_resolve(limit).timeout_connect(limit);
                config.timeout_recv_response(limit).build()
            }
        };
        self.noted(url, request.call())
    }

    /// What came, or why nothing did, which is remembered.
    fn noted(
        &self,
        url: &Uri,
        came: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, String> {
        came.map_err(|error| {
            let host = url.host().unwrap_or_default();
            let mut down = self.down.lock().unwrap_or_else(|e| e.into_inner());
            if down.len() >= MAX_DOWN {
                down.clear();
            }
            down.insert(host.to_owned(), Instant::now());
            format!("cannot reach {host}: {error}")
        })
    }

    /// Whether the server of `url` could not be reached a moment ago.
    pub fn is_down(&self, url: &Uri) -> bool {
        let down = self.down.lock().unwrap_or_else(|e| e.into_inner());
        let since = url.host().and_then(|host| down.get(host));
        since.is_some_and(|since| since.elapsed() < DOWN)
    }
}
