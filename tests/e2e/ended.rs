//! How a run ended, and what it said.

#[derive(Debug)]
pub struct Ended {
    /// `None`: by a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// It ended with `code`, one `error:` that holds `part`, and at most one hint.
    pub fn assert_error(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let errors: Vec<_> = self
            .err
            .lines()
            .filter(|l| l.starts_with("error: "))
            .collect();
        assert!(errors.len() == 1 && errors[0].contains(part), "{self:?}");
        let hints = self.err.lines().filter(|l| l.starts_with("hint: "));
        assert!(hints.count() <= 1, "{self:?}");
    }
}
