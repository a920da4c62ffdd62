# Copyright (c) pichroot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which task a run can go on from after it has failed."""

from __future__ import annotations

import json
import os

from ansible.playbook.block import Block
from ansible.playbook.handler import Handler
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: failed_task
type: notification
short_description: Tells pichroot which task failed
version_added: 0.1.0
description:
  - Writes the name that C(--start-at-task) goes on with to the file that E(PICHROOT_FAILED_TASK) names. Without
    that variable it does nothing.
author: pichroot contributors
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "pichroot.image.failed_task"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.path = os.environ.get("PICHROOT_FAILED_TASK")
        self.disabled = not self.path

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._note(result)

    def v2_runner_on_unreachable(self, result):
        self._note(result)

    def _note(self, result):
        task = getattr(result, "task", None) or result._task
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(start_of(task), file)


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
