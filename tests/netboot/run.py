#!/usr/bin/env python3
"""Boot machines from the network for real. Run it by `make netboot-test`, as root.

    run.py --pichroot PROGRAM --image IMAGE.img.xz [CASE...]      all cases, or these
    run.py --list                                                 their names

Provisions images with the playbook that comes along, publishes them to a Ceph cluster, an NFS server and a TFTP server, and
boots an emulated machine from them, which needs no KVM. All servers are real ones, from Debian's packages, and run in a network, a process
and a mount namespace of their own, which end with this program. What they leave is in target/netboot. Exit 1 if a case fails.
"""

import argparse
import os
import pathlib
import shutil
import sys
import time
import traceback

import cases
from images import Workshop
from shell import Failed, run, say

INSIDE = "NETBOOT_TEST_INSIDE"
TOP = pathlib.Path(__file__).resolve().parents[2]
NEEDED = [
    "qemu-system-aarch64",
    "mkimage",
    "dnsmasq",
    "ceph-mon",
    "ceph-osd",
    "rbd",
    "ganesha.nfsd",
    "ip",
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pichroot", type=pathlib.Path)
    parser.add_argument("--image", type=pathlib.Path)
    parser.add_argument("--list", action="store_true", help="say which cases there are")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    given = parser.parse_args()
    for name in given.cases:
        if name not in cases.CASES:
            parser.error(f"there is no case {name}; --list names them")
    if not given.list and not (given.pichroot and given.image):
        parser.error("--pichroot and --image are needed")
    return given


def cover():
    """Let what the servers note of themselves go with the mount namespace."""
    for folder in ("/run", "/var/lib/nfs"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    os.makedirs("/var/lib/nfs/ganesha")


def boot(chosen, workshop):
    """Each case in turn. Those that fail do not keep the others from being tried."""
    bench = cases.Bench(workshop)
    failed = []
    for name in chosen:
        before = time.monotonic()
        try:
            bench.run(name)
            outcome = "ok"
        except Failed as error:
            outcome = f"FAILED: {error}"
            failed.append(name)
        except (OSError, LookupError, ValueError):
            outcome = f"FAILED: {traceback.format_exc()}"
            failed.append(name)
        say(f"{name}: {outcome} ({time.monotonic() - before:.0f} s)")
    return failed


def main():
    given = arguments()
    if given.list:
        for name, case in cases.CASES.items():
            print(f"{name:18}{case.run.__doc__.splitlines()[0]}")
        return 0
    for program in NEEDED:
        if not shutil.which(program):
            raise SystemExit(
                f"error: there is no {program}\nhint: run scripts/install-deps.sh netboot"
            )
    place = (
        pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target")).resolve()
        / "netboot"
    )
    place.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(given.pichroot.resolve(), given.image.resolve(), place)
    chosen = given.cases or list(cases.CASES)
    if INSIDE not in os.environ:
        # Before the namespaces, in which there is no way to a package archive.
        # Some cases share one.
        for image, case in {
            cases.CASES[name].image: cases.CASES[name] for name in chosen
        }.items():
            workshop.machine(image, case.initramfs, case.variables)
        os.environ[INSIDE] = "1"
        inside = [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        os.execvp(inside[0], [*inside, sys.executable, *sys.argv])
    shutil.rmtree(place / "ceph", ignore_errors=True)
    cover()
    failed = boot(chosen, workshop)
    if failed:
        print(
            f"error: {len(failed)} of {len(chosen)} cases failed: {' '.join(failed)}",
            file=sys.stderr,
        )
        print(
            f"hint: {place} has what was said on the consoles, and by the servers",
            file=sys.stderr,
        )
        return 1
    say("all is well")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"error: {error}")
