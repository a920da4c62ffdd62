#!/usr/bin/env bash
# fetch-collections.sh VERSION DIR : the test targets of ansible.posix and community.general as released in the package
# ansible VERSION, in DIR/ansible.posix/integration/targets and DIR/community.general/integration/targets, with what they
# share in utils.
#
# The source distribution comes from the package index that pip is configured for. The tests are GPL, and are not
# part of this project: they are fetched for our tests alone, and kept below target/.
set -euo pipefail

[ $# = 2 ] || {
    echo "usage: fetch-collections.sh VERSION DIR" >&2
    exit 2
}
version=$1 place=$2
ufw=community.general/integration/targets/ufw
[ ! -e "$place/$ufw" ] || exit 0

mkdir -p "$(dirname "$place")"
work=$(mktemp -d "$place.XXXXXX")
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --ignore-requires-python \
    --dest "$work" "ansible==$version" >&2 || {
    echo "error: cannot fetch the source distribution of ansible $version" >&2
    echo "hint: pip download ansible==$version must work here, with --no-binary :all:" >&2
    exit 1
}
for name in ansible.posix community.general; do
    mkdir "$work/$name"
    tar -xzf "$work"/*.tar.gz -C "$work/$name" --strip-components=5 --wildcards \
        "*/ansible_collections/${name/.//}/tests/integration/targets" "*/ansible_collections/${name/.//}/tests/utils"
done
[ -e "$work/$ufw" ] || {
    echo "error: the source distribution of ansible $version has no tests of community.general" >&2
    exit 1
}
rm -f "$work"/*.tar.gz
chmod 755 "$work"
# It appears complete or not at all.
rm -rf "$place"
mv -T "$work" "$place"
trap - EXIT
