# All of the suite, in one guest: layer by layer, so that a failure names its layer. Sourced by the lab.
# An argument: the parts to run, of: layers probe verify stopped swap killed copies pool stranger cost. None: all but copies and cost.
export JAVA_HOME=$SHORT_JAVA LEAP_NBD_BUILD=no NO_COLOR=1
# The launcher's AOT cache was made on another processor: what it holds of code is left out. Code that the JVM compiles is
# translated again by the emulator, so only what is hot is compiled: a start takes three quarters of the time.
cached="-XX:+UnlockDiagnosticVMOptions -XX:-AOTAdapterCaching -XX:-AOTStubCaching -XX:TieredStopAtLevel=1"
export LEAP_NBD_JAVA_OPTS="$cached -XX:CompileThresholdScaling=10"
parts=" ${*:-layers probe verify stopped swap killed pool stranger} "
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
  for i in $(seq 1500); do
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
pages() { timeout "${LIMIT:-600}" nbdsh -u "$uri" -c "$(cat tools/src/test/rdma/pages.py)" -c "$1"; }

if part layers; then
  rping -s -a $ADDRESS -C 5 >"$OUT/rping.out" 2>&1 &
  sleep 0.5
  expect 'rping: connections and messages' timeout 120 rping -c -a $ADDRESS -C 5
  read_lat() { # NAME [OPTION...]
    local name=$1
    shift
    ib_read_lat "$@" -d rxe0 -R -s 4096 -n 1000 -F >"$OUT/$name.server" 2>&1 &
    sleep 1
    timeout 120 ib_read_lat "$@" -d rxe0 -R -s 4096 -n 1000 -F $ADDRESS >>"$OUT/$name.out" 2>&1
  }
  rm -f "$OUT"/ib_read_lat*
  # Its client crashes when its server does not listen yet, which may take longer than a second here.
  read_lat_at_last() { read_lat ib_read_lat || { sleep 5; read_lat ib_read_lat; } || { sleep 15; read_lat ib_read_lat; }; }
  expect 'ib_read_lat: RDMA reads' read_lat_at_last
  read_lat ib_read_lat
  read_lat ib_read_lat_events -e
fi
typical() { awk '$1 == 4096 { print $5 }' "$OUT/$1.out" 2>/dev/null | sort -n | head -n 1; }
reference=$(typical ib_read_lat)
woken=$(typical ib_read_lat_events)
note "ib_read_lat: typical ${reference:=1000} us, woken by events ${woken:=1000} us"

