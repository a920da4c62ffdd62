//! Tasks of several users: whoever comes first, Ansible's folders are everybody's.

use crate::{live::Live, scene::Scene};

/// What has files in Ansible's folders, and `raw`, which has none.
const TASKS: &str = "- command: id -un
  vars: {ansible_pipelining: true}
- copy: {content: x, dest: /var/tmp/USER-copied}
  vars: {ansible_pipelining: true}
- template: {src: t.j2, dest: /var/tmp/USER-template}
  vars: {ansible_pipelining: true}
- raw: id -un
";

/// Without pipelining, which async never has; each starts a Python of its own, so there are few.
const UNPIPED: &str = "- copy: {content: x, dest: /var/tmp/USER-unpiped}
  vars: {ansible_pipelining: false}
- command: sleep 0
  async: 60
  poll: 1
  vars: {ansible_pipelining: false}
";

/// By raw, which has no files there. They may use sudo, as `ubuntu` may.
const TWO_USERS: &str = "- raw: |
    for user in one two; do
      useradd -m $user && echo \"$user ALL=(ALL) NOPASSWD: ALL\" >/etc/sudoers.d/$user
    done
";

/// Fails unless the folders are as they were before the first task, so that whoever comes next comes first. What
/// async leaves is removed by its own process, a moment later.
const AS_BEFORE: &str = "- raw: cd /tmp/.ansible && stat -c '%n %a %U' . tmp async && ls -A tmp async
  register: folders
  until: folders.stdout_lines == ['. 755 root', 'tmp 1777 root', 'async 1777 root', 'async:', '', 'tmp:']
  retries: 60
  delay: 1
";

/// `tasks` by this user, through sudo.
fn by(user: &str, tasks: &str) -> String {
    let with_user = format!("  become: true\n  become_user: {user}\n- ");
    let tasks = tasks
        .replace("USER", user)
        .replace("\n- ", &format!("\n{with_user}"));
    tasks + with_user.trim_end_matches("- ")
}

fn passes(tasks: &str, executor: &str) {
    let scene = Scene::with_tasks(&format!("{TWO_USERS}{tasks}"));
    std::fs::write(scene.path("t.j2"), "{{ inventory_hostname }}\n").expect("a template");
    let ended = Live::start(scene.ansible().args(["--executor", executor])).end();
    assert_eq!(ended.code, Some(0), "{tasks} {executor}: {ended:?}");
    assert!(!ended.err.contains("remote_tmp"), "{executor}: {ended:?}");
    scene.assert_left(&["out.img", "t.j2"]);
}

/// Each leaves the folders as it found them, so one run shows what 24 would.
#[test]
#[ignore = "long: make test-all"]
fn root_two_users_and_ubuntu_come_in_every_order() {
    let users = ["one", "root", "two", "ubuntu"];
    let mut text = String::new();
    for user in users {
        text += &by(user, TASKS);
        text += &by(user, UNPIPED);
        text += AS_BEFORE;
    }
    // The shortest row in which each order of four is somewhere.
    for (place, digit) in "123412314231243121342132413214321".bytes().enumerate() {
        let user = users[usize::from(digit - b'1')];
        let copy = format!("- copy: {{content: '{place}', dest: /var/tmp/USER-copied}}\n");
        text += &by(user, &copy);
    }
    text += AS_BEFORE;
    passes(&text, "fast");
}

#[test]
#[ignore = "long: make test-all"]
fn community_general_chroot_has_the_same_folders() {
    let text = ["ubuntu", "root"].map(|user| by(user, UNPIPED) + AS_BEFORE);
    passes(&text.concat(), "plain");
}
