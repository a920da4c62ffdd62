//! Which of systemd's managers is meant: that of the system, or a user's own.

use crate::chroot::living::accounts::User;

/// One manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The system's.
    System,
    /// The one that runs while this user is logged in, or always if the user lingers.
    User(User),
}

/// Where its units are, the first before the others. `%` is the user's home.
const SYSTEM: [&str; 7] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];
const USER: [&str; 9] = [
    "%/.config/systemd/user.control",
    "%/.config/systemd/user",
    "/etc/systemd/user",
    "/run/systemd/user",
    "%/.local/share/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/share/systemd/user",
    "/usr/lib/systemd/user",
];

impl Scope {
    /// The folders of its units.
    pub fn folders(&self) -> Vec<String> {
        match self {
            Scope::System => SYSTEM.map(str::to_owned).into(),
            Scope::User(user) => USER.map(|folder| folder.replace('%', &user.home)).into(),
        }
    }

    /// A shell line that has this manager do something to a unit.
    pub fn line(&self, words: &str) -> String {
        match self {
            Scope::System => format!("systemctl {words}"),
            // By the folder and not by --machine, which systemd before 248 does not have for users.
            Scope::User(user) => format!(
                "systemctl start user@{uid}.service && runuser -u {name} -- env \
                 XDG_RUNTIME_DIR=/run/user/{uid} systemctl --user {words}",
                uid = user.uid,
                name = user.name
            ),
        }
    }
}
