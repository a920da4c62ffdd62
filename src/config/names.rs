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

/// The host's name: hn_hostname, else made from the output's stem.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when hn_hostname is not a host name; it becomes a file name too.
pub fn host_name(known: &Known, output: &Path) -> Result<String> {
    let Some(name) = known.get(HOST_VARIABLE) else {
        return Ok(from_stem(output));
    };
    if RESERVED.contains(&name) {
        return Err(Error::usage(format!(
            "{HOST_VARIABLE} is {name}, which means something else to Ansible"
        ))
        .hint("choose another host name"));
    }
    if !is_host_name(name) {
        return Err(
            Error::usage(format!("the value of {HOST_VARIABLE} is not a host name")).hint(format!(
                "use letters, digits, - and ., at most {LONGEST} of them, beginning and ending \
                 with a letter or digit"
            )),
        );
    }
    Ok(name.to_owned())
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

/// A host name like the output's file name, whatever that is.
fn from_stem(output: &Path) -> String {
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

/// The output's path: `template` with `{NAME}` replaced by the variable's value.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for a variable without a plain value, or one that could lead to
/// another folder.
pub fn expand(template: &str, known: &Known) -> Result<String> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, after) = after.split_once('}').ok_or_else(|| {
            Error::usage("image.output has a { without its }")
                .hint("write a variable as {hn_hostname}")
        })?;
        let value = known.get(name).ok_or_else(|| {
            Error::usage(format!(
                "image.output names {{{name}}}, which has no plain value"
            ))
            .hint(format!(
                "set it, as by `-e {name}=...`, or give the path by -o"
            ))
        })?;
        if value.is_empty() || value.starts_with('.') || value.contains(['/', '\0']) {
            return Err(Error::usage(format!(
                "image.output names {{{name}}}, whose value cannot be part of a file name"
            ))
            .hint("give the path by -o"));
        }
        path.push_str(value);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// The output's name where nothing gives one: after hn_hostname, else after the playbook.
pub fn default_output(known: &Known, playbook: &Path) -> Result<PathBuf> {
    if known.get(HOST_VARIABLE).is_some() {
        return Ok(expand("{hn_hostname}.img", known)?.into());
    }
    let stem = playbook.file_stem().unwrap_or_default();
    Ok(Path::new(stem).with_extension("img"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ansible::json::Vars;

    fn known(name: &str) -> Known {
        let vars = Vars::from_iter([(HOST_VARIABLE.to_owned(), name.into())]);
        Known::new(&vars, &[])
    }

    #[test]
    fn a_host_name_can_never_be_a_path() {
        let output = Path::new("/o/x.img");
        for good in ["mypi", "no", "22", "a.example.com", "A-1"] {
            assert_eq!(host_name(&known(good), output).unwrap(), good);
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
            assert!(host_name(&known(bad), output).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_outputs_stem_gives_a_name_whatever_it_is() {
        let name = |path: &str| host_name(&Known::default(), Path::new(path)).unwrap();
        assert_eq!(name("/o/my image_1.img"), "my-image-1");
        assert_eq!(name("/o/é.img"), "image");
        assert_eq!(name("/o/all.img"), "image");
    }

    #[test]
    fn outputs_are_named_after_variables() {
        assert_eq!(
            expand("o/{hn_hostname}-1.img", &known("pi")).unwrap(),
            "o/pi-1.img"
        );
        assert!(expand("{other}.img", &known("pi")).is_err());
        assert!(expand("{hn_hostname", &known("pi")).is_err());
        assert!(expand("{hn_hostname}", &known("../x")).is_err());
        let playbook = Path::new("/p/site.yml");
        assert_eq!(
            default_output(&known("pi"), playbook).unwrap(),
            Path::new("pi.img")
        );
        assert_eq!(
            default_output(&Known::default(), playbook).unwrap(),
            Path::new("site.img")
        );
    }
}
