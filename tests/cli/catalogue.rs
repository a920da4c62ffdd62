//! Images by their names in a catalogue.

use std::{
    fs,
    process::Command,
    slice::from_ref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    case::Case,
    images::{self, pack},
    support::server::{Server, answer},
};

/// A list's name for [`item`]'s image.
pub const NAME: &str = "Tiny OS Lite (64-bit)";

/// A server with lists and a packed image, whose network may be cut.
pub struct Place {
    pub case: Case,
    pub server: Server,
    pub cut: Arc<AtomicBool>,
}

/// The image, packed, and how it is listed; with the address of the server as SELF.
pub struct Image {
    pub xz: Vec<u8>,
    pub item: Value,
}

pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Image {
    pub fn new(case: &Case) -> Self {
        images::tiny(&case.path("x.img"));
        let raw = fs::read(case.path("x.img")).unwrap();
        fs::remove_file(case.path("x.img")).unwrap();
        let xz = pack::xz(&raw);
        let item = json!({
            "name": NAME, "description": "Small", "icon": "https://h.example/i.png",
            "url": "http://SELF/tinyos_lite_arm64/images/tinyos_lite_arm64-2025-05-13/2025-05-13-tiny.img.xz",
            "extract_size": raw.len(), "extract_sha256": sha256(&raw),
            "image_download_size": xz.len(), "release_date": "2025-05-13", "devices": ["pi5-64bit", "pi4-64bit"],
        });
        Image { xz, item }
    }

    /// As it is listed, but for this.
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Value {
        let mut item = self.item.clone();
        item[key] = value.into();
        item
    }
}

pub fn list(items: &[Value]) -> String {
    json!({ "os_list": items }).to_string()
}

impl Place {
    /// Serves the image that `make` gives the lists of, each by its path.
    pub fn new(make: impl FnOnce(&Image) -> Vec<(&'static str, String)>) -> Self {
        let case = Case::new();
        let image = Image::new(&case);
        let lists = make(&image);
        let cut = Arc::new(AtomicBool::new(false));
        let dead = cut.clone();
        let server = Server::start_with_host(move |_, request, host| {
            let path = request.path.trim_start_matches('/');
            let found = lists.iter().find(|(name, _)| *name == path);
            match found {
                // Hangs up.
                _ if dead.load(Relaxed) => Vec::new(),
                Some(_) if request.known.is_some() => {
                    b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec()
                }
                Some((_, text)) => answer("200 OK", text.replace("SELF", host).as_bytes()),
                None if path == "moved.json" => {
                    b"HTTP/1.1 302 Found\r\nLocation: /list.json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .to_vec()
                }
                None if path.ends_with("tiny.img.xz") => answer("200 OK", &image.xz),
                None => answer("404 Not Found", b""),
            }
        });
        Place { case, server, cut }
    }

    /// `command` with list.json of the server in place of the official one.
    pub fn listed(&self, command: &mut Command) -> Command {
        self.with_list(command, "list.json")
    }

    pub fn with_list(&self, command: &mut Command, path: &str) -> Command {
        let mut listed = Command::new(command.get_program());
        listed
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => listed.env(name, value),
                None => listed.env_remove(name),
            };
        }
        listed.env("PICHROOT_CATALOGUE", format!("{}/{path}", self.server.url));
        listed
    }

    /// What `pichroot exec NAME -- uname` says on standard error, which must work.
    fn uname(&self, name: &str) -> String {
        let mut run = self.case.pichroot(["exec", name, "--", "uname"]);
        let ended = self.case.run(&mut self.listed(&mut run));
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "Linux\n"),
            "{ended:#?}"
        );
        ended.stderr
    }

    fn asked(&self) -> Vec<String> {
        let requests = self.server.requests();
        requests.into_iter().map(|request| request.path).collect()
    }
}

