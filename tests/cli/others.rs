//! Where the tasks of a playbook run: the image's in the image, whatever says otherwise, and those for
//! others where they do without pichroot.

use std::{fs, path::Path, process::Command};

use crate::{
    case::{Case, play},
    images::{self, MIB},
};

const RUN: [&str; 6] = ["--image", "x.img", "--checksum", "none", "-o", "mypi.img"];

/// The variables that would lead a task to this machine.
const LOCAL: &str = "{ansible_connection: local, ansible_host: 192.0.2.1, ansible_ssh_host: 192.0.2.1, \
                     ansible_chroot_socket: /none, ansible_chroot_exe: /bin/false}";

/// The two ways into the image.
const EXECUTORS: [&str; 2] = ["fast", "plain"];

fn case() -> Case {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case
}

/// A file that tasks write to, wherever they run; there is none of this name on the host.
fn mark() -> String {
    format!("/pichroot-test-{}", std::process::id())
}

fn marks(case: &Case) -> String {
    images::read_file(&case.path("mypi.img"), 4 * MIB, &mark())
}

/// A task that adds `word` to the mark.
fn task(word: &str) -> String {
    format!("{{raw: 'echo {word} >> {}'}}", mark())
}

/// The same with more to it, such as `connection: local`.
fn task_with(word: &str, more: &str) -> String {
    format!("{{raw: 'echo {word} >> {}', {more}}}", mark())
}

/// Plays for all hosts, each with these keywords beside its hosts.
fn plays(plays: &[String]) -> String {
    let plays = plays.iter().map(|keywords| {
        format!(
            "- hosts: all\n  gather_facts: false\n  {}\n",
            keywords.trim()
        )
    });
    plays.collect()
}

/// No task wrote to the mark on this machine.
#[track_caller]
fn assert_host_unmarked() {
    let mark = mark();
    if let Ok(text) = fs::read_to_string(&mark) {
        fs::remove_file(mark).unwrap();
        panic!("these ran on this machine: {text}");
    }
}

/// Runs with every executor, which must succeed and leave these words in the image and none on the host.
#[track_caller]
fn all_in_the_image(case: &Case, words: &[&str], command: impl Fn() -> Command) {
    for executor in EXECUTORS {
        let ended = case.run(command().args(["--executor", executor, "--force"]));
        assert_host_unmarked();
        assert_eq!(ended.code, Some(0), "{executor}: {ended:#?}");
        assert_eq!(
            marks(case).split_whitespace().collect::<Vec<_>>(),
            words,
            "{executor}"
        );
        case.unchanged();
    }
}

#[test]
fn no_inventory_and_no_vars_file_leads_the_image_elsewhere() {
    let case = case();
    let hosts = format!(
        "all: {{vars: {LOCAL}, children: {{pis: {{vars: {LOCAL}, hosts: {{mypi: {LOCAL}}}}}}}}}"
    );
    case.file("site/hosts.yml", hosts);
    for folder in ["site/", ""] {
        for name in [
            "group_vars/all.yml",
            "group_vars/pis.yml",
            "host_vars/mypi.yml",
        ] {
            case.file(&format!("{folder}{name}"), LOCAL);
        }
    }
    case.file("play.yml", plays(&[format!("tasks: [{}]", task("files"))]));
    all_in_the_image(&case, &["files"], || {
        let mut run = case.ansible(&RUN);
        run.args(["-i", "site"]);
        run
    });
}

