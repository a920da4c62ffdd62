//! What is done to an image that is not opened: none of its programs run.

use std::{fs::File, os::unix::fs::DirBuilderExt};

use super::{
    directory,
    protocol::{Event, Work},
    supervisor::Supervisor,
};
use crate::{
    error::{Context, Kind, Result},
    shape::{fill, shrink},
};

/// Does `work` on `image`, and tells that it is done.
pub(super) fn run(supervisor: &Supervisor, image: &File, work: Work) -> Result<()> {
    let nodes = directory::nodes();
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&nodes)
        .context(Kind::Host, || format!("cannot make {}", nodes.display()))?;
    let scratch = directory::path();
    let size = match work {
        Work::Fill(volume) => {
            let told = fill::fill(image, &volume, scratch)?;
            supervisor.report(told)?;
            None
        }
        Work::Shrink(wanted) => Some(shrink::shrink(image, &wanted, scratch)?),
    };
    supervisor.tell(&Event::Done { size })
}
