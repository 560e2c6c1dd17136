"""One NBD connection with many requests in flight, on libnbd, where no wait is without a deadline."""

import errno
import select
import time

import nbd

REQUEST_DEADLINE = 150  # a hang; a server that is away for --io-timeout has answered long before
READ = 1
WRITE = 2


class Request:
    """One request; 'error' is 0, or the number that the server answered, or ENOTCONN when the connection was dropped."""

    def __init__(self, in_flight, kind, offset, length, data, done):
        self.in_flight = in_flight
        self.kind = kind
        self.offset = offset
        self.length = length
        self.data = data
        self.done = done
        self.error = None
        self.begin = time.monotonic()
        in_flight.add(self)

    def __str__(self):
        return f"{self.kind} of {self.length} bytes at {self.offset}"

    def completed(self, error):
        self.error = error.value if hasattr(error, "value") else error
        self.in_flight.discard(self)
        if self.done:
            self.done(self)
        return 1

    @property
    def dropped(self):
        return self.error in (errno.ENOTCONN, errno.ECONNRESET, errno.EPIPE)


class Connection:
    """Not connected until connect() has succeeded; when the server drops it, every request in flight ends as dropped."""

    def __init__(self, uri):
        self.uri = uri
        self.handle = None
        self.in_flight = set()
        self.looked = 0

    def connect(self):
        """Returns whether the server accepted the connection."""
        handle = nbd.NBD()
        handle.set_strict_mode(0)
        handle.set_uri_allow_local_file(True)  # of keys
        handle.add_meta_context("base:allocation")
        try:
            handle.connect_uri(self.uri)
        except nbd.Error:
            return False
        self.handle = handle
        return True

    def connected(self):
        return self.handle is not None and not self.handle.aio_is_dead() and not self.handle.aio_is_closed()

    def read(self, offset, length, done=None, flags=0):
        request = Request(self.in_flight, "read", offset, length, bytearray(length), done)
        return self._submit(request, lambda h: h.aio_pread(request.data, offset, request.completed, flags))

    def write(self, offset, data, done=None, flags=0):
        request = Request(self.in_flight, "write", offset, len(data), data, done)
        return self._submit(request, lambda h: h.aio_pwrite(data, offset, request.completed, flags))

    def trim(self, offset, length, done=None):
        request = Request(self.in_flight, "trim", offset, length, None, done)
        return self._submit(request, lambda h: h.aio_trim(length, offset, request.completed))

    def zero(self, offset, length, done=None, flags=0):
        request = Request(self.in_flight, "zero", offset, length, None, done)
        return self._submit(request, lambda h: h.aio_zero(length, offset, request.completed, flags))

    def flush(self):
        request = Request(self.in_flight, "flush", 0, 0, None, None)
        return self._submit(request, lambda h: h.aio_flush(request.completed))

    def _submit(self, request, start):
        try:
            start(self.handle)
        except nbd.Error as refused:
            if request.error is None:
                request.completed(refused.errnum if self.connected() else errno.ENOTCONN)
        return request

    def step(self, seconds):
        """Moves what can be moved; waits at most that long for something to move."""
        if self.connected():
            direction = self.handle.aio_get_direction()
            poller = select.poll()
            poller.register(
                self.handle.aio_get_fd(),
                (select.POLLIN if direction & READ else 0) | (select.POLLOUT if direction & WRITE else 0),
            )
            self.moved(poller.poll(seconds * 1000))
        self.settle()

    def moved(self, events):
        """Takes what poll() said of this connection's socket."""
        try:
            for _, event in events:
                direction = self.handle.aio_get_direction()
                if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and direction & READ:
                    self.handle.aio_notify_read()
                elif event & select.POLLOUT and direction & WRITE:
                    self.handle.aio_notify_write()
                elif event & (select.POLLHUP | select.POLLERR):
                    self.handle.aio_notify_write()
        except nbd.Error:
            return  # the handle is dead now, and its requests have ended

    def settle(self):
        """Ends the requests of a connection that was dropped; fails when one did not end in time."""
        if not self.connected():
            for request in list(self.in_flight):
                request.completed(errno.ENOTCONN)
        now = time.monotonic()
        if now < self.looked + 1:
            return
        self.looked = now
        late = min(self.in_flight, key=lambda request: request.begin, default=None)
        if late is not None and now - late.begin > REQUEST_DEADLINE:
            raise AssertionError(f"hangs: {late} has no answer after {REQUEST_DEADLINE} s")

    def wait(self, *requests):
        """Waits until these have ended, and returns their error numbers."""
        while any(request.error is None for request in requests):
            self.step(1)
        return [request.error for request in requests]

    def close(self):
        if self.handle is not None:
            try:
                self.handle.shutdown()
            except nbd.Error:
                pass  # the server was first
            self.handle = None


def connect(uri):
    connection = Connection(uri)
    if not connection.connect():
        raise AssertionError(f"cannot connect to {uri}")
    return connection
