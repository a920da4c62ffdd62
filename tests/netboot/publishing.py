"""`pichroot publish`, as its user would call it."""

import json
import pathlib

from cluster import POOL
from shell import run

# What a Pi's firmware needs, U-Boot does not; and no image for one is so small.
WITHOUT = ["firmware", "device-tree", "overlays", "network-driver"]


def publish(
    pichroot,
    image: pathlib.Path,
    variables,
    tftp: pathlib.Path,
    nfs: pathlib.Path,
    cluster,
):
    """The boot files for the TFTP server, and the root where the variables say that it is."""
    if variables.get("hn_root") == "nfs":
        root = ["--nfs-root", nfs]
    else:
        name = f"{POOL}/{variables['hn_hostname']}"
        root = ["--rbd", name, "--ceph-conf", cluster.settings, "--ceph-user", "admin"]
    # --force: the machine has written to what was published before, which another case is done with. --keep 0: objects
    # are in memory.
    return run(
        *[pichroot, "publish", image, "--checksum", "none", "--config", "/dev/null"],
        *["-e", json.dumps(variables), "--tftp", tftp, *root, "--keep", "0", "--force"],
        *[word for name in WITHOUT for word in ("--no-check", name)],
    )
