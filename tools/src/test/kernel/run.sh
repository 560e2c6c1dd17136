#!/bin/bash
# The kernel suite: run.sh [SCENARIO ...]; none named: all of them, one guest after the other. README.md describes it.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../../../.." && pwd)
out=${LEAP_NBD_TEST_OUT:-$home/tools/target/test}/kernel
build=$home/tools/target/kernel
passed=0 failed=0
mkdir -p "$out" "$build"

count() { # a log of PASS and FAIL lines
  passed=$((passed + $(grep -cE '^(\[ *[0-9.]+\] )?PASS ' "$1")))
  failed=$((failed + $(grep -cE '^(\[ *[0-9.]+\] )?FAIL ' "$1")))
}

# Before the program that checks pages is believed, it has to find wrong ones.
self_test() {
  local how status
  gcc -O2 -Wall -Wextra -static -o "$build/swapcheck" "$here/swapcheck.c" || {
    echo 'FAIL swapcheck compiles'
    return
  }
  for how in corrupt torn stale foreign zeros unreadable; do
    for pass in seq stride random rewrite; do
      "$build/swapcheck" --spoil $how 4 $pass >"$out/swapcheck.out"
      status=$?
      if [ $status = $([ $how = unreadable ] && echo 3 || echo 1) ] && grep -Eq '(WRONG|UNREADABLE) page 341' "$out/swapcheck.out"; then
        echo "PASS swapcheck's $pass pass notices a page that is $how"
      else
        echo "FAIL swapcheck's $pass pass notices a page that is $how"
      fi
    done
  done
  "$build/swapcheck" 4 >"$out/swapcheck.out" && echo 'PASS swapcheck has nothing to say against right pages' ||
    echo 'FAIL swapcheck has nothing to say against right pages'
}

# scenario NAME MEMORY SECONDS SCRIPT [ARGUMENT ...]
scenario() {
  local name=$1 memory=$2 limit=$3 script=$4 status
  shift 4
  case " ${wanted:-$name} " in *" $name "*) ;; *) return ;; esac
  echo "-- $name"
  mkdir -p "$out/$name"
  "$here/lab" --memory "$memory" --limit "$limit" --build "$build" --out "$out/$name" "$here/scenarios/$script" "$@" 2>&1 |
    tee "$out/$name.log"
  status=${PIPESTATUS[0]}
  count "$out/$name.log"
  if [ "$status" != 0 ] && ! grep -q ' FAIL ' "$out/$name.log"; then
    echo "FAIL $name ran to its end (status $status)"
    failed=$((failed + 1))
    tail -n 15 "$out/$name/console" 2>/dev/null | cut -c1-200 | sed 's/^/          /'
    echo "          -- all of it: $out/$name"
  fi
}

wanted=$*
if [ -z "$wanted" ]; then
  self_test >"$out/self-test.log"
  grep FAIL "$out/self-test.log"
  count "$out/self-test.log"
fi
scenario nbd-client 96M 1500 nbd-client.sh
scenario attach 192M 1500 attach.sh
scenario copies 192M 1500 copies.sh
scenario limited 384M 1500 guest.sh limited
scenario whole 384M 1500 guest.sh whole
scenario doctor 320M 1500 doctor.sh
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
