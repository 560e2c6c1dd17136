"""Random requests from several connections, against a model that knows what each page may hold."""

import collections
import errno
import random
import select
import struct
import time

from connection import Connection, connect

PAGE = 4096
RECONNECT_DEADLINE = 300


def content(page, generation):
    """Every 16 bytes of a page say which page it is and which write it comes from."""
    return struct.pack("<QQ", page + 1, generation) * (PAGE // 16)


def describe(data):
    """In words, what the bytes of a page are."""
    if data == bytes(PAGE):
        return "zeros"
    page, generation = struct.unpack_from("<QQ", data)
    if data == content(page - 1, generation):
        return f"page {page - 1} as of write {generation}"
    kinds = {data[at : at + 16] for at in range(0, PAGE, 16)}
    return f"a mixture of {len(kinds)} writes"


class Load:
    """
    A page's model is the set of generations that it may hold: that of the last change that was acknowledged or seen, and those
    of later ones whose outcome nobody knows because they failed or their connection was dropped. Generation 0 is a page that was
    never written; a trim or zero request has a generation too. A request never overlaps another one in flight.
    """

    def __init__(self, uri, pages, connections=2, depth=16, seed=1, tolerated=(), mix=(50, 42, 4, 4)):
        self.uri = uri
        self.pages = pages
        self.depth = depth
        self.connections = [Connection(uri) for _ in range(connections)]
        self.random = random.Random(seed)
        self.tolerated = set(tolerated)
        self.mix = mix  # shares of writes, reads, zeroes and trims
        self.may = [{0} for _ in range(pages)]
        self.busy = set()
        self.generation = 0
        self.zeros = {0}
        self.wrong = []
        self.failed = collections.Counter()
        self.done = collections.Counter()
        self.drops = 0
        self.bytes = 0  # of requests that succeeded

    # The model.

    def check(self, first, data):
        """Compares what was read with what may be there."""
        for index in range(len(data) // PAGE):
            page = first + index
            piece = data[index * PAGE : (index + 1) * PAGE]
            matching = [generation for generation in self.may[page] if bytes(piece) == self.expected(page, generation)]
            if matching:
                # What was seen is not undone: from now on it is this or something newer.
                self.may[page] = {generation for generation in self.may[page] if generation >= min(matching)}
            else:
                may = ", ".join(describe(self.expected(page, generation)) for generation in sorted(self.may[page]))
                self.wrong.append(f"page {page} is {describe(bytes(piece))}; it may be: {may}")

    def expected(self, page, generation):
        return bytes(PAGE) if generation in self.zeros else content(page, generation)

    def ended(self, request, generation):
        first, count = request.offset // PAGE, request.length // PAGE
        self.busy.difference_update(range(first, first + count))
        if request.error == 0:
            self.done[request.kind] += 1
            self.bytes += request.length
            if request.kind == "read":
                self.check(first, request.data)
            else:
                for page in range(first, first + count):
                    self.may[page] = {generation}
            return
        if request.dropped:
            self.drops += 1
        else:
            name = errno.errorcode.get(request.error, request.error)
            self.failed[f"{request.kind} {name}"] += 1
            if name not in self.tolerated:
                self.wrong.append(f"{request} failed with {name} after {time.monotonic() - request.begin:.1f} s")
        if request.kind != "read":
            for page in range(first, first + count):
                self.may[page] = self.may[page] | {generation}

    # The requests.

    def free_range(self, longest):
        for _ in range(50):
            count = 1 if self.random.random() < 0.6 else self.random.randint(1, longest)
            first = self.random.randrange(self.pages - count + 1)
            if self.busy.isdisjoint(range(first, first + count)):
                return first, count
        return None

    def issue(self, connection, kind=None, place=None):
        """Sends one request that overlaps no other; returns whether there was room for it."""
        kind = kind or self.random.choices(["write", "read", "zero", "trim"], self.mix)[0]
        place = place or self.free_range(16)
        if place is None:
            return False
        first, count = place
        self.busy.update(range(first, first + count))
        if kind == "read":
            connection.read(first * PAGE, count * PAGE, lambda request: self.ended(request, None))
            return True
        self.generation += 1
        generation = self.generation

        def done(request):
            self.ended(request, generation)

        if kind == "write":
            data = b"".join(content(page, generation) for page in range(first, first + count))
            connection.write(first * PAGE, data, done)
        else:
            self.zeros.add(generation)
            if kind == "zero":
                connection.zero(first * PAGE, count * PAGE, done)
            else:
                connection.trim(first * PAGE, count * PAGE, done)
        return True

    def run(self, requests, at=()):
        """
        Issues that many requests, with reconnects, and waits for their ends. 'at' names what to do in the middle, while requests
        are in flight: pairs of a number of requests and a function that returns at once.
        """
        at = sorted(at, key=lambda pair: pair[0])
        issued = 0
        disconnected = None
        while issued < requests or any(connection.in_flight for connection in self.connections):
            ready = [connection for connection in self.connections if connection.connected() or self.reconnected(connection)]
            for connection in ready:
                while (
                    issued < requests
                    and connection.connected()
                    and len(connection.in_flight) < self.depth
                    and self.issue(connection)
                ):
                    issued += 1
                    while at and issued >= at[0][0]:
                        at.pop(0)[1]()
            self.poll(ready)
            if ready:
                disconnected = None
            elif disconnected is None:
                disconnected = time.monotonic()
            elif time.monotonic() - disconnected > RECONNECT_DEADLINE:
                raise AssertionError(f"no server accepts a connection for {RECONNECT_DEADLINE} s")
            if len(self.wrong) > 10:
                break
        self.require_right()

    def reconnected(self, connection):
        connection.settle()
        return connection.connect()

    def poll(self, connections):
        poller = select.poll()
        sockets = {}
        for connection in connections:
            if connection.connected() and connection.in_flight:
                direction = connection.handle.aio_get_direction()
                poller.register(connection.handle.aio_get_fd(), (1 if direction & 1 else 0) | (4 if direction & 2 else 0))
                sockets[connection.handle.aio_get_fd()] = connection
        for descriptor, event in poller.poll(20 if not sockets else 1000):
            sockets[descriptor].moved([(descriptor, event)])
        for connection in connections:
            connection.settle()

    def move_to(self, uri):
        """From now on, another server."""
        self.close()
        self.uri = uri
        self.connections = [Connection(uri) for _ in self.connections]

    def require_right(self):
        if self.wrong:
            raise AssertionError(f"{len(self.wrong)} things are wrong:\n" + "\n".join(self.wrong[:8]))

    def fill(self):
        """Writes every page once, in big pieces."""
        connection = connect(self.uri)
        for first in range(0, self.pages, 64):
            self.issue(connection, "write", (first, min(64, self.pages - first)))
            while len(connection.in_flight) >= self.depth:
                connection.step(1)
        connection.wait(*connection.in_flight)
        connection.close()
        self.require_right()

    def unreadable(self):
        """Reads and checks every page on a connection of its own; returns those whose reads end with EIO."""
        connection = connect(self.uri)
        broken = set()

        def ended(request):
            first, count = request.offset // PAGE, request.length // PAGE
            if request.error == 0:
                self.check(first, request.data)
            elif request.error != errno.EIO:
                self.wrong.append(f"{request} failed with {errno.errorcode.get(request.error, request.error)}")
            elif count == 1:
                broken.add(first)
            else:
                again.extend(range(first, first + count))

        again = []
        self.read_pieces(connection, [(first, min(32, self.pages - first)) for first in range(0, self.pages, 32)], ended)
        self.read_pieces(connection, [(page, 1) for page in again], ended)
        if not connection.connected():
            raise AssertionError("the server dropped the connection")
        connection.close()
        self.require_right()
        return broken

    def read_pieces(self, connection, pieces, ended):
        # All at once, as far as a connection takes it: pages of a donor that is away then wait together.
        for first, count in list(pieces):
            connection.read(first * PAGE, count * PAGE, ended)
            while len(connection.in_flight) >= 1024:
                connection.step(1)
        while connection.in_flight:
            connection.step(1)

    def verify(self):
        """Every page is readable and right."""
        broken = self.unreadable()
        if broken:
            raise AssertionError(f"{len(broken)} pages cannot be read, of which the first is {min(broken)}")

    def close(self):
        for connection in self.connections:
            connection.close()
