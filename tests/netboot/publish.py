"""What the servers serve of an image: until `pichroot publish` does it, by the programs that people use for that."""

import pathlib
import shutil
import subprocess

from cluster import POOL
from shell import Failed, run

# tests/fixtures/pi-disk.sh, in bytes.
BOOT, ROOT = 2048 * 512, 526336 * 512


def tree(image: pathlib.Path, folder: pathlib.Path):
    """The boot partition's files, as the TFTP server serves them and the machine mounts them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run("mcopy", "-s", "-m", "-i", f"{image}@@{BOOT}", "::/*", folder)


def rbd(cluster, image: pathlib.Path, name, table):
    """The root file system, or with `table` the whole disk, as a block device."""
    cluster.rbd("rm", "--no-progress", f"{POOL}/{name}") if name in cluster.rbd(
        "ls", POOL
    ).split() else None
    if table:
        cluster.rbd("import", "--no-progress", image, f"{POOL}/{name}")
        return
    reader = [
        "dd",
        f"if={image}",
        "bs=1M",
        f"skip={ROOT}",
        "iflag=skip_bytes",
        "status=none",
    ]
    with subprocess.Popen(reader, stdout=subprocess.PIPE) as root:
        cluster.rbd("import", "--no-progress", "-", f"{POOL}/{name}", stdin=root.stdout)
        root.stdout.close()
    if root.returncode:
        raise Failed(f"{image} cannot be read")


def nfs(image: pathlib.Path, folder: pathlib.Path):
    """The root file system as a folder, which the workshop has made beside the image."""
    shutil.rmtree(folder, ignore_errors=True)
    run("cp", "--archive", image.with_suffix(""), folder)
