"""Donors whose bytes are changed, on their way back or where they lie: no client ever gets one of these. With two copies nothing fails."""

import errno
import os
import random

from connection import connect
from copies import Zoned
from load import PAGE, Load, content
from processes import Donor, Server
from relay import Relay

SIZE = 8 << 20
PAGES = SIZE // PAGE
REQUESTS = 3000
ROOM = "180k"  # for a state file of 64 slabs, and the seals of some


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Pool:
    """Donors behind relays, each on a machine of its own, and a server."""

    def __init__(self, processes, copies, seed, **options):
        self.donors = [Donor(processes, "32M", f"donor {i}").ready() for i in range(copies)]
        self.relays = [Relay(processes, donor, seed + i) for i, donor in enumerate(self.donors)]
        named = [Zoned(relay, i) for i, relay in enumerate(self.relays)]
        self.server = Server(processes, SIZE, named, replicas=copies, io_timeout="20s", **options).ready()

    def unfit(self):
        return [donor["seals_unfit"] for donor in self.server.status()["donors"]]

    def close(self):
        for daemon in [self.server, *self.donors, *self.relays]:
            daemon.kill()


def two_copies(processes, seed, encrypt="off"):
    """One of two donors gives back other bytes than it got, and gets others than it was sent."""
    draw = random.Random(seed)
    pool = Pool(processes, 2, seed, encrypt=encrypt)
    try:
        load = Load(pool.server.uri("nbd+unix"), PAGES, seed=seed)
        load.fill()
        bad = draw.randrange(2)
        pool.relays[bad].tell("reads", draw.choice([2, 10, 50]))
        pool.relays[bad].tell("writes", draw.choice([0, 20]))
        load.run(REQUESTS)
        if draw.random() < 0.5:
            pool.server.kill()
            pool.server.spawn()
            pool.server.ready()
        load.run(REQUESTS)
        load.verify()
        require(not load.wrong, "\n".join(load.wrong[:5]))
        require(not load.failed, f"{load.failed} failed")
        require(pool.relays[bad].look() > 0, "no byte was changed")
        unfit = pool.unfit()
        require(unfit[bad] > 0, f"nothing was found out: {unfit}")
        require(unfit[1 - bad] == 0, f"the donor whose bytes were right is blamed: {unfit}")
        errors = pool.server.errors()
        require(errors.count("not what was written there") in (1, 2), "not said once for each start, with the donor's name")
        require(pool.relays[bad].address.removeprefix("tcp://") in errors, "the log does not name the donor")
        load.close()
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}: {failure}") from failure
    finally:
        pool.close()


def one_copy(processes, encrypt="off"):
    """With one donor it is an I/O error, also after a restart of the server, and never the bytes."""
    pool = Pool(processes, 1, 7, encrypt=encrypt)
    try:
        load = Load(pool.server.uri("nbd+unix"), PAGES, seed=7, tolerated={"EIO"})
        load.fill()
        pool.relays[0].tell("writes", 10)
        load.run(REQUESTS)
        pool.server.kill()
        pool.server.spawn()
        pool.server.ready()
        load.run(REQUESTS)
        require(not load.wrong, "\n".join(load.wrong[:5]))
        require(load.failed["read EIO"] > 0, f"no read failed: {load.failed}")
        require(pool.unfit()[0] > 0, "nothing was found out")
        pool.relays[0].tell("writes", 0)
        load.fill()
        load.tolerated = set()
        load.verify()
        require(not load.wrong, "\n".join(load.wrong[:5]))
        load.close()
    finally:
        pool.close()


class Cramped(Server):
    """A server whose state folder is a tmpfs of its own, and small."""

    def launcher(self):
        folder = self.arguments[self.arguments.index("--state-dir") + 1]
        mount = f'mount -t tmpfs -o size={ROOM},mode=700 tmpfs "$0" && exec "$@"'
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, folder, *super().launcher()]


def full_folder(processes):
    """Where the state folder has no room for a new slab's seals its writes are ENOSPC, and what was written stays."""
    donor = Donor(processes, "72M").ready()
    folder = processes.path("cramped")
    os.mkdir(folder)
    server = Cramped(processes, 64 << 20, [donor], state=folder).ready()
    try:
        client = connect(server.uri("nbd+unix"))
        errors = client.wait(*(client.write(slab << 20, content(slab, 1)) for slab in range(64)))
        written = [slab for slab in range(64) if errors[slab] == 0]
        require(0 < len(written) < 64, f"{len(written)} slabs were written")
        require(set(errors) == {0, errno.ENOSPC}, f"writes ended with {set(errors)}")
        again = client.wait(*(client.write(slab << 20, content(slab, 2)) for slab in written))
        require(not any(again), f"writes to slabs that are there ended with {set(again)}")
        reads = [client.read(slab << 20, PAGE) for slab in written]
        client.wait(*reads)
        for slab, read in zip(written, reads):
            require(read.error == 0 and read.data == content(slab, 2), f"slab {slab} has not what was written")
        client.close()
        require(server.alive(), "the server has ended")
        require(server.errors().count("no room in the state folder for the seals") == 1, "not said once")
    finally:
        server.kill()
        donor.kill()


def run(suite, processes, first, rounds):
    suite.test("a donor that changes bytes makes them an I/O error with one copy, and never the bytes", one_copy, processes)
    suite.test("where the state folder is full a new slab is refused, and nothing else happens", full_folder, processes)
    for seed in range(first, first + min(rounds, 50)):
        suite.test(f"with two copies a donor that changes bytes makes nothing wrong and nothing fail (seed {seed})", two_copies, processes, seed)
        suite.run()
