#!/bin/sh
# The page of a server and of a donor in a headless browser, and the files for Prometheus and Grafana. ./test page runs all of it;
# 'run.sh WORDS' runs the tests whose names hold the words. With LEAP_NBD_PICTURES=FOLDER it keeps pictures of the pages.
here=$(dirname -- "$(readlink -f -- "$0")")
PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH=$here/../clients PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$here/main.py" "$@"
