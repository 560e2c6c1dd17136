# All of the suite, in one guest: layer by layer, so that a failure names its layer. Sourced by the lab.
# An argument: the parts to run, of: layers probe verify stopped swap killed.
export JAVA_HOME=$SHORT_JAVA LEAP_NBD_BUILD=no NO_COLOR=1
# The launcher's AOT cache was made on another processor: what it holds of code is left out. Code that the JVM compiles is
# translated again by the emulator, so only what is hot is compiled: a start takes three quarters of the time.
cached="-XX:+UnlockDiagnosticVMOptions -XX:-AOTAdapterCaching -XX:-AOTStubCaching -XX:TieredStopAtLevel=1"
export LEAP_NBD_JAVA_OPTS="$cached -XX:CompileThresholdScaling=10"
parts=" ${*:-layers probe verify stopped swap killed} "
socket=/run/leap.sock
uri="nbd+unix:///leap?socket=$socket"

pass() { note "PASS $*"; }
failed() { note "FAIL $*"; }
expect() { # TEXT COMMAND...
  local text=$1
  shift
  if "$@"; then pass "$text"; else failed "$text"; fi
}
part() { case $parts in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# start NAME leap-nbd's arguments...: returns when it is ready.
start() {
  local name=$1 i
  shift
  ./leap-nbd "$@" >"$OUT/$name.out" 2>&1 &
  eval "$name=$!"
  for i in $(seq 400); do
    grep -q '^ready' "$OUT/$name.out" && { note "$name is ready"; return 0; }
    kill -0 $! 2>/dev/null || break
    sleep 0.2
  done
  failed "$name is ready"
  tail -n 5 "$OUT/$name.out"
  return 1
}
donor_rdma() { start donor_rdma donor --memory 32M --slab-size 1M --transport both --listen $ADDRESS:9400 --unprotected --drain-timeout 0s --insecure; }
# Under emulation its first answer takes longer than a server waits: one is asked for before.
donor_tcp() {
  start donor_tcp donor --memory 32M --slab-size 1M --listen $ADDRESS:9500 --unprotected --drain-timeout 0s --insecure || return 1
  timeout 60 python3 - $ADDRESS 9500 <<'P'
import socket, struct, sys
body = b"LEAPDNR\0" + struct.pack(">HHIQ", 1, 1, 0, 0) + bytes(32) + struct.pack(">H", 5) + b"swap0"
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(struct.pack(">BBHIIIIIQ", 1, 0, 0, 1, 0, 0, 0, len(body), 0) + body)
s.recv(84, socket.MSG_WAITALL)
P
}
server() { # DONORS [OPTION...]
  local donors=$1
  shift
  start server serve --export leap --donors "$donors" --size 16M --unix $socket --unprotected --io-timeout 15s --state-dir /run/state --insecure \
    --http 127.0.0.1:9480 "$@"
}
pages() { timeout "${LIMIT:-120}" nbdsh -u "$uri" -c "$(cat tools/src/test/rdma/pages.py)" -c "$1"; }

if part layers; then
  rping -s -a $ADDRESS -C 5 >"$OUT/rping.out" 2>&1 &
  sleep 0.5
  expect 'rping: connections and messages' timeout 30 rping -c -a $ADDRESS -C 5
  read_lat() { # NAME [OPTION...]
    local name=$1
    shift
    ib_read_lat "$@" -d rxe0 -R -s 4096 -n 1000 -F >"$OUT/$name.server" 2>&1 &
    sleep 1
    timeout 60 ib_read_lat "$@" -d rxe0 -R -s 4096 -n 1000 -F $ADDRESS >>"$OUT/$name.out" 2>&1
  }
  rm -f "$OUT"/ib_read_lat*
  expect 'ib_read_lat: RDMA reads' read_lat ib_read_lat
  read_lat ib_read_lat
  read_lat ib_read_lat_events -e
fi
typical() { awk '$1 == 4096 { print $5 }' "$OUT/$1.out" 2>/dev/null | sort -n | head -n 1; }
reference=$(typical ib_read_lat)
woken=$(typical ib_read_lat_events)
note "ib_read_lat: typical ${reference:=1000} us, woken by events ${woken:=1000} us"

donor_rdma || return 1

if part probe; then
  # As the launcher does it, so that its cache fits.
  lib=$HOME_DIR/tools/target/dist/lib
  class_path=$(ls $lib/donor-*.jar)
  for jar in "$lib"/*.jar; do class_path=$class_path:$jar; done
  $JAVA_HOME/bin/java -XX:+UseSerialGC -XX:+UseCompactObjectHeaders -XX:-UsePerfData ${cached% *} \
    -XX:AOTCache="$(ls "$lib"/../serve-*.aot)" -Xmx128m --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    --add-exports=java.base/sun.nio.ch=ALL-UNNAMED -cp "$class_path:$BUILD/classes" \
    Probe $ADDRESS 9400 4000 "$reference" "$woken" 2>"$OUT/probe.err" || { failed 'the probe ends well'; tail -n 5 "$OUT/probe.err"; }
fi

donor_tcp || return 1
server "rdma://1,$ADDRESS:9400,tcp://$ADDRESS:9500" --threads 1 --prefetch none || return 1

if part verify; then
  expect 'libnbd: a mixed list holds what was written' pages 'fill(0); verify(0)'
  expect 'both donors hold slabs, and pages are read by the device' pages 'placed()'
  expect 'fio: random writes and reads, verified' timeout 200 fio --eta=never --name=v --ioengine=nbd --uri="$uri" --rw=randrw \
    --bs=4k --size=8m --io_size=2m --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --output="$OUT/fio.out"
fi

if part stopped; then
  pages 'fill(1)' || failed 'pages before the donors are stopped'
  kill -STOP "$donor_rdma" "$donor_tcp"
  expect 'stopped donors: pages are still read over rdma, and not over tcp' pages 'stopped()'
  kill -CONT "$donor_rdma" "$donor_tcp"
  expect 'when they go on everything is there' pages 'verify(1, 16)'
fi

if part swap; then
  nbd-client -unix $socket /dev/nbd0 -N leap >"$OUT/nbd-client.out" 2>&1 && mkswap /dev/nbd0 >/dev/null && swapon -p 100 /dev/nbd0 ||
    failed 'swap on the device'
  mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
  echo +memory >/sys/fs/cgroup/cgroup.subtree_control
  mkdir -p /sys/fs/cgroup/small && echo 12M >/sys/fs/cgroup/small/memory.max
  expect 'swap: every page of a program twice its memory is right' timeout 150 bash -c \
    'echo $$ >/sys/fs/cgroup/small/cgroup.procs; exec "$0" 20 seq random' "$BUILD/swapcheck"
  swapoff /dev/nbd0
  nbd-client -d /dev/nbd0 >/dev/null
fi

if part killed; then
  pages 'fill(2)' || failed 'pages before the server is killed'
  kill -9 "$server"
  wait "$server" 2>/dev/null
  server "rdma://1,$ADDRESS:9400,tcp://$ADDRESS:9500" --threads 2 --path queued --prefetch adaptive
  expect 'the server is killed: the next one has every page' pages 'verify(2, connections=3)'
  expect 'and had most of them before they were asked for' pages 'prefetched()'
  kill -9 "$donor_rdma"
  wait "$donor_rdma" 2>/dev/null
  expect 'the rdma donor is killed: its pages are errors, all others right' pages 'without_a_donor(2)'
  donor_rdma
  expect 'it is back: the device can be written and read again' pages 'refill(3); verify(3, 16)'
fi
if part copies; then
  kill -9 "$server"
  wait "$server" 2>/dev/null
  server "rdma://1,$ADDRESS:9400?zone=a,tcp://$ADDRESS:9500?zone=b" --threads 1 --prefetch none --replicas 2 --fresh
  expect 'two copies: what the device reads into frames and is copied is right' pages 'fill(4); verify(4); verify(4, 4); framed()'
  kill -STOP "$donor_tcp"
  expect 'two copies, one donor stopped: every page is read' pages 'verify(4, 4)'
  kill -CONT "$donor_tcp"
  expect 'fio: two copies, random writes and reads, verified' timeout 200 fio --eta=never --name=c --ioengine=nbd --uri="$uri" --rw=randrw \
    --bs=4k --size=8m --io_size=2m --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --output="$OUT/fio-copies.out"
fi
kill -TERM "$server" "$donor_tcp" "$donor_rdma" 2>/dev/null
sleep 1
true
