//! Programs that act on a running machine are answered, however they are started, and by whomever.

use std::path::Path;

use crate::{
    ended::Ended,
    image::Image,
    live::Live,
    scene::Scene,
    support::{native_image, pichroot, raw_image},
};

fn exec(scene: &Scene, image: &Path, script: &str) -> Ended {
    let mut command = pichroot(scene.dir());
    command.args(["exec", "--checksum", "none"]).arg(image);
    command.args(["--", "sh", "-c", script]);
    Live::start(&mut command).end()
}

/// Each prints its exit code, and whether the machine has booted, as a role would find out.
const WAYS: &str = r#"
id=/proc/sys/kernel/random/boot_id
asked() {
    before=$(cat $id)
    "$@" >/dev/null 2>&1
    echo "$? $([ "$(cat $id)" = "$before" ] || echo "booted ")by $*"
}
printf '#!/bin/sh\nexec /sbin/reboot --force\n' >/tmp/script
chmod +x /tmp/script
asked reboot
asked /sbin/reboot
asked /usr/sbin/reboot
asked sudo reboot
asked sudo -u ubuntu sudo /usr/sbin/shutdown -r now
asked su ubuntu -c 'sudo shutdown -r +1'
asked /tmp/script
asked python3 -c 'import subprocess; subprocess.run(["/sbin/reboot"], env={}, check=True)'
asked perl -e 'exec { "/sbin/reboot" } "another name"'
asked env -i /sbin/init 6
asked sh -c 'exec 0<&- 1>&- 2>&-; reboot'
asked setsid -w reboot
asked unshare -pf reboot
asked unshare -mn reboot
asked timeout 60 reboot
asked sh -c 'yes | reboot'
asked reboot --help
asked su ubuntu -c reboot
asked su ubuntu -c 'PICHROOT_REAL= /sbin/reboot'
asked env PICHROOT_REAL=1 reboot
asked poweroff
"#;

