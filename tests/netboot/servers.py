"""The NFS server: ganesha, which needs no help of the kernel."""

import pathlib

from network import SERVER
from shell import start, until

GANESHA = """\
NFS_CORE_PARAM {{ Bind_addr = {server}; Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false;
    mount_path_pseudo = true; }}
NFSv4 {{ Only_Numeric_Owners = true; Graceless = true; RecoveryBackend = fs; Minor_Versions = 1,2; }}
"""
EXPORT = """\
EXPORT {{ Export_Id = {number}; Path = {path}; Pseudo = {name}; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
    Protocols = 4; FSAL {{ Name = VFS; }} }}
"""


def serve(place: pathlib.Path, exports):
    """Serve these folders by these names, with owners by number as the kernel's own server does: a machine that boots cannot map
    names yet. NFS 4 only: version 3 would want the host's rpcbind."""
    text = GANESHA.format(server=SERVER)
    for number, (name, path) in enumerate(exports.items(), start=1):
        path.mkdir(exist_ok=True)
        text += EXPORT.format(number=number, path=path, name=name)
    settings = place / "ganesha.conf"
    settings.write_text(text)
    log = place / "ganesha.log"
    log.unlink(missing_ok=True)
    start(
        place / "ganesha.out",
        "ganesha.nfsd",
        "-F",
        "-f",
        settings,
        "-L",
        log,
        "-p",
        place / "ganesha.pid",
    )
    until(
        "an NFS server that serves",
        60,
        lambda: (
            log.exists() and "NFS SERVER INITIALIZED" in log.read_text(errors="replace")
        ),
    )
