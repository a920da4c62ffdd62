# The zygote: the image's own Python, started once, which forks for every module of Ansible's.
#
# It gets this program on its standard input, as a module does that is run without it, and talks to the executor on
# what is its standard output: a socket that keeps messages apart, JSON in each. The executor decides everything: what
# may run here, and what is to be learnt; see mod.rs.
#
# Written for Python 3.8, the oldest that ansible-core 2.19 runs modules on.
#
# It runs code that it is given, as the interpreter in its place would, and meets every fault of it:
# ruff: noqa: S102, S112, BLE001, SIM115
import _imp
import atexit
import builtins
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import marshal
import os
import pathlib
import re
import runpy
import select
import signal
import site
import socket
import struct
import sys
import threading
import time
import types
import zipimport

MAX_MESSAGE = 1 << 20

# Where learnt modules seem to come from, until a child knows where its own archive is.
NOWHERE = "/pichroot/learnt.zip"

STANDARD_LIBRARY = getattr(sys, "stdlib_module_names", frozenset())
# Where systemd looks for units, the first first.
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# As Ansible's systemd module asks.
IS_ENABLED = re.compile(r"(\S*systemctl\b.* is-enabled) '([^'/]+)'(.*)")
IMPORT = re.compile(rb"^\s*(?:import|from)\s+([A-Za-z_][\w.]*)", re.MULTILINE)


class Code:
    """Compiled code by its source, whoever has compiled it."""

    def __init__(self):
        self.by_source = {}

    def compiled(self, source, path):
        code = self.by_source.get(source)
        if code is None:
            return compile(source, path, "exec", dont_inherit=True)
        _imp._fix_co_filename(code, path)  # As for what comes from Python's own cache.
        return code

    def keep_compiled(self, source):
        if source not in self.by_source:
            try:
                self.by_source[source] = compile(
                    source, "<module>", "exec", dont_inherit=True
                )
            except (SyntaxError, ValueError):
                return  # The child meets it, too.


class Library:
    """Ansible's own Python library, learnt from the archives of modules: importable, without any archive."""

    def __init__(self):
        self.sources = {}  # name -> (source, whether it is a package, Python's own cache of it, maybe another Python's)
        self.modules = {}  # name -> module
        self.places = []  # (variables of a module, name, value below NOWHERE)

    def find_spec(self, name, path=None, target=None):
        if name not in self.sources:
            return None
        is_package = self.sources[name][1]
        path = NOWHERE + "/" + name.replace(".", "/")
        spec = importlib.machinery.ModuleSpec(name, self, is_package=is_package)
        spec.origin = path + ("/__init__.py" if is_package else ".py")
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [path]
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        source, _, cached = self.sources[module.__name__]
        if cached[:4] == importlib.util.MAGIC_NUMBER:
            code = marshal.loads(cached[16:])
            _imp._fix_co_filename(code, module.__file__)
        else:
            code = compile(source, module.__file__, "exec", dont_inherit=True)
        exec(code, vars(module))

    def get_source(self, name):
        """For tracebacks, and for inspect.getsource(), by which a module respawns."""
        return importlib.util.decode_source(self.sources[name][0])

    def learn(self, names):
        """Imports `names` with all they need; returns everything that was not there before."""
        sys.meta_path.insert(0, self)
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:
                continue  # Children are to try it for themselves.
        sys.meta_path.remove(self)
        new = {
            name: sys.modules[name]
            for name in self.sources
            if name in sys.modules and name not in self.modules
        }
        for module in new.values():
            for key, value in vars(module).items():
                if isinstance(value, (str, pathlib.PurePath)) and str(value).startswith(
                    NOWHERE
                ):
                    self.places.append((vars(module), key, value))
        self.modules.update(new)
        return list(new)

    def move(self, archive, absent):
        """In a child: makes it as if everything had been imported from `archive`, which has no modules `absent`."""
        for names, key, value in self.places:
            names[key] = type(value)(archive + str(value)[len(NOWHERE) :])
        for name, module in self.modules.items():
            module.__spec__.origin = module.__file__
            if module.__spec__.submodule_search_locations is not None:
                path = [archive + "/" + name.replace(".", "/")]
                path += [
                    place for place in module.__path__ if not place.startswith(NOWHERE)
                ]
                module.__path__ = module.__spec__.submodule_search_locations = path
        for name in absent:
            sys.modules.pop(name, None)
            parent, _, last = name.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(last, None)


