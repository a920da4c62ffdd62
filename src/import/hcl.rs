//! Reads `*.pkr.hcl`.
//!
//! Where a value is a plain text with variables in it, these stay variables. Anything else that is computed of them is
//! computed with the values that they have now.

use std::path::Path;

use hcl::{
    Expression, Map, Value,
    eval::{Context, Evaluate},
    expr::{TemplateExpr, TraversalOperator},
    template::{Element, Template as Text},
};
use hcl_edit::{
    Span,
    structure::{Block as HclBlock, Body, Structure},
};

use super::{
    functions,
    later::Later,
    template::{Block, Field, Left, Template, Variable},
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

/// An error, with its line.
type Wrong = (usize, String);

/// Reads the text of a template in `folder`; `given` are values of variables.
///
/// # Errors
/// The line, and what is wrong there.
pub fn read(text: &str, folder: &Path, given: &[(String, String)]) -> Result<Template, Wrong> {
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
        if let Structure::Block(block) = structure {
            reader.top(block);
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
    fn declare(
        &mut self,
        body: &Body,
        folder: &Path,
        given: &[(String, String)],
    ) -> Result<(), Wrong> {
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
        for (name, value) in given {
            match self
                .template
                .variables
                .iter_mut()
                .find(|variable| variable.name == *name)
            {
                Some(variable) => variable.value = Some(value.as_str().into()),
                None => return Err((0, format!("there is no variable {name}, which --var sets"))),
            }
        }
        let (mut later, mut now) = (Map::new(), Map::new());
        for variable in &self.template.variables {
            let name = variable.name.clone();
            let mark = match &variable.environment {
                Some(environment) => Later::Environment(environment.clone()),
                None => Later::Variable(name.clone()),
            };
            match variable.value.clone().map(from_json) {
                // Only a text can have something else in its place.
                Some(value @ (Value::Array(_) | Value::Object(_))) => {
                    later.insert(name.clone(), value.clone());
                    now.insert(name, value);
                }
                value => {
                    later.insert(name.clone(), mark.mark().into());
                    now.extend(value.map(|value| (name, value)));
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
        let sensitive = expression("sensitive") == Some(Expression::Bool(true));
        let value = expression("default").and_then(|value| self.value(&value, true).ok());
        self.add(name, value, sensitive);
    }

    fn add(&mut self, name: &str, value: Option<Value>, sensitive: bool) {
        let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
        let environment = match super::later::pieces(text).as_slice() {
            [super::later::Piece::Later(Later::Environment(name))] => Some(name.clone()),
            _ => None,
        };
        let value = value.filter(|value| environment.is_none() && !value.is_null());
        self.template.variables.push(Variable {
            name: name.to_owned(),
            value: value.map(to_json),
            environment,
            sensitive,
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
                return;
            }
        }
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
            ("build", _) => self.build(&block.body),
            (kind, labels) => {
                let what = [&[kind], labels].concat().join(" ");
                let why =
                    "this is no part of making an image; what needs it is named where it stands";
                self.template.left.push(Left::new(line, what, why));
            }
        }
    }

    fn build(&mut self, body: &Body) {
        for block in body.blocks() {
            let label = block.labels.first().map_or("", |label| label.as_str());
            match block.ident.as_str() {
                "provisioner" => {
                    let provisioner = self.block(block, label, label);
                    self.template.provisioners.push(provisioner);
                }
                "post-processor" => {
                    let after = self.block(block, label, label);
                    self.template.after.push(after);
                }
                "post-processors" => {
                    for inner in block.body.blocks() {
                        let label = inner.labels.first().map_or("", |label| label.as_str());
                        let after = self.block(inner, label, label);
                        self.template.after.push(after);
                    }
                }
                other => {
                    let what = format!("{other} {label}");
                    let why = "a build has one source here, and no other steps";
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

/// Whether a value is only put together, and nothing is computed of variables.
fn is_plain(expression: &Expression) -> bool {
    match expression {
        Expression::Null | Expression::Bool(_) | Expression::Number(_) | Expression::String(_) => {
            true
        }
        Expression::Variable(_) => true,
        Expression::Array(values) => values.iter().all(is_plain),
        Expression::Object(object) => object.values().all(is_plain),
        Expression::Parenthesis(inner) => is_plain(inner),
        Expression::Traversal(traversal) => {
            let plain = |operator: &TraversalOperator| match operator {
                TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_) => true,
                TraversalOperator::Index(index) => {
                    matches!(index, Expression::String(_) | Expression::Number(_))
                }
                _ => false,
            };
            is_plain(&traversal.expr) && traversal.operators.iter().all(plain)
        }
        Expression::FuncCall(call) => {
            functions::is_later(call.name.name.as_str())
                && call
                    .args
                    .iter()
                    .all(|arg| matches!(arg, Expression::String(_)))
        }
        Expression::TemplateExpr(template) => is_plain_text(template),
        _ => false,
    }
}

fn is_plain_text(template: &TemplateExpr) -> bool {
    let Ok(text) = Text::from_expr(template) else {
        return false;
    };
    text.elements().iter().all(|element| match element {
        Element::Literal(_) => true,
        Element::Interpolation(interpolation) => is_plain(&interpolation.expr),
        Element::Directive(_) => false,
    })
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
