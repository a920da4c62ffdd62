"""The wire between the servers and the machine: a bridge, a tap in it, and DHCP with TFTP. In a network namespace of its own."""

import pathlib

from shell import run, start

SERVER = "10.77.0.1"
MACHINE = "10.77.0.10"
# Nobody has it, so that nothing answers.
NOBODY = "10.77.0.9"
# The bridge has it, too, and nothing listens there.
DEAF = "10.77.0.2"
MAC = "52:54:00:12:34:56"
TAP = "tap0"

DNSMASQ = """\
port=0
interface=br0
bind-interfaces
dhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h
dhcp-host={mac},{machine}
enable-tftp
tftp-root={tftp}
log-dhcp
pid-file=
dhcp-leasefile={place}/leases
user=root
"""


def bring_up(place: pathlib.Path, tftp: pathlib.Path):
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "address", "add", f"{SERVER}/24", "dev", "br0")
    run("ip", "address", "add", f"{DEAF}/24", "dev", "br0")
    run("ip", "link", "set", "br0", "up")
    run("ip", "tuntap", "add", TAP, "mode", "tap")
    run("ip", "link", "set", TAP, "master", "br0", "up")
    tftp.mkdir(exist_ok=True)
    settings = place / "dnsmasq.conf"
    settings.write_text(
        DNSMASQ.format(mac=MAC, machine=MACHINE, tftp=tftp, place=place)
    )
    start(
        place / "dnsmasq.log",
        "dnsmasq",
        "--keep-in-foreground",
        "--log-facility=-",
        f"--conf-file={settings}",
    )
