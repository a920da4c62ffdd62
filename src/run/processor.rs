//! The processor that programs of an image see, by what a catalogue says of its boards.

use crate::chroot::target::board::KINDS;

/// That of the oldest of these `devices`; `None` where one is not known, or has 32 bits.
pub fn of(devices: &[String]) -> Option<&'static str> {
    // From the oldest to the newest.
    let place = |device: &String| {
        KINDS
            .iter()
            .position(|kind| format!("{}-64bit", kind.name) == *device)
    };
    let places: Option<Vec<usize>> = devices.iter().map(place).collect();
    Some(KINDS[places?.into_iter().min()?].cpu.qemu)
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
