//! `pichroot import`, and that what comes of it runs.

use std::fs;

use serde_json::json;

use crate::{
    case::Case,
    catalogue::sha256,
    images::{self, MIB, pack},
    support::server::{Server, answer},
};

/// Where what is fetched is, with the templates that are imported: they have SELF in place of its address.
fn scene() -> (Case, Server, String) {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let raw = fs::read(case.path("x.img")).unwrap();
    fs::remove_file(case.path("x.img")).unwrap();
    let (xz, zip) = (pack::xz(&raw), pack::zip(&[("x.img", &raw)]));
    let sum = sha256(&xz);
    let sums = format!("{}  x.zip\n", sha256(&zip));
    let server = Server::start(move |_, request| match request.path.as_str() {
        "/x.img.xz" => answer("200 OK", &xz),
        "/x.zip" => answer("200 OK", &zip),
        "/x.zip.sha256" => answer("200 OK", sums.as_bytes()),
        _ => answer("404 Not Found", b""),
    });
    (case, server, sum)
}

/// Imports the template `name`, and runs what is said then; returns the warnings.
fn import_and_run(case: &Case, name: &str, more: &str) -> Vec<String> {
    let ended = case.run(&mut case.pichroot(["import", name]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let command = ended.stdout.trim_end();
    let words = command
        .strip_prefix("sudo pichroot ")
        .unwrap_or_else(|| panic!("{command}"));
    let words = words.replace("=VALUE", &format!("={more}"));
    case.works(&mut case.pichroot(words.split(' ')));
    let warnings = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning: "));
    warnings.map(str::to_owned).collect()
}

#[test]
fn an_older_template_runs() {
    let (case, server, sum) = scene();
    case.file("setup.sh", "#!/bin/sh\necho \"$WHO\" > /from-script\n");
    let template = json!({
        "variables": {"who": "me"},
        "builders": [{
            "type": "arm", "file_urls": [format!("{}/x.img.xz", server.url)], "file_checksum": sum,
            "file_checksum_type": "sha256", "image_build_method": "reuse", "image_path": "board.img", "image_size": "2G",
            "image_partitions": [{"name": "root", "mountpoint": "/", "start_sector": "8192", "size": "0", "filesystem": "ext4"}],
            "image_setup_extra": [["echo", "x"]]
        }],
        "provisioners": [
            {"type": "shell", "inline": ["pwd > from-inline", "echo '{{ not a template }' >> from-inline"]},
            {"type": "shell", "inline": ["echo {{user `who`}} '{%' > /from-variable"]},
            {"type": "shell", "script": "setup.sh", "environment_vars": ["WHO={{user `who`}}"]}
        ]
    });
    case.file(
        "board.json",
        serde_json::to_string_pretty(&template).unwrap(),
    );
    let warnings = import_and_run(&case, "board.json", "");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let place = case.path("board.json").display().to_string();
    assert!(
        warnings[0].starts_with(&format!("warning: {place}:")),
        "{warnings:?}"
    );
    assert!(
        warnings[0].contains("image_setup_extra is not translated"),
        "{warnings:?}"
    );
    let read = |path| images::read_file(&case.path("board.img"), 4 * MIB, path);
    assert_eq!(read("/from-inline"), "/\n{{ not a template }\n");
    assert_eq!(read("/from-variable"), "me {%\n");
    assert_eq!(read("/from-script"), "me\n");
    // A second time, nothing is overwritten.
    let mut again = case.pichroot(["import", "board.json"]);
    let ours = case.path("pichroot.yml").display().to_string();
    case.refused(&mut again, 2, &[&ours, "exists"], "--force");
    case.works(&mut case.pichroot(["import", "--force", "board.json"]));
}

#[test]
fn a_template_with_a_playbook_runs() {
    let (case, server, _) = scene();
    case.file(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: echo {{ hn_hostname }} {{ hn_pi | bool }} {{ release }} > /done\n",
    );
    let template = "variable \"hn_hostname\" { type = string }\nvariable \"release\" { default = \"x\" }\n\
        local \"mount\" { expression = \"/tmp/${uuidv4()}\" }\nsource \"arm\" \"pi\" {\n  file_urls = [\"SELF/${var.release}.zip\"]\n\
        file_checksum_url = \"SELF/${var.release}.zip.sha256\"\n  file_checksum_type = \"sha256\"\n  image_build_method = \"reuse\"\n\
        image_path = \"${var.hn_hostname}.img\"\n}\nbuild {\n  sources = [\"source.arm.pi\"]\n  provisioner \"ansible\" {\n\
        playbook_file = \"${path.root}/site.yml\"\n    extra_arguments = [\"--connection=chroot\", \"--inventory-file=${local.mount},\",\n\
        \"--extra-vars\", \"hn_pi=true hn_hostname=${var.hn_hostname}\", \"-e\", \"release=${var.release}\"]\n  }\n}\n";
    case.file("pi.pkr.hcl", template.replace("SELF", &server.url));
    let warnings = import_and_run(&case, "pi.pkr.hcl", "mypi");
    assert_eq!(warnings, [""; 0]);
    let done = images::read_file(&case.path("mypi.img"), 4 * MIB, "/done");
    assert_eq!(done, "mypi True x\n");
}

#[test]
fn what_is_no_template() {
    let case = Case::new();
    case.file("qemu.pkr.hcl", "source \"qemu\" \"x\" {}\n");
    case.file("broken.pkr.hcl", "\nsource {{\n");
    case.file("empty.json", "{}\n");
    for (name, error) in [
        ("qemu.pkr.hcl", "builds with qemu"),
        ("broken.pkr.hcl", "broken.pkr.hcl:2: "),
        ("empty.json", "has no source"),
        ("none.pkr.hcl", "cannot read"),
        (".", "files of a template"),
    ] {
        let mut import = case.pichroot(["import", name]);
        case.refused(&mut import, 2, &[error], "");
    }
    let mut import = case.pichroot(["import", "qemu.pkr.hcl", "--var", "x"]);
    case.refused(&mut import, 2, &["--var x is not NAME=VALUE"], "NAME=VALUE");
}
