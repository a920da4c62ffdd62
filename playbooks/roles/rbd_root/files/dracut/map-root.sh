#!/bin/sh
# Sourced by dracut whenever a network interface has come up. root= on the kernel command line names the
# device, so that dracut waits for it, checks it and mounts it by itself.

/sbin/rbdroot-map > /dev/null || warn "Could not map the root file system from Ceph."