const TOLD: &str = "\
0 booted by reboot
0 booted by /sbin/reboot
0 booted by /usr/sbin/reboot
0 booted by sudo reboot
0 booted by sudo -u ubuntu sudo /usr/sbin/shutdown -r now
0 booted by su ubuntu -c sudo shutdown -r +1
0 booted by /tmp/script
0 booted by python3 -c import subprocess; subprocess.run([\"/sbin/reboot\"], env={}, check=True)
0 booted by perl -e exec { \"/sbin/reboot\" } \"another name\"
0 booted by env -i /sbin/init 6
0 booted by sh -c exec 0<&- 1>&- 2>&-; reboot
0 booted by setsid -w reboot
0 booted by unshare -pf reboot
1 by unshare -mn reboot
0 booted by timeout 60 reboot
0 booted by sh -c yes | reboot
0 by reboot --help
1 by su ubuntu -c reboot
1 by su ubuntu -c PICHROOT_REAL= /sbin/reboot
1 by env PICHROOT_REAL=1 reboot
1 by poweroff
";

fn are_answered_however_they_are_started(image: &Path) {
    let scene = Scene::new();
    let ended = exec(&scene, image, WAYS);
    assert_eq!(ended.out, TOLD, "{ended:?}");
    scene.assert_left(&[]);
}

#[test]
fn emulated_programs_are_answered_however_they_are_started() {
    are_answered_however_they_are_started(&raw_image());
}

#[test]
fn native_programs_are_answered_however_they_are_started() {
    if let Some(image) = native_image() {
        are_answered_however_they_are_started(&image);
    }
}

/// What the program says goes to its own streams, as the program's own words.
#[test]
fn an_answer_is_said_by_the_program() {
    let scene = Scene::new();
    let script = "poweroff 2>/tmp/said; echo $?; cat /tmp/said; reboot --help | head -n1";
    for image in [Some(raw_image()), native_image()].into_iter().flatten() {
        let ended = exec(&scene, &image, script);
        let expected = "1\npichroot: `poweroff` would end the machine, and this is an image\n\
                        hint: leave this task out; pichroot ends by itself when the play does\n\
                        reboot [OPTIONS...] [ARG]\n";
        assert_eq!(ended.out, expected, "{ended:?}");
    }
    scene.assert_left(&[]);
}

/// A package may bring a program, or another build of it, and use it at once.
#[test]
fn a_program_that_comes_later_is_answered() {
    let Some(image) = native_image() else { return };
    let scene = Scene::new();
    // The kernel knows a program by its header, which true and false may have in common: they run all the same.
    let script = "rm /usr/sbin/halt; cp /bin/true /usr/sbin/halt; sleep 1; halt 2>/dev/null; echo $?
                  cp /bin/false /usr/sbin/.new; mv /usr/sbin/.new /usr/sbin/reboot; sleep 1; reboot; echo $?
                  /bin/true; /bin/false; echo $?";
    let ended = exec(&scene, &image, script);
    assert_eq!(ended.out, "1\n0\n1\n", "{ended:?}");
    scene.assert_left(&[]);
}

/// Any user of the image may connect, say anything or nothing, in any number, and go at any moment.
#[test]
fn nobody_keeps_others_from_an_answer() {
    let scene = Scene::new();
    let attack = r#"
import os, signal, socket, struct
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect("/run/pichroot/living.sock")
    return s
magic = struct.unpack("<I", b"ask\x01")[0]
texts = [b"", b"x", os.urandom(4096),
    struct.pack("<5I", magic, 1, 1 << 31, 1, 1),
    struct.pack("<5I", magic, 1, 1, 1, 1 << 31),
    struct.pack("<5I", magic, 1 << 31, 0, 6, 2) + b"reboot" + b"r\0",
    struct.pack("<5I", magic, 0, 0, 0, 0),
    struct.pack("<5I", magic, 1, 1, 16, 8) + b"/" + b"/usr/sbin/reboot" + b"reboot"]
for text in texts:
    s = connect()
    s.sendall(text)
    s.close()
# All places are taken by those who say nothing, and those who do not listen.
held = [connect() for _ in range(100)]
for s in held[50:]:
    s.sendall(struct.pack("<5I", magic, 1, 1, 18, 9) + b"/" + b"/usr/sbin/poweroff" + b"poweroff\0")
os.system("/sbin/reboot; echo first $?")
# Killed while it waits.
for _ in range(50):
    child = os.fork()
    if child == 0:
        os.execv("/sbin/reboot", ["reboot"])
    os.kill(child, signal.SIGKILL)
    os.wait()
"#;
    let script = format!(
        "cat >/tmp/attack <<'END'\n{attack}\nEND\nsu ubuntu -c 'python3 /tmp/attack'
         cat >/tmp/reboots <<'END'\nreboot || echo failed\nEND
         for i in $(seq 100); do sh /tmp/reboots & done; wait; echo all
         python3 /tmp/attack"
    );
    for image in [Some(raw_image()), native_image()].into_iter().flatten() {
        let ended = exec(&scene, &image, &script);
        assert_eq!(ended.out, "first 1\nall\nfirst 0\n", "{ended:?}");
    }
    scene.assert_left(&[]);
}

/// The executor has to read it before it knows that it has no answer. Here its place is taken by one that never has.
#[test]
fn a_program_that_runs_after_all_finds_its_input() {
    let scene = Scene::new();
    let executor = r#"
import os, socket, struct
os.unlink("/run/pichroot/living.sock")
server = socket.socket(socket.AF_UNIX)
server.bind("/run/pichroot/living.sock")
server.listen()
print("ready", flush=True)
program = server.accept()[0].makefile("rwb")
def reply(kind, out=b""):
    program.write(struct.pack("<4I", kind, 0, len(out), 0) + out)
    program.flush()
lengths = struct.unpack("<5I", program.read(20))[2:]
program.read(sum(lengths))
reply(2)
given = b""
while length := struct.unpack("<I", program.read(4))[0]:
    given += program.read(length)
reply(0, given)
"#;
    let script = format!(
        "python3 -c '{executor}' >/tmp/ready &
         cp /usr/bin/sort /usr/sbin/halt; cp /usr/bin/sort /usr/sbin/poweroff; sleep 1
         while [ ! -s /tmp/ready ]; do sleep 0.1; done
         seq 1 50000 | /usr/sbin/halt -rn | head -n2; wait
         seq 1 50000 | /usr/sbin/poweroff -rn | head -n1"
    );
    for image in [Some(raw_image()), native_image()].into_iter().flatten() {
        let ended = exec(&scene, &image, &script);
        assert_eq!(ended.out, "50000\n49999\n50000\n", "{ended:?}");
    }
    scene.assert_left(&[]);
}

/// The module waits until the machine has another boot id; the play goes on, and the next time it boots again.
#[test]
fn a_play_reboots_and_goes_on() {
    let tasks = "- copy: {content: a, dest: /etc/changed}
  notify: reboot
- reboot: {reboot_timeout: 60, msg: Back soon}
  register: module
- assert: {that: [module.changed, module.rebooted]}
- reboot: {reboot_timeout: 60, reboot_command: '/sbin/shutdown -r +1', boot_time_command: cat /proc/sys/kernel/random/boot_id}
- command: /sbin/shutdown -c
- shell: sleep 1 && reboot
  async: 1
  poll: 0
- wait_for_connection: {delay: 2, timeout: 60}
- command: init 0
  register: ended
  failed_when: ended.rc == 0 or 'hint' not in ended.stderr
- meta: flush_handlers
- copy: {content: done, dest: /etc/afterwards}
";
    let play = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    {}\n  handlers:\n    - {{name: reboot, reboot: {{post_reboot_delay: 1}}}}\n",
        tasks.trim_end().replace('\n', "\n    ")
    );
    let scene = Scene::new();
    std::fs::write(scene.path("play.yml"), play).unwrap();
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    assert_eq!(made.cat("/etc/afterwards"), "done");
    scene.assert_left(&["out.img"]);
}
