//! Lists on a server: what is asked for, what is kept, and what is left out.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::{entry::tests::item, *};
use crate::{
    error::Kind,
    event::{Progress, Silent, Task},
    image::download::server::{Reply, Request, Server},
};

/// Keeps what is told, but for details.
#[derive(Default)]
struct Told(Mutex<Vec<Event>>);

impl Report for Told {
    fn tell(&self, event: Event) {
        if event.level() != crate::event::Level::Detail {
            self.0.lock().unwrap().push(event);
        }
    }

    fn begin(&self, _: Task, _: Option<u64>) -> Box<dyn Progress> {
        Box::new(Silent)
    }
}

/// A server with lists, whose network may be cut.
struct Place {
    dir: tempfile::TempDir,
    cache: Cache,
    server: Server,
    cut: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    told: Told,
}

impl Place {
    /// Each list by its path. Without tags there is no ETag.
    fn new(lists: &[(&str, Value)], tags: bool) -> Self {
        Place::answering(lists, move |body| Reply::of(body, tags.then_some("\"1\"")))
    }

    fn answering(
        lists: &[(&str, Value)],
        reply: impl Fn(&[u8]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        let (cut, asked) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let lists: Vec<(String, String)> = lists
            .iter()
            .map(|(path, list)| (format!("/{path}"), list.to_string()))
            .collect();
        let (dead, seen): (_, Arc<Mutex<Vec<String>>>) = (cut.clone(), Arc::clone(&asked));
        let server = Server::start_with(move |request: &Request| {
            let known = request.text.contains("if-none-match: \"1\"");
            let mark = if known { "?" } else { "" };
            seen.lock().unwrap().push(format!("{}{mark}", request.path));
            if dead.load(Relaxed) {
                return Reply::status(503);
            }
            match lists.iter().find(|(path, _)| *path == request.path) {
                None => Reply::status(404),
                Some(_) if known => Reply::status(304),
                // Its own address is not known before it runs.
                Some((_, text)) => reply(text.replace("SELF", request.host()).as_bytes()),
            }
        });
        Place {
            dir,
            cache,
            server,
            cut,
            asked,
            told: Told::default(),
        }
    }

    fn catalogues(&self, own: &[&str]) -> Catalogues {
        let url = |path: &&str| match path.starts_with('/') {
            true => Location::Path(path.into()),
            false => Location::Url(self.server.url(path)),
        };
        Catalogues {
            own: own.iter().map(url).collect(),
            official: Some(url(&"official.json")),
        }
    }

    fn find(&self, own: &[&str], name: &str) -> Result<Entry> {
        let patience = Patience {
            attempts: 2,
            pause: Duration::from_millis(1),
            ..Patience::with_small_things()
        };
        let client = Client::through(None, patience);
        self.catalogues(own)
            .find_with(name, &self.cache, &client, &self.told)
    }

    /// What was asked for since the last time, in the order of the alphabet; `?` is whether it has changed.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }

    fn told(&self) -> Vec<Event> {
        std::mem::take(&mut *self.told.0.lock().unwrap())
    }
}

fn list(items: &[Value]) -> Value {
    json!({ "os_list": items })
}

fn further(name: &str, path: &str) -> Value {
    json!({"name": name, "subitems_url": format!("http://SELF/{path}")})
}

#[test]
fn a_list_that_leads_to_others_is_read_once_each_and_kept() {
    let place = Place::new(
        &[
            (
                "official.json",
                list(&[
                    item("Top", "http://h/top.img.xz"),
                    further("Far", "far.json"),
                    further("Far again", "far.json"),
                ]),
            ),
            ("far.json", list(&[item("Inner", "http://h/inner.img.xz")])),
        ],
        true,
    );
    let entry = place.find(&[], "inner").unwrap();
    assert_eq!(entry.within, ["Far"]);
    assert_eq!(place.asked(), ["/far.json", "/official.json"]);
    // The next time it is asked whether they have changed.
    place.find(&[], "inner").unwrap();
    assert_eq!(place.asked(), ["/far.json?", "/official.json?"]);
    assert_eq!(place.told(), []);
}

#[test]
fn without_a_network_what_is_kept_is_used_and_its_age_told_once() {
    for tags in [true, false] {
        let lists = [
            (
                "official.json",
                list(&[further("Far", "far.json"), further("Gone", "gone.json")]),
            ),
            ("far.json", list(&[item("Inner", "http://h/inner.img.xz")])),
        ];
        let place = Place::new(&lists, tags);
        let unknown = place.find(&[], "nothing").unwrap_err();
        assert_eq!(unknown.kind(), Kind::Usage);
        place.told();
        place.asked();
        place.cut.store(true, Relaxed);
        place.find(&[], "inner").unwrap();
        let told = place.told();
        let old = |event: &Event| matches!(event, Event::OldLists { lists: 2, age, .. } if age.as_secs() < 60);
        assert_eq!(
            told.iter().filter(|event| old(event)).count(),
            1,
            "{told:?}"
        );
        // Nobody asks for a list that is kept where the one that leads there could not be had.
        assert!(!place.asked().iter().any(|path| path.starts_with("/far")));
    }
}

#[test]
fn without_a_network_and_without_a_copy_the_network_is_to_blame() {
    let place = Place::new(&[], true);
    place.cut.store(true, Relaxed);
    let error = place.find(&[], "inner").unwrap_err();
    assert_eq!(error.kind(), Kind::Host);
    assert!(
        error.to_string().contains("cannot be looked up: http://"),
        "{error}"
    );
    let gone = Place::new(&[], true).find(&[], "inner").unwrap_err();
    assert_eq!(gone.kind(), Kind::Usage);
    assert!(gone.to_string().contains("404"), "{gone}");
}

#[test]
fn ones_own_lists_come_first_and_nobody_else_is_asked_then() {
    let place = Place::new(
        &[
            ("own.json", list(&[item("Pi", "http://h/own.img.xz")])),
            (
                "official.json",
                list(&[
                    item("Pi", "http://h/official.img.xz"),
                    item("Other", "http://h/o.img"),
                ]),
            ),
        ],
        true,
    );
    let own = place.find(&["own.json"], "Pi").unwrap();
    assert_eq!(own.location.file_name(), "own.img.xz");
    assert_eq!(place.asked(), ["/own.json"]);
    place.find(&["own.json"], "Other").unwrap();
    assert_eq!(place.asked(), ["/official.json", "/own.json?"]);
    // By words both are meant.
    let error = place.find(&["own.json"], "described pi").unwrap_err();
    assert_eq!(error.to_string(), "\"described pi\" fits 2 images");
    let hint = error.hint_text().unwrap();
    assert!(
        hint.contains("own-img") || hint.contains("own.img"),
        "{hint}"
    );
}

#[test]
fn lists_that_turn_in_circles_or_never_end() {
    let place = Place::new(
        &[
            (
                "official.json",
                list(&[
                    further("Self", "official.json"),
                    further("Round", "round.json"),
                ]),
            ),
            (
                "round.json",
                list(&[
                    further("Back", "official.json"),
                    item("Inner", "http://h/i.img"),
                ]),
            ),
        ],
        true,
    );
    place.find(&[], "described inner").unwrap();
    let told = place.told();
    let back = |event: &Event| matches!(event, Event::ListsNotRead { lists: 2, .. });
    assert_eq!(
        told.iter().filter(|event| back(event)).count(),
        1,
        "{told:?}"
    );
    assert!(format!("{told:?}").contains("leads back to"), "{told:?}");
    assert_eq!(place.asked(), ["/official.json", "/round.json"]);

    let names: Vec<String> = (0..20).map(|n| format!("{n}.json")).collect();
    let deep: Vec<(&str, Value)> = names
        .iter()
        .zip(1..)
        .map(|(name, n)| {
            (
                name.as_str(),
                list(&[further("Next", &format!("{n}.json"))]),
            )
        })
        .collect();
    let mut lists = deep.clone();
    lists.push(("official.json", list(&[further("First", "0.json")])));
    let place = Place::new(&lists, true);
    let error = place.find(&[], "x").unwrap_err();
    assert_eq!(error.to_string(), "none of 6 lists of images has \"x\"");
    assert!(format!("{:?}", place.told()).contains("more than 5 lists lead to it"));

    let many: Vec<Value> = (0..300)
        .map(|n| further("x", &format!("many/{n}.json")))
        .collect();
    let place = Place::new(&[("official.json", list(&many))], true);
    place.find(&[], "x").unwrap_err();
    assert_eq!(place.asked().len(), 200);
    assert!(format!("{:?}", place.told()).contains("one list of more than 200"));
}

#[test]
fn what_is_no_list_is_not_kept_in_place_of_one() {
    let bad = Arc::new(AtomicBool::new(true));
    let page = Arc::clone(&bad);
    let lists = [("official.json", list(&[item("Pi", "http://h/pi.img.xz")]))];
    let place = Place::answering(&lists, move |body| match page.load(Relaxed) {
        true => Reply::of(b"<html>Log in</html>", None),
        false => Reply::of(body, None),
    });
    let error = place.find(&[], "pi").unwrap_err();
    assert_eq!(error.kind(), Kind::Image);
    assert!(error.to_string().contains("is not JSON"), "{error}");
    bad.store(false, Relaxed);
    place.find(&[], "pi").unwrap();
    bad.store(true, Relaxed);
    place.told();
    place.find(&[], "pi").unwrap();
    let told = format!("{:?}", place.told());
    assert!(
        told.contains("OldLists") && told.contains("is not JSON"),
        "{told}"
    );

    let huge = Place::answering(&lists, |_| Reply::of(&vec![b' '; 9 << 20], None));
    let error = huge.find(&[], "pi").unwrap_err();
    assert_eq!(error.kind(), Kind::Image);
    assert!(error.to_string().contains("larger than 8 MiB"), "{error}");
    let here = huge.dir.path().join("huge.json");
    fs::File::create(&here).unwrap().set_len(9 << 20).unwrap();
    let error = huge.find(&[here.to_str().unwrap()], "pi").unwrap_err();
    assert_eq!(error.kind(), Kind::Image);
    assert!(error.hint_text().unwrap().contains("os_list"), "{error}");
}

#[test]
fn a_list_is_not_led_to_files_of_this_machine() {
    let place = Place::new(&[("official.json", list(&[]))], true);
    let secret = place.dir.path().join("secret.json");
    fs::write(
        &secret,
        list(&[item("Secret", "http://h/s.img")]).to_string(),
    )
    .unwrap();
    let leads = |url: String| json!({"name": "x", "subitems_url": url});
    let paths = [
        format!("file://{}", secret.display()),
        secret.display().to_string(),
    ];
    let lists = [("official.json", list(&paths.map(leads)))];
    let place = Place::new(&lists, true);
    place.find(&[], "secret").unwrap_err();
    let told = format!("{:?}", place.told());
    assert!(
        told.contains("lists: 2") && told.contains("no address of a list"),
        "{told}"
    );
}

#[test]
fn fuzz_lists() {
    let mut lite = item(
        "Raspberry Pi OS Lite (64-bit)",
        "https://h/raspios_lite_arm64/images/x.img.xz?t=1",
    );
    lite["devices"] = json!(["pi5-64bit", "pi3-64bit"]);
    lite["image_download_sha256"] = json!("cd".repeat(32));
    let inner = json!({"name": "Other", "subitems": [lite, {"subitems": [item("Twin", "http://h/a.zip")]}]});
    let far = json!({"name": "Far", "subitems_url": "https://h/far.json"});
    let all = list(&[inner, item("Twin", "http://h/b.zip"), far]);
    let inputs = [all.to_string(), list(&[]).to_string(), "{}".into()].map(String::into_bytes);
    let words = [
        "\"os_list\":[",
        "\"subitems\":[",
        "\"subitems_url\":",
        "\"url\":",
        "file:///etc/x",
        "http://",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "null",
        "1e999",
        "-1",
        "\\ud800",
        "\u{202e}",
        "2025-05-13",
    ];
    let location = Location::parse("https://h/list.json").unwrap();
    crate::fuzz::run("lists", &inputs, &words, |bytes| {
        let origin = entry::Origin {
            list: &location,
            within: &[],
        };
        let content = entry::Content::parse(bytes, origin)
            .map_err(|why| why.split(" at line").next().map(str::to_owned))?;
        let entries = &content.entries;
        assert!(
            entries
                .iter()
                .all(|entry| matches!(entry.location, Location::Url(_)))
        );
        for name in [
            "raspios-lite-arm64",
            "twin",
            "Raspberry Pi OS Lite (64-bit)",
            "pi 2025",
        ] {
            let fit = matching::find(entries, name);
            let told = matching::apart(entries, &fit.entries);
            assert_eq!(told.len(), fit.entries.len());
        }
        let sizes = entries.iter().map(|entry| {
            (
                entry.packed.is_some(),
                entry.unpacked.is_some(),
                entry.date.is_some(),
            )
        });
        let found = (
            search(entries, "pi").len(),
            content.further.len(),
            sizes.collect::<Vec<_>>(),
        );
        Ok::<_, Option<String>>(found)
    });
}

#[test]
fn a_list_in_a_file() {
    let place = Place::new(&[], true);
    let path = place.dir.path().join("list.json");
    fs::write(&path, list(&[item("Pi", "http://h/pi.img.xz")]).to_string()).unwrap();
    let catalogues = |path: &std::path::Path| Catalogues {
        own: vec![Location::Path(path.to_owned())],
        official: None,
    };
    let all = catalogues(&path).all(&place.cache, &place.told).unwrap();
    assert_eq!((all.entries.len(), all.lists.len()), (1, 1));
    let missing = catalogues(&path.with_file_name("lsit.json"));
    let error = missing.all(&place.cache, &place.told).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    let meant = format!("did you mean {}?", path.display());
    assert_eq!(error.hint_text(), Some(meant.as_str()));
    let none = Catalogues::default();
    assert_eq!(
        none.all(&place.cache, &place.told).unwrap_err().kind(),
        Kind::Usage
    );
}
