//! The options of ansible-playbook that pichroot takes as its own, and hands on.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

/// Each is named, and means the same, as in ansible-playbook.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "As in ansible-playbook")]
pub struct PlaybookArgs {
    /// Only run plays and tasks with these tags; repeatable
    #[arg(short, long, value_name = "TAGS")]
    pub tags: Vec<String>,

    /// Leave out plays and tasks with these tags; repeatable
    #[arg(long, value_name = "TAGS")]
    pub skip_tags: Vec<String>,

    /// Change nothing, and tell what would change; no output is made
    #[arg(short = 'C', long)]
    pub check: bool,

    /// Show what changes in small files
    #[arg(short = 'D', long)]
    pub diff: bool,

    /// Begin with the task of this name
    #[arg(long, value_name = "TASK")]
    pub start_at_task: Option<String>,

    /// Confirm each task
    #[arg(long)]
    pub step: bool,

    /// Run tasks as another user
    #[arg(short = 'b', long = "become")]
    pub r#become: bool,

    /// Which user that is [default: root]
    #[arg(long, value_name = "USER")]
    pub become_user: Option<String>,

    /// How to become that user [default: sudo]
    #[arg(long, value_name = "METHOD")]
    pub become_method: Option<String>,

    /// Ask for the password needed for that
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,

    /// Ask for the ansible-vault password
    #[arg(short = 'J', long, visible_alias = "ask-vault-password")]
    pub ask_vault_pass: bool,

    /// A file with the ansible-vault password, or a program that prints it; repeatable
    #[arg(long, visible_alias = "vault-pass-file", value_name = "FILE")]
    pub vault_password_file: Vec<PathBuf>,

    /// An ansible-vault identity, LABEL@SOURCE; repeatable
    #[arg(long, value_name = "ID")]
    pub vault_id: Vec<String>,

    /// Run handlers even if a task fails
    #[arg(long)]
    pub force_handlers: bool,

    /// Clear the fact cache
    #[arg(long)]
    pub flush_cache: bool,

    /// How many processes Ansible uses [default: 5]
    #[arg(short, long, value_name = "NUMBER")]
    pub forks: Option<u32>,

    /// Look for modules in this folder too; repeatable
    #[arg(short = 'M', long, value_name = "FOLDER")]
    pub module_path: Vec<PathBuf>,

    /// Only list the tasks; no output is made
    #[arg(long)]
    pub list_tasks: bool,

    /// Only list the tags; no output is made
    #[arg(long)]
    pub list_tags: bool,

    /// Only list the hosts; no output is made
    #[arg(long)]
    pub list_hosts: bool,

    /// Only check the playbook's syntax; no output is made
    #[arg(long)]
    pub syntax_check: bool,
}

impl PlaybookArgs {
    /// As ansible-playbook takes them.
    pub fn arguments(self) -> Vec<OsString> {
        let mut out = Vec::new();
        let flags = [
            (self.check, "--check"),
            (self.diff, "--diff"),
            (self.step, "--step"),
            (self.r#become, "--become"),
            (self.ask_become_pass, "--ask-become-pass"),
            (self.ask_vault_pass, "--ask-vault-pass"),
            (self.force_handlers, "--force-handlers"),
            (self.flush_cache, "--flush-cache"),
            (self.list_tasks, "--list-tasks"),
            (self.list_tags, "--list-tags"),
            (self.list_hosts, "--list-hosts"),
            (self.syntax_check, "--syntax-check"),
        ];
        out.extend(
            flags
                .iter()
                .filter(|(set, _)| *set)
                .map(|(_, flag)| flag.into()),
        );
        with_values(&mut out, "--tags", self.tags);
        with_values(&mut out, "--skip-tags", self.skip_tags);
        with_values(&mut out, "--start-at-task", self.start_at_task);
        with_values(&mut out, "--become-user", self.become_user);
        with_values(&mut out, "--become-method", self.become_method);
        with_values(&mut out, "--vault-password-file", self.vault_password_file);
        with_values(&mut out, "--vault-id", self.vault_id);
        with_values(
            &mut out,
            "--forks",
            self.forks.map(|number| number.to_string()),
        );
        with_values(&mut out, "--module-path", self.module_path);
        out
    }
}

/// Adds `name=value` for each value: one word, so that a value may begin with a hyphen.
fn with_values<T: Into<OsString>>(
    out: &mut Vec<OsString>,
    name: &str,
    values: impl IntoIterator<Item = T>,
) {
    for value in values {
        let mut word = OsString::from(format!("{name}="));
        word.push(value.into());
        out.push(word);
    }
}
