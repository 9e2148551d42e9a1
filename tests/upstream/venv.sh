#!/usr/bin/env bash
# Makes (or finds) a Python environment and prints its directory: the judges', or another list's.
# Usage: venv.sh [dir [requirements]]     default: ${SPRINGFORM_VENV:-$HOME/.cache/springform/venv} requirements.txt
# Idempotent: the environment carries the hash of the requirements as its stamp.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${SPRINGFORM_VENV:-$HOME/.cache/springform/venv}}
requirements=${2:-$here/requirements.txt}
stamp="$dir/.springform-requirements"

python=${SPRINGFORM_PYTHON:-}
for candidate in python3.11 python3; do
    [ -n "$python" ] && break
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        python=$candidate
    fi
done
if [ -z "$python" ]; then
    echo "venv.sh: Python 3.11 is needed (set SPRINGFORM_PYTHON to one)" >&2
    exit 1
fi

wanted="$(sha256sum <"$requirements" | cut -d' ' -f1) $("$python" -V)"
mkdir -p "$(dirname "$dir")"

# Two test runs may start at once; the second waits for the first and then finds the stamp.
exec 9>"$dir.lock"
flock 9
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "venv.sh: installing $requirements into $dir" >&2
    rm -rf "$dir"
    "$python" -m venv "$dir"
    # --no-deps: the list is complete, and pip may not improve on it.
    "$dir/bin/pip" install --disable-pip-version-check --no-input --quiet --no-deps \
        -r "$requirements" >&2
    "$dir/bin/pip" check --disable-pip-version-check >&2
    echo "$wanted" >"$stamp"
fi
echo "$dir"
