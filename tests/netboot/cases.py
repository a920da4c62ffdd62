"""The cases: what is published, what goes wrong, and what the machine must say."""

import dataclasses
import typing

import firmware
import network
from cluster import Cluster
from generations import generations as of_block_devices
from images import CEPH, COMMON, KEY, OTHER_KEY, SERIAL, USER
from machine import Machine
from publishing import publish
from servers import Nfs
from shell import Failed, say, until


class Bench:
    """The servers, started once for all cases, and the case at hand."""

    def __init__(self, workshop):
        self.pichroot = workshop.pichroot
        self.place = workshop.place
        self.tftp = self.place / "tftp"
        self.exports = self.place / "exports"
        self.case = None
        network.bring_up(self.place, self.tftp)
        self.cluster = Cluster(self.place / "ceph")
        exports = {"/srv/tftp": self.tftp, "/srv/nfs": self.exports}
        self.nfs = Nfs(self.place, exports)

    def run(self, name):
        self.case = CASES[name]
        self.case.run(self)

    def publish(self):
        image = self.place / f"{self.case.image}.img"
        variables = COMMON | self.case.variables
        # A machine that lost its power is forgotten after half a minute, and pichroot replaces no image that is in use.
        until("nobody uses the image", 60, lambda: not self.cluster.watchers("nbpi"))
        said = publish(
            self.pichroot, image, variables, self.tftp, self.exports, self.cluster
        )
        image.with_suffix(".published").write_text(said)
        firmware.prepare(self.tftp, SERIAL)
        # It remembers which tree had the name before.
        self.nfs.stop()
        self.nfs.start()
        self.cluster.set_key(USER, KEY)

    def switch_on(self, suffix=""):
        name = self.case.run.__name__.replace("_", "-") + suffix
        return Machine(self.place, name)


@dataclasses.dataclass
class Case:
    """What is provisioned before, and what happens then."""

    run: typing.Callable
    initramfs: str
    variables: dict
    image: str


CASES = {}


def case(initramfs="initramfs-tools", image=None, **variables):
    def enter(run):
        name = run.__name__.replace("_", "-")
        CASES[name] = Case(run, initramfs, variables, image or name)
        return run

    return enter


def check(name, found, expected):
    if found != expected:
        raise Failed(f"{name} is {found!r} and not {expected!r}")


def check_machine(found, root):
    check("the host name", found["host name"], "nbpi")
    check("the root", found["root"], root)
    check(
        "what is at /boot/firmware",
        found["boot files"],
        f"{network.SERVER}:/srv/tftp/{SERIAL} nfs4",
    )
    for name in ("root writable", "boot files writable"):
        check(name, found[name], "yes")
    check("a secret in /proc/cmdline", found["secret in cmdline"], "no")
    check("failed units", found["failed units"], "")
    check("the addresses", found["addresses"].split(), [f"{network.MACHINE}/24"])


def check_watcher(bench):
    watchers = bench.cluster.watchers("nbpi")
    check("the number of watchers", len(watchers), 1)
    check("the watcher", watchers[0].split(":")[0], network.MACHINE)


@case(**CEPH)
def rbd(bench):
    """A root on Ceph, initramfs-tools; then its power is cut, and it boots again."""
    bench.publish()
    with bench.switch_on() as machine:
        machine.until_console("nbpi login:")
        found = machine.until_probe()
        check("the boot", found["boot"], "1")
        check_machine(found, "/dev/rbd0 ext4")
        check_watcher(bench)
    say("rbd: the power is cut")
    with bench.switch_on("-again") as machine:
        machine.until_console("nbpi login:")
        found = machine.until_probe()
        check("the boot", found["boot"], "2")
        check_machine(found, "/dev/rbd0 ext4")
        check_watcher(bench)


@case(image="rbd", **CEPH)
def generations(bench):
    """What becomes of block devices when they are published again, rolled back, in use, somebody else's or half made."""
    of_block_devices(bench, bench.place / f"{bench.case.image}.img")


@case(image="rbd", **CEPH)
def wrong_key(bench):
    """A wrong key: the console says what the kernel answered, then gives a shell, and goes on when it is left."""
    bench.publish()
    bench.cluster.set_key(USER, OTHER_KEY)
    with bench.switch_on() as machine:
        machine.until_console(
            "rbdroot: cannot map pi-root/nbpi as client.nbpi at 10.77.0.1: Permission denied"
        )
        machine.until_console("rbdroot: the kernel says: libceph: .*")
        machine.until_console("Could not map the root file system from Ceph")
        machine.until_console(r"\(initramfs\) ")
        check("the key on the console", KEY in machine.console.read_text(), False)
        bench.cluster.set_key(USER, KEY)
        machine.type("exit\n")
        machine.until_console("nbpi login:")


