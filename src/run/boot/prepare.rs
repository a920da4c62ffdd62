//! Everything that QEMU needs for an image.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Seek},
    net::TcpListener,
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
};

use crate::{
    boot::{
        arguments,
        console::Until,
        device_tree, firmware, kernel,
        machine::{self, At, Image, Machine},
        qemu::{self, Console, Lent, Network, Start},
    },
    config::{self, BootPlan},
    disk::Volume,
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    netboot::cpio,
    run::{signals::Signals, work},
    stage::{
        boot_files::{BootFiles, FOUND, Found, INITRAMFS, KERNEL, MAX_FILE},
        protocol::Work,
    },
    sys::{command, inroot::path_of, memory, programs, run_as::Account},
    ui::Ui,
};

/// Where distributions have firmware.
const SHARE: &str = "/usr/share";
/// What makes a processor run a machine's programs itself.
const KVM: &str = "/dev/kvm";

/// A machine that can be switched on.
pub struct Prepared {
    /// The program.
    pub program: PathBuf,
    /// The port of 127.0.0.1 that leads to its SSH server.
    pub port: u16,
    /// What it calls itself.
    pub hostname: Option<String>,
    /// What is waited for.
    pub until: Option<Until>,
    machine: Machine,
    size: qemu::Size,
    network: config::Network,
    kvm: bool,
    disk: File,
    disk_read: File,
    start: Files,
}

/// What it starts with, in memory.
enum Files {
    Kernel {
        kernel: File,
        initramfs: Option<File>,
        tree: Option<File>,
        arguments: String,
    },
    Uefi {
        code: PathBuf,
        variables: (File, File),
    },
}

