//! A template as it was read, in either of its languages.

use serde_json::Value;

use super::later::{Later, Piece, fill, pieces};

/// What is left to do by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The line in the template that it is about, counted from 1.
    pub line: usize,
    /// What it is, why, and what to do.
    pub text: String,
}

impl Left {
    /// What is not translated, and why.
    pub fn new(line: usize, what: impl AsRef<str>, why: impl AsRef<str>) -> Self {
        let text = format!("{} is not translated: {}", what.as_ref(), why.as_ref());
        Left { line, text }
    }

    /// A file that is not where the template says; `path` is from the folder of what is written.
    pub fn missing(line: usize, what: &str, path: &str) -> Self {
        let text = format!("there is no {what} {path}: correct its path in the new playbook");
        Left { line, text }
    }
}

/// A variable of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<Value>,
    /// The variable of the environment that it comes from.
    pub environment: Option<String>,
    /// Whether it is not to be seen.
    pub sensitive: bool,
}

/// A field of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// Its value, or why it has none.
    pub value: Result<Value, String>,
}

/// A source, a provisioner or a post-processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// What it is: `arm`, `shell`.
    pub kind: String,
    /// How the template calls it.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// What it holds.
    pub fields: Vec<Field>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Template {
    /// The variables.
    pub variables: Vec<Variable>,
    /// The sources, or builders.
    pub sources: Vec<Block>,
    /// The provisioners, in their order.
    pub provisioners: Vec<Block>,
    /// The post-processors.
    pub after: Vec<Block>,
    /// What is of no use already now.
    pub left: Vec<Left>,
}

impl Block {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The text of the field called `name`; `None` where there is none, or it has no value.
    pub fn text(&self, name: &str) -> Option<String> {
        text_of(self.field(name)?.value.as_ref().ok()?)
    }

    /// The texts of the field called `name`, which may be one.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let value = self.field(name).and_then(|field| field.value.as_ref().ok());
        match value {
            Some(Value::Array(values)) => values.iter().filter_map(text_of).collect(),
            Some(value) => text_of(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The line of the field called `name`, or else its own.
    pub fn line_of(&self, name: &str) -> usize {
        self.field(name).map_or(self.line, |field| field.line)
    }
}

/// What says of a provisioner how it is run, and not what it does.
const HOW: &[&str] = &[
    "pause_before",
    "max_retries",
    "timeout",
    "keep_inventory_file",
];

/// Whether this is a field of every provisioner that says nothing here.
pub fn known(name: &str) -> bool {
    HOW.contains(&name)
}

/// A plain value as text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

impl Template {
    /// The value of a variable, as text.
    pub fn value_of(&self, name: &str) -> Option<String> {
        let variable = self
            .variables
            .iter()
            .find(|variable| variable.name == name)?;
        text_of(variable.value.as_ref()?)
    }

    /// `text` with the values that variables have now; or why that cannot be.
    pub fn now(&self, text: &str) -> Result<String, String> {
        fill(text, |later| match later {
            Later::Variable(name) => self.value_of(name).ok_or_else(|| later.to_string()),
            other => Err(other.to_string()),
        })
    }

    /// The variables in `text`.
    pub fn variables_in(text: &str) -> Vec<String> {
        let names = pieces(text).into_iter().filter_map(|piece| match piece {
            Piece::Later(Later::Variable(name)) => Some(name),
            _ => None,
        });
        names.collect()
    }
}
