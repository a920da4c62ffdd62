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
# build.rs compiles these; they are no part of the crate, and not for every processor.
lint_program() {
    run rustfmt --edition 2024 --check "$2"
    case " $3 " in *" $(uname -m) "*) ;; *) return 0 ;; esac
    scratch=$(mktemp -d)
    run clippy-driver --edition 2024 --crate-type bin --crate-name "$1" --deny warnings \
        -C panic=abort --emit metadata --out-dir "$scratch" "$2"
    rm -r "$scratch"
}
lint_program dispatcher src/twins/dispatcher/program/main.rs x86_64
lint_program asker src/bare/program/main.rs 'x86_64 aarch64'

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
