#!/usr/bin/env bash
# Runs Tempest's volume tests and those of Cinder's plugin against the built host and a real Keystone. Builds nothing.
# Usage: run.sh [--stage api|pure-async|rbac] [arguments of suite.py]     SPRINGFORM_TEMPEST=n: processes (2)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$HOME/.cache/springform
clients=$("$here/../upstream/venv.sh" "${SPRINGFORM_CLIENTS_VENV:-$cache/clients-venv}" "$here/../clients/requirements.txt")
tempest=$("$here/../upstream/venv.sh" "${SPRINGFORM_TEMPEST_VENV:-$cache/tempest-venv}" "$here/requirements.txt")
exec "$clients/bin/python" "$here/suite.py" --tempest "$tempest" --concurrency "${SPRINGFORM_TEMPEST:-2}" "$@"
