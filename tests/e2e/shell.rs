//! `pichroot shell`: a terminal of the image's own, joined to the user's.

use crate::{
    scene::Scene,
    support::{pichroot, raw_image},
    terminal::Terminal,
};

#[test]
fn a_shell_has_a_prompt_a_terminal_its_size_and_an_exit_code() {
    let scene = Scene::new();
    let mut command = pichroot(scene.dir());
    command
        .args(["shell", "--checksum", "none"])
        .arg(raw_image())
        .env("TERM", "xterm-256color");
    let mut terminal = Terminal::run(&command);
    let before = terminal.mode();
    // debian_chroot in the prompt tells it from the host's.
    terminal.wait_for_prompt();
    // Split in the question, so that what is waited for is the answer and not the echo.
    terminal.type_keys("tty; stty size; echo te''rm=$TERM\r");
    terminal.wait_for("/dev/pts/");
    terminal.wait_for("33 101");
    terminal.wait_for("term=xterm-256color");
    // A program that is told of a new size, as editors are. Each line is typed at a prompt: a shell
    // that is busy may throw away what was typed ahead.
    terminal.wait_for_prompt();
    let on_resize = r#"trap "echo resi""zed \$(stty size)" WINCH"#;
    let program = format!("{on_resize}; echo re\"\"ady; while :; do sleep 1; done");
    terminal.type_keys(&format!("sh -c '{program}'\r"));
    terminal.wait_for("ready");
    terminal.resize(40, 120);
    terminal.wait_for("resized 40 120");
    // Ctrl-C ends that program, and not everything.
    terminal.type_keys("\x03");
    terminal.wait_for("^C");
    terminal.wait_for_prompt();
    terminal.type_keys("echo st''ill here\r");
    terminal.wait_for("still here");
    terminal.type_keys("exit 42\r");
    assert_eq!(terminal.end(), Some(42), "{}", terminal.screen());
    assert_eq!(terminal.mode(), before);
    drop(terminal);
    scene.assert_left(&[]);
}
