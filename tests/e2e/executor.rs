//! Modules in forks of the image's Python: that they are, and what changes nothing for them.

use std::fs;

use nix::sys::signal::{Signal, kill};

use crate::{
    live::Live,
    scene::Scene,
    support::{checkout, pichroot, raw_copy, raw_image, run},
};

/// Prints the process that the module is a fork of; fails if that is no Python.
const PARENT: &str =
    "shell: p=$(sed -n 's/PPid:.//p' /proc/$PPID/status); grep -q python3 /proc/$p/comm && echo $p";

fn passes(scene: &Scene) {
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["out.img"]);
}

#[test]
fn modules_are_forked_for_every_user_and_environment() {
    passes(&Scene::with_tasks(&format!(
        "- {PARENT}\n  register: first\n\
         - {PARENT}\n  register: second\n\
         - {PARENT}\n  become: true\n  become_user: ubuntu\n  register: users\n\
         - {PARENT}\n  become: true\n  become_user: ubuntu\n  register: users_again\n\
         - assert:\n    that:\n    - first.stdout == second.stdout\n    - users.stdout == users_again.stdout\n    \
           - first.stdout != users.stdout\n\
         - shell: id -un; printenv HOME FOO; pwd\n  become: true\n  become_user: ubuntu\n  \
           environment: {{FOO: \"it's $HOME\"}}\n  register: r\n\
         - assert: {{that: \"r.stdout_lines == ['ubuntu', '/home/ubuntu', \\\"it's $HOME\\\", '/']\"}}\n\
         - shell: printenv FOO LC_MESSAGES\n  environment: {{LC_MESSAGES: C, FOO: x}}\n  register: r\n\
         - assert: {{that: \"r.stdout_lines == ['x', 'C']\"}}\n\
         - command: id -un\n  become: true\n  become_method: su\n  become_user: ubuntu\n  register: r\n\
         - assert: {{that: r.stdout == 'ubuntu'}}\n"
    )));
}

/// Upgraded with dpkg, or linked to another version, it is another file.
#[test]
fn an_interpreter_that_is_replaced_is_started_anew() {
    passes(&Scene::with_tasks(&format!(
        "- {PARENT}\n  register: first\n\
         - shell: cp -p /usr/bin/python3.11 /usr/bin/new && mv /usr/bin/new /usr/bin/python3.11\n\
         - {PARENT}\n  register: second\n\
         - assert: {{that: first.stdout != second.stdout}}\n\
         - raw: rm /usr/bin/python3.11\n\
         - ping:\n  ignore_errors: true\n  register: r\n\
         - assert: {{that: r is failed}}\n"
    )));
}

/// A module that is running goes on; the next one gets a new zygote.
#[test]
fn a_zygote_that_is_killed_takes_nothing_along() {
    passes(&Scene::with_tasks(&format!(
        "- {PARENT}\n  register: first\n\
         - shell: kill -9 $(sed -n 's/PPid:.//p' /proc/$PPID/status); sleep 1; echo done\n  register: r\n\
         - assert: {{that: r.stdout == 'done'}}\n\
         - {PARENT}\n  register: second\n\
         - assert: {{that: first.stdout != second.stdout}}\n\
         - shell: kill -9 $PPID\n  ignore_errors: true\n  register: r\n\
         - assert: {{that: r is failed and r is not unreachable}}\n\
         - ping:\n"
    )));
}

