//! A template as it was read, in either of its languages.

use serde_json::Value;

use super::{
    later::{Later, Piece, ansible_name, fill, is_marked, pieces},
    wanted::Given,
};

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
    /// Its value, if it has one. A text may hold what is known only later.
    pub value: Option<Value>,
    /// Whether it is not to be seen.
    pub sensitive: bool,
    /// Whether a file of variables has it, which the command line names.
    pub in_file: bool,
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
    /// The sources that its build is of, as `kind.name`; all where there are none.
    pub of: Vec<String>,
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

impl Variable {
    /// Has it the value that is given.
    pub fn set(&mut self, given: &Given) {
        self.value = Some(given.value.clone()).filter(|value| !value.is_null());
        // Ansible takes the file's names as they are.
        self.in_file = given.in_file && ansible_name(&self.name) == self.name;
    }

    /// What stands for it in a text: a text that is known only later is that itself.
    pub fn mark(&self) -> String {
        match self.value.as_ref().and_then(Value::as_str) {
            Some(text) if is_marked(text) => text.to_owned(),
            _ => Later::Variable(self.name.clone()).mark(),
        }
    }
}

impl Block {
    /// A source as builds and provisioners name it.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.kind, self.name)
    }

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

    /// The texts of a field with the values that variables have now. Which has none is told in `left`.
    pub fn texts_now(&self, block: &Block, field: &str, left: &mut Vec<Left>) -> Vec<String> {
        let texts = block.texts(field).into_iter();
        let known = texts.filter_map(|text| {
            let told = |why| left.push(Left::new(block.line_of(field), field, why));
            self.now(&text).map_err(told).ok()
        });
        known.collect()
    }

    /// The same for a field with one text.
    pub fn text_now(&self, block: &Block, field: &str, left: &mut Vec<Left>) -> Option<String> {
        self.texts_now(block, field, left).into_iter().next()
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
