//! Giving the executor Ansible's library while ansible-playbook is still starting.

use std::{
    fs,
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::{fs::MetadataExt, net::UnixStream},
    },
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    chroot::{
        plan::ChrootPlan,
        protocol::{Ask, Reply, Source, Warm},
    },
    sys::{frame, memory},
};

/// A library on the host, for modules that an interpreter of the image is going to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The interpreter, as modules will ask for it.
    pub interpreter: String,
    /// The folder of the package `ansible`.
    pub folder: PathBuf,
    /// Packages with another text than in the folder, by name.
    pub made_up: Vec<(String, String)>,
    /// What to import of it, in steps.
    pub import: Vec<Vec<String>>,
}

/// The longest source file that is sent.
const MAX_SOURCE: u64 = 1 << 20;

/// Sends it, in the background: nobody waits for it, and without it all works the same.
pub fn start(library: Library, dir: &Path) {
    let socket = ChrootPlan::socket(dir);
    std::thread::spawn(move || {
        // Only time is lost.
        let _ = send(library, &socket);
    });
}

fn send(library: Library, socket: &Path) -> io::Result<()> {
    let mut modules = Vec::new();
    for part in ["modules/__init__.py", "module_utils"] {
        collect(&library.folder, Path::new(part), &mut modules)?;
    }
    modules.retain(|module| library.made_up.iter().all(|(name, _)| module.name != *name));
    modules.extend(library.made_up.into_iter().map(|(name, text)| Module {
        name,
        package: true,
        text: text.into_bytes(),
        cached: Vec::new(),
    }));
    let mut file = memory::create("library")?;
    let (mut sources, mut offset) = (Vec::new(), 0);
    for module in modules {
        file.write_all(&module.text)?;
        file.write_all(&module.cached)?;
        let (length, cached) = (module.text.len() as u64, module.cached.len() as u64);
        sources.push(Source {
            name: module.name,
            package: module.package,
            offset,
            length,
            cached,
            crc: crc32fast::hash(&module.text),
        });
        offset += length + cached;
    }
    memory::seal(&file)?;
    let ask = Ask::Warm(Warm {
        interpreter: library.interpreter,
        library: sources,
        import: library.import,
    });
    let executor = UnixStream::connect(socket)?;
    frame::send(&executor, &ask.request(), &[file.as_raw_fd()])?;
    frame::receive::<Reply>(&executor).map(drop)
}

struct Module {
    name: String,
    package: bool,
    text: Vec<u8>,
    /// As in Python's cache, or empty.
    cached: Vec<u8>,
}

/// Adds `part` of the package `ansible`, a file or a folder.
fn collect(package: &Path, part: &Path, modules: &mut Vec<Module>) -> io::Result<()> {
    let path = package.join(part);
    let data = fs::metadata(&path)?;
    if data.is_dir() {
        for entry in fs::read_dir(&path)? {
            collect(package, &part.join(entry?.file_name()), modules)?;
        }
        return Ok(());
    }
    let name = part.to_str().and_then(|name| name.strip_suffix(".py"));
    if let Some(name) = name.filter(|_| data.len() <= MAX_SOURCE) {
        let name = format!("ansible/{name}").replace('/', ".");
        let package = name.strip_suffix(".__init__");
        modules.push(Module {
            package: package.is_some(),
            name: package.unwrap_or(&name).to_owned(),
            text: fs::read(&path)?,
            cached: cached(&path, &data).unwrap_or_default(),
        });
    }
    Ok(())
}

/// The compiled module beside a source, if it is of this very source; of whichever Python (PEP 3147
/// and PEP 552).
fn cached(source: &Path, data: &fs::Metadata) -> Option<Vec<u8>> {
    let start = format!("{}.", source.file_stem()?.to_str()?);
    let entries = fs::read_dir(source.parent()?.join("__pycache__")).ok()?;
    let names = entries.flatten().map(|entry| entry.path());
    let of_this = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let tag = name
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix(".pyc"));
        tag.is_some_and(|tag| tag.starts_with("cpython-") && !tag.contains('.'))
    };
    let bytes = fs::read(names.into_iter().find(of_this)?).ok()?;
    // Magic number, flags, then the time and size of the source.
    let field = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let fresh = field(4)? == 0
        && field(8)? == data.mtime() as u32
        && field(12)? == data.len() as u32
        && bytes.len() as u64 <= MAX_SOURCE;
    fresh.then_some(bytes)
}
