//! Signed checksum files and images.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
    slice::from_ref,
};

use sha2::{Digest, Sha256};

use crate::{
    case::{Case, in_private_mounts},
    catalogue::{Image, NAME, list},
    images::{self, pack},
    support::{
        run,
        server::{Server, answer},
    },
};

/// Somebody with a key, and GnuPG's folder.
struct Signer {
    home: PathBuf,
}

impl Signer {
    fn new(case: &Case, name: &str) -> Self {
        let home = case.cache().join(name);
        DirBuilder::new().mode(0o700).create(&home).unwrap();
        let signer = Signer { home };
        let mut gpg = signer.gpg();
        gpg.args([
            "--passphrase",
            "",
            "--quick-generate-key",
            name,
            "ed25519",
            "sign",
            "never",
        ]);
        run(&mut gpg);
        signer
    }

    fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.args(["--homedir"]).arg(&self.home).args([
            "--batch",
            "--quiet",
            "--yes",
            "--pinentry-mode",
            "loopback",
        ]);
        gpg
    }

    /// Writes the public key, as text with `armor`.
    fn export(&self, to: &Path, armor: bool) {
        let mut gpg = self.gpg();
        gpg.args(armor.then_some("--armor"))
            .arg("--output")
            .arg(to)
            .arg("--export");
        run(&mut gpg);
    }

    /// Signs `file` in this `way`, into `to`.
    fn sign(&self, way: &[&str], file: &Path, to: &Path) {
        let mut gpg = self.gpg();
        gpg.arg("--output").arg(to).args(way).arg(file);
        run(&mut gpg);
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let mut end = Command::new("gpgconf");
        end.arg("--homedir").arg(&self.home).args(["--kill", "all"]);
        let _ = end.status();
    }
}

/// A packed image, its SHA256SUMS, a keyring in both forms, and who has signed nothing yet.
fn scene() -> (Case, Signer) {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let xz = pack::xz(&fs::read(case.path("x.img")).unwrap());
    fs::remove_file(case.path("x.img")).unwrap();
    let sum: String = Sha256::digest(&xz)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    case.file("x.img.xz", xz);
    case.file("SUMS", format!("{sum}  x.img.xz\n"));
    let signer = Signer::new(&case, "Publisher <p@example.org>");
    signer.export(&case.path("ring.gpg"), false);
    signer.export(&case.path("ring.asc"), true);
    (case, signer)
}

const SUMS: [&str; 3] = ["--checksum", "file:SUMS", "x.img.xz"];

#[test]
fn a_checksum_file_as_each_publisher_signs_it() {
    let (case, signer) = scene();
    let sums = case.path("SUMS");
    for (way, name) in [
        // Ubuntu's, Debian's, and others'.
        (&["--detach-sign"][..], "SUMS.gpg"),
        (&["--armor", "--detach-sign"], "SUMS.sign"),
        (&["--armor", "--detach-sign"], "elsewhere"),
        (&["--clearsign"], "SUMS.clear"),
    ] {
        let signature = case.path(name);
        signer.sign(way, &sums, &signature);
        // GnuPG's own keybox, too.
        let keybox = signer.home.join("pubring.kbx").display().to_string();
        for ring in ["ring.gpg", "ring.asc", &keybox] {
            let mut arguments = vec!["-v", "--keyring", ring];
            match name {
                "elsewhere" => arguments.extend(["--signature", name]),
                "SUMS.clear" => arguments.extend(["--checksum", "file:SUMS.clear"]),
                _ => {}
            }
            let rest = if name == "SUMS.clear" {
                &SUMS[2..]
            } else {
                &SUMS[..]
            };
            arguments.extend(rest);
            let ended = case.run(&mut case.exec(&arguments));
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            let by = "Publisher <p@example.org>";
            assert!(
                ended.stderr.contains("is signed by") && ended.stderr.contains(by),
                "{ended:#?}"
            );
        }
        fs::remove_file(signature).unwrap();
    }
}

