use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{decode::testing::image, digest::Algorithm, *};
use crate::{
    error::Kind,
    event::{Event, Level, Progress, Report, Silent, Task},
};

/// Counts how often something was decompressed or hashed, and keeps warnings.
#[derive(Default)]
struct Seen {
    decompressed: AtomicUsize,
    verified: AtomicUsize,
    warnings: Mutex<Vec<Event>>,
}

impl Report for Seen {
    fn tell(&self, event: Event) {
        if event.level() == Level::Warning {
            self.warnings.lock().unwrap().push(event);
        }
    }
    fn begin(&self, task: Task, _: Option<u64>) -> Box<dyn Progress> {
        let count = match task {
            Task::Decompressing(_) => Some(&self.decompressed),
            Task::Verifying(_) => Some(&self.verified),
            _ => None,
        };
        count.map(|count| count.fetch_add(1, Ordering::SeqCst));
        Box::new(Silent)
    }
}

impl Seen {
    /// How often it was decompressed, how often only hashed.
    fn passes(&self) -> (usize, usize) {
        (
            self.decompressed.load(Ordering::SeqCst),
            self.verified.load(Ordering::SeqCst),
        )
    }
}

struct Setup {
    dir: tempfile::TempDir,
    cache: Cache,
    seen: Seen,
}