# java CLASS ARGUMENT...: as the launcher does it, so that its cache fits.
java() {
  local lib=$HOME_DIR/tools/target/builds/current/lib class_path jar
  class_path=$(ls $lib/donor-*.jar)
  for jar in "$lib"/*.jar; do class_path=$class_path:$jar; done
  $JAVA_HOME/bin/java -XX:+UseSerialGC -XX:+UseCompactObjectHeaders -XX:-UsePerfData ${cached% *} \
    -XX:AOTCache="$(ls "$lib"/../serve-*.aot)" -Xmx128m --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    --add-exports=java.base/sun.nio.ch=ALL-UNNAMED -cp "$class_path:$BUILD/classes" "$@"
}

# Whoever shows no certificate of the pool gets nothing, and both ends say why.
if part pool; then
  pools=$BUILD/pools
  in_pool() { # NAME EXPORT PORT OPTION...: a server in the foreground, that is refused
    local name=$1 export=$2 port=$3
    shift 3
    timeout 600 ./leap-nbd serve --export "$export" --donors "rdma://$ADDRESS:$port" --size 8M --unix /run/$name.sock --unprotected \
      --io-timeout 15s --wait 300s --state-dir /run/state-$name --threads 1 --http none "$@" >"$OUT/$name.out" 2>&1
  }
  start donor_pool donor --memory 32M --slab-size 1M --transport rdma --listen $ADDRESS:9600 --pool "$pools/ours/h1" --unprotected \
    --drain-timeout 0s || return 1
  start web serve --export pooled --donors "rdma://$ADDRESS:9600" --wait 300s --size 8M --unix /run/pooled.sock --unprotected --io-timeout 15s \
    --state-dir /run/state-pooled --threads 1 --prefetch none --http 127.0.0.1:9485 --pool "$pools/ours/web" || return 1
  expect 'a pool over rdma needs no --insecure, and neither end says that it is' eval '! grep insecure "$OUT"/donor_pool.out "$OUT"/web.out'
  pooled() { uri="nbd+unix:///pooled?socket=/run/pooled.sock" pages "PORT = 9485; $1"; }
  expect 'in a pool: what was written is read' pooled 'fill(5); verify(5, 4)'
  expect 'in a pool: pages are read by the device' pooled 'placed()'
  expect 'in a pool: fio, random writes and reads, verified' timeout 900 fio --eta=never --name=p --ioengine=nbd \
    --uri='nbd+unix:///pooled?socket=/run/pooled.sock' --rw=randrw --bs=4k --size=4m --io_size=1m --iodepth=16 --verify=crc32c --verify_fatal=1 \
    --do_verify=1 --output="$OUT/fio-pool.out"
  in_pool theirs other 9600 --pool "$pools/theirs/web"
  expect 'a server of another pool ends at the start, and says why' grep -q "is refused: its certificate is not of this pool's authority" "$OUT/theirs.out"
  expect 'the donor says who has refused it' grep -q "refuses the certificate of this donor: it is not of the other end's pool" "$OUT/donor_pool.out"
  in_pool mail pooled 9600 --pool "$pools/ours/mail"
  expect 'another identity cannot claim the export' grep -q "export pooled belongs to 'web' there" "$OUT/mail.out"
  in_pool plain other 9600 --insecure
  expect 'a server without a pool is told so' grep -q 'it serves only servers of its pool' "$OUT/plain.out"
  expect 'the donor says so too' grep -q 'does not use TLS; start that server with --pool' "$OUT/donor_pool.out"
  start donor_open donor --memory 8M --slab-size 1M --transport rdma --listen $ADDRESS:9700 --unprotected --drain-timeout 0s --insecure
  in_pool open other 9700 --pool "$pools/ours/web"
  expect 'a donor without a pool is refused' grep -q 'does not use TLS; start that donor with --pool' "$OUT/open.out"
  expect 'that donor says why' grep -q 'it uses TLS, and this donor does not' "$OUT/donor_open.out"
  expect 'all the while the export is its own' pooled 'refill(6); verify(6, 16)'
  kill -TERM "$web" "$donor_pool" "$donor_open" 2>/dev/null
  wait "$web" "$donor_pool" "$donor_open" 2>/dev/null
fi

if part stranger; then
  java Stranger $ADDRESS 9750 "$BUILD/pools/ours" 2>"$OUT/stranger.err" || { failed 'no stranger reads'; tail -n 5 "$OUT/stranger.err"; }
fi

if part cost; then
  java Cost $ADDRESS 9800 "$BUILD/pools/ours" 2>"$OUT/cost.err" || { failed 'the cost of a pool is measured'; tail -n 5 "$OUT/cost.err"; }
fi

case $parts in *probe*|*verify*|*stopped*|*swap*|*killed*|*copies*) ;; *) return 0 ;; esac
donor_rdma || return 1

if part probe; then
  java Probe $ADDRESS 9400 4000 "$reference" "$woken" 2>"$OUT/probe.err" || { failed 'the probe ends well'; tail -n 5 "$OUT/probe.err"; }
fi

donor_tcp || return 1
server "rdma://1,$ADDRESS:9400,tcp://$ADDRESS:9500" --threads 1 --prefetch none || return 1

if part verify; then
  expect 'libnbd: a mixed list holds what was written' pages 'fill(0); verify(0)'
  expect 'both donors hold slabs, and pages are read by the device' pages 'placed()'
  expect 'fio: random writes and reads, verified' timeout 900 fio --eta=never --name=v --ioengine=nbd --uri="$uri" --rw=randrw \
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
  expect 'swap: every page of a program twice its memory is right' timeout 900 bash -c \
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
  expect 'fio: two copies, random writes and reads, verified' timeout 900 fio --eta=never --name=c --ioengine=nbd --uri="$uri" --rw=randrw \
    --bs=4k --size=8m --io_size=2m --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --output="$OUT/fio-copies.out"
fi
kill -TERM "$server" "$donor_tcp" "$donor_rdma" 2>/dev/null
sleep 1
true
