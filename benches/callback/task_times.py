"""Writes when each task started and ended, in seconds of the monotonic clock, to BENCH_TASK_TIMES."""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Time of each task
description: Writes when each task started and ended to the file that BENCH_TASK_TIMES names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def __init__(self):
        super().__init__()
        self.tasks = []

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tasks.append({"name": task.get_name(), "start": time.monotonic()})

    def v2_runner_on_ok(self, result):
        self.tasks[-1]["end"] = time.monotonic()

    def v2_playbook_on_stats(self, stats):
        with open(os.environ["BENCH_TASK_TIMES"], "w", encoding="utf-8") as file:
            json.dump(self.tasks, file)
