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

/// Reads all of the program's standard input.
pub async fn read_input(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut input = Vec::new();
    loop {
        let length = client.read_u32_le().await? as usize;
        if length == 0 {
            return Ok(input);
        }
        if input.len() + length > MAX_INPUT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let start = input.len();
        input.resize(start + length, 0);
        client.read_exact(&mut input[start..]).await?;
    }
}

/// Tells the program `answer`.
pub async fn reply(client: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let nothing = (0, &[][..], &[][..]);
    let (kind, (code, out, err)) = match answer {
        Answer::Pass => (PASS, nothing),
        Answer::NeedsInput => (INPUT, nothing),
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
