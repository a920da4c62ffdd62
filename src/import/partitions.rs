//! A new image: `image_partitions` becomes `image.new`.

use serde_json::{Map, Value, json};

use super::template::{Block, Left, Template};

/// What `start_sector` counts, in bytes.
const SECTOR: u64 = 512;
/// Types of a dos table that suit what is made in the partition.
const SUIT: [&str; 2] = ["83", "c"];
/// Types of a gpt as sgdisk calls them: that of Linux, which suits, and those that sfdisk has a letter for.
const SGDISKS: [(&str, &str); 4] = [("8300", ""), ("ef00", "U"), ("8200", "S"), ("0700", "")];

/// `image.new` of a source whose image is made of an archive of files. What of it is not known is told in `left`.
pub fn new(source: &Block, template: &Template, left: &mut Vec<Left>) -> Option<Value> {
    let line = source.line_of("image_build_method");
    let mut all = Vec::new();
    // HCL has a block for each, JSON a list.
    for field in source
        .fields
        .iter()
        .filter(|field| field.name == "image_partitions")
    {
        let list = match &field.value {
            Ok(Value::Array(list)) => list.clone(),
            Ok(one) => vec![one.clone()],
            // Why it has no value is told with all fields.
            Err(_) => return None,
        };
        all.extend(list.into_iter().map(|one| (field.line, one)));
    }
    let mut now = |name| template.text_now(source, name, left);
    let (size, table) = (now("image_size"), now("image_type").unwrap_or("dos".into()));
    let Some(size) = size.filter(|_| !all.is_empty()) else {
        let why = "write size and partitions as image.new into pichroot.yml";
        left.push(Left::new(line, "image_build_method \"new\"", why));
        return None;
    };
    let mut partitions = Vec::new();
    for (line, partition) in all {
        match one(&partition, &table, template) {
            Ok(partition) => partitions.push(Value::Object(partition)),
            Err(why) => {
                left.push(Left::new(line, "image_partitions", why));
                return None;
            }
        }
    }
    Some(json!({"size": size, "table": table, "partitions": partitions}))
}

fn one(declared: &Value, table: &str, template: &Template) -> Result<Map<String, Value>, String> {
    let text = |name: &str| -> Result<Option<String>, String> {
        let text = match &declared[name] {
            Value::Null => return Ok(None),
            Value::String(text) => template.now(text)?,
            other => other.to_string(),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    let mut partition = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        partition.extend(value.map(|value| (key.to_owned(), value.into())));
    };
    put("size", text("size")?.filter(|size| size != "0"));
    if let Some(start) = text("start_sector")?.filter(|start| start != "0") {
        let sectors: Option<u64> = start.parse().ok();
        let bytes = sectors.and_then(|sectors| sectors.checked_mul(SECTOR));
        let bytes = bytes.ok_or_else(|| format!("start_sector {start} is no number of sectors"))?;
        put("start", Some(bytes.to_string()));
    }
    put(
        "filesystem",
        text("filesystem")?.map(|kind| match kind.as_str() {
            "fat" | "fat12" | "fat16" | "fat32" => "vfat".into(),
            _ => kind,
        }),
    );
    put("mount", text("mountpoint")?);
    let kind = text("type")?.map(|kind| kind.to_lowercase());
    let known = SGDISKS
        .iter()
        .find(|(theirs, _)| Some(*theirs) == kind.as_deref());
    put(
        "type",
        match (table, known) {
            ("gpt", Some((_, ours))) => Some((*ours).to_owned()).filter(|ours| !ours.is_empty()),
            ("dos", _) => kind.filter(|kind| !SUIT.contains(&kind.as_str())),
            _ => kind,
        },
    );
    if table == "gpt" {
        put("name", text("name")?);
    }
    let options = declared["filesystem_make_options"].as_array();
    if let Some(options) = options.filter(|options| !options.is_empty()) {
        let words = options.iter().filter_map(Value::as_str);
        let words = words
            .map(|word| template.now(word))
            .collect::<Result<Vec<_>, _>>()?;
        partition.insert("options".into(), words.into());
    }
    Ok(partition)
}
