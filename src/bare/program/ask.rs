//! Asking the executor, for programs that act on a running machine.

use core::mem::MaybeUninit;

use crate::{
    calls::{Descriptor, exit, folder},
    message::{INPUT, MAGIC, REAL, Reply, Request, SAID, SOCKET},
    stack::Stack,
    text::Text,
};

/// Those programs, one a line.
const NAMES: &[u8] = include_bytes!("../../chroot/living/tools/names.txt");

/// The longest folder that the kernel tells, in bytes.
const FOLDER: usize = 4096;
/// The code of a shell for what it cannot run.
pub const CANNOT_RUN: u32 = 126;
/// What is passed on at once, in bytes.
const PIECE: usize = 4096;

/// `struct sockaddr_un`.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

static ADDRESS: Address = Address {
    family: 1,
    path: SOCKET,
};

/// Whether the program at `path` is one of those, where distributions have it.
pub fn is_wanted(path: Text) -> bool {
    let name = path.file_name();
    let below = path.after(b"/usr").unwrap_or(path);
    let folder = below.after(b"/sbin/").or(below.after(b"/bin/"));
    folder.is_some_and(|rest| rest.0 == name.0) && is_named(name)
}

fn is_named(name: Text) -> bool {
    let (mut at, mut same) = (0, true);
    for byte in NAMES {
        if *byte == b'\n' {
            if same && at > 0 && name.at(at) == 0 {
                return true;
            }
            (at, same) = (0, true);
        } else {
            // It has not ended as long as all was the same.
            same = same && name.at(at) == *byte;
            at += 1;
        }
    }
    false
}

/// Asks about the program at `path`, whose arguments are those of `stack` from `first` on. Returns if the program itself
/// is to run; else it has said what it has to, and this process ends.
// Its buffers must not be in the frame of who writes the new stack.
#[inline(never)]
pub unsafe fn ask(path: Text, stack: Stack, first: usize) {
    let marker = REAL.as_bytes();
    if stack.variables().any(|it| it.after(marker).is_some()) {
        return;
    }
    let address = (&raw const ADDRESS).cast();
    unsafe {
        let Some(executor) = Descriptor::connect(address, size_of::<Address>()) else {
            return;
        };
        if request(executor, path, stack, first) {
            let mut reply = MaybeUninit::<Reply>::uninit();
            let at = reply.as_mut_ptr();
            while executor.read_all(at.cast(), size_of::<Reply>()) {
                match (*at).kind {
                    INPUT => give_input(executor),
                    SAID => say(executor, &*at),
                    _ => {
                        get_back(executor, (*at).out as usize);
                        break;
                    }
                }
            }
        }
        executor.close();
    }
}

unsafe fn request(executor: Descriptor, path: Text, stack: Stack, first: usize) -> bool {
    unsafe {
        let mut here = MaybeUninit::<[u8; FOLDER]>::uninit();
        let here = here.as_mut_ptr().cast::<u8>();
        let folder = folder(here, FOLDER).saturating_sub(1);
        // The kernel puts all of these strings one after another.
        let start = stack.argument(first).0;
        let last = stack.argument(stack.argument_count() - 1);
        let last = stack.variables().last().unwrap_or(last);
        let end = last.0.add(last.length() + 1);
        if end <= start {
            return false;
        }
        let request = Request {
            magic: MAGIC,
            arguments: (stack.argument_count() - first) as u32,
            folder: folder as u32,
            path: path.length() as u32,
            strings: end.offset_from(start) as u32,
        };
        executor.send_all((&raw const request).cast(), size_of::<Request>())
            && executor.send_all(here, folder)
            && executor.send_all(path.0, request.path as usize)
            && executor.send_all(start, request.strings as usize)
    }
}

/// Sends what is on standard input. Where the executor does not want all of it, its answer comes all the same.
unsafe fn give_input(executor: Descriptor) {
    unsafe {
        let mut piece = MaybeUninit::<[u8; PIECE]>::uninit();
        let at = piece.as_mut_ptr().cast::<u8>();
        loop {
            let length = Descriptor(0).read(at, PIECE);
            let head = length as u32;
            let sent = executor.send_all((&raw const head).cast(), size_of::<u32>())
                && executor.send_all(at, length);
            if !sent || length == 0 {
                return;
            }
        }
    }
}

/// Makes what was read of standard input the standard input again.
unsafe fn get_back(executor: Descriptor, length: usize) {
    if length == 0 {
        return;
    }
    unsafe {
        let input = Descriptor::in_memory(c"input".as_ptr().cast(), 0);
        let complete = input.is_some_and(|input| {
            pass_on(executor, input, length) && input.rewind() && input.replace(0)
        });
        if !complete {
            // Without it the program would do something else.
            exit(CANNOT_RUN);
        }
    }
}

unsafe fn say(executor: Descriptor, reply: &Reply) -> ! {
    unsafe {
        pass_on(executor, Descriptor(1), reply.out as usize);
        pass_on(executor, Descriptor(2), reply.err as usize);
    }
    exit(reply.code)
}

/// Whether all of it came through. On its outputs it is not missed by whoever closed them.
unsafe fn pass_on(from: Descriptor, to: Descriptor, mut length: usize) -> bool {
    unsafe {
        let mut piece = MaybeUninit::<[u8; PIECE]>::uninit();
        let at = piece.as_mut_ptr().cast::<u8>();
        while length > 0 {
            let got = from.read(at, if length < PIECE { length } else { PIECE });
            if got == 0 || !to.write_all(at, got) {
                return false;
            }
            length -= got;
        }
        true
    }
}
