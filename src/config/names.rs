//! The image's host name and the output's path.

use std::path::{Path, PathBuf};

use super::known::Known;
use crate::error::{Error, Result};

/// The variable that names the host.
pub const HOST_VARIABLE: &str = "hn_hostname";
/// The longest host name Linux takes, in bytes.
const LONGEST: usize = 64;
/// Names with a meaning of their own in an inventory.
const RESERVED: [&str; 3] = ["all", "ungrouped", "localhost"];

/// What a template calls the machine's name, wherever that comes from.
const NAME: &str = "inventory_hostname";

/// The machine's name where something gives it: `template` (`ansible.host_name`), else hn_hostname, else
/// what `inventory` says.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when that is not a host name; it becomes a file name too.
pub fn given(
    template: Option<&str>,
    known: &Known,
    inventory: impl FnOnce() -> Result<Option<String>>,
) -> Result<Option<String>> {
    let (from, name) = if let Some(template) = template {
        (
            "ansible.host_name",
            expand("ansible.host_name", template, known, None)?,
        )
    } else if let Some(name) = known.get(HOST_VARIABLE) {
        (HOST_VARIABLE, name.to_owned())
    } else if let Some(name) = inventory()? {
        ("the name in the inventory", name)
    } else {
        return Ok(None);
    };
    check(from, &name)?;
    Ok(Some(name))
}

fn check(from: &str, name: &str) -> Result<()> {
    if RESERVED.contains(&name) {
        return Err(Error::usage(format!(
            "{from} is {name}, which means something else to Ansible"
        ))
        .hint("choose another host name"));
    }
    if !is_host_name(name) {
        return Err(
            Error::usage(format!("the value of {from} is not a host name")).hint(format!(
                "use letters, digits, - and ., at most {LONGEST} of them, beginning and ending \
                 with a letter or digit; -e {HOST_VARIABLE}=NAME gives a machine another name"
            )),
        );
    }
    Ok(())
}

/// RFC 1123: labels of letters, digits and inner hyphens, joined by dots.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= LONGEST && name.split('.').all(label)
}

/// A host name like the output's file name, whatever that is: where nothing gives one.
pub fn from_stem(output: &Path) -> String {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = stem.chars().map(plain).take(63).collect();
    let name = name.trim_matches('-');
    if name.is_empty() || RESERVED.contains(&name) {
        "image".to_owned()
    } else {
        name.to_owned()
    }
}

/// The setting `key`, `template`, with `{NAME}` replaced by the variable's value; `{inventory_hostname}` is
/// `machine` where that is known.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for a variable without a plain value, or one that could lead to
/// another folder.
pub fn expand(key: &str, template: &str, known: &Known, machine: Option<&str>) -> Result<String> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, after) = after.split_once('}').ok_or_else(|| {
            Error::usage(format!("{key} has a {{ without its }}"))
                .hint("write a variable as {hn_hostname}")
        })?;
        let of_machine = machine.filter(|_| name == NAME);
        let value = of_machine.or(known.get(name)).ok_or_else(|| {
            Error::usage(format!("{key} names {{{name}}}, which has no plain value")).hint(
                match (key, name) {
                    (_, NAME) => "name the machine, as by -e hn_hostname=NAME".to_owned(),
                    ("image.output", _) => {
                        format!("set it, as by `-e {name}=...`, or give the path by -o")
                    }
                    _ => format!("set it, as by `-e {name}=...`"),
                },
            )
        })?;
        if value.is_empty() || value.starts_with('.') || value.contains(['/', '\0']) {
            return Err(Error::usage(format!(
                "{key} names {{{name}}}, whose value cannot be part of a file name"
            ))
            .hint("give it another value"));
        }
        path.push_str(value);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// The output's name where nothing gives one: after the machine, else after the playbook.
pub fn default_output(machine: Option<&str>, playbook: &Path) -> PathBuf {
    match machine {
        Some(name) => format!("{name}.img").into(),
        None => Path::new(playbook.file_stem().unwrap_or_default()).with_extension("img"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ansible::json::Vars;

    fn known(name: &str) -> Known {
        let vars = Vars::from_iter([(HOST_VARIABLE.to_owned(), name.into())]);
        Known::new(&vars, &[])
    }

    fn host_name(known: &Known) -> Result<Option<String>> {
        given(None, known, || Ok(None))
    }

    #[test]
    fn the_setting_then_the_variable_then_the_inventory() {
        let vars = [("box", "kitchen"), (HOST_VARIABLE, "mypi")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.into()));
        let known = Known::new(&Vars::from_iter(vars), &[]);
        let inventory = || Ok(Some("pi1".to_owned()));
        let name = |template, known| given(template, known, inventory).unwrap().unwrap();
        assert_eq!(name(Some("pi-{box}"), &known), "pi-kitchen");
        assert_eq!(name(None, &known), "mypi");
        assert_eq!(name(None, &Known::default()), "pi1");
        let wrong = || Ok(Some("pi_1".to_owned()));
        assert!(given(None, &Known::default(), wrong).is_err());
        assert!(given(Some("{none}"), &known, inventory).is_err());
    }

    #[test]
    fn a_host_name_can_never_be_a_path() {
        for good in ["mypi", "no", "22", "a.example.com", "A-1"] {
            assert_eq!(host_name(&known(good)).unwrap().unwrap(), good);
        }
        let long = "a".repeat(65);
        for bad in [
            "",
            "..",
            "a/b",
            "-a",
            "a-",
            "a b",
            "é",
            "a_b",
            "a..b",
            "all",
            "localhost",
            &long,
        ] {
            assert!(host_name(&known(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_outputs_stem_gives_a_name_whatever_it_is() {
        let name = |path: &str| from_stem(Path::new(path));
        assert_eq!(name("/o/my image_1.img"), "my-image-1");
        assert_eq!(name("/o/é.img"), "image");
        assert_eq!(name("/o/all.img"), "image");
    }

    #[test]
    fn outputs_are_named_after_variables() {
        let expand = |template, name| expand("image.output", template, &known(name), Some("mac"));
        assert_eq!(expand("o/{hn_hostname}-1.img", "pi").unwrap(), "o/pi-1.img");
        assert_eq!(expand("{inventory_hostname}.img", "pi").unwrap(), "mac.img");
        assert!(expand("{other}.img", "pi").is_err());
        assert!(expand("{hn_hostname", "pi").is_err());
        assert!(expand("{hn_hostname}", "../x").is_err());
        let playbook = Path::new("/p/site.yml");
        assert_eq!(default_output(Some("pi"), playbook), Path::new("pi.img"));
        assert_eq!(default_output(None, playbook), Path::new("site.img"));
    }
}
