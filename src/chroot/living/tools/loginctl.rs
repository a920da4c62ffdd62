//! loginctl, as where nobody is logged in: who lingers is a file, and the rest is about sessions that there are not.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::options::{Known, Options};
use crate::{
    chroot::living::{
        accounts::{Accounts, User},
        after_boot,
        call::{Answer, Call},
        machine::Machine,
        stamp::stamp,
        tool::Tools,
        units,
    },
    sys::inroot::Root,
};

/// What is answered here.
pub const TOOLS: Tools = &[("loginctl", loginctl)];

const KNOWN: Known = Known {
    with_value: &[
        ("host", "H"),
        ("kill-who", ""),
        ("kill-whom", ""),
        ("legend", ""),
        ("lines", "n"),
        ("machine", "M"),
        ("output", "o"),
        ("property", "p"),
        ("signal", "s"),
        ("values-of", "P"),
    ],
    plain: &[
        ("all", "a"),
        ("full", "l"),
        ("help", "h"),
        ("no-ask-password", ""),
        ("no-legend", ""),
        ("no-pager", ""),
        ("value", ""),
        ("version", ""),
    ],
};

fn loginctl(call: &Call, machine: &mut Machine) -> Answer {
    let (Ok(root), Some(options)) = (
        Root::open(&machine.root),
        Options::of_client(&KNOWN, call, machine),
    ) else {
        return Answer::Pass;
    };
    let asked = Asked {
        call,
        options: &options,
        root: &root,
        accounts: Accounts::read(&root),
    };
    let verb = options
        .words
        .first()
        .map_or("list-sessions", |verb| &**verb);
    match verb {
        "enable-linger" => asked.linger(machine, true),
        "disable-linger" => asked.linger(machine, false),
        "list-sessions" => asked.nothing("No sessions.\n"),
        "list-users" => asked.users(),
        "list-seats" => asked.nothing("SEAT\nseat0\n\n1 seats listed.\n"),
        "show-user" | "user-status" => asked.show_users(machine),
        "terminate-user" => asked.each_user(|_, _| Ok(String::new())),
        "kill-user" => asked.each_user(|asked, user| match asked.lingers(user) {
            true => Ok(String::new()),
            false => Err(format!("Could not kill user: {}", not_there(user))),
        }),
        "lock-sessions" | "unlock-sessions" | "flush-devices" => Answer::ok(),
        "show-session" | "session-status" | "terminate-session" | "kill-session"
        | "lock-session" | "unlock-session" | "activate" => asked.no_session(),
        _ => Answer::Pass,
    }
}

/// One start of it.
struct Asked<'a> {
    call: &'a Call,
    options: &'a Options,
    root: &'a Root,
    accounts: Accounts,
}

fn not_there(user: &User) -> String {
    format!("User ID {} is not logged in or lingering\n", user.uid)
}

