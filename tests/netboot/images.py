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


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Workshop:
    def __init__(self, pichroot, base, place):
        self.pichroot = pichroot
        self.base = base
        self.place = place

    def provision(self, playbook, source, output, variables):
        before = time.monotonic()
        log = run(
            # It is told when we are killed, and then leaves nothing.
            *["setpriv", "--pdeathsig", "TERM"],
            *[self.pichroot, "ansible", playbook, "-v", "--config", "/dev/null"],
            *["--image", source, "--checksum", "none", "--force", "--output", output],
            *["-e", json.dumps(variables)],
            *["--secret", "hn_ceph_key=env:NETBOOT_TEST_KEY"],
            cwd=HERE,
            env={**os.environ, "NETBOOT_TEST_KEY": KEY},
        )
        output.with_suffix(".log").write_text(log)
        say(f"{output.name} took {time.monotonic() - before:.0f} s")

    def kept(self, name, made_of, playbook, source, variables):
        """An image, made anew if it was made of something else the last time."""
        found = hashlib.sha256(repr((made_of, variables)).encode()).hexdigest()
        image = self.place / f"{name}.img"
        note = image.with_suffix(".made-of")
        if not (image.exists() and note.exists() and note.read_text() == found):
            note.unlink(missing_ok=True)
            self.provision(playbook, source, image, variables)
            note.write_text(found)
        return image, found

    def machine(self, name, initramfs, variables):
        """An image for the machine, with these variables beside those that all have: the base image gets a kernel, and then
        what it takes to boot from the network."""
        kernel = [
            digest(self.base),
            digest(HERE / "kernel.yml"),
            *map(digest, sorted(HERE.glob("probe.*"))),
        ]
        source, made_of = self.kept(
            *[f"kernel-{initramfs}", kernel, "kernel.yml", self.base],
            {"hn_hostname": "machine", "initramfs": initramfs},
        )
        # The program carries the playbook, unless it is told to use the checkout's.
        playbooks = (HERE.parents[1] / "playbooks").rglob("*")
        made_of = [made_of, digest(self.pichroot)]
        made_of += [
            digest(path)
            for path in sorted(playbooks)
            if path.suffix != ".md" and path.is_file()
        ]
        self.kept(
            name, made_of, "bootstrap-ubuntu-image.yml", source, COMMON | variables
        )