#[test]
fn signatures_that_are_no_good() {
    let (case, signer) = scene();
    let stranger = Signer::new(&case, "Stranger <s@example.org>");
    let sums = case.path("SUMS");
    signer.sign(&["--detach-sign"], &sums, &case.path("good"));
    stranger.sign(&["--detach-sign"], &sums, &case.path("strange"));
    signer.sign(&["--sign"], &sums, &case.path("whole"));
    case.file("other", "no signature\n");
    case.file("empty", "");
    // By another key, by none, and of what was changed since.
    let refused = |signature: &str, error: &[&str], hint: &str| {
        let own = ["--keyring", "ring.gpg", "--signature", signature];
        let error: Vec<&str> = ["checksum file"].iter().chain(error).copied().collect();
        case.refused(&mut case.exec(&[&own[..], &SUMS].concat()), 4, &error, hint);
        let output = [
            "--image",
            "x.img.xz",
            "--checksum",
            "file:SUMS",
            "-o",
            "out.img",
        ];
        case.refused(
            &mut case.ansible(&[&own[..], &output].concat()),
            4,
            &error,
            hint,
        );
        assert_eq!(case.cached(), 0);
    };
    refused(
        "strange",
        &["is signed with the key", "which is not in", "ring.gpg"],
        "publisher's keyring",
    );
    refused("other", &["has no signature"], "detached signature");
    refused("empty", &["has no signature"], "detached signature");
    refused("whole", &["has no signature"], "detached signature");
    let text = fs::read_to_string(&sums).unwrap();
    case.file("SUMS", format!("{text}\n"));
    refused(
        "good",
        &["is not what was signed by Publisher"],
        "do not use it",
    );
    // None where it is said to be, and none beside it.
    let mut missing =
        case.exec(&[&["--keyring", "ring.gpg", "--signature", "none"][..], &SUMS].concat());
    case.refused(
        &mut missing,
        4,
        &["there is no signature of", "none"],
        "--signature",
    );
    let mut missing = case.exec(&[&["--keyring", "ring.gpg"][..], &SUMS].concat());
    case.refused(
        &mut missing,
        4,
        &["there is no signature of", "SUMS.gpg", "SUMS.sign"],
        "--signature",
    );
}

/// What stands around a clear-signed text, or is clear-signed by somebody else, does not count.
#[test]
fn of_a_clear_signed_file_only_what_is_signed_counts() {
    let (case, signer) = scene();
    let stranger = Signer::new(&case, "Stranger <s@example.org>");
    let right = fs::read_to_string(case.path("SUMS")).unwrap();
    let wrong = case.file("WRONG", format!("{}  x.img.xz\n", "0".repeat(64)));
    signer.sign(&["--clearsign"], &wrong, &case.path("signed"));
    stranger.sign(&["--clearsign"], &case.path("SUMS"), &case.path("strange"));
    let signed = fs::read_to_string(case.path("signed")).unwrap();
    let strange = fs::read_to_string(case.path("strange")).unwrap();
    let run = || {
        case.exec(&[
            "--keyring",
            "ring.gpg",
            "--checksum",
            "file:ALL",
            "x.img.xz",
        ])
    };
    for around in [
        format!("{right}{signed}"),
        format!("{signed}\n{right}"),
        format!("{signed}\n{strange}"),
    ] {
        case.file("ALL", around);
        // Else the image would fit.
        case.refused(
            &mut run(),
            4,
            &["wrong checksum: expected sha256:0000"],
            "get the image again",
        );
    }
    case.file("ALL", format!("{strange}\n{signed}"));
    case.refused(&mut run(), 4, &["which is not in"], "keyring");
    case.file(
        "ALL",
        signed
            .replacen('0', "1", 1)
            .replace("Hash: SHA5112", "Hash: SHA512"),
    );
    case.refused(&mut run(), 4, &["is not what was signed"], "do not use it");
}

#[test]
fn the_image_itself_is_signed() {
    let (case, signer) = scene();
    let image = case.path("x.img.xz");
    let run = |arguments: &[&str]| {
        case.exec(&[&["--keyring", "ring.asc"][..], arguments, &["x.img.xz"]].concat())
    };
    case.refused(
        &mut run(&[]),
        4,
        &["there is no signature of", "x.img.xz.sig"],
        "--signature",
    );
    signer.sign(&["--detach-sign"], &image, &case.path("x.img.xz.sig"));
    for _ in 0..2 {
        let ended = case.run(&mut run(&[]));
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        // Whose it is, is a check.
        assert!(!ended.stderr.contains("without checking"), "{ended:#?}");
    }
    // Another image by the same name is not in the cache, and not signed.
    images::tiny(&case.path("y.img"));
    let mut bytes = fs::read(case.path("y.img")).unwrap();
    bytes.extend([1; 4096]);
    case.file("x.img.xz", pack::xz(&bytes));
    case.refused(
        &mut run(&[]),
        4,
        &["x.img.xz is not what was signed by Publisher"],
        "do not use it",
    );
    assert_eq!(case.cached(), 1);
    // In place, and not packed.
    let raw = case.path("y.img");
    signer.sign(&["--armor", "--detach-sign"], &raw, &case.path("y.img.asc"));
    case.works(&mut case.exec(&["--keyring", "ring.gpg", "y.img"]));
    let write = || {
        case.pichroot([
            "exec",
            "--keyring",
            "ring.gpg",
            "--write",
            "y.img",
            "--",
            "true",
        ])
    };
    let ended = case.run(&mut write());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let mut bytes = fs::read(&raw).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&raw, bytes).unwrap();
    case.refused(
        &mut write(),
        4,
        &["y.img is not what was signed by"],
        "do not use it",
    );
    let exec = ["--keyring", "ring.gpg", "y.img"];
    case.refused(
        &mut case.exec(&exec),
        4,
        &["y.img is not what was signed by"],
        "do not use it",
    );
}

