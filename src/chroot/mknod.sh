#!/bin/sh
# Put here by pichroot while it provisions the image.
#
# No device can be made in the chroot. A package that wants one in /dev, which is gone at the end, would stay half
# configured: it gets an empty file in its place. What it wants elsewhere is an error, as without this.
set -eu

real=/usr/bin/mknod
dev=/dev
[ -x "$real" ] || real=/bin/mknod

said=$("$real" "$@" 2>&1) && exit 0
code=$?

refuse() {
	printf '%s\n' "$said" >&2
	exit "$code"
}

mode=
name=
kind=
while [ $# -gt 0 ]; do
	case $1 in
	-m | --mode)
		mode=${2:-}
		[ $# -lt 2 ] || shift
		;;
	-m*) mode=${1#-m} ;;
	--mode=*) mode=${1#--mode=} ;;
	-*) ;;
	*) if [ -z "$name" ]; then name=$1; elif [ -z "$kind" ]; then kind=$1; fi ;;
	esac
	shift
done
case $kind in
b | c | u) ;;
*) refuse ;;
esac
case $name in
/*) ;;
*) name=$PWD/$name ;;
esac
case $name in
*/../*) refuse ;;
"$dev"/*) ;;
*) refuse ;;
esac
# There is such a device, or it is to be moved over one, as MAKEDEV does.
for there in "$name" "${name%-}"; do
	if [ -e "$there" ] || [ -L "$there" ]; then refuse; fi
done
: >"$name"
chmod "${mode:-666}" "$name"
echo "mknod: pichroot has an empty file for $name" >&2
