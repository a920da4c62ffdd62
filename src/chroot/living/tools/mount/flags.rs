//! Flags of a mount.

use nix::mount::MsFlags;

const FLAGS: [(&str, MsFlags); 6] = [
    ("noatime", MsFlags::MS_NOATIME),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("nosuid", MsFlags::MS_NOSUID),
    ("relatime", MsFlags::MS_RELATIME),
    ("ro", MsFlags::MS_RDONLY),
];

/// All flags of a mount that has `now`, if `wanted` has stricter ones: those that anybody may add.
pub fn stricter(now: &[String], wanted: &[String]) -> Option<MsFlags> {
    let of = |options: &[String]| {
        let set = FLAGS
            .iter()
            .filter(|(name, _)| options.iter().any(|option| option == name));
        set.fold(MsFlags::empty(), |flags, (_, flag)| flags | *flag)
    };
    let strict = MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOSUID | MsFlags::MS_RDONLY;
    let (now, wanted) = (of(now), of(wanted) & strict);
    (!now.contains(wanted)).then_some(now | wanted)
}

/// Whether an option of a remount is one of them, or what goes with them.
pub fn is_one(option: &str) -> bool {
    let others = ["bind", "defaults", "remount"];
    others.contains(&option) || FLAGS.iter().any(|(name, _)| *name == option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_only_added() {
        let options = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let of = |now, wanted| stricter(&options(now), &options(wanted));
        let all = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_RELATIME;
        assert_eq!(of("rw,nosuid,relatime", "rw,noexec,hidepid=2"), Some(all));
        assert_eq!(of("rw,nosuid,noexec", "noexec"), None);
        assert_eq!(of("ro,noexec", "rw,exec"), None);
    }
}
