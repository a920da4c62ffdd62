#!/usr/bin/env python3
"""One input, built twice: what of the outputs differs, and why. Run it by `make reproducible`, as root.

    run.py --pichroot PROGRAM --image IMAGE.img.xz

The archive has to be the same byte for byte; an image differs in what its file systems note of themselves, which is listed.
Exit 1 if there is more than that.
"""

import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

PLAY = """
- hosts: all
  tasks:
    - name: Make a file
      ansible.builtin.copy: {dest: /etc/motd, content: "hello\\n"}
    - name: Make a user
      ansible.builtin.user: {name: kiosk, uid: 1234, password_lock: true}
    - name: Make a folder of files
      ansible.builtin.copy: {dest: "/opt/{{ item }}", content: "{{ item }}"}
      loop: [one, two, three]
"""

EPOCH = "1700000000"


def run(command, **options):
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if done.returncode:
        raise SystemExit(
            f"{done.stdout}\nerror: {command} ended with {done.returncode}"
        )
    return done.stdout


def build(pichroot, image, place):
    """Both outputs, as anybody would make them."""
    place.mkdir()
    (place / "site.yml").write_text(PLAY)
    command = [
        pichroot,
        "ansible",
        "site.yml",
        "--image",
        image,
        "--checksum",
        "none",
        "-e",
        "hn_hostname=pi",
    ]
    outputs = ["-o", "pi.img", "-o", "pi.tar.zst", "--with", "bmap,sha256sums"]
    run(command + outputs, cwd=place, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def members(archive):
    """Each member of an archive with what is known of it, and its content's checksum."""
    listed = run(
        ["tar", "--zstd", "-tvf", archive, "--numeric-owner", "--full-time", "--utc"]
    )
    return dict(enumerate(listed.splitlines()))


def files(image, start, folder):
    """Each file of the root file system, with its checksum."""
    folder.mkdir()
    run(["debugfs", "-R", f"rdump / {folder}", f"{image}?offset={start}"])
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[str(path.relative_to(folder))] = digest(path)
    return found


def start_of_root(image):
    dump = run(["sfdisk", "-d", image])
    line = [line for line in dump.splitlines() if "start=" in line][-1]
    return int(line.split("start=")[1].split(",")[0]) * 512


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pichroot", required=True, type=os.path.abspath)
    parser.add_argument("--image", required=True, type=os.path.abspath)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reproducible-") as name:
        top = pathlib.Path(name)
        one, two = top / "one", top / "two"
        for place in (one, two):
            build(options.pichroot, options.image, place)

        wrong = []
        if digest(one / "pi.tar.zst") == digest(two / "pi.tar.zst"):
            print("the archives are the same")
        else:
            old, new = members(one / "pi.tar.zst"), members(two / "pi.tar.zst")
            wrong += [
                f"in the archive: {old.get(key)}\n{new.get(key)}"
                for key in old | new
                if old.get(key) != new.get(key)
            ]
            wrong = wrong or ["in the archive: the content of some file"]

        start = start_of_root(one / "pi.img")
        contents = [
            files(place / "pi.img", start, place / "root") for place in (one, two)
        ]
        differ = sorted(
            key
            for key in contents[0] | contents[1]
            if contents[0].get(key) != contents[1].get(key)
        )
        wrong += [f"in the image: /{key}" for key in differ]
        if not differ:
            print(f"{len(contents[0])} files of the images are the same")

        compared = subprocess.run(
            ["cmp", "-l", one / "pi.img", two / "pi.img"],
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
        places = [int(line.split()[0]) - 1 for line in compared.stdout.splitlines()]
        blocks = sorted({place // 4096 for place in places})
        print(
            f"{len(places)} bytes of the images differ, in {len(blocks)} blocks: times and checksums of the file system"
        )
        headers = [
            run(["dumpe2fs", "-h", f"{place / 'pi.img'}?offset={start}"])
            for place in (one, two)
        ]
        for old, new in zip(*(header.splitlines() for header in headers)):
            if old != new:
                print(f"    {old}\n    {new}")
    for line in wrong:
        print(f"differs: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
