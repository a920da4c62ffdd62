//! Whether a program has a twin, and its start.

use crate::{
    bash,
    calls::Descriptor,
    dash,
    format::{
        Entry, Header, PAGE, PERL_OPTIONS, RULE_ALWAYS, RULE_BASH, RULE_DASH, RULE_GAWK,
        RULE_NAMES_RELEASE, RULE_OPENSSL, RULE_PERL, SEGMENTS, Segment,
    },
    gawk,
    kernel::{
        MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, O_RDONLY, PROT_NONE, PROT_WRITE, exists, map, unmap,
    },
    lacking, openssl, perl,
    stack::{Next, Program, Stack},
    table::Table,
    text::Text,
};

/// Set-user-id and set-group-id.
const SET_ID: u32 = 0o6000;

/// The twin of what `stack` starts, ready to run. `None`: there is none, or it would not do the same here.
pub unsafe fn find(stack: Stack, device: u64) -> Option<Next> {
    if stack.is_secure() || !surroundings_are_plain(stack) || lacking::are_in_arguments(stack) {
        return None;
    }
    let program = stack.file()?;
    let stat = program.stat().filter(|stat| stat.mode & SET_ID == 0)?;
    let table = unsafe { Table::open(device) }?;
    let next = table
        .entry(&stat)
        .filter(|_| unsafe { table.holds(&table.header().nsswitch) })
        .filter(|entry| unsafe { rule_allows(&table, entry.rule, stack) })
        .and_then(|entry| unsafe { start(&table, entry, stack) });
    match next {
        // The entry's path is on the new stack, so the table stays.
        Some(_) => program.close(),
        None => table.close(),
    }
    next
}

/// Whether the twin's loader and C library find what the program's own would: no variable that leads them to
/// other libraries (which would be the image's), no character set that is read from a library, and nothing preloaded.
fn surroundings_are_plain(stack: Stack) -> bool {
    let is_plain = |variable: Text| {
        let leads_elsewhere = variable.after(b"LD_").is_some()
            || variable.after(b"GCONV_PATH=").is_some()
            || variable.after(b"GLIBC_TUNABLES=").is_some();
        let locale = (variable.after(b"LANG="))
            .or(variable.after(b"LC_ALL="))
            .or(variable.after(b"LC_CTYPE="));
        !leads_elsewhere && locale.is_none_or(has_plain_charset)
    };
    stack.variables().all(is_plain) && unsafe { !exists(c"/etc/ld.so.preload".as_ptr().cast()) }
}

/// Whether the C library has this locale's character set built in.
fn has_plain_charset(locale: Text) -> bool {
    locale.at(0) == 0
        || locale.is(b"C")
        || locale.is(b"POSIX")
        || locale.contains(b".utf-8")
        || locale.contains(b".utf8")
}

unsafe fn rule_allows(table: &Table, rule: u32, stack: Stack) -> bool {
    match rule {
        RULE_ALWAYS => true,
        RULE_NAMES_RELEASE => names_release(stack),
        RULE_BASH => bash::is_plain(stack),
        RULE_DASH => dash::is_plain(stack),
        RULE_PERL => unsafe { perl::is_plain(table, stack) },
        RULE_GAWK => gawk::is_plain(stack),
        RULE_OPENSSL => openssl::is_plain(stack),
        // Of a newer pichroot, which cannot be.
        _ => false,
    }
}

/// Whether an argument is a kernel release, or an option that ends with one after `=`: a digit, and a dot between
/// digits. `gain=1.5` is for a module.
fn names_release(stack: Stack) -> bool {
    stack.arguments().any(|mut text| {
        let mut at = 0;
        while text.at(0) == b'-' && text.at(at) != 0 {
            if text.at(at) == b'=' {
                text = Text(unsafe { text.0.add(at + 1) });
                at = 0;
            } else {
                at += 1;
            }
        }
        let mut digits = 0;
        while text.at(digits).is_ascii_digit() {
            digits += 1;
        }
        digits > 0 && text.at(digits) == b'.' && text.at(digits + 1).is_ascii_digit()
    })
}

/// Maps the twins' ld.so, with arguments to run the twin of `entry`.
unsafe fn start(table: &Table, entry: &Entry, stack: Stack) -> Option<Next> {
    unsafe {
        let path = table.text(entry.path);
        if !exists(path) {
            return None;
        }
        let header = table.header();
        let base = load(header, table.text(header.loader_path))?;
        let program = Program {
            entry: base + header.loader_entry as usize,
            headers: base + header.loader_headers[0] as usize,
            header_count: header.loader_headers[1] as usize,
        };
        let entry_point = program.entry;
        let argv0 = stack.argument(2).0;
        let mut first = [core::ptr::null(); 7 + PERL_OPTIONS];
        let ours = [
            argv0,
            // The image's own is of other libraries.
            c"--inhibit-cache".as_ptr().cast(),
            c"--library-path".as_ptr().cast(),
            table.text(header.library_path),
            c"--argv0".as_ptr().cast(),
            argv0,
            path,
        ];
        let (start, rest) = first.split_at_mut_unchecked(ours.len());
        for (place, argument) in start.iter_mut().zip(ours) {
            *place = argument;
        }
        if entry.rule == RULE_PERL {
            perl::options(table, rest);
        }
        Some(Next {
            entry: entry_point,
            stack: stack.with_arguments(&first, 3, Some(program)),
        })
    }
}

/// Maps ld.so as the kernel would; its address.
unsafe fn load(header: &Header, path: *const u8) -> Option<usize> {
    unsafe {
        let file = Descriptor::open(path, O_RDONLY)?;
        let none = Descriptor(-1);
        let flags = MAP_PRIVATE | MAP_ANONYMOUS;
        let base = map(0, header.loader_size as usize, PROT_NONE, flags, none, 0) as usize;
        let mut complete = base != 0;
        let mut index = 0;
        while complete && index < SEGMENTS {
            let segment = &*(&raw const header.segments).cast::<Segment>().add(index);
            complete = segment.in_memory == 0 || segment_is_mapped(base, segment, file);
            index += 1;
        }
        file.close();
        if !complete && base != 0 {
            unmap(base as *const u8, header.loader_size as usize);
        }
        complete.then_some(base)
    }
}

unsafe fn segment_is_mapped(base: usize, segment: &Segment, file: Descriptor) -> bool {
    let up = |size: usize| (size + PAGE as usize - 1) & !(PAGE as usize - 1);
    let (in_file, in_memory) = (segment.in_file as usize, segment.in_memory as usize);
    let protection = segment.protection as usize;
    let at = base + segment.address as usize;
    unsafe {
        let fixed = MAP_PRIVATE | MAP_FIXED;
        if in_file > 0 && map(at, in_file, protection, fixed, file, segment.offset).is_null() {
            return false;
        }
        if in_memory > in_file {
            // The rest of the last page is the file's; only what is written to has one.
            if protection & PROT_WRITE != 0 {
                let mut byte = in_file;
                while byte < up(in_file) {
                    ((at + byte) as *mut u8).write_volatile(0);
                    byte += 1;
                }
            }
            let (start, end) = (up(in_file), up(in_memory));
            let anonymous = fixed | MAP_ANONYMOUS;
            if end > start
                && map(
                    at + start,
                    end - start,
                    protection,
                    anonymous,
                    Descriptor(-1),
                    0,
                )
                .is_null()
            {
                return false;
            }
        }
    }
    true
}
