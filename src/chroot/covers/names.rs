//! What programs of the image look names up with: this machine's resolv.conf, marked, so that it is known again
//! wherever a task or a package copies it, and can be taken out of what they made of it.

use std::{fs::File, io::Read};

/// The longest resolv.conf that is looked into, in bytes.
pub const MAX_TEXT: u64 = 64 << 10;

const BEGIN: &str = "# pichroot begin ";
const BEGUN: &str = ": how the machine that provisions this image resolves names\n";
const END: &str = "# pichroot end\n";
/// So many servers the libraries take (MAXNS of resolv.h, and musl's).
const MAX_SERVERS: usize = 3;
const SERVER: &str = "nameserver";

/// This machine's resolv.conf, without comments.
pub fn of_this_machine() -> String {
    let mut text = String::new();
    if let Ok(file) = File::open("/etc/resolv.conf") {
        // What cannot be read names no server.
        let _ = file.take(MAX_TEXT).read_to_string(&mut text);
    }
    let said = |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', ';']);
    text.lines()
        .filter(said)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Whether a text names a server.
pub fn has_server(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_start().starts_with(SERVER))
}

/// `ours` between marks that tell whether somebody has changed it.
pub fn marked(ours: &str) -> String {
    let sum = crc32fast::hash(ours.as_bytes());
    format!("{BEGIN}{sum:08x}{BEGUN}{ours}{END}")
}

/// `ours` before what the image itself has, which a task may want to edit. The image's servers come too late to
/// be asked.
pub fn before(ours: &str, original: &[u8]) -> Vec<u8> {
    let mut text = ours.to_owned();
    let servers = ours.lines().filter(|line| line.starts_with(SERVER));
    let servers = servers.collect::<Vec<_>>();
    if has_server(&String::from_utf8_lossy(original)) {
        let more = servers.iter().cycle().take(MAX_SERVERS).skip(servers.len());
        text.extend(more.map(|line| format!("{line}\n")));
    }
    let mut text = marked(&text).into_bytes();
    text.extend(original);
    text
}

/// What is left of `text` without ours; `None` if nothing of ours is in it. Where somebody has changed what is
/// between the marks, only the marks go.
pub fn without_ours(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text
        .split_inclusive(|&byte| byte == b'\n')
        .collect::<Vec<_>>();
    let mut left = Vec::new();
    let mut found = false;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let Some(sum) = line.strip_prefix(BEGIN.as_bytes()) else {
            left.extend(*line);
            continue;
        };
        found = true;
        let Some(length) = lines[at..].iter().position(|line| is_end(line)) else {
            continue;
        };
        let body = lines[at..at + length].concat();
        if !sum.starts_with(format!("{:08x}", crc32fast::hash(&body)).as_bytes()) {
            left.extend(body);
        }
        at += length + 1;
    }
    found.then_some(left)
}

fn is_end(line: &[u8]) -> bool {
    line.trim_ascii_end() == END.trim_end().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const HOST: &str = "nameserver 192.0.2.1\nsearch example.org\n";
    const OWN: &str = "# own\nnameserver 198.51.100.1\nsearch own";

    #[test]
    fn what_a_task_adds_stays_and_ours_goes() {
        let text = before(HOST, OWN.as_bytes());
        assert_eq!(without_ours(&text).unwrap(), OWN.as_bytes());
        let text = String::from_utf8(text).unwrap();
        let edited = format!("first\n{text}\nlast\n");
        assert_eq!(
            without_ours(edited.as_bytes()).unwrap(),
            format!("first\n{OWN}\nlast\n").as_bytes()
        );
        // As lineinfile does, where the image has no server of its own.
        let changed = marked(HOST).replace("nameserver 192.0.2.1", "nameserver 203.0.113.1");
        assert_eq!(
            without_ours(changed.as_bytes()).unwrap(),
            b"nameserver 203.0.113.1\nsearch example.org\n"
        );
        assert_eq!(without_ours(marked(HOST).as_bytes()).unwrap(), b"");
        assert_eq!(without_ours(OWN.as_bytes()), None);
    }

    #[test]
    fn the_servers_of_the_image_are_not_asked() {
        let text = String::from_utf8(before(HOST, OWN.as_bytes())).unwrap();
        let servers = text.lines().filter(|line| line.starts_with(SERVER));
        let first = servers.take(MAX_SERVERS).collect::<BTreeSet<_>>();
        assert_eq!(first, BTreeSet::from(["nameserver 192.0.2.1"]));
        assert_eq!(before(HOST, b""), marked(HOST).as_bytes());
    }

    #[test]
    fn torn_marks_go_too() {
        let begin = format!("{BEGIN}00000000{BEGUN}");
        assert_eq!(
            without_ours(format!("a\n{begin}b\n").as_bytes()).unwrap(),
            b"a\nb\n"
        );
        assert_eq!(without_ours(b"# pichroot begin"), None);
    }
}
