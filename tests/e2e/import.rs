//! A template for Packer, imported and run on the real image.

use std::{fs, process::Command};

use crate::{
    image::Image,
    scene::Scene,
    support::{
        base_image, pichroot, run,
        server::{Server, answer},
    },
    vault,
};

const PLAYBOOK: &str = r#"- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ [hn_hostname, hn_host_id, hn_netboot | bool, hn_pi | bool, imhotep_pw, hn_ceph_key] | join(' ') }}\n"
        dest: /etc/provisioned
        mode: "0600"
      no_log: true
"#;

/// More steps, as the template of docs/from-packer.md has none but its playbook.
const STEPS: &str = r#"build {
  sources = ["source.arm.ubuntu"]
  provisioner "file" {
    source      = "welcome"
    destination = "/etc/motd"
  }
  provisioner "shell" {
    inline = ["echo ${var.hn_hostname} > /etc/from-shell", "cat /etc/motd >> /etc/from-shell"]
  }
}
"#;

#[test]
fn a_template_with_variables_and_secrets_becomes_an_image() {
    let scene = Scene::new();
    let packed = fs::read(base_image()).unwrap();
    let sum = run(Command::new("sha256sum").arg(base_image()));
    let sum = sum.split(' ').next().unwrap();
    let sums = format!("{sum} *ubuntu-22.04.5.img.xz\n");
    let server = Server::start(move |_, request| match request.path.as_str() {
        "/releases/22.04/release/ubuntu-22.04.5.img.xz" => answer("200 OK", &packed),
        "/releases/22.04/release/SHA256SUMS" => answer("200 OK", sums.as_bytes()),
        _ => answer("404 Not Found", b""),
    });
    let template = include_str!("../fixtures/packer/netboot-pi.pkr.hcl")
        .replace("http://SELF", &server.url)
        .replace("secret/foobar\", \"pw", "old/ceph\", \"key")
        .replace("secret/cephbar", "secret/ceph");
    let vars = "hn_hostname = \"mypi\"\nhn_netboot = true\nhn_host_id = \"abcdef123\"\n";
    for (name, text) in [
        ("pi.pkr.hcl", format!("{template}{STEPS}").as_str()),
        ("mypi.pkrvars.hcl", vars),
        ("site.yml", PLAYBOOK),
        ("welcome", "hello\n"),
    ] {
        fs::write(scene.path(name), text).unwrap();
    }
    let mut import = pichroot(scene.dir());
    import.args(["import", "pi.pkr.hcl", "--var-file", "mypi.pkrvars.hcl"]);
    let imported = import.output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let told = String::from_utf8(imported.stderr).unwrap();
    assert!(!told.contains("warning"), "{told}");
    let command = String::from_utf8(imported.stdout).unwrap();
    let words = command
        .trim_end()
        .strip_prefix("sudo --preserve-env=VAULT_ADDR,VAULT_TOKEN pichroot ");
    let words = words.unwrap_or_else(|| panic!("{command}"));
    assert_eq!(words, "ansible pi.yml --var-file mypi.pkrvars.hcl");

    let mut made = pichroot(scene.dir());
    made.args(words.split(' '))
        .env("VAULT_ADDR", vault::serve("one", "two"))
        .env("VAULT_TOKEN", vault::TOKEN);
    run(scene.with_own_cache(&mut made));
    let image = Image::new(&scene.path("mypi.img"));
    assert_eq!(
        image.cat("/etc/provisioned"),
        "mypi abcdef123 True True one two\n"
    );
    assert_eq!(image.cat("/etc/from-shell"), "mypi\nhello\n");
    scene.assert_left(&[
        "mypi.img",
        "mypi.pkrvars.hcl",
        "pi.pkr.hcl",
        "pi.yml",
        "pichroot.yml",
        "site.yml",
        "welcome",
    ]);
}
