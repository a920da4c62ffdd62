//! Labels and identifiers as text.

/// Bytes up to the first NUL as text, without spaces at the end; `None` where nothing is left.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    let text = text.trim_end_matches([' ', '\n', '\t', '\r']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// A big-endian UUID; `None` where it is all zero.
pub(super) fn uuid(b: [u8; 16]) -> Option<String> {
    if b == [0; 16] {
        return None;
    }
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    Some(format!("{a}-{b}-{c}-{d}-{e}"))
}

/// UTF-16, little-endian, up to the first NUL; `None` where there is nothing.
pub(super) fn utf16(bytes: &[u8]) -> Option<String> {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    (!units.is_empty()).then(|| String::from_utf16_lossy(&units))
}