#[test]
fn nothing_in_a_playbook_leads_the_image_elsewhere() {
    let case = case();
    case.file("local.yml", LOCAL);
    for (role, file, text) in [
        ("defaults", "defaults/main.yml", LOCAL.to_owned()),
        ("vars", "vars/main.yml", LOCAL.to_owned()),
        (
            "defaults",
            "tasks/main.yml",
            format!("- {}", task("role-defaults")),
        ),
        ("vars", "tasks/main.yml", format!("- {}", task("role-vars"))),
        (
            "params",
            "tasks/main.yml",
            format!("- {}", task("role-params")),
        ),
    ] {
        case.file(&format!("roles/{role}/{file}"), text);
    }
    case.file("tasks.yml", format!("- {}", task("included")));
    let (vars, local) = (format!("vars: {LOCAL}"), "connection: local");
    let one = |word: &str| format!("tasks: [{}]", task(word));
    let params = LOCAL.trim_matches(['{', '}']);
    let text = plays(&[
        format!("connection: local\n  {}", one("play")),
        format!("tasks: [{{block: [{}], {local}}}]", task("block")),
        format!("tasks: [{}]", task_with("task", local)),
        format!("{vars}\n  {}", one("play-vars")),
        format!("vars_files: local.yml\n  {}", one("vars-files")),
        "roles: [defaults]".into(),
        "roles: [vars]".into(),
        format!("roles: [{{role: params, {params}}}]"),
        format!("tasks: [{{block: [{}], {vars}}}]", task("block-vars")),
        format!("tasks: [{}]", task_with("task-vars", &vars)),
        format!("tasks: [{{include_tasks: tasks.yml, {vars}}}]"),
        format!("tasks: [{{import_tasks: tasks.yml, {vars}}}]"),
        format!(
            "tasks: [{}]",
            task_with("itself", "delegate_to: mypi, connection: local")
        ),
        // From here on each lasts to the end.
        format!(
            "tasks: [{{add_host: {{name: mypi, {params}}}}}, {}]",
            task("add-host")
        ),
        format!(
            "tasks: [{{include_vars: local.yml}}, {}]",
            task("include-vars")
        ),
        format!(
            "tasks: [{{debug: {{}}, register: ansible_connection}}, {}]",
            task("register")
        ),
        format!("tasks: [{{set_fact: {LOCAL}}}, {}]", task("set-fact")),
        format!(
            "tasks: [{{set_fact: {{cacheable: true, {params}}}}}, {}]",
            task("cached")
        ),
    ]);
    let from_another = task_with("delegated", &format!("delegate_to: mypi, {vars}"));
    case.file(
        "play.yml",
        format!("{text}- hosts: localhost\n  gather_facts: false\n  tasks: [{from_another}]\n"),
    );
    let words = "play block task play-vars vars-files role-defaults role-vars role-params block-vars task-vars \
                 included included itself add-host include-vars register set-fact cached delegated";
    let words: Vec<_> = words.split_whitespace().collect();
    all_in_the_image(&case, &words, || case.ansible(&RUN));
}

#[test]
fn no_extra_variable_and_no_setting_leads_the_image_elsewhere() {
    let case = case();
    case.file("local.yml", LOCAL);
    case.file("pichroot.yml", format!("vars: {LOCAL}"));
    case.file("ansible.cfg", "[defaults]\ntransport = local\n");
    case.file("play.yml", plays(&[format!("tasks: [{}]", task("extra"))]));
    all_in_the_image(&case, &["extra"], || {
        let mut run = case.ansible(&RUN);
        run.args(["-e", "@local.yml", "-e", LOCAL, "--var-file", "local.yml"])
            .env("ANSIBLE_TRANSPORT", "local")
            .env("ANSIBLE_CHROOT_SOCKET", "/none")
            .env("ANSIBLE_CHROOT_EXE", "/bin/false");
        run
    });
}

#[test]
fn what_would_run_elsewhere_fails() {
    let case = case();
    let away = "away from the image";
    let looped = task_with(
        "loop",
        "loop: [local], loop_control: {loop_var: ansible_connection}",
    );
    let plugin = "from ansible.plugins.connection.local import Connection\nDOCUMENTATION = '''\nname: chroot\n\
                  short_description: x\ndescription: [x]\noptions: {}\n'''\n";
    for (what, connection_plugin) in [(looped, None), (task("plugin"), Some(plugin))] {
        case.file("play.yml", plays(&[format!("tasks: [{what}]")]));
        if let Some(text) = connection_plugin {
            case.file("connection_plugins/chroot.py", text);
        }
        let mut run = case.ansible(&RUN);
        run.env("PYTHONDONTWRITEBYTECODE", "1");
        let ended = case.refused(&mut run, 5, &["ansible-playbook ended"], "above");
        assert_host_unmarked();
        assert!((ended.stdout + &ended.stderr).contains(away), "{what}");
    }
}

