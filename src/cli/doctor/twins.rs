//! What twins need.

use super::check::Check;
use crate::{emulation::binfmt, sys::kernel::Version, twins::dispatcher::front};

/// What packages are fetched and looked into by.
const TOOLS: [&str; 4] = ["apt-get", "apt-cache", "dpkg-deb", "dpkg-query"];

/// Whether programs of an image can have twins here. Without, all works the same, only slower.
pub fn check() -> Check {
    judge(front::exists(), Version::running(), |tool| {
        which::which(tool).is_ok()
    })
}

fn judge(dispatcher: bool, kernel: Version, has: impl Fn(&str) -> bool) -> Check {
    const ID: &str = "twins";
    if !dispatcher {
        return Check::warning(
            ID,
            "none: they are for x86_64 hosts; every program is emulated",
        );
    }
    if kernel < binfmt::PRIVATE {
        let private = binfmt::PRIVATE;
        return Check::warning(
            ID,
            format!("none: Linux before {private} runs the host's own qemu"),
        );
    }
    let missing: Vec<_> = TOOLS.into_iter().filter(|tool| !has(tool)).collect();
    match missing[..] {
        [] => Check::ok(
            ID,
            "from this host's own packages, and from the archives that an image names",
        ),
        _ => Check::warning(
            ID,
            format!(
                "none: there is no {} to find packages with",
                missing.join(", ")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    #[test]
    fn what_is_missing_is_named_and_is_never_fatal() {
        let found = |dispatcher, kernel, tools: &[&str]| {
            let check = judge(dispatcher, kernel, |tool| tools.contains(&tool));
            assert_ne!(check.status, Status::Missing);
            check.found
        };
        let new = Version(6, 12);
        assert!(found(true, new, &TOOLS).starts_with("from this host"));
        assert!(found(false, new, &TOOLS).contains("x86_64"));
        assert!(found(true, Version(6, 6), &TOOLS).contains("6.7"));
        let without_apt = found(true, new, &["dpkg-deb", "dpkg-query"]);
        assert!(
            without_apt.contains("no apt-get, apt-cache"),
            "{without_apt}"
        );
    }
}
