# Sourced by the kernel suite's lab: one program, and the server records what it is asked.
. "$here/leap.sh"
program_name=$1 cluster=$2
seconds=110 # what a run may take; what was recorded until then counts
run=/mnt/host$BUILD/workloads

start_donors 512M
host_start server "$program" serve --donors "$donors" --size 640M --listen "$HOST_IP:10809" --http none --prefetch none --insecure \
  --record "$OUT/trace.gz"
await server ^ready 60 || give_up 'no server'
guest "nbd-client $HOST_IP 10809 /dev/nbd0 -N leap -b 4096 && mkswap /dev/nbd0 && swapon /dev/nbd0 &&
  echo $cluster >/proc/sys/vm/page-cluster && echo 0 >/proc/sys/vm/watermark_boost_factor &&
  echo 8192 >/proc/sys/vm/min_free_kbytes" || give_up 'no swap'

# Into a data base in memory: rows of 200 to 800 bytes, an index, then queries by key, by index, ranges and updates.
sqlite_script() {
  cat <<'SQL'
PRAGMA temp_store=MEMORY;
CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 360000)
  INSERT INTO t SELECT i, abs(random()) % 1000000, randomblob(200 + abs(random()) % 600) FROM n;
CREATE INDEX ta ON t(a);
SQL
  awk 'BEGIN {
    srand(7)
    for (i = 0; i < 30000; i++) {
      k = int(rand() * 360000); a = int(rand() * 1000000); kind = rand()
      if (kind < .5) printf "SELECT length(b) FROM t WHERE id = %d;\n", k
      else if (kind < .8) printf "SELECT sum(length(b)) FROM t WHERE a BETWEEN %d AND %d;\n", a, a + 20
      else if (kind < .9) printf "SELECT count(*), sum(length(b)) FROM t WHERE id BETWEEN %d AND %d;\n", k, k + 400
      else printf "UPDATE t SET b = randomblob(300) WHERE id = %d;\n", k
    }
  }'
}

# A C file of many functions, which the compiler keeps in memory as a whole.
big_source() {
  awk 'BEGIN {
    print "#include <stddef.h>\nstatic int table[4096];"
    for (f = 0; f < 9000; f++) {
      printf "int f%d(int x, int *p) {\n  int s = %d;\n", f, f
      for (l = 0; l < 6; l++)
        printf "  for (int i%d = 0; i%d < x + %d; i%d++) { s += p[(i%d * %d) & 1023] ^ table[(s + %d) & 4095]; if (s & %d) s -= x * %d; }\n", l, l, l, l, l, f % 31 + 1, f, l + 1, f % 13
      if (f > 2) printf "  s += f%d(x - 1, p) + f%d(s, p);\n", f - 1, f - 2
      print "  return s;\n}"
    }
  }'
}

case $program_name in
  mergesort) guest_start work "$run mergesort 128" ;;
  matrix) guest_start work "$run matrix 216" ;;
  pagerank) guest_start work "$run pagerank 256" ;;
  bfs) guest_start work "$run bfs 256" ;;
  redis)
    guest_start work "redis-server --save '' --port 6379 --daemonize yes --dir /tmp >/dev/null
      for i in 1 2 3 4 5 6 7 8 9; do redis-cli ping >/dev/null 2>&1 && break; sleep 0.3; done
      redis-benchmark -q -t set -r 200000 -n 300000 -d 1000 -c 4 -P 16
      redis-benchmark -q -t get,set -r 200000 -n 60000 -d 1000 -c 8"
    ;;
  sqlite)
    sqlite_script >"$OUT/script.sql"
    guest_start work 'sqlite3 :memory: </mnt/lab/script.sql >/dev/null'
    ;;
  compiler)
    big_source >"$OUT/big.c"
    guest_start work 'TMPDIR=/mnt/lab gcc -O2 -c -o /mnt/lab/big.o /mnt/lab/big.c'
    ;;
  mixed) guest_start work "$run pagerank 128 & $run mergesort 72; wait" ;;
  *) give_up "no program $program_name" ;;
esac
guest_wait work $seconds
status=$?
note "the program: status $status"
cat "$OUT/work.out"
[ $status = 0 ] || [ $status = 124 ] || give_up 'the program failed'
host_kill server TERM
for _ in $(seq 100); do [ -s "$OUT/server.rc" ] && break; sleep 0.1; done
cat "$OUT/server.out"
