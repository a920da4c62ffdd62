//! The user's own inventory and ansible.cfg: they give the image groups and variables, and no host
//! but the image is reached.

use std::fs;

use crate::{image::Image, live::Live, scene::Scene};

/// Of the groups and files that name `mypi`, and an ansible.cfg with a setting that shows.
fn write_site(scene: &Scene) {
    let files = [
        (
            "ansible.cfg",
            "[defaults]\ninventory = site\nroles_path = my-roles\n",
        ),
        // Another machine, which the play names too; connecting to it would hang or fail.
        (
            "site/hosts.yml",
            "all:\n  children:\n    pis:\n      hosts:\n        mypi:\n          ansible_host: 192.0.2.1\n          ansible_connection: ssh\n        otherpi:\n          ansible_host: 192.0.2.2\n",
        ),
        (
            "site/group_vars/pis.yml",
            "from_group: group\nfrom_both: group\n",
        ),
        (
            "site/host_vars/mypi.yml",
            "from_host: host\nfrom_both: host\n",
        ),
        ("group_vars/pis.yml", "beside_playbook: beside\n"),
        (
            "my-roles/mine/tasks/main.yml",
            "- raw: echo role >> /etc/answer\n",
        ),
        (
            "play.yml",
            "- hosts: pis\n  gather_facts: false\n  tasks:\n    - raw: echo {{ from_group }} {{ from_host }} {{ from_both }} {{ beside_playbook }} {{ inventory_hostname }} {{ groups['pis'] | sort | join(',') }} >> /etc/answer\n    - include_role: {name: mine}\n",
        ),
    ];
    for (name, text) in files {
        let path = scene.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

const ANSWER: &str = "group host host beside mypi mypi,otherpi\nrole\n";

#[test]
fn an_inventory_of_ansible_cfg_gives_groups_and_variables_to_the_image_alone() {
    let scene = Scene::new();
    write_site(&scene);
    let ended = Live::start(scene.ansible().args(["-e", "hn_hostname=mypi"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("[otherpi]"), "{ended:?}");
    assert_eq!(Image::new(&scene.output()).cat("/etc/answer"), ANSWER);
    scene.host().assert_unchanged();
}

#[test]
fn an_inventory_can_be_named_and_a_limit_cannot_leave_the_image() {
    let scene = Scene::new();
    write_site(&scene);
    fs::write(
        scene.path("ansible.cfg"),
        "[defaults]\nroles_path = my-roles\n",
    )
    .unwrap();
    let mut command = scene.ansible();
    command.args(["-e", "hn_hostname=mypi", "-i", "site", "-l", "pis"]);
    let ended = Live::start(&mut command).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("otherpi]"), "{ended:?}");
    assert_eq!(Image::new(&scene.output()).cat("/etc/answer"), ANSWER);
    scene.host().assert_unchanged();
}

/// Ansible gathers facts whatever tags are asked for.
#[test]
fn facts_alone_are_nothing_done() {
    let scene = Scene::new();
    let play = "- hosts: all\n  tasks:\n    - ping:\n      when: false\n";
    fs::write(scene.path("play.yml"), play).unwrap();
    let ended = Live::start(&mut scene.ansible()).end();
    ended.assert_error(5, "ran nothing in the image");
    assert!(ended.out.contains("Gathering Facts"), "{ended:?}");
    scene.assert_left(&[]);
}

/// Modules on both sides, one of which is emulated.
#[test]
fn a_task_for_this_machine_takes_what_the_image_has() {
    let scene = Scene::new();
    let play = "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - set_fact: {from_here: yes-it-is}\n\
                - hosts: all\n  gather_facts: false\n  tasks:\n\
                \x20   - slurp: {src: /usr/lib/os-release}\n      register: release\n\
                \x20   - copy: {content: \"{{ release.content | b64decode }}\", dest: \"{{ playbook_dir }}/release\"}\n\
                \x20     delegate_to: localhost\n\
                \x20   - copy: {content: \"{{ hostvars.localhost.from_here }}\", dest: /etc/answer}\n\
                - hosts: localhost\n  tasks:\n    - assert: {that: ansible_facts.architecture == '%ARCH%'}\n";
    let play = play.replace("%ARCH%", std::env::consts::ARCH);
    fs::write(scene.path("play.yml"), play).unwrap();
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let image = Image::new(&scene.output());
    assert_eq!(image.cat("/etc/answer"), "yes-it-is");
    let release = fs::read_to_string(scene.path("release")).unwrap();
    assert_eq!(release, image.cat("/usr/lib/os-release"));
    scene.assert_left(&["out.img", "release"]);
}
