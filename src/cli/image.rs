//! `pichroot exec` and `pichroot shell`: a command in an image.

use std::{fs::File, path::Path};

use nix::fcntl::{Flock, FlockArg};

use super::{
    args::{ExecArgs, ImageArgs, ShellArgs},
    need_root,
    session::{self, Session},
    signals::{Signals, block_on},
};
use crate::{
    chroot::shortcuts::Shortcuts,
    config::{Shortcut, Surroundings},
    error::{Context, Error, Kind, Result},
    image::{self, Cache, Location, Source, WorkImage},
    report::Report,
    stage::{directory::Directory, protocol::StagePlan},
    ui::Ui,
};

/// `pichroot exec IMAGE -- COMMAND`: its exit code.
pub fn exec(args: ExecArgs, ui: &Ui) -> Result<u8> {
    let words = args.command.into_iter().map(|word| {
        word.into_string()
            .map_err(|_| Error::usage("the command is not UTF-8"))
    });
    run(args.image, words.collect::<Result<_>>()?, ui)
}

/// `pichroot shell IMAGE`: the exit code of the shell.
pub fn shell(args: ShellArgs, ui: &Ui) -> Result<u8> {
    // bash where the image has it; `sh` is found by the executor either way.
    let login = "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi";
    run(args.image, vec!["sh".into(), "-c".into(), login.into()], ui)
}

fn run(args: ImageArgs, command: Vec<String>, ui: &Ui) -> Result<u8> {
    need_root()?;
    let source = Source::parse(&args.image, args.checksum.as_deref())?;
    block_on(async {
        let mut signals = Signals::listen()?;
        let (image, name) = open(&args, source, &mut signals, ui).await?;
        let directory = Directory::make()?;
        let dir = directory.path().to_owned();
        let plan = StagePlan {
            dir: dir.clone(),
            volumes: session::volumes(image.file(), Path::new(&name))?,
            layout: None,
            hostname: "pichroot".into(),
            emulation: args.emulation,
            cpu: session::cpu(),
            twins: session::twins(args.emulation, args.network, &Cache::default_dir()?),
            network: args.network,
            term: std::env::var("TERM").unwrap_or_else(|_| "dumb".into()),
            packages: session::packages(args.shortcuts(), args.network, ui),
            shortcuts: shortcuts(&args, ui),
        };
        let mut session = Session::start(image.file(), &name, directory, signals, None, ui)?;
        let facts = match session.open(plan).await {
            Ok(facts) => facts,
            Err(error) => {
                if args.write {
                    session.give_up().await;
                }
                return Err(error);
            }
        };
        let environment = Surroundings::utf8_environment();
        let job = session::command(&dir, &facts, command, environment);
        let ended = session.run(job).await;
        // What is changed in place is left unmounted and checked, whatever happened; a copy that is
        // thrown away need not be taken apart, but for who wants to know what was run.
        let closed = match image {
            Opened::Copy(_) if !args.verbose => Ok(()),
            _ => session.close().await.map(|(_, starts)| {
                if let Some(text) = starts.summary(usize::MAX) {
                    ui.detail(&text);
                }
            }),
        };
        let code = ended?.shell_code();
        closed?;
        Ok(code as u8)
    })
}

/// The shortcuts to be taken, without those that a person at a shell would be misled by.
fn shortcuts(args: &ImageArgs, ui: &Ui) -> Shortcuts {
    // Who asks for an initramfs waits for it.
    let mut shortcuts = args.shortcuts().without(Shortcut::Initramfs);
    if args.write && shortcuts.sync {
        ui.detail("the shortcut sync is not taken: --write keeps what is changed");
        shortcuts.sync = false;
    }
    shortcuts
}

/// The file to mount, until it is dropped.
enum Opened {
    InPlace(Flock<File>),
    Copy(WorkImage),
}

impl Opened {
    fn file(&self) -> &File {
        match self {
            Opened::InPlace(file) => file,
            Opened::Copy(work) => work.file(),
        }
    }
}

/// The image itself with `--write`, else a copy that is thrown away.
async fn open(
    args: &ImageArgs,
    source: Source,
    signals: &mut Signals,
    ui: &Ui,
) -> Result<(Opened, String)> {
    if args.write {
        let report = ui.clone();
        // Locked before it is verified: another run may be changing it.
        let file = match &source.location {
            Location::Path(path) => Some(lock(path)?),
            Location::Url(_) => None,
        };
        let name = source.location.to_string();
        signals
            .during(move || image::verify_in_place(&source, &report))
            .await?;
        let file = file.expect("a URL is refused");
        return Ok((Opened::InPlace(file), name));
    }
    let cache = Cache::open(&Cache::default_dir()?)?;
    let scratch = cache.root().join("scratch.img");
    let name = source.location.to_string();
    let report = ui.clone();
    let work = signals
        .during(move || {
            let base = image::fetch(&cache, &source, &report)?;
            WorkImage::create(&base, &scratch, true, &report)
        })
        .await?;
    Ok((Opened::Copy(work), name))
}

/// Opens an image for writing, unless another run does already.
fn lock(path: &Path) -> Result<Flock<File>> {
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .context(Kind::Usage, || {
            format!("cannot open {} for writing", path.display())
        })
        .map_err(|error| error.hint("name an image file that you may write to"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        Error::host(format!("{} is in use by another pichroot", path.display()))
            .hint("wait for it to end, or leave out --write to work on a copy")
    })
}
