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

    /// How much of it comes before `byte`, or all.
    pub fn until(self, byte: u8) -> usize {
        let mut length = 0;
        while self.at(length) != 0 && self.at(length) != byte {
            length += 1;
        }
        length
    }

    /// Whether it begins as `other` does, for so many bytes.
    pub fn starts_with(self, other: Text, length: usize) -> bool {
        (0..length).all(|at| self.at(at) == other.at(at))
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

    /// All of it.
    pub fn bytes(self) -> Bytes {
        Bytes {
            start: self.0,
            length: self.length(),
        }
    }

    /// Whether `word` occurs in it, as in [`Bytes::contain`].
    pub fn contains(self, word: &[u8]) -> bool {
        self.bytes().contain(word)
    }
}

/// Bytes of a text, any of which may be NUL.
#[derive(Clone, Copy)]
pub struct Bytes {
    pub start: *const u8,
    pub length: usize,
}

impl Bytes {
    pub fn at(self, index: usize) -> u8 {
        unsafe { *self.start.add(index) }
    }

    /// Whether `word`, in lower case, occurs in it, whatever the case of letters.
    pub fn contain(self, word: &[u8]) -> bool {
        self.places_of(word).next().is_some()
    }

    /// The same for a word of a program: no part of a longer one.
    pub fn have_word(self, word: &[u8]) -> bool {
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        self.places_of(word).any(|start| {
            let end = start + word.len();
            !(start > 0 && goes_on(self.at(start - 1))
                || end < self.length && goes_on(self.at(end)))
        })
    }

    fn places_of(self, word: &[u8]) -> impl Iterator<Item = usize> {
        (0..(self.length + 1).saturating_sub(word.len())).filter(move |start| {
            // A letter's lower case differs by one bit; what else that makes equal does no harm.
            (*start..).zip(word).all(|(index, byte)| {
                let found = self.at(index);
                found == *byte || (byte.is_ascii_lowercase() && found | 0x20 == *byte)
            })
        })
    }
}
