#!/bin/sh
# Push against real swap on this machine: run.sh [SCENARIO ...]; none named: all of them. README.md describes it.
here=$(dirname -- "$(readlink -f -- "$0")")
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/main.py" "$@"
