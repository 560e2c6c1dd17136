"""Donors that die or want their memory back: how fast copies are made again, and what reads notice of it."""

import re
import statistics
import time

import load
from report import Row

DONORS = 3
DONE = re.compile(r"is done: (\d+) copies, (\d+) MiB in ([0-9.]+) s")


class Copies:
    """A server with two copies of each page, at donors that count as machines of their own."""

    def __init__(self, bench):
        self.bench = bench
        self.room = f"{2 * bench.mib + 256}M"
        self.donors = [bench.processes.donor(f"copies-{i}", self.room) for i in range(DONORS)]
        named = [(process, f"{address}?zone=z{i}") for i, (process, address) in enumerate(self.donors)]
        self.server = bench.processes.serve(
            "copies", bench.options.size, "--prefetch", "none", "--replicas", "2", donors=named, label="two copies"
        )
        bench.filled(self.server)
        # Donors come and go: only the server's own processor time is looked at.
        self.server.processes = self.server.processes[:1]
        self.names = [f"copies-{i}" for i in range(DONORS)]
        self.repairs = 0
        self.moves = 0

    def again(self, i):
        """A donor begins anew, with nothing."""
        name = f"again-{i}-{self.repairs + self.moves}"
        self.donors[i] = self.bench.processes.donor_again(name, self.donors[i][1], self.room)

    def kill(self, i):
        """A donor dies and begins anew, so that half of the copies that it had are gone at once."""
        process = self.donors[i][0]
        process.kill()
        process.wait()
        self.bench.processes.started.remove(process)
        self.again(i)
        self.repairs += 1

    def repaired(self):
        """(MiB, seconds) of the last repair, once it is done."""
        return self.figures("repair is done", self.repairs)

    def figures(self, words, count):
        found = DONE.search(self.bench.processes.await_logged("copies", words, count))
        return int(found.group(2)), float(found.group(3))

    def end(self):
        self.bench.processes.end(self.server.processes[0], *(process for process, _ in self.donors))


def speed(bench, copies):
    """Seconds a GiB of repair with nothing else going on, and of the bare relay in C, in turns."""
    ours, bare = [], []
    for number in range(bench.options.rounds):
        bare.append(bench.c_program(bench.mib, program="relay")["seconds"] * 1024 / bench.mib)
        copies.kill(number % DONORS)
        mib, seconds = copies.repaired()
        ours.append(seconds * 1024 / mib)
        bench.say(f"    {mib} MiB in {seconds:.2f} s: {ours[-1]:.2f} s a GiB; bare relay {bare[-1]:.2f}")
    return statistics.median(ours), statistics.median(bare)


def reads(bench, copies):
    """p99 of random reads at depth 1, without repair and during it, in turns."""
    quiet, during = [], []
    for number in range(bench.options.rounds):
        quiet.append(load.fio(bench.processes, copies.server, "randread", 1, bench.options.seconds, bench.options.size).p99)
        copies.kill(number % DONORS)
        bench.processes.await_logged("copies", "repair begins", copies.repairs)
        run = load.fio(bench.processes, copies.server, "randread", 1, bench.options.seconds, bench.options.size)
        during.append(run.p99)
        mib, seconds = copies.repaired()
        whole = "" if seconds >= bench.options.seconds + 1 else ", and ended before the reads did"
        bench.say(f"    p99 {quiet[-1]:.0f} us, during repair {during[-1]:.0f} us; {mib} MiB in {seconds:.1f} s{whole}")
    return statistics.median(during), statistics.median(quiet)


def memory_back(bench, copies):
    """Seconds a GiB from a donor's wish to its end, by when all its memory is the kernel's again."""
    took = []
    for number in range(bench.options.rounds):
        process = copies.donors[number % DONORS][0]
        begin = time.monotonic()
        process.terminate()
        process.wait()
        seconds = time.monotonic() - begin
        bench.processes.started.remove(process)
        copies.moves += 1
        mib, _ = copies.figures("moving is done", copies.moves)
        copies.again(number % DONORS)
        took.append(seconds * 1024 / mib)
        bench.say(f"    {mib} MiB moved, the donor has ended after {seconds:.2f} s: {took[-1]:.2f} s a GiB")
    return statistics.median(took)


def rows(bench):
    copies = Copies(bench)
    ours, bare = speed(bench, copies)
    during, quiet = reads(bench, copies)
    back = memory_back(bench, copies)
    copies.end()
    return [
        Row("repair speed, against memory over the same sockets by a bare relay in C", "seconds a GiB", ours, bare, 1.3),
        Row("reads of one client during repair, against before it", "p99", during, quiet, 1.5),
        Row("memory back after the wish of a donor that ends", "seconds a GiB", back, 1, 5),
    ]
