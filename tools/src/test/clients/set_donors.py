"""Donors come and go while a server runs: leap-nbd set donors=. Nothing is wrong and nothing fails meanwhile, also when the server is killed in the
middle and started with the donors of before or of after."""

import random
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from load import PAGE, Load
from processes import LAUNCHER, Donor, Server, await_that

SIZE = 16 << 20
PAGES = SIZE // PAGE
SLABS = SIZE >> 20


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Zoned:
    """A donor as the server names it: on a machine of its own, if it has a zone."""

    def __init__(self, donor, zone=None):
        self.donor = donor
        self.address = donor.address + (f"?zone={zone}" if zone else "")


class Case:
    """A server with some donors, a load, and the command that changes them."""

    def __init__(self, processes, donors, first, zones=(), seed=1, memory="32M", **options):
        self.processes = processes
        self.donors = [Donor(processes, memory, f"donor {i}").ready() for i in range(donors)]
        self.named = [Zoned(donor, zones[i] if zones else None) for i, donor in enumerate(self.donors)]
        self.server = Server(processes, SIZE, self.named[:first], io_timeout="20s", **options).ready()
        self.load = Load(self.server.uri("nbd+unix"), PAGES, seed=seed)
        self.load.fill()

    def set(self, *settings, fails=False):
        at = self.server.uri("http").removeprefix("http://")
        return self.processes.run(LAUNCHER, "set", *settings, "--http", at, fails=fails)

    def put(self, *settings):
        """What the server answers to the same, without a process for each; the status and the words."""
        pairs = [tuple(setting.split("=", 1)) for setting in settings]
        request = urllib.request.Request(self.server.uri("http") + "/settings?" + urllib.parse.urlencode(pairs), method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def refused(self, words, *settings):
        """Nothing is changed, and it is said why."""
        before = self.put()
        code, said = self.put(*settings)
        require(code == 400 and words in said, f"set {' '.join(settings)} said: {code} {said}")
        require(self.put() == before, f"set {' '.join(settings)} was refused, and has changed: {self.put()}")

    def uses(self):
        return {donor["name"].removeprefix("tcp://"): donor["use"] for donor in self.server.status()["donors"]}

    def await_used(self, *indices):
        wanted = {self.donors[i].address: "used" for i in indices}
        await_that(lambda: self.uses() == wanted, f"the donors are {sorted(wanted)}; they are {self.uses()}", 60)

    def await_well(self, copies):
        def well():
            export = self.server.status()["export"]
            return export["replicas"] == copies and export["slabs_short_of_copies"] == 0

        await_that(well, f"every page has {copies} copies", 120)

    def name(self, *indices):
        """Says which donors the server is to be started with the next time."""
        at = self.server.arguments.index("--donors")
        self.server.arguments[at + 1] = ",".join(self.named[i].address for i in indices)

    def require_right(self, lost=0):
        pages = self.server.status()["export"]["pages_lost"]
        require(pages == lost, f"{pages} pages are lost")
        require(not self.load.wrong, "\n".join(self.load.wrong[:5]))

    def end(self):
        self.load.close()
        for daemon in [self.server, *self.donors]:
            daemon.kill()


def come_and_go(processes):
    """A device goes from one donor to another and back, and never stops."""
    case = Case(processes, 3, 1)
    first, second, third = case.donors
    said = case.set("donors+=" + second.address)
    require(f"donors=tcp://{first.address},tcp://{second.address}" in said, said)
    case.load.run(400)
    case.set("donors-=" + first.address)
    case.load.run(800)
    case.await_used(1)
    require(first.status()["slabs_lent"] == 0 and not first.status()["exports"], "the lease at the first donor is not given up")
    case.load.verify()
    # All at once: what is named is what there is.
    case.set(f"donors=tcp://{first.address},tcp://{third.address}", "prefetch=leap")
    case.load.run(800)
    case.await_used(0, 2)
    require("prefetch=leap" in case.set(), case.set())
    require(not second.status()["exports"], "the lease at the second donor is not given up")
    case.load.verify()
    case.require_right()

    # A start does not go on without the donors that hold pages, and does with those that are in force.
    case.server.kill()
    case.name(1)
    case.server.spawn()
    require(case.server.ended() == 1, "a start without the donors that hold the pages")
    words = case.server.errors()
    require("may hold pages of export leap and is not named" in words, words[-2000:])
    case.name(0, 2)
    case.server.spawn()
    case.server.ready()
    case.load.verify()
    case.require_right()
    case.end()


def told_no(processes):
    """What cannot be done is refused in words, and nothing is changed."""
    case = Case(processes, 3, 2, zones=["a", "b", "c"], replicas=2)
    other = Donor(processes, "32M", "other slabs", slab_size="2M").ready()
    first, second, third = case.donors
    case.refused("does not answer", "donors+=127.0.0.1:1")
    case.refused("does not answer", "prefetch=none", "donors+=127.0.0.1:1")
    case.refused("no prefetch policy", "prefetch=nonsense", "donors+=" + case.named[2].address)
    case.refused("one donor under two addresses", "donors+=localhost:" + first.address.split(":")[1] + "?zone=d")
    case.refused("lends in slabs of 2M", "donors+=" + other.address + "?zone=d")
    case.refused("is one of this server's already", "donors+=" + case.named[0].address)
    case.refused("with another transport or zone", f"donors={first.address},{case.named[1].address}")
    case.refused("no donor is called", "donors-=" + third.address)
    case.refused("--replicas 2 was asked for", "donors-=" + first.address)
    case.refused("give the one or the other", "donors=" + case.named[0].address, "donors-=" + second.address)
    case.refused("lose-missing says what becomes", "lose-missing=yes")
    # And by the command, once.
    said = case.set("donors+=127.0.0.1:1", fails=True)
    require("leap-nbd set: donor tcp://127.0.0.1:1 does not answer" in said, said)
    case.set("donors+=" + case.named[2].address)
    case.await_used(0, 1, 2)
    case.set("donors-=" + second.address)
    case.load.run(500)
    case.await_used(0, 2)
    case.await_well(2)
    case.load.verify()
    case.require_right()
    case.end()
    other.kill()


def two_machines(processes):
    """With one donor there is one copy; one on a second machine brings a second copy, and takes it along when it goes."""
    case = Case(processes, 2, 1, zones=["a", "b"])
    require(case.server.status()["export"]["replicas"] == 1, "one donor, one copy")
    case.set("donors+=" + case.named[1].address)
    case.load.run(400)
    case.await_well(2)
    require("2 copies of each page from now on" in case.server.errors(), case.server.errors())
    case.donors[0].kill()
    case.load.run(400)
    case.load.verify()
    case.donors[0].spawn()
    case.donors[0].ready()
    case.await_well(2)
    case.set("donors-=" + case.donors[0].address)
    case.load.run(400)
    case.await_used(1)
    require(case.server.status()["export"]["replicas"] == 1, "one donor is left")
    require("one copy of each page from now on" in case.server.errors(), case.server.errors())
    case.load.verify()
    case.require_right()
    case.end()


def no_room(processes):
    """A donor that nobody has room for stays, both with its pages and in the status, until there is room or it is kept."""
    case = Case(processes, 2, 2, memory="12M")
    first, second = case.donors
    third = Donor(processes, "32M", "third").ready()
    case.set("donors-=" + first.address)
    await_that(
        lambda: any("is to be removed and still holds" in line and "no other donor has room" in line for line in case.server.status()["degraded"]),
        "the server says that there is no room",
    )
    case.load.run(300)
    require(case.uses()[first.address] == "leaving", case.uses())
    said = case.set("donors+=" + first.address)
    require(f"tcp://{first.address}" in said and "leaves" not in said, said)
    case.set("donors-=" + first.address, "donors+=" + third.address)
    case.load.run(300)
    await_that(lambda: case.uses() == {second.address: "used", third.address: "used"}, "the first has left", 60)
    case.load.verify()
    case.require_right()
    case.end()
    third.kill()


def dead(processes):
    """A donor that is dead is removed when nothing of it is missed, or with words."""
    case = Case(processes, 3, 3, zones=["a", "b", "c"])
    case.await_well(2)
    case.donors[0].kill()
    case.refused("cannot be reached and holds", "donors-=" + case.donors[0].address)
    await_that(lambda: case.server.status()["donors"][0]["slabs_held"] == 0, "its copies are elsewhere", 120)
    case.set("donors-=" + case.donors[0].address)
    case.await_used(1, 2)
    case.await_well(2)
    case.load.run(300)
    case.load.verify()
    case.require_right()
    case.end()

    case = Case(processes, 2, 2)
    held = case.server.status()["donors"][0]["slabs_held"]
    case.donors[0].kill()
    case.refused("cannot be reached and holds", "donors-=" + case.donors[0].address)
    case.set("donors-=" + case.donors[0].address, "lose-missing=yes")
    case.await_used(1)
    broken = case.load.unreadable()
    require(len(broken) == held * 256, f"{len(broken)} pages of {held} slabs cannot be read")
    require(case.server.status()["export"]["pages_lost"] == len(broken), "what is lost is counted")
    # They stay lost, never zeros: also for a server that has no state file, and finds the dead donor back.
    case.donors[0].spawn()
    case.donors[0].ready()
    case.server.kill()
    case.name(0, 1)
    case.server.spawn()
    case.server.ready()
    require(case.load.unreadable() == broken, "what was lost is still lost")
    case.load.fill()
    case.load.verify()
    case.end()


def killed(processes, seed):
    """The server is killed while donors come and go, at any moment, and started with the donors of before, of after, or all."""
    draw = random.Random(seed)
    copies = 1 + seed % 2
    case = Case(processes, 4, copies + 1, zones=["a", "b", "c", "d"], seed=seed, replicas=copies)
    now = list(range(copies + 1))
    try:
        for _ in range(3):
            before = list(now)
            away = [i for i in range(4) if i not in now]
            coming = draw.sample(away, draw.randint(0, len(away)))
            stay = draw.sample(now, draw.randint(max(0, copies - len(coming)), len(now)))
            now = sorted(set(stay) | set(coming)) or before
            if not set(stay) & set(now):
                now = sorted(set(now) | {before[0]})
            wanted = "donors=" + ",".join(case.named[i].address for i in now)
            at = case.server.uri("http").removeprefix("http://")
            done = []

            def change(wanted=wanted, at=at, done=done):
                command = [LAUNCHER, "set", wanted, "--http", at]
                done.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))

            def kill():
                time.sleep(draw.random() * 0.4)
                case.server.kill()
                start_again(case, draw, before, now)

            case.load.run(700, at=[(100, change), (draw.randint(150, 600), kill)])
            done[0].communicate(timeout=60)
            case.server.ready()
            case.load.verify()
            now = [i for i in range(4) if case.donors[i].address in case.uses()]
            case.require_right()
        case.load.verify()
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}: {failure}") from failure
    finally:
        case.end()


def start_again(case, draw, before, after):
    """With one list of donors or the other; where a start refuses that, with all of them."""
    case.name(*draw.choice([before, after, sorted(set(before) | set(after))]))
    said = len(case.server.errors())
    case.server.spawn()
    try:
        case.server.ready()
    except AssertionError:
        words = case.server.errors()[said:]
        require("is not named" in words or "needs as many machines" in words or "belongs to export" in words, words)
        case.name(0, 1, 2, 3)
        case.server.spawn()


def run(suite, processes, first, rounds):
    suite.test("donors come and go while a server runs", come_and_go, processes)
    suite.test("a change of donors that cannot be made is refused and changes nothing", told_no, processes)
    suite.test("a donor on a second machine brings a second copy", two_machines, processes)
    suite.test("a donor that nobody has room for is not removed", no_room, processes)
    suite.test("a donor that is dead is removed, with words where it has pages", dead, processes)
    suite.run()
    for seed in range(first, first + rounds):
        suite.test(f"a server that is killed while donors come and go loses nothing (seed {seed})", killed, processes, seed)
        suite.run()
