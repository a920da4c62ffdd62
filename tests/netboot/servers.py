"""The NFS server: ganesha, which needs no help of the kernel."""

import pathlib

from network import SERVER
from shell import start, stop, until

GANESHA = """\
NFS_CORE_PARAM {{ Bind_addr = {server}; Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false;
    mount_path_pseudo = true; }}
NFSv4 {{ Only_Numeric_Owners = true; Graceless = true; RecoveryBackend = fs; Minor_Versions = 1,2; }}
"""
EXPORT = """\
EXPORT {{ Export_Id = {number}; Path = {path}; Pseudo = {name}; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
    Protocols = 4; FSAL {{ Name = VFS; }} }}
"""


class Nfs:
    """Serves folders by names, with owners by number as the kernel's own server does: a machine that boots cannot map names
    yet. NFS 4 only: version 3 would want the host's rpcbind."""

    def __init__(self, place: pathlib.Path, exports):
        self.place = place
        self.settings = place / "ganesha.conf"
        text = GANESHA.format(server=SERVER)
        for number, (name, path) in enumerate(exports.items(), start=1):
            path.mkdir(exist_ok=True)
            text += EXPORT.format(number=number, path=path, name=name)
        self.settings.write_text(text)
        self.process = None
        self.start()

    def start(self):
        log = self.place / "ganesha.log"
        log.unlink(missing_ok=True)
        self.process = start(
            self.place / "ganesha.out",
            *["ganesha.nfsd", "-F", "-f", self.settings, "-L", log],
            *["-p", self.place / "ganesha.pid"],
        )
        said = "NFS SERVER INITIALIZED"
        until(
            "an NFS server that serves",
            60,
            lambda: log.exists() and said in log.read_text(errors="replace"),
        )

    def stop(self):
        stop(self.process)
