#!/bin/sh
# Put here by pichroot while it provisions the image.
#
# Making an initramfs takes long under an emulator, and one package after the other asks for it. So what
# packages ask for is noted, and pichroot does it once, when the playbook has ended. Everybody else gets
# the real program at once. So does a kernel that has no initramfs yet: hooks and boot loaders look for it.
set -eu

real=/usr/sbin/update-initramfs
record=/run/pichroot/initramfs
boot=/boot
settings=/etc/initramfs-tools/update-initramfs.conf

# dpkg sets the first for a package's scripts; initramfs-tools, which takes it for the mark of a call to be
# put off, clears it when its trigger runs.
in_package() {
	[ -n "${DPKG_MAINTSCRIPT_PACKAGE:-}${DPKG_RUNNING_VERSION:-}" ]
}

# No program is started where the shell can do it: each costs a tenth of a second under an emulator, and
# linux-version, which is Perl, most of one.

# Whether this kernel is in the record.
noted() {
	[ -e "$record" ] || return 1
	while read -r line; do
		[ "${line#? }" != "$1" ] || return 0
	done <"$record"
	return 1
}

forget() {
	[ -e "$record" ] || return 0
	kept=$(while read -r line; do
		[ "${line#? }" = "$1" ] || echo "$line"
	done <"$record")
	: >"$record"
	[ -z "$kept" ] || echo "$kept" >>"$record"
}

# All kernels, as `linux-version list` finds them.
installed() {
	for image in "$boot"/vmlinu[xz]-*; do
		case $image in
		*.sig | *'*') ;;
		*) echo "${image#"$boot"/vmlinu?-}" ;;
		esac
	done
}

# Those that have an initramfs: highest version first, as the real program takes them.
kernels() {
	set --
	for kernel in $(installed); do
		[ ! -e "$boot/initrd.img-$kernel" ] || set -- "$@" "$kernel"
	done
	if [ $# -gt 1 ]; then
		linux-version sort --reverse "$@"
	else
		echo "$@"
	fi
}

# Those that this call is about.
concerned() {
	case $mode:$version in
	c:all) installed ;;
	?:all) kernels ;;
	u:)
		# shellcheck disable=SC2046
		set -- $(kernels)
		echo "${1:-}"
		;;
	*) echo "$version" ;;
	esac
}

# Whether all of these kernels, one at least, are there with an initramfs that does meanwhile. The real
# program knows more places to look.
can_wait() {
	case $mode in
	u) [ "$update_initramfs" != no ] || return 1 ;;
	c) ;;
	*) return 1 ;;
	esac
	for kernel in $1; do
		[ -e "$boot/initrd.img-$kernel" ] || return 1
		[ -e "$boot/vmlinuz-$kernel" ] || [ -e "$boot/vmlinux-$kernel" ] || return 1
	done
	[ -n "$1" ]
}

if [ ! -x "$real" ]; then
	# A package asks for it where it is installed, and takes this for it.
	! in_package || exit 0
	echo "update-initramfs: not found" >&2
	exit 127
fi

mode='' version='' options=$#
while getopts :k:cudvtb: option; do
	case $option in
	c | u | d) mode=$option ;;
	k) version=$OPTARG ;;
	v | t) ;;
	# Debian's hook of a kernel names this folder.
	b) [ "$OPTARG" = "$boot" ] || exec "$real" "$@" ;;
	*) exec "$real" "$@" ;;
	esac
done
update_initramfs=yes
# shellcheck source=/dev/null
[ ! -r "$settings" ] || . "$settings"
[ -n "$version" ] || [ "$update_initramfs" != all ] || version=all
case $mode:$version in
:* | [cd]: | ?:-* | ?:*[!A-Za-z0-9.+~_-]*) exec "$real" "$@" ;;
esac
if [ "$options" -ge "$OPTIND" ] || ! command -v linux-version >/dev/null; then
	exec "$real" "$@"
fi

in_package || [ -s "$record" ] || exec "$real" "$@"
list=$(concerned)
if in_package && can_wait "$list"; then
	for kernel in $list; do
		[ "$mode" = u ] || forget "$kernel"
		noted "$kernel" || echo "$mode $kernel" >>"$record"
	done
	echo "update-initramfs: deferred to the end of the play by pichroot"
	exit 0
fi

# An update of a package's may only set a trigger, and one that the settings forbid does nothing.
if [ ! -s "$record" ] || { [ "$mode" = u ] && { in_package || [ "$update_initramfs" = no ]; }; }; then
	exec "$real" "$@"
fi
"$real" "$@"
for kernel in $list; do
	forget "$kernel"
done
