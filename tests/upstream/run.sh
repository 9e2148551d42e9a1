#!/usr/bin/env bash
# Runs the judges against the simulated FlashArray. Builds nothing: the simulator's binary is
# taken from $FLASHARRAY_SIM, else from the workspace's target directory.
# Usage: run.sh [pytest arguments]     SPRINGFORM_JUDGES=n: processes (2)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$("$here/venv.sh")

if [ -z "${FLASHARRAY_SIM:-}" ]; then
    target=${CARGO_TARGET_DIR:-$root/target}
    for candidate in "$target/release/flasharray-sim" "$target/debug/flasharray-sim"; do
        [ -x "$candidate" ] && FLASHARRAY_SIM=$candidate && break
    done
fi
if [ ! -x "${FLASHARRAY_SIM:-}" ]; then
    echo "run.sh: no simulator: run 'cargo build -p flasharray-sim' or set FLASHARRAY_SIM" >&2
    exit 2
fi
export FLASHARRAY_SIM
cd "$here"
exec "$venv/bin/python" -m pytest -n "${SPRINGFORM_JUDGES:-2}" "$@"
