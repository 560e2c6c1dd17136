"""Donors that are killed, restarted, stopped, full or away for too long, while clients write."""

import errno
import threading
import types

from connection import connect
from load import PAGE, Load
from processes import START_DEADLINE, Donor, Server, await_that, two_donors

SIZE = 16 << 20
PAGES = SIZE // PAGE
SLAB = (1 << 20) // PAGE
NO_TRIMS = (55, 45, 0, 0)


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Pool:
    """Two donors and a server of their own."""

    def __init__(self, processes, io_timeout="20s", memory="16M", size=SIZE, **donor_options):
        self.processes = processes
        self.donors = two_donors(processes, memory, **donor_options)
        self.server = Server(processes, size, self.donors, io_timeout=io_timeout).ready()

    def load(self, **options):
        load = Load(self.server.uri("nbd+unix"), PAGES, **options)
        load.fill()
        return load

    def slabs_of(self, index):
        return self.server.status()["donors"][index]["slabs_held"]

    def await_donors(self):
        await_that(lambda: all(donor["up"] for donor in self.server.status()["donors"]), "the server has links to both donors")


def whole_slabs(pages):
    """The slabs whose pages these are; fails if there is a slab of which only a part is among them."""
    slabs = {page // SLAB for page in pages}
    require(len(pages) == len(slabs) * SLAB, f"{len(pages)} pages are in {len(slabs)} slabs of {SLAB}")
    return slabs


def killed(processes):
    """kill -9 of a donor under load, then its restart, then a restart of the server."""
    pool = Pool(processes, io_timeout="1s")
    load = pool.load(mix=NO_TRIMS, depth=48, tolerated={"EIO"}, seed=21)
    held = pool.slabs_of(0)
    require(held > 0 and pool.slabs_of(1) > 0, "both donors hold pages")
    load.run(2300, at=[(2000, pool.donors[0].kill)])
    require(load.failed["read EIO"] > 0 and load.failed["write EIO"] > 0, f"nothing failed: {load.failed}")
    lost = load.unreadable()
    require(len(whole_slabs(lost)) == held, f"{len(lost)} pages cannot be read; the donor held {held} slabs")

    pool.donors[0].spawn()
    pool.donors[0].ready()
    pool.await_donors()
    require(load.unreadable() == lost, "other pages than before are lost now that the donor is back, blank")

    client = connect(pool.server.uri("nbd+unix"))
    page = min(lost)
    client.wait(client.write(page * PAGE + 100, b"part of a page"))
    require(client.wait(client.read(page * PAGE, PAGE)) == [errno.EIO], "a write of a part brings a lost page back")
    rest = [client.read(first * PAGE, PAGE) for first in sorted(lost)]
    require(set(client.wait(*rest)) == {errno.EIO}, "a lost page can be read")
    client.close()

    pool.server.kill()
    pool.server.spawn()
    pool.server.ready()
    require(load.unreadable() == lost, "a restarted server does not know which pages are lost")

    writer = connect(pool.server.uri("nbd+unix"))
    load.tolerated.clear()
    for slab in sorted(whole_slabs(lost)):
        load.issue(writer, "write", (slab * SLAB, SLAB))
    writer.wait(*writer.in_flight)
    writer.close()
    load.run(1500)
    load.verify()
    load.close()


def restarted_while_server_is_away(processes):
    pool = Pool(processes)
    client = connect(pool.server.uri("nbd+unix"))
    written = list(range(0, PAGES, 3))
    require(set(client.wait(*[client.write(page * PAGE, b"w" * PAGE) for page in written])) == {0}, "writes")
    client.close()
    held = pool.donors[0].status()["slabs_lent"]
    pool.server.kill()
    pool.donors[0].kill()
    pool.donors[0].spawn()
    pool.donors[0].ready()
    pool.server.spawn()
    pool.server.ready()
    client = connect(pool.server.uri("nbd+unix"))
    reads = [client.read(page * PAGE, PAGE) for page in range(PAGES)]
    client.wait(*reads)
    lost = 0
    for page, read in enumerate(reads):
        if page % 3 == 0 and read.error:
            lost += 1
            require(read.error == errno.EIO, f"page {page}, which is lost, reads with {read.error}")
        else:
            right = b"w" * PAGE if page % 3 == 0 else bytes(PAGE)
            require(read.error == 0 and read.data == right, f"page {page} is not right ({read.error})")
    require((lost > 0) == (held > 0) and lost < len(written), f"{lost} pages are lost with {held} slabs")
    client.close()
    # Once no donor knows the export any more, nobody can say what it held: that is no blank device.
    pool.server.kill()
    for donor in pool.donors:
        donor.kill()
        donor.spawn()
        donor.ready()
    pool.server.spawn()
    require(pool.server.ended(60) == 1, "a server whose donors have all restarted does not end")
    require("--fresh" in pool.server.errors(), f"it does not say what to do: {pool.server.errors()[-300:]}")
    pool.server.arguments.append("--fresh")
    pool.server.spawn()
    pool.server.ready()


def all_restarted(processes):
    """All donors are killed while the server is connected: it has seen them end, and goes on with what comes after them."""
    pool = Pool(processes, io_timeout="1s")
    client = connect(pool.server.uri("nbd+unix"))
    require(client.wait(client.write(0, b"x" * PAGE)) == [0], "a write failed")
    for donor in pool.donors:
        donor.kill()
    for donor in pool.donors:
        donor.spawn()
    for donor in pool.donors:
        donor.ready()
    pool.await_donors()
    require(client.wait(client.read(0, PAGE)) == [errno.EIO], "a page of a donor that has ended can be read")
    require(client.wait(client.write(0, b"y" * PAGE)) == [0], "nothing can be written to the donors that came after")
    client.close()


def all_restarted_unseen(processes):
    """All donors lose power: no connection ends in good order, and the server cannot tell that nobody else has claimed them since."""
    donors = two_donors(processes, "16M")
    server = Server(processes, SIZE, donors, io_timeout="1s", wait="0s").ready()
    client = connect(server.uri("nbd+unix"))
    require(client.wait(client.write(0, b"x" * PAGE)) == [0], "a write failed")
    for donor in donors:
        donor.pause()
    await_that(lambda: not any(donor["up"] for donor in server.status()["donors"]), "the server gives its links up")
    for donor in donors:
        donor.kill()
    for donor in donors:
        donor.spawn()
    for donor in donors:
        donor.ready()
    require(server.ended() == 1, "the server ends with another code")
    said = [line for line in server.errors().splitlines() if "--fresh" in line]
    require(len(said) == 1 and "have restarted" in said[0], f"it does not say once what to do: {said}")
    server.spawn()
    require(server.ended() == 1, "a server goes on with pages that nobody holds")
    refusal = server.errors().splitlines()[-1]
    require("--fresh" in refusal, f"it does not say what to do: {refusal}")
    server.arguments.append("--fresh")
    server.spawn()
    server.ready()
    client = connect(server.uri("nbd+unix"))
    blank = client.read(0, PAGE)
    require(client.wait(blank) == [0] and bytes(blank.data) == bytes(PAGE), "a fresh device is not blank")
    client.close()


def lease_over(processes):
    pool = Pool(processes, lease="2s")
    load = pool.load(seed=22, mix=NO_TRIMS)
    pool.server.kill()
    await_that(lambda: all(donor.status()["slabs_lent"] == 0 for donor in pool.donors), "the leases run out")
    pool.server.spawn()
    pool.server.ready()
    require(len(load.unreadable()) == PAGES, "a page can be read whose donor has given it away")
    load.fill()
    load.verify()
    load.close()


def stopped_for_short(processes):
    pool = Pool(processes)
    load = pool.load(seed=23)
    donor = pool.donors[1]

    def hiccup():
        donor.pause()
        timer = threading.Timer(1.5, donor.resume)
        timer.daemon = True
        timer.start()

    load.run(6000, at=[(2000, hiccup), (4000, hiccup)])
    load.verify()
    load.close()


def stopped_for_long(processes):
    """Longer than a request may take: EIO, and when the donor goes on, nothing is lost and no late write undoes a newer one."""
    pool = Pool(processes, io_timeout="1s")
    load = pool.load(mix=NO_TRIMS, depth=48, tolerated={"EIO"}, seed=24)
    held = pool.slabs_of(1)
    load.run(2300, at=[(2000, pool.donors[1].pause)])
    require(load.failed["read EIO"] > 0 and load.failed["write EIO"] > 0, f"nothing failed: {load.failed}")
    away = load.unreadable()
    require(len(whole_slabs(away)) == held, f"{len(away)} pages cannot be read; the stopped donor holds {held} slabs")
    # Some of the failed writes are still in the donor's sockets, and come with the first new ones.
    pool.donors[1].resume()
    load.run(4000)
    pool.await_donors()
    load.verify()
    load.tolerated.clear()
    load.run(2000)
    load.verify()
    require(pool.server.status()["export"]["pages_lost"] == 0, "pages count as lost that are not")
    load.close()


def late_writes(processes):
    """A donor that is stopped holds writes of a server that is dead by the time it goes on."""
    pool = Pool(processes)
    load = pool.load(connections=3, seed=25, mix=(90, 10, 0, 0))
    donor = pool.donors[0]

    load.run(1000)
    donor.pause()
    writers = [connect(pool.server.uri("nbd+unix")) for _ in range(2)]
    for index in range(256):
        load.issue(writers[index % 2], "write", (index * (PAGES // 256), 1))
    for _ in range(10):
        for writer in writers:
            writer.step(0.05)
    require(any(writer.in_flight for writer in writers), "the stopped donor answers")
    pool.server.kill()
    donor.resume()
    pool.server.spawn()
    for writer in writers:
        writer.wait(*writer.in_flight)
    pool.server.ready()
    for turn in range(4):
        load.run(1000)
        load.verify()
    load.close()


def full(processes):
    """Two exports share donors that are too small for both."""
    donors = two_donors(processes, "12M")
    first = Server(processes, "16M", donors, "first server", export="first").ready()
    second = Server(processes, "16M", donors, "second server", export="second").ready()
    one = Load(first.uri("nbd+unix"), 16 * SLAB, seed=26)
    one.fill()
    other = Load(second.uri("nbd+unix"), 16 * SLAB, seed=27, tolerated={"ENOSPC"})
    client = connect(other.uri)
    for slab in range(16):
        other.issue(client, "write", (slab * SLAB, SLAB))
        client.wait(*client.in_flight)
    require(other.done["write"] == 8 and other.failed["write ENOSPC"] == 8, f"{other.done} {other.failed}")
    other.verify()
    require(not other.unreadable(), "a page that was never written cannot be read")
    other.run(2000)
    other.verify()
    one.run(2000)
    one.verify()
    require(second.status()["export"]["allocation_failures"] > 0, "status does not count failed allocations")
    client.close()
    one.close()
    other.close()


def slow_at_the_start(processes):
    """E6: a machine that is busy, or only just boots, answers late. That is no reason to end."""
    donors = two_donors(processes)
    donors[1].pause()
    server = Server(processes, SIZE, donors)
    await_that(lambda: "waiting" in server.errors(), "the server says whom it waits for", START_DEADLINE)
    donors[1].resume()
    server.ready()
    require(all(donor["up"] for donor in server.status()["donors"]), "a donor is left out that only was slow")


class Elsewhere(Server):
    """A server that has a table of host names of its own."""

    def __init__(self, hosts, *arguments, **options):
        self.hosts = hosts
        super().__init__(*arguments, **options)

    def launcher(self):
        bind = 'mount --bind "$0" /etc/hosts && exec "$@"'
        # Java keeps what a name stands for, for half a minute unless told otherwise.
        flags = "LEAP_NBD_JAVA_OPTS=-Dsun.net.inetaddr.ttl=1"
        return ["unshare", "--map-root-user", "--mount", "env", flags, "sh", "-c", bind, self.hosts, *super().launcher()]


def another_address(processes):
    """G4: a donor comes back under another address of its name, as in a cluster. It is found again, its first address dead or not."""
    hosts = processes.path("hosts")

    def name(*addresses):
        with open(hosts, "w") as table:
            table.write("127.0.0.1 localhost\n" + "".join(f"{address} donor.test\n" for address in addresses))

    def move(address):
        donor.kill()
        donor.arguments[donor.arguments.index("--listen") + 1] = f"{address}:{port}"
        donor.uris = []
        donor.spawn()
        donor.ready()

    donor = Donor(processes, "64M").ready()
    port = donor.address.split(":")[1]
    name("127.0.0.2")
    move("127.0.0.2")
    named = types.SimpleNamespace(address=f"donor.test:{port}")
    server = Elsewhere(hosts, processes, SIZE, [named], io_timeout="2s", insecure=True).ready()
    client = connect(server.unix_uri)
    require(client.wait(client.write(0, b"1" * PAGE)) == [0], "a write to the donor by its name")
    name("127.0.0.9", "127.0.0.3")
    move("127.0.0.3")
    await_that(lambda: client.wait(client.write(1 << 20, b"2" * PAGE)) == [0], "a write to the donor under its other address", 60)
    client.close()


def run(suite, processes):
    suite.test("pages of a killed donor end in EIO until they are written again, never in zeros, and all others are right", killed)
    suite.test("pages of donors that restarted while the server was away are EIO, and unwritten ones zeros", restarted_while_server_is_away)
    suite.test("a server that saw all its donors end goes on with what comes after them", all_restarted)
    suite.test("a server whose donors all ended unseen says so, ends, and begins blank with --fresh", all_restarted_unseen)
    suite.test("pages whose lease ran out while the server was away are EIO until they are written again", lease_over)
    suite.test("a donor that stops for a moment costs time and not a single error", stopped_for_short)
    suite.test("a donor that stops answering costs EIO within the deadline, and nothing when it goes on", stopped_for_long)
    suite.test("writes of a dead server that arrive late undo nothing", late_writes)
    suite.test("when donors are full a write to a new slab is ENOSPC and everything else stays readable", full)
    suite.test("E6: a donor that answers late at the start is waited for", slow_at_the_start)
    suite.test("G4: a donor that comes back under another address of its name is found again", another_address)
    suite.run(lambda: processes)
