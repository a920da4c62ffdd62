//! What is rarer, and must not be lost for that.

use super::{ARM, Place, hcl, json, *};

/// What is told, each with a part of it.
fn assert_left(made: &Imported, expected: &[(usize, &str)]) {
    let left = made.left();
    assert_eq!(left.len(), expected.len(), "{left:#?}");
    for ((line, text), (expected_line, part)) in left.iter().zip(expected) {
        assert!(line == expected_line && text.contains(part), "{left:#?}");
    }
}

#[test]
fn a_secret_whose_name_pichroot_does_not_take_is_told() {
    let made = hcl(&format!(
        "{ARM}build {{\n provisioner \"ansible\" {{\n  playbook_file = \"x.yml\"\n  extra_arguments = [\n\
         \"-e\", \"ceph-key=${{vault(\"a\", \"b\")}}\"]\n }}\n}}\n"
    ));
    let told = made.left().into_iter().map(|(_, text)| text);
    let told: Vec<_> = told.filter(|text| text.contains("ceph-key")).collect();
    assert!(
        told.len() == 1 && told[0].contains("letters, digits and _"),
        "{told:?}"
    );
    made.check();
}

#[test]
fn what_packer_alone_knows_is_told_wherever_it_stands() {
    let made = hcl(
        "local \"now\" { expression = timestamp() }\nvariable \"me\" { default = env(\"USER\") }\n\
        source \"arm\" \"x\" {\n file_urls = [\"https://h/${local.now}.img\"]\n file_checksum = vault(\"a\", \"b\")\n\
        image_path = \"x-${local.now}.img\"\n image_build_method = \"resize\"\n image_size = \"${local.now}G\"\n\
        image_chroot_env = [\"A=${local.now}\", \"B\", \"C=${var.me}\"]\n qemu_args = [\"-cpu\", \"${local.now}\"]\n}\n\
        build {\n provisioner \"ansible\" {\n  playbook_file = \"x-${local.now}.yml\"\n  user = var.me\n\
        inventory_file = \"i-${local.now}\"\n  roles_path = \"r-${local.now}\"\n  galaxy_file = \"g-${local.now}\"\n\
        extra_arguments = [\"-e\", \"@v-${local.now}\", \"--tags=${local.now}\", \"-u\", \"${var.me}\"]\n }\n\
        provisioner \"file\" {\n  source = \"s-${local.now}\"\n  destination = \"/etc/x\"\n }\n\
        provisioner \"file\" {\n  source = \"s\"\n  destination = \"/etc/x-${local.now}\"\n }\n}\n",
    );
    assert_left(
        &made,
        &[
            (4, "file_urls"),
            (5, "the secret a#b"),
            (6, "name the output by --output"),
            (8, "image_size"),
            (9, "A in image_chroot_env"),
            (9, "\"B\" in image_chroot_env"),
            (10, "qemu_args"),
            (10, "only a processor"),
            (14, "playbook_file"),
            (15, "user"),
            (16, "inventory_file"),
            (17, "roles_path"),
            (18, "galaxy_file"),
            (19, "a file of variables"),
            (19, "an argument of ansible-playbook"),
            (19, "-u"),
            (22, "source"),
            (27, "destination"),
        ],
    );
    let secret = &made.yaml("pichroot.yml")["secrets"]["secret_USER"]["env"];
    assert_eq!(secret, "USER");
}

#[test]
fn a_local_that_cannot_be_computed_says_why() {
    let made = hcl(
        "local \"year\" { expression = formatdate(\"YYYY\", timestamp()) }\nsource \"arm\" \"x\" {\n\
         file_urls = [\"https://h/${local.year}.img\"]\n image_path = upper(local.year)\n}\n",
    );
    assert_left(
        &made,
        &[
            (
                3,
                "local.year cannot be computed here: undefined function `formatdate`",
            ),
            (4, "image_path"),
        ],
    );
}

