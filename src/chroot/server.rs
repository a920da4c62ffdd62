//! Serving clients: one connection, one request at a time; a client that goes away takes its command
//! along.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener as StdListener},
    sync::Arc,
};

use tokio::net::{UnixListener, UnixStream};

use super::{
    exec::{self, Chroot},
    files,
    living::server::Living,
    plan::Report,
    protocol::{Ask, Reply, Request, VERSION},
    target::{facts, machine::Target},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::FirstBoot,
    sys::{children::Children, frame},
};

/// Serves `listener` for ever, and programs of the image as `living`; commands get `environment` and nothing else, and find
/// `target`. Tells `tell` when clients
/// can come, when the first one has, and what commands left running.
pub fn serve(
    listener: StdListener,
    environment: Vec<(String, String)>,
    (living, target): (Option<(Living, StdListener)>, Target),
    tell: impl Fn(&Report) -> Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let failed = || "cannot serve the executor's socket".to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(Kind::Host, failed)?;
    runtime.block_on(async {
        listener.set_nonblocking(true).context(Kind::Host, failed)?;
        let listener = UnixListener::from_std(listener).context(Kind::Host, failed)?;
        let children = Children::reap()?;
        let living = match living {
            Some((living, socket)) => {
                living.serve(socket, children.clone())?;
                Some(living)
            }
            None => None,
        };
        let chroot = Chroot::new(environment, children, (living, target), Box::new(tell));
        let chroot = Arc::new(chroot);
        chroot.tell(&Report::Ready);
        loop {
            let (client, _) = listener.accept().await.context(Kind::Host, failed)?;
            let chroot = chroot.clone();
            tokio::spawn(async move {
                // A client that breaks off has nobody to be told about it.
                let _ = attend(&client, &chroot).await;
            });
        }
    })
}

/// One client until it goes.
async fn attend(client: &UnixStream, chroot: &Arc<Chroot>) -> io::Result<()> {
    let mut incoming = frame::Incoming::default();
    loop {
        let message = frame::receive_async(client, &mut incoming).await?;
        let Some((message, fds)): Option<(serde_json::Value, _)> = message else {
            return Ok(());
        };
        let reply = match understand(message) {
            Err(why) => Reply::Refused { code: 126, why },
            Ok(Ask::Exec(exec)) => {
                match exec::run(chroot, exec, fds, client, &mut incoming).await? {
                    Some(reply) => reply,
                    None => return Ok(()),
                }
            }
            Ok(Ask::Put(put)) => with_one(fds, |fd| files::put(put, fd)).await,
            Ok(Ask::Fetch(fetch)) => with_one(fds, |fd| files::fetch(fetch, fd)).await,
            Ok(Ask::Warm(warm)) => {
                if let Some(file) = fds.into_iter().next() {
                    chroot.zygotes.warm(warm, file.into()).await;
                }
                Reply::Done {}
            }
            Ok(Ask::Reset {}) => {
                chroot.zygotes.reset().await;
                Reply::Done {}
            }
            Ok(Ask::Board(name)) => {
                let living = chroot.living.clone();
                beside(chroot, move |target| match target.become_board(&name) {
                    Ok(()) => {
                        living.iter().for_each(Living::has_device_tree);
                        Reply::Done {}
                    }
                    Err(error) => Reply::Refused {
                        code: 1,
                        why: with_hint(&error),
                    },
                })
                .await
            }
            Ok(Ask::Facts(gathered)) => {
                beside(chroot, move |target| {
                    Reply::Facts(facts::on(target, gathered))
                })
                .await
            }
            Ok(Ask::FirstBoot {}) => Reply::FirstBoot(match &chroot.living {
                Some(living) => living.finish().await.map_err(|error| (&error).into()),
                None => Ok(FirstBoot::default()),
            }),
            // The command has ended meanwhile.
            Ok(Ask::Cancel {}) => continue,
        };
        frame::send(client, &reply, &[])?;
    }
}

/// Reads files of the image, beside everything else.
async fn beside(
    chroot: &Arc<Chroot>,
    work: impl FnOnce(&Target) -> Reply + Send + 'static,
) -> Reply {
    let target = chroot.target.clone();
    let done = tokio::task::spawn_blocking(move || work(&target)).await;
    done.unwrap_or_else(|panic| Reply::Refused {
        code: 1,
        why: panic.to_string(),
    })
}

fn with_hint(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// Reads a request, of this version.
fn understand(message: serde_json::Value) -> Result<Ask, String> {
    let version = message.get("version").and_then(|v| v.as_u64());
    if version != Some(VERSION.into()) {
        let theirs = version.map_or("another".to_owned(), |v| v.to_string());
        return Err(format!(
            "the executor speaks version {VERSION}, the client {theirs}"
        ));
    }
    let request: Request = serde_json::from_value(message).map_err(|e| e.to_string())?;
    Ok(request.ask)
}

/// Does slow work with a file, beside everything else.
async fn with_one(
    fds: Vec<OwnedFd>,
    work: impl FnOnce(OwnedFd) -> io::Result<()> + Send + 'static,
) -> Reply {
    let Some(fd) = fds.into_iter().next() else {
        return Reply::Refused {
            code: 1,
            why: "there is no descriptor".into(),
        };
    };
    let done = tokio::task::spawn_blocking(move || work(fd)).await;
    match done.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
        Ok(()) => Reply::Done {},
        Err(error) => Reply::Refused {
            code: 1,
            why: error.to_string(),
        },
    }
}
