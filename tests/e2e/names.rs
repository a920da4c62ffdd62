//! What the image's programs take their disk and this machine for, and what of that they write into the image.

use crate::{ended::Ended, image::Image, live::Live, scene::Scene};

/// A kernel without drivers, so that making its initramfs takes no longer than it has to.
const INITRAMFS: &str = r#"- shell: |
    set -e
    V=6.1.0-1-arm64
    mkdir -p /lib/modules/$V
    touch /boot/vmlinuz-$V
    echo CONFIG_RD_GZIP=y >/boot/config-$V
    sed -i 's/^COMPRESS=.*/COMPRESS=gzip/' /etc/initramfs-tools/initramfs.conf
    update-initramfs -c -k $V >/root/said 2>&1 || { cat /root/said; exit 1; }
    lsinitramfs /boot/initrd.img-$V >/root/listing
"#;

fn ansible(scene: &Scene) -> Ended {
    Live::start(&mut scene.ansible()).end()
}

fn warnings(ended: &Ended) -> usize {
    let said =
        "warning: an initramfs was made with MODULES=most in place of the image's MODULES=dep";
    ended.err.matches(said).count()
}

/// As the stock image of Raspberry Pi OS has it; Debian's installer writes the same into a file of its own.
#[test]
fn an_initramfs_for_one_machine_is_made_for_all() {
    let dep =
        "- copy: {dest: /etc/initramfs-tools/conf.d/driver-policy, content: \"MODULES=dep\\n\"}\n";
    let scene = Scene::with_tasks(&format!("{dep}{INITRAMFS}"));
    let ended = ansible(&scene);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(warnings(&ended), 1, "{ended:?}");
    let image = Image::new(&scene.output());
    assert_eq!(image.list("/etc/initramfs-tools/conf.d"), ["driver-policy"]);
    let listing = image.cat("/root/listing");
    let has = |name: &str| listing.lines().any(|line| line == name);
    assert!(has("conf/conf.d/driver-policy"), "{listing}");
    assert!(!listing.contains("pichroot"), "{listing}");
    scene.assert_left(&["out.img"]);
}
