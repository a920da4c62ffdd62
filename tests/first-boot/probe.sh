#!/bin/sh
# probe.sh : says what is on this machine, one line each, and switches it off. Run by probe.service at every boot.
exec >/dev/virtio-ports/probe 2>&1
: "$((boots = $(cat /var/lib/probe-boots 2>/dev/null || echo 0) + 1))"
echo "$boots" >/var/lib/probe-boots
is() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }

echo "boot $boots"
echo "unit there: $(is systemctl cat pichroot-first-boot.service)"
echo "unit failed: $(is systemctl is-failed pichroot-first-boot.service)"
echo "failed steps: $(find /var/lib/pichroot/first-boot/failed -type f 2>/dev/null | wc -l)"
echo "failed units: $(systemctl --no-legend --failed | wc -l)"
# shellcheck disable=SC1091
. /usr/local/lib/probe-rows
echo "-- what the unit said"
journalctl --no-pager -o cat -b -u pichroot-first-boot.service
echo "-- what failed"
systemctl --no-pager --plain --no-legend --failed
echo end
sync
systemctl poweroff
