#!/usr/bin/env python3
"""The playbook that comes along, on an image of each class and architecture of classes.yml.

run.py [--pichroot PROGRAM] [--docs] [CLASS]...

Each image is made from a real Debian, provisioned, written to in each of its file systems, and read from outside. With
--docs the tables in docs/layouts.md are made from what came out, if nothing failed. Runs as root.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
TARGET = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target")
DOCS = CHECKOUT / "docs/layouts.md"
PLAYBOOK = ["ansible", "bootstrap-ubuntu-image.yml", "-e", "hn_hostname=mypi"]
# Tells each file system where it is.
STAMP = 'for at; do echo "$at" >"$at/where"; done'
DEBIANS = {"bookworm": "Debian 12", "trixie": "Debian 13"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# For one image. The longest takes a tenth of that.
TIMEOUT = 1200


class Failed(Exception):
    """Something was not as it has to be."""


def attempt(*command, timeout=TIMEOUT, **options):
    return subprocess.run(
        [str(word) for word in command],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )


def run(*command, **options):
    done = attempt(*command, **options)
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise Failed(f"{words} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def images(*arguments):
    return run(sys.executable, HERE / "images.py", *arguments)


def mount_points(kind):
    for part in kind["partitions"]:
        if "subvolumes" in part:
            yield from part["subvolumes"].values()
        elif "at" in part:
            yield part["at"]


def provision(name, kind, made_of, pichroot, place):
    """One image, from the files of a Debian to what is read in it from outside."""
    suite, architecture = made_of.split("-")
    recipe = CHECKOUT / "tests/fixtures/debian-root.sh"
    # The first time it makes one, and as long as that takes.
    root = run(recipe, architecture, suite, timeout=None).strip()
    source, output = place / "source.img", place / "mypi.img"
    images("make", name, root, source)
    image = ["--image", source, "--checksum", "none", "-o", output]
    run(pichroot, *PLAYBOOK, *image, cwd=place)
    expect("/: mypi\n", images("read", name, output, "etc/hostname"))
    points = list(mount_points(kind))
    stamp = ["sh", "-c", STAMP, "sh", *points]
    run(pichroot, "exec", "--write", output, "--", *stamp, cwd=place)
    wanted = {f"{at}: {at}" for at in points}
    expect(wanted, set(images("read", name, output, "where").splitlines()))
    if kind.get("grub") and MACHINES[os.uname().machine] == architecture:
        install_grub(architecture, output, pichroot, place)
    if kind["table"] != "none":
        run("sfdisk", "--quiet", "--verify", output)


def install_grub(architecture, image, pichroot, place):
    """A kernel, and GRUB with an entry for it, as an update of a virtual machine has them."""
    target = {"amd64": "x86_64-efi", "arm64": "arm64-efi"}[architecture]
    packages = (
        f"grub2-common grub-efi-{architecture}-bin linux-image-cloud-{architecture}"
    )
    script = f"""
        set -e
        export DEBIAN_FRONTEND=noninteractive
        apt-get update
        apt-get install -y --no-install-recommends {packages}
        grub-install --target={target} --no-nvram --removable
        update-grub
        # The name by which the machine's firmware finds its root.
        grep -F "root=UUID=$(findmnt -no UUID /)" /boot/grub/grub.cfg
        find /boot/efi/EFI/BOOT -size +50k -iname "boot*.efi" | grep .
        """
    run(pichroot, "exec", "--write", image, "--", "sh", "-c", script, cwd=place)


def refuse(name, kind, pichroot, place):
    """One that is refused, with an error that says what it is."""
    source = place / "source.img"
    images("make", name, place, source, "--room", "16")
    done = attempt(pichroot, "exec", "--checksum", "none", source, "--", "true")
    if done.returncode != 4 or kind["refused"] not in done.stderr:
        raise Failed(f"it was not refused: {done.returncode} {done.stderr}")


def expect(wanted, found):
    if wanted != found:
        raise Failed(f"not {wanted!r}, but {found!r}")


def try_one(name, kind, made_of, pichroot):
    """What is said of it in the table."""
    work = TARGET / "layouts"
    work.mkdir(parents=True, exist_ok=True)
    place = pathlib.Path(tempfile.mkdtemp(dir=work))
    try:
        if made_of is None:
            refuse(name, kind, pichroot, place)
            return f"refused: {kind['refused']}"
        provision(name, kind, made_of, pichroot, place)
        suite, architecture = made_of.split("-")
        return f"{DEBIANS[suite]} {architecture}"
    finally:
        shutil.rmtree(place)


def all_of(wanted, kinds, pichroot):
    """By class what came out, and whether all of it was good."""
    results, good = {}, True
    for name in wanted:
        if lacking := images("kernel", name).strip():
            results[name] = [f"not tried: the kernel had no {lacking}"]
            print(f"{name}: {results[name][0]}", flush=True)
            continue
        for made_of in kinds[name].get("roots", [None]):
            begin = time.monotonic()
            try:
                said = try_one(name, kinds[name], made_of, pichroot)
                results.setdefault(name, []).append(said)
            except (Failed, subprocess.TimeoutExpired) as failure:
                said, good = f"FAILED, {made_of}: {failure}", False
            print(f"{name}: {said} ({time.monotonic() - begin:.0f} s)", flush=True)
    return results, good


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text):
    return f"`{text}`" if text else ""


def document(kinds, results):
    """Puts the tables into the page, between their marks."""
    classes = [
        [
            code(name),
            kind["table"],
            kind["what"],
            code(kind.get("by", "").removesuffix("p")),
            ", ".join(results[name]),
        ]
        for name, kind in kinds.items()
    ]
    boards = [
        [
            row["board"],
            row["from"],
            code(row["class"]),
            code(row.get("boot")),
            row["architecture"],
            code(row.get("cpu")),
            code(f"classes::{row['class'].replace('-', '_')}"),
        ]
        for row in yaml.safe_load((HERE / "boards.yml").read_text())
    ]
    tables = {
        "classes": table(
            ["class", "table", "what it is", "fstab by", "provisioned"], classes
        ),
        "boards": table(
            [
                "image",
                "from",
                "class",
                "boot directory",
                "architecture",
                "`QEMU_CPU`",
                "test",
            ],
            boards,
        ),
    }
    page = DOCS.read_text()
    for name, text in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        assert after, f"{DOCS} has no place for {name}"
        page = before + begin + text + end + after
    DOCS.write_text(page)


def main():
    kinds = yaml.safe_load((HERE / "classes.yml").read_text())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pichroot", type=pathlib.Path, default=TARGET / "release/pichroot"
    )
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("classes", metavar="CLASS", nargs="*", choices=[*kinds, []])
    arguments = parser.parse_args()
    if arguments.docs and arguments.classes:
        sys.exit(
            "error: the tables are of all classes\nhint: leave out --docs, or the classes"
        )
    results, good = all_of(
        arguments.classes or kinds, kinds, arguments.pichroot.resolve()
    )
    if not good:
        sys.exit(1)
    if arguments.docs:
        document(kinds, results)


if __name__ == "__main__":
    main()