#[test]
fn a_name_its_slug_a_part_of_the_address_and_words() {
    let place = Place::new(|image| {
        let other = image.with("name", "Tiny OS Full (64-bit)");
        let other = json!({"url": "http://SELF/full.img.xz", "extract_sha256": "ab".repeat(32), "name": other["name"]});
        vec![(
            "list.json",
            list(&[json!({"name": "Tiny", "subitems": [image.item, other]})]),
        )]
    });
    let said = place.uname(NAME);
    let address = format!("{}/tinyos_lite_arm64/images/", place.server.url);
    let chosen = format!("==> {NAME}, of 2025-05-13: {address}");
    assert!(said.contains(&chosen), "{said}");
    // The catalogue's checksum is one.
    assert!(!said.contains("without checking"), "{said}");
    let images = place
        .asked()
        .iter()
        .filter(|path| path.ends_with(".xz"))
        .count();
    for name in [
        "tiny-os-lite-64-bit",
        "tinyos-lite-arm64",
        "tiny lite",
        "2025-05-13 tiny",
    ] {
        place.uname(name);
    }
    // It is in the cache.
    let again = place
        .asked()
        .iter()
        .filter(|path| path.ends_with(".xz"))
        .count();
    assert_eq!((images, again), (1, 1), "{:?}", place.asked());
    // A file of that name comes first.
    fs::write(place.case.path("tinyos-lite-arm64"), "no image").unwrap();
    let mut run = place.listed(
        &mut place
            .case
            .exec(&["tinyos-lite-arm64", "--checksum", "none"]),
    );
    place.case.refused(&mut run, 4, &["tinyos-lite-arm64"], "");
}

#[test]
fn a_name_in_the_configuration_makes_an_image() {
    let place = Place::new(|image| vec![("own.json", list(from_ref(&image.item)))]);
    let list = format!("{}/own.json", place.server.url);
    let config =
        format!("image: {{source: tinyos-lite-arm64, catalogues: ['{list}'], output: out.img}}\n");
    place.case.file("pichroot.yml", config);
    place.case.works(&mut place.case.ansible(&[]));
    let done = images::read_file(&place.case.path("out.img"), 4 * images::MIB, "/done");
    assert_eq!(done, "done\n");
}

#[test]
fn without_a_network_the_lists_and_the_image_are_those_of_the_cache() {
    let place = Place::new(|image| {
        let far = json!({"name": "Far", "subitems_url": "http://SELF/far.json"});
        vec![
            ("list.json", list(&[far])),
            ("far.json", list(from_ref(&image.item))),
        ]
    });
    assert!(!place.uname(NAME).contains("warning"));
    // Asked again, by what tells versions apart.
    place.uname(NAME);
    let known: Vec<_> = place
        .server
        .requests()
        .into_iter()
        .map(|request| request.known)
        .collect();
    assert_eq!(known.iter().flatten().count(), 2, "{known:?}");
    place.cut.store(true, Relaxed);
    let said = place.uname(NAME);
    let old = said
        .lines()
        .find(|line| line.contains("so copies in the cache are used, of "));
    assert!(
        old.is_some_and(|line| line.contains(" ago, at the oldest")),
        "{said}"
    );
}

#[test]
fn an_image_that_is_not_what_is_listed() {
    let place = Place::new(|image| {
        let named = |name: &str, key: &str, value: Value| {
            let mut item = image.with(key, value);
            item["name"] = name.into();
            item
        };
        vec![(
            "list.json",
            list(&[
                named("Wrong image", "extract_sha256", "ab".repeat(32).into()),
                named(
                    "Wrong file",
                    "image_download_sha256",
                    "cd".repeat(32).into(),
                ),
                named("Bomb", "extract_size", 1_000_000.into()),
                named("Right", "description", "As it is".into()),
            ]),
        )]
    });
    let case = &place.case;
    for (name, error, hint) in [
        (
            "Wrong image",
            &[
                "the image in http://",
                "wrong checksum: expected sha256:abab",
            ][..],
            "another image",
        ),
        (
            "Wrong file",
            &["tiny.img.xz has the wrong checksum: expected sha256:cdcd"],
            "--checksum sha256:",
        ),
        (
            "Bomb",
            &["decompresses to more than the 1000000 bytes that the catalogue lists"],
            "another image",
        ),
    ] {
        let exec = &mut case.exec(&[name]);
        case.refused(&mut place.listed(exec), 4, error, hint);
        let ansible = &mut case.ansible(&["--image", name, "-o", "out.img"]);
        case.refused(&mut place.listed(ansible), 4, error, hint);
        assert_eq!(case.cached(), 0);
    }
    // What the user says beside it is checked, too.
    let zeros = format!("sha256:{}", "0".repeat(64));
    let exec = &mut case.exec(&["--checksum", &zeros, "Right"]);
    let error = ["wrong checksum: expected sha256:0000"];
    case.refused(&mut place.listed(exec), 4, &error, "get the image again");
}

