# Copyright (c) pichroot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: chroot
short_description: Run tasks in a chroot, alone or through pichroot's executor
description:
  - Runs commands in a directory that holds a Linux system, and copies files to and from it.
  - With O(socket), every request goes to the executor of pichroot, which holds the chroot's namespaces and emulator.
    Without, the plugin enters the directory itself with C(chroot).
  - Takes the place of the connection plugin C(community.general.chroot), with the same options and variables.
author: pichroot contributors (@pichroot)
version_added: "0.1.0"
options:
  remote_addr:
    description: The directory that is the chroot's root. Not looked at when O(socket) is set.
    type: string
    default: inventory_hostname
    vars: [{name: inventory_hostname}, {name: ansible_host}]
  executable:
    description:
      - The shell in the chroot that runs the commands.
      - Another shell asked for with C(ansible_shell_executable) or by a task goes before it.
    type: string
    default: /bin/sh
    env: [{name: ANSIBLE_EXECUTABLE}]
    ini: [{section: defaults, key: executable}]
    vars: [{name: ansible_executable}]
  chroot_exe:
    description:
      - The program that enters the chroot, a name or an absolute path. It is run as C(chroot_exe ROOT SHELL -c COMMAND).
      - Not used when O(socket) is set.
    type: string
    default: chroot
    env: [{name: ANSIBLE_CHROOT_EXE}]
    ini: [{section: chroot_connection, key: exe}]
    vars: [{name: ansible_chroot_exe}]
  disable_root_check:
    description:
      - Do not ask that Ansible runs as root; for a O(chroot_exe) that needs no root.
      - There is no such check when O(socket) is set.
    type: bool
    default: false
    env: [{name: ANSIBLE_CHROOT_DISABLE_ROOT_CHECK}]
    ini: [{section: chroot_connection, key: disable_root_check}]
    vars: [{name: ansible_chroot_disable_root_check}]
  socket:
    description: The socket of pichroot's executor. pichroot sets it for the playbooks that it runs.
    type: path
    env: [{name: ANSIBLE_CHROOT_SOCKET}]
    ini: [{section: chroot_connection, key: socket}]
    vars: [{name: ansible_chroot_socket}]
  pipelining:
    description:
      - Give modules to Python through its standard input.
      - Otherwise they are files in the chroot for a while, with their parameters in them.
    type: bool
    default: true
    env: [{name: ANSIBLE_PIPELINING}, {name: ANSIBLE_CHROOT_PIPELINING}]
    ini: [{section: defaults, key: pipelining}, {section: connection, key: pipelining}]
    vars: [{name: ansible_pipelining}, {name: ansible_ssh_pipelining}, {name: ansible_chroot_pipelining}]
  timeout:
    description: Seconds to wait for the executor to take a request, and for the prompt of a become method.
    type: int
    default: 10
    env: [{name: ANSIBLE_TIMEOUT}]
    ini: [{section: defaults, key: timeout}]
    vars: [{name: ansible_chroot_timeout}]
    cli: [{name: timeout}]
  command_timeout:
    description:
      - Seconds after which a command is ended and its task fails; V(0) for no limit.
      - It also limits the copy of a file.
    type: int
    default: 0
    env: [{name: ANSIBLE_CHROOT_COMMAND_TIMEOUT}]
    ini: [{section: chroot_connection, key: command_timeout}]
    vars: [{name: ansible_chroot_command_timeout}]
notes:
  - Without O(socket), commands get a clean environment, not that of Ansible as with C(community.general.chroot).
    Use the C(environment) keyword for what they need.
  - A request ends when its command ends. What the command leaves running in the background does not hold it up.
  - The return code of a command that a signal ended is the negative number of the signal.
  - Needs Linux 5.3 or newer on the controller.
"""

EXAMPLES = r"""
- name: Provision a mounted image
  hosts: /mnt/image
  connection: pichroot.image.chroot
  tasks:
    - name: Set the host name
      ansible.builtin.copy:
        content: "raspberrypi\n"
        dest: /etc/hostname
        mode: "0644"
