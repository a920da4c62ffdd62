//! Reads Packer's older templates, which are JSON with Go's templates in its texts.

use serde_json::{Map, Value, value::RawValue};

use super::{
    later::Later,
    template::{Block, Field, Left, Template, Variable},
};

/// An error, with its line.
type Wrong = (usize, String);

/// Reads the text of a template; `given` are values of variables.
///
/// # Errors
/// The line, and what is wrong there.
pub fn read(text: &str, given: &[(String, String)]) -> Result<Template, Wrong> {
    let mut reader = Reader {
        text,
        environment: Vec::new(),
    };
    let whole: &RawValue =
        serde_json::from_str(text).map_err(|error| (error.line(), error.to_string()))?;
    let mut template = Template::default();
    let members = reader.object(whole)?;
    // Whatever comes before them may need them.
    for (_, value) in members.iter().filter(|(key, _)| key == "variables") {
        reader.variables(value, &mut template)?;
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
    for (name, value) in given {
        match template
            .variables
            .iter_mut()
            .find(|variable| variable.name == *name)
        {
            Some(variable) => variable.value = Some(value.as_str().into()),
            None => return Err((0, format!("there is no variable {name}, which --var sets"))),
        }
    }
    Ok(template)
}

struct Reader<'a> {
    text: &'a str,
    /// Variables, and the variables of the environment that they come from.
    environment: Vec<(String, String)>,
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

    fn variables(&mut self, value: &'a RawValue, template: &mut Template) -> Result<(), Wrong> {
        for (name, value) in self.object(value)? {
            let value: Value = serde_json::from_str(value.get()).unwrap_or_default();
            let words = value
                .as_str()
                .and_then(|text| text.trim().strip_prefix("{{")?.strip_suffix("}}"));
            let environment = match words.map(words_of).as_deref() {
                Some([env, name]) if env == "env" => Some(name.clone()),
                _ => None,
            };
            self.environment
                .extend(environment.clone().map(|variable| (name.clone(), variable)));
            template.variables.push(Variable {
                name,
                value: Some(value).filter(|value| environment.is_none() && !value.is_null()),
                environment,
                sensitive: false,
            });
        }
        Ok(())
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
            };
            let Some(kind) = block.text("type") else {
                return Err((block.line, format!("this {what} has no type")));
            };
            let name = block.text("name").unwrap_or_else(|| kind.clone());
            let fields = block.fields.into_iter();
            let fields = fields.filter(|field| field.name != "type" && field.name != "name");
            blocks.push(Block {
                fields: fields.collect(),
                kind,
                name,
                line: block.line,
            });
        }
        Ok(blocks)
    }

    /// A value whose texts are no Go templates any more.
    fn rendered(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.render(&text)),
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
    fn render(&self, text: &str) -> String {
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
                ["user", name] => self.variable(name).mark(),
                ["vault", path, field] => {
                    Later::Vault((*path).to_owned(), (*field).to_owned()).mark()
                }
                ["pwd"] => ".".to_owned(),
                _ => Later::Unknown(format!("{{{{{inner}}}}} is known to Packer alone")).mark(),
            };
            rest = behind;
        }
        out + rest
    }

    /// What stands for a variable.
    fn variable(&self, name: &str) -> Later {
        let known = self
            .environment
            .iter()
            .find(|(variable, _)| variable == name);
        match known {
            Some((_, environment)) => Later::Environment(environment.clone()),
            None => Later::Variable(name.to_owned()),
        }
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
