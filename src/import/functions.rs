//! Packer's functions, as far as they can be computed before anything is built.

use hcl::{
    Value,
    eval::{Context, FuncArgs, FuncDef, ParamType},
};

use super::later::{Later, is_marked};

/// What only Packer knows, or what is different each time.
const PACKERS: [&str; 8] = [
    "uuidv4",
    "uuidv5",
    "timestamp",
    "legacy_isotime",
    "legacy_strftime",
    "consul_key",
    "aws_secretsmanager",
    "aws_secretsmanager_raw",
];

/// The names of functions whose result stands for something that is known later.
pub fn is_later(name: &str) -> bool {
    name == "vault" || name == "env" || PACKERS.contains(&name)
}

/// Makes all functions known in `context`.
pub fn declare(context: &mut Context) {
    for name in PACKERS {
        // Functions have no way to know their name.
        let packers: Function = |_| {
            let why = "this is computed by Packer, anew in each build";
            Ok(Later::Unknown(why.into()).mark().into())
        };
        context.declare_func(
            name,
            FuncDef::builder()
                .variadic_param(ParamType::Any)
                .build(packers),
        );
    }
    for (name, function) in FUNCTIONS {
        let definition = FuncDef::builder().variadic_param(ParamType::Any);
        context.declare_func(*name, definition.build(*function));
    }
}

type Function = fn(FuncArgs) -> Result<Value, String>;

