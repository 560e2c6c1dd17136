"""Makes what the programs read, always the same: inputs.py lines COUNT | functions COUNT | tables ROWS, to standard output."""

import hashlib
import sys

FUNCTION = """\
static long f{i}(long *v, long n) {{
  long s = {a}, t[8] = {{{b}, {c}}};
  for (long k = 0; k < n; k++) {{
    t[k & 7] += v[(k * {b}) % n] * {a} - (s >> {d});
    if (t[(k + {d}) & 7] > {c}) s ^= t[k & 7] + v[k] / {e};
    else if (s < k) s += {c} * k + t[{d} & 7];
    switch ((s ^ k) & 3) {{ case 0: s += {a}; break; case 1: s -= t[1]; break; case 2: v[k] = s % {e}; break; default: t[2] ^= s; }}
  }}
  return s + t[0] + t[7]{call};
}}
"""

TABLES = """\
create table person(id integer primary key, town integer, name text, score integer);
insert into person select value, value * 2654435761 % 5003, printf('%08x-%0100d', value * 2246822519 % 4294967296, value), value * 40503 % 100003
  from generate_series(1, {rows});
create index by_score on person(score);
select town, count(*), sum(score), max(name) from person group by town having town < 20 order by town;
select sum(length(name)), sum(score * (id % 7)) from person;
select count(*), sum(p.score), min(p.name) from generate_series(1, {lookups}) g join person p on p.score = g.value * 7919 % 100003;
update person set score = score + 1 where town % 5 = 2;
select sum(score), max(name) from person where town % 3 = 1;
"""


def lines(count):
    for i in range(count):
        yield hashlib.sha256(b"%d" % i).hexdigest() + "\n"


def functions(count):
    for i in range(count):
        a, b, c, d, e = (int.from_bytes(hashlib.sha256(b"%d/%d" % (i, n)).digest()[:2], "big") + 3 for n in range(5))
        yield FUNCTION.format(i=i, a=a, b=b, c=c, d=d % 23 + 1, e=e, call=f" + f{i - 1}(v, n / 2 + 1)" if i % 20 else "")
    yield "long all(long *v, long n) { return " + " + ".join(f"f{i}(v, n)" for i in range(19, count, 20)) + "; }\n"


def tables(rows):
    yield TABLES.format(rows=rows, lookups=rows // 100)


if __name__ == "__main__":
    sys.stdout.writelines({"lines": lines, "functions": functions, "tables": tables}[sys.argv[1]](int(sys.argv[2])))
