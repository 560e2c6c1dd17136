"""A wire between servers and one donor that does not know what it carries: it can be cut, it can change a bit, and it can be tapped."""

import socket
import struct
import threading


class Wire:
    """Passes bytes on, with threads of this process."""

    def __init__(self, donor):
        self.target = ("127.0.0.1", int(donor.address.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.pairs = set()
        self.flips = 0  # chunks that are still to be changed
        self.changed = 0
        self.tapped = None  # what has passed, when somebody listens
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, 10)
                far.settimeout(None)
            except OSError:
                self.reset(near)
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.add((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, sink, (near, far)), daemon=True).start()

    def carry(self, source, sink, pair):
        try:
            while True:
                chunk = source.recv(1 << 16)
                if not chunk:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(self.touched(chunk))
        except OSError:
            self.end(pair)

    def touched(self, chunk):
        with self.lock:
            if self.tapped is not None:
                self.tapped += chunk
            if self.flips and len(chunk) > 64:
                self.flips -= 1
                self.changed += 1
                middle = len(chunk) // 2
                chunk = chunk[:middle] + bytes([chunk[middle] ^ 4]) + chunk[middle + 1 :]
        return chunk

    @staticmethod
    def reset(end):
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RD)  # wakes the thread that reads
        except OSError:
            pass
        end.close()

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            self.reset(end)

    def cut(self):
        """Resets all connections, wherever in a record they are."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.end(pair)

    def flip(self, chunks):
        """Changes one bit in each of the next chunks."""
        with self.lock:
            self.flips += chunks

    def tap(self):
        with self.lock:
            self.tapped = bytearray()

    def heard(self):
        with self.lock:
            return bytes(self.tapped)

    def close(self):
        self.listener.close()
        self.cut()