impl Asked<'_> {
    fn words(&self) -> &[String] {
        self.options.words.get(1..).unwrap_or_default()
    }

    fn nothing(&self, text: &str) -> Answer {
        Answer::out(if self.options.has("no-legend") {
            ""
        } else {
            text
        })
    }

    fn file(user: &User) -> String {
        format!("{}/{}", units::LINGER, user.name)
    }

    fn lingers(&self, user: &User) -> bool {
        self.root.is_file(Self::file(user).as_ref())
    }

    /// The same for each user that is named, until there is something wrong.
    fn each_user(&self, one: impl Fn(&Self, &User) -> Result<String, String>) -> Answer {
        let mut out = String::new();
        for word in self.words() {
            let Some(user) = self.accounts.user(word) else {
                let text = format!("Failed to look up user {word}: No such process\n");
                return Answer::fails(1, text);
            };
            match one(self, user) {
                Ok(text) => out += &text,
                Err(text) => return Answer::fails(1, text),
            }
        }
        Answer::out(out)
    }

    /// What logind itself keeps: an empty file, which the next boot goes by.
    fn linger(&self, machine: &mut Machine, is_to: bool) -> Answer {
        let verb = if is_to { "enable" } else { "disable" };
        let nobody = self.words().is_empty();
        let own = self.accounts.user_with_id(self.call.user);
        let users: Result<Vec<User>, &String> = match own {
            Some(own) if nobody => Ok(vec![own.clone()]),
            _ => self
                .words()
                .iter()
                .map(|word| self.accounts.user(word).cloned().ok_or(word))
                .collect(),
        };
        let users = match users {
            Ok(users) => users,
            Err(word) => {
                return Answer::fails(
                    1,
                    format!("Failed to look up user {word}: No such process\n"),
                );
            }
        };
        if !self.call.is_root() && users.iter().any(|user| user.uid != self.call.user) {
            return Answer::fails(1, format!("Could not {verb} linger: Access denied\n"));
        }
        for user in &users {
            if let Err(error) = self.set(machine, user, is_to) {
                return Answer::fails(1, format!("Could not {verb} linger: {error}\n"));
            }
            if is_to {
                after_boot::folder_of_user(self.root, user);
            }
        }
        Answer::ok()
    }

    fn set(&self, machine: &Machine, user: &User, is_to: bool) -> std::io::Result<()> {
        let path = machine.at(&Self::file(user));
        if !is_to {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        self.root.make_dirs(units::LINGER.as_ref())?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o644);
        options.custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
        Ok(())
    }

    fn users(&self) -> Answer {
        let names = self
            .root
            .names(units::LINGER.as_ref(), 1000)
            .unwrap_or_default();
        let users: Vec<&User> = names
            .iter()
            .filter_map(|name| self.accounts.user(name))
            .collect();
        if users.is_empty() {
            return self.nothing("No users.\n");
        }
        let row = |user: &&User| format!("{:>5} {}\n", user.uid, user.name);
        let rows: String = users.iter().map(row).collect();
        if self.options.has("no-legend") {
            return Answer::out(rows);
        }
        Answer::out(format!(
            "  UID USER\n{rows}\n{} users listed.\n",
            users.len()
        ))
    }

    fn show_users(&self, machine: &Machine) -> Answer {
        let since = stamp(machine.units.booted);
        self.each_user(|asked, user| {
            if !asked.lingers(user) {
                return Err(format!("Failed to get user: {}", not_there(user)));
            }
            let uid = user.uid;
            let all = [
                ("UID", uid.to_string()),
                ("GID", user.gid.to_string()),
                ("Name", user.name.clone()),
                ("Timestamp", since.clone()),
                ("RuntimePath", format!("/run/user/{uid}")),
                ("Service", format!("user@{uid}.service")),
                ("Slice", format!("user-{uid}.slice")),
                ("State", "lingering".into()),
                ("Sessions", String::new()),
                ("IdleHint", "yes".into()),
                ("Linger", "yes".into()),
            ];
            let wanted = [
                asked.options.list("property"),
                asked.options.list("values-of"),
            ]
            .concat();
            let value_only = asked.options.has("value") || asked.options.has("values-of");
            let shown = all
                .iter()
                .filter(|(key, _)| wanted.is_empty() || wanted.contains(key));
            let line = |(key, value): &(&str, String)| match value_only {
                true => format!("{value}\n"),
                false => format!("{key}={value}\n"),
            };
            Ok(shown.map(line).collect())
        })
    }

    fn no_session(&self) -> Answer {
        match self.words() {
            [] => Answer::fails(
                1,
                "Could not get properties: Unknown object '/org/freedesktop/login1/session/auto'.\n",
            ),
            [session, ..] => Answer::fails(
                1,
                format!("Failed to get session path: No session '{session}' known\n"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chroot::living::call::tests::call;

    fn machine() -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), true);
        for folder in ["etc", "run", "sbin", "usr/lib/systemd"] {
            fs::create_dir_all(machine.at(folder)).unwrap();
        }
        fs::write(machine.at("usr/lib/systemd/systemd"), "").unwrap();
        std::os::unix::fs::symlink("/usr/lib/systemd/systemd", machine.at("sbin/init")).unwrap();
        let users = "root:x:0:0::/root:\njoe:x:1000:100::/home/joe:\nann:x:1001:100::/:\n";
        fs::write(machine.at("etc/passwd"), users).unwrap();
        (dir, machine)
    }

    fn said(line: &str, user: u32, machine: &mut Machine) -> (u8, String) {
        let mut call = call(line);
        call.user = user;
        let Answer::Said { code, out, err } = loginctl(&call, machine) else {
            panic!("{line}");
        };
        (code, String::from_utf8([out, err].concat()).unwrap())
    }

    #[test]
    fn who_lingers_is_a_file_and_has_a_folder() {
        let (_dir, mut machine) = machine();
        let mut say = |line: &str, user| said(line, user, &mut machine);
        let gone = "Failed to get user: User ID 1000 is not logged in or lingering\n";
        assert_eq!(say("loginctl show-user joe", 0), (1, gone.into()));
        assert_eq!(say("loginctl enable-linger joe", 0), (0, String::new()));
        assert_eq!(say("loginctl enable-linger", 1001), (0, String::new()));
        assert_eq!(say("loginctl enable-linger joe", 1001).0, 1);
        assert_eq!(
            say("loginctl show-user joe -p Linger --value", 0),
            (0, "yes\n".into())
        );
        assert!(
            say("loginctl list-users --no-legend", 0)
                .1
                .contains(" 1000 joe\n")
        );
        let unknown = "Failed to look up user nosuch: No such process\n";
        assert_eq!(say("loginctl enable-linger nosuch", 0), (1, unknown.into()));
        assert!(machine.at("var/lib/systemd/linger/joe").is_file());
        assert!(machine.at("var/lib/systemd/linger/ann").is_file());
        assert!(machine.at("run/user/1000").is_dir());
        for _ in 0..2 {
            assert_eq!(
                said("loginctl disable-linger joe", 0, &mut machine),
                (0, String::new())
            );
        }
        assert!(!machine.at("var/lib/systemd/linger/joe").exists());
    }

    #[test]
    fn nobody_is_logged_in() {
        let (_dir, mut machine) = machine();
        let mut say = |line: &str| said(line, 0, &mut machine);
        assert_eq!(say("loginctl"), (0, "No sessions.\n".into()));
        assert_eq!(
            say("loginctl list-sessions --no-legend"),
            (0, String::new())
        );
        assert_eq!(say("loginctl show-session 3").0, 1);
        assert_eq!(say("loginctl terminate-user joe"), (0, String::new()));
    }
}
