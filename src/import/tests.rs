//! Whole templates, in both languages.

mod boards;
mod rarer;

use std::{fs, path::Path};

use serde_yaml::Value as Yaml;

use super::*;
use crate::error::Kind;

/// A folder with a template.
struct Place(tempfile::TempDir);

impl Place {
    fn new(name: &str, text: &str) -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.0.path().join(name), text).unwrap();
        place
    }

    fn import(&self, name: &str, variables: &[(&str, &str)]) -> Result<Imported> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let wanted = Wanted {
            variables: variables.iter().map(own).collect(),
            ..self.wanted(name)
        };
        import(&wanted).inspect(Imported::check)
    }

    /// This file, without variables.
    fn wanted(&self, name: &str) -> Wanted {
        let folder = self.0.path();
        Wanted {
            template: folder.join(name),
            var_files: Vec::new(),
            variables: Vec::new(),
            folder: folder.to_owned(),
            cwd: folder.to_owned(),
        }
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }
}

pub fn hcl(text: &str) -> Imported {
    Place::new("t.pkr.hcl", text)
        .import("t.pkr.hcl", &[])
        .unwrap()
}

pub fn json(text: &str) -> Imported {
    Place::new("t.json", text).import("t.json", &[]).unwrap()
}

impl Imported {
    /// What is written can be read, each name is there once, and nothing of it is our own mark.
    fn check(&self) {
        let texts = self.files.iter().map(|(_, text)| text);
        let told = self.left.iter().map(|left| &left.text);
        for text in texts.chain(&self.commands).chain(told) {
            assert!(!later::is_marked(text), "{text}");
        }
        for (path, text) in &self.files {
            if path.extension().is_some_and(|end| end == "yml") {
                serde_yaml::from_str::<Yaml>(text).unwrap();
            }
        }
        // pichroot takes it.
        let config = self.yaml("pichroot.yml");
        serde_yaml::from_value::<crate::config::file::File>(config).unwrap();
        let names: std::collections::BTreeSet<_> =
            self.files.iter().map(|(path, _)| path).collect();
        assert_eq!(names.len(), self.files.len(), "{names:?}");
    }

    pub fn file(&self, name: &str) -> &str {
        let found = self.files.iter().find(|(path, _)| path == Path::new(name));
        &found
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.files))
            .1
    }

    pub fn yaml(&self, name: &str) -> Yaml {
        serde_yaml::from_str(self.file(name)).unwrap()
    }

    pub fn left(&self) -> Vec<(usize, &str)> {
        self.left
            .iter()
            .map(|left| (left.line, left.text.as_str()))
            .collect()
    }

    /// What the last command is, from `ansible` on.
    fn words(&self) -> &str {
        self.commands
            .last()
            .unwrap()
            .split_once("ansible ")
            .unwrap()
            .1
    }
}

const ARM: &str = "source \"arm\" \"x\" {\n  file_urls = [\"https://h/x.img.xz\"]\n  file_checksum_type = \"none\"\n}\n";

#[test]
fn a_template_for_netboot() {
    let text = include_str!("../../tests/fixtures/packer/netboot-pi.pkr.hcl");
    let place = Place::new("pi.pkr.hcl", text);
    fs::write(place.0.path().join("site.yml"), "[]").unwrap();
    let made = place.import("pi.pkr.hcl", &[]).unwrap();
    assert_eq!(made.left(), []);
    let expected = "\
image:
  source: http://SELF/releases/22.04/release/ubuntu-22.04.5.img.xz
  checksum: file:http://SELF/releases/22.04/release/SHA256SUMS
  output: '{hn_hostname}.img'
ansible:
  user: ubuntu
  args:
  - --diff
vars:
  hn_netboot: true
  hn_pi: true
secrets:
  imhotep_pw:
    vault: secret/foobar
    field: pw
  hn_ceph_key:
    vault: secret/cephbar
    field: key
";
    let (_, config) = made.file("pichroot.yml").split_once('\n').unwrap();
    assert_eq!(config, expected);
    let play = made.yaml("pi.yml");
    assert_eq!(play[0]["ansible.builtin.import_playbook"], "site.yml");
    assert_eq!(
        made.words(),
        "pi.yml -e hn_host_id=VALUE -e hn_hostname=VALUE"
    );
    assert!(made.commands[0].starts_with("sudo --preserve-env=VAULT_ADDR,VAULT_TOKEN pichroot "));
    // Another release is computed with.
    let made = place
        .import("pi.pkr.hcl", &[("release", "24.04.5")])
        .unwrap();
    let source = &made.yaml("pichroot.yml")["image"]["source"];
    assert_eq!(
        source,
        "http://SELF/releases/24.04/release/ubuntu-24.04.5.img.xz"
    );
    let error = place
        .import("pi.pkr.hcl", &[("relaese", "24.04")])
        .unwrap_err();
    assert!(error.to_string().contains("no variable relaese"), "{error}");
}

