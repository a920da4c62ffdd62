//! Programs that tell what the machine is: uname, of the image's own kernel; and whether it is a virtual one.

use nix::unistd::gethostname;

use super::options::{Known, Options};
use crate::{
    chroot::{
        living::{
            call::{Answer, Call},
            kernel::catalogue::has_kernel,
            machine::Machine,
            tool::Tools,
        },
        target::kernel,
    },
    sys::inroot::Root,
};

/// What is answered here.
pub const TOOLS: Tools = &[("systemd-detect-virt", detect), ("uname", uname)];

const KNOWN: Known = Known {
    with_value: &[],
    plain: &[
        ("all", "a"),
        ("hardware-platform", "i"),
        ("help", ""),
        ("kernel-name", "s"),
        ("kernel-release", "r"),
        ("kernel-version", "v"),
        ("machine", "m"),
        ("nodename", "n"),
        ("operating-system", "o"),
        ("processor", "p"),
        ("version", ""),
    ],
};

/// Where nothing of the kernel is asked for, or nothing is known of it, uname itself says the same.
fn uname(call: &Call, machine: &mut Machine) -> Answer {
    let (Ok(root), Ok(options)) = (
        Root::open(&machine.root),
        Options::parse(&KNOWN, &call.args),
    ) else {
        return Answer::Pass;
    };
    let all = options.has("all");
    let asks = |name: &str| all || options.has(name);
    let apart = options.has("help") || options.has("version") || !options.words.is_empty();
    if apart || !(asks("kernel-release") || asks("kernel-version")) || !has_kernel(&root) {
        return Answer::Pass;
    }
    let release = machine.kernel.lock().release.clone();
    let version = || {
        let banner = machine
            .banner
            .get_or_init(|| kernel::banner(&root, &release));
        kernel::version(banner.as_deref()?).map(str::to_owned)
    };
    let mut parts = Vec::new();
    if asks("kernel-name") {
        parts.push("Linux".to_owned());
    }
    if asks("nodename") {
        parts.extend(gethostname().ok().and_then(|name| name.into_string().ok()));
    }
    if asks("kernel-release") {
        parts.push(release.clone());
    }
    if asks("kernel-version") {
        let Some(version) = version() else {
            return Answer::Pass;
        };
        parts.push(version);
    }
    // What is of the architecture the program itself knows.
    let rest: Vec<&str> = match all {
        true => vec!["-m", "-o"],
        false => [
            ("machine", "-m"),
            ("processor", "-p"),
            ("hardware-platform", "-i"),
            ("operating-system", "-o"),
        ]
        .into_iter()
        .filter_map(|(name, option)| options.has(name).then_some(option))
        .collect(),
    };
    for option in rest {
        match call.real(&call.program.to_string_lossy(), &[option]) {
            Ok(output) => parts.push(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            Err(_) => return Answer::Pass,
        }
    }
    Answer::out(format!("{}\n", parts.join(" ")))
}

/// The machine is none, as far as an image tells. Whether this is a chroot the program itself finds out.
fn detect(call: &Call, _: &mut Machine) -> Answer {
    let words: Vec<&str> = call.args.iter().map(String::as_str).collect();
    let known = ["-q", "--quiet", "-c", "--container", "-v", "--vm"];
    if !words.iter().all(|word| known.contains(word)) {
        return Answer::Pass;
    }
    let quiet = words.contains(&"-q") || words.contains(&"--quiet");
    Answer::Said {
        code: 1,
        out: if quiet {
            Vec::new()
        } else {
            b"none\n".to_vec()
        },
        err: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::{call::tests::call, tools::testing};

    #[test]
    fn the_kernel_is_the_images() {
        let (_dir, mut machine) = testing::with_systemd();
        assert_eq!(uname(&call("uname -r"), &mut machine), Answer::Pass);
        let release = machine.kernel.lock().release.clone();
        let modules = machine.at("lib/modules").join(&release);
        fs::create_dir_all(modules.join("kernel")).unwrap();
        fs::write(modules.join("modules.dep"), "").unwrap();
        fs::create_dir_all(machine.at("boot")).unwrap();
        let banner = format!(
            "Linux version {release} (me@here) (gcc (x) 12) #1 SMP Debian 6.1.55-1 (2023-09-29)\n"
        );
        fs::write(
            machine.at("boot").join(format!("vmlinuz-{release}")),
            banner,
        )
        .unwrap();
        let mut say = |line| testing::said(TOOLS, &call(line), &mut machine);
        assert_eq!(say("uname -r"), (0, format!("{release}\n")));
        assert_eq!(
            say("uname -sv"),
            (0, "Linux #1 SMP Debian 6.1.55-1 (2023-09-29)\n".into())
        );
        assert_eq!(uname(&call("uname -m"), &mut machine), Answer::Pass);
        assert_eq!(
            detect(&call("systemd-detect-virt --vm"), &mut machine).clone(),
            Answer::Said {
                code: 1,
                out: b"none\n".to_vec(),
                err: Vec::new(),
            }
        );
        assert_eq!(
            detect(&call("systemd-detect-virt --chroot"), &mut machine),
            Answer::Pass
        );
    }
}
