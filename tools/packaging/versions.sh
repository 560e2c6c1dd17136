#!/bin/sh
# The versions of an installed leap-nbd, for the package's scripts. The package itself has the files in BASE/package. They are started
# from BASE/VERSION, which has the same files by hard links, and BASE/current names that folder. An upgrade replaces BASE/package and
# the link. A server that runs keeps its jars and its runtime, since BASE/VERSION of its own is still there; it is removed when nothing
# runs from it.
#
#   versions.sh switch    let what is in BASE/package be started from now on
#   versions.sh tidy      remove versions that nothing runs from; BASE/old is there as long as one is left
#   versions.sh running   print processes that run from here: number and command
set -eu

here=$(dirname -- "$(readlink -f -- "$0")")
base=$(readlink -f -- "$here/../..")
. "$here/builds.sh"

tidy() {
  current=$(readlink "$base/current" || true)
  left=
  for one in "$base"/*/; do
    one=${one%/}
    case ${one##*/} in
      package | current | "$current") ;;
      *) left=$left$(remove_unused "$one") ;;
    esac
  done
  if [ -n "$left" ]; then
    touch "$base/old"
  else
    rm -f "$base/old"
  fi
}

switch() {
  version=$(cat "$base/package/version")
  name=$version
  number=1
  # The same version again, with other files: a package that was built twice.
  while [ -e "$base/$name" ] && ! diff -rq "$base/package" "$base/$name" >/dev/null 2>&1; do
    number=$((number + 1))
    name=$version.$number
  done
  if [ ! -e "$base/$name" ]; then
    rm -rf "$base/.new"
    cp -al "$base/package" "$base/.new" 2>/dev/null || {
      rm -rf "$base/.new"
      cp -a "$base/package" "$base/.new"
    }
    mv -T "$base/.new" "$base/$name"
  fi
  switch_to "$base/current" "$name"
  tidy
}

# By what runs: a command line is whatever its process says. A container has files of its own under the same names.
running() {
  for process in /proc/[0-9]*; do
    exe=$(readlink "$process/exe" 2>/dev/null) || continue
    case $exe in
      "$base"/*" (deleted)") ;;
      "$base"/*) [ "$process/exe" -ef "$exe" ] || continue ;;
      *) continue ;;
    esac
    command=$(tr '\0' '\n' <"$process/cmdline" 2>/dev/null | sed -n '/^io\.leapnbd\.tools\.LeapNbd$/{n;s/[^a-z-]//g;p;}') || true
    echo "${process#/proc/} ${command:-java}"
  done
}

case ${1:-} in
  switch | tidy | running) "$1" ;;
  *)
    echo "Usage: versions.sh switch | tidy | running" >&2
    exit 2
    ;;
esac
