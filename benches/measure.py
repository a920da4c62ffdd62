"""What the measurements share: the places, and how a command is run, timed and reported."""

import os
import pathlib
import statistics
import subprocess
import time

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
TARGET = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target")
BINARY = TARGET / "release/pichroot"
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def run(command, **options):
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    if done.returncode != 0:
        text = done.stdout.decode(errors="replace")
        raise SystemExit(f"{text}\nerror: {command} ended with {done.returncode}")


def timed(command, **options):
    start = time.monotonic()
    run(command, **options)
    return time.monotonic() - start


def show(name, ours, theirs=None, unit="s"):
    scale = 1000 if unit == "ms" else 1
    line = f"{name:<34} ours {statistics.median(ours) * scale:8.2f} {unit}"
    if theirs:
        ratio = statistics.median(theirs) / statistics.median(ours)
        line += f"   theirs {statistics.median(theirs) * scale:8.2f} {unit}   {ratio:5.2f} times as fast"
    print(line + f"   (median of {len(ours)})", flush=True)
