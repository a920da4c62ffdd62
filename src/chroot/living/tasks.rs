//! Which of Ansible's tasks a program belongs to: the one that runs, but for what another has put into the background.

use std::{collections::HashMap, sync::Arc};

type Task = Option<Arc<str>>;

/// The tasks of the sessions of processes that there are.
#[derive(Debug, Default)]
pub struct Tasks {
    now: Task,
    sessions: HashMap<i32, Task>,
}

impl Tasks {
    /// A task is about to have something run.
    pub fn begin(&mut self, task: Option<&str>) {
        self.now = task.map(Arc::from);
    }

    /// What it has run is the leader of this session.
    pub fn started(&mut self, session: i32) {
        self.sessions.insert(session, self.now.clone());
    }

    /// That has ended, and these sessions are there. New ones it has made: so Ansible's async puts a task into the
    /// background.
    pub fn ended(&mut self, session: i32, there: &[i32]) {
        let task = self.sessions.get(&session).cloned().flatten();
        self.sessions.retain(|known, _| there.contains(known));
        for other in there {
            self.sessions.entry(*other).or_insert_with(|| task.clone());
        }
    }

    /// That of a program in this session.
    pub fn of(&self, session: Option<i32>) -> Option<String> {
        let known = session.and_then(|session| self.sessions.get(&session));
        known.unwrap_or(&self.now).as_deref().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_background_stays_its_tasks() {
        let mut tasks = Tasks::default();
        assert_eq!(tasks.of(Some(1)), None);
        tasks.begin(Some("async"));
        let of = |tasks: &Tasks, session| tasks.of(Some(session)).unwrap_or_default();
        // It may ask before its session is known.
        assert_eq!(of(&tasks, 10), "async");
        tasks.started(10);
        tasks.ended(10, &[1, 11]);
        tasks.begin(Some("next"));
        tasks.started(20);
        assert_eq!(of(&tasks, 11), "async");
        assert_eq!(of(&tasks, 20), "next");
        assert_eq!(of(&tasks, 21), "next");
        tasks.ended(20, &[1, 11]);
        assert_eq!(of(&tasks, 11), "async");
        // Gone, and the number is another's.
        tasks.begin(None);
        tasks.started(30);
        tasks.ended(30, &[1]);
        assert_eq!(tasks.of(Some(11)), None);
    }
}
