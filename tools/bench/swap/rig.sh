#!/usr/bin/env bash
# Swap on leap-nbd for one memory-limited cgroup of this machine, set up and taken down in the only safe order. No nbd driver is needed:
# nbdfile and a loop device with direct I/O stand in for it. Needs root, FUSE, and version 1 of the memory controller.
#
#   rig.sh can                                                       says what is missing, if anything; exit 1 then
#   rig.sh up [-s SIZE] [-d MICROSECONDS] [-p POLICY] [-w SECONDS]   donor behind a link so long each way, server, device, swapon
#   rig.sh run [-l LIMIT] [-t SECONDS] [-c PAGE_CLUSTER] -- COMMAND  COMMAND outside; it puts its child into the cgroup by writing a process id
#                                                                    to the file that $SWAP_CGROUP names
#   rig.sh down                                                      and back; also after a failure
#
# Rules that keep the machine alive: one rig at a time; swapoff before anything is stopped; no pressure outside that cgroup, whose limit is at most
# 512 MiB; every COMMAND has a time limit. A watchdog takes the rig down when the process that set it up has ended, or after -w seconds.
# LEAP_NBD: the launcher, built before. RIG: the rig's folder.
set -u
self=$(readlink -f -- "$0")
here=$(dirname -- "$self")
RIG=${RIG:-${TMPDIR:-/tmp}/leap-swap-rig}
LEAP_NBD=${LEAP_NBD:-$here/../../../leap-nbd}
export LEAP_NBD_BUILD=no
controller=/sys/fs/cgroup/memory
program=$controller/leap-push-program server=$controller/leap-push-server
MOST_MIB=512

say() { echo "rig.sh: $*" >&2; }
until_true() {
  for _ in $(seq 300); do eval "$1" && return 0; sleep 0.1; done
  say "waited 30 s in vain for: $1"
  return 1
}
# Each in a session of its own: a signal to the group of whoever called this (Ctrl-C, timeout) must not end what swap goes through.
background() {
  local name=$1
  shift
  DELAY_STAYS=yes setsid bash -c 'echo $$ >"$0/cgroup.procs"; echo $$ >"$1"; shift; exec "$@"' \
    "$server" "$RIG/$name.pid" "$@" </dev/null >"$RIG/$name.out" 2>&1 9>&- &
}
free_port() { python3 -c 'import socket;s=socket.socket();s.bind(("127.0.0.1",0));print(s.getsockname()[1])'; }
mebibytes() { numfmt --from=iec "$1" | awk '{print int($1 / 1048576)}'; }

can() {
  [ "$(id -u)" = 0 ] || { say 'not root'; return 1; }
  [ -e /dev/fuse ] && [ -e /dev/loop-control ] || { say 'this kernel has no FUSE or no loop devices'; return 1; }
  [ -e $controller/memory.limit_in_bytes ] || { say 'no memory controller of cgroup version 1'; return 1; }
  mkdir $controller/leap-push-probe 2>/dev/null && rmdir $controller/leap-push-probe || { say 'cgroups cannot be made here'; return 1; }
  [ -e /proc/swaps ] || { say 'this kernel cannot swap'; return 1; }
  [ -e "$RIG/loop" ] && { say "a rig is up in $RIG"; return 1; }
  [ -z "$(swapon --noheadings)" ] || { say 'this machine swaps already'; return 1; }
  [ "$(awk '/MemAvailable/{print int($2/1024)}' /proc/meminfo)" -ge 4000 ] || { say 'less than 4,000 MiB available'; return 1; }
  for tool in umount losetup mkswap python3 cc numfmt setsid; do
    command -v $tool >/dev/null || { say "no $tool (Debian: mount util-linux python3 gcc coreutils)"; return 1; }
  done
}

