#!/usr/bin/env python3
"""Plays of the kinds that roles for living machines are, unedited, twice each on an image.

run.py [ROLE]...   by default all in tests/living/roles

The second run starts from what the first one made, and changes nothing but that it reboots. Before and after each role
this machine has the same settings, modules, firewall, mounts, swap space, name and time zone. Runs as root;
PICHROOT_TEST_IMAGE names the base image.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
ROLES = HERE / "roles"
# Counters and dice, which are never the same twice.
VOLATILE = re.compile(
    r"random/|-nr$|-state$|ns_last_pid|pty/nr$|max_sample_rate$|quota/"
)
FILES = ["modules", "self/mountinfo", "swaps", "sys/kernel/hostname"]
COMMANDS = [
    ["nft", "list", "ruleset"],
    ["iptables-save"],
    ["ip", "-o", "address"],
    ["ip", "route"],
    ["readlink", "/etc/localtime"],
]


def text_of(path):
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        return error.strerror


def host():
    """What of this machine a role could change."""
    proc = pathlib.Path("/proc")
    found = {name: text_of(proc / name) for name in FILES}
    for path in (proc / "sys").rglob("*"):
        if path.is_file() and not VOLATILE.search(str(path)):
            found[str(path)] = text_of(path)
    for command in COMMANDS:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            text = re.sub(r"\[\d+:\d+\]|^#.*$", "", done.stdout, flags=re.MULTILINE)
            found[" ".join(command)] = re.sub(r"(valid|preferred)_lft \w+", "", text)
        except FileNotFoundError:
            # What this machine has no program for, it does not use either.
            continue
    found["the clock"] = str(round(time.time() - time.monotonic()))
    return found


def provision(pichroot, role, image, output, log):
    """Runs a role on an image: the exit status, and how many tasks say that they changed something."""
    command = [
        pichroot,
        "ansible",
        ROLES / f"{role}.yml",
        "-v",
        "--config",
        "/dev/null",
    ]
    command += ["--image", image, "--checksum", "none", "--output", output]
    command += ["-e", "hn_hostname=mypi", "-e", "hn_board=pi4"]
    with log.open("w") as file:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
        )
    recap = re.search(r"^\S+ +: ok=\d+ +changed=(\d+)", text_of(log), re.MULTILINE)
    return done.returncode, int(recap.group(1)) if recap else -1


def attempt(pichroot, place, role, image):
    """What is wrong with this role, nothing if it does what it should, and the seconds of both runs."""
    began = time.monotonic()
    tasks, *_ = (ROLES / f"{role}.yml").read_text().split("\n  handlers:")
    reboots = tasks.count("ansible.builtin.reboot:")
    with tempfile.TemporaryDirectory(dir=place) as folder:
        made = image
        for turn in "first", "second":
            output = pathlib.Path(folder) / f"{turn}.img"
            log = place / f"{role}-{turn}.log"
            code, changed = provision(pichroot, role, made, output, log)
            if code != 0:
                return f"the {turn} run ended with {code}, see {log}", 0
            made = output
        if changed != reboots:
            return f"the second run changed {changed} and not {reboots}, see {log}", 0
    return "", time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pichroot", type=pathlib.Path, default=TARGET / "release/pichroot"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("roles", nargs="*", metavar="ROLE")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("error: mounting needs root\nhint: run this with sudo")
    place = (TARGET / "living").resolve()
    place.mkdir(parents=True, exist_ok=True)
    image = pathlib.Path(os.environ["PICHROOT_TEST_IMAGE"]).resolve()
    pichroot = arguments.pichroot.resolve()
    roles = arguments.roles or sorted(path.stem for path in ROLES.glob("*.yml"))
    before, failed = host(), False
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        start = lambda role: attempt(pichroot, place, role, image)
        for role, (wrong, seconds) in zip(roles, pool.map(start, roles), strict=True):
            failed = failed or bool(wrong)
            print(
                f"FAIL {role}: {wrong}"
                if wrong
                else f"PASS {role:<22}{seconds:5.0f} s",
                flush=True,
            )
    after = host()
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            failed = True
            print(
                f"CHANGED on this machine: {name}: {before.get(name)!r} is now {after.get(name)!r}"
            )
    sys.exit(failed)


if __name__ == "__main__":
    main()
