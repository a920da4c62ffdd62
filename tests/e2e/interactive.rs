//! A playbook that asks.

use std::process::Command;

use crate::{
    image::Image,
    scene::Scene,
    support::{
        checkout, run,
        server::{Server, answer},
    },
    terminal::Terminal,
};

#[test]
fn a_prompt_of_the_playbook_appears_and_its_answer_reaches_the_play() {
    let scene = Scene::new();
    let play = "\
- hosts: all
  gather_facts: false
  vars_prompt:
    - name: colour
      prompt: Which colour
      private: false
    - name: word
      prompt: Which word
  tasks:
    - raw: echo {{ colour }} {{ word }} > /etc/answer
";
    std::fs::write(scene.path("play.yml"), play).unwrap();
    let mut terminal = Terminal::run(&scene.ansible());
    let before = terminal.mode();
    // No line end follows it: what holds lines back until they are complete would hang here.
    terminal.wait_for("Which colour: ");
    terminal.type_keys("green\n");
    terminal.wait_for("Which word: ");
    terminal.type_keys("hidden\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen());
    assert!(terminal.screen().contains("green"));
    assert!(
        !terminal.screen().contains("hidden"),
        "{}",
        terminal.screen()
    );
    assert_eq!(terminal.mode(), before);
    drop(terminal);
    let image = Image::new(&scene.output());
    assert_eq!(image.cat("/etc/answer"), "green hidden\n");
    scene.assert_left(&["out.img"]);
}

#[test]
fn a_secret_is_asked_for_without_echo() {
    let scene = Scene::with_tasks("- raw: echo {{ pw | length }} > /etc/answer\n");
    let mut command = scene.ansible();
    command.args(["--secret", "pw=prompt"]);
    let mut terminal = Terminal::run(&command);
    terminal.wait_for("pw: ");
    terminal.type_keys("swordfish\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen());
    assert!(!terminal.screen().contains("swordfish"));
    drop(terminal);
    assert_eq!(Image::new(&scene.output()).cat("/etc/answer"), "9\n");
    scene.assert_left(&["out.img"]);
}

/// Ansible would ask for them when the image has been fetched and opened.
#[test]
fn passwords_are_asked_for_before_the_download() {
    let scene = Scene::with_tasks("- raw: echo {{ word }} > /etc/answer\n  become: true\n");
    std::fs::write(scene.path("pw"), "swordfish").unwrap();
    std::fs::write(scene.path("vars.yml"), "word: haddock\n").unwrap();
    let vault = checkout().join(".venv/bin/ansible-vault");
    let encrypt = ["encrypt", "--vault-password-file=pw", "vars.yml"];
    run(Command::new(vault).args(encrypt).current_dir(scene.dir()));
    let server = Server::start(|_, _| answer("404 Not Found", b""));
    let asks = ["-JK", "-e", "@vars.yml"];

    let mut remote = scene.ansible_on(format!("{}/x.img.xz", server.url).as_ref());
    let mut terminal = Terminal::run(remote.args(asks));
    terminal.wait_for("Vault password: ");
    terminal.type_keys("halibut\n");
    assert_eq!(terminal.end(), Some(5), "{}", terminal.screen());
    terminal.wait_for("nothing has been fetched yet");
    assert_eq!(server.requests().len(), 0, "{}", terminal.screen());
    drop(terminal);

    let mut terminal = Terminal::run(scene.ansible().args(asks));
    terminal.wait_for("Vault password: ");
    terminal.type_keys("swordfish\n");
    terminal.wait_for("BECOME password: ");
    assert!(!terminal.screen().contains("==>"), "{}", terminal.screen());
    terminal.type_keys("\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen());
    assert!(!terminal.screen().contains("swordfish"));
    drop(terminal);
    assert_eq!(Image::new(&scene.output()).cat("/etc/answer"), "haddock\n");
    scene.assert_left(&["out.img", "pw", "vars.yml"]);
}
