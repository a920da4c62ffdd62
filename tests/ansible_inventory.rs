//! Everything pichroot writes for Ansible, read back by Ansible itself.
//!
//! Uses ansible-inventory and ansible-playbook from `PATH`, else from the checkout's .venv (which
//! `make test` makes). Without them the tests fail: what they check cannot be checked otherwise.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pichroot::inside::{Connection, ExtraVars, Play, Vars, extra_vars, key_value};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;

/// Strings that some YAML or INI reader takes for something else.
const ODD: &[&str] = &[
    "",
    " ",
    "no",
    "yes",
    "on",
    "Off",
    "NULL",
    "~",
    "true",
    "22:22",
    "2024-01-01",
    "2024-01-01 10:00:00",
    "0755",
    "0o755",
    "1_000",
    "1e3",
    ".inf",
    "0x1f",
    "=",
    "<<",
    "!vault x",
    "&a",
    "*a",
    "# c",
    "a # b",
    "a: b",
    "- a",
    "? a",
    "[a]",
    "{a}",
    "|",
    ">",
    "%",
    "@a",
    "`a",
    "'",
    "\"",
    "\\",
    "a'b\"c\\d",
    "a\nb",
    "a\n",
    "\ta",
    "\r\n",
    "é",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "\u{1f600}",
    "\u{1}",
    "#!/bin/sh",
    "__ansible_unsafe",
    "a=b c=d",
];

/// The odd strings and as many random ones again, without templates.
fn strings() -> Vec<String> {
    let mut strings: Vec<String> = ODD.iter().map(ToString::to_string).collect();
    let mut runner = TestRunner::deterministic();
    let random = prop_oneof![
        "[ -~\n\t]{0,12}",
        "[0-9:._+-]{1,8}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ];
    while strings.len() < 300 {
        let text = random.new_tree(&mut runner).unwrap().current();
        if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
            strings.push(text);
        }
    }
    strings
}

fn program(name: &str) -> PathBuf {
    let private = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".venv/bin")
        .join(name);
    match which::which(name) {
        Ok(path) => path,
        Err(_) if private.exists() => private,
        Err(_) => panic!("{name} is neither on PATH nor in .venv/bin: run `make test`"),
    }
}

fn run(name: &str, folder: &Path, args: &[&str]) -> String {
    let output = Command::new(program(name))
        .args(args)
        .current_dir(folder)
        .env_remove("ANSIBLE_INVENTORY")
        .env("ANSIBLE_CONFIG", folder.join("none.cfg"))
        .env("ANSIBLE_LOCAL_TEMP", folder.join("tmp"))
        .env("ANSIBLE_NOCOLOR", "1")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name} {args:?}: {errors}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// `v000: TEXT` and so on, and one mapping with the texts as its keys.
fn variables(strings: &[String]) -> Vars {
    let named = strings
        .iter()
        .enumerate()
        .map(|(n, text)| (format!("v{n:03}"), text.as_str().into()));
    let mut vars: Vars = named.collect();
    // As a key this one means something to Ansible.
    let keys: Vars = strings
        .iter()
        .filter(|text| *text != "__ansible_unsafe")
        .map(|text| (text.clone(), "x".into()))
        .collect();
    vars.insert("keys".into(), keys.into());
    vars
}

/// `vars` in pichroot.yml, with connection variables of the same strings.
fn play<'a>(
    vars: &'a Vars,
    connection: &'a Connection,
    extra: &'a [ExtraVars],
    secrets: &'a [(String, secrecy::SecretString)],
) -> Play<'a> {
    Play {
        playbook: Path::new("site.yml"),
        host_name: "no",
        vars,
        extra_vars: extra,
        secrets,
        user: None,
        inventories: &[],
        limit: None,
        account: false,
        verbosity: 0,
        arguments: &[],
        connection,
        plugin: None,
        executor: Path::new("/t/executor.sock"),
        note: Path::new("/t/note"),
    }
}

#[test]
fn every_string_in_the_inventory_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let vars = variables(&strings());
    let mut connection = Connection::plain(Path::new("/a: b"), Path::new("/0755"), "no");
    for (name, value) in &vars {
        connection.vars.insert(format!("c_{name}"), value.clone());
    }
    play(&vars, &connection, &[], &[])
        .files()
        .write(folder.path())
        .unwrap();
    // A user's inventory that says something else about the very same host, and gives it a group.
    fs::create_dir_all(folder.path().join("mine/host_vars")).unwrap();
    fs::write(
        folder.path().join("mine/hosts.ini"),
        "[pis]\nno ansible_host=10.0.0.5 v000=mine\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("mine/host_vars/no.yml"),
        "ansible_connection: ssh\nown: 1\n",
    )
    .unwrap();
    let sources = [
        "-i",
        "inventory/vars.json",
        "-i",
        "mine",
        "-i",
        "inventory/host",
    ];
    let list = run(
        "ansible-inventory",
        folder.path(),
        &[&sources[..], &["--list"]].concat(),
    );
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["pis"]["hosts"], serde_json::json!(["no"]));
    let host = &list["_meta"]["hostvars"]["no"];
    assert_eq!(host["own"], 1);
    assert_eq!(
        host["v000"], "mine",
        "the user's inventory wins over pichroot.yml"
    );
    for (name, value) in &connection.host_vars() {
        assert_eq!(&host[name], value, "{name}");
    }
    for (name, value) in vars.iter().filter(|(name, _)| *name != "v000") {
        assert_eq!(&host[name], value, "{name}");
    }
}

