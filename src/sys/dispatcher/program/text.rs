//! Strings that end with NUL.

/// A string of the kernel's, or of a table's.
#[derive(Clone, Copy)]
pub struct Text(pub *const u8);

impl Text {
    pub fn at(self, index: usize) -> u8 {
        unsafe { *self.0.add(index) }
    }

    pub fn length(self) -> usize {
        let mut length = 0;
        while self.at(length) != 0 {
            length += 1;
        }
        length
    }

    /// What follows `prefix`, if it begins with that.
    pub fn after(self, prefix: &[u8]) -> Option<Text> {
        let mut index = 0;
        for byte in prefix {
            if self.at(index) != *byte {
                return None;
            }
            index += 1;
        }
        Some(Text(unsafe { self.0.add(index) }))
    }

    pub fn is(self, other: &[u8]) -> bool {
        self.after(other).is_some_and(|rest| rest.at(0) == 0)
    }

    /// What follows the last slash.
    pub fn file_name(self) -> Text {
        let (mut index, mut start) = (0, 0);
        while self.at(index) != 0 {
            index += 1;
            if self.at(index - 1) == b'/' {
                start = index;
            }
        }
        Text(unsafe { self.0.add(start) })
    }

    /// Whether `word` occurs in it, whatever the case of letters; `word` is in lower case.
    pub fn contains(self, word: &[u8]) -> bool {
        unsafe { contains(self.0, self.length(), word) }
    }
}

/// Whether `word`, in lower case, occurs in `length` bytes.
pub unsafe fn contains(text: *const u8, length: usize, word: &[u8]) -> bool {
    let mut start = 0;
    while start + word.len() <= length {
        let mut same = true;
        for (index, byte) in (start..).zip(word) {
            let found = unsafe { *text.add(index) };
            // A letter's lower case differs by one bit; what else that makes equal does no harm.
            same &= found == *byte || (byte.is_ascii_lowercase() && found | 0x20 == *byte);
        }
        if same {
            return true;
        }
        start += 1;
    }
    false
}
