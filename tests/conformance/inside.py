#!/usr/bin/env python3
"""Runs one of upstream's test targets where ansible-playbook would be, with the image up.

pichroot starts this in place of ansible-playbook (ansible.command), and so does run.py on an image that
it mounted by hand. From the inventory it is given it takes the one host's variables, and makes of them
the inventory that the target wants. The environment says the rest:

CONFORMANCE_TARGET      the target's name
CONFORMANCE_TARGETS     the folder with upstream's targets
CONFORMANCE_SCRATCH     an empty folder for this run
CONFORMANCE_VARS        a JSON object of host variables that win over those given; may be left out
CONFORMANCE_COLLECTION  the collection whose target it is; unset for ansible-core's
CONFORMANCE_GO_ON       if set, a task that fails does not end the play
CONFORMANCE_SHORT       if set, only the first playbook of the connection suite, for the host with pipelining
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

# Parts that are not about the connection and cannot be met here, by target: a file of it, a pattern that
# matches whole lines to leave out, and why.
LEFT_OUT = {
    "copy": [
        (
            "tasks/main.yml",
            r" *- name: Duplicate authorized_keys\n(?: .*\n)+",
            "for logging in as another user by ssh; here the rest is run as root",
        ),
    ],
    "fetch": [
        (
            "runme.sh",
            r"(?s)## Test unreadable file with stat.*",
            "logs in as another user by ssh; in a chroot all come in as root",
        ),
        ("runme.sh", r"trap 'cleanup .*\n", "cleans up after the part above"),
        (
            "roles/fetch_tests/tasks/failures.yml",
            r"- name: Test unreachable\n(?:  .*\n)+|.*unreachable_fetch is unreachable\n?",
            "wants a login of a wrong user to be refused; there is none",
        ),
    ],
    "unarchive": [
        (
            "tasks/main.yml",
            r".*test_download.yml\n",
            "downloads from upstream's own server",
        ),
        (
            "tasks/main.yml",
            r".*test_different_language_var.yml\n",
            "installs a package that only Ubuntu has",
        ),
    ],
}
# Variables of pichroot's to do without, since the target looks at Ansible's own default.
WITHOUT = {"async": ["ansible_async_dir"]}
# Targets that need other roles run before them, as needs/target/... of their file `aliases` says.
BEFORE = {"become_sudo": ["setup_become_user_pair"]}


def host_vars(arguments):
    """The variables of the only host in the last inventory, which is pichroot's own."""
    folder = [
        value
        for option, value in itertools.pairwise(arguments)
        if option == "--inventory"
    ][-1]
    inventory = json.loads(pathlib.Path(folder, "hosts.json").read_text())
    (variables,) = inventory["all"]["hosts"].values()
    return variables | json.loads(os.environ.get("CONFORMANCE_VARS", "{}"))


def tree(targets, scratch, name):
    """The folder of targets, as links, with a copy of the one that runs: they write beside themselves."""
    place = scratch / "targets"
    place.mkdir()
    for target in targets.iterdir():
        (place / target.name).symlink_to(target)
    (place / name).unlink()
    shutil.copytree(targets / name, place / name, symlinks=True)
    if collection := os.environ.get("CONFORMANCE_COLLECTION"):
        # By its folder ansible-test knows which collection's modules short names are of.
        meta = place / name / "meta/main.yml"
        meta.parent.mkdir(exist_ok=True)
        with meta.open("a") as file:
            file.write(f"\ncollections: [{collection}]\n")
    for file, pattern, _ in LEFT_OUT.get(name, []):
        path = place / name / file
        text, count = re.subn(pattern, "", path.read_text())
        if not count:
            sys.exit(
                f"error: {name}/{file} has no {pattern!r} to leave out: look at it again"
            )
        path.write_text(text)
    return place


def connection(place, inventory, scratch, variables):
    """The suite for connection plugins: both ways a module travels, as two hosts that are one image."""
    hosts = {
        "chroot-pipelining": {"ansible_pipelining": True},
        "chroot-no-pipelining": {"ansible_pipelining": False},
    }
    short = "CONFORMANCE_SHORT" in os.environ
    if short:
        del hosts["chroot-no-pipelining"]
    variables.pop("ansible_pipelining", None)
    chroot = {"hosts": hosts, "vars": variables}
    inventory.write_text(json.dumps({"all": {"children": {"chroot": chroot}}}))
    os.environ["INVENTORY"] = str(inventory)
    # A path of the host and one of the image.
    local, remote = scratch / "ansible-local", "/tmp/ansible-remote"
    command = ["./test.sh"]
    if short:
        command = ["ansible-playbook", "test_connection.yml", "-i", str(inventory)]
    command += ["-e", "target_hosts=chroot", "-e", "action_prefix="]
    command += ["-e", f"local_tmp={local}", "-e", f"remote_tmp={remote}"]
    return command, place / "connection"


def target(place, inventory, scratch, variables, name):
    """Any other target: a script, or a role in the play that ansible-test makes for it."""
    for variable in WITHOUT.get(name, []):
        variables.pop(variable, None)
    hosts = {"testhost": variables}
    inventory.write_text(
        json.dumps({"all": {"children": {"testgroup": {"hosts": hosts}}}})
    )
    if (place / name / "runme.sh").exists():
        return ["./runme.sh"], place / name
    aliases = (place / name / "aliases").read_text().split()
    play = {
        "hosts": "testhost",
        "gather_facts": "gather_facts/no" not in aliases,
        "vars": {"output_dir": str(scratch / "output")},
        "roles": [*BEFORE.get(name, []), name],
    }
    if "CONFORMANCE_GO_ON" in os.environ:
        play["ignore_errors"] = True
    (scratch / "role.yml").write_text(json.dumps([play]))
    os.environ["ANSIBLE_ROLES_PATH"] = str(place)
    return ["ansible-playbook", "-i", str(inventory), "role.yml"], scratch


def main():
    name = os.environ["CONFORMANCE_TARGET"]
    targets = pathlib.Path(os.environ["CONFORMANCE_TARGETS"])
    scratch = pathlib.Path(os.environ["CONFORMANCE_SCRATCH"])
    variables = host_vars(sys.argv)
    place = tree(targets, scratch, name)
    inventory = scratch / "inventory"
    (scratch / "output").mkdir()
    # As ansible-test has it; and modes of files must not depend on the caller's.
    os.umask(0o022)
    os.environ.update(
        INVENTORY_PATH=str(inventory),
        OUTPUT_DIR=str(scratch / "output"),
        ANSIBLE_DEPRECATION_WARNINGS="false",
        ANSIBLE_HOST_PATTERN_MISMATCH="error",
        ANSIBLE_FORCE_COLOR="false",
        LC_ALL="C.UTF-8",
    )
    os.environ.pop("ANSIBLE_INVENTORY", None)
    # Its hosts have other names than the image.
    os.environ.pop("PICHROOT_GUARD", None)
    if name == "connection":
        command, cwd = connection(place, inventory, scratch, variables)
    else:
        command, cwd = target(place, inventory, scratch, variables, name)
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
