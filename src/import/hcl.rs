//! Reads `*.pkr.hcl`.
//!
//! Where a value is a plain text with variables in it, these stay variables. Anything else that is computed of them is
//! computed with the values that they have now.

use std::path::Path;

use hcl::{
    Expression, Map, Value,
    eval::{Context, Evaluate},
};
use hcl_edit::{
    Span,
    structure::{Block as HclBlock, Body, Structure},
};

use super::{
    functions,
    later::{Later, is_marked},
    plain::is_plain,
    template::{Block, Field, Left, Template, Variable},
    wanted::{Given, Wrong},
};

/// What Packer tells of a build while it runs.
const BUILD: [&str; 14] = [
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "MountPath",
    "Name",
    "PackerHTTPAddr",
    "PackerHTTPIP",
    "PackerHTTPPort",
    "PackerRunUUID",
    "SSHPublicKey",
    "SSHPrivateKey",
];

/// Reads the text of a template in `folder`; `given` are values of variables.
///
/// # Errors
/// The line, and what is wrong there.
pub fn read(text: &str, folder: &Path, given: &[Given]) -> Result<Template, Wrong> {
    let body = hcl_edit::parser::parse_body(text)
        .map_err(|error| (error.location().line(), error.message().to_owned()))?;
    let mut reader = Reader {
        text,
        later: Context::new(),
        now: Context::new(),
        template: Template::default(),
    };
    reader.declare(&body, folder, given)?;
    for structure in &body {
        match structure {
            Structure::Block(block) => reader.top(block),
            Structure::Attribute(attribute) => {
                let (line, name) = (reader.line(attribute), attribute.key.as_str());
                let why = "a template has blocks only";
                reader.template.left.push(Left::new(line, name, why));
            }
        }
    }
    Ok(reader.template)
}

struct Reader<'a> {
    text: &'a str,
    /// Variables are what stands for them.
    later: Context<'a>,
    /// Variables are the values that they have.
    now: Context<'a>,
    template: Template,
}