up() {
  local size=640M delay=0 policy=none limit=1800 port near device
  while getopts s:d:p:w: o; do case $o in s) size=$OPTARG ;; d) delay=$OPTARG ;; p) policy=$OPTARG ;; w) limit=$OPTARG ;; *) return 2 ;; esac done
  can || return 1
  mkdir -p "$RIG/mnt" $server && echo 0 >$server/memory.swappiness
  cat /proc/sys/vm/page-cluster >"$RIG/old-page-cluster"
  cat /proc/sys/vm/swappiness >"$RIG/old-swappiness"
  echo 1 >/proc/sys/vm/swappiness # whatever lies outside the program's group stays in memory
  [ "$RIG/delay" -nt "$here/../delay.c" ] || cc -O2 -o "$RIG/delay" "$here/../delay.c" || return 1
  [ "$RIG/nbdfile" -nt "$here/nbdfile.c" ] || cc -O2 -o "$RIG/nbdfile" "$here/nbdfile.c" || return 1
  port=$(free_port)
  : >"$RIG/donor.out"
  # Donor and link stand for another machine, which this one's load does not slow down.
  background donor chrt -r 1 "$LEAP_NBD" donor --memory "$size" --listen "127.0.0.1:$port" --drain-timeout 0s
  until_true "grep -q ^ready '$RIG/donor.out'" || return 1
  if [ "$delay" != 0 ]; then
    near=$(free_port)
    : >"$RIG/delay.out"
    background delay chrt -r 1 "$RIG/delay" "$near" "$port" "$delay"
    until_true "grep -q ^ready '$RIG/delay.out'" || return 1
    port=$near
  fi
  rm -rf "$RIG/state"
  : >"$RIG/serve.out"
  background serve "$LEAP_NBD" serve --donors "127.0.0.1:$port" --size "$size" --unix "$RIG/nbd.sock" --export leap \
    --http 127.0.0.1:0 --state-dir "$RIG/state" --prefetch "$policy" --fresh
  until_true "grep -q ^ready '$RIG/serve.out'" || { cat "$RIG/serve.out" >&2; return 1; }
  background fuse chrt -r 1 "$RIG/nbdfile" "$RIG/mnt" "$RIG/nbd.sock" leap
  until_true "[ -s '$RIG/mnt/nbd' ]" || return 1
  losetup -f --show --direct-io=on "$RIG/mnt/nbd" >"$RIG/loop" || return 1
  device=$(cat "$RIG/loop")
  [ "$(cat /sys/block/"${device#/dev/}"/loop/dio)" = 1 ] || { say 'the loop device caches'; return 1; }
  mkswap "$device" >/dev/null 2>&1 && swapon -d "$device" && touch "$RIG/swapped" || return 1
  setsid "$self" watch "${RIG_OWNER:-$PPID}" "$limit" >"$RIG/watch.out" 2>&1 9>&- </dev/null &
}

# Whatever becomes of the process that set the rig up, it is taken down.
watch() {
  local owner=$1 limit=$2
  while [ -e "$RIG/swapped" ] && [ "$limit" -gt 0 ] && kill -0 "$owner" 2>/dev/null; do
    sleep 1
    limit=$((limit - 1))
  done
  [ -e "$RIG/swapped" ] || return 0
  say "taking the rig down: its owner $owner is gone, or its time is over"
  exec "$self" down
}

run() {
  local limit=128M seconds=120 cluster=0 worker pid result
  while getopts l:t:c: o; do case $o in l) limit=$OPTARG ;; t) seconds=$OPTARG ;; c) cluster=$OPTARG ;; *) return 2 ;; esac done
  shift $((OPTIND - 1))
  [ -e "$RIG/swapped" ] || { say 'no rig is up'; return 1; }
  [ "$(mebibytes "$limit")" -le $MOST_MIB ] || { say "a limit of $limit is more than $MOST_MIB MiB"; return 1; }
  echo "$cluster" >/proc/sys/vm/page-cluster
  for worker in $(pgrep kworker/u); do chrt -r -p 1 "$worker" 2>/dev/null; done # what carries the loop device's requests
  mkdir -p $program && echo "$limit" >$program/memory.limit_in_bytes && echo 60 >$program/memory.swappiness || return 1
  SWAP_CGROUP=$program/cgroup.procs timeout -k 5 "$seconds" "$@"
  result=$?
  empty_group
  return $result
}

empty_group() {
  [ -d $program ] || return 0
  local pid
  for pid in $(cat $program/cgroup.procs); do
    say "left over: $pid"
    kill -9 "$pid"
  done
  until_true "[ ! -s $program/cgroup.procs ]"
  rmdir $program 2>/dev/null
}

down() {
  local device name pid worker
  empty_group
  if [ -e "$RIG/loop" ]; then
    device=$(cat "$RIG/loop")
    if grep -q "^$device " /proc/swaps; then
      swapoff "$device" || { say 'swapoff failed: everything is left running'; return 1; }
    fi
    rm -f "$RIG/swapped"
    [ -z "$device" ] || losetup -d "$device"
    rm -f "$RIG/loop"
    until_true "! losetup -a | grep -q '^$device:'"
  fi
  mountpoint -q "$RIG/mnt" 2>/dev/null && umount "$RIG/mnt"
  for name in fuse serve delay donor; do
    [ -e "$RIG/$name.pid" ] || continue
    pid=$(cat "$RIG/$name.pid")
    grep -qE 'java|delay|nbdfile' "/proc/$pid/comm" 2>/dev/null || { rm -f "$RIG/$name.pid"; continue; } # of an earlier boot or run
    kill "$pid" 2>/dev/null
    until_true "! kill -0 $pid 2>/dev/null" || kill -9 "$pid"
    rm -f "$RIG/$name.pid"
  done
  for worker in $(pgrep kworker/u); do chrt -o -p 0 "$worker" 2>/dev/null; done
  [ -e "$RIG/old-page-cluster" ] && {
    cat "$RIG/old-page-cluster" >/proc/sys/vm/page-cluster
    cat "$RIG/old-swappiness" >/proc/sys/vm/swappiness
    rm "$RIG"/old-*
  }
  rmdir $server 2>/dev/null
  rm -f "$RIG/nbd.sock"
  return 0
}

verb=${1:-}
shift || true
mkdir -p "$RIG"
case $verb in
  can) can ;;
  up)
    exec 9>"$RIG/lock"
    flock -n 9 || { say 'busy'; exit 1; }
    up "$@" || { down; exit 1; }
    ;;
  watch) watch "$@" ;;
  run) run "$@" ;;
  down)
    exec 9>"$RIG/lock"
    flock 9
    down
    ;;
  *)
    sed -n '2,15p' "$self"
    exit 2
    ;;
esac
