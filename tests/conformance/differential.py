#!/usr/bin/env python3
"""One playbook in two ways: every result and every file of the two images must be the same.

differential.py --a "--executor fast" --b "--executor plain"
differential.py --short ...             only a few tasks
differential.py --negative ...          a few tasks, with another text in b; passes when that is found

A way is a string of arguments for `pichroot ansible`. differential.yml is run in each on a copy of the base
image. Then the results are compared task by task, and the root file systems file by file, but for what
below is listed as different by its nature. Runs as root; PICHROOT_TEST_IMAGE names the base image.
"""

import argparse
import concurrent.futures
import difflib
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import stat
import subprocess
import sys
import tarfile
import tempfile
import time

from run import HERE, PLACE, ROOT_OFFSET, TARGET, unpacked

# Times, and numbers that the file system or the kernel gives out.
KEYS = {
    "atime",
    "mtime",
    "ctime",
    "birthtime",
    "start",
    "end",
    "delta",
    "elapsed",
    "inode",
    "dev",
    # Size of a folder's own list of names.
    "block_size",
    "blocks",
}
# Names and numbers by chance, in all texts.
BY_CHANCE = [
    # Temporary names of Ansible's action plugins, of modules, and of the module tempfile.
    (r"ansible-tmp-[\d.]+-\d+-\d+", "ansible-tmp-*"),
    (r"ansible-local-\w+", "ansible-local-*"),
    (r"\.ansible_tmp\w+", ".ansible_tmp*"),
    (r"ansible\.\w+\.differential", "ansible.*.differential"),
    (r"AnsiballZ_(\w+)\.py", r"AnsiballZ_\1.py"),
    (r"ansible_[\w.]+_payload_\w+", "ansible_*_payload"),
    (r"(?<=\b[jJ])\d+\.\d+", "*"),
    (r"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~", ".*~"),
]
# Files whose text has a date in it: what to take out, and why.
DATED = {
    # The day of the last change of the password.
    r"/etc/shadow-?": (rb"(?m)^([^:]*:[^:]*:)\d*:", rb"\1*:"),
    r"/var/log/(dpkg\.log|apt/.*|alternatives\.log)": (
        rb"\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d",
        b"*",
    ),
}


def neutral(value, scratch):
    """A result without what differs by its nature."""
    if isinstance(value, dict):
        value = {
            neutral(key, scratch): neutral(item, scratch)
            for key, item in value.items()
            if key not in KEYS
        }
        # The controller's temporary file that `content` was written to.
        if str(value.get("_original_basename")).startswith("."):
            value["_original_basename"] = ".*"
        return value
    if isinstance(value, list):
        return [neutral(item, scratch) for item in value]
    if isinstance(value, str):
        value = value.replace(str(scratch), "SCRATCH")
        for pattern, instead in BY_CHANCE:
            value = re.sub(pattern, instead, value)
    return value


def differing(name, result):
    """Further things that differ, by task."""
    if name == "Find files":
        # In the order of the folder's list of names, and backups have the same one here.
        # Folders count their size in blocks.
        result["files"].sort(key=lambda file: (file["path"], file.get("checksum")))
        for file in result["files"]:
            if file["isdir"]:
                file.pop("size", None)
    if name == "Show the environment without a shell":
        # qemu hands it on in an order of its own.
        result["stdout"] = sorted(result["stdout"].split("\0"))
        result.pop("stdout_lines", None)
    if name == "Wait for the connection":
        # community.general.chroot says that it cannot be reset.
        result.pop("warnings", None)
    if "stat" in result:
        # The inode's generation.
        result["stat"].pop("version", None)
    if name == "Pack a folder":
        # Times are in it, packed.
        result.pop("size", None)
    if name in (
        "Start something in the background",
        "Wait for something in the background",
    ):
        result.pop("ansible_job_id", None)
        result.pop("results_file", None)
    if name in ("See how it ended", "Clean up after it"):
        for key in ("ansible_job_id", "results_file", "attempts", "erased"):
            result.pop(key, None)
    return result


def files_of_the_controller(scratch):
    """What the playbook copies into the image: the same bytes for both ways."""
    (scratch / "binary").write_bytes(bytes(range(256)) * 4096)
    folder = scratch / "folder"
    (folder / "sub").mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}").write_text(f"part {number}\n")
    (folder / "sub/汉语").write_text("汉语\n")
    (scratch / "template.j2").write_text(
        "{% for i in items %}\n- {{ i }}\n{% endfor %}\n"
    )
    (scratch / "script.sh").write_text(
        '#!/bin/sh\necho "$0" | sed s,.*/,,; printf "%s\\n" "$@"; pwd\n'
    )
    (scratch / "script.py").write_text(
        "import sys\nprint(sys.version_info[:2], sys.argv[1:])\n"
    )
    with tarfile.open(scratch / "archive.tar.gz", "w:gz") as archive:
        for name, mode in (("plain", 0o640), ("runs", 0o755)):
            member = tarfile.TarInfo(f"unpacked/{name}")
            member.size, member.mode, member.mtime = len(name), mode, 1_000_000_000
            archive.addfile(member, io.BytesIO(name.encode()))
    (scratch / "play.yml").write_text((HERE / "differential.yml").read_text())


