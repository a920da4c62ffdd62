use std::os::unix::fs::{FileExt, PermissionsExt};

use std::fs;

use super::{
    super::{
        digest::{Algorithm, Digest, Digests},
        record::BaseRecord,
    },
    *,
};

fn record(hex: &str) -> BaseRecord {
    BaseRecord {
        source: "a.img.xz".into(),
        digests: Digests::from([(Algorithm::Sha256, hex.repeat(64))]),
        image_digests: Digests::new(),
        source_size: 10,
        size: 4,
        created: 0,
    }
}

fn insert(cache: &Cache, record: BaseRecord) -> BaseImage {
    let new = cache.new_base().unwrap();
    new.file().write_all_at(b"data", 0).unwrap();
    cache.insert(new, record).unwrap()
}

#[test]
fn a_base_is_found_by_any_digest_that_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let mut first = record("a");
    assert!(cache.base(&first.digests).unwrap().is_none());
    let base = insert(&cache, first.clone());
    assert_eq!(base.size(), 4);
    let mode = base.file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);

    // The same source again, now with another digest: one image, both digests.
    let md5 = Digest::new(Algorithm::Md5, &"1".repeat(32)).unwrap();
    assert!(cache.base_with(&md5).unwrap().is_none());
    first.digests.insert(Algorithm::Md5, md5.hex.clone());
    insert(&cache, first.clone());
    assert!(cache.base_with(&md5).unwrap().is_some());
    assert_eq!(cache.bases(), [first]);
}

#[test]
fn a_base_in_use_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let base = insert(&cache, record("b"));
    assert!(!cache.remove(&record("b")).unwrap());
    drop(base);
    assert!(cache.remove(&record("b")).unwrap());
    assert!(cache.bases().is_empty());
    assert!(cache.base(&record("b").digests).unwrap().is_none());
}

#[test]
fn a_base_that_is_not_inserted_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    drop(cache.new_base().unwrap());
    assert_eq!(fs::read_dir(dir.path().join("bases")).unwrap().count(), 0);
}

#[test]
fn one_run_at_a_time_makes_an_output() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("cache")).unwrap();
    let held = cache.lock_output(&dir.path().join("a.img")).unwrap();
    let other_name = dir.path().join("cache/../a.img");
    let error = cache.lock_output(&other_name).unwrap_err();
    assert_eq!(error.kind(), Kind::Host);
    assert!(error.to_string().contains("another run"), "{error}");
    cache.lock_output(&dir.path().join("b.img")).unwrap();
    drop(held);
    cache.lock_output(&other_name).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_the_hosts_fault() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Cache::open(file.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Host);
    assert!(error.hint_text().unwrap().contains("PICHROOT_CACHE_DIR"));
}
