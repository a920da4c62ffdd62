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
mod partitions;
mod places;
mod plain;
mod plays;
mod shell;
mod source;
mod tasks;
mod template;
mod text;
mod wanted;
mod written;

pub use template::Left;
pub use wanted::Wanted;

use std::path::PathBuf;

use places::Places;
use template::{Block, Template};

use crate::{
    error::{Error, Kind, Result},
    sys::command::quote,
};

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
    let mut others = std::mem::take(&mut template.sources);
    let mut left = std::mem::take(&mut template.left);
    let Some(source) = chosen(&template, &others).map(|at| others.remove(at)) else {
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
    for other in others {
        let why = format!(
            "one image is translated, {}: put the others into templates of their own",
            source.full_name()
        );
        let what = format!("source {}", other.full_name());
        left.push(Left::new(other.line, what, why));
    }
    let places = Places::new(wanted);
    let mut image = source::image(&source, &template, &places, &mut left);
    let plays = tasks::plays(&source, &template, &places, &mut image, &mut left);
    left.sort_by_key(|left| left.line);
    for path in &wanted.var_files {
        let path = places.find(&path.to_string_lossy()).0;
        image
            .command_words
            .push(format!("--var-file {}", quote(&path)));
    }
    let (files, mut commands) = written::all(&template, image, plays, &places);
    if wanted.folder != wanted.cwd {
        // pichroot.yml is looked for in the working directory.
        commands.insert(0, format!("cd {}", quote(&places.way())));
    }
    Ok(Imported {
        files,
        commands,
        left,
    })
}

/// The first source that can be translated; of those, rather one that is built.
fn chosen(template: &Template, sources: &[Block]) -> Option<usize> {
    let can_be = |source: &Block| BUILDERS.contains(&source.kind.as_str());
    let steps = template.provisioners.iter().chain(&template.after);
    let built: Vec<&String> = steps.flat_map(|step| &step.of).collect();
    let is_built = |source: &Block| built.contains(&&source.full_name());
    let position = |is: &dyn Fn(&Block) -> bool| sources.iter().position(is);
    position(&|source| can_be(source) && is_built(source)).or_else(|| position(&can_be))
}

fn read(wanted: &Wanted) -> Result<Template> {
    let path = &wanted.template;
    let given = wanted.given()?;
    let hint = "name a Packer template: NAME.pkr.hcl, a folder with such files, or NAME.json";
    let text = text::template(path).map_err(|error| error.hint(hint))?;
    if later::is_marked(&text) {
        let what = format!("{} holds characters for private use", path.display());
        return Err(Error::usage(what).hint("remove them"));
    }
    let json = path.extension().is_some_and(|end| end == "json");
    let read = match json {
        true => json::read(&text, wanted.beside(), &given),
        false => hcl::read(&text, wanted.beside(), &given),
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
