#!/bin/sh
# Sourced by dracut whenever a network interface has come up. root= on the kernel command line names the
# device, so that dracut waits for it, checks it and mounts it by itself.
#
# emergency_shell gives a shell to mend things in, and comes back when it is left; or it reboots, if the command line
# has rd.shell=0 rd.emergency=reboot.

until /sbin/rbdroot-map > /dev/null; do
    emergency_shell "Could not map the root file system from Ceph."
done
