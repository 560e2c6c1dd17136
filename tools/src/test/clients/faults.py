"""What may happen to donors, to the way to them, and to the server: each fault begins under load, and is mended after it."""

import signal
import threading
import time

from processes import LAUNCHER, await_that

RANKS = ("full donor", "half-full donor", "empty donor")
SHORT_PAUSE = 0.5  # seconds, less than serve's --member-timeout


class Fault:
    """One fault. 'story' says it in words, for people; 'kind' is what it is counted as."""

    kind = ""
    costs_copies = False  # while it lasts, and until copies are filled again, the other copies are the only ones

    def __init__(self, draw, rank=None):
        """Draws what is to be drawn; 'rank' says which donor: 0 for the one that holds most, 2 for the one that holds least."""
        self.rank = rank
        self.donor = None
        self.at = draw.randint(30, 350)  # requests of the load before it begins
        self.timer = None
        self.decide(draw)

    def decide(self, draw):
        pass

    @property
    def story(self):
        return self.kind if self.rank is None else f"{RANKS[self.rank]} {self.kind}"

    def meet(self, donors):
        """The numbers of the donors, the one that holds most first."""
        if self.rank is not None:
            self.donor = donors[self.rank]

    def begin(self, pool):
        """Returns at once, or nearly: requests are in flight."""
        raise NotImplementedError

    def mend(self, pool):
        """Waits until it is over."""

    def after(self, seconds, what):
        """Has something done later, whether requests are answered or not."""
        self.timer = threading.Timer(seconds, what)
        self.timer.daemon = True
        self.timer.start()

    def await_timer(self):
        self.timer.join(60)
        if self.timer.is_alive():
            raise AssertionError(f"hangs: {self.story}")


class Killed(Fault):
    """kill -9; it comes back blank, at once or when the load has ended."""

    kind = "killed"
    costs_copies = True

    def decide(self, draw):
        self.at_once = draw.random() < 0.5

    def begin(self, pool):
        pool.donors[self.donor].kill()
        if self.at_once:
            pool.donors[self.donor].spawn()

    def mend(self, pool):
        if not self.at_once:
            pool.donors[self.donor].spawn()
        pool.donors[self.donor].ready()


class Ended(Fault):
    """SIGTERM: it gives its slabs back first."""

    kind = "ended"
    costs_copies = True

    def begin(self, pool):
        donor = pool.donors[self.donor]
        self.said = len(donor.errors())
        donor.signal(signal.SIGTERM)

    def mend(self, pool):
        donor = pool.donors[self.donor]
        code, words = donor.ended(60), donor.errors()[self.said :]
        if code != 0 or "are lost" in words:
            raise AssertionError(f"{donor.name}, told to end, ended with {code} and said: {words}")
        donor.spawn()
        donor.ready()


class Paused(Fault):
    """SIGSTOP, longer than --member-timeout, and SIGCONT."""

    kind = "paused"
    costs_copies = True

    def decide(self, draw):
        self.seconds = draw.uniform(1.1, 2.2)

    def begin(self, pool):
        pool.donors[self.donor].pause()
        self.after(self.seconds, pool.donors[self.donor].resume)

    def mend(self, pool):
        self.await_timer()


class Hiccup(Paused):
    """SIGSTOP for a moment. On a busy machine it may become more."""

    kind = "paused for a moment"

    def decide(self, draw):
        self.seconds = draw.uniform(0.1, SHORT_PAUSE)


class ChangesReads(Fault):
    """A bit of some of what is read from it is another one when it arrives."""

    kind = "changes reads"
    costs_copies = True

    def decide(self, draw):
        self.one_in = draw.choice([2, 5, 20])

    def begin(self, pool):
        pool.relays[self.donor].tell("reads", self.one_in)

    def mend(self, pool):
        pool.relays[self.donor].tell("reads", 0)


class ChangesWrites(Fault):
    """
    A bit of some of what is written to it is another one where it lies. Nobody looks at a copy that is not read, so what it holds is given up
    before anything else happens.
    """

    kind = "changes writes"
    costs_copies = True

    def decide(self, draw):
        self.one_in = draw.choice([3, 10])
        self.by = draw.choice([Killed, Drained])(draw, self.rank)
        self.by.at_once = True

    def meet(self, donors):
        super().meet(donors)
        self.by.meet(donors)

    def begin(self, pool):
        pool.relays[self.donor].tell("writes", self.one_in)

    def mend(self, pool):
        pool.relays[self.donor].tell("writes", 0)
        pool.await_whole()
        pool.load.verify()
        self.by.begin(pool)
        self.by.mend(pool)


