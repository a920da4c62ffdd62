//! NetworkManager's connections: files of the image, which the daemon reads at its start.

mod keyfile;
mod settings;
mod show;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

pub use keyfile::Keyfile;
pub use show::{lines, setting};

use super::firewall::names::read;

/// Where they are kept.
const FOLDER: &str = "etc/NetworkManager/system-connections";

/// A connection, and its file.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub file: Keyfile,
}

impl Connection {
    /// Its name.
    pub fn id(&self) -> String {
        self.file.text("connection", "id").unwrap_or_default()
    }

    /// What it is known by, if its name changes.
    pub fn uuid(&self) -> String {
        self.file.text("connection", "uuid").unwrap_or_default()
    }

    /// Its type, as nmcli says it.
    pub fn kind(&self) -> String {
        let kind = self.file.text("connection", "type").unwrap_or_default();
        show::setting(&kind).to_owned()
    }

    /// Whether the daemon makes it at its start.
    pub fn is_automatic(&self) -> bool {
        self.file.get("connection", "autoconnect") != Some("false")
    }

    /// The interface that it is for.
    pub fn interface(&self) -> String {
        self.file
            .text("connection", "interface-name")
            .unwrap_or_default()
    }

    /// Whether somebody means it by this name, number or path.
    pub fn is(&self, by: Option<&str>, name: &str) -> bool {
        match by {
            Some("uuid") => self.uuid() == name,
            Some("id") => self.id() == name,
            Some("filename") => self.path.ends_with(name.trim_start_matches('/')),
            _ => self.id() == name || self.uuid() == name,
        }
    }
}

/// All connections, by name.
pub fn connections(root: &Path) -> Vec<Connection> {
    let files = fs::read_dir(root.join(FOLDER)).into_iter().flatten();
    let files = files.take(10_000).flatten().map(|file| file.path());
    let mut all: Vec<Connection> = files
        .filter_map(|path| {
            let file = Keyfile::parse(&read(&path)?);
            let connection = Connection { path, file };
            (!connection.id().is_empty()).then_some(connection)
        })
        .collect();
    all.sort_by_key(Connection::id);
    all
}

/// Writes what a connection is from now on; only root can read it, as it may have passwords.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".pichroot");
    // Left by a run that was killed.
    let _ = fs::remove_file(&new);
    let mut open = fs::OpenOptions::new();
    let mut file = open.write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    fs::rename(new, path)
}

/// The file of a new connection of this name.
pub fn new_file(root: &Path, id: &str) -> PathBuf {
    let name: String = id
        .chars()
        .map(|letter| if letter == '/' { '*' } else { letter })
        .collect();
    let folder = root.join(FOLDER);
    let free = (0..1000).map(|number| match number {
        0 => folder.join(format!("{name}.nmconnection")),
        number => folder.join(format!("{name}-{number}.nmconnection")),
    });
    let mut free = free.filter(|path| !path.exists());
    free.next()
        .unwrap_or_else(|| folder.join("connection.nmconnection"))
}