#[test]
fn names_that_nothing_or_several_have() {
    let place = Place::new(|image| {
        let other = |device: &str| {
            let mut item = image.with("devices", json!([device]));
            item["name"] = "Twin".into();
            item["url"] = format!("http://SELF/{device}.img.xz").into();
            item
        };
        vec![(
            "list.json",
            list(&[image.item.clone(), other("pi5-64bit"), other("pi3-64bit")]),
        )]
    });
    let case = &place.case;
    let refused = |name: &str, error: &[&str], hint: &str| {
        let exec = &mut case.exec(&[name]);
        case.refused(&mut place.listed(exec), 2, error, hint);
        let ansible = &mut case.ansible(&["--image", name, "-o", "out.img"]);
        case.refused(&mut place.listed(ansible), 2, error, hint);
    };
    let nowhere = format!("there is no file {}/", case.folder().display());
    refused(
        "nothing",
        &[&nowhere, "the list of images has no \"nothing\""],
        "pichroot images",
    );
    refused(
        "tiny-os-lite-64bit",
        &[&nowhere],
        "did you mean tiny-os-lite-64-bit?",
    );
    refused(
        "Twin",
        &["\"Twin\" fits 2 images"],
        "name one of them: \"Twin pi5-64bit\", \"Twin pi3-64bit\"",
    );
    case.file("mypi.img", "");
    refused("mypi", &[&nowhere], "/mypi.img?");
    // What looks like a path is one.
    for path in ["./nothing", "nothing.img"] {
        let exec = &mut case.exec(&[path]);
        let ended = case.refused(&mut place.listed(exec), 2, &["cannot open the image"], "");
        assert!(!ended.stderr.contains("list"), "{ended:#?}");
    }
    let write = &mut case.pichroot(["exec", "--write", NAME, "--", "true"]);
    case.refused(
        &mut place.listed(write),
        2,
        &["there is no image "],
        "leave out --write",
    );
}

#[test]
fn lists_that_are_none() {
    let place = Place::new(|image| {
        let back = json!({"name": "Self", "subitems_url": "http://SELF/self.json"});
        vec![
            ("page.json", "<html>Log in</html>".into()),
            ("huge.json", " ".repeat(9 << 20)),
            ("other.json", "{\"images\": []}".into()),
            ("self.json", list(from_ref(&back))),
            ("list.json", list(from_ref(&image.item))),
        ]
    });
    let case = &place.case;
    let refused = |list: &str, code, error: &str, hint: &str| {
        let exec = &mut case.exec(&["some name"]);
        case.refused(
            &mut place.with_list(exec, list),
            code,
            &["there is no file", error],
            hint,
        );
        let images = &mut case.pichroot(["images"]);
        let error = error.replace("cannot be looked up: ", "");
        case.refused(&mut place.with_list(images, list), code, &[&error], hint);
    };
    refused("page.json", 4, "page.json is not JSON", "os_list");
    refused("other.json", 4, "other.json has no os_list", "os_list");
    refused(
        "huge.json",
        4,
        "huge.json is larger than 8 MiB",
        "check the address",
    );
    refused(
        "gone.json",
        2,
        "the server answers 404",
        "check the address",
    );
    let exec = &mut case.exec(&["some name"]);
    let ended = case.refused(
        &mut place.with_list(exec, "self.json"),
        2,
        &["has no \"some name\""],
        "pichroot images",
    );
    assert!(ended.stderr.contains("leads back to"), "{ended:#?}");
    // It may have moved.
    let exec = &mut case.exec(&[NAME]);
    case.works(&mut place.with_list(exec, "moved.json"));
    // Files, too.
    let list = case.file("broken.json", "{");
    let mut images = case.pichroot(["images", "--catalogue", "broken.json"]);
    case.refused(
        &mut images,
        4,
        &[&list.display().to_string(), "is not JSON"],
        "os_list",
    );
    let mut images = case.pichroot(["images", "--catalogue", "brokn.json"]);
    case.refused(
        &mut images,
        2,
        &["cannot read the list of images"],
        "broken.json?",
    );
}

#[test]
fn no_network_and_no_copy() {
    let place = Place::new(|_| Vec::new());
    place.cut.store(true, Relaxed);
    let exec = &mut place.case.exec(&["some name"]);
    let error = [
        "there is no file",
        "\"some name\" cannot be looked up: cannot get http://",
    ];
    place.case.refused(
        &mut place.listed(exec),
        3,
        &error,
        "check the address and the network",
    );
    let mut exec = place.case.exec(&["some name"]);
    let error = ["no list of images is named"];
    place.case.refused(&mut exec, 2, &error, "pichroot images");
}
