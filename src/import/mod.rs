//! From a Packer template to a pichroot.yml, a playbook and a command line.
//!
//! ```text
//! hcl, json  read a template           later    what is known only when an image is made
//! source     a builder: image          tasks    provisioners: plays (shell, files, ansible)
//! written    the files as text
//! ```
//!
//! Whatever has no counterpart is named with its line: nothing is lost without a word.

mod ansible;
mod files;
mod functions;
mod hcl;
mod image;
mod json;
mod later;
mod places;
mod plays;
mod shell;
mod source;
mod tasks;
mod template;
mod wanted;
mod written;

pub use template::Left;
pub use wanted::Wanted;

use std::path::PathBuf;

use places::Places;
use template::Template;

use crate::error::{Error, Kind, Result};

/// The builders whose images are made in a chroot, as here.
const BUILDERS: [&str; 3] = ["arm", "cross", "arm-image"];

/// What a template became.
#[derive(Debug)]
pub struct Imported {
    /// Files by their name in the folder, with what is in them.
    pub files: Vec<(PathBuf, String)>,
    /// What to run, a line each.
    pub commands: Vec<String>,
    /// What was not translated, in the order of the template.
    pub left: Vec<Left>,
}

/// Translates a template.
///
/// # Errors
/// [`Kind::Usage`] where it cannot be read, or builds no image in a chroot.
pub fn import(wanted: &Wanted) -> Result<Imported> {
    let mut template = read(wanted)?;
    let (sources, others): (Vec<_>, Vec<_>) = std::mem::take(&mut template.sources)
        .into_iter()
        .partition(|source| BUILDERS.contains(&source.kind.as_str()));
    let mut left = std::mem::take(&mut template.left);
    let mut sources = sources.into_iter();
    let Some(source) = sources.next() else {
        let kinds: Vec<_> = others.iter().map(|source| source.kind.as_str()).collect();
        let what = match kinds.as_slice() {
            [] => "has no source".to_owned(),
            kinds => format!("builds with {}", kinds.join(", ")),
        };
        return Err(Error::new(Kind::Usage, format!("{} {what}", wanted.template.display())).hint(
            "templates with a source of packer-builder-arm (arm), packer-plugin-cross (cross) or packer-plugin-arm-image \
             (arm-image) can be translated",
        ));
    };
    for other in sources.chain(others) {
        left.push(Left::new(
            other.line,
            format!("source {}.{}", other.kind, other.name),
            "one image is translated, the first: put the others into templates of their own",
        ));
    }
    let places = Places::new(wanted);
    let mut image = source::image(&source, &template, &mut left);
    let plays = tasks::plays(&source, &template, &places, &mut image, &mut left);
    left.sort_by_key(|left| left.line);
    let (files, commands) = written::all(&template, image, plays, &places);
    Ok(Imported {
        files,
        commands,
        left,
    })
}

fn read(wanted: &Wanted) -> Result<Template> {
    let path = &wanted.template;
    let given = &wanted.variables;
    let hint = "name a Packer template: NAME.pkr.hcl, a folder with such files, or NAME.json";
    let text = places::text(path).map_err(|error| error.hint(hint))?;
    if later::is_marked(&text) {
        let what = format!("{} holds characters for private use", path.display());
        return Err(Error::usage(what).hint("remove them"));
    }
    let json = path.extension().is_some_and(|end| end == "json");
    let read = match json {
        true => json::read(&text, given),
        false => hcl::read(&text, wanted.beside(), given),
    };
    read.map_err(|(line, why)| {
        let place = match line {
            0 => path.display().to_string(),
            line => format!("{}:{line}", path.display()),
        };
        Error::usage(format!("{place}: {why}")).hint(hint)
    })
}

#[cfg(test)]
mod tests;
