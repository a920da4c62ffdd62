# Copyright (c) pichroot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pichroot
type: aggregate
short_description: Keeps what a playbook does to an image in that image
description:
  - For C(pichroot ansible), which gives it its rules; without them it does nothing.
  - No variable and no keyword can lead the image's own tasks to another place. What could fails.
  - All other hosts are reached as they are without pichroot. Plays get none of the inventory's but the image, and
    V(localhost) where a play names it.
  - Facts of the image are those of the machine that it becomes.
  - Tells pichroot whether any task ran in the image, which task failed, and whether that was for what an image is. Tells
    the connection plugin which task runs.
author: pichroot contributors (@pichroot)
version_added: "0.1.0"
"""

import functools
import glob
import json
import os
import re
import socket
import struct
import sys
import time

import yaml
from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.executor.task_executor import TaskExecutor
from ansible.inventory.manager import split_host_pattern
from ansible.playbook.block import Block
from ansible.playbook.handler import Handler
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.context_objects import CLIArgs
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

# Names the file with the rules.
RULES = "PICHROOT_GUARD"
# How many names of hosts pichroot is told at most.
MOST = 20
# How many tasks' times.
MOST_TIMES = 2000
# The variable that names the board that the image is for.
BOARD = "hn_board"
# The executor's protocol.
PROTOCOL_VERSION = 2
# Modules whose results are facts of the machine; the second of them tells what one that went on by itself has found.
GATHERING = (*C._ACTION_SETUP, "async_status", "ansible.builtin.async_status", "ansible.legacy.async_status")
# How many tasks that failed for what an image is.
MOST_FAILED = 10
# How many characters of a task's name.
LONGEST = 100
# How much of what a task said is looked at.
MOST_SAID = 1 << 20


def wrap(owner, name, around):
    """Puts `around` in front of a function of Ansible's, which it gets as its first argument."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*args, **kwargs):
        return around(inner, *args, **kwargs)

    setattr(owner, name, outer)


