#!/usr/bin/env python3
"""Takes ansible-playbook's place in a run and loads the executor, as a client of its own.

The protocol is that of docs/executor-protocol.md. Ends with 0 when all was as it should be.
"""

import array
import concurrent.futures
import hashlib
import json
import os
import pathlib
import select
import socket
import struct
import sys
import threading

MIB = 1 << 20


def host_variables():
    """Those that pichroot has written for Ansible."""
    inventories = [
        pathlib.Path(value)
        for option, value in zip(sys.argv, sys.argv[1:])
        if option == "--inventory"
    ]
    files = [
        path
        for top in inventories
        for path in [top, *top.glob("host_vars/*")]
        if path.is_file()
    ]
    for path in files:
        text = path.read_text()
        if "ansible_chroot_socket" in text:
            return json.loads(text)
    raise SystemExit(f"no socket in {files}")


SOCKET = host_variables()["ansible_chroot_socket"]


class Request:
    def __init__(self, body, *fds):
        frame = json.dumps({"version": 2, **body}).encode()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(SOCKET)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] * bool(
            fds
        )
        self.socket.sendmsg([struct.pack("<I", len(frame)) + frame], rights)

    def answer(self):
        stream = self.socket.makefile("rb")
        (length,) = struct.unpack("<I", stream.read(4))
        return json.loads(stream.read(length))


def run(argv, stdin=b"", sink=None):
    """Runs a command; its exit code and output, or only the output's length with a `sink`."""
    memory = os.memfd_create("stdin")
    os.write(memory, stdin)
    os.lseek(memory, 0, os.SEEK_SET)
    reader, writer = os.pipe()
    errors, error_writer = os.pipe()
    request = Request({"exec": {"argv": argv}}, memory, writer, error_writer)
    for fd in memory, writer, error_writer:
        os.close(fd)
    out = b""
    while True:
        ready, _, _ = select.select([request.socket, reader], [], [], 60)
        assert ready, f"{argv} hangs"
        if reader in ready:
            piece = os.read(reader, MIB)
            out += piece if sink is None else b""
            if sink is not None:
                sink(piece)
            if piece:
                continue
        if request.socket in ready:
            break
    answer = request.answer()
    os.close(reader)
    os.close(errors)
    return answer["ended"]["how"]["code"], out


def executor():
    """The executor's process, as this one sees it."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if stat.read_bytes().startswith(b"pichroot-executor\0"):
                return stat.parent
        except FileNotFoundError:
            continue
    raise SystemExit("there is no executor")


def memory(field):
    for line in (executor() / "status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {field}")


def many_at_once():
    def one(number):
        # Each with input and an exit code of its own, so that none is answered for another.
        code, out = run(
            ["/bin/sh", "-c", f"cat; exit {number % 200}"], str(number).encode()
        )
        assert code == number % 200 and out == str(number).encode(), (number, code, out)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(one, range(1000)))


def large_files():
    size = 1024 * MIB
    block = os.urandom(MIB)
    wanted = hashlib.sha256()
    reader, writer = os.pipe()

    def feed():
        for number in range(size // MIB):
            piece = struct.pack("<Q", number) + block[8:]
            wanted.update(piece)
            with_all = memoryview(piece)
            while with_all:
                with_all = with_all[os.write(writer, with_all) :]
        os.close(writer)

    before = memory("VmRSS")
    put = Request(
        {"put": {"path": "/dev/shm/large", "size": size, "mode": 0o640}}, reader
    )
    os.close(reader)
    feeding = threading.Thread(target=feed)
    feeding.start()
    assert put.answer() == {"done": {}}
    feeding.join()
    assert run(["stat", "-c", "%s %a", "/dev/shm/large"])[1] == f"{size} 640\n".encode()

    got = hashlib.sha256()
    reader, writer = os.pipe()
    fetch = Request({"fetch": {"path": "/dev/shm/large"}}, writer)
    os.close(writer)
    while piece := os.read(reader, MIB):
        got.update(piece)
    assert fetch.answer() == {"done": {}}
    assert got.digest() == wanted.digest()
    grown = memory("VmHWM") - before
    assert grown < 16 * MIB, f"the executor grew by {grown >> 20} MiB"
    run(["rm", "/dev/shm/large"])


def large_output():
    before, total = memory("VmRSS"), 0

    def count(piece):
        nonlocal total
        total += len(piece)

    code, _ = run(["/bin/sh", "-c", "head -c 104857600 /dev/zero; exit 3"], sink=count)
    # What is still in the pipe at the end is not read here.
    assert code == 3 and 99 * MIB < total <= 100 * MIB, (code, total)
    grown = memory("VmRSS") - before
    assert grown < 16 * MIB, f"the executor grew by {grown >> 20} MiB"


def a_cancelled_command_ends():
    request = Request(
        {"exec": {"argv": ["sleep", "987"]}}, *[os.open("/dev/null", os.O_RDWR)] * 3
    )
    frame = b'{"version": 2, "cancel": {}}'
    request.socket.sendall(struct.pack("<I", len(frame)) + frame)
    assert request.answer()["ended"]["how"] == {"signal": 15}


def nothing_is_written_by_halves():
    reader, writer = os.pipe()
    request = Request({"put": {"path": "/etc/halved", "size": 10}}, reader)
    os.write(writer, b"half")
    os.close(writer)
    os.close(reader)
    assert "ends after 4 of 10" in request.answer()["refused"]["why"]
    assert run(["/bin/sh", "-c", "ls -A /etc | grep -c halved"])[1] == b"0\n"


def rubbish_is_refused():
    for body in {"nonsense": {}}, {"exec": {}}, {"version": 99, "exec": {"argv": []}}:
        assert "refused" in Request(body).answer(), body
    for frame in b"\xff\xff\xff\xff", struct.pack("<I", 3) + b"{]}":
        client = socket.socket(socket.AF_UNIX)
        client.connect(SOCKET)
        client.sendall(frame)
        assert client.recv(1) == b""
    assert run(["true"])[0] == 0


def main():
    rubbish_is_refused()
    a_cancelled_command_ends()
    nothing_is_written_by_halves()
    many_at_once()
    large_output()
    large_files()


main()
