#!/usr/bin/env bash
# Drives the built host with the real `cinder` and `openstack` commands. Builds nothing.
# Usage: run.sh [pytest arguments]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$("$here/../upstream/venv.sh")
cd "$here"
exec "$venv/bin/python" -m pytest "$@"