/// The same module with another library of the user's is not run with what was learnt.
#[test]
fn a_library_of_the_users_own_is_used() {
    let scene =
        Scene::with_tasks("- ping:\n- mine:\n  register: r\n- assert: {that: r.text == 'mine'}\n");
    fs::create_dir_all(scene.path("library")).unwrap();
    fs::create_dir_all(scene.path("module_utils/text")).unwrap();
    let module = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n\
                  from ansible.module_utils.parsing.convert_bool import WHOSE\n\
                  AnsibleModule(argument_spec={}).exit_json(text=WHOSE)\n";
    fs::write(scene.path("library/mine.py"), module).unwrap();
    let ansible = run(
        std::process::Command::new(checkout().join(".venv/bin/python"))
            .args(["-c", "import ansible; print(ansible.__path__[0])"]),
    );
    let original = format!("{}/module_utils/parsing/convert_bool.py", ansible.trim());
    let changed = fs::read_to_string(original).unwrap() + "\nWHOSE = 'mine'\n";
    fs::create_dir_all(scene.path("utils/parsing")).unwrap();
    fs::write(scene.path("utils/parsing/convert_bool.py"), changed).unwrap();
    fs::write(scene.path("utils/parsing/__init__.py"), "").unwrap();
    let mut command = scene.ansible();
    command.env("ANSIBLE_LIBRARY", scene.path("library"));
    command.env("ANSIBLE_MODULE_UTILS", scene.path("utils"));
    let ended = Live::start(&mut command).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn facts_are_of_the_image() {
    let scene = Scene::new();
    raw_copy(scene.dir(), "x.img");
    run(pichroot(scene.dir())
        .args([
            "exec",
            "--write",
            "--checksum",
            "none",
            "x.img",
            "--",
            "mkdir",
            "-p",
        ])
        .args([
            "/lib/modules/6.8.0-99-raspi",
            "/lib/modules/6.8.0-1010-raspi",
        ]));
    let play = "- hosts: all\n  tasks:\n  - assert:\n      that:\n      - ansible_hostname == 'out'\n      \
                - ansible_kernel == '6.8.0-1010-raspi'\n      - ansible_architecture == 'aarch64'\n      \
                - ansible_cmdline.root == 'LABEL=writable'\n      - ansible_is_chroot\n      \
                - ansible_service_mgr == 'systemd'\n";
    fs::write(scene.path("play.yml"), play).unwrap();
    let ended = Live::start(&mut scene.ansible_on(&scene.path("x.img"))).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn what_a_command_leaves_running_neither_hangs_the_play_nor_outlives_it() {
    let scene = Scene::with_tasks("- shell: sleep 987 & echo started\n- raw: sleep 986 &\n");
    let ended = Live::start(scene.ansible().arg("-v")).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.contains("left programs running in the image")
            && ended.err.contains("sleep; they end now"),
        "{ended:?}"
    );
    scene.assert_left(&["out.img"]);
}

/// Ansible says unreachable, which rescue and ignore_errors do not hide.
#[test]
fn the_executor_is_unreachable_once_it_is_killed() {
    let scene = Scene::with_tasks("- command: sleep 600\n  ignore_errors: true\n- ping:\n");
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process("sleep");
    kill(
        live.wait_for_process(crate::kill::EXECUTOR),
        Signal::SIGKILL,
    )
    .unwrap();
    let ended = live.end();
    ended.assert_error(1, "the executor of the image was killed");
    assert!(!ended.out.contains("TASK [ping]"), "{ended:?}");
    scene.assert_left(&[]);
}

#[test]
fn the_peers_way_is_there_for_comparison() {
    let scene = Scene::with_tasks(&format!(
        "- {PARENT}\n  ignore_errors: true\n  register: r\n- assert: {{that: r is failed}}\n"
    ));
    let ended = Live::start(scene.ansible().args(["--executor", "plain"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["out.img"]);
}

#[test]
#[ignore = "long: make test-all"]
fn the_executor_bears_a_load() {
    let scene = Scene::with_tasks("- ping:\n");
    let script = checkout().join("tests/e2e/load.py");
    let config = format!("ansible: {{command: {}}}\n", script.display());
    fs::write(scene.path("load.yml"), config).unwrap();
    let ended = Live::start(scene.ansible().args(["--config", "load.yml"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["load.yml", "out.img"]);
}

/// Eight images at once, on however few cores.
#[test]
#[ignore = "long: make test-all"]
fn eight_runs_at_once_do_not_disturb_each_other() {
    let scene = Scene::with_tasks(
        "- copy: {content: \"{{ inventory_hostname }}\", dest: /etc/whose}\n- ping:\n",
    );
    let names = (0..8).map(|n| format!("pi{n}")).collect::<Vec<_>>();
    let start = |name: &String| {
        let mut command = pichroot(scene.dir());
        command.args(["ansible", "play.yml", "--checksum", "none", "--image"]);
        command.arg(raw_image());
        command.args(["-e", &format!("hn_hostname={name}")]);
        Live::start(&mut command)
    };
    let runs: Vec<_> = names.iter().map(start).collect();
    let ends: Vec<_> = runs.into_iter().map(Live::end).collect();
    for ended in &ends {
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    for name in &names {
        let image = crate::image::Image::new(&scene.path(&format!("{name}.img")));
        assert_eq!(&image.cat("/etc/whose"), name);
    }
    let made: Vec<_> = names.iter().map(|name| format!("{name}.img")).collect();
    scene.assert_left(&made.iter().map(String::as_str).collect::<Vec<_>>());
}