/// Success is only what was done in the image.
#[test]
fn a_run_that_does_nothing_in_the_image_fails() {
    let case = case();
    case.file("hosts", "[pis]\npi1\npi2\npi3\n");
    let controller = "- {hosts: localhost, gather_facts: false, tasks: [{command: 'true'}]}\n";
    let skipped = "- {hosts: all, gather_facts: false, tasks: [{raw: 'true', when: false}]}\n";
    let webservers = play("true").replace("all", "webservers");
    let pis = play("true").replace("all", "pis");
    let everyone = play("true");
    for (text, arguments, hint) in [
        (webservers.as_str(), &[][..], "does a play match mypi"),
        (controller, &[], "does a play match mypi"),
        (skipped, &[], "tags and conditions"),
        (&everyone, &["-t", "always"], "tags and conditions"),
        (
            "- {hosts: all, gather_facts: false}\n",
            &[],
            "--allow-unchanged",
        ),
        (
            &pis,
            &["-i", "hosts", "-e", "hn_hostname=pi9"],
            "a machine of the inventory",
        ),
    ] {
        case.file("play.yml", text);
        let mut run = case.ansible(&RUN);
        let error = ["ran nothing in the image"];
        let ended = case.refused(run.args(arguments), 5, &error, hint);
        let stranger = "pi9 is not in the inventory";
        let named =
            ended.stderr.contains(stranger) && ended.stderr.contains("it has pi1, pi2, pi3");
        assert_eq!(named, arguments.contains(&"-i"), "{}", ended.stderr);
    }
    let mut allowed = case.ansible(&RUN);
    allowed.args(["-t", "always", "--allow-unchanged"]);
    let ended = case.run(&mut allowed);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended.stderr.contains("warning: the playbook ran nothing"),
        "{ended:#?}"
    );
    assert!(case.path("mypi.img").exists());
    case.unchanged();
}

#[test]
fn tasks_that_only_tell_something_are_a_run() {
    let case = case();
    let debug = "- {hosts: all, gather_facts: false, tasks: [{debug: {msg: hello}}]}\n";
    case.file("play.yml", debug);
    let ended = case.run(&mut case.ansible(&RUN));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.stderr.contains("nothing"), "{}", ended.stderr);
}

#[test]
fn a_question_that_nobody_can_answer_fails() {
    let case = case();
    let prompt = "  vars_prompt: [{name: word, prompt: Which word}]\n  tasks:\n";
    let text = play("echo {{ word }} > /word").replace("  tasks:\n", prompt);
    case.file("play.yml", text);
    let ended = case.refused(
        &mut case.ansible(&RUN),
        5,
        &["ansible-playbook ended"],
        "above",
    );
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("vars_prompt cannot ask for word"), "{said}");
    case.works(case.ansible(&RUN).args(["-e", "word=given"]));
    assert_eq!(
        images::read_file(&case.path("mypi.img"), 4 * MIB, "/word"),
        "given\n"
    );
}

