//! Patterns of names of interfaces: `*` and `?`, as fnmatch(3) has them.

use super::Board;

/// Whether `pattern` matches `text`. A set in brackets is taken to match any character.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last star does not fit.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let one = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => pattern[p..]
                .iter()
                .position(|c| *c == ']')
                .map(|end| p + end + 1),
            Some(c) if *c == text[t] => Some(p + 1),
            _ => None,
        };
        match (one, star) {
            (Some(next), _) => (p, t) = (next, t + 1),
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// What the wired interface of a board may be called: by the kernel, or by udev after the device tree or the address.
pub fn interfaces(boards: &[Board]) -> Vec<&'static str> {
    let mut names = vec!["eth0", "end0"];
    if boards.contains(&Board::Pi3) {
        names.push("enxb827eb000001");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_should() {
        for (pattern, text, expected) in [
            ("eth0", "eth0", true),
            ("eth*", "eth0", true),
            ("e*0", "eth00", true),
            ("*", "", true),
            ("e?h0", "eth0", true),
            ("eth[0-9]", "eth0", true),
            ("en*", "eth0", false),
            ("eth", "eth0", false),
            ("eth0*1", "eth0", false),
            ("[", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        // Many stars take no longer.
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
    }
}
