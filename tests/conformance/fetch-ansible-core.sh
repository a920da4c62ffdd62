#!/usr/bin/env bash
# fetch-ansible-core.sh VERSION DIR : the test targets of ansible-core VERSION, in DIR/targets.
#
# The source distribution comes from the package index that pip is configured for. It is GPL, and is not
# part of this project: it is fetched for the tests alone, and kept below target/.
set -euo pipefail

[ $# = 2 ] || {
    echo "usage: fetch-ansible-core.sh VERSION DIR" >&2
    exit 2
}
version=$1 place=$2
[ ! -e "$place/targets/connection/test.sh" ] || exit 0

mkdir -p "$(dirname "$place")"
work=$(mktemp -d "$place.XXXXXX")
trap 'rm -rf "$work"' EXIT

# pip asks the package's own build for its name before it lets one have it, hence the build isolation,
# which is pip's default; what Python this version runs on does not matter for its tests.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --ignore-requires-python \
    --dest "$work" "ansible-core==$version" >&2 || {
    echo "error: cannot fetch the source distribution of ansible-core $version" >&2
    echo "hint: pip download ansible-core==$version must work here, with --no-binary :all:" >&2
    exit 1
}
tar -xzf "$work"/*.tar.gz -C "$work" --strip-components=3 --wildcards '*/test/integration/targets'
[ -e "$work/targets/connection/test.sh" ] || {
    echo "error: the source distribution of ansible-core $version has no test/integration/targets/connection" >&2
    exit 1
}
rm -f "$work"/*.tar.gz
chmod 755 "$work"
# It appears complete or not at all.
rm -rf "$place"
mv -T "$work" "$place"
trap - EXIT
