//! What the parser of the command line finds wrong, in the form of all our errors.

use clap::{
    Error as Found,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::foreign;
use crate::{
    error::{Error, Kind},
    ui::Ui,
};

/// Shows help where that was asked for, else the error; returns the exit code.
pub fn show(found: &Found, ui: &Ui) -> u8 {
    if !is_mistake(found) {
        // If standard output is closed, nobody wants the help.
        let _ = found.print();
        return found.exit_code() as u8;
    }
    let line: Vec<_> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    ui.error(&error(found, &line));
    Kind::Usage.exit_code()
}

fn is_mistake(found: &Found) -> bool {
    let help = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    found.use_stderr() && found.kind() != help
}

/// The parser's first paragraph as the error. As the hint, what another program's word is here, else what the parser
/// suggests, else where the help is.
fn error(found: &Found, line: &[String]) -> Error {
    let word = |kind| match found.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    if let Some(argument) = word(ContextKind::InvalidArg)
        && found.kind() == ErrorKind::UnknownArgument
        && let Some((meant, hint)) = foreign::option(argument, line)
    {
        return Error::usage(format!("there is no option {meant}")).hint(hint);
    }
    let command = word(ContextKind::InvalidArg).and_then(|word| foreign::command(word, line));
    let subcommand = word(ContextKind::InvalidSubcommand).and_then(foreign::subcommand);
    let text = found.render().to_string();
    let (what, _) = text.split_once("\n\n").unwrap_or((&text, ""));
    let words = what.split_whitespace().collect::<Vec<_>>().join(" ");
    let what = words.strip_prefix("error: ").unwrap_or(&words);
    let hint = command.or(subcommand).or_else(|| suggestion(found));
    Error::usage(what).hint(hint.unwrap_or_else(|| help(line)))
}

fn suggestion(found: &Found) -> Option<String> {
    let kinds = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    let words = kinds.iter().find_map(|kind| match found.get(*kind)? {
        ContextValue::String(word) => Some(word.clone()),
        ContextValue::Strings(words) if !words.is_empty() => Some(words.join(" or ")),
        _ => None,
    })?;
    Some(format!("did you mean {words}?"))
}

fn help(line: &[String]) -> String {
    use clap::CommandFactory;
    let command = super::args::Cli::command();
    let subcommand = line
        .iter()
        .find(|word| command.find_subcommand(word).is_some());
    match subcommand {
        Some(name) => format!("see `pichroot {name} --help`"),
        None => "see `pichroot --help`".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;

    fn of(line: &[&str]) -> Error {
        let line: Vec<_> = line.iter().map(|&word| word.to_owned()).collect();
        let whole = std::iter::once("pichroot").chain(line.iter().map(String::as_str));
        let Err(found) = Cli::try_parse_from(whole) else {
            panic!("nothing is wrong with {line:?}");
        };
        assert!(is_mistake(&found));
        error(&found, &line)
    }

    #[test]
    fn one_line_says_what_and_one_says_what_to_do() {
        let typo = of(&["ansible", "p.yml", "--imaeg", "x"]);
        assert_eq!(typo.to_string(), "unexpected argument '--imaeg' found");
        assert_eq!(typo.hint_text(), Some("did you mean --image?"));
        let missing = of(&["exec", "x.img"]);
        assert!(missing.to_string().contains("<COMMAND>..."), "{missing}");
        assert_eq!(missing.hint_text(), Some("see `pichroot exec --help`"));
        assert_eq!(
            of(&["frobnicate"]).hint_text(),
            Some("see `pichroot --help`")
        );
    }

    #[test]
    fn help_is_no_mistake() {
        for line in [
            &["pichroot"][..],
            &["pichroot", "--help"],
            &["pichroot", "-V"],
        ] {
            let found = Cli::try_parse_from(line).err().expect("not a command");
            assert!(!is_mistake(&found));
        }
    }
}
