//! The one error type: what happened, to which path, which kind of failure it is, and what to do.
//!
//! Every failure ends as `error: WHAT` and, where we know one, `hint: WHAT TO DO`, with the exit
//! code of its [`Kind`]. Lower layers add context with [`Context`]; nobody prints.

use std::{error::Error as StdError, fmt, io};

/// Which kind of failure this is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Anything else (exit 1).
    Other,
    /// Wrong arguments, configuration or playbook path (exit 2).
    Usage,
    /// This host cannot do it: no root, no qemu, no Ansible, no space (exit 3).
    Host,
    /// The image is bad: checksum, decoding, layout, file system (exit 4).
    Image,
    /// ansible-playbook, or the command that was to run, failed (exit 5).
    Playbook,
    /// The teardown could not finish (exit 6).
    Teardown,
    /// A signal ended the run; its number (exit 128 + number: 130 for SIGINT, 143 for SIGTERM).
    Signal(i32),
}

impl Kind {
    /// The process exit code that stands for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Other => 1,
            Kind::Usage => 2,
            Kind::Host => 3,
            Kind::Image => 4,
            Kind::Playbook => 5,
            Kind::Teardown => 6,
            Kind::Signal(number) => 128u8.wrapping_add(number as u8),
        }
    }
}

/// A failure, ready to be shown to the user.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    hint: Option<String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// An [`Error`] on its way through a socket, with its causes in words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    kind: Kind,
    what: String,
    hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Failure {
            kind: error.kind,
            what: error.to_string(),
            hint: error.hint.clone(),
        }
    }
}

impl From<Failure> for Error {
    fn from(Failure { kind, what, hint }: Failure) -> Self {
        Error {
            kind,
            what,
            hint,
            cause: None,
        }
    }
}

/// `std::result::Result` with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind`; `what` names the path or thing concerned, without a final full stop.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Error {
            kind,
            what: what.into(),
            hint: None,
            cause: None,
        }
    }

    /// Wrong use: arguments, configuration (exit 2).
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    /// Something this host lacks or refuses (exit 3).
    pub fn host(what: impl Into<String>) -> Self {
        Self::new(Kind::Host, what)
    }

    /// A fault of the image or of its download (exit 4).
    pub fn image(what: impl Into<String>) -> Self {
        Self::new(Kind::Image, what)
    }

    /// Anything else (exit 1).
    pub fn other(what: impl Into<String>) -> Self {
        Self::new(Kind::Other, what)
    }

    /// Adds what the user can do about it. An earlier hint stays: who was nearer to the fault knows more.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// As [`hint`](Self::hint), but in place of an earlier one: for a way out that was not known nearer to the fault.
    pub fn better_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts `name` in front of what happened: the image, where a lower layer does not know it.
    pub fn of(mut self, name: &str) -> Self {
        self.what = format!("{name}: {}", self.what);
        self
    }

    /// Which kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do about it, where that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    /// What happened, then each cause after a colon, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|c| c as &dyn StdError);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {}

/// Adds what was being done, and to which path, to a lower error.
pub trait Context<T> {
    /// Wraps the error as a failure of `kind` with the message `what()`.
    ///
    /// A full disk or quota is always [`Kind::Host`] with a hint, wherever it happens.
    fn context(self, kind: Kind, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: StdError + Send + Sync + 'static> Context<T> for Result<T, E> {
    fn context(self, kind: Kind, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| {
            let mut error = Error::new(kind, what());
            if is_disk_full(&cause) {
                error.kind = Kind::Host;
                error.hint = Some("free some space on that file system, or use another one".into());
            } else if let Some(inner) = (&cause as &dyn StdError).downcast_ref::<Error>() {
                error.hint.clone_from(&inner.hint);
            }
            error.cause = Some(Box::new(cause));
            error
        })
    }
}

/// Whether `error`, or a cause of it, says that the disk or the quota is full.
fn is_disk_full(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && matches!(
                io.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        {
            return true;
        }
        if let Some(errno) = error.downcast_ref::<nix::Error>()
            && matches!(errno, nix::Error::ENOSPC | nix::Error::EDQUOT)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_always_a_fault_of_the_host() {
        let full: Result<(), io::Error> = Err(io::Error::from_raw_os_error(28));
        let error = full.context(Kind::Image, || "write /x".into()).unwrap_err();
        assert_eq!(error.kind(), Kind::Host);
        assert!(error.to_string().starts_with("write /x: "));
        assert!(error.hint_text().is_some());
    }

    #[test]
    fn the_first_hint_stays_through_every_layer() {
        let low = Error::host("no space in /x").hint("use another folder");
        let wrapped: Result<()> = Err(low).context(Kind::Image, || "cannot copy".into());
        let error = wrapped.unwrap_err().hint("try again");
        assert_eq!(error.hint_text(), Some("use another folder"));
        let sent = Error::from(Failure::from(&error));
        assert_eq!(sent.to_string(), "cannot copy: no space in /x");
        assert_eq!(sent.hint_text(), Some("use another folder"));
    }

    #[test]
    fn signals_map_to_the_shells_exit_codes() {
        assert_eq!(Kind::Signal(2).exit_code(), 130);
        assert_eq!(Kind::Signal(15).exit_code(), 143);
    }
}
