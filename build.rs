//! Makes what the program includes: the dispatcher (src/twins/dispatcher/mod.rs), and the bundle
//! (src/ansible/bundle.rs).

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const DISPATCHER: &str = "src/twins/dispatcher/program";

/// Files, and folders with all that is in them. Not the folders of Python files: Python's caches appear there.
const BUNDLE: [&str; 3] = [
    "ansible_plugins/LICENSE",
    "ansible_plugins/plugins/connection/chroot.py",
    "playbooks",
];

fn main() {
    dispatcher();
    bundle();
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn output(name: &str) -> PathBuf {
    Path::new(&variable("OUT_DIR")).join(name)
}

/// Compiles the dispatcher, the program in front of qemu, to a flat piece of code.
///
/// It has nothing of the standard library and another kind of output than cargo makes, so rustc is called directly.
fn dispatcher() {
    for part in [
        "src/twins/dispatcher",
        "src/bare",
        "src/chroot/living/tools/names.txt",
    ] {
        println!("cargo::rerun-if-changed={part}");
    }
    let output = output("dispatcher");
    // It is written for x86_64; elsewhere there are no twins.
    if variable("CARGO_CFG_TARGET_ARCH") != "x86_64" {
        fs::write(&output, []).expect("cannot write the empty dispatcher");
        return;
    }
    let layout = format!("{}/{DISPATCHER}/layout.ld", variable("CARGO_MANIFEST_DIR"));
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
        .arg(format!("{DISPATCHER}/main.rs"));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.status().expect("cannot start rustc");
    assert!(status.success(), "the dispatcher does not compile");
}

/// Writes the table of the bundle: each file's path, and its text to be included.
fn bundle() {
    let mut table = String::from("&[\n");
    for part in BUNDLE {
        println!("cargo::rerun-if-changed={part}");
        list(Path::new(part), &mut table);
    }
    table.push(']');
    fs::write(output("bundle.rs"), table).expect("cannot write the bundle's table");
}

fn list(path: &Path, table: &mut String) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut entries: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| list(entry, table));
        return;
    }
    let path = path.to_str().expect("names in UTF-8");
    let whole = format!("{}/{path}", variable("CARGO_MANIFEST_DIR"));
    writeln!(table, "({path:?}, include_str!({whole:?})),").expect("text can be written to");
}
