"""Several copies of each page: how many there are by default, and what is lost when both donors of a page end. What happens to donors under load is in
rounds.py."""

from connection import connect
from load import PAGE, Load
from processes import Donor, Server, await_that

SIZE = 16 << 20
PAGES = SIZE // PAGE


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


def run(suite, processes):
    suite.test("two copies are the default where two machines have room", by_default, processes, "16M", 2, "2 copies of each page")
    suite.test("one copy is the default where they do not", by_default, processes, "15M", 1, "have no room for two")
    suite.test("with two copies of a page, what is lost is what both its donors held", both_at_once, processes)
    suite.run()
