//! Reading what programs ask, and writing what they are told. They may be anything.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::{
    call::{Answer, Call},
    real::Real,
};
use crate::bare::message::{INPUT, MAGIC, PASS, Reply, Request, SAID};

/// The longest path, in bytes (PATH_MAX).
const MAX_PATH: u32 = 4096;
/// The most that arguments and environment may be, in bytes.
const MAX_STRINGS: u32 = 1 << 20;
/// The most that is read of a standard input, in bytes.
const MAX_INPUT: usize = 8 << 20;

/// Reads a call, of these user and group.
pub async fn read(
    client: &mut UnixStream,
    (user, group): (u32, u32),
    real: Real,
) -> io::Result<Call> {
    let mut numbers = [0; size_of::<Request>() / 4];
    for number in &mut numbers {
        *number = client.read_u32_le().await?;
    }
    let [magic, arguments, folder, path, strings] = numbers;
    let head = Request {
        magic,
        arguments,
        folder,
        path,
        strings,
    };
    let too_long = head.folder.max(head.path) > MAX_PATH || head.strings > MAX_STRINGS;
    if head.magic != MAGIC || too_long {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = vec![0; (head.folder + head.path + head.strings) as usize];
    client.read_exact(&mut text).await?;
    let (folder, rest) = text.split_at(head.folder as usize);
    let (path, strings) = rest.split_at(head.path as usize);
    let mut strings = strings.split(|b| *b == 0);
    let words: Vec<_> = strings.by_ref().take(head.arguments as usize).collect();
    let args = words.into_iter().skip(1).map(|word| {
        // The tools look at words; what is none of these is for the program itself.
        let word = std::str::from_utf8(word).map(str::to_owned);
        word.map_err(|_| io::ErrorKind::InvalidData.into())
    });
    let args = args.collect::<io::Result<_>>()?;
    let cwd = match folder.starts_with(b"/") {
        true => PathBuf::from(OsStr::from_bytes(folder)),
        // It is out of reach.
        false => "/".into(),
    };
    Ok(Call {
        program: OsStr::from_bytes(path).into(),
        args,
        cwd,
        environment: strings.filter_map(variable).collect(),
        user,
        group,
        stdin: None,
        real,
    })
}

fn variable(text: &[u8]) -> Option<(OsString, OsString)> {
    let equals = text.iter().position(|b| *b == b'=')?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    let own = |bytes| OsStr::from_bytes(bytes).to_owned();
    (!name.is_empty()).then(|| (own(name), own(value)))
}

/// Reads all of the program's standard input; none if it is too long.
pub async fn read_input(client: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut input = Vec::new();
    loop {
        let length = client.read_u32_le().await? as usize;
        if length == 0 {
            return Ok(Some(input));
        }
        if input.len() + length > MAX_INPUT {
            return Ok(None);
        }
        let start = input.len();
        input.resize(start + length, 0);
        client.read_exact(&mut input[start..]).await?;
    }
}

/// Tells the program `answer`, with what was read of its standard input.
pub async fn reply(client: &mut UnixStream, answer: &Answer, input: &[u8]) -> io::Result<()> {
    let nothing = &[][..];
    let (kind, (code, out, err)) = match answer {
        Answer::Pass => (PASS, (0, input, nothing)),
        Answer::NeedsInput => (INPUT, (0, nothing, nothing)),
        Answer::Said { code, out, err } => (SAID, (*code, &out[..], &err[..])),
    };
    let head = Reply {
        kind,
        code: code.into(),
        out: out.len() as u32,
        err: err.len() as u32,
    };
    let head = [head.kind, head.code, head.out, head.err].map(u32::to_le_bytes);
    let head = head.concat();
    client.write_all(&[&head[..], out, err].concat()).await
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What comes of these bytes, after which the program is gone.
    async fn understood(bytes: &[u8]) -> io::Result<Call> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let sent = async {
            let mut theirs = theirs;
            // We may have stopped listening.
            let _ = theirs.write_all(bytes).await;
        };
        let (call, ()) = tokio::join!(read(&mut ours, (7, 8), Real::default()), sent);
        call
    }

    fn request(head: [u32; 4], text: &str) -> Vec<u8> {
        let head = head.map(u32::to_le_bytes).concat();
        [&MAGIC.to_le_bytes()[..], &head, text.as_bytes()].concat()
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_call_is_what_the_program_was_started_with() {
        let text = "/etc/usr/sbin/rebootname\0-f\0\0A=b=c\0B=\0odd\0";
        let call = now(understood(&request([3, 4, 16, 22], text))).unwrap();
        assert_eq!((call.name(), call.user, call.group), ("reboot", 7, 8));
        assert_eq!(call.args, ["-f", ""]);
        assert_eq!(call.cwd, Path::new("/etc"));
        let pair = |name: &str, value: &str| (name.into(), value.into());
        assert_eq!(call.environment, [pair("A", "b=c"), pair("B", "")]);
    }

    #[test]
    fn what_is_no_call_is_an_error() {
        for bytes in [
            Vec::new(),
            b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            request([1, 0, 6, 2], "reboo"),
            request([1, u32::MAX, 0, 0], ""),
            request([1, 0, MAX_PATH + 1, 0], ""),
            request([1, 0, 0, MAX_STRINGS + 1], ""),
            [request([2, 0, 2, 4], "rba\0"), b"\xff\0".to_vec()].concat(),
        ] {
            assert!(now(understood(&bytes)).is_err(), "{bytes:?}");
        }
        // More arguments than there are.
        let call = now(understood(&request([u32::MAX, 0, 1, 2], "aa\0"))).unwrap();
        assert!(call.args.iter().all(String::is_empty), "{call:?}");
    }

    #[test]
    fn input_ends_where_the_program_says_so_and_has_a_limit() {
        let read = |pieces: &[(u32, &[u8])]| {
            let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            let pieces: Vec<_> = pieces
                .iter()
                .map(|(n, b)| [&n.to_le_bytes(), *b].concat())
                .collect();
            std::io::Write::write_all(&mut ours, &pieces.concat()).unwrap();
            drop(ours);
            now(async {
                theirs.set_nonblocking(true).unwrap();
                read_input(&mut UnixStream::from_std(theirs).unwrap()).await
            })
        };
        assert_eq!(
            read(&[(3, b"abc"), (1, b"\n"), (0, b"")]).unwrap().unwrap(),
            b"abc\n"
        );
        // Killed in the middle.
        assert!(read(&[(3, b"abc")]).is_err());
        assert!(read(&[(3, b"a")]).is_err());
        assert!(read(&[(MAX_INPUT as u32 + 1, b"")]).unwrap().is_none());
    }
}
