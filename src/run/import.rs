//! `pichroot import`: writes what a template becomes.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    import::{Imported, Wanted, import},
    ui::{self, Tone, Ui},
};

/// Translates what is wanted and writes it, in place of what is there only with `force`.
///
/// # Errors
/// Those of [`import`], and [`Kind::Usage`] where a file exists or cannot be written.
pub fn run(wanted: &Wanted, force: bool, ui: &Ui) -> Result<()> {
    let Imported {
        files,
        commands,
        left,
    } = import(wanted)?;
    if !force
        && let Some((name, _)) = files
            .iter()
            .find(|(name, _)| wanted.folder.join(name).exists())
    {
        let what = format!("{} exists", wanted.folder.join(name).display());
        return Err(Error::usage(what)
            .hint("use --force to replace it, or name another folder by --output"));
    }
    for (name, text) in &files {
        let path = wanted.folder.join(name);
        write(&path, text, force)
            .context(Kind::Usage, || format!("cannot write {}", path.display()))
            .map_err(|error| error.hint("name a folder that you may write to by --output"))?;
        ui.tell(Event::Made(path));
    }
    for part in left {
        ui.tell(Event::NotTranslated {
            place: format!("{}:{}", wanted.template.display(), part.line),
            text: part.text,
        });
    }
    let lines = commands
        .into_iter()
        .map(|command| (Tone::Plain, vec![command]));
    ui::table(&lines.collect::<Vec<_>>())
        .context(Kind::Other, || "cannot write to standard output".into())
}

fn write(path: &Path, text: &str, force: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    match force {
        true => options.write(true).create(true).truncate(true),
        false => options.write(true).create_new(true),
    };
    options.open(path)?.write_all(text.as_bytes())
}
