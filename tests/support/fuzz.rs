//! A fuzz loop: inputs are changed again and again, and what had an outcome that was new is changed further.
//!
//! It needs no other compiler, so each reader of hostile data has a test that calls [`run`], beside its other tests, with
//! `fuzz` in its name. `make test` gives each a moment, `make fuzz` minutes. The same seed makes the same inputs.

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{Write, stderr},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::sys::resource::{Resource, setrlimit};

/// How long each test is to go on, in seconds.
const SECONDS: &str = "PICHROOT_FUZZ_SECONDS";

/// The seed; without it, the same in every run.
const SEED: &str = "PICHROOT_FUZZ_SEED";

/// What `make test` takes for each.
const MOMENT: Duration = Duration::from_secs(1);

/// An input that takes longer is a fault, also on a machine that has other things to do.
const SLOW: Duration = Duration::from_secs(20);

/// What a reader may use, in bytes: a small input has no reason to take more.
const MEMORY: u64 = 8 << 30;

/// Values that are often a limit.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// Has `read` read changed `inputs` until the time is over; `words` are put in here and there. What `read` returns tells
/// outcomes apart: an error's text, or what was found.
///
/// # Panics
/// With the input in a file, when `read` panics or takes too long.
pub fn run<T: Hash>(name: &str, inputs: &[Vec<u8>], words: &[&str], read: impl Fn(&[u8]) -> T) {
    let number = |variable| std::env::var(variable).ok()?.parse::<u64>().ok();
    let time = number(SECONDS).map(Duration::from_secs);
    let seed = number(SEED).unwrap_or(1);
    let folder = folder();
    let last = folder.join(format!("{name}-last"));
    if time.is_some() {
        // Each test is a process of its own then.
        setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).expect("a limit may be lowered");
    }
    let mut known = HashSet::new();
    let mut inputs = inputs.to_vec();
    // Larger ones would take the time of many, and say no more.
    let largest = 4096 + 2 * inputs.iter().map(Vec::len).max().unwrap_or_default();
    for input in &inputs {
        known.insert(outcome(name, input, &read));
    }
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (start, mut rounds) = (Instant::now(), 0_u64);
    while start.elapsed() < time.unwrap_or(MOMENT) {
        let mut input = inputs[dice.below(inputs.len())].clone();
        for _ in 0..=dice.below(4) {
            let other = &inputs[dice.below(inputs.len())];
            change(&mut input, other, words, &mut dice);
        }
        input.truncate(largest);
        if time.is_some() {
            // What kills this process leaves it.
            fs::write(&last, &input).expect("a file");
        }
        if known.insert(outcome(name, &input, &read)) && inputs.len() < 4096 {
            inputs.push(input);
        }
        rounds += 1;
    }
    let _ = fs::remove_file(&last);
    let done = format!(
        "{name}: {rounds} inputs, {} outcomes, seed {seed}\n",
        known.len()
    );
    stderr().write_all(done.as_bytes()).expect("standard error");
}

/// What tells the outcome of reading `input` from others.
fn outcome<T: Hash>(name: &str, input: &[u8], read: &impl Fn(&[u8]) -> T) -> u64 {
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| read(input)));
    let took = start.elapsed();
    let keep = || {
        let path = folder().join(format!("{name}-{}", std::process::id()));
        fs::write(&path, input).expect("a file");
        path
    };
    let Ok(result) = result else {
        panic!("{name} panics at the input in {}", keep().display());
    };
    assert!(
        took < SLOW,
        "{name} takes {took:?} for the input in {}",
        keep().display()
    );
    let mut hasher = DefaultHasher::new();
    result.hash(&mut hasher);
    hasher.finish()
}

/// Where inputs are kept: beside the test program.
fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program");
    let folder = program.with_file_name("fuzz");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// One change.
fn change(input: &mut Vec<u8>, other: &[u8], words: &[&str], dice: &mut Dice) {
    if input.is_empty() {
        input.push(dice.byte());
    }
    let (from, to) = dice.range(input);
    match dice.below(12) {
        0 => input[from] ^= 1 << dice.below(8),
        1 => input[from] = dice.byte(),
        2 | 3 => put_edge(input, dice),
        4 => {
            input.drain(from..to);
        }
        5 => {
            let noise: Vec<u8> = (0..dice.below(16)).map(|_| dice.byte()).collect();
            input.splice(from..from, noise);
        }
        6 => {
            let copy = input[from..to].to_vec();
            let at = dice.below(input.len());
            input.splice(at..at, copy);
        }
        7 => {
            let copy = input[from..to].to_vec();
            let at = dice.below(input.len() - copy.len() + 1);
            input[at..at + copy.len()].copy_from_slice(&copy);
        }
        8 if !other.is_empty() => {
            let (from, to) = dice.range(other);
            let at = dice.below(input.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        9 if !words.is_empty() => {
            let word = words[dice.below(words.len())];
            input.splice(from..from, word.bytes());
        }
        10 => put_number(input, dice),
        _ if dice.below(8) == 0 => input.truncate(from),
        _ => input[from] = input[from].wrapping_add(1),
    }
}

/// Writes a value that is often a limit, as a field of some width.
fn put_edge(input: &mut [u8], dice: &mut Dice) {
    let (at, _) = dice.range(input);
    let near = [0, 1, u64::MAX][dice.below(3)];
    let value = EDGES[dice.below(EDGES.len())].wrapping_add(near);
    let bytes = match dice.below(2) {
        0 => value.to_le_bytes().to_vec(),
        _ => value.to_be_bytes().to_vec(),
    };
    let width = 1 << dice.below(4);
    let field = match value.to_be_bytes() == bytes[..] {
        true => &bytes[8 - width..],
        false => &bytes[..width],
    };
    for (place, byte) in input[at..].iter_mut().zip(field) {
        *place = *byte;
    }
}

/// Replaces a number that is written in digits.
fn put_number(input: &mut Vec<u8>, dice: &mut Dice) {
    let (at, _) = dice.range(input);
    let Some(start) = input[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = at + start;
    let digits = input[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    let value = EDGES[dice.below(EDGES.len())].to_string();
    input.splice(start..end, value.into_bytes());
}

/// Marsaglia's xorshift: enough to change bytes by.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        ((self.next() >> 16) % limit.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 24) as u8
    }

    /// A part of `input`, mostly a short one, that is not empty. Rather where something is than among zeros.
    fn range(&mut self, input: &[u8]) -> (usize, usize) {
        let length = input.len();
        let mut from = self.below(length);
        for _ in 0..self.below(64) {
            if input[from] != 0 {
                break;
            }
            from = self.below(length);
        }
        let most = match self.below(8) {
            0 => length,
            _ => 32,
        };
        let size = 1 + self.below(most);
        (from, length.min(from + size))
    }
}
