# SPDX-License-Identifier: GPL-3.0-or-later
# This file imports Ansible, whose licence it has to have.
"""community.general.chroot with a defect, to see that upstream's suite finds one."""

from ansible_collections.community.general.plugins.connection import chroot

DOCUMENTATION = """
name: mangled
short_description: A chroot connection that mangles what comes back
description: Takes the bytes of a command's output for Latin-1. Only for a test of the tests.
options:
  remote_addr:
    description: The path of the chroot.
    type: string
    default: inventory_hostname
    vars: [{name: inventory_hostname}, {name: ansible_host}]
  executable:
    description: The shell.
    type: string
    default: /bin/sh
    vars: [{name: ansible_executable}]
  chroot_exe:
    description: The program that enters.
    type: string
    default: chroot
    vars: [{name: ansible_chroot_exe}]
  disable_root_check:
    description: Whether others than root may use it.
    type: bool
    default: false
"""


class Connection(chroot.Connection):
    transport = "mangled"

    def exec_command(self, *args, **kwargs):
        code, output, errors = super().exec_command(*args, **kwargs)
        return code, output.decode("latin-1").encode(), errors
