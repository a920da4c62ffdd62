//! The board files of packer-builder-arm, in form.

use super::{hcl, json};

/// A board file of packer-builder-arm: how it is built, what is fetched, its checksum, and the partitions, each with its
/// start, type, file system, size and mount point.
struct Board {
    name: &'static str,
    method: &'static str,
    archive: &'static str,
    checksum: &'static str,
    label: &'static str,
    size: &'static str,
    partitions: &'static [(
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    )],
}

type Partitions = &'static [(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
)];

/// One partition from this sector.
const fn board(
    name: &'static str,
    method: &'static str,
    archive: &'static str,
    checksum: &'static str,
    size: &'static str,
    partitions: Partitions,
) -> Board {
    Board {
        name,
        method,
        archive,
        checksum,
        label: "dos",
        size,
        partitions,
    }
}

const ROOT_2048: Partitions = &[("2048", "83", "ext4", "0", "/")];
const ROOT_4096: Partitions = &[("4096", "83", "ext4", "0", "/")];
const ROOT_8192: Partitions = &[("8192", "83", "ext4", "0", "/")];
const ROOT_24576: Partitions = &[("24576", "83", "ext4", "12G", "/")];
const PI: Partitions = &[
    ("8192", "c", "vfat", "256M", "/boot"),
    ("532480", "83", "ext4", "0", "/"),
];
const PI_ARCH: Partitions = &[
    ("2048", "c", "vfat", "256M", "/boot"),
    ("526336", "83", "ext4", "0", "/"),
];
const PI_TMP: Partitions = &[
    ("8192", "c", "vfat", "256M", "/boot-tmp"),
    ("532480", "83", "ext4", "0", "/"),
];
const UBUNTU: Partitions = &[
    ("2048", "c", "fat", "256M", "/boot/firmware"),
    ("526336", "83", "ext4", "2.8G", "/"),
];
const ROCK: Partitions = &[
    ("64", "c", "fat", "3.9M", ""),
    ("16384", "c", "fat", "4M", ""),
    ("24576", "c", "fat", "4M", ""),
    ("32768", "c", "fat", "512M", "/boot"),
    ("1081344", "83", "ext4", "3.2G", "/"),
];

/// In the form of each file of its folder `boards`; the addresses are others.
const BOARDS: [Board; 25] = [
    board(
        "armv7/alpine",
        "new",
        "tar.gz",
        "sha256-url",
        "4G",
        ROOT_4096,
    ),
    board(
        "armv7/archlinuxarm-docker",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        ROOT_4096,
    ),
    board(
        "armv8/archlinuxarm-docker",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        ROOT_4096,
    ),
    board(
        "bananapi-r1/archlinuxarm",
        "reuse",
        "img.gz",
        "md5-url",
        "4G",
        &[
            ("8192", "c", "vfat", "56M", "/boot"),
            ("122880", "83", "ext4", "3.7G", "/"),
        ],
    ),
    board(
        "beaglebone-black/angstrom",
        "reuse",
        "img.xz",
        "sha256",
        "4G",
        &[
            ("63", "c", "vfat", "79.6M", "/boot"),
            ("147456", "83", "ext4", "0", "/"),
        ],
    ),
    board(
        "beaglebone-black/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        ROOT_2048,
    ),
    board(
        "beaglebone-black/debian",
        "reuse",
        "img.xz",
        "sha256",
        "4G",
        ROOT_8192,
    ),
    board(
        "beaglebone-black/ubuntu",
        "resize",
        "img.xz",
        "sha256",
        "6G",
        ROOT_8192,
    ),
    board(
        "jetson-nano/ubuntu",
        "reuse",
        "zip",
        "md5",
        "12G",
        ROOT_24576,
    ),
    board(
        "odroid-u3/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        ROOT_4096,
    ),
    board(
        "odroid-xu4/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        ROOT_4096,
    ),
    board(
        "odroid-xu4/ubuntu",
        "reuse",
        "img.xz",
        "md5sum-url",
        "2G",
        &[
            ("2048", "c", "vfat", "128M", "/boot"),
            ("264192", "83", "ext4", "0", "/"),
        ],
    ),
    board(
        "parallella/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        &[
            ("2048", "b", "fat", "400M", "/boot-tmp"),
            ("821248", "83", "ext4", "0", "/"),
        ],
    ),
    board(
        "parallella/ubuntu",
        "reuse",
        "img.gz",
        "sha256-url",
        "4G",
        &[
            ("2048", "b", "fat", "100M", "/boot"),
            ("206848", "83", "ext4", "0", "/"),
        ],
    ),
    board(
        "raspberry-pi-3/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        PI_ARCH,
    ),
    board(
        "raspberry-pi-3/raspios-lite-arm64",
        "reuse",
        "zip",
        "sha256-url",
        "2G",
        PI,
    ),
    board(
        "raspberry-pi-4/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        PI_ARCH,
    ),
    board(
        "raspberry-pi-4/ubuntu-json",
        "reuse",
        "img.xz",
        "sha256-url",
        "3.1G",
        UBUNTU,
    ),
    board(
        "raspberry-pi-4/ubuntu-hcl",
        "reuse",
        "img.xz",
        "sha256-url",
        "3.1G",
        UBUNTU,
    ),
    board(
        "raspberry-pi/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        PI_TMP,
    ),
    board(
        "raspberry-pi/raspbian-resize",
        "resize",
        "zip",
        "sha256-url",
        "6G",
        PI,
    ),
    board(
        "raspberry-pi/raspbian",
        "reuse",
        "zip",
        "sha256-url",
        "2G",
        PI,
    ),
    board(
        "raspberry-pi/raspios-lite-arm",
        "reuse",
        "zip",
        "sha256-url",
        "2G",
        PI,
    ),
    Board {
        label: "gpt",
        ..board(
            "rock-4b/debos-radxa",
            "reuse",
            "img.xz",
            "sha256",
            "3.8G",
            ROCK,
        )
    },
    board(
        "wandboard/archlinuxarm",
        "new",
        "tar.gz",
        "md5-url",
        "2G",
        ROOT_8192,
    ),
];

