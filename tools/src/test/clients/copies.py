"""Several copies of each page: donors are killed, stopped, restarted and ended in good order, and the server is killed, while clients
write. As long as one copy of each page lives nothing is wrong and nothing fails. Random by seed; 'run.sh copies --rounds 1000' for a night."""

import random

from connection import connect
from load import PAGE, Load
from processes import Donor, Server, await_that

SIZE = 16 << 20
PAGES = SIZE // PAGE
FAULTS = 4


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Zoned:
    """A donor as the server names it: on a machine of its own."""

    def __init__(self, donor, zone):
        self.donor = donor
        self.address = f"{donor.address}?zone={zone}"


class Pool:
    """Three donors on machines of their own, and a server that keeps two copies of each page."""

    def __init__(self, processes, **options):
        self.donors = [Donor(processes, "32M", f"donor {i}").ready() for i in range(3)]
        named = [Zoned(donor, i) for i, donor in enumerate(self.donors)]
        self.server = Server(processes, SIZE, named, replicas=2, io_timeout="20s", **options).ready()

    def await_two_copies(self):
        def healed():
            status = self.server.status()
            return status["export"]["slabs_short_of_copies"] == 0 and all(donor["up"] for donor in status["donors"])

        await_that(healed, "every page has two copies again", 120)


def one_round(processes, seed):
    draw = random.Random(seed)
    pool = Pool(processes)
    load = Load(pool.server.uri("nbd+unix"), PAGES, seed=seed)
    load.fill()
    story = []

    def fault():
        donor = draw.choice(pool.donors)
        kind = draw.choice(["kill", "kill", "stop", "end", "server"])
        story.append(f"{kind} {donor.name if kind != 'server' else ''}")
        if kind == "kill":
            donor.kill()
            return lambda: donor.spawn() or donor.ready()
        if kind == "end":
            donor.terminate()
            return lambda: donor.spawn() or donor.ready()
        if kind == "stop":
            donor.pause()
            return donor.resume
        pool.server.kill()
        pool.server.spawn()
        return pool.server.ready

    try:
        for _ in range(FAULTS):
            mends = []
            load.run(draw.randint(800, 2000), at=[(draw.randint(100, 600), lambda: mends.append(fault()))])
            for mend in mends:
                mend()
            pool.await_two_copies()
        load.verify()
        status = pool.server.status()["export"]
        require(status["pages_lost"] == 0, f"{status['pages_lost']} pages are lost")
        require(not load.wrong, "\n".join(load.wrong[:5]))
        load.close()
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}, after {story}: {failure}") from failure
    finally:
        for daemon in [pool.server, *pool.donors]:
            daemon.kill()


def both_at_once(processes):
    """A page whose donors all end is lost, and only such pages are."""
    pool = Pool(processes)
    load = Load(pool.server.uri("nbd+unix"), PAGES, seed=5, tolerated={"EIO"})
    load.fill()
    pool.donors[0].kill()
    pool.donors[1].kill()
    lost = load.unreadable()
    slab = (1 << 20) // PAGE
    both = len(lost) // slab
    require(0 < both < PAGES // slab, f"{both} of {PAGES // slab} slabs had both copies there")
    for donor in pool.donors[:2]:
        donor.spawn()
        donor.ready()
    pool.await_two_copies()
    client = connect(pool.server.uri("nbd+unix"))
    client.close()
    load.close()


def by_default(processes, memory, copies, says):
    """Two copies where donors on two machines have room for them."""
    named = [Zoned(Donor(processes, memory, f"donor {i}").ready(), i) for i in range(2)]
    server = Server(processes, SIZE, named).ready()
    require(server.status()["export"]["replicas"] == copies, f"{server.status()['export']['replicas']} copies")
    require(says in server.errors(), f"it says: {server.errors()}")
    load = Load(server.uri("nbd+unix"), PAGES, seed=6)
    load.fill()
    load.verify()
    load.close()


def run(suite, processes, first, rounds):
    suite.test("two copies are the default where two machines have room", by_default, processes, "16M", 2, "2 copies of each page")
    suite.test("one copy is the default where they do not", by_default, processes, "15M", 1, "have no room for two")
    suite.test("with two copies of a page, what is lost is what both its donors held", both_at_once, processes)
    for seed in range(first, first + rounds):
        suite.test(f"with two copies of a page no fault of one donor at a time loses or fails anything (seed {seed})", one_round, processes, seed)
        suite.run()
