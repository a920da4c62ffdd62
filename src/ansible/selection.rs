//! Tags and a first task: whether the playbook has what the user selects.

use std::{collections::BTreeSet, ffi::OsString};

/// Tags that mean something without standing anywhere.
const SPECIAL: [&str; 5] = ["all", "always", "never", "tagged", "untagged"];

/// What the user selects.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--tags` and `--skip-tags`.
    tags: Vec<String>,
    /// `--start-at-task`.
    start: Option<String>,
}

/// What is selected, and is nowhere in the playbook.
#[derive(Debug, PartialEq, Eq)]
pub enum Nowhere {
    /// A tag; whether it may still be in what is included only while the playbook runs.
    Tag {
        /// Its name.
        name: String,
        /// Whether it may be there all the same.
        maybe: bool,
        /// All tags that are there.
        known: Vec<String>,
    },
    /// A task.
    Task {
        /// Its name.
        name: String,
        /// All tasks that are there.
        known: Vec<String>,
    },
}

impl Selection {
    /// What `arguments` of ansible-playbook select, and the arguments without that.
    pub fn take(arguments: &[OsString]) -> (Self, Vec<OsString>) {
        let (mut selection, mut rest) = (Selection::default(), Vec::new());
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let (name, joined) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (&*text, None),
            };
            if !matches!(name, "-t" | "--tags" | "--skip-tags" | "--start-at-task") {
                rest.push(word.clone());
                continue;
            }
            let next = || words.next().map(|word| word.to_string_lossy().into_owned());
            let value = joined.or_else(next).unwrap_or_default();
            if name == "--start-at-task" {
                selection.start = Some(value);
            } else {
                let tags = value.split(',').map(|tag| tag.trim().to_owned());
                selection.tags.extend(tags);
            }
        }
        (selection, rest)
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        *self == Selection::default()
    }

    /// The options that make ansible-playbook list every task, with its tags.
    pub fn everything() -> [OsString; 3] {
        ["--list-tasks", "--list-tags", "--tags=all,never"].map(Into::into)
    }

    /// What of it is not in `listed`, which ansible-playbook has printed for [`Self::everything`].
    pub fn missing(&self, listed: &str) -> Option<Nowhere> {
        let (tags, tasks) = read(listed);
        let any = |of: &dyn Fn(&str) -> bool| tags.iter().any(|tag| of(tag));
        let wanted = |tag: &&String| {
            !tag.is_empty() && !SPECIAL.contains(&tag.as_str()) && !tags.contains(*tag)
        };
        // A template may become any tag, and what always runs may include tasks with more of them.
        let maybe = any(&|tag| tag.contains("{{") || tag == "always");
        if let Some(tag) = self.tags.iter().find(wanted) {
            return Some(Nowhere::Tag {
                name: tag.clone(),
                maybe,
                known: tags.into_iter().collect(),
            });
        }
        let start = self.start.as_deref()?;
        // Ansible takes a name with or without its role, and patterns, which are left to it.
        let is_start = |task: &String| {
            task == start
                || task
                    .split_once(" : ")
                    .is_some_and(|(_, name)| name == start)
        };
        let found = start.contains(['*', '?', '[']) || tasks.iter().any(is_start);
        (!found).then(|| Nowhere::Task {
            name: start.to_owned(),
            known: tasks,
        })
    }
}

/// The tags and tasks of a list: `  play #1 (all): name<TAB>TAGS: [a,b]`, `      task<TAB>TAGS: [a, b]`.
fn read(listed: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut tags, mut tasks) = (BTreeSet::new(), Vec::new());
    for line in listed.lines() {
        let Some((name, list)) = line.split_once("\tTAGS: [") else {
            continue;
        };
        let list = list
            .trim_end()
            .trim_end_matches(']')
            .split(',')
            .map(str::trim);
        tags.extend(list.filter(|tag| !tag.is_empty()).map(str::to_owned));
        if !name.starts_with("  play #") {
            tasks.push(name.trim_start().to_owned());
        }
    }
    (tags, tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\nplaybook: p.yml\n\n  play #1 (all): all\tTAGS: [p]\n    tasks:\n      \
                        one\tTAGS: [p, x]\n      r : two\tTAGS: [never, p]\n      TASK TAGS: [never, p, x]\n";

    fn missing(words: &[&str], list: &str) -> Option<String> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        match Selection::take(&words).0.missing(list) {
            None => None,
            Some(Nowhere::Tag { name, maybe, .. }) => Some(format!("{name} {maybe}")),
            Some(Nowhere::Task { name, .. }) => Some(name),
        }
    }

    #[test]
    fn what_is_selected_is_there_or_not() {
        for there in [
            &["--tags=x,p"][..],
            &["-t", "never", "--skip-tags", "x"],
            &["--tags", "all,untagged"],
            &["--start-at-task=one"],
            &["--start-at-task", "two"],
            &["--start-at-task=r : two"],
            &["--start-at-task=o*"],
            &[],
        ] {
            assert_eq!(missing(there, LIST), None, "{there:?}");
        }
        assert_eq!(missing(&["--tags=x,y"], LIST).unwrap(), "y false");
        assert_eq!(missing(&["--skip-tags", "y"], LIST).unwrap(), "y false");
        assert_eq!(missing(&["--start-at-task=on"], LIST).unwrap(), "on");
        let dynamic = LIST.replace("never", "always");
        assert_eq!(missing(&["--tags=y"], &dynamic).unwrap(), "y true");
    }

    #[test]
    fn the_rest_stays() {
        let words = ["-D", "--tags", "x", "--skip-tags=y", "--forks=3"].map(OsString::from);
        let (selection, rest) = Selection::take(&words);
        assert_eq!(rest, ["-D", "--forks=3"]);
        assert!(!selection.is_empty());
        assert!(Selection::take(&rest).0.is_empty());
    }
}
