#!/bin/sh
# Plays the synthetic traces, and the recorded ones in tools/src/traces, to all prefetch policies, and writes docs/prefetch.md
# with its pictures. Takes a minute or two.
#
#   docs/prefetch.sh [TRACE...]     other traces besides
set -eu

home=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for kind in sequential reverse stride:10 stride:-7 interleaved:2 interleaved:8 interleaved:32 noisy:10 noisy:25 random; do
  "$home/leap-nbd" trace generate "$kind" -o "$work/$(echo "$kind" | tr : _).trace.gz"
done
"$home/leap-nbd" trace generate loop -o "$work/loop.trace.gz"

recorded=
for trace in "$home"/tools/src/traces/*.gz; do
  [ -e "$trace" ] && recorded=yes
done
# shellcheck disable=SC2086
"$home/leap-nbd" replay ${recorded:+"$home"/tools/src/traces/*.gz} "$@" "$work"/*.trace.gz --cache-size 4M --report "$home/docs/prefetch.md"
echo
echo "From the second pass on, when there is something to remember:"
"$home/leap-nbd" replay "$work/loop.trace.gz" --cache-size 4M --warm-up 20000
