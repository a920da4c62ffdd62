#!/usr/bin/env python3
"""Upstream's own tests, on an image: connection plugins' suite, and test targets of modules.

run.py connection [--way WAY]... [--short]  the suite for connection plugins; short: its first playbook alone
run.py negative                             the same with a defective plugin; passes when that is found
run.py targets [--way WAY]... [TARGET]...   test targets of modules, by default those of expected.txt

Each target has a copy of the image to itself. What comes out is held against expected.txt; a difference
in either direction is a failure, and with --control WAY a target that fails unexpectedly is run in that
way too, to tell whose fault it is. Runs as root; PICHROOT_TEST_IMAGE names the base image.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
TARGET = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target")
PLACE = TARGET / "conformance"
EXPECTED = HERE / "expected.txt"
# The root file system's place in the base image, see tests/fixtures/pi-disk.sh.
ROOT_OFFSET = 526336 * 512
# How Ansible gets into the image: arguments for `pichroot ansible`; None without pichroot.
WAYS = {
    "fast": ["--executor", "fast"],
    "plain": ["--executor", "plain"],
    # Whatever this pichroot does when it is not told.
    "default": [],
    # chroot(8) and community.general.chroot on an image mounted by hand: Ansible as anybody has it.
    "hand": None,
}
# What the targets use and a minimal image lacks.
PACKAGES = "acl bzip2 cron file libuser unzip xz-utils zip zstd"
# For one target. The longest takes a third of that under qemu, without the executor.
TIMEOUT = 3600


def run(command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


def unpacked(packed, place):
    """The base image, unpacked, in the cache of these tests."""
    stat = packed.stat()
    key = f"{packed.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    image = place / f"base-{hashlib.sha256(key.encode()).hexdigest()[:16]}.img"
    if not image.exists():
        part = image.with_suffix(".part")
        line = 'xz -T0 -dc "$1" | cp --sparse=always /dev/stdin "$2"'
        run(["bash", "-o", "pipefail", "-c", line, "bash", packed, part])
        part.rename(image)
    return image


def copied(image, copy):
    """A copy that shares blocks, or holes at least."""
    run(["cp", "--reflink=auto", "--sparse=always", image, copy])
    return copy


def with_packages(pichroot, base, place, packages=PACKAGES, further="true"):
    """The base image with packages and what a further script does, or None where no archive is reached."""
    key = hashlib.sha256(f"{packages} {further}".encode()).hexdigest()[:8]
    image = base.with_name(f"{base.stem}-{key}.img")
    if image.exists():
        return image
    part = copied(base, image.with_suffix(".part"))
    script = f"""
        set -e
        apt-get update -q
        apt-get install -q -y --no-install-recommends {packages}
        apt-get clean
        {further}
    """
    log = place / "packages.log"
    with log.open("w") as output:
        done = subprocess.run(
            [pichroot, "exec", "--write", part, "--", "sh", "-c", script],
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        part.unlink()
        print(f"warning: cannot install {packages} in the image, see {log}", flush=True)
        return None
    part.rename(image)
    return image


def targets_of_core():
    """The test targets of the ansible-core that is on PATH."""
    line = "from ansible.release import __version__ as v; print(v)"
    version = subprocess.run(
        ["python3", "-c", line], check=True, capture_output=True, text=True
    ).stdout.strip()
    upstream = PLACE / f"ansible-core-{version}"
    run([HERE / "fetch-ansible-core.sh", version, upstream])
    return upstream / "targets"


class Suite:
    """What all runs have in common."""

    def __init__(self, pichroot, logs, targets=None):
        self.pichroot = pichroot
        self.logs = logs
        self.targets = targets or targets_of_core()

    def log(self, target, way):
        """Where what a target says is kept."""
        return self.logs / way / f"{target}.log"

    def run(self, target, way, image, variables=None, further=None):
        """Runs a target: whether it passed, why not, and the seconds it took. The environment gets what is further."""
        start = time.monotonic()
        log = self.log(target, way)
        log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=PLACE, prefix="run-") as name:
            scratch = pathlib.Path(name)
            # Users of the image look at files that Ansible copies from here.
            scratch.chmod(0o755)
            (scratch / "run").mkdir()
            (scratch / "home").mkdir()
            environment = dict(
                os.environ,
                CONFORMANCE_TARGET=target,
                CONFORMANCE_TARGETS=str(self.targets),
                CONFORMANCE_SCRATCH=str(scratch / "run"),
                CONFORMANCE_VARS=json.dumps(variables or {}),
                ANSIBLE_HOME=str(scratch / "home"),
                **(further or {}),
            )
            if WAYS[way] is None:
                command = by_hand(scratch, image)
            else:
                command = by_pichroot(self.pichroot, scratch, image, WAYS[way])
            if variables:
                environment["ANSIBLE_CONNECTION_PLUGINS"] = str(
                    HERE / "connection_plugins"
                )
            code = None
            with (
                log.open("wb") as output,
                contextlib.suppress(subprocess.TimeoutExpired),
            ):
                code = subprocess.run(
                    ["setpriv", "--pdeathsig", "TERM", *command],
                    cwd=scratch,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=TIMEOUT,
                    check=False,
                ).returncode
        if code == 0:
            reason = ""
        elif code is None:
            reason = f"not done after {TIMEOUT} s"
        else:
            reason = why(log.read_text(errors="replace")) or f"exit code {code}"
        return code == 0, reason, time.monotonic() - start


def why(log):
    """The task that made the play end, of Ansible's output."""
    task = found = ""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if match := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*?)\] \**$", line):
            task = match[1]
        if re.match(r"(fatal|failed): ", line):
            # What follows tells whether the play went on all the same.
            rest = lines[number + 1 : number + 40]
            after = [
                text for text in rest if re.match(r"\.\.\.ignoring|TASK|PLAY", text)
            ]
            if not after or not after[0].startswith("...ignoring"):
                found = f"task [{task}]"
    return found


