//! The process that looks for twins.

use std::{
    os::unix::net::UnixStream,
    path::Path,
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use super::{
    protocol::{Order, Said},
    table,
};
use crate::{
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
    event::{Event, NoTwins},
    sys::{frame, inroot::Root, process},
    twins::find::{self, Found, Search},
};

/// The name the process is started by.
pub const NAME: &str = "pichroot-twins";
/// How often it looks whether packages changed.
const LOOK: Duration = Duration::from_millis(500);
/// How long a change may be ago at least before it searches again: dpkg makes many.
const QUIET: Duration = Duration::from_secs(2);
/// Where dpkg has what is installed.
const STATUS: &str = "var/lib/dpkg/status";
/// What names the modules by which users are looked up.
const NSSWITCH: &str = "etc/nsswitch.conf";

/// The process' `main`; returns its exit code.
pub fn main() -> u8 {
    let Ok(stage) = process::adopt(0) else {
        return Kind::Usage.exit_code();
    };
    let stage = UnixStream::from(stage);
    if let Err(error) = run(&stage) {
        // Without twins all works the same, only slower.
        let event = Event::NoTwins(NoTwins::Failed((&error).into()));
        let _ = say(&stage, &Said::Told(event));
        let _ = say(&stage, &Said::Settled(0));
    }
    0
}

fn run(stage: &UnixStream) -> Result<()> {
    let (order, _): (Order, _) = frame::receive(stage)
        .context(Kind::Other, gone)?
        .ok_or_else(|| Error::other(gone()))?;
    let root = Root::open(&order.root)?;
    let host = Arch::host().ok_or_else(|| Error::host("this host's architecture is unknown"))?;
    let tell = |event| {
        let _ = say(stage, &Said::Told(event));
    };
    let search = |fetch| {
        let found = find::find(&Search {
            root: &root,
            image: order.image,
            kernel: order.kernel.as_deref(),
            host,
            cache: &order.settings.cache,
            scratch: &order.scratch,
            fetch,
            report: &tell,
        })?;
        // Without the module, programs that ask who is who would get another answer.
        let count = match found.nss_missing {
            true => table::put(&Found::default(), &order.folder)?,
            false => table::put(&found, &order.folder)?,
        };
        Ok::<_, Error>((found, count))
    };
    let mut seen = changed(&root);
    let (mut found, mut count) = search(false)?;
    if order.settings.fetch && (found.nss_missing || !found.missing.is_empty()) {
        (found, count) = search(true)?;
    }
    if found.nss_missing {
        return Err(Error::host(
            "the image looks up users by a module that there is no build of for this host",
        ));
    }
    tell(Event::Twins {
        programs: count,
        missing: found.missing.clone(),
    });
    if count == 0 {
        tell(Event::NoTwins(NoTwins::NoneFound(found.none_as)));
    }
    say(stage, &Said::Settled(count))?;
    loop {
        sleep(LOOK);
        let now = changed(&root);
        if now == seen {
            continue;
        }
        // Until it is quiet.
        let mut last = now;
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            sleep(LOOK);
            let now = changed(&root);
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        seen = last;
        if let Err(error) = search(order.settings.fetch) {
            tell(Event::TwinsFailed {
                what: "no twins of what was installed meanwhile".into(),
                why: error.to_string(),
            });
        }
    }
}

/// When what is installed was last written, and how users are looked up.
fn changed(root: &Root) -> [Option<SystemTime>; 2] {
    let modified = |path: &str| {
        let file = root.file(Path::new(path)).ok()?;
        file.metadata().and_then(|now| now.modified()).ok()
    };
    [STATUS, NSSWITCH].map(modified)
}

fn say(stage: &UnixStream, said: &Said) -> Result<()> {
    frame::send(stage, said, &[]).context(Kind::Other, gone)
}

fn gone() -> String {
    "the stage is gone".to_owned()
}
