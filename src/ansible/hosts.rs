//! Which machines an inventory names.

use std::{ffi::OsString, path::Path, time::Duration};

use super::{ansible_cfg::Env, json::Vars};
use crate::{
    error::{Context, Kind, Result},
    sys::command::{self, Surroundings},
};

/// How long an inventory may take: one from a cloud asks its servers.
const LIMIT: Duration = Duration::from_secs(120);

/// The hosts that `inventories` name, narrowed by `limit`, in Ansible's order; `localhost` is none.
///
/// Asks the `ansible` beside `ansible_playbook`, which reads no variables for this, so that nothing encrypted
/// has to be opened.
///
/// # Errors
/// [`Kind::Usage`] when it cannot read an inventory, with what it says.
pub fn of(
    ansible_playbook: &Path,
    inventories: &[String],
    limit: Option<&str>,
    env: &Env,
    cwd: &Path,
) -> Result<Vec<String>> {
    let ansible = ansible_playbook.with_file_name("ansible");
    let mut args = vec!["all".into(), "--list-hosts".into()];
    if let Some(limit) = limit {
        args.extend(["--limit".into(), limit.into()]);
    }
    let said = ask(&ansible, args, inventories, env, cwd)?;
    Ok(parse(&String::from_utf8_lossy(&said)))
}

/// The variables that `inventories` give `host`, as they are written: templates among them are not filled in.
///
/// # Errors
/// [`Kind::Usage`] when an inventory cannot be read, or opened, with what `ansible-inventory` says.
pub fn variables(
    ansible_playbook: &Path,
    inventories: &[String],
    host: &str,
    env: &Env,
    cwd: &Path,
) -> Result<Vars> {
    let ansible = ansible_playbook.with_file_name("ansible-inventory");
    let args = vec!["--host".into(), host.into()];
    let said = ask(&ansible, args, inventories, env, cwd)?;
    serde_json::from_slice(&said).context(Kind::Usage, || {
        format!("cannot read what the inventory says of {host}")
    })
}

/// What `program` says of `inventories`.
fn ask(
    program: &Path,
    mut args: Vec<OsString>,
    inventories: &[String],
    env: &Env,
    cwd: &Path,
) -> Result<Vec<u8>> {
    for inventory in inventories {
        args.extend(["--inventory".into(), inventory.into()]);
    }
    let env: Vec<_> = env.clone().into_iter().collect();
    let around = Surroundings {
        dir: cwd,
        env: &env,
        limit: LIMIT,
    };
    let output = command::output_in(&around, program, &args)?;
    if !output.status.success() {
        let error = command::failure(Kind::Usage, program, &args, &output);
        return Err(error.hint("name the machine by -e hn_hostname=NAME, or mend the inventory"));
    }
    Ok(output.stdout)
}

/// Reads `  hosts (2):`, and below it the hosts, each after four spaces.
fn parse(text: &str) -> Vec<String> {
    let hosts = text.lines().filter_map(|line| line.strip_prefix("    "));
    let hosts = hosts.map(str::trim).filter(|host| *host != "localhost");
    hosts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_ansible() {
        let text = "  hosts (3):\n    pi1\n    localhost\n    pi2\n";
        assert_eq!(parse(text), ["pi1", "pi2"]);
        assert!(parse("  hosts (0):\n").is_empty());
    }
}
