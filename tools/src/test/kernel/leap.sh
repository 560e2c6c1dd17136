# Sourced by the scenarios, inside the lab: donors and servers on the host's side, leap-nbd in the guest, and what a
# scenario expects of them. Prints a line 'PASS sentence' or 'FAIL sentence' for each expectation.

home=$(cd "$here/../../../.." && pwd)
. "$home/tools/scripts/jdk.sh"
JAVA_HOME=$(find_jdk) || fail "no JDK 25"
program=$home/leap-nbd
check_program=/mnt/host$BUILD/swapcheck
# In the guest the checkout and the JDK are read-only, and seen where the guest hides nothing.
in_guest="JAVA_HOME=/mnt/host$JAVA_HOME LEAP_NBD_BUILD=no NO_COLOR=1"
guest_program=/mnt/host$program
# Outside the guest, and in the guest where a scenario says so, only the quick compiler: most processes live for seconds.
quick=-XX:TieredStopAtLevel=1
export LEAP_NBD_BUILD=no NO_COLOR=1 LEAP_NBD_JAVA_OPTS=$quick
failures=0

passed() { note "PASS $1"; }
failed() {
  note "FAIL $1"
  failures=$((failures + 1))
}

# expect 'sentence' COMMAND ...: the sentence is true if the command succeeds; if not, what it printed is shown.
expect() { # not in a subshell: the command may set variables
  local sentence=$1
  shift
  if "$@" >"$WORK/said" 2>&1; then
    passed "$sentence"
  else
    failed "$sentence"
    { cat "$WORK/said"; [ -s "$WORK/said" ] || echo "(no output from: $*)"; } | tail -n 12 | sed 's/^/          /'
    return 1
  fi
}

# Ends the scenario: nothing that follows would make sense.
give_up() {
  note "given up: $*"
  evidence
  exit 1
}

says() { grep -Eq -- "$2" "$OUT/$1.out"; }      # NAME REGEX: the named command has printed a line like this
silent_about() { ! grep -E -- "$2" "$OUT/$1.out"; } # NAME REGEX: it has not

# How long the kernel's own counters say that pages have not moved is no sign of a deadlock: a server that is being
# restarted, or a pass that finds its pages in memory, looks the same. So: no packet on the tap at all for so long.
PATIENCE=100
seen='' since=0
moves() { # something has moved lately; if not, what a stuck guest can still tell is kept
  local counters
  counters=$(grep tp0 /proc/net/dev)
  if [ "$counters" != "$seen" ]; then seen=$counters since=$(now); fi
  (($(now) - since < PATIENCE * 1000000)) && return
  echo "nothing has moved for $PATIENCE s"
  collect_evidence
  return 1
}

# await NAME REGEX SECONDS: until the named command prints a line like this.
await() {
  local until=$(($(now) + $3 * 1000000))
  since=$(now)
  until says "$1" "$2"; do
    if [ -s "$OUT/$1.rc" ]; then
      says "$1" "$2" && return
      echo "$1 ended with $(cat "$OUT/$1.rc") and has not said '$2':"
      tail -n 5 "$OUT/$1.out"
      return 1
    fi
    if ! moves || [ "$(now)" -gt "$until" ]; then
      echo "$1 has not said '$2' in $3 s:"
      tail -n 5 "$OUT/$1.out"
      return 1
    fi
    sleep 0.05
  done
}

# Donors of $1 each, $2 of them (2), each on a machine of its own as far as the server knows.
start_donors() {
  local n
  donors=
  for n in $(seq "${2-2}"); do
    start_donor "$n" "$1"
    donors=$donors${donors:+,}$HOST_IP:940$n${2:+?zone=$n}
  done
  for n in $(seq "${2-2}"); do
    expect "donor $n lends $1" await "donor$n" ^ready 400 || give_up "no donor"
  done
}
start_donor() { # NUMBER MEMORY
  host_start "donor$1" "$program" donor --listen "$HOST_IP:940$1" --memory "$2" --slab-size 16M --http "127.0.0.1:948$1" --insecure
}