def by_pichroot(pichroot, scratch, image, arguments):
    """`pichroot ansible` with inside.py in place of ansible-playbook; the playbook itself is not run."""
    config = {"ansible": {"command": str(HERE / "inside.py")}}
    (scratch / "pichroot.yml").write_text(json.dumps(config))
    (scratch / "unused.yml").write_text("[]\n")
    command = [pichroot, "ansible", "unused.yml", *arguments]
    command += ["--image", image, "--checksum", "none", "-o", scratch / "out.img"]
    return [str(word) for word in command]


def by_hand(scratch, image):
    """The same on a copy of the image that is mounted in a namespace which ends with the run."""
    root = scratch / "root"
    root.mkdir()
    variables = {
        "ansible_connection": "community.general.chroot",
        "ansible_host": str(root),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_pipelining": True,
    }
    (scratch / "host").mkdir()
    hosts = {"all": {"hosts": {"image": variables}}}
    (scratch / "host/hosts.json").write_text(json.dumps(hosts))
    copy = copied(image, scratch / "copy.img")
    words = {
        "copy": copy,
        "root": root,
        "emulation": CHECKOUT / "tests/fixtures/with-emulation.sh",
        "inside": HERE / "inside.py",
        "host": scratch / "host",
    }
    script = """
        set -e
        mount -o loop,offset={offset} {copy} {root}
        mount -t tmpfs -o mode=1777 tmpfs {root}/tmp
        mount -t tmpfs -o mode=755 tmpfs {root}/run
        mount --rbind /dev {root}/dev
        mount -t proc proc {root}/proc
        export debian_chroot=x SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive
        export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
        # It has to be this very process that a timeout kills: all others end with it.
        exec {emulation} aarch64 {inside} --inventory {host}
    """.format(
        offset=ROOT_OFFSET,
        **{name: shlex.quote(str(word)) for name, word in words.items()},
    )
    return ["unshare", "--mount", "bash", "-c", script]


