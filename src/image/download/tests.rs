use std::{fs, sync::Arc, time::Duration};

use super::{
    super::{
        Cache, Source,
        digest::{Algorithm, Hasher},
        fetch_with,
        http::Patience,
    },
    server::{Files, Reply, Server},
    *,
};
use crate::{error::Kind, event::Silent, image::decode::testing::image};

fn client() -> Client {
    let patience = Patience {
        attempts: 3,
        pause: Duration::from_millis(1),
        connect: Duration::from_secs(5),
        stall: Duration::from_millis(300),
        whole: None,
    };
    Client::through(None, patience)
}

fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher::new(None);
    hasher.update(bytes);
    format!("sha256:{}", hasher.finish()[&Algorithm::Sha256])
}

/// A cache of its own, and what is fetched into it.
struct Setup {
    _dir: tempfile::TempDir,
    cache: Cache,
}

impl Setup {
    fn new() -> Setup {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        Setup { _dir: dir, cache }
    }

    fn fetch(&self, url: &str, checksum: &str) -> Result<Vec<u8>> {
        let source = Source::parse(url, Some(checksum))?;
        let base = fetch_with(&self.cache, &client(), &source, &Silent)?;
        Ok(fs::read(base.path()).unwrap())
    }

    /// How many files wait in downloads/.
    fn waiting(&self) -> usize {
        fs::read_dir(self.cache.downloads()).unwrap().count()
    }
}

#[test]
fn a_known_checksum_needs_no_network_the_second_time() {
    let (setup, data) = (Setup::new(), image(1, 30));
    let server = Server::start(Files::new(&data));
    let sum = sha256(&data);
    assert!(setup.fetch(&server.url("a.img"), &sum).unwrap() == data);
    assert!(setup.fetch(&server.url("a.img"), &sum).unwrap() == data);
    assert_eq!(server.requests().len(), 1);
    assert!(server.requests()[0].contains("user-agent: pichroot/"));
    assert_eq!(setup.waiting(), 0);
}

#[test]
fn a_broken_connection_is_resumed_where_it_stopped() {
    let (setup, data) = (Setup::new(), image(2, 400));
    let mut files = Files::new(&data);
    files.break_after = vec![100_000, 200_000, 300_000, 400_000, 500_000];
    let server = Server::start(files);
    assert!(setup.fetch(&server.url("a.img"), &sha256(&data)).unwrap() == data);
    let requests = server.requests();
    assert!(
        requests.len() > 3,
        "more breaks than attempts, but each got further"
    );
    for request in &requests[1..] {
        assert!(request.contains("\nrange: bytes="), "{request}");
        assert!(request.contains("\nif-range: \"1\""), "{request}");
    }
}

#[test]
fn a_server_that_ignores_ranges_makes_it_start_again() {
    let (setup, data) = (Setup::new(), image(3, 100));
    let mut files = Files::new(&data);
    files.ranges = false;
    files.break_after = vec![100_000];
    let server = Server::start(files);
    assert!(setup.fetch(&server.url("a.img"), &sha256(&data)).unwrap() == data);
}

#[test]
fn a_file_that_changes_meanwhile_is_not_glued_together() {
    let (setup, old, new) = (Setup::new(), image(4, 100), image(5, 120));
    let mut files = Files::new(&old);
    files.break_after = vec![100_000];
    files.next = Some(new.clone());
    let server = Server::start(files);
    assert!(setup.fetch(&server.url("a.img"), "none").unwrap() == new);
}

#[test]
fn a_later_run_goes_on_and_a_dead_server_is_given_up() {
    let (setup, data) = (Setup::new(), image(6, 100));
    let mut files = Files::new(&data);
    files.break_after = vec![100_000, 0, 0, 0];
    let server = Server::start(files);
    let error = setup
        .fetch(&server.url("a.img"), &sha256(&data))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Host);
    assert!(
        error
            .hint_text()
            .unwrap()
            .contains("goes on where it stopped")
    );
    assert_eq!((server.requests().len(), setup.waiting()), (4, 2));
    assert!(setup.fetch(&server.url("a.img"), &sha256(&data)).unwrap() == data);
    assert!(server.requests()[4].contains("range: bytes=1"));
    assert_eq!(setup.waiting(), 0);
}

