"""A client of redis that always asks the same: fills it, goes through all keys in order, then reads some keys much more often than others."""

import hashlib
import random
import socket
import time

VALUE_BYTES = 1800
BATCH = 10
PRIME = 7919


def connect(path):
    for _ in range(300):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client
        except OSError:
            client.close()
            time.sleep(0.1)
    raise OSError(f"no redis at {path}")


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
    return b"".join(parts)


def value(number):
    return hashlib.sha512(b"%d" % number).digest() * (VALUE_BYTES // 64 + 1)


def ask(client, requests, reply_bytes, digest):
    """Sends some requests at once and takes their replies, which are all of one length."""
    client.sendall(b"".join(requests))
    left = reply_bytes * len(requests)
    while left:
        data = client.recv(min(left, 1 << 16))
        if not data:
            raise OSError("redis has ended")
        left -= len(data)
        digest.update(data)


def keys_to_read(keys, reads):
    """Every key in order; then reads of which an eighth of the keys gets half. Such keys lie anywhere."""
    yield from range(keys)
    draw = random.Random(1)
    for _ in range(reads):
        yield int(keys * draw.random() ** 3) * PRIME % keys


def load(path, keys, reads):
    """Does it all, ends the server, and returns a digest of all replies."""
    digest = hashlib.sha256()
    with connect(path) as client:
        for start in range(0, keys, BATCH):
            numbers = range(start, min(start + BATCH, keys))
            ask(client, [command(b"SET", b"user:%d" % n, value(n)[:VALUE_BYTES]) for n in numbers], len("+OK\r\n"), digest)
        reply = len("$%d\r\n" % VALUE_BYTES) + VALUE_BYTES + 2
        batch = []
        for number in keys_to_read(keys, reads):
            batch.append(command(b"GET", b"user:%d" % number))
            if len(batch) == BATCH:
                ask(client, batch, reply, digest)
                batch = []
        ask(client, batch, reply, digest)
        client.sendall(command(b"SHUTDOWN", b"NOSAVE"))
    return digest.hexdigest()
