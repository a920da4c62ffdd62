//! The device tree of a board, for a board that is QEMU's.
//!
//! Its form is in the Devicetree Specification, chapter 5.

const MAGIC: u32 = 0xd00d_feed;
// What an entry of its structure is.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOTHING: u32 = 4;

/// The chip for Bluetooth, which QEMU's boards lack. It is at the serial port that is their console: while it is in the
/// tree, the kernel keeps that port for it.
const BLUETOOTH: &[u8] = b"bluetooth";

/// Takes out what keeps the kernel from using the console. What is no device tree stays as it is: QEMU will say so.
pub fn free_console(mut tree: Vec<u8>) -> Vec<u8> {
    for (from, to) in nodes(&tree, BLUETOOTH).unwrap_or_default() {
        for word in tree[from..to].chunks_exact_mut(4) {
            word.copy_from_slice(&NOTHING.to_be_bytes());
        }
    }
    tree
}

/// Where the nodes of this name are, from the first byte to behind the last.
fn nodes(tree: &[u8], name: &[u8]) -> Option<Vec<(usize, usize)>> {
    let word = |at: usize| {
        let bytes = tree.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if word(0)? != MAGIC {
        return None;
    }
    let begin = word(8)? as usize;
    let end = begin.checked_add(word(36)? as usize)?;
    if !begin.is_multiple_of(4) || end > tree.len() {
        return None;
    }
    let (mut at, mut depth) = (begin, 0_usize);
    let mut found = Vec::new();
    // The node that is being passed over, and its depth.
    let mut open: Option<(usize, usize)> = None;
    while at < end {
        let start = at;
        let kind = word(at)?;
        at += 4;
        match kind {
            BEGIN_NODE => {
                let rest = tree.get(at..end)?;
                let length = rest.iter().position(|byte| *byte == 0)?;
                if open.is_none() && &rest[..length] == name {
                    open = Some((start, depth));
                }
                depth += 1;
                at += (length + 1).next_multiple_of(4);
            }
            END_NODE => {
                depth = depth.checked_sub(1)?;
                if let Some((from, _)) = open.filter(|(_, its)| *its == depth) {
                    found.push((from, at));
                    open = None;
                }
            }
            PROPERTY => {
                let length = word(at)? as usize;
                at = at
                    .checked_add(8)?
                    .checked_add(length.checked_next_multiple_of(4)?)?;
            }
            NOTHING => {}
            // The end.
            _ => break,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with this structure.
    fn tree(words: &[&[u8]]) -> Vec<u8> {
        let structure = words.concat();
        let mut tree = vec![0; 40];
        tree[..4].copy_from_slice(&MAGIC.to_be_bytes());
        tree[8..12].copy_from_slice(&40_u32.to_be_bytes());
        tree[36..40].copy_from_slice(&(structure.len() as u32).to_be_bytes());
        tree.extend(structure);
        tree
    }

    const BEGIN: &[u8] = &[0, 0, 0, 1];
    const END: &[u8] = &[0, 0, 0, 2];
    const TEXT: &[u8] = b"\0\0\0\x03\0\0\0\x05\0\0\0\0brcm\0\0\0\0";

    fn with_bluetooth() -> Vec<u8> {
        let before: [&[u8]; 5] = [BEGIN, b"\0\0\0\0", BEGIN, b"serial\0\0", TEXT];
        let bluetooth: [&[u8]; 6] = [BEGIN, b"bluetooth\0\0\0", TEXT, BEGIN, b"in\0\0", END];
        let after: [&[u8]; 4] = [END, END, END, &[0, 0, 0, 9]];
        tree(&[&before[..], &bluetooth[..], &after[..]].concat())
    }

    #[test]
    fn the_node_is_gone_and_all_else_stays_in_its_place() {
        let before = with_bluetooth();
        let after = free_console(before.clone());
        assert_eq!(after.len(), before.len());
        assert_eq!(nodes(&after, BLUETOOTH), Some(Vec::new()));
        assert_eq!(nodes(&after, b"serial").unwrap().len(), 1);
        // The rest is the same to the byte.
        let (from, to) = nodes(&before, BLUETOOTH).unwrap()[0];
        assert!(after[..from] == before[..from] && after[to..] == before[to..]);
        assert_eq!(free_console(b"no tree".to_vec()), b"no tree");
    }

    #[test]
    fn fuzz_device_trees() {
        let inputs = [with_bluetooth()];
        crate::fuzz::run("device-trees", &inputs, &["bluetooth\0"], |bytes| {
            free_console(bytes.to_vec()).len() - bytes.len()
                + nodes(bytes, BLUETOOTH).map_or(0, |all| all.len())
        });
    }
}