#[test]
fn variables_made_of_others() {
    let template = "{\"variables\": {\"a\": \"1\", \"b\": \"{{user `a`}}2\", \"c\": \"{{user `b`}}3\",\n\
        \"round\": \"{{user `round`}}\", \"pw\": \"{{vault `secret/x` `pw`}}\", \"home\": \"{{env `HOME`}}\"},\n\
        \"builders\": [{\"type\": \"arm\", \"file_urls\": [\"https://h/{{user `c`}}.img\"], \"file_checksum_type\": \"none\"}],\n\
        \"provisioners\": [{\"type\": \"ansible\", \"playbook_file\": \"{{template_dir}}/p.yml\", \"extra_arguments\": [\n\
        \"-e\", \"pw={{user `pw`}} c={{user `c`}}\",\n\"-e\", \"r={{user `round`}}\",\n\"-e\", \"n={{user `none`}} h={{user `home`}}\"]}]}";
    let place = Place::new("t.json", template);
    place.file("p.yml", "[]");
    let made = place.import("t.json", &[]).unwrap();
    let config = made.yaml("pichroot.yml");
    assert_eq!(config["image"]["source"], "https://h/123.img");
    assert_eq!(config["vars"]["c"], "{{ a }}23");
    assert_eq!(config["secrets"]["pw"]["vault"], "secret/x");
    assert_eq!(config["secrets"]["h"]["env"], "HOME");
    let play = made.yaml("t.yml");
    assert_eq!(play[0]["ansible.builtin.import_playbook"], "p.yml");
    assert_left(
        &made,
        &[(4, "round is made of too many"), (4, "no variable none")],
    );
    // What is given takes the place of all that.
    let given = [("pw", "x"), ("home", "/h"), ("a", "0")];
    let made = place.import("t.json", &given).unwrap();
    let config = made.yaml("pichroot.yml");
    assert_eq!(config["image"]["source"], "https://h/023.img");
    assert_eq!(config["vars"]["h"], "{{ home }}");
    assert_eq!(
        (&config["vars"]["home"], &config["vars"]["pw"]),
        (&"/h".into(), &"x".into())
    );
    assert!(config.get("secrets").is_none());
}

#[test]
fn files_of_variables() {
    let text = format!(
        "variable \"name\" {{}}\nvariable \"size\" {{ default = 1 }}\nvariable \"list\" {{ default = [] }}\n{ARM}build {{\n\
         provisioner \"shell\" {{ inline = [\"echo ${{var.name}}\", \"echo ${{var.size}}\"] }}\n\
         provisioner \"shell\" {{ inline = var.list }}\n}}\n"
    );
    let place = Place::new("t.pkr.hcl", &text);
    place.file(
        "pi.pkrvars.hcl",
        "name = \"mypi\"\nlist = [\"a\", \"b\"]\nother = 1\n",
    );
    place.file("broken.json", "{\n}}");
    let wanted = |file: &str| Wanted {
        var_files: vec![place.0.path().join(file)],
        ..place.wanted("t.pkr.hcl")
    };
    let made = import(&wanted("pi.pkrvars.hcl")).unwrap();
    made.check();
    assert_eq!(made.words(), "t.yml --var-file pi.pkrvars.hcl");
    let vars = &made.yaml("pichroot.yml")["vars"];
    assert_eq!((vars.get("name"), &vars["size"]), (None, &1.into()));
    assert_eq!(made.file("scripts/line-010.sh"), "#!/bin/sh -e\na\nb\n");
    for (file, part) in [
        ("none.hcl", "cannot read"),
        ("broken.json", "broken.json:2: "),
    ] {
        let error = import(&wanted(file)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.hint_text().unwrap().contains("-var-file"));
    }
}

#[test]
fn the_source_that_is_built_and_its_own_steps() {
    let made = hcl(
        "source \"arm\" \"one\" { file_urls = [\"https://h/1.img\"] }\n\
        source \"arm\" \"two\" {\n file_urls = [\"https://h/2.img\"]\n file_checksum_type = \"none\"\n}\n\
        build {\n sources = [\"source.arm.two\"]\n provisioner \"shell\" { inline = [\"two\"] }\n}\n\
        build {\n source \"source.arm.three\" {\n  image_path = \"x\"\n }\n provisioner \"shell\" { inline = [\"one\"] }\n}\n\
        x = 1\n",
    );
    assert_eq!(
        made.yaml("pichroot.yml")["image"]["source"],
        "https://h/2.img"
    );
    assert_eq!(made.file("scripts/line-008.sh"), "#!/bin/sh -e\ntwo\n");
    assert_left(
        &made,
        &[
            (1, "one image is translated, arm.two"),
            (11, "put what it holds into the source itself"),
            (14, "not for the source"),
            (16, "x is not translated"),
        ],
    );
}

