#!/usr/bin/env python3
"""Where a process's memory is: parts.py PID prints the resident and the locked MiB of each part of a leap-nbd process, from
/proc/PID/smaps. Tell the heap and the code cache apart from the rest by what jvm.sh gives them: the largest anonymous
mapping is the Java heap, the executable one the compiled code."""

import collections
import re
import sys

HEADER = re.compile(r"[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+ *(.*)")


def mappings(pid):
    """(permissions, name, resident KiB, locked KiB) of each."""
    found = []
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            header = HEADER.match(line)
            if header:
                found.append([header.group(1), header.group(2).strip(), 0, 0])
            elif line.startswith("Rss:"):
                found[-1][2] = int(line.split()[1])
            elif line.startswith("Locked:"):
                found[-1][3] = int(line.split()[1])
    return found


def part(permissions, name, resident, heap):
    if name == "[heap]":
        return "C library's heap: buffers, page cache, compilers, symbols"
    if name.endswith(".aot"):
        return "archive of prepared classes"
    if name.endswith("libjvm.so"):
        return "libjvm.so"
    if name.endswith(".state"):
        return "state file"
    if name:
        return "other files and libraries"
    if "x" in permissions:
        return "compiled code"
    return "Java heap" if resident == heap else "stacks, metaspace and the rest"


def parts(pid):
    """{part: (resident KiB, locked KiB)}, the largest first."""
    found = mappings(pid)
    heap = max(resident for permissions, name, resident, _ in found if not name and "x" not in permissions)
    sums = collections.defaultdict(lambda: [0, 0])
    for permissions, name, resident, locked in found:
        place = sums[part(permissions, name, resident, heap)]
        place[0] += resident
        place[1] += locked
    return dict(sorted(sums.items(), key=lambda item: -item[1][0]))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: parts.py PID")
    sums = parts(sys.argv[1])
    print(f"{'resident MiB':>12} {'locked MiB':>10}")
    for name, (resident, locked) in sums.items():
        print(f"{resident / 1024:12.1f} {locked / 1024:10.1f}  {name}")
    print(f"{sum(r for r, _ in sums.values()) / 1024:12.1f} {sum(l for _, l in sums.values()) / 1024:10.1f}  in all")


if __name__ == "__main__":
    main()
