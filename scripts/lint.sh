#!/usr/bin/env bash
# lint.sh : every linter, each over everything of its kind. Called by `make lint`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/.venv/bin:$PATH

run() {
    printf '+ %s\n' "$*" >&2
    "$@"
}

run cargo fmt --check
run cargo clippy --locked --all-targets --quiet -- --deny warnings
run scripts/imports.py --check
# build.rs compiles this one; it is no part of the crate. It is for x86_64 only.
dispatcher=src/twins/dispatcher/program/main.rs
run rustfmt --edition 2024 --check "$dispatcher"
if [ "$(uname -m)" = x86_64 ]; then
    scratch=$(mktemp -d)
    run clippy-driver --edition 2024 --crate-type bin --crate-name dispatcher --deny warnings \
        -C panic=abort --emit metadata --out-dir "$scratch" "$dispatcher"
    rm -r "$scratch"
fi

# Shell scripts are known by their first line, not by their name: hooks and .ci/run have no suffix.
# Templates are no shell until they are filled in.
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard -z -- ':!*.j2' |
    xargs -0 grep -IlE -m1 '^#! ?/(usr/)?bin/(env )?(ba|da)?sh' -- 2>/dev/null | sort -u)
for script in "${scripts[@]}"; do
    if head -n1 "$script" | grep -q '^#!'; then shell_files+=("$script"); fi
done
run shellcheck "${shell_files[@]}"

run ruff check --quiet .
run ruff format --check --quiet .

run yamllint --strict .
# Offline: what the playbooks need is in the virtual environment, there is nothing to fetch.
run ansible-lint --offline -q --profile production playbooks

# The plugin's documentation, as users see it.
LC_ALL=C.UTF-8 ANSIBLE_CONNECTION_PLUGINS=ansible_plugins/plugins/connection \
    run ansible-doc --type connection chroot >/dev/null
