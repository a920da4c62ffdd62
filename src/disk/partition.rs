//! Partitions and their table, of either kind.

use serde::{Deserialize, Serialize};

/// Which kind of partition table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// Master boot record, with logical partitions.
    Dos,
    /// GUID partition table.
    Gpt,
}

/// What a partition says it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartitionType {
    /// The type byte of a dos partition, such as `0x0c`.
    Dos(u8),
    /// The type GUID of a gpt partition, in lower case.
    Gpt(String),
}

/// The number of what is no partition, but all of a disk.
pub const WHOLE: u32 = 0;

/// What messages call partition `number`.
pub fn called(number: u32) -> String {
    match number {
        WHOLE => "the whole image".into(),
        number => format!("partition {number}"),
    }
}

/// One partition. Extended partitions, which only hold others, are not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Linux' number: `N` of `/dev/mmcblk0pN`. Logical partitions count from 5. [`WHOLE`] where there is no table.
    pub number: u32,
    /// Where it begins, in bytes from the start of the image.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// What it says it holds.
    #[serde(rename = "type")]
    pub type_: PartitionType,
    /// The PARTUUID as Linux writes it: `0123abcd-01` (dos), a GUID in lower case (gpt).
    pub uuid: Option<String>,
    /// The PARTLABEL (gpt only).
    pub name: Option<String>,
}

/// The partition table of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Which kind it is.
    pub kind: TableKind,
    /// The disk identifier: eight hexadecimal digits (dos) or a GUID (gpt), in lower case.
    pub disk_id: String,
    /// The partitions by rising number.
    pub partitions: Vec<Partition>,
}
