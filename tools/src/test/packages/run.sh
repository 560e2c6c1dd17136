#!/bin/sh
# What tools/package makes, installed on an empty Debian. ./test packages runs all of it; 'run.sh WORDS' runs the tests whose names
# hold the words.
here=$(dirname -- "$(readlink -f -- "$0")")
# Debian's own python3 is the one that knows python3-libnbd.
PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$here/main.py" "$@"
