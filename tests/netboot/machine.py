"""The machine: no disk, a network card, a serial console, and a port for what the probe says."""

import pathlib
import re
import socket
import time

from network import MAC, TAP
from shell import Failed, say, start, stop, until

FIRMWARE = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
# Many times what a boot takes on one busy core.
LIMIT = 900


class Machine:
    """Switched on with the object, and off at the end of a `with` block as by pulling its plug."""

    def __init__(self, place: pathlib.Path, name):
        self.name = name
        self.console = place / f"{name}.console"
        self.said = place / f"{name}.probe"
        self.keyboard = place / f"{name}.keyboard"
        self.console.write_text("")
        self.said.write_text("")
        self.since = time.monotonic()
        self.process = start(
            place / f"{name}.qemu",
            *[
                "qemu-system-aarch64",
                "-M",
                "virt",
                "-cpu",
                "cortex-a53",
                "-smp",
                "2",
                "-m",
                "1024",
            ],
            *["-bios", FIRMWARE, "-display", "none", "-monitor", "none", "-no-reboot"],
            *["-netdev", f"tap,id=wire,ifname={TAP},script=no,downscript=no"],
            *["-device", f"virtio-net-pci,netdev=wire,mac={MAC}"],
            *[
                "-chardev",
                f"socket,id=console,path={self.keyboard},server=on,wait=off,logfile={self.console}",
            ],
            *["-serial", "chardev:console"],
            *[
                "-device",
                "virtio-serial-pci",
                "-chardev",
                f"file,id=probe,path={self.said}",
            ],
            *["-device", "virtserialport,chardev=probe,name=probe"],
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)

    def type(self, text):
        with socket.socket(socket.AF_UNIX) as keyboard:
            keyboard.connect(str(self.keyboard))
            keyboard.sendall(text.encode())
            # The machine reads one byte at a time.
            time.sleep(2)

    def until_off(self, limit=LIMIT):
        """Wait until the machine goes off by itself: a reboot does that here."""
        until(
            f"{self.name}: the machine goes off",
            limit,
            lambda: self.process.poll() is not None,
        )

    def until_console(self, pattern, limit=LIMIT):
        """Wait until the console has shown this, and return the match."""

        def shown():
            match = re.search(pattern, self.console.read_text(errors="replace"))
            if not match and self.process.poll() is not None:
                raise Failed(
                    f"{self.name}: the machine has gone off, see {self.console}"
                )
            return match

        match = until(f"{self.name}: {pattern!r} on {self.console}", limit, shown)
        say(
            f"{self.name}: {match[0].strip()!r} after {time.monotonic() - self.since:.0f} s"
        )
        return match

    def until_probe(self):
        """What the probe has found."""
        until(
            f"{self.name}: the probe's end in {self.said}",
            LIMIT,
            lambda: self.said.read_text(errors="replace").endswith("end\n"),
        )
        say(
            f"{self.name}: the probe has ended after {time.monotonic() - self.since:.0f} s"
        )
        lines = self.said.read_text().split("-- for people")[0].splitlines()
        return dict(
            line.split(": ", 1) if ": " in line else line.split(" ", 1)
            for line in lines
        )
