# The first part of the zygote's program: what it does once so that its children do it faster.
#
# Its modules are also those that the wrapper of every module imports.
# ruff: noqa: BLE001
import base64
import io
import json
import locale
import os
import runpy
import shutil
import sys
import tempfile
import zipfile
import zipimport

REHEARSAL = """
import grp, os, pwd
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(
    argument_spec=dict(
        path=dict(type="path", required=True),
        state=dict(type="str", choices=["absent", "present"], default="present"),
        force=dict(type="bool", default=False),
    ),
    supports_check_mode=True,
    add_file_common_args=True,
)
path = module.params["path"]
pwd.getpwuid(os.stat(path).st_uid), grp.getgrgid(os.stat(path).st_gid)
for source in path + ".new", path + ".newer":
    with open(source, "w") as new:
        new.write(source)
    module.sha1(source)
    module.atomic_move(source, path)
attributes = module.load_file_common_arguments(module.params)
module.set_fs_attributes_if_different(attributes, False)
module.run_command(["/bin/true"])
module.exit_json(changed=False)
"""


def rehearse():
    """Does here what every child will do. An emulator translates each piece of code at its first use, and children
    have what was translated before; so this module of our own makes all of them twice as fast."""
    basic = sys.modules.get("ansible.module_utils.basic")
    if basic is None:
        return
    place = os.path.realpath(tempfile.mkdtemp())
    archive = os.path.join(place, "rehearsal.zip")
    before = sys.stdout, sys.path[:], sys.argv, locale.setlocale(locale.LC_ALL)
    sys.stdout = io.StringIO()
    try:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
            members.writestr("rehearsal.py", REHEARSAL)
        with zipfile.ZipFile(archive, "a") as members:
            members.writestr(
                zipfile.ZipInfo("more.py"),
                base64.b64decode(base64.b64encode(b"# More.")),
            )
        sys.path.insert(0, archive)
        path = os.path.join(place, "file")
        open(path, "w").close()
        arguments = {
            "path": path,
            "mode": "0600",
            "_ansible_no_log": True,
            "_ansible_tmpdir": place,
        }
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        runpy.run_module("rehearsal", run_name="__main__", alter_sys=True)
    except (Exception, SystemExit):
        return  # Nothing depends on it.
    finally:
        sys.stdout, sys.path[:], sys.argv, languages = before
        locale.setlocale(locale.LC_ALL, languages)
        basic._ANSIBLE_ARGS = basic._ANSIBLE_PROFILE = None
        for cache in (sys.path_importer_cache, zipimport._zip_directory_cache):
            cache.pop(archive, None)
        shutil.rmtree(place, ignore_errors=True)
