"""Two hosts, three donors and one export: servers that are killed, pushed aside and come back late, donors that restart, state files that are
gone or old. Every page says who wrote it and when. Random by seed; "run.sh 'two hosts' --histories 500 --steps 9 --from 31" runs as many
from that seed on, of so many steps each."""

import errno
import os
import random
import shutil
import struct

from connection import connect
from load import PAGE
from processes import Donor, Server, await_that

SLAB = 1 << 20
SLABS = 6
SIZE = SLABS * SLAB
PER_SLAB = 3
TOGETHER = 10  # histories with the same donors

# Of io.leapnbd.bypass.map.StateFile.
AT_SLABS = 86016
SLAB_ROW = 320  # two slots; the newer one counts
THERE = 0x4C454150

NAME = "two hosts take turns with one export"


def require(condition, message):
    if not condition:
        raise AssertionError(message)


def offset(page):
    return (page // PER_SLAB) * SLAB + (page % PER_SLAB) * 7 * PAGE


class Host:
    """A machine of its own, as far as leap-nbd can tell: a machine-id and a state folder."""

    def __init__(self, processes, name, export):
        self.processes = processes
        self.name = name
        self.export = export
        self.state = processes.path("state-" + name)
        self.server = None

    def start(self, donors, *more):
        """Starts a server; returns it when it is ready, or the sentence with which it refused."""
        environment = dict(self.processes.environment, LEAP_NBD_MACHINE_ID=self.name)
        keep, self.processes.environment = self.processes.environment, environment
        try:
            words = {word.removeprefix("--").replace("-", "_"): True for word in more}
            server = Server(
                self.processes, SIZE, donors, "server on " + self.name, state=self.state, export=self.export, wait="0s", **words
            )
        finally:
            self.processes.environment = keep

        def settled():
            with open(server.output_path) as out:
                ready = any(line.startswith("ready ") and line.endswith("\n") for line in out)
            return ready or not server.alive()

        await_that(settled, "a server is ready or refuses", 90)
        if server.alive():
            self.server = server.ready()
            return None
        said = [line for line in server.errors().splitlines() if "leap-nbd serve:" in line]
        require(len(said) >= 1, f"ended without a sentence: {server.errors()[-500:]}")
        return said[-1]

    def state_file(self):
        return os.path.join(self.state, self.export + ".state")

    def holders(self):
        """By slab the donor process that holds it, as the state file has it."""
        with open(self.state_file(), "rb") as file:
            file.seek(AT_SLABS)
            rows = file.read(SLABS * SLAB_ROW)
        held = {}
        for slab in range(SLABS):
            slots = [rows[at : at + SLAB_ROW // 2] for at in (slab * SLAB_ROW, slab * SLAB_ROW + SLAB_ROW // 2)]
            whole = [slot for slot in slots if struct.unpack_from("<i", slot)[0] == THERE]
            newest = max(whole, key=lambda slot: struct.unpack_from("<i", slot, 20)[0], default=None)
            if newest and struct.unpack_from("<i", newest, 24)[0] > 0:
                held[slab] = struct.unpack_from("<QQ", newest, 32)
        return held

    def kill(self):
        if self.server:
            self.server.kill()
            self.server = None


class World:
    """What happened, and what is right."""

    def __init__(self, processes, seed, donors, steps):
        self.random = random.Random(seed)
        self.steps = steps
        self.seed = seed
        self.story = []
        self.processes = processes
        self.donors = donors
        self.hosts = [Host(processes, name, f"swap{seed}") for name in ("alpha", "beta")]
        self.values = {}  # by page what was acknowledged last
        self.lost = set()
        self.vague = set()  # blank pages that may be called lost
        self.owner = None  # the host whose server served last
        self.count = 0

    def say(self, what):
        self.story.append(what)

    def page_bytes(self, page, writer):
        self.count += 1
        text = f"{self.seed}/{writer}/{page}/{self.count};".encode()
        return (text * (PAGE // len(text) + 1))[:PAGE]

    def run(self):
        self.take(self.hosts[0])
        for _ in range(self.steps):
            self.step()
            self.check()

    def step(self):
        host = self.random.choice(self.hosts)
        what = self.random.randrange(10)
        if what < 3:
            self.write()
        elif what < 5:
            self.say(f"kill -9 of the server on {self.owner.name}")
            self.owner.kill()
            if self.random.randrange(2):
                self.restart_donor()
            self.take(host)
        elif what < 7:
            self.take(host if host.server is None else self.hosts[1 - self.hosts.index(host)])
        elif what == 7:
            self.restart_donor()
        elif what == 8:
            self.owner.kill()
            self.say(f"{host.name} loses its state file")
            host.kill()
            if os.path.exists(host.state_file()):
                os.remove(host.state_file())
            self.take(host)
        else:
            self.leave_one_out(host)

    def take(self, host):
        """Serves on a host, with the words that it takes; a start that is refused has disturbed nobody."""
        donors = self.donors[:]
        self.random.shuffle(donors)
        before = self.owner
        words = []
        for more in (["--take-over"], ["--lose-missing"], ["--fresh"]):
            refused = host.start(donors, *words)
            if refused is None:
                break
            self.say(f"{host.name} is refused: {refused}")
            require("--" in refused or "start" in refused, f"a refusal without advice: {refused}")
            if before and before.server:
                require(before.server.alive(), "a start that was refused has ended the running server")
            words += more
        require(host.server, "no words would do")
        self.say(f"{host.name} serves {' '.join(words)}")
        if "--fresh" in words:
            self.values, self.lost, self.vague = {}, set(), set()
        else:
            self.vague |= {page for page in range(SLABS * PER_SLAB) if page not in self.values}
        if before and before is not host and before.server:
            require(before.server.ended() == 1, "the server that was pushed aside does not end")
            before.server = None
        self.owner = host

    def write(self):
        client = connect(self.owner.server.uri("nbd+unix"))
        for page in self.random.sample(range(SLABS * PER_SLAB), 6):
            data = self.page_bytes(page, self.owner.name)
            require(client.wait(client.write(offset(page), data)) == [0], f"page {page} cannot be written")
            self.values[page] = data
            self.lost.discard(page)
            self.vague.discard(page)
        self.say(f"{self.owner.name} writes")
        client.close()

    def restart_donor(self):
        donor = self.random.choice(self.donors)
        identity = donor.status()["incarnation"].replace("-", "")
        number = (int(identity[:16], 16), int(identity[16:], 16))
        gone = [slab for slab, at in self.owner.holders().items() if at == number]
        donor.kill()
        donor.spawn()
        donor.ready()
        self.say(f"{donor.name} restarts, and had slabs {gone}")
        for page in range(SLABS * PER_SLAB):
            if page // PER_SLAB in gone:
                if page in self.values:
                    self.lost.add(page)
                else:
                    self.vague.add(page)

    def leave_one_out(self, host):
        """A donor that is not named is missed, as often as one tries, and nothing is changed by that."""
        self.owner.kill()
        held = set(self.owner.holders().values())
        for _ in range(2):
            for donor in self.donors:
                identity = donor.status()["incarnation"].replace("-", "")
                if (int(identity[:16], 16), int(identity[16:], 16)) in held:
                    refused = host.start([other for other in self.donors if other is not donor], "--take-over")
                    require(refused, f"{host.name} serves without {donor.name}, which holds pages")
                    self.say(f"{host.name} without {donor.name} is refused: {refused}")
                    break
        self.take(host)

    def check(self):
        client = connect(self.owner.server.uri("nbd+unix"))
        for page in range(SLABS * PER_SLAB):
            read = client.read(offset(page), PAGE)
            error = client.wait(read)[0]
            if error:
                require(error == errno.EIO, f"page {page}: error {error}")
                require(page in self.lost or page in self.vague, f"page {page} is an error, and nobody lost it")
            else:
                # A page that is lost may still be in the server's cache for a moment, as it was acknowledged.
                right = self.values.get(page, bytes(PAGE))
                require(bytes(read.data) == right, f"page {page} reads as {bytes(read.data)[:40]!r}, not {right[:40]!r}")
        client.close()


class Histories:
    """Each has an export of its own; the donors go on from one to the next. After a failure, and after some, there are new ones."""

    def __init__(self, processes, steps):
        self.processes = processes
        self.steps = steps
        self.donors = []

    def one(self, seed):
        self.processes.forget_ended()  # of the history before
        if not self.donors:
            self.donors = [Donor(self.processes, "256M", f"donor {i}") for i in range(3)]
            for donor in self.donors:
                donor.ready()
        world = World(self.processes, seed, self.donors, self.steps)
        try:
            world.run()
        except Exception as failure:
            self.end()
            raise AssertionError(f"seed {seed}: {failure!r}\n" + "\n".join(world.story)) from failure
        finally:
            for host in world.hosts:
                host.kill()
                shutil.rmtree(host.state, ignore_errors=True)

    def end(self):
        for donor in self.donors:
            donor.kill()
        self.donors = []


def run(suite, processes, first, histories, steps):
    for begin in range(first, first + histories, TOGETHER):
        shared = Histories(processes, steps)
        for seed in range(begin, min(begin + TOGETHER, first + histories)):
            suite.test(f"{NAME} and no page is foreign, stale or zero (A1-A9, seed {seed})", shared.one, seed)
        suite.run()
