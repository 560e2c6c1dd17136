"""Round after round of faults, drawn by seed, on one pool: three donors behind relays, two copies of each page, fio and a checker of every
page. Nothing is wrong and nothing fails as long as one copy of each page lives, and nothing hangs. In some rounds two donors are killed at
once: then what both held is EIO, and never other bytes. 'run.sh --rounds 1000 --from 1' for a night."""

import collections
import json
import os
import random
import subprocess
import textwrap
import threading
import time
import urllib.error

from connection import connect
from copies import Zoned
from faults import BothKilled, plan
from load import PAGE, Load
from processes import LAUNCHER, QUICK, Donor, Server, await_that, free_address
from relay import Relay
from verified import Verified

NAME = "whatever happens to donors, wires and the server"
HALF = 32 << 20  # of the device; the first is the checker's, the second fio's
PAGES = HALF // PAGE
SLAB = 1 << 20
PER_SLAB = SLAB // PAGE
MOVING = 4  # slabs that may be on their way to another donor
LOSSES = 20  # in one round of so many pages are lost on purpose
ROUND_DEADLINE = 100
POOL_ROUNDS = 25  # with one pool; every other one is encrypted
EVIDENCE = os.environ.get("LEAP_NBD_TEST_OUT") or os.path.join(os.path.dirname(__file__), "../../../target/test")


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Pool:
    """Three donors on machines of their own, each with room for the whole device, a server that keeps two copies, and the load."""

    def __init__(self, processes, seed, encrypt):
        self.processes = processes
        processes.forget_ended()  # the pool before
        self.donors = [Donor(processes, "96M", f"donor {i}", drain_timeout="50s") for i in range(3)]
        for donor in self.donors:
            donor.ready()
        self.relays = [Relay(processes, donor, seed + i) for i, donor in enumerate(self.donors)]
        named = [Zoned(relay, i) for i, relay in enumerate(self.relays)]
        self.http = free_address()  # it stays the same when the server is started again
        self.server = Server(processes, 2 * HALF, named, replicas=2, io_timeout="20s", http=self.http, encrypt=encrypt).ready()
        self.server_starts = 1
        self.load = Load(self.server.uri("nbd+unix"), PAGES, seed=seed)
        self.load.fill()
        self.fio = Verified(processes, self.server, HALF, HALF)
        self.counted = collections.Counter()  # by all servers, as far as they lived to tell
        self.told = (0, collections.Counter())

    def count(self):
        """Adds what the server has counted since the last time."""
        status = self.server.status()
        now = collections.Counter({name: status["export"][name] for name in ("copies_filled", "copies_moved", "copies_dropped")})
        for donor in status["donors"]:
            now.update({name: donor[name] for name in ("seals_unfit", "seals_mended")})
        start, before = self.told
        self.counted.update(now if start != self.server_starts else now - before)
        self.told = (self.server_starts, now)

    def lost(self):
        """Pages that were lost since the server's start, whether they were written again or not."""
        return self.server.status()["export"]["pages_lost"]

    def held(self):
        """Slabs at each donor."""
        return [donor.status()["slabs_lent"] for donor in self.donors]

    def by_held(self):
        """The donors' numbers, the one that holds most first."""
        held = self.held()
        return sorted(range(3), key=lambda number: -held[number])

    def await_server(self):
        def answers():
            try:
                return self.server.status()
            except (urllib.error.URLError, ConnectionError):
                return None

        await_that(answers, "the server answers", 60)

    def await_up(self):
        await_that(lambda: all(donor["up"] for donor in self.server.status()["donors"]), "all donors are up", 60)

    def await_whole(self):
        """Until each page has two copies, for a while: what has just happened may not have been noticed yet."""
        seen = 0

        def whole():
            nonlocal seen
            status = self.server.status()
            well = status["export"]["slabs_short_of_copies"] == 0 and all(donor["up"] for donor in status["donors"])
            seen = seen + 1 if well else 0
            return seen > 3

        await_that(whole, "every page has two copies", 80)

    def write_again(self):
        """Every page, fio's too."""
        self.load.fill()
        connection = connect(self.load.uri)
        for first in range(HALF, 2 * HALF, 1 << 20):
            errors = connection.wait(*(connection.write(first + at, bytes(1 << 18)) for at in range(0, 1 << 20, 1 << 18)))
            require(not any(errors), f"a write to what was lost failed with {errors}")
        connection.close()

    def daemons(self):
        return [self.server, *self.donors, *self.relays]

    def end(self):
        self.fio.close()
        for daemon in self.daemons():
            daemon.kill()