class Slowed(Fault):
    """What comes and goes takes so much longer that a request to it takes about ten times as long."""

    kind = "slowed"

    def decide(self, draw):
        self.microseconds = draw.choice([500, 1000, 2000])

    def begin(self, pool):
        pool.relays[self.donor].tell("delay", self.microseconds)

    def mend(self, pool):
        pool.relays[self.donor].tell("delay", 0)


class Cut(Fault):
    """All connections to it are reset, wherever in a frame they are."""

    kind = "cut off"

    def begin(self, pool):
        pool.relays[self.donor].tell("cut")


class Garbled(Fault):
    """A reply of it makes no sense, so that the link is given up."""

    kind = "garbled"

    def begin(self, pool):
        pool.relays[self.donor].tell("garble")


class Drained(Fault):
    """leap-nbd drain, and its undoing."""

    kind = "drained"

    def begin(self, pool):
        pool.await_server()
        self.starts = pool.server_starts
        self.drain(pool)

    def drain(self, pool, *more):
        pool.processes.run(LAUNCHER, "drain", pool.relays[self.donor].address, "--http", pool.http, *more)

    def mend(self, pool):
        def empty():
            # A server that was started meanwhile knows of no drain.
            return pool.server_starts != self.starts or pool.donors[self.donor].status()["slabs_lent"] == 0

        pool.await_up()
        await_that(empty, f"donor {self.donor} is empty", 60)
        self.drain(pool, "--undo")


class ServerKilled(Fault):
    """kill -9; it starts again with its state file, at once or a little later."""

    kind = "server killed"

    def decide(self, draw):
        self.seconds = draw.choice([0, draw.uniform(0.05, 0.5)])

    def begin(self, pool):
        await_that(lambda: pool.fio.connected(pool.server.status()), "fio has found the server of the round before")
        pool.server.kill()
        pool.server_starts += 1
        # Not from a timer's thread: a process ends with the thread that has started it.
        time.sleep(self.seconds)
        pool.server.spawn()

    def mend(self, pool):
        pool.server.ready()


class ServerPaused(Fault):
    """SIGSTOP and SIGCONT."""

    kind = "server paused"

    def decide(self, draw):
        self.seconds = draw.uniform(0.2, 1.5)

    def begin(self, pool):
        pool.server.pause()
        self.after(self.seconds, pool.server.resume)

    def mend(self, pool):
        self.await_timer()


class BothKilled(Fault):
    """Two donors are killed, the second at once or while the copies of the first are filled again: pages that were at both are lost."""

    kind = "killed with another"

    def decide(self, draw):
        self.seconds = draw.choice([0, draw.uniform(0, 0.3)])
        self.other_rank = draw.choice([rank for rank in range(3) if rank != self.rank])
        # As long as they are away, requests for what is lost wait: nobody knows that they have ended.
        self.at_once = draw.random() < 0.8

    def meet(self, donors):
        super().meet(donors)
        self.other = donors[self.other_rank]
        self.third = donors[3 - self.rank - self.other_rank]

    def begin(self, pool):
        pool.donors[self.donor].kill()
        time.sleep(self.seconds)
        pool.donors[self.other].kill()
        if self.at_once:
            self.spawn(pool)

    def mend(self, pool):
        if not self.at_once:
            self.spawn(pool)
        for number in (self.donor, self.other):
            pool.donors[number].ready()

    def spawn(self, pool):
        for number in (self.donor, self.other):
            pool.donors[number].spawn()


FIRST = {
    Killed: 5,
    Paused: 4,
    ChangesReads: 2,
    ChangesWrites: 2,
    Drained: 2,
    ServerKilled: 3,
    Ended: 1,
    Hiccup: 1,
    Slowed: 2,
    Cut: 1,
    Garbled: 1,
    ServerPaused: 1,
}
# What takes no copy away. Any of them may come beside a first one.
BESIDE = {ServerKilled: 4, Slowed: 3, Cut: 2, Drained: 2, Garbled: 1, ServerPaused: 1}
OF_THE_SERVER = (ServerKilled, ServerPaused)
MOVES = (Drained, Ended, ChangesWrites)  # two of these would leave one donor


def plan(draw):
    """One fault, or two that cannot lose a page together."""

    def one_of(kinds):
        return draw.choices(list(kinds), list(kinds.values()))[0]

    first = one_of(FIRST)
    faults = [first(draw, None if first in OF_THE_SERVER else draw.choice([0, 0, 1, 2]))]
    if draw.random() < 0.55:
        beside = one_of(BESIDE)
        clash = beside is first or (beside in OF_THE_SERVER and first in OF_THE_SERVER) or (beside in MOVES and first in MOVES)
        if not clash:
            others = [rank for rank in range(3) if rank != faults[0].rank]
            faults.append(beside(draw, None if beside in OF_THE_SERVER else draw.choice(others)))
    return faults