def or_end(function):
    """Ansible would go on without a callback plugin that fails. With this one it must not."""

    @functools.wraps(function)
    def outer(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise SystemExit(f"pichroot cannot keep this Ansible to the image: {error!r}") from error

    return outer


def is_implicit(task):
    """Whether Ansible put the task before those of the play, to gather facts."""
    return task.get_ds() is None and task.action in C._ACTION_FACT_GATHERING


def collections():
    """The version of each collection, where Ansible would take it from."""
    found = {}
    for top in AnsibleCollectionConfig.collection_paths:
        for folder in sorted(glob.glob(os.path.join(glob.escape(top), "ansible_collections", "*", "*", ""))):
            name = ".".join(folder.split(os.sep)[-3:-1])
            if name not in found and (version := version_of(folder)):
                found[name] = version
    return found


def version_of(collection):
    """What a collection in this folder says of itself; of one that is not built there is only its galaxy.yml."""
    for name, read, key in (
        ("MANIFEST.json", json.load, "collection_info"),
        ("galaxy.yml", yaml.safe_load, None),
    ):
        try:
            with open(os.path.join(collection, name), encoding="utf-8") as file:
                known = read(file)
            return str((known[key] if key else known)["version"])[:LONGEST]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            continue
    return None


def ask_executor(path, request):
    """Has the executor at `path` do something, and returns its answer."""
    frame = json.dumps({"version": PROTOCOL_VERSION, **request}).encode()
    with socket.socket(socket.AF_UNIX) as executor:
        executor.connect(path)
        executor.sendall(struct.pack("<I", len(frame)) + frame)
        with executor.makefile("rb") as reader:
            (length,) = struct.unpack("<I", reader.read(4))
            return json.loads(reader.read(length))


class Guard:
    """The rules of one run. Ansible's workers are forks, so what is put in its functions here holds in them."""

    def __init__(self, folder, note, image, variables, plugin, executor, limit, inventories, signs, account):
        self.folder = folder  # the run's own
        self.note = note  # the file for what pichroot is to know
        self.image = image  # its name in the inventory
        self.variables = variables  # those that say where its tasks run
        self.plugin = plugin  # the file of its connection plugin, unless that is another's
        self.executor = executor  # the socket of who runs the image's programs
        self.limit = limit  # --limit, if the user gave one
        self.inventories = inventories  # whether the user has any
        self.signs = signs  # what is met by a task that needs a machine, and by which words that is seen
        self.account = account  # whether pichroot is to know how long tasks take, and which collections there are
        self.met = set()  # of those tasks, which were told

    def install(self):
        # `--connection` is for the image, which has it as a variable, too.
        context.CLIARGS = CLIArgs({**context.CLIARGS, "connection": C.DEFAULT_TRANSPORT})
        wrap(VariableManager, "get_vars", self.get_vars)
        wrap(TaskExecutor, "_get_connection", self.get_connection)
        wrap(ActionBase, "_execute_module", self.execute_module)
        wrap(Display, "do_var_prompt", self.do_var_prompt)
        self.tell("loaded")

    def watch(self, inventory):
        """Does for each play what --limit would do for all."""
        inventory.subset(self.limit)
        wrap(inventory, "get_hosts", self.get_hosts)
        hosts = {name: host.vars.get("inventory_file") for name, host in inventory.hosts.items()}
        if self.inventories and (hosts.get(self.image) or "").startswith(self.folder + os.sep):
            names = [name for name in hosts if name not in (self.image, *C.LOCALHOST)]
            if names:
                self.tell({"others": {"names": names[:MOST], "more": len(names[MOST:])}})

    def get_vars(self, inner, manager, play=None, host=None, *args, **kwargs):
        variables = inner(manager, play, host, *args, **kwargs)
        if host is not None and host.name == self.image:
            variables.update(self.variables)
        return variables

    def get_hosts(self, inner, pattern="all", ignore_limits=False, *args, **kwargs):
        hosts = inner(pattern, ignore_limits, *args, **kwargs)
        if ignore_limits:
            return hosts
        controller = any(name in C.LOCALHOST for name in split_host_pattern(pattern))

        def is_in_reach(host):
            # What add_host adds, and an implicit localhost, are in no file.
            added = not host.vars.get("inventory_file")
            return added or host.name == self.image or (controller and host.name in C.LOCALHOST)

        return [host for host in hosts if is_in_reach(host)]

    def get_connection(self, inner, executor, cvars, templar, current_connection):
        connection = inner(executor, cvars, templar, current_connection)
        task = executor._task
        if (task.delegate_to or executor._host.name) != self.image:
            return connection
        # The variable of a loop wins over all others.
        wrong = [f"{name}={cvars.get(name)}" for name, value in self.variables.items() if cvars.get(name) != value]
        path = os.path.realpath(connection._original_path)
        if self.plugin and path != os.path.realpath(self.plugin):
            wrong.append(path)
        if wrong:
            raise AnsibleError(f"this would lead the task away from the image: {', '.join(wrong)}")
        if not is_implicit(task):
            self.tell("ran")
        connection._is_image = True
        # Ours passes it on.
        connection.task = named(task, executor._loader.get_basedir())
        return connection

    def execute_module(self, inner, action, module_name=None, *args, **kwargs):
        """What is gathered in the image is this machine's: its kernel, its processor. The executor knows better."""
        result = inner(action, module_name, *args, **kwargs)
        gathered = result.get("ansible_facts")
        if (
            gathered
            and getattr(action._connection, "_is_image", False)
            and (module_name or action._task.action) in GATHERING
        ):
            answer = ask_executor(self.executor, {"facts": gathered})
            facts = result["ansible_facts"] = answer["facts"]
            self.tell({"unknown": [name for name in gathered if gathered[name] and not facts.get(name)]})
        return result

    def set_board(self, play):
        """Tells the executor which board the image is for, where a variable of the inventory or the play says it."""
        manager = play.get_variable_manager()
        host = manager._inventory.get_host(self.image)
        variables = manager.get_vars(play=play, host=host)
        board = Templar(play.get_loader(), variables).template(variables.get(BOARD))
        if board and "refused" in (answer := ask_executor(self.executor, {"board": str(board)})):
            raise SystemExit(f"ERROR! {answer['refused']['why']}")

    def do_var_prompt(self, inner, display, varname, *args, **kwargs):
        if not (sys.__stdin__ and sys.__stdin__.isatty()):
            raise AnsibleError(
                f"vars_prompt cannot ask for {varname} without a terminal: give it with -e {varname}=..."
            )
        return inner(display, varname, *args, **kwargs)

    def tell(self, what):
        """Adds a line to the note, unless it has that."""
        line = json.dumps(what) + "\n"
        with open(self.note, "a+") as note:
            note.seek(0)
            if line not in note.readlines():
                note.write(line)

    def tell_failed(self, result):
        """A playbook may rescue any number of tasks, and the last one counts: so there is one line of it."""
        task = getattr(result, "task", None) or result._task
        with open(self.note, "r+") as note:
            lines = [line for line in note if not line.startswith('{"failed"')]
            note.seek(0)
            note.writelines([*lines, json.dumps({"failed": start_of(task)}) + "\n"])
            note.truncate()

    def tell_no_machine(self, result, ignored):
        """Tells it where a task failed for what an image is."""
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        if (task.delegate_to or host.name) != self.image or len(self.met) >= MOST_FAILED:
            return
        text = said(getattr(result, "result", None) or result._result)
        lines = text[:MOST_SAID].lower().splitlines()
        what = next((met for met, words in self.signs if any(all(w in line for w in words) for line in lines)), None)
        if not what and self.lacks_fact(task, text):
            what = "fact"
        if what and (task._uuid, what) not in self.met:
            self.met.add((task._uuid, what))
            ignored = ignored or is_rescued(task)
            name = named(task, task.get_loader().get_basedir())
            self.tell({"no_machine": {"task": name, "met": what, "ignored": ignored}})

    def lacks_fact(self, task, text):
        """Whether it failed for a fact that nobody knows."""
        if "undefined" not in text and "no attribute" not in text:
            return False
        with open(self.note) as note:
            lines = [json.loads(line) for line in note]
        facts = [name for line in lines if isinstance(line, dict) for name in line.get("unknown", [])]
        names = "|".join(re.escape(name.removeprefix("ansible_")) for name in facts)
        uses = rf"\b(ansible_|ansible_facts\W{{1,2}}|attribute ')({names})\b"
        return bool(names and re.search(uses, f"{text} {task.get_ds()}"))


def named(task, folder):
    """A task's name, and where it is: as seen from the playbook, and else by the last parts of its path."""
    name = task.get_name().strip()[:LONGEST]
    path = task.get_path()
    if not path:
        return name
    place = os.path.relpath(path, folder)
    if place.startswith(".."):
        place = os.sep.join(path.split(os.sep)[-3:])
    return f"{name}, {place}"


def said(result):
    """What a failed task said, its items included."""
    keys = ("msg", "stderr", "stdout", "module_stderr", "module_stdout", "exception")
    results = [result, *(item for item in result.get("results") or [] if isinstance(item, dict) and item.get("failed"))]
    return "\n".join(str(one[key]) for one in results for key in keys if one.get(key))


def is_rescued(task):
    """Whether a block that the task is in has a rescue."""
    child, parent = task, task._parent
    while parent:
        if isinstance(parent, Block) and parent.rescue and child._uuid in {one._uuid for one in parent.block}:
            return True
        child, parent = parent, parent._parent
    return False


def start_of(task):
    """The name of the task to go on with, or None for the beginning.

    Ansible looks for it before the run. So it finds no task of an include that is decided in the run, none of a
    rescue or always, and no handler.
    """
    if isinstance(task, Handler):
        return None
    begin, parent = task, task._parent
    while parent:
        if isinstance(parent, Block) and (parent.rescue or parent.always):
            begin = first_of(parent) or begin
        elif isinstance(parent, TaskInclude) and not parent.statically_loaded:
            begin = parent
        parent = parent._parent
    return begin.get_name()


def first_of(block):
    """The first task of a block."""
    for task in block.block:
        first = first_of(task) if isinstance(task, Block) else task
        if first:
            return first
    return None


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "pichroot"

    @or_end
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._guard = self._inventory = None
        self._times, self._since = [], 0
        # Not for an ansible-playbook that a task may start.
        if path := os.environ.pop(RULES, None):
            with open(path) as rules:
                self._guard = Guard(os.path.dirname(path), **json.load(rules))
            self._guard.install()

    @or_end
    def v2_playbook_on_start(self, playbook):
        plays = playbook.get_plays()
        if self._guard and plays:
            inventory = plays[0].get_variable_manager()._inventory
            if self._inventory is not inventory:
                self._guard.watch(inventory)
                self._inventory = inventory

    @or_end
    def v2_playbook_on_play_start(self, play):
        if self._guard:
            self._guard.set_board(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._begin(task)

    def _begin(self, task):
        now = time.monotonic()
        if self._times:
            self._times[-1]["seconds"] = round(self._times[-1]["seconds"] + now - self._since, 3)
        self._since = now
        if not (self._guard and self._guard.account and task):
            return
        if len(self._times) < MOST_TIMES:
            self._times.append({"name": task.get_name()[:LONGEST], "seconds": 0})
        else:
            self._times[-1]["name"] = "(all others)"

    def v2_playbook_on_stats(self, stats):
        self._begin(None)
        if self._guard and self._guard.account:
            self._guard.tell({"times": self._times})
            self._guard.tell({"collections": collections()})

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if self._guard:
            if not ignore_errors:
                self._guard.tell_failed(result)
            self._guard.tell_no_machine(result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        if self._guard:
            self._guard.tell_failed(result)