#[test]
fn plays_and_tasks_for_others_run_there() {
    let case = case();
    let here = case.path("here");
    // Without a module: which Python this machine has is not for this test.
    let say = |word: &str| format!("raw: 'echo {word} >> {}'", here.display());
    let text = format!(
        "- {{hosts: localhost, gather_facts: false, tasks: [{{{}}}, {{add_host: {{name: added, \
         ansible_connection: local, groups: late, colour: blue}}}}]}}\n\
         - hosts: all:!late\n  gather_facts: false\n  tasks:\n    - {}\n    - {{{}, delegate_to: localhost}}\n    \
         - local_action: {}\n    - {{{}, delegate_to: 127.0.0.1, run_once: true}}\n    \
         - {{raw: 'echo {{{{ hostvars.added.colour }}}} >> {mark}'}}\n\
         - {{hosts: late, gather_facts: false, tasks: [{{{}}}]}}\n\
         - {{hosts: '127.0.0.1', connection: local, gather_facts: false, tasks: [{{{}}}]}}\n",
        say("before"),
        task("image"),
        say("delegated"),
        say("local_action")
            .replacen("raw: '", "raw ", 1)
            .trim_end_matches('\''),
        say("once"),
        say("added"),
        say("after"),
        mark = mark(),
    );
    case.file("play.yml", text);
    case.file(
        "hosts",
        "localhost ansible_connection=local\n[pis]\nmypi\notherpi ansible_connection=local\n",
    );
    for inventory in [&[][..], &["-i", "pi1,mypi,"], &["-i", "hosts"]] {
        let _ = fs::remove_file(&here);
        let mut run = case.ansible(&RUN);
        let ended = case.run(run.args(inventory).arg("--force"));
        assert_host_unmarked();
        assert_eq!(ended.code, Some(0), "{inventory:?}: {ended:#?}");
        assert_eq!(marks(&case), "image\nblue\n", "{inventory:?}");
        let said = fs::read_to_string(&here).unwrap();
        let said: Vec<_> = said.split_whitespace().collect();
        assert_eq!(
            said,
            [
                "before",
                "delegated",
                "local_action",
                "once",
                "added",
                "after"
            ],
            "{inventory:?}"
        );
        case.unchanged();
    }
}

/// A folder with the other machine's name would be a chroot for the image's connection plugin.
#[test]
fn other_machines_are_reached_as_without_pichroot() {
    let case = case();
    case.file("nas/bin/sh", "");
    let ssh = case.file("ssh", "#!/bin/sh\necho \"$*\" >> ssh.log\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&ssh, mode).unwrap();
    let tasks = [
        task("image"),
        "{raw: on-nas, delegate_to: nas}".into(),
        format!(
            "{{raw: 'echo by-variable > {}', delegate_to: box}}",
            case.path("said").display()
        ),
        format!(
            "{{raw: 'echo by-keyword >> {}', delegate_to: nas, connection: local}}",
            case.path("said").display()
        ),
    ];
    case.file(
        "play.yml",
        plays(&[format!("tasks: [{}]", tasks.join(", "))]),
    );
    case.file("hosts", "mypi\nnas\nbox ansible_connection=local\n");
    for executor in EXECUTORS {
        let mut run = case.ansible(&RUN);
        run.args(["-i", "hosts", "-v", "--force", "--executor", executor])
            .env("ANSIBLE_SSH_EXECUTABLE", &ssh);
        let ended = case.run(&mut run);
        assert_host_unmarked();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(marks(&case), "image\n");
        assert_eq!(read(&case.path("said")), "by-variable\nby-keyword\n");
        let log = read(&case.path("ssh.log"));
        assert!(log.contains("nas") && log.contains("on-nas"), "{log}");
        fs::remove_file(case.path("ssh.log")).unwrap();
        let plugin = ["chroot", "community.general.chroot"][usize::from(executor == "plain")];
        assert!(
            ended.stderr.contains(&format!("--connection {plugin} ")),
            "{ended:#?}"
        );
        case.unchanged();
    }
}

#[test]
fn facts_of_the_machine_and_of_the_image_stay_apart() {
    let case = case();
    let living = r#"{"ansible_hostname": "living", "ansible_connection": "local"}"#;
    case.file("facts/mypi", living);
    case.file(
        "ansible.cfg",
        "[defaults]\ngathering = smart\nfact_caching = jsonfile\nfact_caching_connection = facts\n",
    );
    let tasks = "tasks: [{raw: 'echo {{ ansible_facts.hostname | default(\"none\") }} > /seen'}, \
                 {set_fact: {of: image, cacheable: true}}, {raw: 'echo {{ of }} >> /seen'}]";
    case.file("play.yml", plays(&[tasks.into()]));
    case.works(&mut case.ansible(&RUN));
    assert_eq!(
        images::read_file(&case.path("mypi.img"), 4 * MIB, "/seen"),
        "none\nimage\n"
    );
    assert_eq!(read(&case.path("facts/mypi")), living);
    assert_eq!(fs::read_dir(case.path("facts")).unwrap().count(), 1);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