class Tally:
    """What happened in all rounds."""

    def __init__(self):
        self.rounds = self.losses = self.lost_pages = 0
        self.faults = collections.Counter()
        self.requests = self.bytes = self.fio_jobs = self.fio_requests = self.fio_bytes = 0
        self.changed = 0
        self.server = collections.Counter()
        self.wrong = self.errors = self.hangs = self.others = 0
        self.seconds = 0

    def failed(self, failure, pool):
        words = str(failure)
        wrong = sum("it may be" in what for what in pool.load.wrong) if pool else 0
        errors = len(pool.load.wrong) - wrong if pool else 0
        if "fio ended" in words:
            wrong += "verify" in words
            errors += "verify" not in words
        if "pages cannot be read" in words:
            errors += int(words.split()[0])
        hangs = "hangs" in words or "not within" in words or "no server accepts" in words
        self.wrong += wrong
        self.errors += errors
        self.hangs += hangs
        self.others += not (wrong or errors or hangs)

    def add(self, pool):
        """A pool that is not used any more."""
        load, fio = pool.load, pool.fio
        self.requests += sum(load.done.values())
        self.bytes += load.bytes
        self.fio_jobs += fio.jobs
        self.fio_requests += fio.requests
        self.fio_bytes += fio.bytes
        self.changed += sum(relay.look() for relay in pool.relays if relay.alive())
        self.server.update(pool.counted)

    def __str__(self):
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items(), key=lambda pair: -pair[1]))
        rows = [
            ("rounds", f"{self.rounds}, of which {self.losses} killed both donors of some pages; {self.seconds / max(1, self.rounds):.1f} s each"),
            ("faults", f"{sum(self.faults.values())}: {faults}"),
            ("checker", f"{self.requests:,} requests, {self.bytes / (1 << 30):.1f} GiB, and every page read after each round"),
            ("fio", f"{self.fio_jobs} jobs, {self.fio_requests:,} requests, {self.fio_bytes / (1 << 30):.1f} GiB"),
            ("repair", f"{self.server['copies_filled']:,} slabs filled, {self.server['copies_moved']:,} of them moved; "
             f"{self.server['copies_dropped']:,} copies left out"),
            ("changed bits", f"{self.changed:,}; {self.server['seals_unfit']:,} pages found out, {self.server['seals_mended']:,} mended"),
            ("lost on purpose", f"{self.lost_pages:,} pages"),
            ("wrong pages", str(self.wrong)),
            ("errors", str(self.errors)),
            ("hangs", str(self.hangs)),
            ("other failures", str(self.others)),
        ]
        return "\n".join(f"    {name:<16}{what}" for name, what in rows)