impl Board {
    /// Its fields, each with its value in JSON, which HCL reads as well.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let text = |text: &str| serde_json::to_string(text).unwrap();
        let address = format!("http://h.example/{}.{}", self.name, self.archive);
        let ending = self.archive.rsplit('.').next().unwrap();
        let mut fields = vec![("file_urls", format!("[{}]", text(&address)))];
        match self.checksum.strip_suffix("-url") {
            Some(kind) => {
                fields.push(("file_checksum_url", text(&format!("{address}.{kind}"))));
                fields.push(("file_checksum_type", text(kind)));
            }
            None => {
                let digits = if self.checksum == "md5" { 32 } else { 64 };
                fields.push(("file_checksum", text(&"a".repeat(digits))));
                fields.push(("file_checksum_type", text(self.checksum)));
            }
        }
        fields.extend([
            ("file_target_extension", text(ending)),
            (
                "file_unarchive_cmd",
                text("bsdtar -xpf $ARCHIVE_PATH -C $MOUNTPOINT")
                    .replace(' ', "\", \"")
                    .replacen('"', "[\"", 1)
                    + "]",
            ),
            ("image_build_method", text(self.method)),
            (
                "image_path",
                text(&format!("{}.img", self.name.replace('/', "-"))),
            ),
            ("image_size", text(self.size)),
            ("image_type", text(self.label)),
            (
                "image_chroot_env",
                "[\"PATH=/usr/local/bin:/usr/bin:/bin\"]".to_owned(),
            ),
            ("qemu_binary_source_path", text("/usr/bin/qemu-arm-static")),
            (
                "qemu_binary_destination_path",
                text("/usr/bin/qemu-arm-static"),
            ),
        ]);
        fields
    }

    fn partition(part: &(&str, &str, &str, &str, &str), colon: &str, end: &str) -> String {
        let (start, kind, fs, size, at) = part;
        let fields = [
            ("name", "x"),
            ("type", kind),
            ("start_sector", start),
            ("filesystem", fs),
            ("size", size),
            ("mountpoint", at),
        ];
        let quote = if colon == ":" { "\"" } else { "" };
        let fields = fields.map(|(key, value)| format!("{quote}{key}{quote} {colon} \"{value}\""));
        fields.join(end)
    }

    fn json(&self) -> String {
        let fields = self
            .fields()
            .into_iter()
            .map(|(key, value)| format!("    \"{key}\": {value}"));
        let partitions = self
            .partitions
            .iter()
            .map(|part| format!("{{{}}}", Self::partition(part, ":", ", ")));
        let partitions = partitions.collect::<Vec<_>>().join(", ");
        format!(
            "{{\n  \"variables\": {{}},\n  \"builders\": [{{\n    \"type\": \"arm\",\n{},\n    \"image_partitions\": [{partitions}]\n  }}],\n  \
             \"provisioners\": [\n    {{\"type\": \"shell\", \"inline\": [\"touch /test\"]}}\n  ],\n  \"post-processors\": []\n}}\n",
            fields.collect::<Vec<_>>().join(",\n")
        )
    }

    fn hcl(&self) -> String {
        let fields = self
            .fields()
            .into_iter()
            .map(|(key, value)| format!("  {key} = {value}\n"));
        let partitions = self.partitions.iter();
        let partitions = partitions.map(|part| {
            format!(
                "  image_partitions {{\n{}\n  }}\n",
                Self::partition(part, "=", "\n")
            )
        });
        format!(
            "source \"arm\" \"x\" {{\n{}{}}}\nbuild {{\n  sources = [\"source.arm.x\"]\n  provisioner \"shell\" {{\n    inline = [\"touch /test\"]\n  }}\n}}\n",
            fields.collect::<String>(),
            partitions.collect::<String>()
        )
    }
}

#[test]
fn every_board_file_in_form() {
    for board in BOARDS {
        for made in [json(&board.json()), hcl(&board.hcl())] {
            let image = &made.yaml("pichroot.yml")["image"];
            let address = format!("http://h.example/{}.{}", board.name, board.archive);
            assert_eq!(image["source"], address.as_str());
            let checksum = match board.checksum.strip_suffix("-url") {
                Some(kind) => format!("file:{address}.{kind}"),
                None => format!(
                    "{}:{}",
                    board.checksum,
                    "a".repeat(if board.checksum == "md5" { 32 } else { 64 })
                ),
            };
            assert_eq!(image["checksum"], checksum.as_str(), "{}", board.name);
            assert_eq!(
                image["output"],
                format!("{}.img", board.name.replace('/', "-")).as_str()
            );
            let grows = image.get("grow").is_some();
            assert_eq!(grows, board.method == "resize", "{}", board.name);
            let tasks = &made.yaml("t.yml")[0]["tasks"];
            assert!(tasks[0]["ansible.builtin.script"].as_str().is_some());
            // Only an image that is made of an archive has no counterpart.
            let left = made.left();
            assert_eq!(left.len(), usize::from(board.method == "new"), "{left:?}");
        }
    }
}