#[test]
fn extra_variables_and_secrets_arrive_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let strings = strings();
    let hcl = folder.path().join("x.pkrvars.hcl");
    fs::write(&hcl, "from_hcl = \"{{ not_a_template }}\"\n").unwrap();
    let extra = [
        extra_vars::file(&hcl, folder.path()).unwrap(),
        ExtraVars::templates(key_value::parse("host_is={{ inventory_hostname }} s=low").unwrap()),
    ];
    let mut secrets: Vec<(String, secrecy::SecretString)> = vec![("s".into(), "{{ high }}".into())];
    secrets.extend(
        strings
            .iter()
            .enumerate()
            .map(|(n, text)| (format!("v{n:03}"), text.clone().into())),
    );
    let mut connection = Connection::plain(Path::new("/"), Path::new("/x"), "/usr/bin/python3");
    connection.plugin = "local".into();
    let vars = Vars::new();
    let mut play = play(&vars, &connection, &extra, &secrets);
    let site = folder.path().join("site.yml");
    play.playbook = &site;
    play.files().write(folder.path()).unwrap();
    // Ansible's own JSON writer, by a lookup, so that no module has to run.
    fs::write(
        &site,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n        dest: out.json\n        \
         content: \"{{ dict(lookup('ansible.builtin.varnames', '^(v[0-9]+|s|from_hcl|host_is)$', wantlist=True) \
         | zip(lookup('ansible.builtin.vars', *lookup('ansible.builtin.varnames', '^(v[0-9]+|s|from_hcl|host_is)$', \
         wantlist=True), wantlist=True))) | to_json }}\"\n      delegate_to: localhost\n",
    )
    .unwrap();
    let args: Vec<String> = play
        .arguments(folder.path())
        .into_iter()
        .map(|word| word.into_string().unwrap())
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run("ansible-playbook", folder.path(), &args);
    let out = fs::read_to_string(folder.path().join("out.json")).unwrap();
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["s"], "{{ high }}", "secrets win and are no templates");
    assert_eq!(out["from_hcl"], "{{ not_a_template }}");
    assert_eq!(
        out["host_is"], "no",
        "-e is a template, as in ansible-playbook"
    );
    for (number, text) in strings.iter().enumerate() {
        assert_eq!(out[format!("v{number:03}")], text.as_str());
    }
}

#[test]
fn words_are_split_as_ansible_splits_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = [
        "a=1 b='c d' e=\"f g\"",
        "a={{ x | y }} b=c",
        "a={% if x %}b c{% endif %}",
        r"a=b\tc\x41\u00e9\q",
        "a='it''s' b=",
        "a=x=y",
        "a=\"b 'c d' e\" f='g \"h\" i'",
        "a=b\nc=d",
        "a=1  b=2",
        "pw=b}c",
        "a=x}} b=c",
        "a='x {{ y' b=z",
        "a={{{ 1 }}} b=c",
        "a=\"b\\\"c d\" e=f",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut runner = TestRunner::deterministic();
    let random = "a=[b '\"=]{0,10} c=(\\{\\{ x \\}\\}|\\{% y %\\}|[d%'\" ]){0,6}";
    for _ in 0..300 {
        lines.push(random.new_tree(&mut runner).unwrap().current());
    }
    fs::write(
        folder.path().join("lines.json"),
        serde_json::to_string(&lines).unwrap(),
    )
    .unwrap();
    let script = "import json\nfrom ansible.parsing.splitter import parse_kv\nout = []\n\
                  for line in json.load(open('lines.json')):\n    try:\n        v = parse_kv(line)\n        \
                  out.append(None if '_raw_params' in v else v)\n    except Exception:\n        out.append(None)\n\
                  print(json.dumps(out))\n";
    let first = fs::read_to_string(program("ansible-playbook")).unwrap();
    let python = first
        .lines()
        .next()
        .unwrap()
        .trim_start_matches("#!")
        .to_owned();
    let output = Command::new(python)
        .args(["-c", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let expected: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    for (line, expected) in lines.iter().zip(expected) {
        if expected
            .as_object()
            .is_some_and(|vars| vars.keys().any(|name| name.starts_with('=')))
        {
            // Ansible takes `==b` for a variable named `=`; we refuse it.
            continue;
        }
        let read = key_value::parse(line)
            .map(Value::from)
            .unwrap_or(Value::Null);
        assert_eq!(read, expected, "{line:?}");
    }
}
