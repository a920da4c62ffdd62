//! Verifies by gpgv, which says in lines for programs what it found (GnuPG, doc/DETAILS).

use std::{
    ffi::OsString,
    fs::File,
    os::fd::{AsRawFd, RawFd},
    path::PathBuf,
    time::Duration,
};

use super::keys::Keys;
use crate::{
    error::{Context, Error, Kind, Result},
    sys::{
        bounded::{self, Bounds, Lent},
        memory,
    },
};

/// A source of many GiB takes less than a minute for each; a slow disk takes longer.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(30 * 60),
    processor: Duration::from_secs(10 * 60),
    memory: 1 << 30,
    output: 64 << 10,
};

/// How much is read of what gpgv writes, in bytes.
const WRITTEN: u64 = 16 << 20;

/// Verifies the detached `signature` of `data`, which is called `name`; returns who has signed.
///
/// # Errors
/// [`Kind::Image`] where it is not good, [`Kind::Host`] where that cannot be found out.
pub fn detached(keys: &Keys, signature: &[u8], data: &File, name: &str) -> Result<String> {
    // With an offset of its own.
    let again = File::open(path(data)).context(Kind::Host, || format!("cannot read {name}"))?;
    let status = run(keys, signature, Some(&again), None)?;
    verdict(&status, keys, name)
}

/// Verifies the clear-signed `message` in `name`; returns the text that is signed, and who has signed.
///
/// # Errors
/// As [`detached`].
pub fn clear(keys: &Keys, message: &[u8], name: &str) -> Result<(Vec<u8>, String)> {
    let text = empty("text")?;
    let status = run(keys, message, None, Some(&text))?;
    let by = verdict(&status, keys, name)?;
    Ok((written(&text)?, by))
}

/// Has gpgv read `signature`, which is of `data` or has its own text, to be written to `text`; returns its status lines.
fn run(keys: &Keys, signature: &[u8], data: Option<&File>, text: Option<&File>) -> Result<String> {
    let program = program()?;
    let signature = memory::sealed("signature", signature)
        .context(Kind::Host, || "cannot keep the signature in memory".into())?;
    let status = empty("status")?;
    let lent = [Some(&keys.file), Some(&signature), Some(&status), text];
    let lent: Vec<&File> = lent.into_iter().flatten().collect();
    let fd = status.as_raw_fd();
    let args = |paths: Vec<OsString>| {
        let mut args: Vec<OsString> = vec![
            "--homedir".into(),
            "/".into(),
            // Nobody should trust these any more.
            "--weak-digest".into(),
            "SHA1".into(),
            "--weak-digest".into(),
            "RIPEMD160".into(),
            "--status-fd".into(),
            fd.to_string().into(),
            "--keyring".into(),
            paths[0].clone(),
        ];
        if let Some(text) = paths.get(3) {
            args.extend(["--output".into(), text.clone()]);
        }
        args.extend(["--".into(), paths[1].clone()]);
        // Its standard input.
        args.extend(data.map(|_| "-".into()));
        args
    };
    let lent = Lent {
        files: &lent,
        stdin: data,
    };
    let ended = bounded::run(&program, args, lent, BOUNDS, &mut |_| {})?;
    if let Err(over) = ended.how {
        return Err(Error::host(format!("{} {over}", program.display())).hint("try it again"));
    }
    Ok(String::from_utf8_lossy(&written(&status)?).into_owned())
}

fn program() -> Result<PathBuf> {
    which::which("gpgv").map_err(|_| {
        Error::host("signatures are verified by gpgv, which is not here")
            .hint("install gpgv (Debian, Ubuntu: apt-get install gpgv), or gnupg elsewhere")
    })
}

fn empty(name: &str) -> Result<File> {
    memory::create(name).context(Kind::Host, || "cannot make a file in memory".into())
}

fn written(file: &File) -> Result<Vec<u8>> {
    memory::content(file, WRITTEN)
        .context(Kind::Host, || "cannot read what gpgv has written".into())
}

fn path(file: &File) -> PathBuf {
    let fd: RawFd = file.as_raw_fd();
    format!("/proc/self/fd/{fd}").into()
}

/// Who has signed, where at least one signature is good and none is bad.
fn verdict(status: &str, keys: &Keys, name: &str) -> Result<String> {
    let lines = status.lines().filter_map(|line| {
        let line = line.strip_prefix("[GNUPG:] ")?;
        Some(line.split_once(' ').unwrap_or((line, "")))
    });
    let of = |wanted: &str| {
        let mut found = lines.clone().filter(|(word, _)| *word == wanted);
        found.next().map(|(_, rest)| rest)
    };
    let bad = |what: String, hint: &str| Err(Error::image(format!("{name} {what}")).hint(hint));
    let keyring = &keys.shown;
    if let Some(who) = of("BADSIG") {
        let hint = "get it again; if it stays so, somebody has changed it: do not use it";
        return bad(format!("is not what was signed by {}", person(who)), hint);
    }
    if let (Some(who), Some(_)) = (of("GOODSIG"), of("VALIDSIG")) {
        return Ok(who.to_owned());
    }
    for (word, what) in [
        ("EXPKEYSIG", "by a key that has expired"),
        ("REVKEYSIG", "by a key that has been revoked"),
        ("EXPSIG", "but the signature has expired"),
    ] {
        if let Some(who) = of(word) {
            let hint = "get a newer image, or the publisher's newer keyring";
            return bad(format!("is signed {what}: {}", person(who)), hint);
        }
    }
    if let Some(id) = of("NO_PUBKEY") {
        let hint = "name the publisher's keyring; if you have it, somebody else has signed this: do not use it";
        return bad(
            format!("is signed with the key {id}, which is not in {keyring}"),
            hint,
        );
    }
    if of("ERRSIG").is_some() {
        let hint = "it is made with an algorithm that this gpgv does not know, or that nobody should trust any more";
        return bad("has a signature that cannot be verified".into(), hint);
    }
    let hint = "name a detached signature, such as SHA256SUMS.gpg, by --signature; it is made for one file";
    bad("has no signature that gpgv can read".into(), hint)
}

/// The name behind a key's id.
fn person(who: &str) -> &str {
    who.split_once(' ').map_or(who, |(_, name)| name)
}
