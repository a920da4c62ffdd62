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
    terminal.wait_for("(pichroot)root@pichroot:");
    // Split in the question, so that what is waited for is the answer and not the echo.
    terminal.type_keys("tty; stty size; echo te''rm=$TERM\r");
    terminal.wait_for("/dev/pts/");
    terminal.wait_for("33 101");
    terminal.wait_for("term=xterm-256color");
    // What curses programs react to.
    terminal.type_keys("trap 'echo resi''zed $(stty size)' WINCH\r");
    terminal.resize(40, 120);
    terminal.wait_for("resized 40 120");
    // Ctrl-C is the shell's affair, not the end of everything.
    terminal.type_keys("sleep 600\r");
    terminal.type_keys("\x03");
    terminal.type_keys("echo st''ill here\r");
    terminal.wait_for("still here");
    terminal.type_keys("exit 42\r");
    assert_eq!(terminal.end(), Some(42), "{}", terminal.screen());
    assert_eq!(terminal.mode(), before);
    drop(terminal);
    scene.assert_left(&[]);
}
