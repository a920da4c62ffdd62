//! Which package manager this host has, and what it calls what pichroot needs.

use crate::emulation::arch::Arch;

/// A family of distributions that install alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Debian,
    Fedora,
    Arch,
    Gentoo,
    Unknown,
}

/// What the host runs, as far as installing packages goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    family: Family,
    /// Whether qemu-user is the static one: with qemu 9.1, in Debian 13 and Ubuntu 25.04.
    new_qemu: bool,
}

impl Distribution {
    /// From the os-release of this host.
    pub fn of_this_host() -> Self {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .into_iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        Distribution::parse(&text.unwrap_or_default())
    }

    fn parse(os_release: &str) -> Self {
        let value = |key: &str| {
            os_release
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map_or("", |value| value.trim_matches(['"', '\'']))
        };
        let id = value("ID");
        let family = std::iter::once(id)
            .chain(value("ID_LIKE").split_whitespace())
            .find_map(|id| match id {
                "debian" | "ubuntu" => Some(Family::Debian),
                "fedora" | "rhel" | "centos" => Some(Family::Fedora),
                "arch" => Some(Family::Arch),
                "gentoo" => Some(Family::Gentoo),
                _ => None,
            })
            .unwrap_or(Family::Unknown);
        let number = value("VERSION_ID").split('.').next().unwrap_or_default();
        let number: u32 = number.parse().unwrap_or(0);
        let new_qemu = match id {
            "debian" => number == 0 || number >= 13,
            "ubuntu" => number >= 25,
            _ => false,
        };
        Distribution { family, new_qemu }
    }

    /// The command that installs a static qemu for `arch`, where it is known.
    pub fn install_qemu(&self, arch: Arch) -> Option<String> {
        Some(match self.family {
            Family::Debian if self.new_qemu => "apt-get install -y qemu-user".into(),
            Family::Debian => "apt-get install -y qemu-user-static".into(),
            Family::Fedora => "dnf install -y qemu-user-static".into(),
            Family::Arch => "pacman -S --needed qemu-user-static".into(),
            Family::Gentoo => format!(
                "echo 'app-emulation/qemu static-user qemu_user_targets_{arch}' \
                 >> /etc/portage/package.use/pichroot && emerge --ask app-emulation/qemu"
            ),
            Family::Unknown => return None,
        })
    }

    /// The command that installs the file system checker `program`, where it is known.
    pub fn install_checker(&self, program: &str) -> Option<String> {
        let package = if program == "e2fsck" {
            "e2fsprogs"
        } else {
            "dosfstools"
        };
        Some(match self.family {
            Family::Debian => format!("apt-get install -y {package}"),
            Family::Fedora => format!("dnf install -y {package}"),
            Family::Arch => format!("pacman -S --needed {package}"),
            Family::Gentoo => format!("emerge --ask sys-fs/{package}"),
            Family::Unknown => return None,
        })
    }

    /// The command that makes a virtual environment with Ansible where sudo finds it. Distributions
    /// package versions that may be too old, so this is the same everywhere, but for Python's parts.
    pub fn install_ansible(&self) -> String {
        let venv = "python3 -m venv /opt/ansible && /opt/ansible/bin/pip install ansible && \
                    ln -s /opt/ansible/bin/ansible* /usr/local/bin/";
        match self.family {
            Family::Debian => format!("apt-get install -y python3-venv && {venv}"),
            _ => venv.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_as_each_distribution_does() {
        let qemu = |text: &str| Distribution::parse(text).install_qemu(Arch::Aarch64);
        for (os_release, command) in [
            (
                "ID=debian\nVERSION_ID=\"12\"\n",
                "apt-get install -y qemu-user-static",
            ),
            (
                "ID=debian\nVERSION_ID=\"13\"\n",
                "apt-get install -y qemu-user",
            ),
            (
                "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
                "apt-get install -y qemu-user-static",
            ),
            (
                "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"25.10\"\n",
                "apt-get install -y qemu-user",
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                "apt-get install -y qemu-user-static",
            ),
            (
                "ID=fedora\nVERSION_ID=42\n",
                "dnf install -y qemu-user-static",
            ),
            (
                "ID=endeavouros\nID_LIKE=arch\n",
                "pacman -S --needed qemu-user-static",
            ),
        ] {
            assert_eq!(qemu(os_release).as_deref(), Some(command), "{os_release}");
        }
        let gentoo = qemu("ID=gentoo\n").unwrap();
        assert!(gentoo.contains("qemu_user_targets_aarch64"));
        assert_eq!(qemu(""), None);
        let fat = Distribution::parse("ID=gentoo\n").install_checker("fsck.vfat");
        assert_eq!(fat.as_deref(), Some("emerge --ask sys-fs/dosfstools"));
    }
}
