"""Donors that give memory back: one that ends in good order, one whose machine needs memory, one that an operator drains. Nothing is wrong and
nothing fails meanwhile, also when the server is killed in the middle."""

import os
import random
import signal
import threading
import time

from load import PAGE, Load
from processes import LAUNCHER, Donor, Server, await_that

SIZE = 16 << 20
PAGES = SIZE // PAGE
SLABS = SIZE >> 20


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Zoned:
    """A donor as the server names it: on a machine of its own."""

    def __init__(self, donor, zone):
        self.address = f"{donor.address}?zone={zone}"


class Pool:
    """Donors with room for everything each, and a server."""

    def __init__(self, processes, donors, copies, **options):
        self.processes = processes
        self.donors = [
            Donor(processes, "32M", f"donor {i}", drain_timeout="60s", **options).ready() for i in range(donors)
        ]
        named = [Zoned(donor, i) for i, donor in enumerate(self.donors)]
        self.server = Server(processes, SIZE, named, replicas=copies, io_timeout="20s").ready()
        self.copies = copies

    def held(self, donor):
        return donor.status()["slabs_lent"]

    def await_well(self):
        def well():
            return self.server.status()["export"]["slabs_short_of_copies"] == 0

        await_that(well, "every page has its copies", 120)

    def require_nothing_lost(self):
        status = self.server.status()["export"]
        require(status["pages_lost"] == 0, f"{status['pages_lost']} pages are lost")

    def end(self):
        for daemon in [self.server, *self.donors]:
            daemon.kill()


def ends(donor):
    """SIGTERM, and the donor has to end by itself with nothing lost."""
    said = len(donor.errors())
    donor.signal(signal.SIGTERM)
    code = donor.ended(90)
    words = donor.errors()[said:]
    require(code == 0, f"{donor.name} ended with {code}")
    require("all slabs have come back" in words, f"{donor.name} said: {words}")
    require("are lost" not in words, f"{donor.name} said: {words}")


def one_by_one(processes, copies):
    """Each donor in turn ends in good order under load, and comes back empty."""
    drain_each(Pool(processes, copies + 1, copies), copies, 1500, lambda _: 200, lambda draw, server: None)


def drain_each(pool, seed, operations, when, meanwhile):
    """Each donor in turn is told to end under load, and comes back; something else may happen while it gives its slabs back."""
    draw = random.Random(seed)
    load = Load(pool.server.uri("nbd+unix"), PAGES, seed=seed)
    load.fill()
    try:
        for donor in pool.donors:
            drained = []

            def fault(donor=donor, drained=drained):
                drained.append(threaded(lambda: ends(donor)))
                meanwhile(draw, pool.server)

            load.run(operations, at=[(when(draw), fault)])
            pool.server.ready()
            finish(drained)
            load.verify()
            donor.spawn()
            donor.ready()
            pool.await_well()
        pool.require_nothing_lost()
        load.verify()
        require(not load.wrong, "\n".join(load.wrong[:5]))
        load.close()
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}: {failure}") from failure
    finally:
        pool.end()


class threaded(threading.Thread):
    """Something that goes on at the same time; what it fails with is thrown by finish()."""

    def __init__(self, what):
        super().__init__(daemon=True)
        self.what = what
        self.failure = None
        self.start()

    def run(self):
        try:
            self.what()
        except Exception as failure:
            self.failure = failure


def finish(threads):
    for thread in threads:
        thread.join(120)
        require(not thread.is_alive(), "hangs: a donor that was told to end")
        if thread.failure:
            raise thread.failure


def server_killed(processes, copies, seed):
    """The server is killed while a donor gives its slabs back; the next one finds every page, and goes on."""

    def kill(draw, server):
        time.sleep(draw.random() * 0.25)
        server.kill()
        server.spawn()

    drain_each(Pool(processes, copies + 1, copies), seed, 1200, lambda draw: draw.randint(100, 400), kill)


def no_room(processes):
    """Where no other donor has room nothing is dropped before its time: the donor says what is lost, and a second signal ends it at once."""
    donor = Donor(processes, "32M", "donor", drain_timeout="60s").ready()
    server = Server(processes, SIZE, [donor], io_timeout="20s").ready()
    load = Load(server.uri("nbd+unix"), PAGES, seed=3)
    load.fill()
    donor.signal(signal.SIGTERM)
    await_that(lambda: any("no other donor has room" in line for line in server.status()["degraded"]), "the server says that there is no room")
    require(any("it is about to end" in line for line in donor.status()["degraded"]), "the donor does not say so")
    load.verify()
    require(donor.alive(), "the donor has ended with pages that nobody else has")
    donor.signal(signal.SIGTERM)
    require(donor.ended(20) == 0, "the second signal")
    words = donor.errors()
    require("told a second time" in words and "16 MiB that it held for export 'leap' are lost" in words, words)
    load.close()
    server.kill()

    short = Donor(processes, "32M", "short", drain_timeout="1s").ready()
    server = Server(processes, SIZE, [short], io_timeout="20s", export="other").ready()
    load = Load(server.uri("nbd+unix"), PAGES, seed=4)
    load.fill()
    require(short.terminate() == 0, "a donor whose time is over")
    words = short.errors()
    require("within 1s" in words and "are lost" in words, words)
    load.close()
    server.kill()


