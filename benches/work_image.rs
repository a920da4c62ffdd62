//! From a packed source to a work image, once, with an empty cache: for benches/run.py.
//!
//! Usage: `work_image SOURCE DIRECTORY`; the cache and the work image are made in DIRECTORY.

use std::path::Path;

use pichroot::inside::{Cache, Silent, Source, WorkImage, fetch};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let (Some(source), Some(directory)) = (arguments.next(), arguments.next()) else {
        // cargo runs it without arguments, too.
        return;
    };
    let directory = Path::new(&directory);
    let source = Source::parse(&source, Some("none")).expect("a source");
    let cache = Cache::open(&directory.join("cache")).expect("a cache");
    let base = fetch(&cache, &source, &Silent).expect("a base image");
    WorkImage::create(&base, &directory.join("work.img"), false, None, &Silent)
        .expect("a work image");
}