class Rounds:
    """The pool that rounds share; one that failed is not used again."""

    def __init__(self, processes):
        self.processes = processes
        self.pool = None
        self.pools = 0
        self.tally = Tally()

    def one(self, seed, faults):
        begin = time.monotonic()
        watchdog = threading.Timer(ROUND_DEADLINE, self.give_up, [seed, faults])
        watchdog.daemon = True
        try:
            if self.tally.rounds % POOL_ROUNDS == 0:
                self.last()
            if self.pool is None:
                # One with both compilers, as servers have them, and then three that take half the time to start.
                self.processes.use_flags(QUICK if self.pools % 4 else self.processes.given_flags)
                self.pool = Pool(self.processes, seed, "on" if self.pools % 2 == 0 else "off")
                self.pools += 1
            watchdog.start()
            self.pool.load.random.seed(seed)
            donors = self.pool.by_held()
            for fault in faults:
                fault.meet(donors)
            if isinstance(faults[0], BothKilled):
                self.lossy(faults[0])
            else:
                self.harmless(faults, random.Random(~seed))
            self.pool.count()
        except Exception as failure:
            self.tally.failed(failure, self.pool)
            self.evidence(seed, faults, failure)
            self.retire()
            raise
        finally:
            watchdog.cancel()
            self.tally.rounds += 1
            self.tally.faults.update(fault.kind for fault in faults)
            self.tally.seconds += time.monotonic() - begin

    def harmless(self, faults, draw):
        pool, load = self.pool, self.pool.load
        before = pool.lost()
        pool.fio.look()
        load.run(draw.randint(500, 1000), at=[(fault.at, lambda fault=fault: fault.begin(pool)) for fault in faults])
        for fault in sorted(faults, key=lambda fault: (fault.donor is not None, not fault.costs_copies)):  # the server first: others ask it
            fault.mend(pool)
        pool.await_whole()
        load.verify()
        require(pool.lost() <= before, f"{pool.lost() - before} pages are lost")
        pool.fio.look()

    def lossy(self, fault):
        """Pages whose donors were both killed are EIO, stay EIO when the donors are back, blank, and are as good as any when written again."""
        pool, load = self.pool, self.pool.load
        pool.fio.finish()
        before = pool.lost()
        at_both = 2 * HALF // SLAB - pool.held()[fault.third] + MOVING
        load.tolerated = {"EIO"}
        load.run(600, at=[(fault.at, lambda: fault.begin(pool))])
        fault.mend(pool)
        pool.await_up()
        lost = load.unreadable()
        total = pool.lost() - before
        require(total <= at_both * PER_SLAB, f"{total} pages are lost; {at_both} slabs were at both donors")
        require(total > 0 or at_both <= MOVING or fault.seconds > 0, "no page is lost whose donors were both killed")
        require(len(lost) <= total, f"{len(lost)} pages cannot be read; {total} are lost")
        require(load.unreadable() == lost, "other pages are lost than before")
        load.tolerated = set()
        pool.write_again()
        pool.await_whole()
        load.verify()
        self.tally.losses += 1
        self.tally.lost_pages += total

    def last(self):
        """fio's last job is right too."""
        try:
            if self.pool is not None:
                self.pool.fio.finish()
        finally:
            self.retire()

    def retire(self):
        pool, self.pool = self.pool, None
        if pool is not None:
            self.tally.add(pool)
            pool.end()

    # When something is wrong.

    def give_up(self, seed, faults):
        self.evidence(seed, faults, f"not over after {ROUND_DEADLINE} s")
        # What the round waits for ends with the processes; then it fails by itself.
        self.processes.kill_all()

    def evidence(self, seed, faults, failure):
        """Keeps logs, statuses and, of what still runs, the stacks of all threads."""
        folder = os.path.realpath(os.path.join(EVIDENCE, f"rounds-seed-{seed}"))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "story"), "a") as story:
            story.write(f"seed {seed}: {', '.join(fault.story for fault in faults)}\n{failure}\n")
        for daemon in self.pool.daemons() if self.pool is not None else []:
            name = os.path.join(folder, daemon.name.replace(" ", "-"))
            with open(name + ".log", "w") as log:
                log.write(daemon.errors())
            if daemon.alive() and not isinstance(daemon, Relay):
                daemon.resume()
                with open(name + ".stacks", "w") as stacks:
                    look_at(daemon, stacks)
        if self.pool is not None and self.pool.server.alive():
            try:
                print(textwrap.indent(self.processes.run(LAUNCHER, "status", "--http", self.pool.http), "    "), flush=True)
            except AssertionError as silent:
                print(f"    {silent}", flush=True)
        print(f"    what the processes said and did is in {folder}", flush=True)


def look_at(daemon, out):
    """The stacks of all threads of a process, and its status."""
    jstack = os.path.join(os.path.dirname(os.path.realpath(f"/proc/{daemon.child.pid}/exe")), "jstack")
    try:
        subprocess.run([jstack, "-l", str(daemon.child.pid)], stdout=out, stderr=out, timeout=20, check=False)
        out.flush()
        json.dump(daemon.status(), out, indent=1)
    except (OSError, subprocess.TimeoutExpired) as silent:
        out.write(f"it does not answer: {silent}\n")


def run(suite, processes, first, rounds):
    with processes.with_flags(processes.given_flags):  # each pool begins with its own; here they are put back
        add(suite, processes, first, rounds)


def add(suite, processes, first, rounds):
    shared = Rounds(processes)
    for seed in range(first, first + rounds):
        draw = random.Random(seed)
        faults = [BothKilled(draw, draw.randrange(2))] if seed % LOSSES == 0 else plan(draw)
        suite.test(f"{NAME}, round {seed}: {', '.join(fault.story for fault in faults)}", shared.one, seed, faults)
    if suite.group:
        suite.test(f"{NAME}: what fio wrote last", shared.last)
    suite.run()
    if shared.tally.rounds:
        print(f"{NAME}:\n{shared.tally}", flush=True)