# A server on the host's side; $1 is its size, more are options. Started again, it is the same server.
host_server() {
  local size=$1
  shift
  server=server$((++servers))
  host_start $server "$program" serve --donors "$donors" --size "$size" --listen "$HOST_IP:10809" --http 127.0.0.1:9480 --insecure "$@"
  await $server ^ready 400
}
# The figures of the server on the host's side, by its own word: pages that were prefetched have been read.
prefetched_pages_are_read() {
  "$program" status --http 127.0.0.1:9480 >"$OUT/status" && grep -E '^ *prefetched [1-9][0-9,]* pages, of which [1-9]' "$OUT/status"
}
# What somebody who listens at a port of this side counts: the sum of the lines of /metrics that begin like this.
counted() { # PORT TEXT
  exec 3<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
  awk -v text="$2" 'index($0, text) == 1 { sum += $NF } END { printf "%d\n", sum }' <&3
  exec 3>&-
}
# Waits until the server on the host's side says that each of its $1 donors is up and each slab has its copies; $2 seconds.
each_page_has_its_copies() {
  local until=$(($(now) + $2 * 1000000)) said
  while :; do
    said=$("$program" status --json --http 127.0.0.1:9480) &&
      grep -q '"slabs_short_of_copies": 0\b' <<<"$said" && [ "$(grep -c '"up": true' <<<"$said")" = "$1" ] && return
    [ "$(now)" -lt "$until" ] || break
    sleep 0.5
  done
  echo "$said"
  return 1
}
# Every read of a donor is either a page's that was prefetched, or a demand's that was no hit: a hit makes no trip. Asks for
# many hits, so that this says something. For a server that was never started again.
hits_make_no_trip() {
  local reads demands hits fetched
  reads=$(($(counted 9481 'leap_lender_requests_total{operation="read"}') + $(counted 9482 'leap_lender_requests_total{operation="read"}')))
  hits=$(($(counted 9480 'leap_cache_pages_total{event="hit"') + $(counted 9480 'leap_cache_pages_total{event="hit-in-flight"')))
  demands=$((hits + $(counted 9480 'leap_cache_pages_total{event="miss"')))
  fetched=0
  for event in added aborted invalidated; do fetched=$((fetched + $(counted 9480 "leap_cache_pages_total{event=\"$event\""))); done
  echo "$demands pages demanded, $hits hits, $fetched fetched ahead, $reads reads at the donors"
  ((reads > 0 && hits * 4 > demands && reads <= demands - hits + fetched))
}
# A server in the guest.
guest_server() {
  server=server$((++servers))
  guest_start $server "export $in_guest; exec $guest_program serve --donors $donors --size $1 \
    --unix /run/leap.sock --http none --cache-size 4M --insecure $serve_options"
  await $server ^ready 400
}
# The same, and it attaches itself: one process. 'ready' comes when the kernel swaps.
guest_swap_server() {
  server=server$((++servers))
  guest_start $server "export $in_guest; exec $guest_program serve --donors $donors --size $1 --swap --swap-timeout 6s \
    --unix /run/leap.sock --http none --cache-size 4M --insecure $serve_options"
  await $server ^ready 400
}
servers=0 serve_options=

# attach URI [OPTION ...] in the guest, resident under the name 'attach'.
attach() {
  guest_start attach "export $in_guest; exec $guest_program attach $*"
  await attach ^ready 400
}
detach() { GUEST_LIMIT=400 guest "$in_guest $guest_program detach"; }

refused_for() { # TEXT COMMAND...: it fails, and says this
  local said text=$1
  shift
  said=$("$@" 2>&1) && return 1
  echo "$said"
  [[ $said == *"$text"* ]]
}

# watch NAME SECONDS: waits for a command of the guest, gives up early when nothing moves any more. Its status; 124 slow,
# 123 stuck.
watch() {
  local until=$(($(now) + $2 * 1000000))
  since=$(now)
  until guest_wait "$1" 1; do
    [ ! -s "$OUT/$1.rc" ] || return "$(cat "$OUT/$1.rc")"
    kill -0 "$KERNEL" 2>/dev/null || return 125
    moves || return 123
    if (($(now) > until)); then
      echo "$1 is not done after $2 s" >&2
      return 124
    fi
  done
}

# The whole program ran, and every page was right: the answer to all of this.
every_page_right() {
  local status
  watch "$1" "$2"
  status=$?
  if [ $status != 0 ] || ! says "$1" 'every page right'; then
    echo "status $status"
    grep swapcheck "$OUT/$1.out"
    return 1
  fi
}
# What each pass took.
figures() { grep -E 'swapcheck: [a-z0-9]+ +[0-9]+ pages' "$OUT/$1.out" | sed 's/^swapcheck:/         /'; }

swap_in_use() { guest_file /proc/swaps | grep -q "$1"; }
swap_not_in_use() { ! swap_in_use "$1"; }
device_is_gone() { [ "$(guest_file /sys/block/"$1"/size)" = 0 ]; }
guest_settings() {
  local setting
  for setting in min_free_kbytes watermark_boost_factor watermark_scale_factor page-cluster; do
    echo "$setting $(guest_file /proc/sys/vm/$setting)"
  done
}
settings_are() { diff <(guest_settings) <(printf '%s\n' "$1"); }

# Twice the guest's memory, in MiB.
twice_memory() { echo $((${MEMORY%M} * 2)); }

# resident NAME: what a Java process of the guest has in memory. (VmLck counts what is reserved as well.)
resident() {
  local pid
  pid=$(guest "pgrep -f 'LeapNbd $1 '" | head -1)
  guest_file "/proc/$pid/status" | awk -v name="$1" '
    /^(VmRSS|RssAnon)/ { printf "          %s %s %.0f MiB\n", name, $1, $2 / 1024 }'
}

# Into the folder of results: what a guest that is stuck can still tell. The first time counts.
collect_evidence() {
  local GUEST_LIMIT=5 file
  {
    guest_tasks
    for file in vmstat zoneinfo swaps net/netstat net/sockstat net/tcp; do
      echo "== $file"
      guest_file /proc/$file
    done
  } >"$OUT/evidence" 2>&1
  guest_sysrq m
  guest_sysrq w # last: the kernel was seen to abort over it
}

# The same, and the ends of what was printed.
evidence() {
  [ -s "$OUT/evidence" ] || collect_evidence
  for file in "$OUT"/server*.out "$OUT"/attach.out "$OUT/console"; do
    [ ! -s "$file" ] || {
      echo "          -- the end of $(basename "$file"):"
      grep -v '^ *$' "$file" | tail -n 12 | cut -c1-200 | sed 's/^/          /'
    }
  done
  echo "          -- all of it: $OUT"
}

# The kernel has not waited in vain for any answer of a device that was never away.
no_timeouts() { ! grep -E 'nbd[0-9]+: .*timed out' "$OUT/console"; }
# No request has failed.
no_errors() { ! grep -E 'I/O error, dev nbd|-error on swap-device' "$OUT/console"; }

# Ends the scenario.
done_with() {
  [ $failures = 0 ] || evidence
  exit $((failures > 0))
}
