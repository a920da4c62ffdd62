//! gzip on several processors: pieces are deflated by themselves, and follow each other in one member, as those of pigz
//! do. So every program reads it.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
};

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::ending::Encoder;

/// How much is deflated at once, in bytes. What is lost at its borders is a small part of a percent.
const PIECE: usize = 1 << 20;

/// RFC 1952: no name, no time, from a Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// An empty last block (RFC 1951): the pieces end in one that is not the last.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// A piece, and where it is wanted once it is done.
type Job = (Vec<u8>, SyncSender<Done>);

/// A piece that was deflated, with the checksum of what it was.
struct Done {
    bytes: io::Result<Vec<u8>>,
    sum: Hasher,
}

/// Packs what is written to it.
pub struct Gzip<W> {
    output: W,
    piece: Vec<u8>,
    jobs: Sender<Job>,
    /// Pieces that are worked on, in their order.
    waiting: VecDeque<Receiver<Done>>,
    most: usize,
    sum: Hasher,
    length: u64,
}

impl<W: Write> Gzip<W> {
    /// Packs into `output` with so many `threads`, which end with it.
    pub fn new(mut output: W, level: u32, threads: usize) -> io::Result<Self> {
        output.write_all(&HEADER)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = queue.clone();
            thread::Builder::new().spawn(move || work(&queue, level))?;
        }
        Ok(Gzip {
            output,
            piece: Vec::with_capacity(PIECE),
            jobs,
            waiting: VecDeque::new(),
            most: 2 * threads,
            sum: Hasher::new(),
            length: 0,
        })
    }

    /// Has the piece deflated, and writes one that is done if there are many.
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.length += piece.len() as u64;
        let (sender, receiver) = mpsc::sync_channel(1);
        self.jobs.send((piece, sender)).map_err(|_| lost())?;
        self.waiting.push_back(receiver);
        match self.waiting.len() > self.most {
            true => self.write_one(),
            false => Ok(()),
        }
    }

    fn write_one(&mut self) -> io::Result<()> {
        let Some(next) = self.waiting.pop_front() else {
            return Ok(());
        };
        let done = next.recv().map_err(|_| lost())?;
        self.sum.combine(&done.sum);
        self.output.write_all(&done.bytes?)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Encoder for Gzip<W> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.send()?;
        }
        while !self.waiting.is_empty() {
            self.write_one()?;
        }
        self.output.write_all(&LAST_BLOCK)?;
        let sum = self.sum.clone().finalize();
        self.output.write_all(&sum.to_le_bytes())?;
        // The format counts modulo 2^32.
        self.output.write_all(&(self.length as u32).to_le_bytes())?;
        self.output.flush()
    }
}

/// Deflates pieces until there are no more.
fn work(queue: &Mutex<Receiver<Job>>, level: u32) {
    loop {
        let Ok(Ok((piece, wanted))) = queue.lock().map(|queue| queue.recv()) else {
            return;
        };
        let mut sum = Hasher::new();
        sum.update(&piece);
        let bytes = deflate(&piece, level);
        // Nobody waits for it where the writing has failed.
        let _ = wanted.send(Done { bytes, sum });
    }
}

/// The piece as blocks that end at a whole byte, none of them the last.
fn deflate(piece: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(level), false);
    let mut out = Vec::with_capacity(piece.len() / 2 + 64);
    loop {
        let read = compress.total_in() as usize;
        let status = compress.compress_vec(&piece[read..], &mut out, FlushCompress::Sync)?;
        let all_read = compress.total_in() as usize == piece.len();
        // With room left nothing is waiting to be written.
        if all_read && out.len() < out.capacity() {
            return Ok(out);
        }
        if status == Status::StreamEnd {
            return Err(lost());
        }
        out.reserve(out.len() / 2 + 64);
    }
}

fn lost() -> io::Error {
    io::Error::other("a thread that packs has ended")
}
