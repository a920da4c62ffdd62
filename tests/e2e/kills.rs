//! `kill -9` at moments of chance: of the supervisor while a run begins, of any of its processes later. Nothing may be left
//! of any of them.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::Write,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal::SIGKILL, kill},
    unistd::Pid,
};

use crate::{
    live::Live,
    processes::{Process, descendants},
    scene::Scene,
    support::{pichroot, raw_image},
};

/// How many of either there are, as `EARLY LATER`; `make kills` asks for more.
const COUNTS: &str = "PICHROOT_TEST_KILLS";
const USUAL: &str = "10 4";

/// The first of these is what the supervisor is killed in; what comes later is from there on.
const BEGINNING: Duration = Duration::from_secs(5);
/// By then twins are found, and modules run.
const WORK: Duration = Duration::from_secs(12);
/// A run that outlives a part of it is ended after this.
const GRACE: Duration = Duration::from_millis(500);

/// Facts, modules and commands, so that there is something to kill; and no end.
const TASKS: &str = "- setup:\n- command: /bin/true\n  loop: '{{ range(30) }}'\n- raw: sleep 600\n";
const LOOP: &str = "while :; do ls / | wc -l >/tmp/n; done";

fn counts() -> [u32; 2] {
    let given = std::env::var(COUNTS).unwrap_or_else(|_| USUAL.into());
    let numbers = given.split(' ').map(|n| n.parse().expect("a number"));
    let numbers: Vec<u32> = numbers.collect();
    numbers.try_into().expect("two numbers")
}

/// Something from 0 to below 1.
fn chance() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What was done, told if the test fails.
struct IfItFails(String);

impl Drop for IfItFails {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}", self.0);
        }
    }
}

/// A run of one kind or another.
fn command(scene: &Scene, number: u32) -> Command {
    if number.is_multiple_of(2) {
        return scene.ansible();
    }
    let mut exec = pichroot(scene.dir());
    exec.args(["exec", "--checksum", "none"]).arg(raw_image());
    exec.args(["--", "sh", "-c", LOOP]);
    exec
}

/// Starts run `number`, and after a time kills the one of its processes that `victim` chooses; then what is left of it.
fn kill_one(scene: &Scene, number: u32, after: Duration, victim: impl Fn(Pid) -> (Pid, String)) {
    let start = Instant::now();
    let live = Live::start(&mut command(scene, number));
    sleep(after.saturating_sub(start.elapsed()));
    let (pid, name) = victim(live.pid());
    let _told = IfItFails(format!("kill {number} after {after:.3?}: {name}"));
    // It may have just ended by itself.
    let _ = kill(pid, SIGKILL);
    if pid != live.pid() {
        sleep(GRACE);
        // A zombie takes it, too: nobody has waited for it yet.
        live.signal(SIGKILL);
    }
    live.end();
    scene.host().assert_unchanged();
    scene.assert_left(&[]);
}

#[test]
fn the_supervisor_in_the_first_five_seconds() {
    let scene = Scene::with_tasks(TASKS);
    let [count, _] = counts();
    for number in 0..count {
        // Each in its own part of the time, so that all of it has some.
        let part = (f64::from(number) + chance()) / f64::from(count);
        let supervisor = |pid| (pid, "the supervisor".to_owned());
        kill_one(&scene, number, BEGINNING.mul_f64(part), supervisor);
    }
}

#[test]
fn any_process_later() {
    let scene = Scene::with_tasks(TASKS);
    let [_, count] = counts();
    for number in 0..count {
        let after = BEGINNING + (WORK - BEGINNING).mul_f64(chance());
        let any = |pid| {
            let mut all = descendants(pid);
            let argv = vec!["the supervisor".to_owned()];
            all.push(Process { pid, argv });
            let chosen = &all[(chance() * all.len() as f64) as usize];
            (chosen.pid, chosen.argv.join(" "))
        };
        kill_one(&scene, number, after, any);
    }
}