const FUNCTIONS: &[(&str, Function)] = &[
    ("vault", |args| {
        let [path, field] = texts(args)?;
        Ok(Later::Vault(path, field).mark().into())
    }),
    ("env", |args| {
        let [name] = texts(args)?;
        Ok(Later::Environment(name).mark().into())
    }),
    ("upper", |args| {
        Ok(texts::<1>(args)?[0].to_uppercase().into())
    }),
    ("lower", |args| {
        Ok(texts::<1>(args)?[0].to_lowercase().into())
    }),
    ("trimspace", |args| Ok(texts::<1>(args)?[0].trim().into())),
    ("chomp", |args| {
        Ok(texts::<1>(args)?[0].trim_end_matches(['\r', '\n']).into())
    }),
    ("trimprefix", |args| {
        let [text, prefix] = texts(args)?;
        Ok(text.strip_prefix(&prefix).unwrap_or(&text).into())
    }),
    ("trimsuffix", |args| {
        let [text, suffix] = texts(args)?;
        Ok(text.strip_suffix(&suffix).unwrap_or(&text).into())
    }),
    ("replace", |args| {
        let [text, from, to] = texts(args)?;
        match from.starts_with('/') && from.ends_with('/') && from.len() > 1 {
            true => Err("replaces by a regular expression".into()),
            false => Ok(text.replace(&from, &to).into()),
        }
    }),
    ("basename", |args| {
        let [path] = texts(args)?;
        Ok(path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .into())
    }),
    ("dirname", |args| {
        let [path] = texts(args)?;
        Ok(path
            .rsplit_once('/')
            .map_or(".", |(folder, _)| folder)
            .into())
    }),
    ("split", |args| {
        let [separator, text] = texts(args)?;
        Ok(text.split(&separator).map(Value::from).collect())
    }),
    ("join", |args| {
        let mut values = args.into_values().into_iter();
        let separator = text(values.next())?;
        let lists = values.map(list).collect::<Result<Vec<_>, _>>()?;
        let parts = lists.into_iter().flatten().map(|value| text(Some(value)));
        Ok(parts
            .collect::<Result<Vec<_>, _>>()?
            .join(&separator)
            .into())
    }),
    ("concat", |args| {
        let lists = args
            .into_values()
            .into_iter()
            .map(list)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(lists.into_iter().flatten().collect())
    }),
    ("compact", |args| {
        let [values] = values(args)?;
        let empty = |value: &Value| value.as_str() == Some("");
        Ok(list(values)?
            .into_iter()
            .filter(|value| !empty(value))
            .collect())
    }),
    ("length", |args| {
        let [value] = values(args)?;
        let length = match &value {
            Value::Array(values) => values.len(),
            Value::Object(map) => map.len(),
            value => text(Some(value.clone()))?.chars().count(),
        };
        Ok((length as u64).into())
    }),
    ("contains", |args| {
        let [values, wanted] = values(args)?;
        Ok(list(values)?.contains(&wanted).into())
    }),
    ("coalesce", |args| {
        let mut values = args.into_values().into_iter();
        let found = values.find(|value| !value.is_null() && value.as_str() != Some(""));
        found.ok_or_else(|| "has no value to choose".into())
    }),
    ("lookup", |args| {
        let [map, key, default] = values(args)?;
        let key = text(Some(key))?;
        let found = map.as_object().and_then(|map| map.get(&key));
        Ok(found.cloned().unwrap_or(default))
    }),
    ("merge", |args| {
        let mut merged = hcl::Map::new();
        for value in args.into_values() {
            merged.extend(value.as_object().ok_or("takes maps")?.clone());
        }
        Ok(Value::Object(merged))
    }),
    ("keys", |args| {
        let [map] = values(args)?;
        let map = map.as_object().ok_or("takes a map")?;
        Ok(map.keys().map(|key| Value::from(key.as_str())).collect())
    }),
    ("values", |args| {
        let [map] = values(args)?;
        Ok(map
            .as_object()
            .ok_or("takes a map")?
            .values()
            .cloned()
            .collect())
    }),
    ("element", |args| {
        let [values, index] = values(args)?;
        let values = list(values)?;
        let index = index.as_u64().ok_or("takes an index")? as usize;
        let found = index.checked_rem(values.len()).map(|at| values[at].clone());
        found.ok_or_else(|| "has no element to choose".into())
    }),
    ("reverse", |args| {
        let [values] = values(args)?;
        Ok(list(values)?.into_iter().rev().collect())
    }),
    ("sort", |args| {
        let [values] = values(args)?;
        let texts = list(values)?.into_iter().map(|value| text(Some(value)));
        let mut texts = texts.collect::<Result<Vec<_>, _>>()?;
        texts.sort_unstable();
        Ok(texts.into_iter().map(Value::from).collect())
    }),
    ("distinct", |args| {
        let [values] = values(args)?;
        let mut known = Vec::new();
        for value in list(values)? {
            if !known.contains(&value) {
                known.push(value);
            }
        }
        Ok(known.into())
    }),
    ("flatten", |args| {
        let [values] = values(args)?;
        Ok(flat(list(values)?).into())
    }),
    ("startswith", |args| {
        let [text, prefix] = texts(args)?;
        Ok(text.starts_with(&prefix).into())
    }),
    ("endswith", |args| {
        let [text, suffix] = texts(args)?;
        Ok(text.ends_with(&suffix).into())
    }),
    ("strcontains", |args| {
        let [text, part] = texts(args)?;
        Ok(text.contains(&part).into())
    }),
    ("tobool", |args| match texts::<1>(args)?[0].as_str() {
        "true" => Ok(true.into()),
        "false" => Ok(false.into()),
        _ => Err("takes true or false".into()),
    }),
    ("tonumber", |args| {
        let [text] = texts(args)?;
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let whole = text.parse::<i64>().ok().map(Value::from);
        whole
            .or(number.map(Value::from))
            .ok_or_else(|| "takes a number".into())
    }),
    ("tolist", |args| {
        let [values] = values(args)?;
        list(values).map(Value::from)
    }),
    ("tostring", |args| Ok(texts::<1>(args)?[0].as_str().into())),
    ("format", format),
    ("jsonencode", |args| {
        let [value] = values(args)?;
        serde_json::to_string(&value)
            .map(Value::from)
            .map_err(|error| error.to_string())
    }),
];