#[test]
fn names_that_ansible_cannot_have() {
    let text = format!(
        "variable \"host-name\" {{}}\nvariable \"a-b\" {{ default = 1 }}\n{ARM}build {{\n provisioner \"shell\" {{\n\
         inline = [\"echo ${{var.host-name}} ${{var.a-b}}\"]\n }}\n provisioner \"ansible\" {{\n  playbook_file = \"t.pkr.hcl\"\n\
         extra_arguments = [\"-e\", \"host_name=${{var.host-name}}\"]\n }}\n}}\n"
    );
    let place = Place::new("t.pkr.hcl", &text);
    let made = place.import("t.pkr.hcl", &[]).unwrap();
    assert_left(&made, &[]);
    let commands = &made.yaml("t.yml")[0]["tasks"][0]["vars"]["commands"];
    assert_eq!(commands, "set -e; cd /\necho {{ host_name }} {{ a_b }}\n");
    assert_eq!(made.yaml("pichroot.yml")["vars"]["a_b"], 1);
    assert_eq!(made.words(), "t.yml -e host_name=VALUE");
    // A file has it by the name that Ansible does not take.
    place.file("x.pkrvars.hcl", "host-name = \"mypi\"\n");
    let wanted = Wanted {
        var_files: vec![place.0.path().join("x.pkrvars.hcl")],
        ..place.wanted("t.pkr.hcl")
    };
    let made = import(&wanted).unwrap();
    assert_eq!(made.yaml("pichroot.yml")["vars"]["host_name"], "mypi");
}

#[test]
fn two_playbooks_in_one_run() {
    let provisioner = |file: &str, value: &str, args: &str| {
        format!(
            "provisioner \"ansible\" {{\n playbook_file = \"{file}\"\n extra_arguments = [\"-e\", \"role={value}\", \"-e\", \"x=1\", {args}]\n}}\n"
        )
    };
    let text = |two: &str, args: &str| {
        let (one, two) = (
            provisioner("t.yml", "a", "\"--diff\""),
            provisioner("pichroot.yml", two, args),
        );
        format!("{ARM}build {{\n{one}{two}}}\n")
    };
    let place = Place::new("t.pkr.hcl", &text("a", "\"--diff\""));
    place.file("t.yml", "[]");
    place.file("pichroot.yml", "[]");
    let made = place.import("t.pkr.hcl", &[]).unwrap();
    assert_left(&made, &[]);
    // None of the user's own is in the way.
    let play = made.yaml("t-image.yml");
    assert_eq!(play[0]["ansible.builtin.import_playbook"], "t.yml");
    place.file("t.pkr.hcl", &text("b", "\"--tags=x\""));
    let made = place.import("t.pkr.hcl", &[]).unwrap();
    assert_left(
        &made,
        &[
            (12, "another provisioner gives it another value"),
            (12, "other arguments"),
        ],
    );
    let config = made.yaml("pichroot.yml");
    assert_eq!(
        config["ansible"]["args"],
        Yaml::from(vec![Yaml::from("--diff"), "--tags=x".into()])
    );
    assert_eq!(config["vars"]["role"], "a");
}

#[test]
fn a_template_called_as_our_own_file() {
    let text = format!("{ARM}build {{\n provisioner \"shell\" {{ inline = [\"x\"] }}\n}}\n");
    let made = Place::new("pichroot.pkr.hcl", &text)
        .import("pichroot.pkr.hcl", &[])
        .unwrap();
    assert_eq!(made.words(), "pichroot-image.yml");
}

