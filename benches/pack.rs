//! An image into a packed output, once: for benches/pack.py.
//!
//! Usage: `pack IMAGE OUTPUT`; the ending of OUTPUT is the format.

use std::{fs::File, path::Path};

use pichroot::inside::{Making, Output, Silent, make};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let (Some(image), Some(output)) = (arguments.next(), arguments.next()) else {
        // cargo runs it without arguments, too.
        return;
    };
    let image = File::options()
        .read(true)
        .write(true)
        .open(image)
        .expect("an image");
    let output = Output::new(Path::new(&output)).expect("an output");
    let making = Making {
        force: true,
        owner: None,
        sums: false,
    };
    let made = make(&image, &output, making, &Silent).expect("room for the output");
    made.publish().expect("a name for the output");
}
