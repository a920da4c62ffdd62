//! Passing on what ansible-playbook prints, without secrets.

use std::io::{self, Write};

use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver};

use crate::secrets::redact::Redactor;

/// Copies `from` to `to` until its end, through `redactor`; what cannot be part of a secret is
/// passed on at once, so that prompts appear.
///
/// When `to` is gone, what comes is still read: the writer must not hang.
pub async fn relay(
    mut from: Receiver,
    mut to: impl Write,
    mut redactor: Redactor,
) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    let mut shown = Vec::new();
    loop {
        let count = from.read(&mut chunk).await?;
        shown.clear();
        match count {
            0 => redactor.finish(&mut shown),
            n => redactor.push(&chunk[..n], &mut shown),
        }
        let _ = to.write_all(&shown).and_then(|()| to.flush());
        if count == 0 {
            return Ok(());
        }
    }
}
