"""Publishing an image, against what people do by hand: rsync to the NFS server's folder, dd and rbd import to Ceph."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from measure import BINARY, CHECKOUT, ROUNDS, run, show, timed

MACHINE = "hn_hostname=mypi hn_host_id=abcdef12 hn_nfs_server=192.0.2.5"
COMMON = ["--config", "/dev/null", "--checksum", "none", "--no-check", "all"]


def partitions(raw):
    """The start and the size of the boot partition and of the root, in bytes."""
    said = subprocess.check_output(["sfdisk", "--json", raw], text=True)
    table = json.loads(said)["partitiontable"]
    return [(part["start"] * 512, part["size"] * 512) for part in table["partitions"]]


def stored(folder):
    """What a folder takes, in MiB."""
    said = subprocess.check_output(["du", "-s", "--block-size=1M", folder], text=True)
    return int(said.split()[0])


def publish(scratch, raw):
    """The boot files for TFTP and the root for NFS, both from a raw image."""
    (boot, _), (root, _) = partitions(raw)
    line = f"""set -e
        mount -o loop,ro,offset={root} "$1" "$2/mount"
        trap 'umount "$2/mount"' EXIT
        mcopy -s -m -n -i "$1@@{boot}" '::*' "$2/tftp/abcdef12"
        rsync -aHAX "$2/mount/" "$2/nfs/mypi"
        sync -f "$2/nfs\""""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        place = scratch / "ours"
        for name in ("tftp", "nfs"):
            (place / name).mkdir(parents=True)
        to = ["--tftp", place / "tftp", "--nfs-root", place / "nfs"]
        ours.append(
            timed(
                [BINARY, "publish", raw, *COMMON, "-e", f"{MACHINE} hn_root=nfs", *to]
            )
        )
        size = [stored(place)]
        shutil.rmtree(place)
        place = scratch / "theirs"
        for name in ("mount", "tftp/abcdef12", "nfs/mypi"):
            (place / name).mkdir(parents=True)
        theirs.append(timed(["sh", "-c", line, "sh", raw, place]))
        size.append(stored(place))
        shutil.rmtree(place)
    show("publish to TFTP and NFS (rsync)", ours, theirs)
    print(f"    {size[0]} and {size[1]} MiB stored", flush=True)


def publish_rbd(raw):
    """The root as a block device, in a network of its own where a cluster is started."""
    if not shutil.which("ceph-mon"):
        print(
            "publish to Ceph: not measured, as there is no ceph-mon: scripts/install-deps.sh netboot installs it"
        )
        return
    script = 'ip link set lo up && ip address add 10.77.0.1/24 dev lo && exec "$@"'
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c"]
    command += [script, "sh", sys.executable, __file__, raw]
    subprocess.run(command, check=True)


def against_cluster(raw):
    sys.path.insert(0, str(CHECKOUT / "tests/netboot"))
    from cluster import Cluster

    _, (root, size) = partitions(raw)
    with tempfile.TemporaryDirectory() as name:
        cluster = Cluster(pathlib.Path(name) / "ceph")
        conf = ["--conf", cluster.settings]
        line = (
            f'dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip={root} count={size} status=none | '
            'rbd --conf "$2" import --no-progress - pi-root/theirs'
        )
        ours, theirs, used = [], [], {}
        for _ in range(ROUNDS):
            to = ["--rbd", "pi-root/ours", "--ceph-conf", cluster.settings]
            ours.append(timed([BINARY, "publish", raw, *COMMON, "-e", MACHINE, *to]))
            theirs.append(timed(["sh", "-c", line, "sh", raw, cluster.settings]))
            said = subprocess.check_output(
                ["rbd", *conf, "du", "--format", "json", "-p", "pi-root"]
            )
            used = {
                image["name"]: image["used_size"]
                for image in json.loads(said)["images"]
            }
            for image in used:
                run(["rbd", *conf, "rm", "--no-progress", f"pi-root/{image}"])
        show("publish to Ceph (dd, rbd import)", ours, theirs)
        print(
            f"    {used['ours'] >> 20} and {used['theirs'] >> 20} MiB stored",
            flush=True,
        )


if __name__ == "__main__":
    against_cluster(sys.argv[1])
