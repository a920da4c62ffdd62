"""A Ceph cluster of one monitor and one OSD, whose objects are in memory."""

import pathlib
import uuid

from network import SERVER
from shell import run, start, stop, until

POOL = "pi-root"

SETTINGS = """\
[global]
fsid = {fsid}
mon_host = [v2:{server}:3300,v1:{server}:6789]
public_addr = {server}
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
run_dir = {place}
admin_socket = {place}/$name.asok
log_file = {place}/$name.log
mon_data = {place}/mon
osd_data = {place}/osd
keyring = {place}/keyring
[osd]
osd_objectstore = memstore
memstore_device_bytes = 6442450944
osd_memory_target = 1073741824
[mon]
mon_data_avail_crit = 1
mon_data_avail_warn = 2
"""


class Cluster:
    def __init__(self, place: pathlib.Path):
        self.place = place
        self.settings = place / "ceph.conf"
        place.mkdir()
        (place / "mon").mkdir()
        (place / "osd").mkdir()
        fsid = uuid.uuid4()
        self.settings.write_text(SETTINGS.format(fsid=fsid, server=SERVER, place=place))
        keyring = place / "keyring"
        for name, caps in [
            ("mon.", ["mon", "allow *"]),
            ("client.admin", ["mon", "allow *", "osd", "allow *", "mgr", "allow *"]),
            ("osd.0", ["mon", "allow profile osd", "osd", "allow *"]),
        ]:
            words = [
                word for pair in zip(caps[::2], caps[1::2]) for word in ("--cap", *pair)
            ]
            run(
                "ceph-authtool",
                "--create-keyring" if name == "mon." else "--no-mon-config",
                keyring,
                "--gen-key",
                "-n",
                name,
                *words,
            )
        addresses = f"[v2:{SERVER}:3300,v1:{SERVER}:6789]"
        run(
            "monmaptool",
            "--create",
            "--fsid",
            fsid,
            "--addv",
            "a",
            addresses,
            place / "monmap",
        )
        self._daemon(
            "ceph-mon",
            "a",
            "--mkfs",
            "--monmap",
            place / "monmap",
            "--keyring",
            keyring,
        )
        self.monitor = None
        self.start_monitor()
        run("timeout", "60", "ceph", "-c", self.settings, "mon", "enable-msgr2")
        osd = uuid.uuid4()
        self.ceph("osd", "new", osd, "0")
        self._daemon("ceph-osd", "0", "--mkfs", "--osd-uuid", osd)
        start(place / "osd.out", "ceph-osd", "-f", "-c", self.settings, "-i", "0")
        until("an OSD that is up", 60, lambda: "1 up" in self.ceph("osd", "stat"))
        self.ceph("osd", "pool", "create", POOL, "8", "8")
        self.ceph("osd", "pool", "application", "enable", POOL, "rbd")

    def _daemon(self, program, name, *words):
        run(program, "-c", self.settings, "-i", name, *words)

    def ceph(self, *words):
        return run("timeout", "60", "ceph", "-c", self.settings, *words)

    def rbd(self, *words, **options):
        return run("rbd", "-c", self.settings, *words, **options)

    def start_monitor(self):
        self.monitor = start(
            self.place / "mon.out", "ceph-mon", "-f", "-c", self.settings, "-i", "a"
        )

    def stop_monitor(self):
        """Nobody answers at its address any more; what is stored stays."""
        stop(self.monitor)

    def set_key(self, user, key):
        """Let this user use the pool's images, with this key from now on."""
        keyring = self.place / "user.keyring"
        keyring.write_text(
            f"[client.{user}]\nkey = {key}\n"
            f'caps mon = "profile rbd"\ncaps osd = "profile rbd pool={POOL}"\n'
        )
        self.ceph("auth", "import", "-i", keyring)

    def watchers(self, image):
        """The addresses of those who have the image mapped, if there is one."""
        if image not in self.rbd("ls", POOL).split():
            return []
        lines = self.rbd("status", f"{POOL}/{image}").splitlines()
        return [
            line.split()[0].removeprefix("watcher=")
            for line in lines
            if "watcher=" in line
        ]