impl Prepared {
    /// Looks into `image`, which the user calls `name`, and chooses the machine; its SSH server is reached by `port`.
    pub async fn new(
        (image, name): (&File, &str),
        port: u16,
        plan: &BootPlan,
        account: &Account,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<Self> {
        let looked_at = work::Image {
            file: image,
            name,
            layout: None,
        };
        let volumes = looked_at.volumes()?;
        let wanted = Work::BootFiles(BootFiles {
            volumes: volumes.clone(),
            layout: plan.image.settings.layout.clone(),
            board: plan.machine.is_board(),
        });
        let failed = || "cannot make a file in memory".to_owned();
        let archive = memory::create("boot").context(Kind::Host, failed)?;
        let to = archive.try_clone().context(Kind::Host, failed)?;
        work::run_with(image, name, (wanted, Some(to.into())), signals, ui).await?;
        let files = unpack(archive)?;
        Self::of((image, &volumes), files, port, plan, account, ui).map_err(|error| {
            match error.kind() {
                Kind::Image => error.of(name),
                _ => error,
            }
        })
    }

    fn of(
        (image, volumes): (&File, &[Volume]),
        mut files: Unpacked,
        port: u16,
        plan: &BootPlan,
        account: &Account,
        ui: &Ui,
    ) -> Result<Self> {
        let found = files.found()?;
        let kernel = match &found.kernel {
            Some(known) => Some(kernel::read(files.take(KERNEL)?, &known.path)?),
            None => None,
        };
        let early = files.take(INITRAMFS).ok();
        let modules = match &early {
            Some(early) => modules(early),
            None => Some(Vec::new()),
        };
        let looked_at = Image {
            found: &found,
            kernel: kernel.as_ref().map(|kernel| kernel.arch),
            early: modules.as_deref(),
        };
        let arch = looked_at.kernel.unwrap_or(found.arch);
        let program = programs::find(machine::program(arch))?;
        let machine = machine::choose(looked_at, &plan.machine, &|model| {
            has_model(&program, model)
        })?;
        if machine.disk == At::Slot {
            grow_to_a_card(image)?;
        }
        let start = match kernel.filter(|_| !machine.uefi) {
            Some(kernel) => {
                let tree = machine
                    .device_tree
                    .as_ref()
                    .map(|name| files.take(name).map(device_tree::free_console))
                    .transpose()?;
                let early = early
                    .map(|early| in_memory(INITRAMFS, &early))
                    .transpose()?;
                Files::Kernel {
                    arguments: arguments_for(&found, volumes, &machine, early.is_some(), plan)?,
                    kernel: in_memory(KERNEL, &kernel.content)?,
                    initramfs: early,
                    tree: tree.map(|tree| in_memory("tree", &tree)).transpose()?,
                }
            }
            None => by_uefi(&machine)?,
        };
        let path = found.kernel.as_ref().filter(|_| !machine.uefi);
        ui.tell(Event::Booting {
            machine: machine.model.clone(),
            kernel: path.map(|kernel| kernel.path.clone()),
            port: machine.card.map(|_| port),
        });
        Ok(Prepared {
            kvm: runs(arch) && account.may_use(Path::new(KVM)),
            program,
            port,
            hostname: found.hostname,
            until: plan.until.clone(),
            machine,
            size: plan.size.clone(),
            network: plan.network,
            disk: image
                .try_clone()
                .context(Kind::Host, || "cannot share the disk".into())?,
            disk_read: reopened(image)?,
            start,
        })
    }

    /// Whether anything can reach it.
    pub fn has_network(&self) -> bool {
        self.machine.card.is_some()
    }

    /// What QEMU calls it.
    pub fn model(&self) -> &str {
        &self.machine.model
    }

    /// The arguments for QEMU, which tells what becomes of it on the socket `monitor`.
    pub fn arguments(&self, monitor: RawFd, console: Console) -> Vec<OsString> {
        let fd = |file: &File| file.as_raw_fd();
        let lent = Lent {
            disk: fd(&self.disk),
            disk_read: fd(&self.disk_read),
            monitor,
            start: match &self.start {
                Files::Kernel {
                    kernel,
                    initramfs,
                    tree,
                    arguments,
                } => Start::Kernel {
                    kernel: fd(kernel),
                    initramfs: initramfs.as_ref().map(fd),
                    tree: tree.as_ref().map(fd),
                    arguments: arguments.clone(),
                },
                Files::Uefi { code, variables } => Start::Uefi {
                    code: code.clone(),
                    variables: (fd(&variables.0), fd(&variables.1)),
                },
            },
        };
        let network = Network {
            port: self.port,
            open: self.network == config::Network::Host,
        };
        qemu::arguments(&self.machine, &self.size, &lent, network, console, self.kvm)
    }

    /// The open files that QEMU gets.
    pub fn lent(&self) -> Vec<RawFd> {
        let mut files = vec![&self.disk, &self.disk_read];
        match &self.start {
            Files::Kernel {
                kernel,
                initramfs,
                tree,
                ..
            } => files.extend(
                [Some(kernel), initramfs.as_ref(), tree.as_ref()]
                    .into_iter()
                    .flatten(),
            ),
            Files::Uefi { variables, .. } => files.extend([&variables.0, &variables.1]),
        }
        files.into_iter().map(AsRawFd::as_raw_fd).collect()
    }
}

/// Files that the stage has packed, by their names.
struct Unpacked(Vec<(String, Vec<u8>)>);

impl Unpacked {
    fn take(&mut self, name: &str) -> Result<Vec<u8>> {
        let at = self.0.iter().position(|(known, _)| known == name);
        let at = at.ok_or_else(|| Error::other(format!("the stage has packed no {name}")))?;
        Ok(self.0.swap_remove(at).1)
    }

    fn found(&mut self) -> Result<Found> {
        let text = self.take(FOUND)?;
        serde_json::from_slice(&text).context(Kind::Other, || "the stage is out of step".into())
    }
}

fn unpack(mut archive: File) -> Result<Unpacked> {
    let failed = || "cannot read what the stage has packed".to_owned();
    archive.rewind().context(Kind::Other, failed)?;
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive)
        .entries()
        .context(Kind::Other, failed)?
    {
        let entry = entry.context(Kind::Other, failed)?;
        let name = entry
            .path()
            .context(Kind::Other, failed)?
            .display()
            .to_string();
        let mut content = Vec::new();
        entry
            .take(MAX_FILE)
            .read_to_end(&mut content)
            .context(Kind::Other, failed)?;
        files.push((name, content));
    }
    Ok(Unpacked(files))
}

