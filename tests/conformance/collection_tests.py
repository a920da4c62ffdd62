#!/usr/bin/env python3
"""The released collections' own tests of their modules, on an image: those that apply to a Debian machine.

collection_tests.py [TARGET]...   by default all of expected-collections.txt

Each target has a copy of the image to itself. A target that fails is run once more with every task going on after a
failure, so that all of its tasks are counted. Exits with 1 if a target does otherwise than
expected-collections.txt says, or if fewer than nine of ten tasks do what they do on a living machine. Runs as
root; PICHROOT_TEST_IMAGE names the base image.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

import run

EXPECTED = run.HERE / "expected-collections.txt"
# Of a hundred tasks, so many have to do what they do on a living machine.
AIM = 90
# What ansible-test's machines have, and this image lacks.
PACKAGES = (
    f"{run.PACKAGES} gpg iptables locales openssl procps python3-packaging "
    "python3-pip python3-venv ruby tzdata"
)
WAY = "default"


def expectations():
    """Of each target whether it passes, and the reason where it does not."""
    table = {}
    for line in EXPECTED.read_text().splitlines():
        if line and not line.startswith("#"):
            target, result, *reason = line.split(maxsplit=2)
            table[target] = ({"pass": True, "fails:": False}[result], *reason)
    return table


def upstream():
    """The targets of the release of the package `ansible` that is on PATH, a folder for each collection."""
    command = ["pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    versions = {each["name"]: each["version"] for each in json.loads(listed.stdout)}
    place = run.PLACE / f"ansible-{versions['ansible']}"
    run.run([run.HERE / "fetch-collections.sh", versions["ansible"], place])
    return place


def counts(log):
    """How many tasks Ansible says it has done, and how many of them failed."""
    done = failed = 0
    for line in log.read_text(errors="replace").splitlines():
        if match := re.match(r"\S+ +: ok=(\d+) .*failed=(\d+) .*ignored=(\d+)", line):
            ok, fatal, ignored = map(int, match.groups())
            done, failed = done + ok + fatal, failed + fatal + ignored
    return done, failed


def attempt(pichroot, logs, place, name, image):
    """Runs one target: whether it passed, why not, the seconds, and how many of its tasks did and did not."""
    collection, target = name.split("/")
    suite = run.Suite(
        pichroot, logs / collection, place / collection / "integration/targets"
    )
    further = {"CONFORMANCE_COLLECTION": collection}
    passed, reason, seconds = suite.run(target, WAY, image, further=further)
    done, _ = counts(suite.log(target, WAY))
    failed = 0
    if not passed:
        suite = run.Suite(pichroot, logs / "go-on" / collection, suite.targets)
        further["CONFORMANCE_GO_ON"] = "1"
        suite.run(target, WAY, image, further=further)
        # Failures that the target expects count as failed here: the figure is rather too low than too high.
        done, failed = counts(suite.log(target, WAY))
        done, failed = max(done, 1), max(failed, 1)
    return passed, reason, seconds, done, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    release = run.TARGET / "release/pichroot"
    parser.add_argument("--pichroot", type=pathlib.Path, default=release)
    logs = run.PLACE / "logs-collections"
    parser.add_argument("--logs", type=pathlib.Path, default=logs)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("error: mounting needs root\nhint: run this with sudo")
    run.PLACE.mkdir(parents=True, exist_ok=True)
    base = run.unpacked(pathlib.Path(os.environ["PICHROOT_TEST_IMAGE"]), run.PLACE)
    pichroot = arguments.pichroot.resolve()
    image = run.with_packages(pichroot, base, run.PLACE, PACKAGES)
    if image is None:
        sys.exit("error: the packages that the tests need cannot be had")
    place, table = upstream(), expectations()
    wrong = all_done = all_failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        start = lambda name: attempt(pichroot, arguments.logs, place, name, image)
        jobs = {pool.submit(start, name): name for name in arguments.targets or table}
        for job in concurrent.futures.as_completed(jobs):
            name = jobs[job]
            passed, reason, seconds, done, failed = job.result()
            hope = table.get(name, (True,))
            note = "" if hope[0] == passed else "UNEXPECTED"
            if note == "" and not passed:
                note = "expected: " + "".join(hope[1:])
            wrong += hope[0] != passed
            all_done, all_failed = all_done + done, all_failed + failed
            word = "PASS" if passed else "FAIL"
            text = "; ".join(part for part in (reason, note) if part)
            figure = f"{done - failed} of {done} tasks"
            print(
                f"{word} {name:<40} {figure:<18} {seconds:5.0f} s  {text}", flush=True
            )
    share = 100 * (all_done - all_failed) / max(all_done, 1)
    print(
        f"{all_done - all_failed} of {all_done} tasks, {share:.1f} %, as on a living machine"
    )
    sys.exit(1 if wrong or share < AIM else 0)


if __name__ == "__main__":
    main()
