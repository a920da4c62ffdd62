#!/bin/sh
# Put here by pichroot while it provisions the image.
#
# Making an initramfs takes long under an emulator, and one package after the other asks for it. So what
# packages ask for is noted, and pichroot does it once, when the playbook has ended. Everybody else gets
# the real program at once, with what it would find had nothing been put off.
set -eu

real=/usr/sbin/update-initramfs
record=/run/pichroot/initramfs
boot=/boot
hooks=/etc/kernel/postinst.d
settings=/etc/initramfs-tools/update-initramfs.conf

# dpkg sets the first for a package's scripts; initramfs-tools, which takes it for the mark of a call to be
# put off, clears it when its trigger runs.
in_package() {
	[ -n "${DPKG_MAINTSCRIPT_PACKAGE:-}${DPKG_RUNNING_VERSION:-}" ]
}

# No program is started where the shell can do it: each costs a tenth of a second under an emulator, and
# linux-version, which is Perl, most of one.

# Whether a line of the record is like this pattern.
noted() {
	[ -e "$record" ] || return 1
	while read -r line; do
		# shellcheck disable=SC2254
		case $line in
		$1) return 0 ;;
		esac
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

# Those that have an initramfs, or would have one by now: highest version first, as the real program
# takes them.
kernels() {
	set --
	for kernel in $(installed); do
		if [ -e "$boot/initrd.img-$kernel" ] || noted "[cu] $kernel"; then
			set -- "$@" "$kernel"
		fi
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

# A kernel's other hooks may want its initramfs: zz-flash-kernel and z50-raspi-firmware put it where the
# firmware loads it from. They are run again after an update, but would miss a new one.
nothing_follows() {
	later=
	for hook in "$hooks"/*; do
		case ${hook##*/} in
		initramfs-tools) later=yes ;;
		unattended-upgrades | update-notifier) ;;
		*) [ -z "$later" ] || return 1 ;;
		esac
	done
}

can_wait() {
	case $mode in
	u) [ "$update_initramfs" != no ] ;;
	c) nothing_follows ;;
	*) false ;;
	esac
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

if in_package && can_wait; then
	list=$(concerned)
	# No kernel has one: the real program knows more places to look.
	[ -n "$list" ] || exec "$real" "$@"
	for kernel in $list; do
		[ "$mode" = u ] || forget "$kernel"
		noted "[cu] $kernel" || echo "$mode $kernel" >>"$record"
	done
	echo "update-initramfs: deferred to the end of the play by pichroot"
	exit 0
fi

[ -s "$record" ] || exec "$real" "$@"
list=$(concerned)
if [ "$mode" = u ]; then
	# Those that only an earlier call made would be there by now.
	for kernel in $list; do
		if noted "c $kernel"; then
			"$real" -c -k "$kernel"
			forget "$kernel"
		fi
	done
fi
"$real" "$@"
for kernel in $list; do
	forget "$kernel"
done