impl Setup {
    fn new() -> Setup {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        Setup {
            dir,
            cache,
            seen: Seen::default(),
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn fetch(&self, path: &std::path::Path, checksum: &str) -> Result<BaseImage> {
        let source = Source::parse(path.to_str().unwrap(), Some(checksum))?;
        fetch(&self.cache, &source, &self.seen)
    }

    fn cached_files(&self) -> usize {
        fs::read_dir(self.cache.root().join("bases"))
            .unwrap()
            .count()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
    let mut hasher = digest::Hasher::new(Some(algorithm));
    hasher.update(bytes);
    format!("{}:{}", algorithm.name(), hasher.finish()[&algorithm])
}

#[test]
fn a_packed_file_is_decompressed_once_and_verified_each_time() {
    let setup = Setup::new();
    let data = image(1, 50);
    let packed = gzip(&data);
    let path = setup.file("a.img.gz", &packed);
    for algorithm in Algorithm::ALL {
        let base = setup.fetch(&path, &sum(algorithm, &packed)).unwrap();
        assert_eq!(fs::read(base.path()).unwrap(), data);
    }
    assert_eq!(setup.seen.passes().0, 1);
    let wrong = setup
        .fetch(&path, &sum(Algorithm::Sha1, b"other"))
        .unwrap_err();
    assert_eq!(wrong.kind(), Kind::Image);
    // The same content elsewhere is recognised by its digest.
    let copy = setup.file("copy.img.gz", &packed);
    setup.fetch(&copy, "none").unwrap();
    assert_eq!(setup.seen.passes().0, 1);
    assert_eq!(fs::read(&path).unwrap(), packed);
    assert_eq!(setup.cache.bases().len(), 1);
}

#[test]
fn a_settled_file_is_not_even_read_again() {
    let setup = Setup::new();
    let packed = gzip(&image(1, 5));
    let path = setup.file("a.img.gz", &packed);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let good = sum(Algorithm::Sha256, &packed);
    setup.fetch(&path, &good).unwrap();
    setup.fetch(&path, &good).unwrap();
    setup.fetch(&path, "none").unwrap();
    assert_eq!(setup.seen.passes(), (1, 0));
    // The image in it is tried once, as the sum may be that one's.
    for _ in 0..2 {
        let bad = setup
            .fetch(&path, &sum(Algorithm::Sha256, b"x"))
            .unwrap_err();
        assert_eq!((bad.kind(), setup.seen.passes()), (Kind::Image, (1, 1)));
    }

    let other = image(2, 5);
    let path = setup.file("a.img.gz", &gzip(&other));
    let base = setup.fetch(&path, "none").unwrap();
    assert_eq!(fs::read(base.path()).unwrap(), other);
}

#[test]
fn what_is_wrong_leaves_nothing() {
    let setup = Setup::new();
    let packed = gzip(&image(1, 50));
    let whole = setup.file("a.img.gz", &packed);
    let cut = setup.file("cut.img.gz", &packed[..packed.len() / 2]);
    let empty = setup.file("empty.img.xz", b"");
    let nothing = setup.file("nothing.img.gz", &gzip(b""));
    let twice = setup.file("twice.img.gz", &gzip(&packed));
    let bzip2 = setup.file("a.img.bz2", b"BZh91AY&SY");
    for (path, checksum, word) in [
        (
            &whole,
            sum(Algorithm::Sha256, b"x").as_str(),
            "wrong checksum",
        ),
        (&cut, "none", "truncated"),
        (&cut, &sum(Algorithm::Md5, &packed), "wrong checksum"),
        (&empty, "none", "empty"),
        (&nothing, "none", "empty image"),
        (&twice, "none", "holds a gzip file"),
        (&bzip2, "none", "bzip2"),
    ] {
        let error = setup.fetch(path, checksum).unwrap_err();
        assert_eq!(error.kind(), Kind::Image, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        assert!(error.hint_text().is_some(), "{error}");
    }
    assert_eq!(setup.cached_files(), 0);
}

#[test]
fn paths_that_are_no_files_are_usage_errors() {
    let setup = Setup::new();
    let dir = setup.dir.path().to_path_buf();
    for path in [dir.join("missing.img"), dir, "/dev/null".into()] {
        let error = setup.fetch(&path, "none").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.hint_text().is_some());
    }
}

#[test]
fn a_raw_file_is_its_own_base_image_once_it_is_verified() {
    let setup = Setup::new();
    let data = image(1, 5);
    let path = setup.file("a.img", &data);
    let base = setup.fetch(&path, &sum(Algorithm::Sha512, &data)).unwrap();
    assert_eq!(
        (base.path(), base.size()),
        (path.as_path(), data.len() as u64)
    );
    setup
        .fetch(&path, &sum(Algorithm::Sha512, b"x"))
        .unwrap_err();
    assert_eq!(setup.cached_files(), 0);
}

#[test]
fn a_checksum_file_is_found_and_read() {
    let setup = Setup::new();
    let packed = gzip(&image(1, 5));
    let path = setup.file("a.img.gz", &packed);
    let hex = sum(Algorithm::Sha256, &packed);
    let hex = hex.strip_prefix("sha256:").unwrap();
    let sums = setup.file("SHA256SUMS", format!("{hex} *a.img.gz\n").as_bytes());
    let sums = format!("file:{}", sums.display());
    setup.fetch(&path, &sums).unwrap();
    let other = setup.file("b.img.gz", &packed);
    let error = setup.fetch(&other, &sums).unwrap_err();
    assert!(
        error.to_string().contains("has no line for b.img.gz"),
        "{error}"
    );
    let error = setup.fetch(&path, "file:/no/such/SUMS").unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}

#[test]
fn using_an_image_unchecked_is_said() {
    let setup = Setup::new();
    let path = setup.file("a.img", b"raw");
    setup.fetch(&path, "none").unwrap();
    let source = Source::parse(path.to_str().unwrap(), None).unwrap();
    fetch(&setup.cache, &source, &setup.seen).unwrap();
    let warnings = setup.seen.warnings.lock().unwrap();
    assert_eq!(warnings.len(), 2);
    let meant = |event: &Event| matches!(event, Event::Unchecked { meant: true, .. });
    assert!(meant(&warnings[0]) && !meant(&warnings[1]), "{warnings:?}");
}

#[test]
fn concurrent_runs_decompress_once() {
    let setup = Setup::new();
    let data = image(1, 2000);
    let packed = gzip(&data);
    let path = setup.file("a.img.gz", &packed);
    let copy = setup.file("copy.img.gz", &packed);
    let checksum = sum(Algorithm::Sha256, &packed);
    std::thread::scope(|scope| {
        for path in [&path, &path, &copy, &copy] {
            scope.spawn(|| {
                let base = setup.fetch(path, &checksum).unwrap();
                assert!(fs::read(base.path()).unwrap() == data);
            });
        }
    });
    assert_eq!(setup.seen.passes().0, 1);
}

#[test]
fn a_zip_with_one_image_and_one_with_two() {
    use ::zip::write::SimpleFileOptions;
    let setup = Setup::new();
    let data = image(1, 20);
    let pack = |names: &[&str]| {
        let mut zip = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in names {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&data).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let one = pack(&["README", "a.img"]);
    let path = setup.file("one.zip", &one);
    let base = setup.fetch(&path, &sum(Algorithm::Sha256, &one)).unwrap();
    assert_eq!(fs::read(base.path()).unwrap(), data);
    let path = setup.file("two.zip", &pack(&["a.img", "b.img"]));
    let error = setup.fetch(&path, "none").unwrap_err();
    assert_eq!(error.kind(), Kind::Image);
    assert!(error.to_string().contains("a.img and b.img"), "{error}");
}