#[test]
fn sizes_checksums_and_paths_of_arm_image() {
    let source = |fields: &str| {
        let made = hcl(&format!("source \"arm-image\" \"x\" {{\n{fields}\n}}\n"));
        assert_left(&made, &[]);
        made.yaml("pichroot.yml")["image"].clone()
    };
    let image = source(
        "iso_url = \"images/x.zip\"\niso_checksum_type = \"sha1\"\niso_checksum = \"ab\"\ntarget_image_size = 4294967296",
    );
    assert_eq!(image["source"], "images/x.zip");
    assert_eq!(
        (&image["checksum"], &image["grow"]),
        (&"sha1:ab".into(), &"4294967296".into())
    );
    let image = source(
        "iso_url = \"https://h/x.zip\"\niso_checksum_url = \"https://h/sums\"\nlast_partition_extra_size = 1024",
    );
    assert_eq!(
        (&image["checksum"], &image["grow"]),
        (&"file:https://h/sums".into(), &"+1024".into())
    );
    let image = source(
        "iso_url = \"https://h/x.zip\"\niso_checksum = \"file:sums\"\ntarget_image_size = 0",
    );
    assert_eq!(
        (&image["checksum"], image.get("grow")),
        (&"file:sums".into(), None)
    );
}

#[test]
fn into_another_folder() {
    let text = format!("{ARM}build {{\n provisioner \"shell\" {{ script = \"x.sh\" }}\n}}\n");
    let place = Place::new("t.pkr.hcl", &text);
    place.file("x.sh", "");
    let wanted = Wanted {
        folder: place.0.path().join("new"),
        ..place.wanted("t.pkr.hcl")
    };
    let made = import(&wanted).unwrap();
    assert_eq!(made.commands[0], "cd new");
    assert_eq!(
        made.yaml("t.yml")[0]["tasks"][0]["ansible.builtin.script"],
        "../x.sh"
    );
}

#[test]
fn checks_of_variables_are_told() {
    let made = hcl(&format!(
        "variable \"a\" {{\n validation {{\n  condition = true\n  error_message = \"x\"\n }}\n}}\n{ARM}"
    ));
    assert_left(&made, &[(2, "validation of the variable a")]);
    // A JSON template has none.
    let made = json("{\"builders\": [{\"type\": \"arm\", \"file_urls\": [\"https://h/x\"]}]}");
    assert_left(&made, &[]);
}

#[test]
fn a_new_image_has_its_partitions() {
    let template = |kind: &str| {
        format!(
            "source \"arm\" \"x\" {{\n file_urls = [\"http://h.example/root.tar.gz\"]\n file_checksum = \"none\"\n image_build_method = \"new\"\n \
             image_size = \"3G\"\n image_type = \"gpt\"\n image_path = \"x.img.xz\"\n image_partitions {{\n name = \"esp\"\n type = \"{kind}\"\n \
             start_sector = 2048\n size = \"256M\"\n filesystem = \"fat\"\n mountpoint = \"/boot\"\n }}\n image_partitions {{\n name = \"root\"\n \
             type = \"8300\"\n size = \"0\"\n filesystem = \"ext4\"\n filesystem_make_options = [\"-m\", \"0\"]\n mountpoint = \"/\"\n }}\n}}\n\
             build {{\n sources = [\"source.arm.x\"]\n}}\n"
        )
    };
    let made = hcl(&template("EF00"));
    let expected = "{size: 3G, table: gpt, partitions: [{size: 256M, start: '1048576', filesystem: vfat, mount: /boot, type: U, name: esp}, \
                    {filesystem: ext4, mount: /, name: root, options: ['-m', '0']}]}";
    let expected: Yaml = serde_yaml::from_str(expected).unwrap();
    let image = &made.yaml("pichroot.yml")["image"];
    assert_eq!(
        (&image["new"], &image["output"]),
        (&expected, &"x.img.xz".into())
    );
    assert!(made.left().is_empty(), "{:?}", made.left());

    let text = template("EF00").replace("2048", "\"x\"");
    let left = hcl(&text);
    let [(8, why)] = left.left()[..] else {
        panic!("{:?}", left.left());
    };
    assert!(why.contains("start_sector x is no number"), "{why}");
}
