//! What pichroot.yml says of a new image, as it is written.

use serde::{Deserialize, Deserializer, de::Error as _};

/// The section `image.new`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The size of the image, such as `4G`.
    #[serde(deserialize_with = "size")]
    pub size: String,
    /// `dos` or `gpt`.
    #[serde(default)]
    pub table: Table,
    /// The partitions, in their order on the disk.
    pub partitions: Vec<Partition>,
}

/// The kind of partition table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// A master boot record: what older Pis want.
    #[default]
    Dos,
    /// A GUID partition table.
    Gpt,
}

/// One partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Partition {
    /// Its size; that of the last one may be left out, and is then what is left.
    #[serde(deserialize_with = "maybe_size")]
    pub size: Option<String>,
    /// Where it begins, if not behind the one before.
    #[serde(deserialize_with = "maybe_size")]
    pub start: Option<String>,
    /// What is made in it.
    pub filesystem: FileSystem,
    /// The file system's label.
    pub label: Option<String>,
    /// Where the machine mounts it.
    pub mount: Option<String>,
    /// Its type, as sfdisk takes it; what suits the file system if it is left out.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its name, in a gpt.
    pub name: Option<String>,
    /// Whether it is marked as bootable.
    pub bootable: bool,
    /// Further arguments for the program that makes the file system.
    pub options: Vec<String>,
}

/// What is made in a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // each is named after itself
pub enum FileSystem {
    Ext2,
    Ext3,
    #[default]
    Ext4,
    Vfat,
    Btrfs,
    Xfs,
    F2fs,
    Swap,
    /// Nothing.
    None,
}

/// A size, which may be a plain number.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let wrong = || D::Error::custom("size has to be given, such as 4G");
    maybe_size(deserializer)?.ok_or_else(wrong)
}

fn maybe_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    use serde_yaml::Value::{Null, Number, String};
    match serde_yaml::Value::deserialize(deserializer)? {
        Null => Ok(None),
        String(text) => Ok(Some(text)),
        Number(number) => Ok(Some(number.to_string())),
        _ => Err(D::Error::custom(
            "size and start have to be sizes, such as 256M",
        )),
    }
}