#[test]
fn an_older_template() {
    let made = json(
        "{\n\"variables\": {\"release\": \"2021-10-30\", \"home\": \"{{env `HOME`}}\", \"name\": null},\n\
         \"sensitive-variables\": [\"name\"],\n\
         \"builders\": [{\n\"type\": \"arm\", \"file_urls\": [\"https://h/{{user `release`}}.zip\", \"https://m/x.zip\"],\n\
         \"file_checksum\": \"AA\", \"file_checksum_type\": \"sha256\",\n\"image_build_method\": \"resize\", \"image_size\": \"6G\",\n\
         \"image_path\": \"{{user `name`}}.img\", \"image_setup_extra\": [[\"true\"]]}],\n\
         \"provisioners\": [\n{\"type\": \"shell\", \"inline\": [\"echo ${HOME} {{user `name`}}\", \"id {{build `ID`}}\"]},\n\
         {\"type\": \"shell\", \"inline\": [\"touch /x\"], \"environment_vars\": [\"A=b\", \"H={{user `home`}}\"]}],\n\
         \"post-processors\": [[\"compress\", {\"type\": \"manifest\"}]]}"
            .replace("AA", &"ab".repeat(32))
            .as_str(),
    );
    let config = made.yaml("pichroot.yml");
    assert_eq!(config["image"]["source"], "https://h/2021-10-30.zip");
    assert_eq!(
        config["image"]["checksum"],
        format!("sha256:{}", "ab".repeat(32))
    );
    assert_eq!(config["image"]["grow"], "6G");
    assert_eq!(config["image"]["output"], "{name}.img");
    assert_eq!(config["secrets"]["secret_HOME"]["env"], "HOME");
    let play = made.yaml("t.yml");
    let tasks = &play[0]["tasks"];
    assert_eq!(tasks[0]["ansible.builtin.raw"], "{{ commands }}");
    let commands = "set -e; cd /\necho ${HOME} {{ name }}\n";
    assert_eq!(tasks[0]["vars"]["commands"], commands);
    assert_eq!(tasks[1]["ansible.builtin.script"], "scripts/line-011.sh");
    assert_eq!(tasks[1]["environment"]["A"], "b");
    assert_eq!(tasks[1]["environment"]["H"], "{{ secret_HOME }}");
    assert_eq!(made.file("scripts/line-011.sh"), "#!/bin/sh -e\ntouch /x\n");
    assert_eq!(made.words(), "t.yml --secret name=prompt");
    assert!(made.commands[0].contains("--preserve-env=HOME"));
    let left = made.left();
    let lines: Vec<usize> = left.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [5, 8, 10, 12, 12], "{left:#?}");
    for ((_, text), part) in left.iter().zip([
        "1 more addresses",
        "image_setup_extra",
        "build `ID`",
        "compress",
        "manifest",
    ]) {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_is_computed_and_what_stays_a_variable() {
    let made = hcl(&format!(
        "variable \"name\" {{ default = \"pi\" }}\nvariable \"big\" {{ default = true }}\nvariable \"list\" {{ default = [\"a\", \"b\"] }}\n\
         {ARM}build {{\n provisioner \"shell\" {{\n  inline = [\n   \"echo ${{var.name}} ${{upper(var.name)}}\",\n\
         \"echo ${{var.big ? \"big\" : \"small\"}}\",\n   \"echo ${{join(\",\", var.list)}} ${{var.list[1]}}\",\n\
         \"echo ${{format(\"%s-%d%%\", \"x\", length(var.list))}} $${{HOME}} ${{data.git.head}}\",\n   \"echo {{% raw %}}\",\n  ]\n }}\n}}\n"
    ));
    let text = made.yaml("t.yml")[0]["tasks"][0].clone();
    // Where something is computed, all of that line is.
    let script = made.file("scripts/line-010.sh");
    assert_eq!(text["ansible.builtin.script"], "scripts/line-010.sh");
    assert_eq!(
        script,
        "#!/bin/sh -e\necho pi PI\necho big\necho a,b b\necho {% raw %}\n"
    );
    let left = made.left();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        left[0].1.contains("data") && left[0].1.contains("cannot be computed here"),
        "{left:?}"
    );
    // A plain text with a variable in it stays one.
    let made = hcl(&format!(
        "variable \"name\" {{ default = \"pi\" }}\n{ARM}build {{\n provisioner \"shell\" {{ inline = [\"echo ${{var.name}} '{{{{ x }}}}'\"] }}\n}}\n"
    ));
    let text = &made.yaml("t.yml")[0]["tasks"][0]["vars"]["commands"];
    assert_eq!(
        text,
        "set -e; cd /\necho {{ name }}{% raw %} '{{ x }}'{% endraw %}\n"
    );
    assert_eq!(made.yaml("pichroot.yml")["vars"]["name"], "pi");
}

