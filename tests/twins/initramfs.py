"""Reads an initramfs: cpio archives in the newc format, one after the other, packed or not."""

import hashlib
import lzma
import subprocess
import zlib

MAGICS = (b"070701", b"070702")
# The fields of a header: inode, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor,
# namesize, check; each of eight hexadecimal digits.
FIELDS, DIGITS = 13, 8
HEADER = 6 + FIELDS * DIGITS


def unpacked(data):
    """What begins with `data`, unpacked if it is packed."""
    if data[:2] == b"\x1f\x8b":
        return zlib.decompressobj(wbits=31).decompress(data)
    if data[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        # Python has none of its own before 3.14.
        command = ["zstd", "-dcq"]
        return subprocess.run(
            command, input=data, check=True, capture_output=True
        ).stdout
    raise ValueError(f"neither cpio nor packed in a known way: {data[:6]!r}")


def entries(data):
    """Each file by its name: mode, owner, device, links, and the sum of its content. Times are left out."""
    found, names, at = {}, {}, 0
    while at < len(data):
        if data[at : at + 1] == b"\0":
            at += 1
            continue
        if data[at : at + 6] not in MAGICS:
            return found | entries(unpacked(data[at:]))
        text = data[at + 6 : at + HEADER]
        fields = [int(text[i : i + DIGITS], 16) for i in range(0, len(text), DIGITS)]
        inode, mode, uid, gid, links, _, size, *_, major, minor, length, _ = fields
        name = data[at + HEADER : at + HEADER + length - 1].decode(errors="replace")
        at = aligned(at + HEADER + length)
        content = data[at : at + size]
        at = aligned(at + size)
        if name == "TRAILER!!!":
            names = {}
            continue
        found[name] = {
            "mode": oct(mode),
            "owner": [uid, gid],
            "device": [major, minor],
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        if links > 1 and not mode & 0o040000:
            # Of several names, the last one brings the content.
            found[name]["same as"] = names.setdefault(inode, name)
    return found


def aligned(at):
    return (at + 3) & ~3