def expectations():
    """expected.txt: for a target and a way, whether it passes, and the reason where it does not."""
    table = {}
    for line in EXPECTED.read_text().splitlines():
        if line and not line.startswith("#"):
            target, ways, result, *reason = line.split(maxsplit=3)
            passes = {"pass": True, "fails:": False}[result]
            for way in WAYS if ways == "*" else ways.split(","):
                table.setdefault(target, {})[way] = (passes, *reason)
    return table


def targets(suite, arguments, base):
    table = expectations()
    names = arguments.targets or list(table)
    ready = with_packages(suite.pichroot, base, PLACE)
    if ready is None:
        print("SKIP all: the packages that they need cannot be had")
        return 1
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = {
            pool.submit(suite.run, name, way, ready): (name, way)
            for name in names
            for way in arguments.way
        }
        for job in concurrent.futures.as_completed(jobs):
            name, way = jobs[job]
            passed, reason, seconds = job.result()
            hope = table.get(name, {}).get(way)
            word = "PASS" if passed else "FAIL"
            if hope is None:
                note, wrong = "not in expected.txt", True
            elif hope[0] == passed:
                note, wrong = "" if passed else "expected: " + "".join(hope[1:]), False
            else:
                note, wrong = "UNEXPECTED", True
            bad += wrong
            text = "; ".join(part for part in (reason, note) if part)
            print(f"{word} {way:<8} {name:<30} {seconds:6.0f} s  {text}", flush=True)
            if wrong and not passed and arguments.control:
                passed, reason, seconds = suite.run(name, arguments.control, ready)
                text = "passes" if passed else f"fails, too: {reason}"
                print(f"     control {arguments.control}: {name} {text}", flush=True)
    return 1 if bad else 0


def connection(suite, arguments, base):
    bad = 0
    if arguments.short:
        os.environ["CONFORMANCE_SHORT"] = "1"
    for way in arguments.way:
        passed, reason, seconds = suite.run("connection", way, base)
        word = "PASS" if passed else "FAIL"
        print(f"{word} {way:<8} connection {seconds:6.0f} s  {reason}", flush=True)
        bad += not passed
    return 1 if bad else 0


def negative(suite, arguments, base):
    """A plugin that mangles bytes must not pass, or the suite would say nothing."""
    variables = {"ansible_connection": "mangled"}
    way = "hand"
    passed, reason, seconds = suite.run("connection", way, base, variables)
    log = (suite.logs / way / "connection.log").read_text(errors="replace")
    # It has to be that very check, and not a plugin that could not be loaded.
    found = not passed and "check output of raw with unicode" in reason
    word = "PASS" if found else "FAIL"
    print(f"{word} the defective plugin is found out {seconds:6.0f} s  {reason}")
    if not found:
        print("\n".join(log.splitlines()[-20:]))
    return 0 if found else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pichroot",
        type=pathlib.Path,
        default=TARGET / "release/pichroot",
    )
    # The logs of a run replace those of the one before.
    parser.add_argument("--logs", type=pathlib.Path, default=PLACE / "logs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    kinds = parser.add_subparsers(dest="kind", required=True)
    for function in (connection, negative, targets):
        kind = kinds.add_parser(function.__name__)
        kind.set_defaults(function=function)
        if function is not negative:
            kind.add_argument("--way", action="append", choices=WAYS)
        if function is connection:
            kind.add_argument("--short", action="store_true")
        if function is targets:
            kind.add_argument("--control", choices=WAYS)
            kind.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    if hasattr(arguments, "way") and not arguments.way:
        arguments.way = ["fast"]
    if os.geteuid() != 0:
        sys.exit("error: mounting needs root\nhint: run this with sudo")
    for program in ("ansible-playbook", "unshare", "xz"):
        if not shutil.which(program):
            sys.exit(f"error: {program} is not on PATH\nhint: run make setup-test")
    PLACE.mkdir(parents=True, exist_ok=True)
    base = unpacked(pathlib.Path(os.environ["PICHROOT_TEST_IMAGE"]), PLACE)
    suite = Suite(arguments.pichroot.resolve(), arguments.logs)
    sys.exit(arguments.function(suite, arguments, base))


if __name__ == "__main__":
    main()
