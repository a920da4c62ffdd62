//! Ansible itself, and playbooks.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::{
    case::{Case, play},
    images::{self, MIB},
};

const RUN: [&str; 6] = ["--image", "x.img", "--checksum", "none", "-o", "out.img"];

fn case() -> Case {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case
}

#[test]
fn no_ansible() {
    let case = case();
    let nothing = case.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let mut run = case.ansible(&RUN);
    run.env("PATH", &nothing).env("PICHROOT_DATA_DIR", &nothing);
    case.refused(&mut run, 3, &["cannot find ansible-playbook"], "make demo");
}

#[test]
fn an_ansible_that_is_configured_and_not_there() {
    let case = case();
    case.file("pichroot.yml", "ansible: {command: ./no-such-ansible}\n");
    let error = ["no-such-ansible", "not a program"];
    case.refused(&mut case.ansible(&RUN), 2, &error, "executed");
}

#[test]
fn a_data_folder_wins_over_what_the_program_carries() {
    let case = case();
    let run = || {
        let mut run = case.ansible(&RUN);
        run.env("PICHROOT_DATA_DIR", case.path("data"));
        run
    };
    let plugin = "data/ansible_plugins/plugins/connection/chroot.py";
    case.refused(&mut run(), 3, &[plugin], "PICHROOT_DATA_DIR");

    case.file(plugin, "raise Exception('it is this plugin')\n");
    let playbook = case.file("data/playbooks/data.yml", play("echo done > /done"));
    let mut named = case.pichroot(["ansible", "data", "-v"]);
    named
        .args(RUN)
        .env("PICHROOT_DATA_DIR", case.path("data"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = case.refused(&mut named, 5, &["ansible-playbook ended"], "above");
    let said = ended.stdout + &ended.stderr;
    let playbook = format!(" {}\n", playbook.display());
    for part in ["it is this plugin", &playbook] {
        assert!(said.contains(part), "no {part}: {said}");
    }

    let mut carried = case.pichroot(["ansible", "bootstrap-ubuntu-image.yml"]);
    carried
        .args(RUN)
        .env("PICHROOT_DATA_DIR", case.path("data"));
    let error = ["data/playbooks/bootstrap-ubuntu-image.yml"];
    case.refused(&mut carried, 2, &error, "give the playbook's path");
}

#[test]
fn an_ansible_without_the_connection_plugin() {
    let case = case();
    let mut run = case.ansible(&RUN);
    run.args(["--executor", "plain"])
        .env("ANSIBLE_COLLECTIONS_PATH", "/none")
        .env("ANSIBLE_COLLECTIONS_SCAN_SYS_PATH", "false");
    let ended = case.refused(&mut run, 5, &["ansible-playbook ended"], "above");
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("community.general.chroot"), "{said}");
}

#[test]
fn playbooks_that_cannot_be_read() {
    let case = case();
    fs::create_dir(case.path("folder.yml")).unwrap();
    case.file("plays/one.yml", play("true"));
    case.file("plays/two.yaml", play("true"));
    for (name, hint) in [
        ("folder.yml", "give the playbook's path"),
        ("plays", "plays/one.yml or"),
    ] {
        let error = ["is a folder, not a playbook"];
        case.refused(case.pichroot(["ansible", name]).args(RUN), 2, &error, hint);
    }
    for name in ["missing.yml", "./missing.yml"] {
        let mut run = case.pichroot(["ansible", name]);
        let hint = "give the playbook's path";
        case.refused(run.args(RUN), 2, &[name.trim_start_matches("./")], hint);
    }
}

#[test]
fn playbooks_that_fail() {
    let case = case();
    let with = |script: &str| play(script);
    for (what, text) in [
        ("no YAML", "- hosts: [\n".to_owned()),
        ("no playbook", "hosts: all\n".to_owned()),
        (
            "an unknown module",
            "- hosts: all\n  tasks:\n    - no_such_module:\n".to_owned(),
        ),
        ("a failing task", with("exit 3")),
        ("an undefined variable", with("echo {{ no_such_variable }}")),
    ] {
        case.file("play.yml", text);
        let error = ["ansible-playbook ended with exit code"];
        let ended = case.refused(&mut case.ansible(&RUN), 5, &error, "above");
        let said = ended.stdout + &ended.stderr;
        assert!(
            said.contains("rror") || said.contains("fatal"),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_failed_image_is_kept_on_demand() {
    let case = case();
    case.file("play.yml", play("echo half > /half; exit 3"));
    let ended = case.run(case.ansible(&RUN).args(["--on-error", "keep"]));
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    let kept = case.path("out.img.failed");
    assert!(
        ended.stderr.contains(&kept.display().to_string()),
        "{}",
        ended.stderr
    );
    assert_eq!(images::read_file(&kept, 4 * images::MIB, "/half"), "half\n");
    assert_eq!(
        fs::metadata(&kept).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!case.path("out.img").exists());
    case.unchanged();
}

#[test]
fn a_machine_is_named_by_its_setting_or_variable_or_inventory() {
    let case = case();
    case.file("hosts", "[pis]\npi1\npi2\n[pis:vars]\nbox=kitchen\n");
    case.file(
        "play.yml",
        play("echo $(uname -n) {{ inventory_hostname }} {{ box }} > /name"),
    );
    let setting = "image: {source: x.img, checksum: none}\nansible: {host_name: 'pi-{box}'}\n";
    for (config, arguments, name) in [
        ("", &["-i", "hosts", "-l", "pi2"][..], "pi2 pi2 kitchen"),
        ("", &["-i", "pi3,", "-e", "box=bed"], "pi3 pi3 bed"),
        (
            setting,
            &["-i", "hosts", "-e", "box=attic"],
            "pi-attic pi-attic attic",
        ),
    ] {
        case.file("pichroot.yml", config);
        let mut run = case.ansible(arguments);
        if config.is_empty() {
            run.args(["--image", "x.img", "--checksum", "none"]);
        }
        case.works(&mut run);
        let output = case.path(&format!("{}.img", name.split(' ').next().unwrap()));
        assert_eq!(images::read_file(&output, 4 * MIB, "/name").trim(), name);
    }

    case.file("pichroot.yml", "");
    case.file("hosts", "pi_1\n");
    let mut run = case.ansible(&RUN[..4]);
    run.args(["-i", "hosts"]);
    let error = ["name in the inventory", "not a host name"];
    case.refused(&mut run, 2, &error, "hn_hostname");
}

#[test]
fn a_failed_run_is_gone_on_from_at_the_task_that_failed() {
    let case = case();
    case.file(
        "more.yml",
        "- {name: within, ansible.builtin.raw: 'echo within >> /log; test -e /within'}\n",
    );
    let play = |tasks: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - {{name: first, ansible.builtin.raw: 'echo first >> /log'}}\n{tasks}    - {{name: last, ansible.builtin.raw: 'echo last >> /log'}}\n"
        )
    };
    let simple =
        "    - {name: second, ansible.builtin.raw: 'echo second >> /log; test -e /second'}\n";
    let include = "    - {name: include, ansible.builtin.include_tasks: more.yml}\n";
    let rescue = "    - block:\n        - {name: begun, ansible.builtin.raw: 'echo begun >> /log; exit 1'}\n      \
                  rescue:\n        - {name: rescued, ansible.builtin.raw: 'test -e /rescued'}\n";
    for (tasks, mended, log) in [
        (simple, "second", "first second second last"),
        (include, "within", "first within within last"),
        (rescue, "rescued", "first begun begun last"),
    ] {
        case.file("play.yml", play(tasks));
        // Twice, so that the second takes the first one's place.
        for _ in 0..2 {
            let ended = case.run(case.ansible(&RUN).args(["--on-error", "keep"]));
            assert_eq!(ended.code, Some(5), "{ended:#?}");
            assert!(ended.stderr.contains("--resume"), "{ended:#?}");
        }
        let kept = case.path("out.img.failed");
        let again = case.run(case.ansible(&RUN).arg("--resume"));
        assert_eq!(again.code, Some(5), "{again:#?}");
        assert!(kept.exists(), "a run that fails again takes nothing away");

        let mend = format!(": > /{mended}");
        let mut exec =
            case.pichroot(["exec", "--write", "out.img.failed", "--", "sh", "-c", &mend]);
        case.works(&mut exec);
        case.works(case.ansible(&RUN).arg("--resume"));
        let written = images::read_file(&case.path("out.img"), 4 * MIB, "/log");
        assert_eq!(
            written.split_whitespace().collect::<Vec<_>>().join(" "),
            log
        );
        for gone in ["out.img.failed", "out.img.failed.json"] {
            assert!(!case.path(gone).exists(), "{gone}");
        }
        fs::remove_file(case.path("out.img")).unwrap();
    }

    let nothing = ["there is no", "out.img.failed"];
    let mut run = case.ansible(&RUN);
    case.refused(run.arg("--resume"), 2, &nothing, "without --resume");
    case.file("out.img.failed", "x");
    case.file("out.img.failed.json", "{}");
    let mut run = case.ansible(&RUN);
    case.refused(
        run.arg("--resume"),
        2,
        &["out.img.failed.json"],
        "without --resume",
    );
    let record = r#"{"playbook": "/other.yml", "start_at_task": null}"#;
    case.file("out.img.failed.json", record);
    let mut run = case.ansible(&RUN);
    case.refused(
        run.arg("--resume"),
        2,
        &["another playbook", "/other.yml"],
        "--resume",
    );

    // A record that cannot be written is told beside what failed, and nothing goes on from an older one.
    case.file("play.yml", play(simple));
    fs::remove_file(case.path("out.img.failed.json")).unwrap();
    fs::create_dir(case.path("out.img.failed.json")).unwrap();
    let ended = case.run(case.ansible(&RUN).args(["--on-error", "keep"]));
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    for part in ["ansible-playbook ended", "warning: cannot write"] {
        assert!(ended.stderr.contains(part), "no {part}: {ended:#?}");
    }
    let mut run = case.ansible(&RUN);
    case.refused(run.arg("--resume"), 2, &["cannot read"], "without --resume");
}

/// They need no image, no root, no secret, and no output that is free.
#[test]
fn what_only_lists() {
    let case = Case::new();
    case.file("out.img", "");
    case.file(
        "play.yml",
        play("echo {{ word }}") + "      tags: [early]\n",
    );
    fs::set_permissions(case.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = case.path("pichroot");
    fs::copy(env!("CARGO_BIN_EXE_pichroot"), &program).unwrap();
    // The checkout's own may be where only root may look.
    let script = "#!/bin/sh\nfor word; do case $word in --list*|--syn*) echo \"as $(id -u) $word \";; \
                  @*) cat ${word#@};; esac; done | sort -r\n";
    let fake = case.file("bin/ansible-playbook", script);
    fs::set_permissions(fake, fs::Permissions::from_mode(0o755)).unwrap();
    for (option, shown) in [
        ("--list-tasks", "one\tTAGS: [early]"),
        ("--list-tags", "TASK TAGS: [early]"),
        ("--list-hosts", "\n      out\n"),
        ("--syntax-check", "playbook: "),
    ] {
        let more = [option, "-oout.img", "-eword=x", "--secret", "word=env:NONE"];
        assert!(
            case.works(&mut case.ansible(&more)).contains(shown),
            "{option}"
        );
        let mut plain = Command::new("setpriv");
        plain
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .args(case.ansible(&more).get_args())
            .current_dir(case.folder())
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", case.path("bin").display()),
            )
            .env("HOME", case.folder());
        let shown = case.works(&mut plain);
        for part in [&format!("as 65534 {option} "), "{\"word\":\"x\"}"] {
            assert!(shown.contains(part), "no {part}: {shown}");
        }
    }
    let mut bundled = case.pichroot(["ansible", "bootstrap-ubuntu-image", "--list-tasks"]);
    assert!(case.works(&mut bundled).contains("TAGS: ["));
    case.file("play.yml", "- hosts: all\n  roles: [none]\n");
    let error = ["ansible-playbook ended with exit code"];
    let mut run = case.ansible(&["--list-tasks"]);
    let ended = case.refused(&mut run, 5, &error, "what is wrong is above");
    assert!(ended.stderr.contains("role"), "{ended:#?}");
}
