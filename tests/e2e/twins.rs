//! Which programs of the image are run by twins, and that the others do as ever.
//!
//! `exec -v` tells at the end how often each program was started, by its name in the image.

use std::collections::BTreeMap;

use crate::{
    ended::Ended,
    live::Live,
    scene::Scene,
    support::{pichroot, raw_copy},
};

/// What `exec -v` counted.
#[derive(Debug)]
struct Starts {
    twinned: BTreeMap<String, u32>,
    emulated: BTreeMap<String, u32>,
}

impl Starts {
    /// As in "...: 2 by twins (sh 1, cp 1), 1 emulated (dpkg 1)".
    fn of(ended: &Ended) -> Starts {
        let mut lines = ended.err.lines();
        let line = lines.find(|line| line.contains("programs of the image started: "));
        let line = line.unwrap_or_else(|| panic!("no counts: {ended:?}"));
        let (_, counts) = line.split_once(" by twins").unwrap();
        let (twinned, emulated) = counts.split_once(" emulated").unwrap();
        Starts {
            twinned: list(twinned),
            emulated: list(emulated),
        }
    }

    fn count(&self, name: &str) -> (u32, u32) {
        let of = |list: &BTreeMap<String, u32>| list.get(name).copied().unwrap_or(0);
        (of(&self.twinned), of(&self.emulated))
    }
}

/// `(sh 1, cp 1)`, and what follows.
fn list(text: &str) -> BTreeMap<String, u32> {
    let within = text
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let Some((within, _)) = within else {
        return BTreeMap::new();
    };
    let pairs = within.split(", ").map(|pair| {
        let (name, count) = pair.rsplit_once(' ').unwrap();
        (name.to_owned(), count.parse().unwrap())
    });
    pairs.collect()
}

/// Runs `script` by sh in a copy of the base image.
fn run(scene: &Scene, how: &str, script: &str) -> Ended {
    raw_copy(scene.dir(), "x.img");
    let mut command = pichroot(scene.dir());
    command
        .args([
            "exec",
            "-v",
            "--write",
            "--emulation",
            how,
            "x.img",
            "--",
            "sh",
            "-c",
        ])
        .arg(script);
    Live::start(&mut command).end()
}

