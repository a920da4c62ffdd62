#!/usr/bin/env python3
"""Images of the classes in classes.yml, made from the files of any root, and looked into.

images.py make CLASS ROOT IMAGE [--room MIB]  an image of CLASS, with the files of the folder ROOT in it
images.py read CLASS IMAGE NAME               the line in the file NAME of each file system that CLASS mounts and that
                                              has it: "/boot: text"; and checks the file systems
images.py kernel CLASS                        the file systems of CLASS that this kernel lacks

Runs as root. Mounts are in a namespace of their own, and nothing of it stays if this is killed.
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SECTOR = 512
MIB = 1 << 20
DISK_ID = 0x5EED0013
# What the smallest root of each kind needs, in MiB.
LEAST = {"ext4": 24, "btrfs": 128, "xfs": 320, "f2fs": 128}
CLONE_NEWNS = 0x20000
SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
# This much more than the files themselves: journals, tables, what a playbook adds.
SPARE = 1.3


def classes():
    return yaml.safe_load((HERE / "classes.yml").read_text())


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, **options)


def output(*command):
    return run(*command, stdout=subprocess.PIPE, text=True).stdout


# mkfs.btrfs refuses one that another file system of this machine has.
RUN = os.urandom(4).hex()


def uuid(number):
    return f"{RUN}-0000-4000-8000-0000000000{number:02x}"


def serial(number):
    """The volume id of a FAT, which is its UUID."""
    return f"1313-00{number:02X}"


def placed(kind, room):
    """The partitions of a class with `start` and `sectors`, and the number of sectors of the disk."""
    at = 0 if kind["table"] == "none" else MIB // SECTOR
    parts = []
    for given in kind["partitions"]:
        part = dict(given)
        mib = part.get("mib", 0)
        if part.get("at") == "/":
            mib = max(mib, room, LEAST[part["fs"]])
        part["start"] = part.get("start", at)
        part["sectors"] = part.get("sectors", mib * MIB // SECTOR)
        parts.append(part)
        at = part["start"] + part["sectors"]
        at = -(-at * SECTOR // MIB) * MIB // SECTOR
        # A logical partition has a table of its own before it.
        if kind["table"] == "dos" and (part["n"] >= 5 or part.get("type") == "f"):
            at += MIB // SECTOR
    for part in parts:
        if part.get("type") == "f":
            part["sectors"] = at - part["start"]
    # The backup of a gpt is behind it.
    return parts, at + (0 if kind["table"] == "none" else MIB // SECTOR)


def write_table(kind, parts, image):
    lines = [
        f"label: {kind['table']}",
        f"label-id: {hex(DISK_ID) if kind['table'] == 'dos' else uuid(0)}",
    ]
    if kind["table"] == "gpt":
        lines.append("first-lba: 34")
    for part in parts:
        line = f"{part['n']}: start={part['start']}, size={part['sectors']}, type={part.get('type', 'L')}"
        if kind["table"] == "gpt":
            line += f", uuid={uuid(0x80 + part['n'])}"
            line += f", name={part['name']}" if "name" in part else ""
        lines.append(line)
    run(
        "sfdisk",
        "--quiet",
        "--no-reread",
        "--no-tell-kernel",
        image,
        input="\n".join(lines) + "\n",
        text=True,
    )
    run("sfdisk", "--quiet", "--verify", image, stdout=subprocess.DEVNULL)
    if kind.get("hybrid"):
        first = parts[0]
        entries = struct.pack("<B3sB3sII", 0, b"", 0xEE, b"", 1, first["start"] - 1)
        entries += struct.pack(
            "<B3sB3sII", 0, b"", 0x0C, b"", first["start"], first["sectors"]
        )
        with open(image, "r+b") as disk:
            disk.seek(446)
            disk.write(entries.ljust(64, b"\0"))


def name_of(kind, part):
    """What the fstab calls the partition."""
    by = kind["by"]
    if by == "UUID":
        return f"UUID={serial(part['n']) if part['fs'] == 'vfat' else uuid(part['n'])}"
    if by == "PARTUUID":
        dos = f"{DISK_ID:08x}-{part['n']:02x}"
        return f"PARTUUID={uuid(0x80 + part['n']) if kind['table'] == 'gpt' else dos}"
    if by == "LABEL":
        return f"LABEL={part['label']}"
    if by == "PARTLABEL":
        return f"PARTLABEL={part['name']}"
    return by if part["n"] == 0 else f"{by}{part['n']}"


def mounts(part):
    """Where it is mounted: pairs of a path in the image and one in the file system."""
    if "subvolumes" in part:
        return [(at, name) for name, at in part["subvolumes"].items()]
    return [(part["at"], part.get("default", ""))] if "at" in part else []


def fstab(kind):
    lines = []
    for part in kind["partitions"]:
        for at, inside in mounts(part):
            options = f"subvol={inside}" if "subvolumes" in part else "defaults"
            lines.append(
                f"{name_of(kind, part)}\t{at}\t{part['fs']}\t{options}\t0\t{1 if at == '/' else 2}\n"
            )
        if part.get("fs") == "swap":
            lines.append(f"{name_of(kind, part)}\tnone\tswap\tsw\t0\t0\n")
    return "".join(lines)


def make_fat(part, place):
    label = ["-n", part["label"]] if "label" in part else []
    number = serial(part["n"]).replace("-", "")
    # It warns of labels in lower case, as Ubuntu's.
    run("mkfs.vfat", *label, "-i", number, place, **SILENT)
    folders = set()
    for name in part.get("files", []):
        for folder in reversed(pathlib.PurePath(name).parents[:-1]):
            if folder not in folders:
                run("mmd", "-i", place, f"::/{folder}")
                folders.add(folder)
        # One line, as the firmware wants it.
        run("mcopy", "-i", place, "-", f"::/{name}", input=b"console=tty1 rootwait\n")


def make_linux(kind, part, place, root):
    label = (
        ["-l" if part["fs"] == "f2fs" else "-L", part["label"]]
        if "label" in part
        else []
    )
    name = {
        "ext4": ["mkfs.ext4", "-q", "-F", "-U", uuid(part["n"])],
        "btrfs": ["mkfs.btrfs", "-q", "-U", uuid(part["n"])],
        "xfs": ["mkfs.xfs", "-q", "-m", f"uuid={uuid(part['n'])}"],
        "f2fs": ["mkfs.f2fs", "-q", "-U", uuid(part["n"])],
    }
    run(*name[part["fs"]], *label, place, stdout=subprocess.DEVNULL)
    with mounted(part["fs"], place) as top:
        for subvolume in [
            *part.get("subvolumes", {}),
            *([part["default"]] if "default" in part else []),
        ]:
            run("btrfs", "--quiet", "subvolume", "create", top / subvolume)
        if "default" in part:
            run("btrfs", "subvolume", "set-default", top / part["default"])
        if part["at"] == "/":
            fill(kind, part, top, root)


def fill(kind, part, top, root):
    """The files of the root, with an fstab and mount points of its own."""
    inside = {at: top / name for at, name in mounts(part)}
    run("cp", "-a", "--", f"{root}/.", inside["/"])
    for other in kind["partitions"]:
        for at, _ in mounts(other):
            (inside["/"] / at.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for at, place in inside.items():
        if at != "/":
            for entry in (inside["/"] / at.lstrip("/")).iterdir():
                shutil.move(entry, place)
    (inside["/"] / "etc/fstab").unlink(missing_ok=True)
    if "by" in kind:
        (inside["/"] / "etc/fstab").write_text(fstab(kind))


class mounted:
    """A file system that is mounted for a while."""

    def __init__(self, kind, place, options="loop"):
        self.command = ["mount", "--no-mtab", "-t", kind, "-o", options, place]

    def __enter__(self):
        self.top = pathlib.Path(tempfile.mkdtemp())
        run(*self.command, self.top)
        return self.top

    def __exit__(self, *_):
        run("umount", "--no-mtab", self.top)
        self.top.rmdir()


def make(kind, root, image, room):
    if room is None:
        room = int(int(output("du", "-sm", root).split()[0]) * SPARE) + LEAST["ext4"]
    parts, total = placed(kind, room)
    with open(image, "wb") as disk:
        disk.truncate(total * SECTOR)
    if kind["table"] != "none":
        write_table(kind, parts, image)
    with tempfile.TemporaryDirectory(dir=image.parent) as scratch:
        place = pathlib.Path(scratch, "content")
        for part in parts:
            if "fs" not in part:
                continue
            with open(place, "wb") as content:
                content.truncate(part["sectors"] * SECTOR)
            if part["fs"] == "vfat":
                make_fat(part, place)
            elif part["fs"] == "swap":
                run("mkswap", "--quiet", "-U", uuid(part["n"]), place)
            elif part["fs"] in CONTAINERS:
                with open(place, "r+b") as content:
                    content.write(CONTAINERS[part["fs"]])
            else:
                make_linux(kind, part, place, root)
            copy_data(place, image, part["start"] * SECTOR)
            place.unlink()


def copy_data(place, image, at):
    """Copies a sparse file into another one, without its holes."""
    with open(place, "rb") as source, open(image, "r+b") as disk:
        end = 0
        while True:
            try:
                start = os.lseek(source.fileno(), end, os.SEEK_DATA)
            except OSError:
                # Only a hole is left.
                return
            end = os.lseek(source.fileno(), start, os.SEEK_HOLE)
            disk.seek(at + start)
            source.seek(start)
            while (left := end - source.tell()) > 0:
                disk.write(source.read(min(left, MIB)))


# What they are known by; nothing more of them is ever read.
CONTAINERS = {
    "luks": b"LUKS\xba\xbe\x00\x02",
    "lvm": b"\0" * 512 + b"LABELONE" + b"\0" * 16 + b"LVM2 001",
}


def read(kind, image, name):
    """What the file `name` says in each file system that is mounted, if that is sound."""
    where = places(kind, image)
    for part in kind["partitions"]:
        if "at" not in part:
            continue
        start, size = where[part["n"]]
        if part["fs"] == "vfat":
            tell(part["at"], read_fat(image, start, size, name))
            continue
        if part["fs"] == "ext4":
            run("e2fsck", "-fn", f"{image}?offset={start}", **SILENT)
        # An XFS does not tell by itself that it may be mounted beside its copies.
        more = {"xfs": ",nouuid", "btrfs": ",subvolid=5"}.get(part["fs"], "")
        options = f"loop,ro,offset={start},sizelimit={size}{more}"
        with mounted(part["fs"], image, options) as top:
            for at, inside in mounts(part):
                file = top / inside / name
                tell(at, file.read_text() if file.is_file() else "")


def tell(at, text):
    if text:
        print(f"{at}: {text.rstrip()}")


def places(kind, image):
    """Where each partition begins, and its size, by number; by what the table says now."""
    if kind["table"] == "none":
        return {0: (0, image.stat().st_size)}
    table = json.loads(output("sfdisk", "--json", image))["partitiontable"]
    number = re.compile(re.escape(str(image)) + r"p?(\d+)")
    return {
        int(number.fullmatch(part["node"])[1]): (
            part["start"] * SECTOR,
            part["size"] * SECTOR,
        )
        for part in table["partitions"]
    }


def read_fat(image, start, size, name):
    with tempfile.NamedTemporaryFile() as place:
        cut = [f"if={image}", f"of={place.name}", f"skip={start}", f"count={size}"]
        run("dd", *cut, "bs=64K", "iflag=skip_bytes,count_bytes", "status=none")
        run("fsck.vfat", "-n", place.name, **SILENT)
        mtype = ["mtype", "-i", place.name, f"::/{name}"]
        # Nothing where it has no such file.
        done = subprocess.run(mtype, check=False, capture_output=True, text=True)
        return done.stdout


def kernel(kind):
    # pichroot has a FAT of its own.
    wanted = {part["fs"] for part in kind["partitions"] if part.get("fs") in LEAST}
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "--quiet", "--all", *wanted], check=False)
    known = pathlib.Path("/proc/filesystems").read_text().split()
    print(*sorted(wanted.difference(known)), sep=", ")


def apart():
    """From here on nobody else sees our mounts, and they end with us."""
    # os.unshare() is new in Python 3.12.
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot unshare mounts")
    run("mount", "--no-mtab", "--make-rprivate", "/")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    reading = commands.add_parser("read")
    for command in [making, reading, commands.add_parser("kernel")]:
        command.add_argument("kind", metavar="CLASS", choices=classes())
    making.add_argument("root", type=pathlib.Path)
    for command in [making, reading]:
        command.add_argument("image", type=pathlib.Path)
    making.add_argument("--room", type=int)
    reading.add_argument("name")
    arguments = parser.parse_args()
    kind = classes()[arguments.kind]
    if arguments.command == "kernel":
        kernel(kind)
        return
    apart()
    # mkfs.btrfs would make its cache of devices in /run.
    os.environ["BLKID_FILE"] = "/dev/null"
    if arguments.command == "make":
        make(kind, arguments.root, arguments.image, arguments.room)
    else:
        read(kind, arguments.image, arguments.name)


if __name__ == "__main__":
    main()
