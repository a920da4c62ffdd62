//! What QEMU tells of its machine (docs/interop/qmp-spec.rst of QEMU).

use std::{io, os::unix::net::UnixStream as StdStream};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    task::JoinHandle,
};

/// Without this QEMU tells nothing.
const BEGIN: &[u8] = b"{\"execute\": \"qmp_capabilities\"}\n";

/// What is told, as far as it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    event: String,
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    reason: String,
}

/// Listens until QEMU is gone; why the machine ended, in QEMU's words, if it told.
pub fn listen(ours: StdStream) -> io::Result<JoinHandle<Option<String>>> {
    ours.set_nonblocking(true)?;
    let stream = UnixStream::from_std(ours)?;
    Ok(tokio::spawn(reason(stream)))
}

async fn reason(stream: UnixStream) -> Option<String> {
    let (from, mut to) = stream.into_split();
    // It may be gone by now, with something told before.
    let _ = to.write_all(BEGIN).await;
    let mut lines = BufReader::new(from).lines();
    let mut reason = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let told: Told = serde_json::from_str(&line).unwrap_or_default();
        if told.event == "SHUTDOWN" {
            reason = Some(told.data.reason);
        }
    }
    reason
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_reason_is_heard() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let said = |text: &str| {
            runtime.block_on(async {
                let (ours, mut theirs) = StdStream::pair().unwrap();
                let heard = listen(ours).unwrap();
                theirs.write_all(text.as_bytes()).unwrap();
                drop(theirs);
                heard.await.unwrap()
            })
        };
        let reset = "{\"QMP\": {\"version\": {}}}\r\n{\"return\": {}}\r\n{\"timestamp\": {\"seconds\": 1}, \
                     \"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\r\n";
        assert_eq!(said(reset).as_deref(), Some("guest-reset"));
        assert_eq!(said("nonsense\n"), None);
    }
}
