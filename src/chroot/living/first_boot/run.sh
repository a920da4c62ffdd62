#!/bin/sh
# Put here by pichroot: does what tasks asked for that only a running machine can do, in their order. One that fails does
# not keep the others from being done. It stays in the folder `failed`; `journalctl -u pichroot-first-boot` has what it said.
here=/var/lib/pichroot/first-boot
unit=pichroot-first-boot.service
cd / || exit

done=
failed=
for step in "$here"/steps/[0-9]*; do
    [ -f "$step" ] || continue
    what=$(sed -n '1s/^# //p' "$step")
    echo "$what"
    timeout -k 10 600 sh "$step" </dev/null
    code=$?
    case $code in
        0) done="$done $step" ;;
        124) how='took longer than ten minutes' ;;
        *) how="ended with exit code $code" ;;
    esac
    if [ "$code" != 0 ]; then
        failed="$failed $step"
        # The number is the journal's for an error.
        echo "<3>$how: $what" >&2
    fi
done

# Not before: what the steps do is gone after a power cut, and then the next boot does all of them again.
# shellcheck disable=SC2086 # words of our own, without spaces
rm -f $done || exit
if [ -n "$failed" ]; then
    # shellcheck disable=SC2086
    mkdir -p "$here/failed" && mv $failed "$here/failed" || exit
fi
rm -f "/etc/systemd/system/multi-user.target.wants/$unit" "/etc/systemd/system/$unit" "$here/run" || exit
rmdir "$here/steps" "$here" "${here%/*}" 2>/dev/null
if [ -n "$failed" ]; then
    echo "<3>what failed stays in $here/failed" >&2
    exit 1
fi
