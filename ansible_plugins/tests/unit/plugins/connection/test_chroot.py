# Copyright (c) pichroot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection plugin against a fake executor, and by itself with / as the chroot."""

from __future__ import annotations

import filecmp
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import unittest
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader

HERE = Path(__file__).parent
MIB = 1 << 20

connection_loader.add_directory(str(HERE.parents[3] / "plugins/connection"))

# Asks as sudo does: a prompt on standard error, one line from standard input, read byte by byte, three times.
SUDO = """#!/bin/sh
while [ "$1" != -p ]; do shift; done
prompt=$2
while [ "$1" != /bin/sh ]; do shift; done
for try in 1 2 3; do
    printf %s "$prompt" >&2
    read -r password || exit 1
    [ "$password" != "secret word" ] || exec "$@"
    echo "Sorry, try again." >&2
done
exit 1
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = self.new_directory()

    def new_directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    def connect(self, **options):
        connection = connection_loader.get("chroot", PlayContext())
        connection.set_options(direct={"remote_addr": "/", **options})
        return connection


class Behaviour:
    """What holds with and without an executor."""

    def test_streams_and_code(self):
        result = self.connect().exec_command("cat; echo out; echo err >&2; exit 3", in_data=b"in\n")
        self.assertEqual(result, (3, b"in\nout\n", b"err\n"))

    def test_binary_input(self):
        data = bytes(range(256)) * 4096
        self.assertEqual(self.connect().exec_command("cat", in_data=data), (0, data, b""))

    def test_no_input_is_an_empty_one(self):
        self.assertEqual(self.connect().exec_command("cat"), (0, b"", b""))

    def test_much_output(self):
        size = 100 * MIB
        code, out, err = self.connect().exec_command(f"head -c {size} /dev/zero | tr '\\0' x")
        self.assertEqual((code, len(out), out.count(b"x"), err), (0, size, size, b""))

    def test_a_daemon_holds_nothing_up(self):
        code, out, err = self.connect().exec_command("head -c 30000 /dev/zero; sleep 600 & echo $! >&2")
        # It is there still, with both outputs open.
        os.kill(int(err), signal.SIGKILL)
        self.assertEqual((code, out), (0, bytes(30000)))

    def test_closed_outputs_are_not_the_end(self):
        result = self.connect().exec_command("exec >&- 2>&-; sleep 0.3; exit 4")
        self.assertEqual(result, (4, b"", b""))

    def test_ended_by_a_signal(self):
        self.assertEqual(self.connect().exec_command("echo a; kill -9 $$"), (-9, b"a\n", b""))

    def test_not_found(self):
        code, _out, err = self.connect(executable="/no/such/shell").exec_command("true")
        self.assertEqual(code, 127)
        self.assertIn(b"/no/such/shell", err)

    def test_the_shell_of_a_task_goes_first(self):
        connection = self.connect(executable="/bin/false")
        self.assertEqual(connection.exec_command("true")[0], 1)
        connection._shell.executable = "/bin/bash"
        self.assertEqual(connection.exec_command("echo ${BASH_VERSION:+bash}")[1], b"bash\n")

    def test_command_timeout(self):
        mark = self.directory / "mark"
        with self.assertRaisesRegex(AnsibleError, "longer than 1 s") as caught:
            self.connect(command_timeout=1).exec_command(f"trap 'touch {mark}; exit' TERM; sleep 600 & wait")
        self.assertNotIsInstance(caught.exception, AnsibleConnectionFailure)
        self.await_file(mark)

    def test_an_exception_ends_the_command(self):
        class Stop(BaseException):
            pass

        def stop(*_args):
            raise Stop

        mark = self.directory / "mark"
        previous = signal.signal(signal.SIGALRM, stop)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with self.assertRaises(Stop):
            self.connect().exec_command(f"trap 'touch {mark}; exit' TERM; sleep 20 & wait")
        self.await_file(mark)

    def test_a_signal_ends_the_command(self):
        mark = self.directory / "mark"
        started = self.directory / "started"
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            try:
                self.connect().exec_command(f"trap 'touch {mark}; exit' TERM; sleep 20 & touch {started}; wait")
            finally:
                os._exit(1)
        self.await_file(started)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -signal.SIGTERM)
        self.await_file(mark)

    def await_file(self, path):
        for _try in range(600):
            if path.exists():
                return
            time.sleep(0.1)
        self.fail(f"{path} does not come: the command was not told to end")

    def test_round_trip_in_little_memory(self):
        source, there, back = (self.directory / name for name in ("source", "there 'x'", "back"))
        block = os.urandom(MIB)
        with source.open("wb") as file:
            for number in range(200):
                file.write(number.to_bytes(8, "big") + block[8:])
        connection = self.connect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        connection.put_file(str(source), str(there))
        connection.fetch_file(str(there), str(back))
        self.assertLess(tracemalloc.get_traced_memory()[1], 4 * MIB)
        self.assertTrue(filecmp.cmp(source, back, shallow=False))
        self.assertEqual(sorted(os.listdir(self.directory)), ["back", "source", "there 'x'"])

    def test_empty_file(self):
        empty, there = self.directory / "empty", self.directory / "there"
        empty.touch()
        self.connect().put_file(str(empty), str(there))
        self.assertEqual(there.read_bytes(), b"")

    def test_relative_paths_begin_at_the_root(self):
        source = self.directory / "source"
        source.write_bytes(b"x")
        self.connect().put_file(str(source), f"./{self.directory}/../{self.directory.name}/there".replace("//", "/"))
        self.assertEqual((self.directory / "there").read_bytes(), b"x")

    def test_put_without_a_source(self):
        with self.assertRaises(AnsibleFileNotFound):
            self.connect().put_file(str(self.directory / "missing"), "/tmp/x")

    def test_refused_put(self):
        source = self.directory / "source"
        source.write_bytes(bytes(10 * MIB))
        with self.assertRaisesRegex(AnsibleError, "Is a directory") as caught:
            self.connect().put_file(str(source), str(self.directory))
        self.assertNotIsInstance(caught.exception, AnsibleConnectionFailure)

    def test_refused_fetch_leaves_nothing(self):
        back = self.directory / "back"
        back.write_bytes(b"as before")
        with self.assertRaisesRegex(AnsibleError, "No such file"):
            self.connect().fetch_file("/no/such/file", str(back))
        self.assertEqual(back.read_bytes(), b"as before")
        self.assertEqual(sorted(os.listdir(self.directory)), ["back"])

    def test_fetch_to_a_device(self):
        with self.assertRaisesRegex(AnsibleError, "not a regular file"):
            self.connect().fetch_file("/etc/hostname", "/dev/null")

    def sudo(self, password, command, in_data=None, **options):
        program = self.directory / "sudo"
        program.write_text(SUDO)
        program.chmod(0o755)
        become = become_loader.get("sudo")
        become.set_options(direct={"become_exe": str(program), "become_pass": password, "become_user": "x"})
        connection = self.connect(**options)
        connection.set_become_plugin(become)
        command = become.build_become_command(command, connection._shell)
        return connection.exec_command(command, in_data=in_data), become.success.encode()

    def test_become_with_a_password(self):
        data = bytes(range(256)) * 1000
        (code, out, err), success = self.sudo("secret word", "cat; echo err >&2", data)
        self.assertEqual((code, out, err), (0, success + b"\n" + data, b"err\n"))

    def test_become_with_a_wrong_password(self):
        with self.assertRaisesRegex(AnsibleError, "Incorrect sudo password"):
            self.sudo("wrong", "cat", b"in")

    def test_become_that_neither_asks_nor_succeeds(self):
        connection = self.connect(timeout=1)
        become = become_loader.get("sudo")
        become.set_options(direct={"become_pass": "x"})
        become.build_become_command("true", connection._shell)
        connection.set_become_plugin(become)
        with self.assertRaisesRegex(AnsibleConnectionFailure, "Timed out"):
            connection.exec_command("sleep 20")

    def test_become_that_asks_nothing(self):
        connection = self.connect()
        become = become_loader.get("sudo")
        become.set_options(direct={"become_pass": "x"})
        become.build_become_command("true", connection._shell)
        connection.set_become_plugin(become)
        result = connection.exec_command(f"echo {become.success}; cat", in_data=b"in")
        self.assertEqual(result[1].split(b"\n")[1], b"in")

    def test_close_and_use_again(self):
        connection = self.connect()
        connection.exec_command("true")
        connection.close()
        self.assertFalse(connection.connected)
        self.assertEqual(connection.exec_command("echo again")[1], b"again\n")


class WithExecutor(Behaviour, Case):
    def setUp(self):
        super().setUp()
        self.socket = self.new_directory() / "socket"
        command = [sys.executable, str(HERE / "fake_executor.py"), str(self.socket)]
        self.executor = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.executor.stdout.close)
        self.addCleanup(self.executor.wait)
        self.addCleanup(self.executor.kill)
        self.assertEqual(self.executor.stdout.readline(), "ready\n")

    def connect(self, **options):
        return super().connect(socket=str(self.socket), **options)

    def test_gone_before(self):
        self.executor.kill()
        self.executor.wait()
        with self.assertRaisesRegex(AnsibleConnectionFailure, "cannot reach the executor"):
            self.connect().exec_command("true")

    def test_gone_in_the_middle(self):
        threading.Timer(0.5, self.executor.kill).start()
        with self.assertRaisesRegex(AnsibleConnectionFailure, "the executor ended"):
            self.connect().exec_command("sleep 2")

    def test_gone_during_a_put(self):
        threading.Timer(0.2, self.executor.kill).start()
        with self.assertRaisesRegex(AnsibleConnectionFailure, "the executor ended"):
            self.connect().put_file("/dev/zero", str(self.directory / "there"))

    def test_not_utf8(self):
        with self.assertRaisesRegex(AnsibleError, "UTF-8"):
            self.connect().exec_command("echo \udcff")

    def test_reset(self):
        connection = self.connect()
        connection.exec_command("true")
        connection.reset()
        self.assertFalse(connection.connected)
        self.assertEqual(self.executor.stdout.readline(), "reset\n")

    def test_reset_without_an_executor(self):
        self.executor.kill()
        self.executor.wait()
        self.connect().reset()


class Plain(Behaviour, Case):
    def setUp(self):
        super().setUp()
        self.assertEqual(os.geteuid(), 0, "chroot(8) needs root: run this as root, as make test does")

    def test_clean_environment(self):
        os.environ["TOKEN_OF_THE_CONTROLLER"] = "x"
        self.addCleanup(os.environ.pop, "TOKEN_OF_THE_CONTROLLER")
        self.assertNotIn(b"TOKEN", self.connect().exec_command("env")[1])

    def test_put_keeps_mode_and_link(self):
        source, there, link = (self.directory / name for name in ("source", "there", "link"))
        source.write_bytes(b"new")
        there.write_bytes(b"old")
        there.chmod(0o640)
        link.symlink_to("there")
        self.connect().put_file(str(source), str(link))
        self.assertTrue(link.is_symlink())
        self.assertEqual((there.read_bytes(), there.stat().st_mode & 0o777), (b"new", 0o640))
        self.connect().put_file(str(source), str(self.directory / "fresh"))
        self.assertEqual((self.directory / "fresh").stat().st_mode & 0o777, 0o600)

    def test_unusable_roots(self):
        for root in ("/no/such/directory", str(self.directory), "/etc/hostname"):
            with self.subTest(root), self.assertRaises(AnsibleConnectionFailure):
                self.connect(remote_addr=root).exec_command("true")

    def test_no_chroot_program(self):
        with self.assertRaises(AnsibleConnectionFailure):
            self.connect(chroot_exe="no-such-chroot").exec_command("true")

    def test_reset(self):
        self.connect().reset()


if __name__ == "__main__":
    unittest.main()