def play(pichroot, base, scratch, arguments):
    """Runs the playbook in one way: its results, its image, and the seconds it took."""
    scratch.mkdir()
    files_of_the_controller(scratch)
    results, image = scratch / "results", scratch / "out.img"
    variables = {"hn_hostname": "differential", "scratch": str(scratch)}
    command = [pichroot, "ansible", "play.yml", *shlex.split(arguments)]
    command += ["--image", base, "--checksum", "none", "-o", image]
    command += ["-e", json.dumps(variables)]
    start = time.monotonic()
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
        cwd=scratch,
        env=dict(
            os.environ,
            ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback_plugins"),
            ANSIBLE_CALLBACKS_ENABLED="json_lines",
            CONFORMANCE_RESULTS=str(results),
            LC_ALL="C.UTF-8",
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.stdout.write(done.stdout.decode(errors="replace")[-4000:])
        sys.exit(f"error: the playbook failed with arguments {arguments!r}")
    lines = []
    for text in results.read_text().splitlines():
        line = neutral(json.loads(text), scratch)
        line["result"] = differing(line["task"], line["result"])
        lines.append(line)
    return lines, image, time.monotonic() - start


def walk(root):
    """All files below a folder: what they are, whose, and what is in them."""
    files, first = {}, {}
    for folder, folders, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in folders + names):
            status = os.lstat(path)
            name = path[len(root) :]
            key = re.sub(*BY_CHANCE[-1], name)
            entry = {
                "mode": oct(status.st_mode),
                "owner": [status.st_uid, status.st_gid],
                "xattrs": {
                    name: os.getxattr(path, name, follow_symlinks=False).hex()
                    for name in os.listxattr(path, follow_symlinks=False)
                },
            }
            if stat.S_ISLNK(status.st_mode):
                entry["target"] = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = pathlib.Path(path).read_bytes()
                for pattern, (what, instead) in DATED.items():
                    if re.fullmatch(pattern, name):
                        content = re.sub(what, instead, content)
                entry["sha256"] = hashlib.sha256(content).hexdigest()
                if key != name:
                    # Several backups of a file.
                    key += " " + entry["sha256"][:8]
                if len(content) < 4000:
                    entry["content"] = repr(content)
                if status.st_nlink > 1:
                    entry["links"] = status.st_nlink
                    entry["same as"] = first.setdefault(status.st_ino, key)
            elif not stat.S_ISDIR(status.st_mode):
                entry["device"] = status.st_rdev
            files[key] = entry
    return files


def tree(image, scratch, program=HERE / "differential.py"):
    """walk() of a program in an image, which is mounted read-only in a namespace that ends with it."""
    root = scratch / "mounted"
    root.mkdir()
    script = (
        'mount -t ext4 -o ro,noload,loop,offset="$1" "$2" "$3" && exec "$4" --walk "$3"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(ROOT_OFFSET)]
    command += [str(image), str(root), str(program)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def text(value):
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def show(title, a, b):
    """One difference, its lines shortened."""
    print(f"\n--- {title}")
    for line in difflib.unified_diff(text(a), text(b), "a", "b", n=2, lineterm=""):
        print("   ", line if len(line) <= 300 else line[:300] + "...")


def compare_results(a, b):
    count = 0
    for number in range(max(len(a), len(b))):
        left = a[number] if number < len(a) else None
        right = b[number] if number < len(b) else None
        if left == right:
            continue
        count += 1
        show(f"result {number}: {(left or right)['task']}", left, right)
        if left is None or right is None or left["task"] != right["task"]:
            print("    the two ran different tasks from here on")
            break
    return count


def compare_trees(a, b):
    different = [
        path for path in sorted(a.keys() | b.keys()) if a.get(path) != b.get(path)
    ]
    for path in different:
        show(path, a.get(path), b.get(path))
    return len(different)


def main():
    if sys.argv[1:2] == ["--walk"]:
        json.dump(walk(sys.argv[2]), sys.stdout)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--a", default="", help="arguments of the first way")
    parser.add_argument("--b", default="", help="arguments of the second way")
    parser.add_argument(
        "--pichroot",
        type=pathlib.Path,
        default=TARGET / "release/pichroot",
    )
    parser.add_argument("--short", action="store_true", help="only a few tasks")
    parser.add_argument(
        "--negative",
        action="store_true",
        help="provoke differences, and want them found",
    )
    arguments = parser.parse_args()
    if arguments.short or arguments.negative:
        arguments.a += " --tags short"
        arguments.b += " --tags short"
    if arguments.negative:
        arguments.b += " -e odd_name=other"
    if os.geteuid() != 0:
        sys.exit("error: mounting needs root\nhint: run this with sudo")
    PLACE.mkdir(parents=True, exist_ok=True)
    base = unpacked(pathlib.Path(os.environ["PICHROOT_TEST_IMAGE"]), PLACE)
    pichroot = arguments.pichroot.resolve()
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="differential-") as name:
        # The same length for both: sizes of what names them are compared.
        place = pathlib.Path(name)
        place.chmod(0o755)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = [
                pool.submit(play, pichroot, base, place / letter, way)
                for letter, way in (("a", arguments.a), ("b", arguments.b))
            ]
            (a, image_a, time_a), (b, image_b, time_b) = [run.result() for run in runs]
        print(f"a {arguments.a!r}: {len(a)} results in {time_a:.0f} s")
        print(f"b {arguments.b!r}: {len(b)} results in {time_b:.0f} s")
        results = compare_results(a, b)
        tree_a, tree_b = tree(image_a, place / "a"), tree(image_b, place / "b")
        files = compare_trees(tree_a, tree_b)
        print(
            f"{results} of {len(a)} results and {files} of {len(tree_a)} files differ"
        )
    if arguments.negative:
        sys.exit(0 if results and files else 1)
    sys.exit(1 if results or files else 0)


if __name__ == "__main__":
    main()
