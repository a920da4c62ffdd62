//! A playbook that asks.

use crate::{image::Image, scene::Scene, terminal::Terminal};

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
