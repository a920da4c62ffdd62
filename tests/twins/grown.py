"""A copy of the base image with more room in it."""

import subprocess

from run import ROOT_OFFSET, copied, run


def grown(image, copy, size):
    """Copies a disk image of the layout of tests/fixtures/pi-disk.sh; its last partition then ends at `size`."""
    copied(image, copy)
    run(["truncate", "-s", str(size), copy])
    resize = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "-N", "2", copy]
    run(resize, input=b", +\n")
    # The file system by itself: given a part of a file, resize2fs would cut the file to that part's length.
    part = copy.with_suffix(".part")
    dd = ["dd", "bs=4k", "iflag=skip_bytes", "oflag=seek_bytes", "status=none"]
    dd.append("conv=sparse,notrunc")
    run([*dd, f"if={image}", f"of={part}", f"skip={ROOT_OFFSET}"])
    run(["truncate", "-s", str(size - ROOT_OFFSET), part])
    run(["e2fsck", "-fp", part], stdout=subprocess.DEVNULL)
    run(["resize2fs", part], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run([*dd, f"if={part}", f"of={copy}", f"seek={ROOT_OFFSET}"])
    part.unlink()
    return copy
