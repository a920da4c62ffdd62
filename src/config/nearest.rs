//! The known word most like a wrong one, for hints.

/// The word of `known` nearest to `word`, unless all are too far to be what was meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 3;
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters have to be inserted, removed or replaced to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_find_theirs() {
        let known = ["source", "checksum", "output", "layout"];
        assert_eq!(nearest("soruce", &known), Some("source"));
        assert_eq!(nearest("chekcsum", &known), Some("checksum"));
        assert_eq!(nearest("ouput", &known), Some("output"));
        assert_eq!(nearest("grow", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
