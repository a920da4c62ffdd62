#!/usr/bin/env python3
"""What Debian's kernels for arm64 have below /proc/sys: src/chroot/living/kernel/table.txt, on standard output.

    scripts/kernel-table.py >src/chroot/living/kernel/table.txt

Boots two of them in QEMU (some minutes). Needs qemu-system-aarch64, apt and dpkg-deb on a Debian, kmod and xz. Nothing is
installed, and no right is needed.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

MIRROR = "http://deb.debian.org/debian"
OLD, NEW = "bookworm", "trixie"
# Modules that have settings of their own, and that people load for them.
MODULES = [
    "br_netfilter",
    "nf_conntrack",
    "ip_vs",
    "sctp",
    "sunrpc",
    "lockd",
    "nfs",
    "md_mod",
    "vrf",
    "xfs",
]
# Without these there is no eth0, and some of the others cannot be loaded.
FIRST = ["crc32c_generic", "virtio_net"]
# Of this very kernel or processor.
LEFT_OUT = {"kernel/arch", "crypto/fips_version"}
# Made when they are read.
EMPTY = {
    "kernel/osrelease",
    "kernel/version",
    "kernel/random/boot_id",
    "kernel/random/uuid",
}

INIT = """#!/bin/busybox sh
/bin/busybox mkdir /b && /bin/busybox --install -s /b && export PATH=/b
mount -t proc proc /proc
show() {
    echo "=== $1"
    xargs stat -c 'M %a %n' </new
    xargs grep -H '' </new 2>/dev/null | sed -e 's/^/V /' -e 's/\\t/\\\\t/g'
}
FIRST
until [ -e /proc/sys/net/ipv6/conf/eth0 ]; do sleep 1; done
ip link set lo up; ip link set eth0 up; sleep 2
find /proc/sys -type f | sort | tee /new >/all
show base
MODULES
poweroff -f
"""
LOAD = """insmod /lib/{0}.ko
find /proc/sys -type f | sort >/now; grep -vxFf /all /now >/new && show {0}; mv /now /all
"""


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


def fetch(place, suite):
    """The newest kernel of this Debian, and busybox, unpacked."""
    for folder in ["lists/partial", "cache/archives/partial"]:
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (place / "sources").write_text(
        f"deb [arch=arm64 signed-by={key}] {MIRROR} {suite} main\n"
    )
    (place / "conf").write_text(
        f'Dir::State::lists "{place}/lists"; Dir::State::status "{place}/status"; Dir::Cache "{place}/cache";\n'
        f'Dir::Etc::sourcelist "{place}/sources"; Dir::Etc::sourceparts "/dev/null";\n'
        'APT::Architecture "arm64"; APT::Architectures { "arm64"; };\n'
    )
    env = {"APT_CONFIG": str(place / "conf"), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    run("apt-get", "-qq", "update", env=env)
    depends = run("apt-cache", "depends", "linux-image-arm64", env=env, text=True)
    kernel = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
    run("apt-get", "-qq", "download", kernel, "busybox-static", env=env, cwd=place)
    for deb in place.glob("*.deb"):
        run("dpkg-deb", "-x", deb, place / "root")


def record(name, mode, content):
    """One file of an archive for the kernel (initramfs buffer format)."""
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = (
        b"070701"
        + b"".join(b"%08X" % field for field in fields)
        + name.encode()
        + b"\0"
    )
    pad = lambda data: data + bytes(-len(data) % 4)
    return pad(head) + pad(content)


def initrd(root, folder):
    """A system that shows its settings, and what each module adds, and powers off."""
    lines = (folder / "modules.dep").read_text().splitlines()
    name = lambda path: pathlib.Path(path).name.split(".")[0].replace("-", "_")
    listed = {
        name(path): (path, needs.split())
        for path, needs in (line.split(":") for line in lines)
    }
    order = []
    for module in [*FIRST, *MODULES]:
        path, needs = listed[module]
        order += [item for item in [*reversed(needs), path] if item not in order]
    split = order.index(listed[FIRST[-1]][0]) + 1
    script = INIT.replace(
        "FIRST", "\n".join(f"insmod /lib/{name(path)}.ko" for path in order[:split])
    )
    script = script.replace(
        "MODULES", "".join(LOAD.format(name(path)) for path in order[split:])
    )
    folders = [
        record(each, 0o40755, b"") for each in ["bin", "lib", "proc", "sys", "dev"]
    ]
    busybox = next(root.glob("**/bin/busybox")).read_bytes()
    files = [
        record("init", 0o100755, script.encode()),
        record("bin/busybox", 0o100755, busybox),
    ]
    for path in order:
        content = (folder / path).read_bytes()
        if path.endswith(".xz"):
            content = run("xz", "-dc", folder / path)
        files.append(record(f"lib/{name(path)}.ko", 0o100644, content))
    return b"".join([*folders, *files, record("TRAILER!!!", 0, b"")])


def boot(place):
    """What the system says: for each section the files, with their modes and values."""
    root = place / "root"
    folder = next(root.glob("**/lib/modules/*"))
    run("depmod", "-b", folder.parents[2], folder.name)
    (place / "initrd").write_bytes(initrd(root, folder))
    kernel = next(root.glob("boot/vmlinuz-*"))
    machine = "-M virt -cpu cortex-a72 -smp 4 -m 2048 -nographic -no-reboot -nic user,model=virtio-net-pci"
    # Without further options for the kernel, as these change its settings.
    said = run(
        "qemu-system-aarch64",
        *machine.split(),
        "-kernel",
        kernel,
        "-initrd",
        place / "initrd",
        "-append",
        "console=ttyAMA0 panic=1",
        stdin=subprocess.DEVNULL,
        timeout=1800,
    )
    sections, now = {}, None
    for line in said.decode(errors="replace").splitlines():
        if line.startswith("=== "):
            now = sections.setdefault(line[4:].strip(), {})
        elif now is not None and line.startswith("M "):
            _, mode, path = line.split(" ", 2)
            now[path.strip().removeprefix("/proc/sys/")] = [mode, None]
        elif now is not None and line.startswith("V /proc/sys/"):
            path, _, value = line.removeprefix("V /proc/sys/").partition(":")
            entry = now[path]
            entry[1] = value if entry[1] is None else f"{entry[1]}\\n{value}"
    return sections


def line(path, mode, value):
    if path in EMPTY or (value is None and not path.endswith("stable_secret")):
        value = ""
    value = "?" if value is None else value.replace("\\t", "\t")
    return f"{mode} {path} {value}".rstrip()


def main():
    with tempfile.TemporaryDirectory() as name:
        found = {}
        for suite in OLD, NEW:
            place = pathlib.Path(name) / suite
            place.mkdir()
            fetch(place, suite)
            found[suite] = boot(place)
    old, new = found[OLD]["base"], found[NEW]["base"]
    for path in sorted(new.keys() & old.keys() - LEFT_OUT):
        mode, value = new[path]
        print(line(path, mode, old[path][1] if value is None else value))
    for heading, more, less in ("[after 6.1]", new, old), ("[before 6.12]", old, new):
        print(heading)
        for path in sorted(more.keys() - less.keys() - LEFT_OUT):
            print(line(path, *more[path]))
    for module, files in found[NEW].items():
        if module != "base":
            print(f"[module {module}]")
            for path in sorted(files):
                print(line(path, *files[path]))


if __name__ == "__main__":
    sys.exit(main())
