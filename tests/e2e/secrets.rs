//! Secrets: in no argument list, environment, output, temporary file or free block.

use std::{fs, process::Command};

use crate::{
    image::Image,
    live::Live,
    scene::Scene,
    support::{run, with_input},
    vault,
    watcher::Watcher,
};

/// Each by another source. With characters that JSON, YAML, shells and templates treat specially.
const ENV: &str = "env-{{lookup}}-5f1c";
const FILE: &str = "file'\"\\-s3cr3t-77aa";
const CMD: &str = "cmd $HOME `id` 91be";
const KV1: &str = "kv1-AQBzc3NzLXNlY3JldA==";
const KV2: &str = "kv2-AQDkZGRkLWRkZGRkZGQ==";
const ALL: [&str; 6] = [ENV, FILE, CMD, KV1, KV2, vault::TOKEN];

/// Prints every secret in every way it can, writes one into the image and deletes another there.
const TASKS: &str = r#"
- debug: var=by_env
- debug: msg="{{ [by_env, by_file, by_cmd, by_kv1, by_kv2] }}"
- debug: msg="{{ (by_kv1 ~ ':' ~ by_kv2) | b64encode }}"
- copy:
    content: "{{ by_kv2 }}"
    dest: /etc/kept.key
    mode: "0600"
- copy:
    content: "{{ by_file }}"
    dest: /etc/dropped.key
    mode: "0600"
- command: {argv: [sync]}
- file: {path: /etc/dropped.key, state: absent}
- command: {argv: [cat, /etc/kept.key]}
- shell: {cmd: "read x; sleep 0.5; echo $x", stdin: "{{ by_cmd }}"}
"#;

/// Files below the host's temporary directories that hold a secret.
fn temporary_files(scene: &Scene) -> String {
    let mut grep = Command::new("grep");
    grep.args(["-rlaFs", "-f", "-", "/run", "/dev/shm", "/var/tmp"]);
    grep.args(["--exclude", "out.img"]).arg(scene.dir());
    let found = with_input(&mut grep, &ALL.join("\n"));
    String::from_utf8_lossy(&found.stdout).into_owned()
}

#[test]
fn secrets_are_only_where_the_playbook_puts_them() {
    let scene = Scene::with_tasks(TASKS.trim());
    // Outside of what is searched: the user's own copies.
    let mine = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (file, for_cmd) = (mine.path().join("file"), mine.path().join("cmd"));
    fs::write(&file, format!("{FILE}\n")).unwrap();
    fs::write(&for_cmd, format!("{CMD}\n")).unwrap();
    let mut command = scene.ansible();
    command
        .env("VAULT_ADDR", vault::serve(KV1, KV2))
        .env("VAULT_TOKEN", vault::TOKEN)
        .env("THE_SECRET", ENV)
        // A log of Ansible's own would hold them; it is not written.
        .env("ANSIBLE_LOG_PATH", scene.path("ansible.log"))
        .args(["-vvv", "--secret", "by_env=env:THE_SECRET"])
        // The dropped file is to be on the disk once.
        .args(["--no-shortcut", "sync"])
        .args(["--secret", &format!("by_file=file:{}", file.display())])
        .args(["--secret", &format!("by_cmd=cmd:cat {}", for_cmd.display())])
        .args(["--secret", "by_kv1=vault:old/ceph#key"])
        .args(["--secret", "by_kv2=vault:secret/ceph#key"]);
    let mut live = Live::start(&mut command);
    // The user put two of them into the environment of pichroot itself.
    let watcher = Watcher::start(&ALL, live.pid());
    // While the last task runs, every temporary file that there will be is there.
    live.wait_for_process("sleep");
    assert_eq!(temporary_files(&scene), "");
    let ended = live.end();
    let seen = watcher.end();
    for name in [
        "pichroot-stage",
        "pichroot-executor",
        "ansible-playbook",
        "e2fsck",
    ] {
        let is_there = seen.commands.iter().any(|command| command.contains(name));
        assert!(is_there, "{name} was not looked at");
    }
    // The user's own command, `cat`, has the user's own environment.
    let users = |found: &&String| found.contains(": /bin/sh -c cat /") || found.contains(": cat /");
    // A fork of pichroot is pichroot until it has become another program.
    let own = format!(" of: {} ansible ", env!("CARGO_BIN_EXE_pichroot"));
    let others = seen.found.iter().filter(|f| !users(f) && !f.contains(&own));
    let others: Vec<_> = others.collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_printed_masked(&ended.out, &ended.err);

    let image = Image::new(&scene.output());
    let kept = (image.offset("/etc/kept.key"), KV2.to_owned());
    assert_eq!(image.cat("/etc/kept.key"), KV2);
    assert_eq!(image.find(&ALL), [kept], "secrets in the image");
    assert_eq!(temporary_files(&scene), "");
    scene.assert_left(&["out.img"]);
}

/// No secret, plain, escaped or encoded, but the mask in its place.
fn assert_printed_masked(out: &str, err: &str) {
    assert!(out.contains("\"by_env\": \"********\""), "{out}");
    let encode = |text: &str| {
        let script = "import sys,base64;print(base64.b64encode(sys.argv[1].encode()).decode())";
        run(Command::new("python3").args(["-c", script, text]))
            .trim()
            .to_owned()
    };
    for secret in ALL {
        let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
        for form in [secret.to_owned(), json, encode(secret)] {
            assert!(
                !out.contains(&form) && !err.contains(&form),
                "{form} in {out}\n{err}"
            );
        }
    }
    let both = encode(&format!("{KV1}:{KV2}"));
    assert!(!out.contains(&both), "{both} in {out}");
}