class Zygote:
    def __init__(self, control):
        self.control = control
        self.code = Code()
        self.library = Library()
        self.children = {}  # pid -> the executor's number of the run

    def serve(self):
        """Until the executor closes the socket."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        self.tell(hello=depends_on())
        while True:
            for fd, _ in poll.poll():
                if fd == woken:
                    os.read(woken, 4096)
                    self.reap()
                elif not self.obey():
                    return

    def tell(self, **message):
        self.control.sendall(json.dumps(message).encode())

    def obey(self):
        """Carries out one order; False at the end of them."""
        data, rights, _, _ = self.control.recvmsg(
            MAX_MESSAGE, socket.CMSG_SPACE(3 * 4), socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            return False
        fds = [
            fd
            for _, _, right in rights
            for fd in struct.unpack(f"{len(right) // 4}i", right)
        ]
        order = json.loads(data)
        if "run" in order:
            self.run(order["run"], *fds)
        else:
            self.learn(order["learn"], *fds)
        for fd in fds:
            os.close(fd)
        return True

    def reap(self):
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid in self.children:
                code, number = (
                    (os.WEXITSTATUS(status), 0)
                    if os.WIFEXITED(status)
                    else (0, os.WTERMSIG(status))
                )
                self.tell(
                    ended={"id": self.children.pop(pid), "code": code, "signal": number}
                )

    def learn(self, order, memory):
        """Imports Ansible's library and compiles its modules, for the children to have them."""
        for name, is_package, offset, length, cached in order["library"]:
            source = os.pread(memory, length, offset)
            cached = os.pread(memory, cached, offset + length)
            self.library.sources[name] = source, is_package, cached
        for offset, length in order["modules"]:
            self.prepare(os.pread(memory, length, offset))
        self.tell(learnt={"loaded": self.library.learn(order["import"])})
        if order["rehearse"]:
            rehearse()  # noqa: F821 (rehearsal.py comes before this)
        gc.collect()
        gc.freeze()

    def prepare(self, source):
        """Has ready what a module of this source needs."""
        for name in {name.decode() for name in IMPORT.findall(source)}:
            if name.partition(".")[0] in STANDARD_LIBRARY:
                try:
                    importlib.import_module(name)
                except Exception:
                    continue  # The child meets it, too.
        self.code.keep_compiled(source)

    def run(self, order, payload, stdout, stderr):
        start, first, last, end = order["parts"]
        head = os.pread(payload, start, 0)
        self.code.keep_compiled(head)
        pid = os.fork()
        if pid:
            self.children[pid] = order["id"]
            return
        status = 1
        try:
            call = (
                os.pread(payload, first - start, start)
                + b"_zip_data"
                + os.pread(payload, end - last, last)
            )
            archive = os.pread(payload, last - first, first)
            # Said by the child: what has not said so does not run, whatever happens to its parent.
            self.tell(started={"id": order["id"], "pid": os.getpid()})
            enter_child(order, stdout, stderr)
            follow_aliases()
            status = self.run_module(head, call, archive[1:-1].decode(), order)
        finally:
            os._exit(status)

    def run_module(self, head, call, archive, order):
        """Runs the module's own wrapper, as `python3 <payload` would; returns the exit code."""
        run_module = runpy.run_module

        def run_from_archive(mod_name, init_globals=None, **options):
            runpy.run_module = run_module
            self.library.move(init_globals["_modlib_path"], order["absent"])
            return run_module(mod_name, init_globals, **options)

        def compile_once(path, source):
            return self.code.compiled(source, path)

        runpy.run_module = run_from_archive
        zipimport._compile_source = compile_once
        main = types.ModuleType("__main__")
        names = vars(main)
        names.update(__builtins__=builtins, __annotations__={}, _zip_data=archive)
        sys.modules["__main__"] = main
        sys.argv = [""]
        code = 0
        try:
            exec(self.code.compiled(head, "<stdin>"), names)
            exec(compile(call, "<stdin>", "exec", dont_inherit=True), names)
        except SystemExit as end:
            code = exit_code(end.code)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 1
        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 120  # As Python ends then.
        return code


def exit_code(code):
    """What the interpreter makes of SystemExit's argument."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def enter_child(order, stdout, stderr):
    """Leaves everything of the zygote's behind."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 64)
    os.environ.update(order["environment"])
    time.tzset()
    if order["say"]:
        os.write(1, order["say"].encode())


def follow_aliases():
    """Has the module ask whether the unit is enabled that a name is an alias of.

    systemctl answers "alias". The module then has it enable the alias, and that is refused.
    """
    basic = sys.modules.get("ansible.module_utils.basic")
    run_command = getattr(getattr(basic, "AnsibleModule", None), "run_command", None)
    if run_command is None:
        return

    def asking_for_the_unit(self, args, *more, **options):
        answer = run_command(self, args, *more, **options)
        asked = IS_ENABLED.fullmatch(args) if isinstance(args, str) else None
        unit = unit_of(asked[2]) if asked and answer[1].strip() == "alias" else None
        if unit is None:
            return answer
        return run_command(self, f"{asked[1]} '{unit}'{asked[3]}", *more, **options)

    basic.AnsibleModule.run_command = asking_for_the_unit


def unit_of(alias):
    """The name of the unit that a link in systemd's folders leads to."""
    name = alias if "." in alias else alias + ".service"
    for folder in UNIT_FOLDERS:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            unit = os.path.basename(os.path.realpath(path))
            usual = re.fullmatch(r"[\w:.@\\-]+", unit)
            return unit if usual and unit != name else None
    return None


def depends_on():
    """Files that this process is made of, and directories whose site files it has read."""
    with open("/proc/self/maps") as maps:
        mapped = {
            line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "/" in line
        }
    files = mapped | {os.path.realpath(sys.executable), os.__file__}
    return {
        "files": sorted(files),
        "sites": site.getsitepackages() + [site.getusersitepackages()],
    }


def main():
    # The standard output of a module is a pipe of its own; ours stays with us.
    control = socket.socket(fileno=os.dup(1))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.close(nowhere)
    # Read to its end, and what buffers were filled from it is nobody's input.
    sys.stdin = open(0, closefd=False)
    Zygote(control).serve()


main()
