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
