//! The known word most like a wrong one, for hints.

/// The word of `known` nearest to `word`, unless all are too far to be what was meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 3;
    known
        .iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
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
    }
}