#[test]
fn a_silent_server_is_left_and_tried_again() {
    let (setup, data) = (Setup::new(), image(7, 100));
    let mut files = Files::new(&data);
    files.break_after = vec![50_000];
    // It never hangs up by itself: who does not leave it waits until the test is killed.
    files.stall = Some(Duration::from_secs(3600));
    let server = Server::start(files);
    assert!(setup.fetch(&server.url("a.img"), &sha256(&data)).unwrap() == data);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn refusals_are_final_and_name_the_address() {
    for (status, kind, tries) in [
        (404, Kind::Usage, 1),
        (403, Kind::Usage, 1),
        (503, Kind::Host, 3),
    ] {
        let setup = Setup::new();
        let server = Server::start_with(move |_| Reply::status(status));
        let url = server.url("a.img?token=SECRET");
        let error = setup.fetch(&url, "none").unwrap_err();
        assert_eq!(error.kind(), kind);
        let text = error.to_string();
        assert!(
            text.contains(&status.to_string()) && text.contains("/a.img"),
            "{text}"
        );
        assert!(
            !text.contains("SECRET") && error.hint_text().is_some(),
            "{text}"
        );
        assert_eq!((server.requests().len(), setup.waiting()), (tries, 0));
    }
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let (setup, data) = (Setup::new(), image(8, 3));
    let files = Arc::new(Files::new(&data));
    let server = Server::start_with(move |request| match request.path.as_str() {
        "/loop" => Reply::status(302).header("location", "/loop"),
        "/old" => Reply::status(301).header("location", "/a.img"),
        _ => files.reply(request),
    });
    assert!(setup.fetch(&server.url("old"), "none").unwrap() == data);
    let error = setup.fetch(&server.url("loop"), "none").unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
}

#[test]
fn without_a_checksum_the_server_is_asked_whether_it_changed() {
    let (setup, data) = (Setup::new(), image(9, 30));
    let server = Server::start(Files::new(&data));
    let url = server.url("a.img");
    assert!(setup.fetch(&url, "none").unwrap() == data);
    assert!(setup.fetch(&url, "none").unwrap() == data);
    let requests = server.requests();
    assert!(
        requests[1].contains("if-none-match: \"1\""),
        "{}",
        requests[1]
    );
    assert_eq!(server.sent(), data.len());
    drop(server);
    let error = setup.fetch(&url, "none").unwrap_err();
    assert!(error.hint_text().unwrap().contains("--checksum"), "{error}");
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let (setup, data) = (Setup::new(), image(10, 30));
    let server = Server::start(Files::new(&data));
    let error = setup
        .fetch(&server.url("a.img"), &sha256(b"other"))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Image);
    assert_eq!((setup.waiting(), setup.cache.bases().len()), (0, 0));
    assert_eq!(
        fs::read_dir(setup.cache.root().join("bases"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_download_that_was_complete_is_not_repeated() {
    let (setup, data) = (Setup::new(), image(11, 30));
    let server = Server::start(Files::new(&data));
    let url = server.url("a.img");
    let dir = setup.cache.downloads();
    for _ in 0..2 {
        // As if the run had been killed before it could decode it.
        let answer = download(&client(), &dir, &url, None, true, &Silent).unwrap();
        assert!(matches!(answer, Answer::Complete(_)));
    }
    assert_eq!(server.sent(), data.len());
}

#[test]
fn a_checksum_file_is_downloaded_too() {
    let (setup, data) = (Setup::new(), image(12, 3));
    let sums = format!("{} *a+b.img\n", &sha256(&data)[7..]);
    let (image, sums) = (Files::new(&data), Files::new(sums.as_bytes()));
    let server = Server::start_with(move |request| match request.path.as_str() {
        "/SHA256SUMS" => sums.reply(request),
        _ => image.reply(request),
    });
    let file = format!("file:{}", server.url("SHA256SUMS"));
    assert!(setup.fetch(&server.url("a%2Bb.img"), &file).unwrap() == data);
    let error = setup.fetch(&server.url("other.img"), &file).unwrap_err();
    assert!(
        error.to_string().contains("has no line for other.img"),
        "{error}"
    );
}
