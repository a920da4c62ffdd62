//! Makes what the program includes: the dispatcher (src/twins/dispatcher/mod.rs), the asker (src/chroot/living), and the
//! bundle (src/ansible/bundle.rs).

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
    asker();
    bundle();
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn output(name: &str) -> PathBuf {
    Path::new(&variable("OUT_DIR")).join(name)
}

/// Compiles the dispatcher, the program in front of qemu, to a flat piece of code.
fn dispatcher() {
    println!("cargo::rerun-if-changed=src/twins/dispatcher");
    let layout = format!("{}/{DISPATCHER}/layout.ld", variable("CARGO_MANIFEST_DIR"));
    let layout = format!("-Clink-arg=-Wl,-T,{layout}");
    // It is written for x86_64; elsewhere there are no twins.
    let main = format!("{DISPATCHER}/main.rs");
    bare(
        "dispatcher",
        &main,
        &["x86_64"],
        &["-Crelocation-model=pic", &layout],
    );
}

/// Compiles the asker, which programs of the image ask through where there is no dispatcher.
fn asker() {
    let static_program = ["-Crelocation-model=static", "-Cstrip=symbols"];
    bare(
        "asker",
        "src/bare/program/main.rs",
        &["x86_64", "aarch64"],
        &static_program,
    );
}

/// Compiles a program that has nothing of the standard library, and another kind of output than cargo makes: so
/// rustc is called directly. It is empty where it is not written for this processor.
fn bare(name: &str, main: &str, processors: &[&str], options: &[&str]) {
    for part in ["src/bare", "src/chroot/living/tools/names.txt"] {
        println!("cargo::rerun-if-changed={part}");
    }
    let output = output(name);
    if !processors.contains(&variable("CARGO_CFG_TARGET_ARCH").as_str()) {
        fs::write(&output, []).expect("cannot write an empty program");
        return;
    }
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--edition", "2024", "--crate-name", name])
        .args(["--crate-type", "bin", "--target", &variable("TARGET")])
        .args(["-D", "warnings", "-C", "panic=abort", "-C", "opt-level=s"])
        // What small functions return is not moved by a call to memcpy, which there is not.
        .args(["-C", "codegen-units=1"])
        // No call to a panic, whose place in the source would be a pointer.
        .args(["-C", "debug-assertions=off", "-C", "overflow-checks=off"])
        .args(["-C", "link-args=-nostartfiles -nostdlib -static -no-pie"])
        .args(["-C", "link-args=-Wl,--build-id=none -Wl,-z,noexecstack"])
        .args(options)
        .arg("-o")
        .arg(&output)
        .arg(main);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.status().expect("cannot start rustc");
    assert!(status.success(), "the {name} does not compile");
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