#[test]
fn a_twin_runs_where_it_does_the_same_and_qemu_everywhere_else() {
    let scene = Scene::new();
    // Each case has a program of its own, for the counts.
    let script = r#"
        set -e
        cd /tmp
        echo "link: $(ln -s /usr/bin/basename link; ./link a/b)"
        printf '#!/bin/sh\necho "$0 $1"\n' > script; chmod +x script
        echo "script: $(./script x)"
        echo "argv0: $(bash -c 'exec -a renamed sh -c "echo \$0"')"
        echo "machine: $(uname -m) $(arch) $(perl -MConfig -e 'print $Config{archname}') $(bash -c 'echo $HOSTTYPE')"
        echo "perl: $(perl -MPOSIX -e 'print "$^X $0 ", (POSIX::uname)[4]')"
        echo "files: $(ls /proc/self/fd | tr '\n' ' ')"
        echo "name: $(cat /proc/self/comm)"
        echo "long: $(head -c 100000 /dev/zero | tr '\0' x | xargs -n1 echo | wc -c)"
        echo "status: $(sh -c 'kill -TERM $$' 2>/dev/null || echo $?)"

        echo "dpkg: $(dpkg --print-architecture) $(dpkg --version | grep -o '(.*)')"
        echo "package: $(dpkg-query -f '${Architecture}' -W bash)"
        echo "sum: $(echo a | openssl dgst -sha1 -r | cut -c 1-8) $(openssl version | cut -c 1-7)"

        echo "environment: $(echo a | LD_BIND_NOW=1 nl | tr -d ' \t')"
        echo "charset: $(echo a | LC_ALL=xx_XX.ISO-8859-1 fmt)"
        chmod u+s /usr/bin/tac
        echo "setuid: $(echo a | tac)"
        expand /dev/null
        cp -p /usr/bin/expand new; mv new /usr/bin/expand
        echo "changed: $(echo a | expand)"
        echo a | paste
        echo > /etc/ld.so.preload; echo a | paste; rm /etc/ld.so.preload
        modinfo -k 6.1.0-1 none 2>/dev/null || modinfo none 2>/dev/null || echo "modinfo: $?"
        mkdir -p /usr/local/lib/aarch64-linux-gnu/perl
        echo "modules: $(perl -e 'print 1')"
        mkdir -p inner/usr; ln -s usr/lib inner/lib; mount --rbind /usr inner/usr
        echo "inner: $(echo ab | chroot inner /usr/bin/fold -w 1 | head -n 1)"
        umount -l inner/usr
        sudo -u ubuntu sh -c 'echo "user: $(id -un) $(uname -m)"'
        cp /usr/bin/cat /usr/local/bin/capable
        python3 -c 'import os; os.setxattr("/usr/local/bin/capable", "security.capability",
            b"\1\0\0\2\0\x20\0\0" + 12 * b"\0")' 2>/dev/null || echo "no file capabilities here"
        sudo -u ubuntu capable /proc/self/status | grep CapEff | sed 's/\t0*/ /'
        echo "function: $(bash -c 'x() { echo $HOSTTYPE; }; export -f x; bash -c x')"
        mkfifo fifo; echo 'echo "pipe: $0"' >fifo & bash fifo
        mkdir own; echo 'package Own; 1' >own/Own.pm; printf 'use lib "own"; use Own; print "own: @INC[0]\n"' >own.pl
        perl own.pl; perl -Iown -e 'use Own; print "I: $INC[0]\n"'
        unexpand /dev/null
        echo '# other' >> /etc/nsswitch.conf
        echo "names: $(echo a | unexpand)"
    "#;
    let ended = run(&scene, "twin", script);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected = "\
link: b
script: ./script x
argv0: renamed
machine: aarch64 aarch64 aarch64-linux-gnu-thread-multi aarch64
perl: /usr/bin/perl -e aarch64
files: 0 1 2 3 \n\
name: cat
long: 100001
status: 143
dpkg: arm64 (arm64)
package: arm64
sum: 3f786850 OpenSSL
environment: 1a
charset: a
setuid: a
changed: a
a
a
modinfo: 1
modules: 1
inner: a
user: ubuntu aarch64
CapEff: 2000
function: aarch64
pipe: fifo
own: own
I: own
names: a
";
    assert_eq!(ended.out, expected, "{ended:?}");
    let starts = Starts::of(&ended);
    for (name, counts) in [
        ("link", (1, 0)),
        ("uname", (0, 2)),
        ("arch", (0, 1)),
        ("nl", (0, 1)),
        ("fmt", (0, 1)),
        ("tac", (0, 1)),
        ("expand", (1, 1)),
        ("paste", (1, 1)),
        ("modinfo", (1, 1)),
        // Once with a changed folder of modules.
        // and twice with a folder of modules of its own.
        ("perl", (2, 3)),
        // Three times with what it was built for, of which once in a function of the environment; and a pipe.
        ("bash", (1, 4)),
        // Once with other name services.
        ("unexpand", (1, 1)),
        ("openssl", (1, 1)),
        ("dpkg", (2, 0)),
        ("dpkg-query", (1, 0)),
        ("sudo", (0, 2)),
        ("python3", (0, 1)),
        ("capable", (0, 1)),
    ] {
        assert_eq!(starts.count(name), counts, "{name}: {starts:?}");
    }
    scene.assert_left(&["x.img"]);
}

#[test]
fn programs_of_the_image_cannot_change_twins_and_what_they_count_is_not_believed() {
    let scene = Scene::new();
    let script = "
        cd /run/twins
        for file in bin/* table lib-*/*; do
            (: > $file) 2>/dev/null && echo written; rm $file 2>/dev/null && echo removed
            chmod 0 $file 2>/dev/null && echo changed
        done
        export PICHROOT_REAL=1
        mount -o remount,rw /run/twins 2>/dev/null && echo remounted
        umount /run/twins 2>/dev/null && echo unmounted
        head -c 99999 /dev/urandom > counts
        true; /bin/true; : > counts; /bin/true && echo fine
    ";
    let ended = run(&scene, "twin", script);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "fine\n"),
        "{ended:?}"
    );
    scene.assert_left(&["x.img"]);
}

#[test]
fn without_twins_nothing_of_them_is_there() {
    let scene = Scene::new();
    let ended = run(&scene, "qemu", "ls /run/twins; uname -m; echo $0");
    assert_eq!(ended.out, "aarch64\nsh\n", "{ended:?}");
    assert!(!ended.err.contains("by twins"), "{ended:?}");
    scene.assert_left(&["x.img"]);
}

#[test]
fn an_image_without_any_is_emulated_and_one_line_says_so() {
    let scene = Scene::new();
    raw_copy(scene.dir(), "x.img");
    let exec = |options: &[&str], script: &str| {
        let mut command = pichroot(scene.dir());
        command.args(["exec", "--checksum", "none"]);
        command
            .args(options)
            .args(["x.img", "--", "sh", "-c", script]);
        Live::start(&mut command).end()
    };
    let moved = exec(&["--write"], "mv /var/lib/dpkg/status /root/");
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let ended = exec(&[], "sleep 3; uname -m");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "aarch64\n"));
    let why = "warning: no twins, so every program of the image is emulated: ";
    assert_eq!(ended.err.matches(why).count(), 1, "{ended:?}");
    exec(&["--emulation", "twin"], "true").assert_error(3, "there are no twins for this image");
    scene.assert_left(&["x.img"]);
}
