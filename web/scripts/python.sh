#!/bin/sh
# Runs a Python script with the project's own interpreter, where the server's event classes can be imported.
cd "$(dirname "$0")/.." || exit 1
root=$(cd .. && pwd)
python="$root/.venv/bin/python"
[ -x "$python" ] || python=python3
PYTHONPATH="$root" exec "$python" "$@"
