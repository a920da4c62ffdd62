//! The processor that the boards of an entry have at least.

/// The Raspberry Pis with 64 bits, from the oldest to the newest, with qemu's name of their processor.
const BOARDS: [(&str, &str); 3] = [
    ("pi3-64bit", "cortex-a53"),
    ("pi4-64bit", "cortex-a72"),
    ("pi5-64bit", "cortex-a76"),
];

/// That of the oldest of these `devices`; `None` where one is not known, or has 32 bits.
pub fn of(devices: &[String]) -> Option<&'static str> {
    let place = |device: &String| BOARDS.iter().position(|(board, _)| board == device);
    let places: Option<Vec<usize>> = devices.iter().map(place).collect();
    Some(BOARDS[places?.into_iter().min()?].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_board_decides() {
        let of = |devices: &[&str]| of(&devices.iter().map(|&d| d.to_owned()).collect::<Vec<_>>());
        assert_eq!(
            of(&["pi5-64bit", "pi4-64bit", "pi3-64bit"]),
            Some("cortex-a53")
        );
        assert_eq!(of(&["pi5-64bit", "pi4-64bit"]), Some("cortex-a72"));
        assert_eq!(of(&["pi5-64bit"]), Some("cortex-a76"));
        for none in [&[][..], &["pi4-32bit"], &["pi5-64bit", "beagle-am67"]] {
            assert_eq!(of(none), None);
        }
    }
}
