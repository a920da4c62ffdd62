//! A terminal with a command in it, as a user has it.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{Termios, tcgetattr},
    },
    unistd::{Pid, ttyname},
};

use crate::{processes::descendants, support::wait_for};

const LIMIT: Duration = Duration::from_secs(300);

pub struct Terminal {
    keys: File,
    /// Held open so that the mode can be asked for afterwards.
    device: File,
    screen: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    /// Starts `command` as the leader of a session on a new terminal of 33 lines and 101 columns.
    pub fn run(command: &Command) -> Self {
        let size = Winsize {
            ws_row: 33,
            ws_col: 101,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).expect("a terminal");
        let (keys, device) = (File::from(pty.master), File::from(pty.slave));
        // setsid(1) makes its standard input the controlling terminal and becomes the command.
        let mut inside = Command::new("setsid");
        inside
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().expect("one is set"));
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        let end = || Stdio::from(device.try_clone().unwrap());
        let child = inside
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("setsid starts");
        let screen = Arc::new(Mutex::new(String::new()));
        let (shared, mut from) = (screen.clone(), keys.try_clone().unwrap());
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..n]);
                shared.lock().unwrap().push_str(&text);
            }
        });
        Terminal {
            keys,
            device,
            screen,
            child,
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until `part` is on the screen.
    pub fn wait_for(&self, part: &str) {
        let deadline = std::time::Instant::now() + LIMIT;
        while !self.screen().contains(part) {
            let late = std::time::Instant::now() > deadline;
            assert!(!late, "no {part:?} on the screen: {}", self.screen());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a shell in an image has nothing to do: its prompt ends the screen.
    /// `debian_chroot` in it tells it from a shell of the host.
    pub fn wait_for_prompt(&self) {
        wait_for("a prompt", LIMIT, || {
            let screen = self.screen();
            let last = screen.rsplit('\n').next().unwrap_or_default();
            (last.contains("(pichroot)root@pichroot:") && last.ends_with("# ")).then_some(())
        });
    }

    /// Waits until a process of this name runs in it.
    pub fn wait_for_process(&self, name: &str) {
        wait_for(name, LIMIT, || {
            let mut all = descendants(self.pid()).into_iter();
            all.find(|process| process.is(name))
        });
    }

    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("typing");
    }

    /// Echo, line editing and so on, for comparing.
    pub fn mode(&self) -> Termios {
        tcgetattr(&self.device).expect("the terminal's mode")
    }

    /// The user drags the window to another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        let name = ttyname(&self.device).expect("a name");
        crate::support::run(Command::new("stty").arg("-F").arg(name).args([
            "rows",
            &rows.to_string(),
            "cols",
            &columns.to_string(),
        ]));
    }

    /// Waits for the command's end; its exit code.
    pub fn end(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let status = wait_for("the command to end", LIMIT, || child.try_wait().unwrap());
        // What it said last may still be on its way to the screen.
        thread::sleep(Duration::from_millis(100));
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
