"""The images that are booted: the base image with a kernel, provisioned for the network by the playbook that comes along."""

import hashlib
import json
import os
import pathlib
import time

from cluster import POOL
from network import SERVER
from shell import run, say

HERE = pathlib.Path(__file__).parent
USER = "nbpi"
SERIAL = "abcdef12"
# As long as a key of Ceph is, and of its form; the cluster gets it, too.
KEY = "AQBPBopmAAAAABAAGh0c3SxUjO1cKGbEYBfYtw=="
OTHER_KEY = "AQBPBopmAAAAABAAw2l0c3SxUjO1cKGbEYBfYg=="

COMMON = {
    "hn_hostname": "nbpi",
    "hn_netboot": True,
    "hn_host_id": SERIAL,
    "hn_nfs_server": SERVER,
    "hn_nfs_options": "vers=4.2",
    "hn_root_wait": 60,
}
CEPH = {
    "hn_ceph_monitors": [SERVER],
    "hn_ceph_pool": POOL,
    "hn_ceph_user": USER,
}


class Workshop:
    def __init__(self, pichroot, base, place):
        self.pichroot = pichroot
        self.base = base
        self.place = place

    def provision(self, playbook, source, output, variables):
        before = time.monotonic()
        outputs = ["--output", output]
        if variables.get("hn_root") == "nfs":
            outputs += ["--output", f"{output.with_suffix('')}/"]
        log = run(
            *[self.pichroot, "ansible", playbook, "-v", "--config", "/dev/null"],
            *["--image", source, "--checksum", "none", "--force", *outputs],
            *[
                "-e",
                json.dumps(variables),
                "--secret",
                "hn_ceph_key=env:NETBOOT_TEST_KEY",
            ],
            cwd=HERE,
            env={**os.environ, "NETBOOT_TEST_KEY": KEY},
        )
        output.with_suffix(".log").write_text(log)
        say(f"{output.name} took {time.monotonic() - before:.0f} s")

    def with_kernel(self, initramfs):
        """The base image with a kernel, kept for the next time by what it is made of."""
        digest = hashlib.sha256(self.base.read_bytes())
        for name in ("kernel.yml", "probe.sh", "probe.service"):
            digest.update((HERE / name).read_bytes())
        image = self.place / f"kernel-{initramfs}-{digest.hexdigest()[:16]}.img"
        if not image.exists():
            for old in self.place.glob(f"kernel-{initramfs}-*"):
                old.unlink()
            self.provision(
                "kernel.yml",
                self.base,
                image,
                {"hn_hostname": "machine", "initramfs": initramfs},
            )
        return image

    def machine(self, name, initramfs, variables):
        """An image for the machine, with these variables beside those that all have."""
        source = self.with_kernel(initramfs)
        self.provision(
            "bootstrap-ubuntu-image.yml",
            source,
            self.place / f"{name}.img",
            COMMON | variables,
        )
