"""
A wire between servers and one donor that does not know what it carries. It can be cut and tapped. It can change a bit of what passes, say it twice, or
say it in another order. What a server said on a connection can be said again on a new one.
"""

import socket
import struct
import threading

KEYS = b"\x17\x03\x03\x00\x51"  # how the record begins in which a server asks to go on in clear: 64 bytes, their kind and a tag

WAIT_FOR_NEXT = 0.05  # seconds for which something is held back, to be said behind what comes next


class Wire:
    """Passes bytes on, with threads of this process."""

    def __init__(self, donor):
        self.target = ("127.0.0.1", int(donor.address.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.pairs = set()
        self.flips = 0  # chunks that are still to be changed
        self.doubles = 0  # chunks that are still to be said twice
        self.swaps = 0  # chunks that are still to be said behind the next one
        self.strays = 0  # requests to go on in clear before which bytes are still to be put
        self.mutes = 0  # directions of a connection that are still to pass nothing more
        self.changed = self.doubled = self.swapped = self.strayed = 0
        self.recorded = {}  # what each server has said, by connection
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
        held = b""
        try:
            while True:
                try:
                    source.settimeout(WAIT_FOR_NEXT if held else None)
                    chunk = source.recv(1 << 16)
                except TimeoutError:  # whoever says more may be waiting for what is held
                    sink.sendall(held)
                    held = b""
                    self.swap(1)
                    continue
                if not chunk:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if source is pair[0]:
                    self.record(pair, chunk)
                if not held and self.takes("swaps", chunk):
                    held = chunk
                    continue
                if self.takes("mutes", chunk):
                    while source.recv(1 << 16):
                        pass
                    return
                if held:
                    self.count("swapped")
                if self.takes("doubles", chunk):
                    self.count("doubled")
                    chunk += chunk
                sink.sendall(self.touched(chunk) + held)
                held = b""
        except OSError:
            self.end(pair)

    def record(self, pair, chunk):
        with self.lock:
            if len(self.recorded.setdefault(pair, bytearray())) < 1 << 20:
                self.recorded[pair] += chunk

    def takes(self, what, chunk):
        """Whether it is this chunk's turn for it."""
        with self.lock:
            left = getattr(self, what)
            if not left or len(chunk) <= 64:
                return False
            setattr(self, what, left - 1)
            return True

    def count(self, what):
        with self.lock:
            setattr(self, what, getattr(self, what) + 1)

    def touched(self, chunk):
        with self.lock:
            if self.tapped is not None:
                self.tapped += chunk
            keys = len(chunk) - len(KEYS) - KEYS[-1]
            if self.strays and keys >= 0 and chunk[keys:].startswith(KEYS):
                self.strays -= 1
                self.strayed += 1
                chunk = chunk[:keys] + bytes(64) + chunk[keys:]
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

    def double(self, chunks):
        """Says each of the next chunks twice."""
        with self.lock:
            self.doubles += chunks

    def stray(self, requests):
        """Puts bytes of nobody before each of the next requests to go on in clear."""
        with self.lock:
            self.strays += requests

    def mute(self, directions):
        """From the next chunk on, one direction of a connection passes nothing any more; nobody is told."""
        with self.lock:
            self.mutes += directions

    def swap(self, chunks):
        """Has each of the next chunks overtaken by the one behind it."""
        with self.lock:
            self.swaps += chunks

    def replay(self):
        """Says on new connections what servers have said until now; what the donor answers to each."""
        with self.lock:
            said = [bytes(one) for one in self.recorded.values()]
        answers = []
        for one in said:
            with socket.create_connection(self.target, 10) as again:
                again.settimeout(30)
                answer = b""
                try:
                    again.sendall(one)
                    while chunk := again.recv(1 << 16):
                        answer += chunk
                except ConnectionError:
                    pass  # it ends with a reset
                answers.append(answer)
        return answers

    def tap(self):
        with self.lock:
            self.tapped = bytearray()

    def heard(self):
        with self.lock:
            return bytes(self.tapped)

    def close(self):
        self.listener.close()
        self.cut()