/// The paths of the modules in an initramfs; `None` where it is packed in a way that is not read.
fn modules(early: &[u8]) -> Option<Vec<String>> {
    let archive = cpio::read(early, cpio::LIMITS, &|_| false).ok()?;
    let is_module = |path: &String| path.contains(".ko");
    Some(archive.paths.into_iter().filter(is_module).collect())
}

/// The kernel's arguments.
fn arguments_for(
    found: &Found,
    volumes: &[Volume],
    machine: &Machine,
    has_initramfs: bool,
    plan: &BootPlan,
) -> Result<String> {
    let own = found.arguments.as_ref();
    let own = own.and_then(|(text, path)| Some((arguments::of_text(text, path)?, path)));
    let has_own_root = plan.append.iter().any(|word| word.starts_with("root="));
    if let Some((text, path)) = &own
        && !has_own_root
        && let Some(word) = arguments::network_root(text)
    {
        let what = format!("the image boots from the network: /{path} says {word}");
        return Err(Error::image(what).hint(
            "a virtual machine alone has no such server; docs/boot.md tells how netboots are tested; --append \
             root=LABEL=... tries its own disk",
        ));
    }
    let root = volumes
        .iter()
        .find(|volume| volume.partition.number == found.root);
    let root = root.ok_or_else(|| Error::other(format!("there is no partition {}", found.root)))?;
    let machine = arguments::Machine {
        consoles: machine.consoles,
        root,
        has_initramfs,
        same_disk: machine.disk == At::Slot,
    };
    let text = own.as_ref().map(|(text, _)| text.as_str());
    let line = arguments::for_machine(text, machine, &plan.append);
    match line.len() < arguments::MAX {
        true => Ok(line),
        false => Err(Error::image(format!(
            "the kernel's arguments have {} bytes, and kernels take {}",
            line.len(),
            arguments::MAX
        ))
        .hint("see cmdline.txt, or what the boot loader's configuration says")),
    }
}

fn by_uefi(machine: &Machine) -> Result<Files> {
    let firmware = firmware::find(machine.arch, Path::new(SHARE))?;
    let failed = || format!("cannot copy {}", firmware.variables.display());
    let mut first = firmware.first_variables()?;
    let mut variables = memory::create("variables").context(Kind::Host, failed)?;
    std::io::copy(&mut first, &mut variables).context(Kind::Host, failed)?;
    let read = reopened(&variables)?;
    Ok(Files::Uefi {
        code: firmware.code,
        variables: (variables, read),
    })
}

/// A file of which QEMU's user can open the content by its descriptor.
fn in_memory(name: &str, content: &[u8]) -> Result<File> {
    memory::sealed(name, content)
        .context(Kind::Host, || format!("cannot keep the {name} in memory"))
}

/// The same file, open for reading alone.
fn reopened(file: &File) -> Result<File> {
    let read = File::options()
        .read(true)
        .custom_flags(nix::libc::O_CLOEXEC)
        .open(path_of(file));
    read.context(Kind::Host, || "cannot open the disk for reading".into())
}

/// QEMU wants cards whose size is a power of two.
fn grow_to_a_card(image: &File) -> Result<()> {
    let failed = || "cannot make the copy as large as a card".to_owned();
    let size = image.metadata().context(Kind::Host, failed)?.len();
    image
        .set_len(size.next_power_of_two())
        .context(Kind::Host, failed)
}

fn has_model(program: &Path, model: &str) -> bool {
    let listed = command::output(program, &["-machine".into(), "help".into()]);
    listed.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines()
            .any(|line| line.split_whitespace().next() == Some(model))
    })
}

/// Whether this machine's processor is such a one.
fn runs(arch: Arch) -> bool {
    Arch::host().is_some_and(|host| host.runs(arch))
}

/// One that nobody uses now.
pub fn free_port() -> Result<u16> {
    let failed = || "cannot find a free port on 127.0.0.1".to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").context(Kind::Host, failed)?;
    Ok(listener.local_addr().context(Kind::Host, failed)?.port())
}
