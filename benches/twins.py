"""Twins against qemu alone: what a provisioning spends its time on.

ours      --emulation twin, as pichroot does it by itself
theirs    --emulation qemu --no-shortcut all

Both work on copies of one image, which has the packages to install in apt's cache, so that no network is in the
times; but the bootstrap playbook installs ceph-common from the network on both sides. Under qemu each is run once.

PARTS picks what is measured: execs dpkg apt initramfs bootstrap, by default all.
"""

import os
import shlex
import subprocess
import sys

from measure import BINARY, CHECKOUT, ROUNDS, run, show, timed

sys.path[:0] = [str(CHECKOUT / "tests" / name) for name in ("conformance", "twins")]

from grown import grown

SIZE = 6 << 30
WAYS = {
    "twin": ["--emulation", "twin"],
    "qemu": ["--emulation", "qemu", "--no-shortcut", "all"],
}
# With what they depend on, some 60.
PACKAGES = """
    bash-completion bind9-dnsutils chrony cron curl htop jq less locales logrotate lvm2 nftables parted
    python3-requests python3-yaml rsyslog tcpdump tmux unzip vim-tiny
"""
SMALL = "bash-completion jq libjq1 libonig5 less logrotate libpopt0 unzip"
KERNEL = "linux-image-arm64"
INSTALL = "apt-get install -q -y --no-install-recommends --no-download"
CACHE = "/var/cache/apt/archives"
LISTS = "/var/lib/apt/lists"
# Turns of a loop that starts one program.
EXECS = 200
BOOTSTRAP = {
    "hn_hostname": "mypi",
    "hn_netboot": "true",
    "hn_host_id": "10000000abcdef12",
    "hn_ceph_monitors": "192.0.2.11",
    "hn_ceph_key": "AQCxCephKeyOfTheBench123456789abcdefgh==",
    "hn_nfs_server": "192.0.2.5",
}


def inside(image, script, way="twin", **options):
    """Runs a script in the image, to stay."""
    command = [BINARY, "exec", "--write", *WAYS[way], image, "--", "sh", "-ec", script]
    return timed(command, **options)


def downloaded(scratch, image):
    """The packages for the image and the lists of its archive, by this machine's apt: a tar for the image."""
    place = scratch / "apt"
    lists, cache = place / LISTS[1:], place / CACHE[1:]
    for folder in (lists, cache):
        (folder / "partial").mkdir(parents=True)
    for name in ("/var/lib/dpkg/status", "/etc/apt/sources.list"):
        read = [BINARY, "exec", "--checksum", "none", image]
        read += ["--", "cat", name]
        file = scratch / os.path.basename(name)
        file.write_bytes(
            subprocess.run(read, check=True, stdout=subprocess.PIPE).stdout
        )
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::Cache::archives": cache,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::SourceList": scratch / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Trusted": "/usr/share/keyrings/debian-archive-keyring.gpg",
        "Dir::State::lists": lists,
        "Dir::State::status": scratch / "status",
    }
    apt = ["apt-get", "-q"]
    for name, value in options.items():
        apt += ["-o", f"{name}={value}"]
    run([*apt, "update"])
    names = shlex.split(f"{PACKAGES} {SMALL} {KERNEL}")
    run([*apt, "install", "-y", "--download-only", *names])
    archive = scratch / "apt.tar"
    run(["tar", "-C", place, "-cf", archive, f".{CACHE}", f".{LISTS}"])
    return archive


class Bench:
    """The images, and what is measured in copies of them."""

    def __init__(self, scratch, raw):
        self.scratch = scratch
        self.stocked = grown(raw, scratch / "stocked.img", SIZE)
        with downloaded(scratch, self.stocked).open("rb") as archive:
            inside(self.stocked, "tar -C / -x", stdin=archive)
        self.kernel = self.copied(self.stocked, "kernel.img")
        hook = "/etc/kernel/postinst.d/initramfs-tools"
        # All but its initramfs, which is what is measured.
        install = f"chmod -x {hook}; {INSTALL} {KERNEL}; chmod +x {hook}"
        inside(self.kernel, install)

    def copied(self, image, name="copy.img"):
        copy = self.scratch / name
        run(["cp", "--reflink=auto", "--sparse=always", image, copy])
        return copy

    def compare(self, title, image, script):
        """A script in the image, in both ways."""
        turns = {"twin": ROUNDS, "qemu": 1}
        times = {
            way: [inside(self.copied(image), script, way) for _ in range(turns[way])]
            for way in WAYS
        }
        show(title, times["twin"], times["qemu"])

    def bootstrap(self):
        times = {"twin": [], "qemu": []}
        for way, found in times.items():
            for _ in range(max(1, ROUNDS // 3) if way == "twin" else 1):
                command = [BINARY, "ansible", "bootstrap-ubuntu-image.yml"]
                command += ["--image", self.kernel, "--checksum", "none", "--force"]
                command += ["-o", self.scratch / "output.img", *WAYS[way]]
                for name, value in BOOTSTRAP.items():
                    command += ["-e", f"{name}={value}"]
                found.append(timed(command, cwd=CHECKOUT / "playbooks"))
        show("bootstrap of a netboot Pi", times["twin"], times["qemu"])


def execs(bench):
    loop = f"i=0; while [ $i -lt {EXECS} ]; do i=$((i+1)); %s; done"
    bench.compare(
        f"{EXECS} times a program with a twin", bench.stocked, loop % "/bin/true"
    )
    # No package has it, so it has no twin: what the dispatcher costs where it finds none.
    other = "cp /bin/true /usr/local/bin/other; " + loop % "/usr/local/bin/other"
    bench.compare(f"{EXECS} times one without", bench.stocked, other)


def dpkg(bench):
    names = SMALL.split()
    files = " ".join(f"{CACHE}/{name}_*.deb" for name in names)
    bench.compare(
        f"dpkg -i of {len(names)} packages", bench.stocked, f"dpkg -i {files}"
    )


def apt(bench):
    install = f"{INSTALL} {' '.join(PACKAGES.split())}"
    bench.compare("apt-get install of some 60", bench.stocked, install)


def initramfs(bench):
    make = "update-initramfs -c -k all"
    bench.compare("update-initramfs, generic kernel", bench.kernel, make)


PARTS = {part.__name__: part for part in (execs, dpkg, apt, initramfs, Bench.bootstrap)}


def twins(scratch, raw):
    bench = Bench(scratch, raw)
    for name in os.environ.get("PARTS", " ".join(PARTS)).split():
        PARTS[name](bench)