/// `format` with `%s`, `%d`, `%v` and `%%`.
fn format(args: FuncArgs) -> Result<Value, String> {
    let mut values = args.into_values().into_iter();
    let pattern = text(values.next())?;
    let mut parts = pattern.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        match part.chars().next() {
            Some('s' | 'd' | 'v') => {
                out += &text(values.next())?;
                out += &part[1..];
            }
            None => {
                out.push('%');
                out += parts.next().unwrap_or_default();
            }
            Some(verb) => return Err(format!("has %{verb} in it")),
        }
    }
    Ok(out.into())
}

fn values<const N: usize>(args: FuncArgs) -> Result<[Value; N], String> {
    let values = args.into_values();
    values
        .try_into()
        .map_err(|values: Vec<Value>| format!("has {} arguments in place of {N}", values.len()))
}

fn texts<const N: usize>(args: FuncArgs) -> Result<[String; N], String> {
    let texts = values::<N>(args)?
        .into_iter()
        .map(|value| text(Some(value)));
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    Ok(texts.try_into().expect("there are as many"))
}

/// A plain value as text, which must be known now.
fn text(value: Option<Value>) -> Result<String, String> {
    let text = match value.ok_or("has too few arguments")? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => return Err("takes texts".into()),
    };
    match is_marked(&text) {
        true => Err("is of something that is known only later".into()),
        false => Ok(text),
    }
}

/// Lists in lists as one.
fn flat(values: Vec<Value>) -> Vec<Value> {
    let flat = values.into_iter().flat_map(|value| match value {
        Value::Array(inner) => flat(inner),
        value => vec![value],
    });
    flat.collect()
}

fn list(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err("takes a list".into()),
    }
}

#[cfg(test)]
mod tests {
    use hcl::eval::Evaluate;

    use super::*;

    fn value(text: &str) -> Result<String, String> {
        let mut context = Context::new();
        declare(&mut context);
        let body: hcl::Body = hcl::parse(&format!("x = {text}")).unwrap();
        let value = body.attributes().next().unwrap().expr().evaluate(&context);
        let value = value.map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&value).unwrap())
    }

    #[test]
    fn functions_give_what_packer_gives() {
        for (text, expected) in [
            ("upper(\"a\")", "\"A\""),
            ("trimsuffix(\"22.04.5\", \".5\")", "\"22.04\""),
            ("basename(\"/a/b.img\")", "\"b.img\""),
            ("dirname(\"/a/b.img\")", "\"/a\""),
            ("join(\"-\", [\"a\", 1])", "\"a-1\""),
            ("split(\",\", \"a,b\")", "[\"a\",\"b\"]"),
            ("element([\"a\", \"b\"], 3)", "\"b\""),
            ("reverse([1, 2])", "[2,1]"),
            ("sort([\"b\", \"a\"])", "[\"a\",\"b\"]"),
            ("distinct([1, 1, 2])", "[1,2]"),
            ("flatten([[1, [2]], 3])", "[1,2,3]"),
            ("concat([1], [2])", "[1,2]"),
            ("compact([\"\", \"a\"])", "[\"a\"]"),
            ("length(\"\u{e9}a\")", "2"),
            ("contains([\"a\"], \"b\")", "false"),
            ("startswith(\"ab\", \"a\")", "true"),
            ("endswith(\"ab\", \"a\")", "false"),
            ("strcontains(\"ab\", \"b\")", "true"),
            ("tobool(\"true\")", "true"),
            ("tonumber(\"1.5\") + tonumber(2)", "3.5"),
            ("coalesce(\"\", \"a\")", "\"a\""),
            ("lookup({a = 1}, \"b\", 2)", "2"),
            ("merge({a = 1}, {a = 2}).a", "2"),
            ("format(\"%s-%d%%\", \"x\", 2)", "\"x-2%\""),
            ("jsonencode([1])", "\"[1]\""),
            ("replace(\"a.b\", \".\", \"-\")", "\"a-b\""),
        ] {
            assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "replace(\"a\", \"/a/\", \"b\")",
            "upper(timestamp())",
            "element([], 0)",
            "tonumber(\"nan\")",
            "format(\"%x\", 1)",
            "upper()",
            "none(1)",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
