//! The generated inventory: two sources, with the user's own inventories between them.
//!
//! Ansible lets later sources win, and files in `host_vars/` win over inventory files. So the
//! variables of pichroot.yml are the first source, and the connection is the last: a folder with
//! `host_vars/` of its own, so that a user's inventory that names the same host gives it groups and
//! variables. What playbooks say wins over both; see [`super::guard`].

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    connection::Connection,
    json::{Vars, to_ascii},
};
use crate::sys::private_files::PrivateFiles;

/// Path of the lowest source in the run's folder: `vars` of pichroot.yml.
pub const VARS_SOURCE: &str = "inventory/vars.json";
/// Path of the highest source in the run's folder, a folder: the host and its connection.
pub const HOST_SOURCE: &str = "inventory/host";

/// Adds both sources to `files`. `host` must be a checked host name: it becomes a file name.
pub fn add_to(files: &mut PrivateFiles, host: &str, vars: &Vars, connection: &Connection) {
    let host_vars = connection.host_vars();
    files.add(VARS_SOURCE, to_ascii(&json!({"all": {"vars": vars}})));
    // The variables are in both places, for users who turned the vars plugin for host_vars off.
    let hosts = json!({"all": {"hosts": {host: &host_vars}}});
    files.add(format!("{HOST_SOURCE}/hosts.json"), to_ascii(&hosts));
    files.add(
        format!("{HOST_SOURCE}/host_vars/{host}.json"),
        to_ascii(&host_vars.into()),
    );
}

/// The arguments of the `-i` options, in Ansible's order: lowest precedence first.
pub fn sources(run_folder: &Path, user: &[String]) -> Vec<PathBuf> {
    let mut sources = vec![run_folder.join(VARS_SOURCE)];
    sources.extend(user.iter().map(PathBuf::from));
    sources.push(run_folder.join(HOST_SOURCE));
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_comes_last_and_the_configured_variables_first() {
        let connection = Connection::plain(Path::new("/r"), Path::new("/c"), "/usr/bin/python3");
        let mut files = PrivateFiles::default();
        let vars = Vars::from_iter([("a".to_owned(), "no".into())]);
        add_to(&mut files, "mypi", &vars, &connection);
        let paths: Vec<_> = files.0.iter().map(|f| f.path.to_str().unwrap()).collect();
        assert_eq!(
            paths,
            [
                "inventory/vars.json",
                "inventory/host/hosts.json",
                "inventory/host/host_vars/mypi.json"
            ]
        );
        assert_eq!(files.0[0].content, r#"{"all":{"vars":{"a":"no"}}}"#);
        assert_eq!(
            sources(Path::new("/t"), &["/etc/inv".into()]),
            [
                Path::new("/t/inventory/vars.json"),
                Path::new("/etc/inv"),
                Path::new("/t/inventory/host")
            ]
        );
    }
}