impl Reader<'_> {
    /// The line of what was parsed.
    fn line(&self, of: &impl Span) -> usize {
        let at = of.span().map_or(0, |span| span.start);
        1 + self.text[..at.min(self.text.len())].matches('\n').count()
    }

    /// Makes variables, locals and functions known.
    fn declare(&mut self, body: &Body, folder: &Path, given: &[Given]) -> Result<(), Wrong> {
        for context in [&mut self.later, &mut self.now] {
            functions::declare(context);
            let folder = folder.display().to_string();
            let path = Map::from_iter([
                ("root".to_owned(), Value::from(folder)),
                ("cwd".into(), ".".into()),
            ]);
            context.declare_var("path", Value::Object(path));
            let of_build = BUILD.iter().map(|name| {
                let mark = Later::Unknown(format!("build.{name} is known to Packer alone")).mark();
                ((*name).to_owned(), Value::from(mark))
            });
            context.declare_var("build", Value::Object(of_build.collect()));
        }
        for block in body.blocks() {
            match (block.ident.as_str(), block.labels.first()) {
                ("variable", Some(name)) => self.variable(name.as_str(), &block.body),
                ("variables", None) => {
                    for attribute in block.body.attributes() {
                        let name = attribute.key.as_str();
                        let value = self.value(&attribute.value.clone().into(), true);
                        self.add(name, value.ok(), false);
                    }
                }
                _ => {}
            }
        }
        for given in given {
            let mut variables = self.template.variables.iter_mut();
            match variables.find(|variable| variable.name == given.name) {
                Some(variable) => variable.set(given),
                None => given.unknown()?,
            }
        }
        let (mut later, mut now) = (Map::new(), Map::new());
        for variable in &self.template.variables {
            let name = variable.name.clone();
            match variable.value.clone().map(from_json) {
                // Only a text can have something else in its place.
                Some(value @ (Value::Array(_) | Value::Object(_))) => {
                    later.insert(name.clone(), value.clone());
                    now.insert(name, value);
                }
                value => {
                    later.insert(name.clone(), variable.mark().into());
                    let known = value.filter(|value| !value.as_str().is_some_and(is_marked));
                    now.extend(known.map(|value| (name, value)));
                }
            }
        }
        self.later.declare_var("var", Value::Object(later));
        self.now.declare_var("var", Value::Object(now));
        self.locals(body);
        Ok(())
    }

    fn variable(&mut self, name: &str, body: &Body) {
        let expression = |key: &str| {
            let attribute = body.get_attribute(key)?;
            Some(Expression::from(attribute.value.clone()))
        };
        for check in body.blocks() {
            let what = format!("{} of the variable {name}", check.ident.as_str());
            let why = "check the value in the playbook: ansible.builtin.assert";
            let left = Left::new(self.line(check), what, why);
            self.template.left.push(left);
        }
        let sensitive = expression("sensitive") == Some(Expression::Bool(true));
        let value = expression("default").and_then(|value| self.value(&value, true).ok());
        self.add(name, value, sensitive);
    }

    fn add(&mut self, name: &str, value: Option<Value>, sensitive: bool) {
        let value = value.filter(|value| !value.is_null());
        self.template.variables.push(Variable {
            name: name.to_owned(),
            value: value.map(to_json),
            sensitive,
            in_file: false,
        });
    }

    /// Locals may need one another, in any order.
    fn locals(&mut self, body: &Body) {
        let mut open: Vec<(String, Expression)> = Vec::new();
        for block in body.blocks() {
            match (block.ident.as_str(), block.labels.first()) {
                ("locals", None) => open.extend(
                    block
                        .body
                        .attributes()
                        .map(|local| (local.key.as_str().to_owned(), local.value.clone().into())),
                ),
                ("local", Some(name)) => {
                    let expression = block.body.get_attribute("expression");
                    open.extend(
                        expression
                            .map(|local| (name.as_str().to_owned(), local.value.clone().into())),
                    );
                }
                _ => {}
            }
        }
        let (mut later, mut now) = (Map::new(), Map::new());
        loop {
            let before = open.len();
            open.retain(|(name, expression)| {
                let Ok(value) = self.value(expression, true) else {
                    return true;
                };
                later.insert(name.clone(), value);
                if let Ok(value) = self.value(expression, false) {
                    now.insert(name.clone(), value);
                }
                false
            });
            self.later
                .declare_var("local", Value::Object(later.clone()));
            self.now.declare_var("local", Value::Object(now.clone()));
            if open.len() == before {
                break;
            }
        }
        // What is only put into a text says there why it cannot be.
        for (name, expression) in open {
            let why = self.value(&expression, true).err().unwrap_or_default();
            let mark = Later::Unknown(format!("local.{name} {why}")).mark();
            later.insert(name, mark.into());
        }
        self.later.declare_var("local", Value::Object(later));
    }

    /// A block at the top.
    fn top(&mut self, block: &HclBlock) {
        let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
        let line = self.line(block);
        match (block.ident.as_str(), labels.as_slice()) {
            ("packer" | "variable" | "variables" | "local" | "locals", _) => {}
            ("source", [kind, name]) => {
                let source = self.block(block, kind, name);
                self.template.sources.push(source);
            }
            ("build", _) => self.build(block),
            (kind, labels) => {
                let what = [&[kind], labels].concat().join(" ");
                let why =
                    "this is no part of making an image; what needs it is named where it stands";
                self.template.left.push(Left::new(line, what, why));
            }
        }
    }

    fn build(&mut self, build: &HclBlock) {
        let whole = self.block(build, "build", "");
        let named = whole.texts("sources");
        let inner = build
            .body
            .blocks()
            .filter(|block| block.ident.as_str() == "source");
        let inner = inner.filter_map(|block| Some(block.labels.first()?.as_str().to_owned()));
        let of = named.into_iter().chain(inner).map(|name| {
            let short = name
                .strip_prefix("source.")
                .or_else(|| name.strip_prefix("sources."));
            short.unwrap_or(&name).to_owned()
        });
        let of: Vec<String> = of.collect();
        for field in &whole.fields {
            if let ("sources", Err(why)) = (field.name.as_str(), &field.value) {
                self.template
                    .left
                    .push(Left::new(field.line, "sources", why));
            }
        }
        for block in build.body.blocks() {
            let label = block.labels.first().map_or("", |label| label.as_str());
            let step = |block: &HclBlock, label: &str| Block {
                of: of.clone(),
                ..self.block(block, label, label)
            };
            match block.ident.as_str() {
                "provisioner" => {
                    let provisioner = step(block, label);
                    self.template.provisioners.push(provisioner);
                }
                "post-processor" => {
                    let after = step(block, label);
                    self.template.after.push(after);
                }
                "post-processors" => {
                    let inner = block.body.blocks().map(|inner| {
                        let label = inner.labels.first().map_or("", |label| label.as_str());
                        step(inner, label)
                    });
                    let inner: Vec<_> = inner.collect();
                    self.template.after.extend(inner);
                }
                "source" if block.body.is_empty() => {}
                "source" => {
                    let why = "put what it holds into the source itself";
                    let left =
                        Left::new(self.line(block), format!("source {label} of a build"), why);
                    self.template.left.push(left);
                }
                other => {
                    let what = format!("{other} {label}");
                    let why = "a build has no such steps here";
                    let left = Left::new(self.line(block), what.trim_end(), why);
                    self.template.left.push(left);
                }
            }
        }
    }

    fn block(&self, block: &HclBlock, kind: &str, name: &str) -> Block {
        let fields = block.body.iter().map(|structure| match structure {
            Structure::Attribute(attribute) => Field {
                name: attribute.key.as_str().to_owned(),
                line: self.line(attribute),
                value: self
                    .value(&attribute.value.clone().into(), true)
                    .map(to_json),
            },
            Structure::Block(inner) => {
                let fields = self.block(inner, "", "").fields.into_iter();
                let value = fields.map(|field| Ok((field.name, field.value?)));
                Field {
                    name: inner.ident.as_str().to_owned(),
                    line: self.line(inner),
                    value: value
                        .collect::<Result<serde_json::Map<_, _>, _>>()
                        .map(Into::into),
                }
            }
        });
        Block {
            kind: kind.to_owned(),
            name: name.to_owned(),
            line: self.line(block),
            fields: fields.collect(),
            of: Vec::new(),
        }
    }

    /// What an expression is; `later` leaves variables as they are where they are only put into texts.
    fn value(&self, expression: &Expression, later: bool) -> Result<Value, String> {
        if let (Expression::Array(values), true) = (expression, later) {
            // What one of them has to be computed of is no reason to compute the others.
            let values = values.iter().map(|value| {
                let known = self.value(value, later);
                known.unwrap_or_else(|why| {
                    let text = hcl::format::to_string(value).unwrap_or_default();
                    Later::Unknown(format!("{} {why}", text.trim_end()))
                        .mark()
                        .into()
                })
            });
            return Ok(values.collect());
        }
        let context = match later && is_plain(expression) {
            true => &self.later,
            false => &self.now,
        };
        expression.evaluate(context).map_err(|error| why(&error))
    }
}

/// The parser's words for what is known to Packer alone.
fn why(error: &hcl::eval::Error) -> String {
    let text = error.to_string();
    let words = text
        .split(" in expression")
        .next()
        .unwrap_or_default()
        .trim_end();
    format!("cannot be computed here: {words}")
}

fn to_json(value: Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn from_json(value: serde_json::Value) -> Value {
    serde_json::from_value(value).unwrap_or_default()
}
