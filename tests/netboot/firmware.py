"""In the place of a Pi's firmware: U-Boot, with a script of what the firmware would make of the published tree."""

import pathlib

from shell import Failed, run

SCRIPT = """\
tftpboot ${{kernel_addr_r}} {kernel}
tftpboot ${{ramdisk_addr_r}} {initramfs}
setenv ramdisk_size ${{filesize}}
setenv bootargs '{arguments}'
booti ${{kernel_addr_r}} ${{ramdisk_addr_r}}:${{ramdisk_size}} ${{fdtcontroladdr}}
"""


def settings(tree: pathlib.Path, board):
    """What config.txt says to this board: the last word of each counts, and filters tell whom it is for."""
    found = {}
    applies = True
    for line in (tree / "config.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            applies = line in ("[all]", f"[{board}]")
        elif applies and line.startswith("initramfs "):
            found["initramfs"] = line.split()[1]
        elif applies and "=" in line:
            name, value = line.split("=", 1)
            found[name] = value
    return found


def arguments(line):
    """The kernel's arguments on a machine without a screen, whose first serial port has another name."""
    if "'" in line or len(line.splitlines()) != 1:
        raise Failed(f"cmdline.txt is not one plain line: {line!r}")
    words = line.replace("console=serial0,", "console=ttyAMA0,").split()
    return " ".join(word for word in words if word != "console=tty1")


def script(tftp: pathlib.Path, serial, board="pi4"):
    """What U-Boot is to do with the tree that is served to this serial number."""
    tree = tftp / serial
    said = settings(tree, board)
    prefix = said.get("os_prefix", "")
    for name in ("kernel", "initramfs"):
        if not (tree / f"{prefix}{said[name]}").is_file():
            raise Failed(
                f"config.txt names {prefix}{said[name]}, which is not in {tree}"
            )
    line = (tree / f"{prefix}{said.get('cmdline', 'cmdline.txt')}").read_text()
    return SCRIPT.format(
        kernel=f"{serial}/{prefix}{said['kernel']}",
        initramfs=f"{serial}/{prefix}{said['initramfs']}",
        arguments=arguments(line.strip()),
    )


def prepare(tftp: pathlib.Path, serial, board="pi4"):
    """Make what U-Boot asks for by DHCP."""
    source = tftp / "boot.cmd"
    source.write_text(script(tftp, serial, board))
    run("mkimage", "-A", "arm64", "-T", "script", "-d", source, tftp / "boot.scr.uimg")
