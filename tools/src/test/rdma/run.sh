#!/bin/bash
# The rdma suite: run.sh [PART ...], of layers, probe, verify, stopped, swap, killed, pool, stranger; none named: all of these. copies and cost are run by name. README.md describes it.
set -u
# Whatever ends this suite, or the one that runs it, ends the guest too.
[ "${LEAP_NBD_RDMA_SUITE:-}" = "$$" ] || LEAP_NBD_RDMA_SUITE=$$ exec setpriv --pdeathsig TERM -- "$BASH" "$0" "$@"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../../../.." && pwd)
out=${LEAP_NBD_TEST_OUT:-$home/tools/target/test}/rdma
build=$home/tools/target/rdma
lib=$home/tools/target/builds/current/lib
mkdir -p "$out" "$build/classes"

# Nothing was found out: under CI that is a failure.
skip() {
  if [ "${CI:-}" = true ]; then
    echo "FAIL the suite cannot run: $1"
    echo '0 passed, 1 failed'
    exit 1
  fi
  echo "SKIPPED: $1"
  echo '0 passed, 0 failed, 1 skipped'
  exit 0
}

. "$home/tools/scripts/jdk.sh"
# shellcheck disable=SC2046 # a list of names
missing=$(missing_packages $(sed 's/#.*//' "$here/packages"))
[ -z "$missing" ] || skip "missing Debian packages: ${missing% }"

class_path=$(ls "$lib"/donor-*.jar)
for jar in "$lib"/*.jar; do class_path=$class_path:$jar; done
"$JAVA_HOME/bin/javac" -proc:none -nowarn -cp "$class_path" -d "$build/classes" "$here"/*.java &&
  gcc -O2 -static -o "$build/swapcheck" "$here/../kernel/swapcheck.c" || {
  echo '0 passed, 1 failed'
  exit 1
}
# Certificates take a JVM's start each, which is slow in the guest.
pools=$build/pools
rm -rf "$pools"
mkdir -p "$pools"
for pool in ours theirs; do
  "$home/leap-nbd" pool create "$pools/$pool" &&
    "$home/leap-nbd" pool add "$pools/$pool" h1 --role donor &&
    "$home/leap-nbd" pool add "$pools/$pool" web --role server &&
    "$home/leap-nbd" pool add "$pools/$pool" mail --role server || {
    echo '0 passed, 1 failed'
    exit 1
  }
done >"$out/pools.log"
# On this side of the emulation, unless there is a device here.
: >"$out/host.log"
if [ $# = 0 ] && [ -z "$(ls /sys/class/infiniband 2>/dev/null)" ]; then
  refused=$("$home/leap-nbd" serve --donors rdma://2,10.0.0.1:1,10.0.0.2:2 --size 64M 2>&1)
  case $refused in
    *'no RDMA device'*tcp://10.0.0.1:1,tcp://10.0.0.2:2) echo 'PASS without a device serve is refused, with the tcp form' ;;
    *) echo "FAIL without a device serve is refused, with the tcp form: $refused" ;;
  esac
  case $("$home/leap-nbd" doctor) in
    *'no device: TCP'*'apt-get install'*) echo 'PASS without a device doctor says so, and what to install' ;;
    *) echo 'FAIL without a device doctor says so, and what to install' ;;
  esac
fi | tee "$out/host.log"
"$here/lab" --limit 3000 --build "$build" --out "$out" "$here/scenario.sh" "$@" 2>&1 | tee "$out/scenario.log"
status=${PIPESTATUS[0]}
[ "$status" != 125 ] || skip "$(tail -n 1 "$out/scenario.log")"
passed=$(cat "$out/host.log" "$out/scenario.log" | grep -cE '(^|\[ *[0-9.]+\] )PASS ')
failed=$(cat "$out/host.log" "$out/scenario.log" | grep -cE '(^|\[ *[0-9.]+\] )FAIL ')
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
  echo "FAIL the scenario ran to its end (status $status)"
  failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
