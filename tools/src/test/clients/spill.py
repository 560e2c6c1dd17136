"""A place of last resort: pages that no donor has room or life for go to a file, are found there by the next server, and go back to donors."""

import os
import random
import stat
import time
import urllib.request

from load import PAGE, Load
from processes import LAUNCHER, Donor, Server, await_that

SIZE = 16 << 20
PAGES = SIZE // PAGE
SLABS = SIZE >> 20


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Spilling:
    """A donor that has room for some slabs, another that lends as much as the test says, a server with a spill, and a load on it."""

    def __init__(self, processes, seed, room="6M", available=0, copies=1):
        self.processes = processes
        self.folder = processes.path("disk")
        os.mkdir(self.folder)
        self.file = os.path.join(self.folder, "spill")
        self.told = processes.path("meminfo")
        self.available(available)
        self.donors = [
            Donor(processes, room, "small").ready(),
            Donor(processes, "32M", "tight", keep_free="100M", meminfo=self.told).ready(),
        ]
        named = self.donors if copies == 1 else [Zoned(donor, i) for i, donor in enumerate(self.donors)]
        self.server = Server(processes, SIZE, named, replicas=copies, io_timeout="20s", spill=f"{self.file}:16M").ready()
        self.load = Load(self.server.uri("nbd+unix"), PAGES, seed=seed)

    def available(self, mebibytes):
        """So many MiB are free on the donor's machine, as it sees it."""
        with open(self.told + ".new", "w") as out:
            out.write(f"MemTotal:       65536000 kB\nMemFree:        {mebibytes << 10} kB\nMemAvailable:   {mebibytes << 10} kB\n")
        os.replace(self.told + ".new", self.told)

    def used(self):
        return self.server.status()["spill"]["slabs_used"]

    def text(self):
        with urllib.request.urlopen(self.server.uri("http") + "/status?format=text", timeout=20) as answer:
            return answer.read().decode()

    def metric(self, name):
        with urllib.request.urlopen(self.server.uri("http") + "/metrics", timeout=20) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith((name + " ", name + "{")):
                    return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def kill_server(self):
        self.server.kill()
        self.server.spawn()

    def await_empty(self):
        await_that(lambda: self.used() == 0, "what was in the file is at donors", 90)

    def verify(self):
        self.load.verify()
        require(not self.load.wrong, "\n".join(self.load.wrong[:5]))
        status = self.server.status()["export"]
        require(status["pages_lost"] == 0, f"{status['pages_lost']} pages are lost")

    def end(self):
        self.load.close()
        for daemon in [self.server, *self.donors]:
            daemon.kill()


class Zoned:
    """A donor as the server names it: on a machine of its own."""

    def __init__(self, donor, zone):
        self.address = f"{donor.address}?zone={zone}"


def there_and_back(processes):
    """Donors full, writes go on; the server is killed; donors get room, and the file is empty again."""
    it = Spilling(processes, 21)
    it.load.fill()
    used = it.used()
    require(used == SLABS - 6, f"{used} of {SLABS} slabs are in the file")
    require(stat.S_IMODE(os.stat(it.file).st_mode) == 0o600, "others may read the file")
    blocks = os.stat(it.file).st_blocks * 512
    require(blocks >= SIZE, f"only {blocks} bytes of the file are allocated")
    said = it.server.errors()
    require(said.count("pages go to the spill") == 1, said)
    degraded = it.server.status()["degraded"]
    require(any("are in the spill" in line for line in degraded), degraded)
    require(f"spill {it.file}: " in it.text(), it.text())
    require(it.metric("leap_spill_used_bytes") == used << 20, "the metric")
    require(it.metric("leap_spill_errors_total") == 0, "the disk has failed")
    it.load.run(800)
    it.verify()
    it.load.run(800, at=[(300, it.kill_server)])
    it.server.ready()
    it.verify()
    require(it.used() == used, "the next server has not found the file")
    require("holds" in it.server.errors(), it.server.errors())
    it.available(1000)
    it.load.run(800)
    it.await_empty()
    it.verify()
    require(not any("spill" in line for line in it.server.status()["degraded"]), "still degraded")
    require("is empty again" in it.server.errors(), it.server.errors())
    require(it.metric("leap_spill_used_bytes") == 0, "the metric")
    it.end()


def killed_at_any_moment(processes, seed):
    """A server is killed while pages go to the file and back, with its state file kept or lost: nothing that was acknowledged is lost or old."""
    draw = random.Random(seed)
    copies = 1 + seed % 2
    it = Spilling(processes, seed, room="32M" if copies == 2 else "6M", copies=copies)
    state = it.server.arguments[it.server.arguments.index("--state-dir") + 1]
    try:
        it.load.fill()
        await_that(lambda: it.used() > 0, "the file is used", 60)
        for round in range(3):
            it.available(draw.choice([0, 0, 103, 1000]))

            def kill():
                time.sleep(draw.random() * 0.3)
                it.server.kill()
                if draw.random() < 0.5:
                    for name in os.listdir(state):
                        if name.endswith(".state"):
                            os.remove(os.path.join(state, name))
                it.server.spawn()

            it.load.run(900, at=[(draw.randint(50, 600), kill)])
            it.server.ready()
            it.verify()
        it.available(1000)
        it.await_empty()
        it.verify()
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}: {failure}") from failure
    finally:
        it.end()