"""

import contextlib
import fcntl
import functools
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import uuid

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.process import get_bin_path
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import BUFSIZE, ConnectionBase
from ansible.utils.display import Display

display = Display()

PROTOCOL_VERSION = 2

# What a command gets when the plugin enters the chroot itself. Nothing of the controller's: that holds tokens, and
# paths that mean something else in the chroot.
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}

# The executor's put and fetch for a plain chroot; $1 is the path. A file is replaced at once or not at all, keeps its
# mode and owner, and is mode 0600 (mktemp's) when new.
PUT = """
to=$(readlink -f "$1") || to=$1
[ ! -d "$to" ] || { echo "$to: Is a directory" >&2; exit 1; }
part=$(mktemp "${to%/*}/.ansible.XXXXXX") || exit
{ [ ! -e "$to" ] || cp -p "$to" "$part"; } && cat >"$part" && mv -f "$part" "$to" || { rm -f "$part"; exit 1; }
"""
FETCH = """
[ ! -e "$1" ] || [ -f "$1" ] || { echo "$1: not a regular file" >&2; exit 1; }
exec cat "$1"
"""


class ExecutorRequest:
    """A request to the executor, readable when there is an answer. To close it cancels it."""

    def __init__(self, path, timeout, request, fds):
        message = {"version": PROTOCOL_VERSION, **request}
        try:
            frame = json.dumps(message, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise AnsibleError(f"cannot ask the executor for what is not UTF-8: {error}") from error
        frame = struct.pack("<I", len(frame)) + frame
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout or None)
        try:
            self.socket.connect(path)
            sent = socket.send_fds(self.socket, [frame], fds)
            if sent < len(frame):  # or else it may be closed already, with the answer in it
                self.socket.sendall(frame[sent:])
            self.socket.settimeout(None)
        except OSError as error:
            self.socket.close()
            raise AnsibleConnectionFailure(f"cannot reach the executor at {path}: {error}") from error

    def fileno(self):
        return self.socket.fileno()

    def answer(self):
        try:
            with self.socket.makefile("rb") as stream:
                length = int.from_bytes(stream.read(4), "little")
                return json.loads(stream.read(length))
        except (OSError, ValueError) as error:
            raise AnsibleConnectionFailure("the executor ended before it answered") from error

    def close(self):
        self.socket.close()


class ChrootCommand:
    """A command in a plain chroot, readable when it ended. To close it kills it. Answers as the executor does."""

    def __init__(self, argv, fds):
        stdin, stdout, stderr = fds
        try:
            self.process = subprocess.Popen(
                argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd="/", env=CLEAN_ENVIRONMENT, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise AnsibleError(f"cannot run {argv[0]}: {error}") from error
        self.pidfd = os.pidfd_open(self.process.pid)
        # When Ansible is stopped, it passes the signal to its own process group. The command has another one.
        self.handlers = {}
        with contextlib.suppress(ValueError):  # not the main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                self.handlers[number] = signal.signal(number, self._stop) or signal.SIG_DFL

    def _stop(self, number, frame):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self._restore_handlers()
        signal.raise_signal(number)

    def _restore_handlers(self):
        while self.handlers:
            signal.signal(*self.handlers.popitem())

    def fileno(self):
        return self.pidfd

    def answer(self):
        code = self.process.wait()
        return {"ended": {"how": {"code": code} if code >= 0 else {"signal": -code}, "left": []}}

    def close(self):
        self._restore_handlers()
        if self.process.returncode is None:
            # Until it is waited for, its process group can be no other's.
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                poll = select.poll()
                poll.register(self.pidfd, select.POLLIN)
                poll.poll(2000)
            self.process.wait()
        os.close(self.pidfd)


def sealed_file(data):
    """`data` as a file in memory that nobody can change: the executor can look at it and still pass it on."""
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return open(fd, "rb", buffering=0)


def carry(request, sinks, stdin, chunks, seconds):
    """
    Moves data until `request` has an answer: from each pipe of `sinks` to its function, and from the iterator `chunks`
    to the pipe `stdin`. None as a chunk: not yet, ask again later.
    """
    deadline = time.monotonic() + seconds if seconds else None
    poll = select.poll()
    for source in [request.fileno(), *sinks]:
        poll.register(source, select.POLLIN)
    rest = b""
    answered = False
    while not answered:
        if stdin and not rest:
            rest = next(chunks, b"")
            poll.register(stdin, select.POLLOUT if rest else 0)
        if stdin and rest == b"":
            poll.unregister(stdin)
            stdin.close()
            stdin = None
        events = poll.poll(1000)  # not for ever: `chunks` has a deadline of its own
        if deadline and time.monotonic() > deadline:
            raise AnsibleError(f"the command took longer than {seconds} s (command_timeout) and was ended")
        for fd, event in events:
            if fd == request.fileno():
                answered = True
            elif stdin and fd == stdin.fileno():
                if event & select.POLLERR:  # nobody reads it any more
                    chunks, rest = iter(()), b""
                else:
                    with contextlib.suppress(BrokenPipeError):
                        rest = rest[stdin.write(rest) or 0 :]
            elif data := os.read(fd, BUFSIZE):
                sinks[fd](data)
            else:
                poll.unregister(fd)
    # What the command wrote is in the pipes. Their end may be far: something it left running may hold them open.
    for fd, sink in sinks.items():
        (size,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
        sink(os.read(fd, size))


def absolute(path):
    """A path in the chroot; a relative one begins at its root."""
    return os.path.normpath("/" + to_text(path).lstrip("/"))


class Connection(ConnectionBase):
    """A chroot. There is nothing to hold open: each request to the executor has a connection of its own."""

    transport = "pichroot.image.chroot"
    has_pipelining = True
    # We start a shell ourselves; with core's in addition there would be two, both emulated.
    allow_executable = False
    # There is none. But root's `su` asks nothing, and core refuses it on connections without.
    has_tty = True
    default_user = "root"

    _chroot = ()  # the program that enters, and the root
    task = None  # what Ansible's task is called, where pichroot's callback plugin says so

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Ansible forks a worker for each task, and makes this in it. What the worker has inherited is no garbage: to
        # look through it again and again takes a good part of the time in which a module is packed.
        gc.freeze()

    def _connect(self):
        if not self._connected:
            if not self.get_option("socket"):
                self._chroot = self._plain_chroot()
            self._connected = True
        return self

    def _plain_chroot(self):
        """The command that enters the chroot, after a look whether that can work."""
        root = os.path.abspath(self.get_option("remote_addr"))
        shell = os.path.join(root, "bin/sh")
        if os.geteuid() != 0 and not self.get_option("disable_root_check"):
            raise AnsibleConnectionFailure("chroot connections need root")
        if not os.path.isdir(root):
            raise AnsibleConnectionFailure(f"{root} is not a directory")
        # A link may lead to what is only there inside of the chroot.
        if not os.access(shell, os.X_OK) and not os.path.islink(shell):
            raise AnsibleConnectionFailure(f"{root} is not the root of a Linux system: it has no /bin/sh")
        try:
            return [get_bin_path(self.get_option("chroot_exe")), root]
        except ValueError as error:
            raise AnsibleConnectionFailure(str(error)) from error

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._log(f"EXEC {cmd}")
        out, err = bytearray(), bytearray()
        stdin = in_data or b""
        if sudoable and self.become and self.become.expect_prompt():
            stdin = self._converse(out, err, stdin)
        answer = self._perform(self._shell_request(cmd), stdin, out.extend, err.extend)
        if refused := answer.get("refused"):  # as a shell tells that there is no such program
            return refused["code"], b"", to_bytes(refused["why"] + "\n")
        ended = answer["ended"]
        if ended["left"]:
            self._log(f"LEFT RUNNING {' '.join(ended['left'])}")
        how = ended["how"]
        return how["code"] if "code" in how else -how["signal"], bytes(out), bytes(err)

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        path = absolute(out_path)
        self._log(f"PUT {in_path} TO {path}")
        try:
            with open(in_path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                chunks = iter(functools.partial(file.read, BUFSIZE), b"")
                self._copy("put", PUT, {"path": path, "size": size}, chunks=chunks)
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(file_name=in_path) from error
        except OSError as error:
            raise AnsibleError(f"cannot read {in_path}: {error}") from error

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        path = absolute(in_path)
        self._log(f"FETCH {path} TO {out_path}")
        target = os.path.realpath(out_path)
        if os.path.exists(target) and not os.path.isfile(target):
            raise AnsibleError(f"cannot write {out_path}: it is not a regular file")
        # Beside the target, so that it is renamed in one step and there never is half a file.
        part = os.path.join(os.path.dirname(target), f".ansible-{uuid.uuid4().hex}")
        try:
            with open(part, "xb") as file:
                self._copy("fetch", FETCH, {"path": path}, sink=file.write)
            os.replace(part, target)
        except OSError as error:
            raise AnsibleError(f"cannot write {out_path}: {error}") from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    def reset(self):
        if self.get_option("socket"):
            try:
                self._perform({"reset": {}})
            except AnsibleConnectionFailure as error:
                # Raised, it would end the whole run. The next task tells that the host is unreachable.
                display.warning(f"Could not reset the connection: {error}")
        self.close()

    def close(self):
        self._connected = False

    def _log(self, text):
        display.vvv(text, host=self.get_option("remote_addr"))

    def _shell_request(self, cmd, *args):
        # The shell plugin knows of ansible_shell_executable and of the `executable` of a `raw` task.
        shell = self._shell.executable
        if shell in (None, C.DEFAULT_EXECUTABLE):
            shell = self.get_option("executable")
        request = {"argv": [*shell.split(), "-c", to_text(cmd), *args]}
        return {"exec": {**request, "task": self.task} if self.task else request}

    def _perform(self, request, stdin=None, *sinks):
        """
        Has `request` done and returns the answer. `stdin` is bytes, or an iterator of them for `carry`, and each of
        `sinks` a function that takes the data of one pipe.
        """
        with contextlib.ExitStack() as stack:

            def pipe():
                reader, writer = os.pipe()
                return stack.enter_context(open(reader, "rb", 0)), stack.enter_context(open(writer, "wb", 0))

            theirs, ours, writer = [], {}, None
            if isinstance(stdin, bytes):
                theirs.append(stack.enter_context(sealed_file(stdin)))
            elif stdin:
                reader, writer = pipe()
                theirs.append(reader)
                os.set_blocking(writer.fileno(), False)
            for sink in sinks:
                reader, their_writer = pipe()
                ours[reader.fileno()] = sink
                theirs.append(their_writer)

            if path := self.get_option("socket"):
                fds = [file.fileno() for file in theirs]
                running = ExecutorRequest(path, self.get_option("timeout"), request, fds)
            else:
                running = ChrootCommand([*self._chroot, *request["exec"]["argv"]], theirs)
            stack.enter_context(contextlib.closing(running))
            for file in theirs:
                file.close()
            carry(running, ours, writer, stdin, self.get_option("command_timeout"))
            return running.answer()

    def _copy(self, kind, script, file, chunks=None, sink=None):
        """Puts or fetches: by the executor, or by a script in the chroot."""
        if self.get_option("socket"):
            answer = self._perform({kind: file}, chunks, *([sink] if sink else []))
            if refused := answer.get("refused"):
                raise AnsibleError(f"cannot {kind} a file: {refused['why']}")
        else:
            out, err = bytearray(), bytearray()
            request = self._shell_request(script, kind, file["path"])
            answer = self._perform(request, chunks or b"", sink or out.extend, err.extend)
            if answer["ended"]["how"] != {"code": 0}:
                raise AnsibleError(f"cannot {kind} a file: {to_text(bytes(err)).strip()}")

    def _converse(self, out, err, in_data):
        """What a become method is to read: the password when it asks, `in_data` after its sign of success."""
        become = self.become
        deadline = time.monotonic() + self.get_option("timeout")
        asked = False
        while not become.check_success(bytes(out)):
            prompt = next(
                (text for text in (out, err) if become.check_password_prompt(bytes(text))),
                None,
            )
            if become.check_incorrect_password(bytes(out + err)) or (prompt and asked):
                raise AnsibleError(f"Incorrect {become.name} password")
            if become.check_missing_password(bytes(out + err)):
                raise AnsibleError(f"Missing {become.name} password")
            if time.monotonic() > deadline:
                raise AnsibleConnectionFailure(f"Timed out waiting for {become.name}: {to_text(bytes(out + err))}")
            if prompt:
                prompt.clear()
                asked = True
                yield to_bytes(become.get_option("become_pass")) + b"\n"
            else:
                yield None
        yield in_data