@case(image="reboot", **CEPH, hn_root_wait=5, hn_root_failure="reboot")
def reboot(bench):
    """A wrong key where a reboot is asked for instead of a shell."""
    bench.publish()
    bench.cluster.set_key(USER, OTHER_KEY)
    with bench.switch_on() as machine:
        machine.until_console(
            "rbdroot: giving up after 5 s on pi-root/nbpi as client.nbpi at 10.77.0.1"
        )
        machine.until_console("Rebooting automatically")
        machine.until_off()


@case(image="rbd", **CEPH)
def late(bench):
    """A cluster that starts after the machine."""
    bench.publish()
    bench.cluster.stop_monitor()
    with bench.switch_on() as machine:
        machine.until_console(
            "rbdroot: cannot map pi-root/nbpi as client.nbpi at 10.77.0.1: .*"
        )
        bench.cluster.start_monitor()
        machine.until_console("nbpi login:")
        check_machine(machine.until_probe(), "/dev/rbd0 ext4")


@case(**(CEPH | {"hn_ceph_monitors": [network.NOBODY, network.DEAF, network.SERVER]}))
def monitor_down(bench):
    """Three monitors, of which one is not there and one has nothing at its port."""
    bench.publish()
    with bench.switch_on() as machine:
        machine.until_console("nbpi login:")
        check_machine(machine.until_probe(), "/dev/rbd0 ext4")


@case(
    **CEPH,
    hn_ceph_partition=2,
    hn_ip=f"{network.MACHINE}::{network.SERVER}:255.255.255.0:nbpi::off",
)
def table(bench):
    """A root in a partition of the block device, and a static address."""
    bench.publish()
    with bench.switch_on() as machine:
        machine.until_console("nbpi login:")
        check_machine(machine.until_probe(), "/dev/rbd0p2 ext4")


@case(
    **(
        CEPH
        | {
            "hn_ceph_monitors": f"{network.SERVER}:3300",
            "hn_ceph_map_options": "ms_mode=secure",
        }
    )
)
def msgr2(bench):
    """The second version of Ceph's protocol, enciphered."""
    bench.publish()
    with bench.switch_on() as machine:
        machine.until_console("nbpi login:")
        check_machine(machine.until_probe(), "/dev/rbd0 ext4")


@case(hn_root="nfs")
def nfs(bench):
    """A root on an NFS server, initramfs-tools; then its power is cut, and it boots again."""
    bench.publish()
    boot_nfs(bench, "1")
    boot_nfs(bench, "2", "-again")


@case(image="nfs", hn_root="nfs")
def nfs_late(bench):
    """An NFS server that starts after the machine."""
    bench.publish()
    bench.nfs.stop()
    with bench.switch_on() as machine:
        machine.until_console("nfsroot: cannot mount 10.77.0.1:/srv/nfs/nbpi: .*")
        bench.nfs.start()
        machine.until_console("nbpi login:")
        check_machine(machine.until_probe(), f"{network.SERVER}:/srv/nfs/nbpi nfs4")


@case(initramfs="dracut", hn_root="nfs")
def dracut_nfs(bench):
    """A root on an NFS server, dracut."""
    bench.publish()
    boot_nfs(bench, "1")


def boot_nfs(bench, boot, suffix=""):
    with bench.switch_on(suffix) as machine:
        machine.until_console("nbpi login:")
        found = machine.until_probe()
        check("the boot", found["boot"], boot)
        check_machine(found, f"{network.SERVER}:/srv/nfs/nbpi nfs4")


@case(initramfs="dracut", **CEPH)
def dracut(bench):
    """A root on Ceph, dracut."""
    bench.publish()
    with bench.switch_on() as machine:
        machine.until_console("nbpi login:")
        check_machine(machine.until_probe(), "/dev/rbd0 ext4")
        check_watcher(bench)


@case(initramfs="dracut", image="dracut", **CEPH)
def dracut_wrong_key(bench):
    """A wrong key, dracut: the same messages, then its shell."""
    bench.publish()
    bench.cluster.set_key(USER, OTHER_KEY)
    with bench.switch_on() as machine:
        machine.until_console(
            "rbdroot: cannot map pi-root/nbpi as client.nbpi at 10.77.0.1: Permission denied"
        )
        machine.until_console("rbdroot: the kernel says: libceph: .*")
        machine.until_console("Could not map the root file system from Ceph")
        machine.until_console("emergency|dracut:/#")
        check("the key on the console", KEY in machine.console.read_text(), False)
