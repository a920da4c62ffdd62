#!/usr/bin/env python3
"""One long playbook with twins and under qemu alone: the two images must be the same, file by file.

exact.py                                   tens of minutes, most of them under qemu
exact.py --packages "less jq" --kernel ''  a short one, to try this script

exact.yml is run on copies of the base image with more room in it. Then the root file systems are compared: names,
contents, modes, owners, extended attributes, links; and what is in each initramfs. Times are not compared, nor what
differing.txt lists, nor dates as in the differential test. Runs as root; PICHROOT_TEST_IMAGE names the base image.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))

import differential
from grown import grown
from initramfs import entries

from run import TARGET, unpacked

PLACE = TARGET / "twins"
SIZE = 6 << 30
# With what they depend on, some 80 packages; most have scripts, users, services or alternatives.
PACKAGES = """
    avahi-daemon bash-completion bind9-dnsutils chrony cron curl gawk git htop jq less logrotate lvm2 nfs-common nftables
    parted python3-requests python3-yaml rsync rsyslog ssl-cert tcpdump tmux unzip vim-tiny zstd
"""
KERNEL = "linux-image-arm64"


def walk(root):
    """All files of an image, but for those that always differ."""
    left_out = [
        re.split(r"  +", line)[0]
        for line in (HERE / "differing.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    files = {
        name: file
        for name, file in differential.walk(root).items()
        if not any(re.fullmatch(pattern, name) for pattern in left_out)
    }
    for name in [name for name in files if "/initrd.img-" in name]:
        if "sha256" not in files[name]:
            continue
        # It has times in it, so it is compared by what it holds.
        for key in ("sha256", "content"):
            files[name].pop(key, None)
        for inner, entry in entries(pathlib.Path(root + name).read_bytes()).items():
            files[f"{name}:{inner}"] = entry
    return files


def play(arguments, base, scratch, emulation):
    """Runs the playbook in one way: its image, and the seconds it took."""
    scratch.mkdir()
    image = scratch / "out.img"
    variables = {
        "hn_hostname": "exact",
        "packages": arguments.packages,
        "kernel": arguments.kernel,
    }
    command = [arguments.pichroot.resolve(), "ansible", HERE / "exact.yml"]
    command += ["--emulation", emulation, *arguments.further.split()]
    if emulation == "qemu":
        command += ["--no-shortcut", "all"]
    command += ["--image", base, "--checksum", "none", "-o", image]
    command += ["-e", json.dumps(variables)]
    start = time.monotonic()
    log = PLACE / f"exact-{emulation}.log"
    with log.open("wb") as output:
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
            cwd=scratch,
            env=dict(os.environ, LC_ALL="C.UTF-8"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        sys.stdout.write(log.read_text(errors="replace")[-4000:])
        sys.exit(f"error: the playbook failed with --emulation {emulation}, see {log}")
    seconds = time.monotonic() - start
    print(f"{emulation}: {seconds:.0f} s", flush=True)
    return image


def main():
    if sys.argv[1:2] == ["--walk"]:
        json.dump(walk(sys.argv[2]), sys.stdout)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pichroot", type=pathlib.Path, default=TARGET / "release/pichroot"
    )
    parser.add_argument("--packages", default=" ".join(PACKAGES.split()))
    parser.add_argument("--kernel", default=KERNEL, help="a package, or '' for none")
    parser.add_argument("--ways", default="qemu twin", help="two ways of --emulation")
    parser.add_argument(
        "--further", default="", help="further arguments of pichroot ansible"
    )
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("error: mounting needs root\nhint: run this with sudo")
    PLACE.mkdir(parents=True, exist_ok=True)
    base = unpacked(pathlib.Path(os.environ["PICHROOT_TEST_IMAGE"]), PLACE)
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="exact-") as name:
        place = pathlib.Path(name)
        place.chmod(0o755)
        image = grown(base, place / "base.img", SIZE)
        trees = []
        # One after the other: each may use all cores, and the times are worth knowing.
        for number, way in enumerate(arguments.ways.split()):
            scratch = place / f"{number}"
            output = play(arguments, image, scratch, way)
            trees.append(differential.tree(output, scratch, HERE / "exact.py"))
        different = differential.compare_trees(*trees)
        print(f"{different} of {len(trees[0])} files differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
