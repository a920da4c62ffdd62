//! Which machines an inventory names.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::ansible_cfg::Env;
use crate::{
    error::{Kind, Result},
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
    let ansible: PathBuf = ansible_playbook.with_file_name("ansible");
    let mut args = vec!["all".into(), "--list-hosts".into()];
    for inventory in inventories {
        args.extend(["--inventory".into(), inventory.into()]);
    }
    if let Some(limit) = limit {
        args.extend(["--limit".into(), limit.into()]);
    }
    let env: Vec<_> = env.clone().into_iter().collect();
    let around = Surroundings {
        dir: cwd,
        env: &env,
        limit: LIMIT,
    };
    let output = command::output_in(&around, &ansible, &args)?;
    if !output.status.success() {
        let error = command::failure(Kind::Usage, &ansible, &args, &output);
        return Err(error.hint("name the machine by -e hn_hostname=NAME, or mend the inventory"));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
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
