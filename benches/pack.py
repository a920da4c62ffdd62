"""Packing an image, and writing it to a disk, against the programs that people use for it."""

import os
import shutil
import subprocess

from measure import BINARY, CHECKOUT, ROUNDS, TARGET, run, show, timed

# What each output is compared with: as many threads, the same level.
THEIRS = {
    "xz": ["xz", "-T0", "-6"],
    "zst": ["zstd", "-q", "-T0", "-3"],
    "gz": ["pigz", "-6"],
}


def peak(command, **options):
    """The memory that a command has used at most, in MiB."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, **options) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"error: {command} ended with {process.returncode}")
    return used.ru_maxrss // 1024


def pack(scratch, raw):
    """An image into .img.xz, .img.zst and .img.gz."""
    run(["cargo", "build", "--release", "--locked", "--bench", "pack"], cwd=CHECKOUT)
    found = sorted((TARGET / "release/deps").glob("pack-*"), key=os.path.getmtime)
    program = [path for path in found if not path.suffix][-1]
    for ending, command in THEIRS.items():
        output, other = scratch / f"ours.img.{ending}", scratch / f"theirs.img.{ending}"
        if not shutil.which(command[0]):
            command = ["gzip", "-6"]
        ours, theirs = [], []
        line = 'exec "$@" <"$IMAGE" >"$OUTPUT"'
        theirs_command = ["sh", "-c", line, "sh", *command]
        surroundings = {**os.environ, "IMAGE": str(raw), "OUTPUT": str(other)}
        for _ in range(ROUNDS):
            ours.append(timed([program, raw, output]))
            theirs.append(timed(theirs_command, env=surroundings))
        show(f"image to .{ending} ({command[0]})", ours, theirs)
        sizes = [path.stat().st_size / 2**20 for path in (output, other)]
        memory = [peak([program, raw, output]), peak(theirs_command, env=surroundings)]
        print(
            f"    {sizes[0]:.1f} and {sizes[1]:.1f} MiB; at most {memory[0]} and {memory[1]} MiB of memory",
            flush=True,
        )
        output.unlink()
        other.unlink()


class Card:
    """A loop device of a file, with room for the image."""

    def __init__(self, scratch, size):
        self.file = scratch / "card"
        with open(self.file, "wb") as card:
            card.truncate(size)
        self.device = subprocess.check_output(
            ["losetup", "--find", "--show", self.file], text=True
        ).strip()

    def __enter__(self):
        return self.device

    def __exit__(self, *_):
        subprocess.run(["losetup", "-d", self.device], check=True)
        self.file.unlink()


def flash(scratch, raw):
    """An image to a loop device, with what was written read back, against dd and bmaptool, which read nothing back."""
    image = scratch / "flash.img"
    run(["cp", "--sparse=always", raw, image])
    ours, copied, mapped = [], [], []
    with Card(scratch, image.stat().st_size) as device:
        run(["bmaptool", "create", "-o", f"{image}.bmap", image])
        for _ in range(ROUNDS):
            ours.append(timed([BINARY, "flash", "--yes", image, device]))
            copied.append(
                timed(
                    [
                        "dd",
                        f"if={image}",
                        f"of={device}",
                        "bs=4M",
                        "conv=fsync",
                        "status=none",
                    ]
                )
            )
            mapped.append(
                timed(
                    ["bmaptool", "-q", "copy", "--bmap", f"{image}.bmap", image, device]
                )
            )
    show("flash (dd)", ours, copied)
    show("flash (bmaptool)", ours, mapped)
