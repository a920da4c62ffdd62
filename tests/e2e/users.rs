//! Tasks of several users: whoever comes first, Ansible's folders are everybody's.

use crate::{live::Live, scene::Scene};

/// One task of each kind that has files in Ansible's folders, for `user`.
fn tasks(user: &str) -> String {
    let modules = [
        "command: id -un\n  vars: {ansible_pipelining: false}".to_owned(),
        format!("copy: {{content: x, dest: /var/tmp/{user}}}"),
        format!("template: {{src: t.j2, dest: /var/tmp/{user}-t}}"),
        "command: sleep 0\n  async: 60\n  poll: 1".to_owned(),
        "raw: id -un".to_owned(),
    ];
    let task = |module| format!("- {module}\n  become: true\n  become_user: {user}\n");
    modules.map(task).concat()
}

fn every_kind_of_task_in_this_order(users: &[&str], executor: &str) {
    // By raw, which has no files in them.
    let mut text = "- raw: useradd -m other\n".to_owned();
    text.extend(users.iter().map(|user| tasks(user)));
    let scene = Scene::with_tasks(&text);
    std::fs::write(scene.path("t.j2"), "{{ inventory_hostname }}\n").expect("a template");
    let ended = Live::start(scene.ansible().args(["--executor", executor])).end();
    assert_eq!(ended.code, Some(0), "{users:?} {executor}: {ended:?}");
    assert!(
        !ended.err.contains("remote_tmp"),
        "{users:?} {executor}: {ended:?}"
    );
    scene.assert_left(&["out.img", "t.j2"]);
}

#[test]
fn root_comes_first() {
    every_kind_of_task_in_this_order(&["root", "ubuntu", "other"], "fast");
}

#[test]
fn another_user_comes_first() {
    every_kind_of_task_in_this_order(&["other", "root"], "fast");
}

#[test]
fn community_general_chroot_has_the_same_folders() {
    every_kind_of_task_in_this_order(&["root", "ubuntu"], "plain");
}
