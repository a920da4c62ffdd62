//! Bytes as people and file names have them.

/// Two lower-case digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `text` with each `%XX`, as addresses have them, replaced by the byte it stands for.
pub fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn percent_signs_that_stand_for_nothing_stay() {
        let decoded = |text| String::from_utf8(super::percent_decode(text)).unwrap();
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%é%+1%41"), "%zz%é%+1A");
    }

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(super::hex(&[0, 0x0a, 0xff]), "000aff");
    }
}
