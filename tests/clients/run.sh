#!/usr/bin/env bash
# Drives the built host with the real clients: `cinder`, `openstack`, openstacksdk, schemathesis, and a real Keystone.
# Builds nothing.
# Usage: run.sh [pytest arguments]     SPRINGFORM_CLIENTS=n: processes (2)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$("$here/../upstream/venv.sh" "${SPRINGFORM_CLIENTS_VENV:-$HOME/.cache/springform/clients-venv}" "$here/requirements.txt")
cd "$here"
exec "$venv/bin/python" -m pytest -n "${SPRINGFORM_CLIENTS:-2}" --dist loadfile "$@"