#[test]
fn files_scripts_and_their_order() {
    let text = format!(
        "{ARM}build {{\n provisioner \"file\" {{\n  source = \"conf/\"\n  destination = \"/etc/x\"\n }}\n\
         provisioner \"ansible\" {{\n  playbook_file = \"site.yml\"\n  groups = [\"pis\"]\n  galaxy_file = \"req.yml\"\n }}\n\
         provisioner \"shell\" {{\n  scripts = [\"a b.sh\", \"none.sh\"]\n  execute_command = \"sudo {{{{.Path}}}}\"\n }}\n\
         provisioner \"shell-local\" {{ inline = [\"true\"] }}\n provisioner \"shell\" {{\n  only = [\"qemu.y\"]\n  inline = [\"x\"]\n }}\n}}\n"
    );
    let place = Place::new("t.pkr.hcl", &text);
    for name in ["site.yml", "a b.sh", "req.yml"] {
        fs::write(place.0.path().join(name), "").unwrap();
    }
    fs::create_dir(place.0.path().join("conf")).unwrap();
    let made = place.import("t.pkr.hcl", &[]).unwrap();
    let plays = made.yaml("t.yml");
    let copy = &plays[0]["tasks"][0]["ansible.builtin.copy"];
    assert_eq!(
        (&copy["src"], &copy["dest"]),
        (&"conf/".into(), &"/etc/x".into())
    );
    assert_eq!(plays[1]["ansible.builtin.import_playbook"], "site.yml");
    assert_eq!(plays[2]["tasks"][0]["ansible.builtin.script"], "'a b.sh'");
    assert_eq!(made.commands[0], "ansible-galaxy install -r req.yml");
    let left = made.left();
    let parts = [
        "groups",
        "no script none.sh",
        "execute_command",
        "shell-local",
        "not for the source",
    ];
    assert_eq!(left.len(), parts.len(), "{left:#?}");
    for ((_, text), part) in left.iter().zip(parts) {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_cannot_be_translated_at_all() {
    let refused = |name: &str, text: &str| {
        let error = Place::new(name, text).import(name, &[]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hint_text().is_some());
        error.to_string()
    };
    assert!(refused("t.pkr.hcl", "source \"qemu\" \"x\" {}\n").contains("builds with qemu"));
    assert!(refused("t.pkr.hcl", "").contains("has no source"));
    assert!(refused("t.pkr.hcl", "a = 1\nsource {{\n").contains("t.pkr.hcl:2: "));
    assert!(refused("t.json", "{\"builders\":\n[{]}").contains("t.json:2: "));
    assert!(refused("t.json", "{\"builders\":\n[7]}").contains("t.json:2: "));
    assert!(refused("t.json", "{\"builders\":\n[{\"x\": 1}]}").contains("has no type"));
    let place = Place::new("other", "");
    let error = place.import("none.pkr.hcl", &[]).unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
}

#[test]
fn fuzz_templates() {
    let hcl_text = include_str!("../../tests/fixtures/packer/netboot-pi.pkr.hcl");
    let json_text = "{\"variables\": {\"a\": \"{{env `X`}}\"}, \"builders\": [{\"type\": \"arm\", \"file_urls\": [\"{{user `a`}}\"]}],\
        \"provisioners\": [{\"type\": \"shell\", \"inline\": [\"x {{build `ID`}}\"]}, {\"type\": \"file\", \"source\": \"x\"}],\
        \"post-processors\": [[\"compress\"]]}";
    let words = [
        "${var.hn_hostname}",
        "local.foobar-pw",
        "for x in y : x",
        "? 1 : 2",
        "<<-EOT\n",
        "EOT\n",
        "{{user `a`}}",
        "{{",
        "}}",
        "\"type\": \"ansible\"",
        "provisioner \"file\" {\n}",
        "vault(\"a\", \"b\")",
        "\u{f0000}",
        "%{ if true }",
        "\\u00e9",
    ];
    let place = Place::new("t.json", "");
    crate::fuzz::run(
        "templates",
        &[hcl_text.into(), json_text.into()],
        &words,
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let name = match text.trim_start().starts_with('{') {
                true => "t.json",
                false => "t.pkr.hcl",
            };
            place.file(name, &text);
            let made = place.import(name, &[]);
            made.map(|made| (made.left.len(), made.files.len()))
                .map_err(|error| error.to_string().replace(|c: char| c.is_ascii_digit(), ""))
        },
    );
}
