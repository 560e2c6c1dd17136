#!/bin/bash
# The rdma suite: run.sh [PART ...], of layers, probe, verify, stopped, swap, killed; none named: all. README.md describes it.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../../../.." && pwd)
out=${LEAP_NBD_TEST_OUT:-$home/tools/target/test}/rdma
build=$home/tools/target/rdma
lib=$home/tools/target/dist/lib
mkdir -p "$out" "$build/classes"

class_path=$(ls "$lib"/donor-*.jar)
for jar in "$lib"/*.jar; do class_path=$class_path:$jar; done
"$JAVA_HOME/bin/javac" -proc:none -nowarn -cp "$class_path" -d "$build/classes" "$here/Probe.java" &&
  gcc -O2 -static -o "$build/swapcheck" "$here/../kernel/swapcheck.c" || {
  echo '0 passed, 1 failed'
  exit 1
}
# What the launcher keeps for itself fits the processor that it was made on, and the guest's is another one.
if [ ! "$build/guest.aot" -nt "$home/tools/target/dist/built" ]; then
  "$JAVA_HOME/bin/java" -XX:+UseSerialGC -XX:+UseCompactObjectHeaders -XX:-UsePerfData -XX:+UnlockDiagnosticVMOptions \
    -XX:-AOTAdapterCaching -XX:-AOTStubCaching --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    --add-exports=java.base/sun.nio.ch=ALL-UNNAMED -Xmx64m -XX:AOTCacheOutput="$build/guest.aot" -cp "$class_path" \
    io.leapnbd.tools.LeapNbd train >"$out/aot.log" 2>&1 || echo 'no AOT cache: everything starts later'
fi
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
"$here/lab" --limit 590 --build "$build" --out "$out" "$here/scenario.sh" "$@" 2>&1 | tee "$out/scenario.log"
status=${PIPESTATUS[0]}
passed=$(cat "$out/host.log" "$out/scenario.log" | grep -cE '^(\[ *[0-9.]+\] )?PASS ')
failed=$(cat "$out/host.log" "$out/scenario.log" | grep -cE '^(\[ *[0-9.]+\] )?FAIL ')
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
  echo "FAIL the scenario ran to its end (status $status)"
  failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
