#!/bin/sh
# probe.sh : says what is on this machine, one line each. Run by probe.service at every boot; the machine then stays up, as its
# power is what the test cuts.
exec >/dev/virtio-ports/probe 2>&1
: "$((boots = $(cat /var/lib/probe-boots 2>/dev/null || echo 0) + 1))"
echo "$boots" >/var/lib/probe-boots
# A manager that takes the network away does so with a delay: its lease comes, and then it clears what it does not know.
if [ "$(systemctl is-enabled systemd-networkd)" = enabled ]; then
    /lib/systemd/systemd-networkd-wait-online --timeout=60 --any || echo "networkd: not online"
fi
mounted() { findmnt --noheadings --output SOURCE,FSTYPE "$1" | tr -s ' '; }
has() { if grep -q "$1" "$2"; then echo yes; else echo no; fi; }

echo "boot $boots"
echo "host name: $(hostname)"
echo "root: $(mounted /)"
echo "boot files: $(mounted /boot/firmware)"
echo "root writable: $(if touch /var/lib/probe-writes; then echo yes; else echo no; fi)"
echo "boot files writable: $(if touch /boot/firmware/probe-writes; then echo yes; else echo no; fi)"
echo "secret in cmdline: $(has 'secret\|key=' /proc/cmdline)"
echo "addresses: $(ip -4 -o address show scope global | awk '{ print $4 }' | sort -u | tr '\n' ' ')"
echo "failed units: $(systemctl --no-legend --plain --failed | awk '{ print $1 }' | tr '\n' ' ')"
echo "-- for people"
cat /proc/cmdline
networkctl --no-pager list 2>&1
uptime
systemctl --no-pager --plain --no-legend --failed
# Before the end is told: the power may be cut at once then.
sync
echo end
