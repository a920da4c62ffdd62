#!/bin/bash
# dracut module: boot from a Ceph block device.

# Included because rbdroot.conf in dracut.conf.d asks for it, not because of what the build machine runs.
check() {
    return 255
}

depends() {
    echo network rootfs-block
}

# As in the hook for initramfs-tools: network drivers, block device, and the ciphers of Ceph's protocol.
# hostonly would judge the drivers by the build machine.
installkernel() {
    hostonly='' instmods "=drivers/net/ethernet" "=drivers/net/phy" "=drivers/net/mdio" "=drivers/net/usb" \
        rbd cbc aes aes_generic ctr gcm ghash_generic hmac sha256_generic crc32c_generic
}

install() {
    inst_multiple cat dmesg modprobe sleep
    inst_script /usr/local/sbin/rbdroot-map /sbin/rbdroot-map
    inst_simple /etc/rbdroot.conf
    inst_simple /etc/rbdroot.key
    # shellcheck disable=SC2154 # initdir and moddir are dracut's
    chmod 0600 "$initdir/etc/rbdroot.key"
    # shellcheck disable=SC2154
    inst_hook initqueue/settled 50 "$moddir/map-root.sh"
    dracut_need_initqueue
}
