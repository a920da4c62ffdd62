//! Running the program itself, from the asker.

use core::mem::MaybeUninit;

use crate::{
    ask,
    calls::{Descriptor, MFD_CLOEXEC, MFD_EXEC},
    stack::Stack,
    start::{execute, execute_file, is_program},
    text::Text,
};

/// Where an ELF header tells the kind of system, which the kernel does not look at; both values are Linux.
const EI_OSABI: usize = 7;
const SYSTEM_V: u8 = 0;
const GNU: u8 = 3;

/// The longest path, in bytes.
const PATH: usize = 4096;

/// Runs a copy of the program that binfmt_misc started us for. Returns if it cannot.
pub unsafe fn copy(stack: Stack) {
    unsafe {
        let Some(program) = stack.file() else {
            return;
        };
        let name = stack.argument(1).file_name();
        let Some(copy) = Descriptor::in_memory(name.0, MFD_CLOEXEC | MFD_EXEC) else {
            return;
        };
        let mut kind = GNU;
        if copy.take_from(program)
            && copy.read_at(&raw mut kind, 1, EI_OSABI)
            && copy.write_at(if kind == GNU { &SYSTEM_V } else { &GNU }, 1, EI_OSABI)
        {
            program.close();
            execute_file(copy, stack.argument_list(2), stack.variable_list());
            // Where an emulator runs it, that finds the copy by its number.
            copy.keep();
            execute_file(copy, stack.argument_list(2), stack.variable_list());
        }
    }
}

/// Runs the program that comes next in `PATH` after us. Returns if there is none.
pub unsafe fn next(stack: Stack) {
    unsafe {
        let Some(own) = stack.executed() else {
            return;
        };
        let name = own.file_name();
        let set = stack.variables().find_map(|it| it.after(b"PATH="));
        let usual = Text(c"/usr/sbin:/usr/bin:/sbin:/bin".as_ptr().cast());
        let mut folders = set.unwrap_or(usual);
        let mut place = MaybeUninit::<[u8; PATH]>::uninit();
        let path = place.as_mut_ptr().cast::<u8>();
        while folders.at(0) != 0 {
            let length = folders.until(b':');
            let is_ours = own.starts_with(folders, length) && own.0.add(length + 1) == name.0;
            if folders.at(0) == b'/' && !is_ours && length + name.length() + 2 <= PATH {
                join(path, folders, length, name);
                if is_program(path) {
                    if ask::is_wanted(Text(path)) && !stack.is_secure() {
                        ask::ask(Text(path), stack, 0);
                    }
                    execute(path, stack.argument_list(0), stack.variable_list());
                }
            }
            let more = folders.at(length) != 0;
            folders = Text(folders.0.add(length + more as usize));
        }
    }
}

/// Writes the path of `name` in a folder, with a NUL at its end.
unsafe fn join(to: *mut u8, folder: Text, length: usize, name: Text) {
    unsafe {
        let mut at = 0;
        while at < length {
            to.add(at).write_volatile(folder.at(at));
            at += 1;
        }
        to.add(length).write_volatile(b'/');
        at = 0;
        while at <= name.length() {
            to.add(length + 1 + at).write_volatile(name.at(at));
            at += 1;
        }
    }
}
