//! Reads Packer's older templates, which are JSON with Go's templates in its texts.

use std::path::Path;

use serde_json::{Map, Value, value::RawValue};

use super::{
    later::Later,
    template::{Block, Field, Left, Template, Variable},
    wanted::{Given, Wrong},
};

/// How many variables are in one another at most.
const DEPTH: usize = 8;

/// The longest text that is made, in bytes.
const LIMIT: usize = 1 << 20;

/// Reads the text of a template in `folder`; `given` are values of variables.
///
/// # Errors
/// The line, and what is wrong there.
pub fn read(text: &str, folder: &Path, given: &[Given]) -> Result<Template, Wrong> {
    let mut reader = Reader {
        text,
        folder,
        variables: Vec::new(),
    };
    let whole: &RawValue =
        serde_json::from_str(text).map_err(|error| (error.line(), error.to_string()))?;
    let mut template = Template::default();
    let members = reader.object(whole)?;
    // Whatever comes before them may need them.
    for (_, value) in members.iter().filter(|(key, _)| key == "variables") {
        for (name, value) in reader.object(value)? {
            let value = serde_json::from_str(value.get()).unwrap_or_default();
            reader.variables.push((name, value));
        }
    }
    for given in given {
        let mut variables = reader.variables.iter_mut();
        match variables.find(|(name, _)| *name == given.name) {
            Some((_, value)) => *value = given.value.clone(),
            None => given.unknown()?,
        }
    }
    template.variables = reader.rendered_variables();
    for given in given {
        let mut variables = template.variables.iter_mut();
        if let Some(variable) = variables.find(|variable| variable.name == given.name) {
            variable.set(given);
        }
    }
    for (key, value) in members {
        match key.as_str() {
            "variables" => {}
            "builders" => template.sources = reader.blocks(value, "builder")?,
            "provisioners" => template.provisioners = reader.blocks(value, "provisioner")?,
            "post-processors" => template.after = reader.blocks(value, "post-processor")?,
            "sensitive-variables" => {
                let names: Vec<String> = serde_json::from_str(value.get()).unwrap_or_default();
                for variable in &mut template.variables {
                    variable.sensitive |= names.contains(&variable.name);
                }
            }
            "description" | "min_packer_version" => {}
            other if other.starts_with('_') => {}
            other => {
                let left = Left::new(reader.line(value), other, "nothing here is like it");
                template.left.push(left);
            }
        }
    }
    Ok(template)
}

struct Reader<'a> {
    text: &'a str,
    /// The template's folder.
    folder: &'a Path,
    /// Variables as they are written.
    variables: Vec<(String, Value)>,
}

impl<'a> Reader<'a> {
    /// The line that a value begins on: it is a part of the text.
    fn line(&self, value: &RawValue) -> usize {
        let at = value.get().as_ptr() as usize - self.text.as_ptr() as usize;
        1 + self.text[..at].matches('\n').count()
    }

    /// The members of an object, in their order.
    fn object(&self, value: &'a RawValue) -> Result<Vec<(String, &'a RawValue)>, Wrong> {
        let members: Members<'a> = serde_json::from_str(value.get())
            .map_err(|_| (self.line(value), "this has to be an object".to_owned()))?;
        Ok(members.0)
    }

    fn list(&self, value: &'a RawValue) -> Result<Vec<&'a RawValue>, Wrong> {
        serde_json::from_str(value.get())
            .map_err(|_| (self.line(value), "this has to be a list".to_owned()))
    }

    fn rendered_variables(&self) -> Vec<Variable> {
        let variables = self
            .variables
            .iter()
            .map(|(name, _)| self.variable(name, DEPTH));
        variables.flatten().collect()
    }

    /// The variable `name`, which may be made of others.
    fn variable(&self, name: &str, depth: usize) -> Option<Variable> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        Some(Variable {
            name: name.to_owned(),
            value: match value {
                Value::Null => None,
                Value::String(text) => Some(self.render(text, depth).into()),
                other => Some(other.clone()),
            },
            sensitive: false,
            in_file: false,
        })
    }

    /// Builders, provisioners or post-processors. Post-processors may be in lists of their own, or only named.
    fn blocks(&self, value: &'a RawValue, what: &str) -> Result<Vec<Block>, Wrong> {
        let mut blocks = Vec::new();
        for item in self.list(value)? {
            if item.get().starts_with('[') {
                blocks.extend(self.blocks(item, what)?);
                continue;
            }
            if let Ok(kind) = serde_json::from_str::<String>(item.get()) {
                blocks.push(Block {
                    name: kind.clone(),
                    kind,
                    line: self.line(item),
                    fields: Vec::new(),
                    of: Vec::new(),
                });
                continue;
            }
            let mut fields = Vec::new();
            for (name, value) in self.object(item)? {
                let line = self.line(value);
                let value: Value =
                    serde_json::from_str(value.get()).map_err(|error| (line, error.to_string()))?;
                fields.push(Field {
                    name,
                    line,
                    value: Ok(self.rendered(value)),
                });
            }
            let block = Block {
                kind: String::new(),
                name: String::new(),
                line: self.line(item),
                fields,
                of: Vec::new(),
            };
            let Some(kind) = block.text("type") else {
                return Err((block.line, format!("this {what} has no type")));
            };
            let name = block.text("name").unwrap_or_else(|| kind.clone());
            let fields = block.fields.iter();
            let fields = fields.filter(|field| field.name != "type" && field.name != "name");
            blocks.push(Block {
                fields: fields.cloned().collect(),
                kind,
                name,
                ..block
            });
        }
        Ok(blocks)
    }

    /// A value whose texts are no Go templates any more.
    fn rendered(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.render(&text, DEPTH)),
            Value::Array(values) => values
                .into_iter()
                .map(|value| self.rendered(value))
                .collect(),
            Value::Object(map) => {
                let map = map
                    .into_iter()
                    .map(|(key, value)| (key, self.rendered(value)));
                Value::Object(map.collect::<Map<_, _>>())
            }
            other => other,
        }
    }

    /// A text with what stands for each `{{...}}` in it.
    fn render(&self, text: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inner, behind)) = after.split_once("}}") else {
                break;
            };
            out += before;
            let words = words_of(inner);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            out += &match words.as_slice() {
                ["user", name] => self.mark(name, depth),
                ["env", name] => Later::Environment((*name).to_owned()).mark(),
                ["vault", path, field] => {
                    Later::Vault((*path).to_owned(), (*field).to_owned()).mark()
                }
                ["pwd"] => ".".to_owned(),
                ["template_dir"] => self.folder.display().to_string(),
                _ => {
                    let what = format!("{{{{{inner}}}}} cannot be computed here");
                    Later::Unknown(what).mark()
                }
            };
            if out.len() > LIMIT {
                return Later::Unknown("this becomes too long".into()).mark();
            }
            rest = behind;
        }
        out + rest
    }

    /// What stands for a variable.
    fn mark(&self, name: &str, depth: usize) -> String {
        let variable = match depth {
            0 => Err(format!("the variable {name} is made of too many others")),
            depth => self
                .variable(name, depth - 1)
                .ok_or_else(|| format!("there is no variable {name}")),
        };
        variable.map_or_else(|why| Later::Unknown(why).mark(), |variable| variable.mark())
    }
}

/// The members of an object; the usual maps do not keep their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

/// The words of a Go template, quotes of either kind taken off.
fn words_of(inner: &str) -> Vec<String> {
    let words = inner.split_whitespace();
    words
        .map(|word| word.trim_matches(['`', '"']).to_owned())
        .collect()
}
