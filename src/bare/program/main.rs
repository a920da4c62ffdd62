//! The asker: what the kernel starts for a program that acts on a running machine, where no dispatcher is in front of
//! it. It asks the executor, and where the program itself is to run, it starts that.
//!
//! Either binfmt_misc starts it, for the very file of the program. Then it runs a copy of that in memory, whose
//! header differs in a byte that nothing reads: else it would be started for that, too. Or it is first in `PATH` under the program's
//! name, and starts the one that comes next there.
//!
//! build.rs compiles it.

#![no_std]
#![no_main]
// Else the compiler makes calls to what copies memory, and there is none.
#![no_builtins]

mod ask;
mod calls;
mod run;
mod start;

// Parts of these are for the dispatcher, or for pichroot.
#[allow(dead_code)]
#[path = "../message.rs"]
mod message;
#[allow(dead_code)]
mod stack;
#[allow(dead_code)]
mod text;

use core::arch::global_asm;

use ask::CANNOT_RUN;
use calls::exit;
use stack::Stack;

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    start = sym start,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "b {start}",
    start = sym start,
);

unsafe extern "C" fn start(stack: Stack) -> ! {
    unsafe {
        if stack.is_by_kernel() {
            let path = stack.argument(1);
            if ask::is_wanted(path) && !stack.is_secure() {
                ask::ask(path, stack, 2);
            }
            run::copy(stack);
        } else {
            run::next(stack);
        }
    }
    exit(CANNOT_RUN)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(CANNOT_RUN)
}
