//! Making the work image larger than its base image, and small at the end.

use std::fs::File;

use super::{signals::Signals, work};
use crate::{
    disk::{partition::Table, volume},
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    shape::{
        grow::{self, Grow, Plan},
        shrink::{self, Shrink},
    },
    stage::protocol::Work,
};

/// A growth that an image can take.
pub struct Growth {
    table: Table,
    plan: Plan,
}

impl Growth {
    /// What `wanted` means for `image`, which the user calls `name` and which had `original` bytes before any growth;
    /// `None` if nothing is to be done.
    ///
    /// # Errors
    /// Where the image cannot grow like that.
    pub fn of(
        image: &File,
        wanted: Grow,
        original: Option<u64>,
        name: &str,
    ) -> Result<Option<Self>> {
        let size = size(image, name)?;
        let (table, volumes) = volume::read(image, size, name)?;
        let sizes = (size, original.unwrap_or(size));
        let plan = grow::plan(&mut &*image, (&table, &volumes), sizes, wanted, name)?;
        Ok(plan.map(|plan| Growth { table, plan }))
    }

    /// Makes the file `image` larger, and its table say so.
    pub fn make_room(&self, image: &File, name: &str) -> Result<()> {
        grow::make_room(image, &self.table, &self.plan, name)
    }

    /// Has the file system fill the room.
    pub async fn fill(
        &self,
        image: &File,
        name: &str,
        signals: &mut Signals,
        report: &dyn Report,
    ) -> Result<()> {
        let (_, volumes) = volume::read(image, size(image, name)?, name)?;
        let number = self.plan.partition;
        let volume = volumes.into_iter().find(|v| v.partition.number == number);
        let volume = volume.ok_or_else(|| Error::other(format!("partition {number} is gone")))?;
        let size = volume.partition.size;
        work::run(image, name, Work::Fill(volume), signals, report).await?;
        report.tell(Event::Grown {
            partition: number,
            size,
        });
        Ok(())
    }
}

/// Whether an image can be made small at the end, which the user calls `name`.
///
/// # Errors
/// Where its last partition cannot.
pub fn can_shrink(image: &File, name: &str) -> Result<()> {
    let (_, volumes) = volume::read(image, size(image, name)?, name)?;
    shrink::last(&volumes, name).map(drop)
}

/// Makes the image small, with `margin` bytes to spare.
pub async fn shrink(
    image: &File,
    margin: u64,
    name: &str,
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<()> {
    let had = size(image, name)?;
    let (table, volumes) = volume::read(image, had, name)?;
    let volume = shrink::last(&volumes, name)?.clone();
    let number = volume.partition.number;
    let work = Work::Shrink(Shrink { volume, margin });
    let done = work::run(image, name, work, signals, report).await?;
    let fitted = done.ok_or_else(|| Error::other("the stage did not say how small it is"))?;
    let size = shrink::cut(image, &table, number, fitted, name)?;
    report.tell(Event::Shrunk {
        partition: number,
        had,
        size,
    });
    Ok(())
}

fn size(image: &File, name: &str) -> Result<u64> {
    let meta = image.metadata();
    Ok(meta
        .context(Kind::Image, || format!("cannot read {name}"))?
        .len())
}