def last_donor_gone(processes):
    """Two copies, and the donors end one after the other: the file has what both had."""
    it = Spilling(processes, 23, room="32M", available=1000, copies=2)
    it.load.fill()
    require(it.used() == 0, "the file is used although donors have room")
    it.donors[0].kill()
    it.load.run(600)
    await_that(lambda: it.used() == SLABS, "the file has a copy of each slab", 90)
    await_that(lambda: it.server.status()["export"]["slabs_short_of_copies"] == 0, "all have their copies", 60)
    it.donors[1].kill()
    it.load.run(600)
    it.verify()
    for donor in it.donors:
        donor.spawn()
        donor.ready()
    it.await_empty()
    it.verify()
    it.end()


def refusals(processes):
    """Each in one sentence, and nothing is left behind."""
    folder = processes.path("disk")
    os.mkdir(folder)
    donor = Donor(processes, "32M", "donor").ready()

    def refused(spill, *words):
        said = processes.run(
            LAUNCHER,
            *("serve", "--donors", donor.address, "--size", "8M", "--unix", processes.path("s"), "--http", "none"),
            *("--state-dir", processes.path("state"), "--unprotected", "--spill", spill),
            fails=True,
        )
        for word in words:
            require(word in said, f"{spill}: {said}")
        require(said.strip().count("\n") < 4 and "Exception" not in said, said)

    file = os.path.join(folder, "file")
    refused("/dev/shm/leap-nbd-spill:8M", "is in memory (tmpfs", "name a file on a disk")
    require(not os.path.exists("/dev/shm/leap-nbd-spill"), "a file was made in memory")
    refused(file, "is not FILE:SIZE")
    refused(f"{file}:big", "big")
    refused(f"{file}:1000K", "no multiple of a slab")
    refused(f"{os.path.join(folder, 'none', 'file')}:8M", "is missing")
    refused(f"{folder}:8M", "is a folder")
    refused(f"{file}:900G", "has room for", "name a smaller SIZE")
    os.symlink(file, os.path.join(folder, "link"))
    refused(f"{os.path.join(folder, 'link')}:8M", "is a symbolic link")
    with open(file, "wb") as out:
        out.write(b"somebody's own" * 100_000)
    refused(f"{file}:8M", "is no spill file")
    require(os.path.getsize(file) == 1_400_000, "somebody's file was changed")
    os.link(file, os.path.join(folder, "other"))
    refused(f"{file}:8M", "hard link")
    os.remove(os.path.join(folder, "other"))
    os.remove(file)

    large = Donor(processes, "64M", "large slabs", slab_size="8M").ready()
    small, donor = donor, large
    refused(f"{file}:4M", "is less than one slab of the donors, 8 MiB")
    refused(f"{file}:20M", "is no multiple of the donors' slabs, 8 MiB; name 16M or 24M")
    require(not os.path.exists(file), "a start that was refused has left its file")
    donor = small
    server = Server(processes, "8M", [donor], spill=f"{file}:8M").ready()
    refused(f"{file}:8M", "is in use by another server")
    for daemon in [server, small, large]:
        daemon.kill()


def left_out(processes):
    """A start without the file that has pages is refused as one without a donor is; --lose-missing gives them up, in so many words."""
    it = Spilling(processes, 25)
    it.load.fill()
    it.load.close()
    it.server.kill()
    without = [word for word in it.server.arguments if word != f"{it.file}:16M" and word != "--spill"]
    said = it.processes.run(LAUNCHER, *without, "--unprotected", fails=True)
    require(f"spill:{it.file}" in said and "name its file with --spill" in said and "--lose-missing" in said, said)
    it.server.arguments = without + ["--lose-missing"]
    it.server.spawn()
    it.server.ready()
    require(f"{SLABS - 6} slabs are lost" in it.server.errors(), it.server.errors())
    for daemon in [it.server, *it.donors]:
        daemon.kill()


def run(suite, processes, first, rounds):
    suite.test("pages that donors have no room for go to a file and back", there_and_back, processes)
    suite.test("two donors end one after the other, and the file has their pages", last_donor_gone, processes)
    suite.test("a spill that cannot be is refused in one sentence", refusals, processes)
    suite.test("a start without the spill that has pages is refused", left_out, processes)
    suite.run()
    for seed in range(first, first + rounds):
        suite.test(f"a server that is killed while pages go to a file and back loses nothing (seed {seed})", killed_at_any_moment, processes, seed)
        suite.run()