def elsewhere_too(processes):
    """Where each page has a copy at another donor, and there is no room for a third, a donor does not wait in vain."""
    pool = Pool(processes, 2, 2)
    load = Load(pool.server.uri("nbd+unix"), PAGES, seed=7)
    load.fill()
    ending = pool.donors[0]
    drain = (LAUNCHER, "drain", "--http", pool.server.uri("http").removeprefix("http://"), ending.address)
    pool.processes.run(*drain)
    words = "the others have a copy of that already"
    await_that(lambda: any(words in line for line in pool.server.status()["degraded"]), "why nothing is moved, though there is room")
    pool.processes.run(*drain, "--undo")
    ending.signal(signal.SIGTERM)
    require(ending.ended(50) == 0, "a donor that is told to end")
    words = ending.errors()
    require("nothing is lost" in words and "are lost" not in words, words)
    load.run(800)
    load.verify()
    pool.require_nothing_lost()
    ending.spawn()
    ending.ready()
    pool.await_well()
    load.verify()
    require(not load.wrong, "\n".join(load.wrong[:5]))
    load.close()
    pool.end()


def memory_is_needed(processes):
    """A donor whose machine is short of memory gives slabs back, and lends again when there is more."""
    told = processes.path("meminfo")

    def available(mebibytes):
        with open(told + ".new", "w") as out:
            out.write(f"MemTotal:       65536000 kB\nMemFree:        {mebibytes << 10} kB\nMemAvailable:   {mebibytes << 10} kB\n")
        os.replace(told + ".new", told)

    available(1000)
    tight = Donor(processes, "32M", "tight", keep_free="100M", meminfo=told).ready()
    roomy = Donor(processes, "32M", "roomy").ready()
    server = Server(processes, SIZE, [tight, roomy], io_timeout="20s").ready()
    load = Load(server.uri("nbd+unix"), PAGES, seed=9)
    load.fill()
    before = tight.status()["slabs_lent"]
    require(before > 3, f"{before} slabs of {SLABS} are at the donor")
    spare = tight.status()["resident_bytes"] >> 20
    available(98)
    load.run(500)
    await_that(lambda: 0 < tight.status()["slabs_lent"] < before, "some slabs have come back")
    await_that(lambda: tight.status()["slabs_wanted_back"] == 0, "what was wanted has come back")
    require(tight.status()["slabs_free"] == 0, "a donor whose machine is short of memory would lend")
    available(0)
    load.run(500)
    await_that(lambda: tight.status()["slabs_lent"] == 0, "all slabs have come back", 60)
    require(spare > 0 and tight.status()["resident_bytes"] == 0, "the memory is not the kernel's again")
    available(2000)
    await_that(lambda: tight.status()["slabs_free"] == 32, "it lends again")
    load.verify()
    require(not load.wrong, "\n".join(load.wrong[:5]))
    load.close()
    for daemon in [server, tight, roomy]:
        daemon.kill()


def by_hand(processes):
    """leap-nbd drain, and its undoing."""
    first, other = [Donor(processes, "32M", name).ready() for name in ("first", "other")]
    server = Server(processes, SIZE, [first, other], io_timeout="20s").ready()
    load = Load(server.uri("nbd+unix"), PAGES, seed=11)
    load.fill()
    at = server.uri("http").removeprefix("http://")
    said = processes.run(LAUNCHER, "drain", "tcp://" + first.address, "--http", at)
    require("go to other donors" in said, said)
    load.run(800)
    await_that(lambda: first.status()["slabs_lent"] == 0, "it is empty")
    load.verify()
    said = processes.run(LAUNCHER, "drain", other.address, "--http", at, fails=True)
    require("no other donor is left" in said, said)
    said = processes.run(LAUNCHER, "drain", "10.0.0.1:1", "--http", at, fails=True)
    require("there are: " in said and first.address in said, said)
    processes.run(LAUNCHER, "drain", first.address, "--undo", "--http", at)
    processes.run(LAUNCHER, "drain", other.address, "--http", at)
    await_that(lambda: other.status()["slabs_lent"] == 0, "the other is empty")
    load.verify()
    require(not load.wrong, "\n".join(load.wrong[:5]))
    load.close()
    for daemon in [server, first, other]:
        daemon.kill()


def run(suite, processes, first, rounds):
    for copies in (1, 2):
        suite.test(f"a donor that ends in good order gives all back first, with {copies} copies", one_by_one, processes, copies)
    suite.test("a donor that nobody has room for says what is lost with it", no_room, processes)
    suite.test("a donor does not wait in vain for what other donors have too", elsewhere_too, processes)
    suite.test("a donor whose machine needs memory gives slabs back and lends again", memory_is_needed, processes)
    suite.test("an operator drains a donor", by_hand, processes)
    suite.run()
    for seed in range(first, first + rounds):
        suite.test(
            f"a server that is killed while a donor is drained loses nothing (seed {seed})", server_killed, processes, 1 + seed % 2, seed
        )
        suite.run()
