//! What the kernel puts on a new program's stack: the number of arguments, arguments, environment, auxiliary
//! vector (System V ABI, AMD64 supplement, "Process Initialization").

use crate::{calls::Descriptor, text::Text};

// Keys of the auxiliary vector (include/uapi/linux/auxvec.h).
const AT_NULL: usize = 0;
const AT_IGNORE: usize = 1;
const AT_EXECFD: usize = 2;
const AT_PHDR: usize = 3;
const AT_PHNUM: usize = 5;
const AT_FLAGS: usize = 8;
const AT_ENTRY: usize = 9;
const AT_SECURE: usize = 23;
const AT_EXECFN: usize = 31;

/// In AT_FLAGS: argv[2] is the program's own argv[0] (the P of binfmt_misc).
const PRESERVE_ARGV0: usize = 1;

/// Room for the frames of the functions that write a new stack.
const FRAMES: usize = 16 << 10;

/// A stack as the kernel made it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Stack(pub *const usize);

/// Where a program is in memory, for its auxiliary vector.
pub struct Program {
    pub entry: usize,
    pub headers: usize,
    pub header_count: usize,
}

/// Where to go on: an address, and the stack for it. Returned in rax and rdx.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Next {
    pub entry: usize,
    pub stack: Stack,
}

impl Stack {
    unsafe fn word(self, index: usize) -> usize {
        unsafe { *self.0.add(index) }
    }

    pub fn argument_count(self) -> usize {
        unsafe { self.word(0) }
    }

    pub fn argument(self, index: usize) -> Text {
        Text(unsafe { self.word(1 + index) } as *const u8)
    }

    /// The arguments from this one on, as the kernel takes them.
    pub fn argument_list(self, index: usize) -> *const *const u8 {
        unsafe { self.0.add(1 + index).cast() }
    }

    /// The arguments of a program that the kernel starts by this one, without its argv[0].
    pub fn arguments(self) -> impl Iterator<Item = Text> {
        (3..self.argument_count()).map(move |index| self.argument(index))
    }

    /// The environment, as the kernel takes it.
    pub fn variable_list(self) -> *const *const u8 {
        unsafe { self.0.add(2 + self.argument_count()).cast() }
    }

    /// The environment: `NAME=value` each.
    pub fn variables(self) -> impl Iterator<Item = Text> {
        let first = self.variable_list();
        (0..)
            .map(move |index| unsafe { *first.add(index) })
            .take_while(|variable| !variable.is_null())
            .map(Text)
    }

    /// Whether the environment has a variable that begins with `start`.
    pub fn has_variable(self, start: &[u8]) -> bool {
        self.variables().any(|it| it.after(start).is_some())
    }

    fn auxiliary(self) -> *const [usize; 2] {
        unsafe {
            self.variable_list()
                .add(self.variables().count() + 1)
                .cast()
        }
    }

    fn auxiliary_value(self, key: usize) -> Option<usize> {
        let mut at = self.auxiliary();
        unsafe {
            while (*at)[0] != AT_NULL {
                if (*at)[0] == key {
                    return Some((*at)[1]);
                }
                at = at.add(1);
            }
        }
        None
    }

    /// Whether this is a start by binfmt_misc: interpreter, path, argv[0], the other arguments.
    pub fn is_by_kernel(self) -> bool {
        let flags = self.auxiliary_value(AT_FLAGS).unwrap_or(0);
        self.argument_count() >= 3 && flags & PRESERVE_ARGV0 != 0
    }

    /// Whether the program has more rights than who started it.
    pub fn is_secure(self) -> bool {
        self.auxiliary_value(AT_SECURE) != Some(0)
    }

    /// The path that was started.
    pub fn executed(self) -> Option<Text> {
        self.auxiliary_value(AT_EXECFN)
            .map(|at| Text(at as *const u8))
    }

    /// The program's file, which the kernel has opened.
    pub fn file(self) -> Option<Descriptor> {
        self.auxiliary_value(AT_EXECFD)
            .map(|number| Descriptor(number as isize))
    }

    /// Writes a stack with other arguments: `first` without its nulls, and ours from `rest` on. Tells of `program`
    /// as the running one.
    pub fn with_arguments(
        self,
        first: &[*const u8],
        rest: usize,
        program: Option<Program>,
    ) -> Stack {
        unsafe {
            let auxiliary = self.auxiliary();
            let mut end = auxiliary;
            while (*end)[0] != AT_NULL {
                end = end.add(1);
            }
            let words = end.add(1).cast::<usize>().offset_from(self.0) as usize + first.len();
            let here = (&raw const words) as usize;
            let start = ((here - FRAMES - words * size_of::<usize>()) & !15) as *mut usize;
            let mut to = start.add(1);
            let mut put = |word: usize| {
                *to = word;
                to = to.add(1);
            };
            let mut count = 0;
            for argument in first {
                if !argument.is_null() {
                    put(*argument as usize);
                    count += 1;
                }
            }
            let mut from = self.0.add(1 + rest);
            count += self.argument_count() - rest;
            *start = count;
            while from < auxiliary.cast() {
                put(*from);
                from = from.add(1);
            }
            let mut pair = auxiliary;
            while pair <= end {
                let [key, value] = *pair;
                let (key, value) = match (key, &program) {
                    (AT_PHDR, Some(program)) => (key, program.headers),
                    (AT_PHNUM, Some(program)) => (key, program.header_count),
                    (AT_ENTRY, Some(program)) => (key, program.entry),
                    // It is closed by now.
                    (AT_EXECFD, Some(_)) => (AT_IGNORE, 0),
                    _ => (key, value),
                };
                put(key);
                put(value);
                pair = pair.add(1);
            }
            Stack(start)
        }
    }
}
