#!/usr/bin/env python3
"""Hundreds of command lines, with twins and under qemu alone: each must do the very same.

corpus.py [NAME]...            those of corpus/NAME.txt, by default all
corpus.py --against IMAGE      under qemu, and natively in an image of the same packages for this machine

Each line is run by a shell in the image, in a scratch directory of its own (inside.py). What it prints, how it
ends and what it leaves there is compared. expected.txt lists the differences that are accepted. With twins, each
program that a file names has to have been run by its twin, mostly. Runs as root; PICHROOT_TEST_IMAGE
names the base image.
"""

import argparse
import concurrent.futures
import difflib
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))

from twinned import twinned

from run import TARGET, copied, run, unpacked, with_packages

PLACE = TARGET / "twins"
# What a minimal image lacks of the programs that have twins, and two locales for them to speak.
PACKAGES = "acl attr bzip2 gawk libcap2-bin locales xz-utils zstd"
LOCALES = (
    "localedef -i de_DE -f UTF-8 de_DE.UTF-8; localedef -i de_DE -f ISO-8859-1 de_DE"
)
# The lines of all files, under qemu on a busy machine of two cores, take a third of it.
TIMEOUT = 900
CORES = os.cpu_count()


def read(path):
    """A file's cases, and the programs it is about. What a line may be is told in docs/conformance.md."""
    cases, programs, shell = [], [], ["sh", "-c"]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("    "):
            cases[-1]["line"] += "\n" + line[4:]
        elif line.startswith("@programs "):
            programs += line.split()[1:]
        elif line.startswith("@shell "):
            shell = line.split()[1:]
        elif line and not line.startswith("#"):
            cases.append({"id": f"{path.stem}:{number}", "shell": shell, "line": line})
    return cases, programs


def expectations():
    """expected.txt: for a case, patterns of differing lines and why each is accepted."""
    table = {}
    for line in (HERE / "expected.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            case, pattern, _ = re.split(r"  +", line, maxsplit=2)
            table.setdefault(case, []).append(pattern)
    return table


def play(pichroot, image, emulation, cases, part):
    """Runs cases in one way: what each did, and the run's messages."""
    log = PLACE / f"corpus-{emulation}-{part}.log"
    found = log.with_suffix(".json")
    # Of an image that is thrown away, programs are not counted.
    copy = copied(image, log.with_suffix(".img"))
    command = [pichroot, "exec", "-v", "--write", "--network", "none"]
    command += ["--emulation", emulation, copy, "--", "python3", "-c"]
    command.append((HERE / "inside.py").read_text())
    with log.open("wb") as messages, found.open("wb") as output:
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
            input=json.dumps(cases).encode(),
            stdout=output,
            stderr=messages,
            timeout=TIMEOUT,
            check=False,
        )
    copy.unlink()
    if done.returncode:
        sys.stdout.write(log.read_text(errors="replace")[-4000:])
        sys.exit(f"error: --emulation {emulation} ended with {done.returncode}")
    return [json.loads(line) for line in found.read_text().splitlines()], log.read_text(
        errors="replace"
    )


def whole(pool, pichroot, image, emulation, cases):
    """Has the cases run in one way, on all cores: call what it returns for their results, and the messages."""
    key = json.dumps([cases, (HERE / "inside.py").read_text(), str(image)])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    # What programs do under qemu does not change from one build of pichroot to the next, and takes minutes.
    known = PLACE / f"corpus-{emulation}-{name}.json"
    if emulation == "qemu" and known.exists():
        return lambda: (json.loads(known.read_text()), "")
    jobs = [
        pool.submit(play, pichroot, image, emulation, cases[part::CORES], part)
        for part in range(CORES)
    ]

    def join():
        results = {}
        for job in jobs:
            for result in job.result()[0]:
                # There for who looks for slow cases.
                result.pop("seconds")
                results[result.pop("id")] = result
        if emulation == "qemu":
            known.write_text(json.dumps(results))
        return results, "".join(job.result()[1] for job in jobs)

    return join


def lines(result):
    """A result as lines to be compared."""
    found = [f"exit code {result['code']}"]
    for stream in ("stdout", "stderr"):
        found += [f"{stream}: {line!r}" for line in result.get(stream, "").split("\n")]
    for name, entry in result.get("tree", {}).items():
        found.append(f"file {name!r}: {entry}")
    return found


def compare(cases, a, b):
    """Prints each difference that is not accepted: how many cases have one."""
    accepted = expectations()
    count = 0
    for case in cases:
        left, right = a.get(case["id"]), b.get(case["id"])
        if left == right:
            continue
        sides = [lines(left or {"code": "none"}), lines(right or {"code": "none"})]
        patterns = accepted.get(case["id"], []) + accepted.get("*", [])
        sides = [
            [line for line in side if not any(re.search(p, line) for p in patterns)]
            for side in sides
        ]
        if sides[0] == sides[1]:
            continue
        count += 1
        print(f"\n--- {case['id']}: {' '.join(case['shell'])}\n    {case['line']}")
        for line in list(difflib.unified_diff(*sides, n=1, lineterm=""))[2:42]:
            print("   ", line[:300])
    return count


def untwinned(messages, programs):
    """Names of programs that were not mostly run by their twin: some lines are there to have it refused."""
    twins, emulated = twinned(messages)
    return sorted(
        name for name in set(programs) if twins.get(name, 0) <= emulated.get(name, 0)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pichroot", type=pathlib.Path, default=TARGET / "release/pichroot"
    )
    parser.add_argument("--against", type=pathlib.Path, metavar="IMAGE")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("error: mounting needs root\nhint: run this with sudo")
    files = sorted((HERE / "corpus").glob("*.txt"))
    known = [path.stem for path in files]
    if unknown := set(arguments.names) - set(known):
        sys.exit(f"error: no corpus of {unknown.pop()}\nhint: one of {' '.join(known)}")
    cases, programs = [], []
    for path in files:
        if path.stem in (arguments.names or known):
            further = read(path)
            cases += further[0]
            programs += further[1]
    PLACE.mkdir(parents=True, exist_ok=True)
    pichroot = arguments.pichroot.resolve()
    base = unpacked(pathlib.Path(os.environ["PICHROOT_TEST_IMAGE"]), PLACE)
    image = with_packages(pichroot, base, PLACE, PACKAGES, LOCALES)
    if image is None:
        sys.exit("error: the packages that the corpus needs cannot be had")
    ways = [("qemu", image), ("twin", image)]
    if arguments.against:
        ways[1] = ("native", arguments.against)
    if not arguments.against:
        # So that the twins are there before the image is without a network.
        command = [pichroot, "exec", "--checksum", "none", "--emulation", "twin"]
        run([*command, image, "--", "true"])
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        joins = [whole(pool, pichroot, i, how, cases) for how, i in ways]
        (a, _), (b, messages) = [join() for join in joins]
    different = compare(cases, a, b)
    missing = [] if arguments.against else untwinned(messages, programs)
    if missing:
        print(f"\nnot, or seldom, run by their twins: {' '.join(missing)}")
    seconds = time.monotonic() - start
    print(f"{different} of {len(cases)} cases differ; {seconds:.0f} s")
    sys.exit(1 if different or missing else 0)


if __name__ == "__main__":
    main()
