# Copyright (c) pichroot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for pichroot's executor: fake_executor.py SOCKET. It speaks the protocol and runs everything natively."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def receive(client):
    """One request and its descriptors."""
    data, fds, _flags, _address = socket.recv_fds(client, 4, 4)
    length = int.from_bytes(data, "little")
    message = b""
    while len(message) < length:
        message += client.recv(length - len(message))
    return json.loads(message), fds


def send(client, answer):
    data = json.dumps(answer).encode()
    client.sendall(struct.pack("<I", len(data)) + data)


def refused(code, why):
    return {"refused": {"code": code, "why": why}}


def session(leader):
    """The names of the processes in a session."""
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            name, rest = file.read().partition("(")[2].rsplit(")", 1)
            if int(rest.split()[3]) == leader and int(pid) != leader:
                names.append(name)
    return names


def execute(client, argv, fds):
    for fd in fds:
        # Never a file of the host: a sealed file in memory, or a pipe.
        link = os.readlink(f"/proc/self/fd/{fd}")
        if link.startswith("/memfd:"):
            if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
                return refused(1, "standard input is not sealed")
        elif not link.startswith("pipe:"):
            return refused(1, f"{link} is neither a pipe nor a sealed file")
    try:
        process = subprocess.Popen(argv, stdin=fds[0], stdout=fds[1], stderr=fds[2], cwd="/", start_new_session=True)
    except FileNotFoundError as error:
        return refused(127, f"cannot run {argv[0]}: {error.strerror}")
    for fd in fds:
        os.close(fd)
    fds.clear()
    end = os.pidfd_open(process.pid)
    ready = select.select([end, client], [], [])[0]
    os.close(end)
    if client in ready:  # closed, as the plugin sends nothing more
        os.killpg(process.pid, signal.SIGTERM)
    code = process.wait()
    how = {"code": code} if code >= 0 else {"signal": -code}
    return {"ended": {"how": how, "left": session(process.pid)}}


def put(path, fd):
    if os.path.isdir(path):
        return refused(1, f"{path}: Is a directory")
    part = f"{path}.part"
    with open(part, "wb") as file:
        while data := os.read(fd, 65536):
            file.write(data)
    os.replace(part, path)
    return {"done": {}}


def fetch(path, fd):
    try:
        with open(path, "rb") as file:
            while data := file.read(65536):
                os.write(fd, data)
    except OSError as error:
        return refused(1, f"{path}: {error.strerror}")
    return {"done": {}}


def serve(client):
    with client:
        request, fds = receive(client)
        try:
            if request["version"] != 2:
                answer = refused(1, "another version")
            elif "exec" in request:
                answer = execute(client, request["exec"]["argv"], fds)
            elif "put" in request:
                answer = put(request["put"]["path"], fds[0])
            elif "fetch" in request:
                answer = fetch(request["fetch"]["path"], fds[0])
            else:
                print(*request.keys() - {"version"}, flush=True)
                answer = {"done": {}}
        finally:
            for fd in fds:
                os.close(fd)
        with contextlib.suppress(BrokenPipeError):
            send(client, answer)


def main():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("ready", flush=True)
        while True:
            client, _address = listener.accept()
            threading.Thread(target=serve, args=[client], daemon=True).start()


if __name__ == "__main__":
    main()
