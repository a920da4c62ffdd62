"""The reference playbook, by pichroot and by what one would use without it.

pichroot    the whole command: from the raw image to the finished one
chroot      community.general.chroot as it is by default, on an image mounted by hand
pipelined   the same with pipelining
local       Ansible's `local` connection on this host, by default settings: nothing is emulated

SIDES="pichroot local" runs only these. The two slow ones run ROUNDS/3 times, the others at least
three times.
"""

import dataclasses
import json
import os
import resource
import shutil
import statistics
import sys
import time

from measure import BINARY, CHECKOUT, ROUNDS, run

PLAYBOOK = CHECKOUT / "benches/reference-playbook/playbook.yml"
# The root file system's place in the base image, see tests/fixtures/pi-disk.sh.
ROOT_OFFSET = 526336 * 512
VARIABLES = ["-e", "hn_hostname=mypi"]
# Spares the other sides the search for the interpreter.
PYTHON = ["-e", "ansible_python_interpreter=/usr/bin/python3"]
# So that nothing tries to talk to a running systemd.
IN_CHROOT = {"debian_chroot": "x", "SYSTEMD_OFFLINE": "1"}
SIDES = os.environ.get("SIDES", "pichroot chroot pipelined local").split()
BEFORE, AFTER, WHOLE = "(before the first task)", "(after the last task)", "whole"
TASKS = "all tasks"
CPU = "CPU time of the whole"


@dataclasses.dataclass
class Bench:
    scratch: os.PathLike
    raw: os.PathLike

    def pichroot(self):
        output = self.scratch / "output.img"
        output.unlink(missing_ok=True)
        command = [BINARY, "ansible", PLAYBOOK, "--image", self.raw]
        command += ["--checksum", "none", "-o", output, *VARIABLES]
        return self.seconds(command)

    def chroot(self, *options):
        copy = self.scratch / "copy.img"
        shutil.copyfile(self.raw, copy)
        script = f"""
            set -e
            mkdir -p {self.scratch}/root
            mount -o loop,offset={ROOT_OFFSET} {copy} {self.scratch}/root
            mount --rbind /dev {self.scratch}/root/dev
            mount -t proc proc {self.scratch}/root/proc
            exec {CHECKOUT}/tests/fixtures/with-emulation.sh aarch64 "$@"
        """
        command = ["ansible-playbook", "-c", "community.general.chroot"]
        command += ["-i", f"{self.scratch}/root,", *PYTHON, *VARIABLES, *options]
        # The mounts are in a namespace of their own, and end with it.
        enter = ["unshare", "--mount", "bash", "-c", script, "bash"]
        return self.seconds([*enter, *command, PLAYBOOK], **IN_CHROOT)

    def pipelined(self):
        return self.chroot("-e", "ansible_pipelining=true")

    def local(self):
        place = self.scratch / "overlay"
        place.mkdir(exist_ok=True)
        command = ["ansible-playbook", "-c", "local", "-i", "localhost,"]
        command += [*PYTHON, *VARIABLES, PLAYBOOK]
        enter = [CHECKOUT / "benches/on-overlay.sh", place, CHECKOUT]
        return self.seconds([*enter, *command], **IN_CHROOT)

    def seconds(self, command, **environment):
        """Run the command, and say how long the whole of it and each task took."""
        times = self.scratch / "times.json"
        environment = {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CALLBACK_PLUGINS": f"{CHECKOUT}/benches/callback",
            "BENCH_TASK_TIMES": str(times),
            **environment,
        }
        # Python without its bytecode is slower to start, which is nobody's default.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        used, start = cpu_of_children(), time.monotonic()
        run(command, cwd=self.scratch, env=environment)
        used, end = cpu_of_children() - used, time.monotonic()
        tasks = json.loads(times.read_text())
        times.unlink()
        return {
            BEFORE: tasks[0]["start"] - start,
            **{task["name"]: task["end"] - task["start"] for task in tasks},
            AFTER: end - tasks[-1]["end"],
            TASKS: tasks[-1]["end"] - tasks[0]["start"],
            WHOLE: end - start,
            # Tells more than the clock does when others keep the machine busy.
            CPU: used,
        }


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def playbook(scratch, raw):
    bench = Bench(scratch, raw)
    # Not counted: the first run after an installation compiles Ansible.
    bench.local()
    often, seldom = max(3, ROUNDS // 2), max(1, ROUNDS // 3)
    rounds = {"pichroot": often, "chroot": seldom, "pipelined": seldom, "local": often}
    found = {side: [] for side in rounds if side in SIDES}
    for number in range(often):
        for side, results in found.items():
            if number < rounds[side]:
                results.append(getattr(bench, side)())
                # The slow sides take minutes: a sign of life.
                print(f"{side}: {results[-1][WHOLE]:.1f} s", file=sys.stderr)
    print_table(found)


def print_table(found):
    """Seconds by task and side, and what part of each other side's time pichroot takes."""
    others = (
        [side for side in found if side != "pichroot"] if "pichroot" in found else []
    )
    head = [f"{f'{side} ({len(runs)})':>14}" for side, runs in found.items()]
    head += [f"{'/ ' + side:>12}" for side in others]
    print(f"{'reference playbook: median s (of)':<36}" + "".join(head))
    for row in next(iter(found.values()))[0]:
        medians = {
            side: statistics.median(run[row] for run in runs)
            for side, runs in found.items()
        }
        line = [f"{seconds:14.2f}" for seconds in medians.values()]
        line += [f"{medians['pichroot'] / medians[side]:12.3f}" for side in others]
        print(f"{row:<36}" + "".join(line), flush=True)
