//! `pichroot images`.

use std::{fs, os::unix::process::CommandExt, sync::atomic::Ordering::Relaxed};

use serde_json::{Value, json};

use crate::{
    case::Case,
    catalogue::{NAME, Place, list},
};

fn place() -> Place {
    Place::new(|image| {
        let mut other = image.with("name", "Other \u{1b}[2J\u{202e}OS");
        other["description"] = "For servers".into();
        other["devices"] = json!(["pi3-32bit"]);
        other["image_download_sha256"] = "cd".repeat(32).into();
        let far = json!({"name": "Far", "subitems_url": "http://SELF/far.json"});
        vec![
            ("list.json", list(&[image.item.clone(), far])),
            ("far.json", list(&[other])),
        ]
    })
}

#[test]
fn the_table_has_what_one_chooses_by() {
    let place = place();
    let images = &mut place.case.pichroot(["images", "lite", "pi5"]);
    let table = place.case.works(&mut place.listed(images));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    for (line, part) in [
        (0, "NAME "),
        (0, "  DATE "),
        (0, "  DEVICES"),
        (1, NAME),
        (1, "  2025-05-13  "),
        (1, " MiB  "),
        (1, "pi5-64bit pi4-64bit"),
        (2, "    http://127.0.0.1:"),
        (2, "/2025-05-13-tiny.img.xz"),
    ] {
        assert!(lines[line].contains(part), "{part} in {table}");
    }
    // What a terminal would obey is shown.
    let images = &mut place.case.pichroot(["images", "servers"]);
    let table = place.case.works(&mut place.listed(images));
    assert!(table.contains(r"Other \u{1b}[2J\u{202e}OS"), "{table:?}");
    let images = &mut place.case.pichroot(["images", "servers", "windows"]);
    let error = ["no image has all of these words, of 2 in 2 lists: servers windows"];
    place
        .case
        .refused(&mut place.listed(images), 2, &error, "fewer words");
}

#[test]
fn one_document_for_programs() {
    let place = place();
    let images = || place.listed(&mut place.case.pichroot(["images", "--json", "other"]));
    let text = place.case.works(&mut images());
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text:?}"
    );
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["images"].as_array().unwrap().len(), 1);
    let image = &document["images"][0];
    assert_eq!(image["name"], "Other \u{1b}[2J\u{202e}OS");
    assert_eq!(image["within"], json!(["Far"]));
    assert_eq!(image["description"], "For servers");
    assert_eq!(image["devices"], json!(["pi3-32bit"]));
    assert_eq!(image["date"], "2025-05-13");
    assert_eq!(image["packed_sha256"], "cd".repeat(32));
    assert_eq!(image["sha256"].as_str().unwrap().len(), 64);
    assert!(image["size"].as_u64() > Some(1 << 20));
    assert!(image["packed_size"].as_u64() > Some(1 << 10));
    assert!(image["address"].as_str().unwrap().ends_with("-tiny.img.xz"));
    assert_eq!(image["catalogue"], format!("{}/far.json", place.server.url));
    let catalogues = document["catalogues"].as_array().unwrap();
    assert_eq!(catalogues.len(), 2);
    assert!(catalogues.iter().all(|list| list.get("age").is_none()));
    assert_eq!(document["unread"], json!([]));
    // Without a network their age is there.
    place.cut.store(true, Relaxed);
    let document: Value = serde_json::from_str(&place.case.works(&mut images())).unwrap();
    let catalogues = document["catalogues"].as_array().unwrap();
    assert!(
        catalogues.iter().all(|list| list["age"].is_u64()),
        "{document}"
    );
}

#[test]
fn a_list_that_is_not_read_is_told_and_the_others_are_shown() {
    let place = place();
    let images = &mut place.case.pichroot(["images", "--catalogue", "none.json"]);
    let ended = place.case.run(&mut place.listed(images));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains(NAME), "{ended:#?}");
    let warned = ended
        .stderr
        .contains("warning: cannot read the list of images");
    assert!(warned, "{ended:#?}");
}

/// As a user who may write nothing but a cache in the home.
#[test]
fn it_needs_no_root() {
    let case = Case::new();
    let item = json!({"name": "Mine", "url": "https://h.example/m.img", "extract_sha256": "ab".repeat(32)});
    case.file("list.json", list(&[item]));
    let (home, nobody) = (case.cache().join("home"), 65534);
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(nobody), Some(nobody)).unwrap();
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    for dir in [case.folder(), case.cache()] {
        fs::set_permissions(dir, open.clone()).unwrap();
    }
    let mut run = case.pichroot(["images", "--catalogue", "list.json"]);
    run.env_remove("PICHROOT_CACHE_DIR")
        .env("HOME", &home)
        .uid(nobody)
        .gid(nobody);
    assert!(case.works(&mut run).contains("Mine"));
    assert!(home.join(".cache/pichroot/lists").is_dir());
}
