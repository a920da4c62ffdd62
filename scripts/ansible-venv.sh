#!/usr/bin/env bash
# ansible-venv.sh [run|test] : a private virtual environment with Ansible, pinned, in <checkout>/.venv.
# `run` installs requirements.txt, `test` (the default) requirements-dev.txt. Nothing to do when the
# requirements have not changed since.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

case ${1-test} in
    run) requirements="requirements.txt" ;;
    test) requirements="requirements-dev.txt" ;;
    *) die "ansible-venv.sh knows no level '$1'" "usage: scripts/ansible-venv.sh [run|test]" ;;
esac

# Only the levels' own stamps count, so that `run` after `test` does nothing.
stamp() { cat requirements.txt "$1" | sha256sum | cut -c1-16; }
dev=$(stamp requirements-dev.txt)
wanted=$(stamp "$requirements")
have=$(cat .venv/.pichroot-stamp 2>/dev/null || true)
if [ "$have" = "$wanted" ] || [ "$have" = "$dev" ]; then
    exit 0
fi

# Two at once (make demo and make test) must not install into each other's feet.
exec 9>.venv.lock
flock 9
have=$(cat .venv/.pichroot-stamp 2>/dev/null || true)
if [ "$have" = "$wanted" ] || [ "$have" = "$dev" ]; then
    exit 0
fi

python=$(command -v python3) || die "python3 is not installed" "run scripts/install-deps.sh run"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$python is $("$python" -V 2>&1), Ansible needs 3.10 or later" "put a newer python3 first on PATH"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    die "$python cannot make virtual environments" "run scripts/install-deps.sh run (Debian: python3-venv)"

printf 'ansible-venv: installing %s into %s\n' "$requirements" "$PWD/.venv" >&2
# From scratch: a half-installed or outdated environment is not worth repairing.
rm -rf .venv
"$python" -m venv .venv || die "cannot make $PWD/.venv" "its messages are above"
# Not compiling is half of the time. What ansible-playbook itself uses is compiled below; collections
# are at their first use.
.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile -r "$requirements" ||
    die "pip could not install $requirements" "is the package index reachable? its messages are above"
.venv/bin/python - <<'PYTHON'
import compileall, pathlib, ansible
packages = pathlib.Path(ansible.__path__[0]).parent
for name in "ansible", "jinja2", "markupsafe", "yaml", "packaging", "cryptography", "resolvelib":
    compileall.compile_dir(packages / name, quiet=2)
PYTHON
printf '%s\n' "$wanted" >.venv/.pichroot-stamp
