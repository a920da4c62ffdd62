//! Compiles the dispatcher, the program in front of qemu (src/twins/dispatcher/program), to a flat piece of code
//! that src/twins/dispatcher/mod.rs includes.
//!
//! It has nothing of the standard library and another kind of output than cargo makes, so rustc is called directly.

use std::{env, path::Path, process::Command};

const PROGRAM: &str = "src/twins/dispatcher/program";

fn main() {
    println!("cargo::rerun-if-changed=src/twins/dispatcher");
    let variable = |name| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let output = Path::new(&variable("OUT_DIR")).join("dispatcher");
    // It is written for x86_64; elsewhere there are no twins.
    if variable("CARGO_CFG_TARGET_ARCH") != "x86_64" {
        std::fs::write(&output, []).expect("cannot write the empty dispatcher");
        return;
    }
    let layout = format!("{}/{PROGRAM}/layout.ld", variable("CARGO_MANIFEST_DIR"));
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--edition", "2024", "--crate-name", "dispatcher"])
        .args(["--crate-type", "bin", "--target", &variable("TARGET")])
        .args(["-D", "warnings", "-C", "panic=abort", "-C", "opt-level=s"])
        // What small functions return is not moved by a call to memcpy, which there is not.
        .args(["-C", "codegen-units=1"])
        // No call to a panic, whose place in the source would be a pointer.
        .args(["-C", "debug-assertions=off", "-C", "overflow-checks=off"])
        .args(["-C", "relocation-model=pic"])
        .args(["-C", "link-args=-nostartfiles -nostdlib -static -no-pie"])
        .args(["-C", "link-args=-Wl,--build-id=none"])
        .arg(format!("-Clink-arg=-Wl,-T,{layout}"))
        .arg("-o")
        .arg(&output)
        .arg(format!("{PROGRAM}/main.rs"));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.status().expect("cannot start rustc");
    assert!(status.success(), "the dispatcher does not compile");
}
