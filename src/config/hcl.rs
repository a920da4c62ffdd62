//! `*.pkrvars.hcl`: Packer's variable files, of which only plain values are taken.

use std::path::Path;

use hcl::{Body, Expression, ObjectKey, Structure};
use serde_json::{Map, Value};

use crate::{
    ansible::json::Vars,
    error::{Error, Result},
};

/// Reads the variables in `text`; `path` is for the error.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when it is not HCL, or holds a block, an expression or a heredoc;
/// with the variable's name, never its value.
pub fn parse(text: &str, path: &Path) -> Result<Vars> {
    let body: Body = hcl::parse(text).map_err(|error| {
        let line = match &error {
            hcl::Error::Parse(parse) => format!(":{}", parse.location().line()),
            _ => String::new(),
        };
        Error::usage(format!("{}{line}: this is not HCL", path.display()))
            .hint("a variable file holds lines such as name = \"value\"")
    })?;
    let mut vars = Vars::new();
    for structure in body.into_inner() {
        let (name, value) = match structure {
            Structure::Attribute(attribute) => {
                let name = attribute.key().to_owned();
                (name, value(attribute.expr().clone()))
            }
            Structure::Block(block) => (block.identifier().to_owned(), Err("a block")),
        };
        let value = value.map_err(|what| {
            Error::usage(format!("{}: {name} holds {what}", path.display())).hint(
                "only strings, numbers, true, false, null, lists and objects are read; write the \
                 value itself",
            )
        })?;
        if vars.insert(name.clone(), value).is_some() {
            return Err(
                Error::usage(format!("{}: {name} is there twice", path.display()))
                    .hint("remove one of them"),
            );
        }
    }
    Ok(vars)
}

fn value(expression: Expression) -> Result<Value, &'static str> {
    Ok(match expression {
        Expression::Null => Value::Null,
        Expression::Bool(value) => value.into(),
        Expression::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(n), _, _) => n.into(),
            (_, Some(n), _) => n.into(),
            (_, _, Some(n)) => n.into(),
            _ => return Err("a number out of range"),
        },
        Expression::String(text) => text.into(),
        Expression::Array(items) => items
            .into_iter()
            .map(value)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Expression::Object(object) => {
            let mut map = Map::new();
            for (key, item) in object {
                let key = match key {
                    ObjectKey::Identifier(name) => name.into_inner(),
                    ObjectKey::Expression(Expression::String(text)) => text,
                    _ => return Err("an object with a key that is not text"),
                };
                map.insert(key, value(item)?);
            }
            map.into()
        }
        Expression::Operation(operation) => match *operation {
            hcl::expr::Operation::Unary(unary)
                if unary.operator == hcl::expr::UnaryOperator::Neg =>
            {
                match value(unary.expr)? {
                    Value::Number(n) if n.is_u64() => {
                        let n = n.as_u64().and_then(|n| i64::try_from(n).ok());
                        n.map(|n| (-n).into()).ok_or("a number out of range")?
                    }
                    Value::Number(n) => n.as_f64().map(|n| (-n).into()).ok_or("a number")?,
                    _ => return Err("an expression"),
                }
            }
            _ => return Err("an expression"),
        },
        Expression::TemplateExpr(_) => return Err("a template or heredoc"),
        _ => return Err("an expression"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_variable_files() {
        let text = "# a comment\nname = \"va\\\"lue\"\nlist = [1, -2.5e3, true, null, \"x\"]\n\
            map = {a = 1, \"b\": [\"c\"]}\n/* more */ text = \"a$${b}\"\nlong = <<-EOT\n  x\n  EOT\n";
        let words = [
            "[",
            "{",
            "(",
            "\"",
            "${",
            "%{",
            "<<EOT\n",
            "=",
            "\\u00e9",
            "block \"x\" {}",
            "1e999",
            "-",
            "!",
        ];
        crate::fuzz::run(
            "variable-files",
            &[text.into(), b"a = [[1]]\n".to_vec()],
            &words,
            |bytes| {
                let vars = parse(&String::from_utf8_lossy(bytes), Path::new("x"));
                vars.map(|vars| vars.len())
                    .map_err(|error| error.to_string().replace(|c: char| c.is_ascii_digit(), ""))
            },
        );
    }
    use serde_json::json;

    fn read(text: &str) -> Result<Value> {
        parse(text, Path::new("/v.pkrvars.hcl")).map(Value::from)
    }

    #[test]
    fn plain_values() {
        assert_eq!(
            read(
                "a = \"x\" # c\nb = 3\nc = true\nd = [1.5, null]\ne = {f = -2, \"g h\" = \"i\"}\n"
            )
            .unwrap(),
            json!({"a": "x", "b": 3, "c": true, "d": [1.5, null], "e": {"f": -2, "g h": "i"}})
        );
    }

    #[test]
    fn everything_else_is_refused_by_name_only() {
        for (text, part) in [
            ("a = var.hunter2\n", "a holds an expression"),
            ("a = \"${hunter2}\"\n", "a holds a template"),
            ("a = <<E\nhunter2\nE\n", "a holds a template"),
            ("a = vault(\"hunter2\")\n", "a holds an expression"),
            ("a = [1 + 2]\n", "a holds an expression"),
            ("b {\n a = 1\n}\n", "b holds a block"),
            ("\na = = hunter2\n", "/v.pkrvars.hcl:2: this is not HCL"),
        ] {
            let error = read(text).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(part) && !text.contains("hunter2"), "{text}");
            assert!(error.hint_text().is_some());
        }
    }
}
