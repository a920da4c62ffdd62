# SPDX-License-Identifier: GPL-3.0-or-later
# This file imports Ansible, whose licence it has to have.
"""Every result of every task, as lines of JSON."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json_lines
type: notification
short_description: Results as lines of JSON
description: Appends each task's result, as callbacks get it, to the file named by CONFORMANCE_RESULTS.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "json_lines"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status, result):
        line = {
            "task": result._task.get_name(),
            "status": status,
            "result": result._result,
        }
        with open(os.environ["CONFORMANCE_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str, sort_keys=True) + "\n")

    def v2_runner_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result):
        self._write("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._write("unreachable", result)

    def v2_runner_item_on_ok(self, result):
        self._write("item ok", result)

    def v2_runner_item_on_failed(self, result):
        self._write("item failed", result)

    def v2_runner_item_on_skipped(self, result):
        self._write("item skipped", result)
