"""Runs command lines in the image and tells what each did. corpus.py has it started there, as python3 -c.

Standard input is a JSON list of cases, each {"id", "shell", "line"}. For each there is one line of JSON on
standard output: streams, exit code, and what the case has changed below its scratch directory. That is filled
anew for each case, always under the same name, so nothing of one run is in another but by way of the programs.
"""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

PLACE = "/var/tmp/corpus"
SCRATCH = f"{PLACE}/case"
# A case that takes longer hangs.
TIMEOUT = 60
# Longer output is told by its beginning and its sum.
SHOWN = 4000
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": SCRATCH,
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}
# All fixed times are around this one, long before any run: 2001-09-09 01:46:40.
TIME = 1_000_000_000
FILES = {
    "text": "one\ntwo\nthree\nfour\nfive\nsix\nseven\n",
    "words": "zebra 3 x\nÄpfel 10 y\napple 2 x\nZoo 1 z\nécole 3 y\nStraße -4 x\n_under 0 z\napple 11 a\n",
    "numbers": "10\n9\n-3\n1e3\n0x1f\n1.5\n\n007\n2K\n1M\n+5\nabc\n 4\n",
    "table": "a:1:x\nb:2:y\nc:3:z\nd::w\ne:5\n",
    "other": "a:first\nc:third\nd:fourth\nf:sixth\n",
    "latin1": "gr\xfc\xdfe\nZ\xfcrich\n\xe4pfel\nzahl\nApfel\n".encode("latin-1"),
    "binary": bytes(range(256)) * 16,
    "empty": "",
    "unended": "no newline at the end",
    "nul": "c\0a\0b\0",
    "tabs": "a\tb\tc\n  two  blanks\nx\ty z\n",
    "dir/a": "a\n",
    "dir/b/c": "c\n",
    "dir/with space": "space\n",
    "dir/new\nline": "newline\n",
    "dir/-dash": "dash\n",
    "dir/.hidden": "hidden\n",
    "script": '#!/bin/sh\necho "$0" "$#" "$@"\n',
}
STARTED = time.time()
LINKS = {"link": "text", "dangling": "nowhere", "dir/up": "../text"}


def fill():
    """The scratch directory as every case finds it."""
    os.makedirs(f"{SCRATCH}/dir/b")
    os.chdir(SCRATCH)
    for name, content in FILES.items():
        with open(name, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    for name, target in LINKS.items():
        os.symlink(target, name)
    os.link("text", "hard")
    os.chmod("script", 0o755)
    os.chmod("dir/a", 0o640)
    os.chown("dir/a", 1000, 4)
    os.setxattr("text", "user.note", b"kept")
    for number, name in enumerate([*FILES, *LINKS, "dir/b", "dir", "."]):
        time = (TIME + 60 * number, TIME + 60 * number + 0.25)
        os.utime(name, times=time, follow_symlinks=False)


def entry(path, started, first):
    """One file as a line: what it is, and its time if it is not of now."""
    status = os.lstat(path)
    words = [f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"]
    if status.st_mtime < started - 1:
        words.append(f"{status.st_mtime_ns}")
    if stat.S_ISLNK(status.st_mode):
        words.append(f"-> {os.readlink(path)}")
    elif stat.S_ISREG(status.st_mode):
        try:
            with open(path, "rb") as file:
                words.append(f"{status.st_size} {hashlib.md5(file.read()).hexdigest()}")
            # Holes are part of what tar and cp make; blocks that are not yet given out count as none.
            if status.st_size > 1 << 16:
                os.sync()
                words.append(f"{os.stat(path).st_blocks} blocks")
        except OSError as error:
            words.append(str(error))
    elif not stat.S_ISDIR(status.st_mode):
        words.append(f"{status.st_rdev}")
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        words.append(f"same as {first.setdefault(status.st_ino, path)!r}")
    for name in os.listxattr(path, follow_symlinks=False):
        words.append(f"{name}={os.getxattr(path, name, follow_symlinks=False)!r}")
    return " ".join(words)


def tree(started):
    """All files below the scratch directory, by name."""
    files, first = {}, {}
    names = ["."]
    for folder, folders, leaves in os.walk("."):
        folders.sort()
        names += sorted(os.path.join(folder, name) for name in folders + leaves)
    for name in names:
        files[name] = entry(name, started, first)
    return files


def told(output):
    """Bytes as text that keeps each of them."""
    text = output[:SHOWN].decode("latin-1")
    if len(output) > SHOWN:
        text += f"... {len(output)} bytes, {hashlib.md5(output).hexdigest()}"
    return text


def run(case, before):
    """Runs a case: what it did, and whether the directory is as it was."""
    words = [*case["shell"], case["line"]]
    result = {"id": case["id"]}
    try:
        process = subprocess.Popen(
            words,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return result | {"code": str(error)}, True
    try:
        output, errors = process.communicate(timeout=TIMEOUT)
        result["code"] = process.returncode
    except subprocess.TimeoutExpired:
        # Of its group; who left that may still hold the pipes, so they are not read to their end.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output = errors = b""
        result["code"] = f"not done after {TIMEOUT} s"
    result |= {"stdout": told(output), "stderr": told(errors)}
    os.chdir(SCRATCH)
    after = tree(STARTED)
    result["tree"] = {
        name: after.get(name)
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }
    return result, before == after


def main():
    cases = json.load(sys.stdin)
    os.umask(0o022)
    shutil.rmtree(PLACE, ignore_errors=True)
    before = None
    for case in cases:
        if before is None:
            fill()
            before = tree(STARTED)
        start = time.monotonic()
        result, untouched = run(case, before)
        result["seconds"] = round(time.monotonic() - start, 2)
        print(json.dumps(result), flush=True)
        if not untouched:
            before = None
            os.chdir("/")
            shutil.rmtree(SCRATCH)


if __name__ == "__main__":
    main()
