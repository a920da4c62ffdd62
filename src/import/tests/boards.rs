//! The board files of packer-builder-arm, in form.

use super::{hcl, json};
use crate::shape::new::{Declared, Part, Plan};

/// In the form of each file of its folder `boards`; the addresses are others.
const BOARDS: &str = include_str!("boards.txt");

/// A board file: a line of [`BOARDS`].
struct Board {
    name: &'static str,
    method: &'static str,
    archive: &'static str,
    checksum: &'static str,
    label: &'static str,
    size: &'static str,
    partitions: Vec<[&'static str; 5]>,
}

impl Board {
    fn all() -> Vec<Self> {
        let lines = BOARDS.lines().filter(|line| !line.starts_with('#'));
        lines.map(Board::read).collect()
    }

    fn read(line: &'static str) -> Self {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap();
        Board {
            name: word(),
            method: word(),
            archive: word(),
            checksum: word(),
            label: word(),
            size: word(),
            partitions: words
                .map(|part| {
                    let fields = part.split(':').map(|field| field.trim_matches('-'));
                    fields.collect::<Vec<_>>().try_into().unwrap()
                })
                .collect(),
        }
    }

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

    fn partition(part: &[&str; 5], colon: &str, end: &str) -> String {
        let [start, kind, fs, size, at] = part;
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
    let boards = Board::all();
    assert_eq!(boards.len(), 25);
    for board in boards {
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
            let new = image.get("new").cloned();
            assert_eq!(new.is_some(), board.method == "new", "{}", board.name);
            if let Some(new) = new {
                let declared: Declared = serde_yaml::from_value(new).unwrap();
                let plan = Plan::new(&declared).unwrap();
                let sectors = |part: &Part| (part.start / 512).to_string();
                let starts: Vec<_> = plan.parts.iter().map(sectors).collect();
                let theirs: Vec<_> = board.partitions.iter().map(|part| part[0]).collect();
                assert_eq!(starts, theirs, "{}", board.name);
            }
            assert!(made.left().is_empty(), "{:?}", made.left());
        }
    }
}
