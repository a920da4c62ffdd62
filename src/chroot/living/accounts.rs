//! The users and groups of the image, by its own files.

use crate::sys::inroot::Root;

const MAX_BYTES: u64 = 4 << 20;

/// Those of one image.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<(String, u32)>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The id of the first group.
    pub gid: u32,
    /// The home directory.
    pub home: String,
}

impl Accounts {
    /// Reads `/etc/passwd` and `/etc/group`; lines that are none are left out.
    pub fn read(root: &Root) -> Self {
        let read = |path: &str| root.read(path.as_ref(), MAX_BYTES).unwrap_or_default();
        Accounts {
            users: read("etc/passwd").lines().filter_map(user).collect(),
            groups: read("etc/group").lines().filter_map(group).collect(),
        }
    }

    /// The user of this name or number.
    pub fn user(&self, who: &str) -> Option<&User> {
        let number = who.parse().ok();
        let named = self.users.iter().find(|user| user.name == who);
        named.or_else(|| self.users.iter().find(|user| Some(user.uid) == number))
    }

    /// The user with this id.
    pub fn user_with_id(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The id of a user's name or number, which nobody needs to have.
    pub fn uid(&self, who: &str) -> Option<u32> {
        let named = self.users.iter().find(|user| user.name == who);
        named.map(|user| user.uid).or_else(|| who.parse().ok())
    }

    /// The id of a group's name or number, which nobody needs to have.
    pub fn gid(&self, which: &str) -> Option<u32> {
        let named = self.groups.iter().find(|(name, _)| name == which);
        named.map(|(_, gid)| *gid).or_else(|| which.parse().ok())
    }
}

fn user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else {
        return None;
    };
    Some(User {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
    })
}

fn group(line: &str) -> Option<(String, u32)> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    Some((name, fields.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_users_and_groups() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write(
            "etc/passwd",
            "bad line\njoe:x:1000:100:Joe:/home/joe:/bin/sh\n",
        )
        .unwrap();
        write("etc/group", "adm:x:4:joe\nnone\n").unwrap();
        let accounts = Accounts::read(&Root::open(folder.path()).unwrap());
        let joe = accounts.user("joe").unwrap();
        assert_eq!((joe.uid, joe.gid, &*joe.home), (1000, 100, "/home/joe"));
        assert_eq!(accounts.user("1000"), Some(joe));
        assert_eq!(accounts.user("1001"), None);
        assert_eq!(accounts.uid("1001"), Some(1001));
        assert_eq!(accounts.gid("adm"), Some(4));
        assert_eq!(accounts.gid("wheel"), None);
    }
}
