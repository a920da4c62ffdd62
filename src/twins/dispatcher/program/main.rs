//! The dispatcher: what the kernel starts for every program of the image.
//!
//! It is part of the emulator's own file, put there by pichroot: the kernel maps both, and starts this. Where the
//! program has a twin, it maps the twin's ld.so into the process and goes on there; else it goes on with the
//! emulator, which finds all as the kernel left it, but for two options in front of its arguments. There is no second
//! exec: credentials, descriptors, the name in `ps` and AT_EXECFN stay what the kernel made of the program.
//!
//! It is a flat piece of code that runs at any address: no writable data, nothing to relocate, so no table of
//! pointers either. build.rs compiles it.

#![no_std]
#![no_main]
// Else the compiler makes calls to strlen of what looks like it, and there is none.
#![no_builtins]

mod bash;
mod count;
mod dash;
mod file;
// Parts of it are for pichroot alone.
#[allow(dead_code)]
#[path = "../format.rs"]
mod format;
mod gawk;
mod kernel;
mod lacking;
mod openssl;
mod perl;
mod table;
mod twin;

// Parts of these are for the asker.
#[path = "../../../bare/program/ask.rs"]
mod ask;
#[allow(dead_code)]
#[path = "../../../bare/program/calls.rs"]
mod calls;
#[allow(dead_code)]
#[path = "../../../bare/message.rs"]
mod message;
#[allow(dead_code)]
#[path = "../../../bare/program/stack.rs"]
mod stack;
#[allow(dead_code)]
#[path = "../../../bare/program/text.rs"]
mod text;

use core::arch::global_asm;

use format::Settings;
use stack::{Next, Stack};

/// Filled in by pichroot; ends where [`format::ENTRY`] says.
#[unsafe(link_section = ".settings")]
#[used]
static SETTINGS: Settings = Settings {
    emulator: 0,
    device: 0,
    cpu: [0; 32],
    release: [0; 80],
};

// The kernel starts here, with the stack of the program; all other registers are free. What is started next finds
// rdx zero: a function for atexit else (System V ABI).
global_asm!(
    ".section .entry, \"ax\"",
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {decide}",
    "mov rsp, rdx",
    "xor edx, edx",
    "jmp rax",
    decide = sym decide,
);

unsafe extern "C" fn decide(stack: Stack) -> Next {
    // What the compiler sees is not what will be there.
    let settings = unsafe { (&raw const SETTINGS).read_volatile() };
    let emulator = (&raw const SETTINGS as usize).wrapping_add_signed(settings.emulator as isize);
    if !stack.is_by_kernel() {
        // Somebody starts the emulator as a program, by /proc/PID/exe.
        return Next {
            entry: emulator,
            stack,
        };
    }
    let path = stack.argument(1);
    if ask::is_wanted(path) && !stack.is_secure() {
        unsafe { ask::ask(path, stack, 2) };
    }
    let next = unsafe { twin::find(stack, settings.device) };
    unsafe { count::count(path, next.is_some(), settings.device) };
    next.unwrap_or_else(|| Next {
        entry: emulator,
        stack: with_options(stack),
    })
}

/// The emulator's options as arguments, where its environment does not have them: sudo takes that away.
fn with_options(stack: Stack) -> Stack {
    let place = &raw const SETTINGS;
    let option = |variable: &[u8], name: *const u8, value: *const u8| {
        let set = stack.has_variable(variable) || unsafe { value.read_volatile() } == 0;
        if set {
            [core::ptr::null(); 2]
        } else {
            [name, value]
        }
    };
    let (cpu, release) = unsafe {
        (
            (&raw const (*place).cpu).cast(),
            (&raw const (*place).release).cast(),
        )
    };
    let cpu = option(b"QEMU_CPU=", c"-cpu".as_ptr().cast(), cpu);
    let release = option(b"QEMU_UNAME=", c"-r".as_ptr().cast(), release);
    let prefix = match stack.has_variable(b"QEMU_LD_PREFIX=") {
        true => [core::ptr::null(); 2],
        false => [c"-L".as_ptr().cast(), format::LACKING.as_ptr().cast()],
    };
    let first = [
        stack.argument(0).0,
        cpu[0],
        cpu[1],
        release[0],
        release[1],
        prefix[0],
        prefix[1],
    ];
    stack.with_arguments(&first, 1, None)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing here can: there is no index and no arithmetic that is checked.
    loop {}
}
