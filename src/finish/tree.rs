//! Outputs that are made of the files in the image: archives and folders, all of one stream of tar's.

use std::{
    fs::File,
    io::{self, Read, Write},
    process::ChildStdin,
};

use super::{
    encode::{Encoder, encoder},
    folder::NewFolder,
    images::{Making, not_written},
    output::{Format, Output},
    ready::{Ready, Sum, Summing},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Report, Task},
    image::OutputFile,
    sys::tar::{self, Tar},
};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;

/// An output that takes the stream.
enum Sink {
    Archive {
        new: OutputFile,
        encoder: Box<dyn Encoder>,
        sum: Sum,
    },
    Folder {
        new: NewFolder,
        tar: Tar,
        stream: ChildStdin,
    },
}

/// Makes the `outputs` of `stream`, an archive of all files. Whether that was complete, who writes it knows.
///
/// # Errors
/// [`Kind::Host`] when one cannot be written, with the disk full for instance.
pub fn receive(
    stream: &mut dyn Read,
    outputs: &[Output],
    making: Making,
    report: &dyn Report,
) -> Result<Vec<Ready>> {
    let Some(first) = outputs.first() else {
        return Ok(Vec::new());
    };
    let sinks = outputs.iter().map(|output| Sink::new(output, making));
    let mut sinks = sinks.collect::<Result<Vec<_>>>()?;
    let progress = report.begin(Task::Packing(first.path.clone()), None);
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.context(Kind::Host, || "cannot read the image's files".into())?,
        };
        for sink in &mut sinks {
            sink.write(&chunk[..count])?;
        }
        done += count as u64;
        progress.at(done);
    }
    sinks.into_iter().map(Sink::finish).collect()
}

impl Sink {
    fn new(output: &Output, making: Making) -> Result<Self> {
        let failed = || format!("cannot make {}", output.path.display());
        match output.format {
            Format::Archive(packing) => {
                let new = OutputFile::create(&output.path, making.force, making.owner);
                let new = new.context(Kind::Host, failed)?;
                let file: File = new.file().try_clone().context(Kind::Host, failed)?;
                let (writer, sum) = Summing::new(file, making.sums);
                let encoder = encoder(packing, writer).context(Kind::Host, failed)?;
                Ok(Sink::Archive { new, encoder, sum })
            }
            Format::Folder => {
                let new = NewFolder::create(&output.path, making.force)?;
                let (tar, stream) = tar::unpack(new.place())?;
                Ok(Sink::Folder { new, tar, stream })
            }
            Format::Image(_) | Format::Disk(_) => Err(Error::other(format!(
                "{} is an image",
                output.path.display()
            ))),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Sink::Archive { new, encoder, .. } => {
                encoder.write_all(bytes).map_err(|error| failed(error, new))
            }
            Sink::Folder { stream, .. } => match stream.write_all(bytes) {
                // It has ended, and at the end it is asked why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other.context(Kind::Host, || "cannot write to tar".into()),
            },
        }
    }

    fn finish(self) -> Result<Ready> {
        match self {
            Sink::Archive { new, encoder, sum } => {
                encoder.finish().map_err(|error| failed(error, &new))?;
                Ok(Ready::file(new, sum.get()))
            }
            Sink::Folder { new, tar, stream } => {
                drop(stream);
                tar.end()
                    .map_err(|error| error.of(&format!("cannot make {}", new.path().display())))?;
                Ok(Ready::folder(new))
            }
        }
    }
}

fn failed(error: io::Error, new: &OutputFile) -> Error {
    not_written(error, new.file(), || {
        format!("cannot make {}", new.path().display())
    })
}
