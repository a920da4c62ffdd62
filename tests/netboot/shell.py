"""Starting programs, and waiting for what they do."""

import pathlib
import subprocess
import sys
import time


class Failed(Exception):
    """What was expected did not happen; the text says what, and where to look."""


def say(text):
    print(f"netboot: {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """What a program says. One that fails is an error with what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        stdin=options.pop("stdin", subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if done.returncode:
        words = " ".join(str(word) for word in command)
        raise Failed(f"{words} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def start(log, *command, **options):
    """A program that keeps running. It ends with the process namespace at the latest: run.py."""
    with pathlib.Path(log).open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )


def stop(process):
    process.kill()
    process.wait()


def until(what, limit, ready):
    """The first true answer of `ready`, asked twice a second for `limit` seconds."""
    end = time.monotonic() + limit
    while not (answer := ready()):
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(0.5)
    return answer