/// As Raspberry Pi OS: by its name, with the signature beside the image; later without a network.
#[test]
fn an_image_by_name_with_its_signature() {
    let case = Case::new();
    let image = Image::new(&case);
    let signer = Signer::new(&case, "Publisher <p@example.org>");
    signer.export(&case.path("ring.asc"), true);
    let packed = case.file("packed", &image.xz);
    signer.sign(&["--detach-sign"], &packed, &case.path("sig"));
    let signature = fs::read(case.path("sig")).unwrap();
    let (text, xz) = (list(from_ref(&image.item)), image.xz);
    let cut = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let dead = cut.clone();
    let server = Server::start_with_host(move |_, request, host| match request.path.as_str() {
        _ if dead.load(std::sync::atomic::Ordering::Relaxed) => Vec::new(),
        "/list.json" => answer("200 OK", text.replace("SELF", host).as_bytes()),
        path if path.ends_with(".xz") => answer("200 OK", &xz),
        path if path.ends_with(".xz.sig") => answer("200 OK", &signature),
        _ => answer("404 Not Found", b""),
    });
    let list = format!("{}/list.json", server.url);
    let config = format!(
        "image: {{source: '{NAME}', catalogues: ['{list}'], signature: {{keyring: ring.asc}}}}\n"
    );
    case.file("pichroot.yml", config);
    let ended = case.run(&mut case.exec(&["-v", NAME]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended.stderr.contains("tiny.img.xz is signed by "),
        "{ended:#?}"
    );
    cut.store(true, std::sync::atomic::Ordering::Relaxed);
    let ended = case.run(&mut case.exec(&[NAME]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended.stderr.contains("what it was good for before is used"),
        "{ended:#?}"
    );
    // By other keys, nothing was ever good.
    let stranger = Signer::new(&case, "Stranger <s@example.org>");
    stranger.export(&case.path("other.gpg"), false);
    let mut other = case.exec(&["--keyring", "other.gpg", NAME]);
    case.refused(
        &mut other,
        3,
        &["cannot get http://"],
        "check the address and the network",
    );
}

#[test]
fn keyrings_and_a_gpgv_that_are_not_there() {
    let (case, signer) = scene();
    signer.sign(
        &["--detach-sign"],
        &case.path("SUMS"),
        &case.path("SUMS.gpg"),
    );
    case.file("text", "no keys\n");
    for (ring, error, hint) in [
        (
            "elsewhere/x",
            "cannot read the keyring",
            "publisher's keyring",
        ),
        ("rnig.gpg", "cannot read the keyring", "ring.gpg?"),
        ("text", "holds no public keys", "public keys"),
    ] {
        let mut run = case.exec(&[&["--keyring", ring][..], &SUMS].concat());
        case.refused(&mut run, 2, &[error, ring], hint);
    }
    let mut run = case.exec(&[&["--signature", "SUMS.gpg"][..], &SUMS].concat());
    case.refused(
        &mut run,
        2,
        &["a signature is given, and no keyring"],
        "--keyring",
    );
    let run = case.exec(&[&["--keyring", "ring.gpg"][..], &SUMS].concat());
    let hidden = "mount -t tmpfs none /mnt && cp -a /dev/null /mnt/null; \
                  for f in $(command -v -p gpgv) /usr/bin/gpgv /bin/gpgv; do [ -e $f ] && mount --bind /dev/null $f; done; true";
    let mut run = in_private_mounts(hidden, &run);
    case.refused(
        &mut run,
        3,
        &["verified by gpgv, which is not here"],
        "apt-get install gpgv",
    );
}
