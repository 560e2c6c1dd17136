"""Servers that are killed, told to end, or replaced while clients write; two donors over TCP keep the pages."""

import errno
import os
import socket
import struct

from connection import connect
from load import PAGE, Load
from processes import Server, await_that, two_donors

SIZE = 16 << 20
PAGES = SIZE // PAGE


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Cluster:
    """Two donors that outlive the servers which tests start."""

    def __init__(self, processes):
        self.processes = processes
        self.donors = two_donors(processes, "96M")

    def server(self, name="server", **options):
        return Server(self.processes, SIZE, self.donors, name, **options).ready()


def killed(cluster, kind):
    """kill -9 in the middle of the load, and a restart that the clients wait for by trying again."""
    server = cluster.server(export="killed-" + kind)
    load = Load(server.uri(kind), PAGES, connections=3, seed=11)
    load.fill()

    def crash():
        server.kill()
        server.spawn()

    load.run(9000, at=[(2000, crash), (4500, crash), (7000, crash)])
    load.verify()
    load.close()
    require(load.drops > 0, "no request was in flight when the server was killed")
    require(min(load.done[what] for what in ("read", "write", "zero", "trim")) > 0, load.done)
    server.kill()


def terminated(cluster):
    server = cluster.server(export="leap-t")
    load = Load(server.uri("nbd+unix"), PAGES, connections=3, seed=12)
    load.fill()
    codes = []

    def end():
        codes.append(server.terminate())
        server.spawn()

    load.run(5000, at=[(2500, end)])
    load.verify()
    load.close()
    require(codes == [0], f"exit code {codes}")
    require(load.drops > 0, "no request was in flight when the server was told to end")
    require(not load.failed, f"error replies: {load.failed}")
    server.kill()


def contents_are_recognised(cluster):
    """What lets a client of the swap device tell a server that has its pages from one that begins blank."""
    server = cluster.server(export="leap-c")
    before = server.status()["export"]["content"]
    server.kill()
    server.spawn()
    require(server.ready().status()["export"]["content"] == before, "the same contents have another number after a restart")
    server.kill()
    server.arguments.append("--fresh")
    server.spawn()
    require(server.ready().status()["export"]["content"] != before, "blank contents have the number of those before")
    server.kill()
    embedded = Server(cluster.processes, SIZE, name="embedded").ready()
    before = embedded.status()["export"]["content"]
    embedded.kill()
    embedded.spawn()
    require(embedded.ready().status()["export"]["content"] != before, "the embedded donor's contents do not end with it")
    embedded.kill()


def taken_over(cluster):
    old = cluster.server("old server", export="leap-o")
    load = Load(old.uri("nbd+unix"), PAGES, connections=2, seed=13)
    load.fill()
    load.run(1000)
    client = connect(old.uri("nbd+unix"))
    new = cluster.server("new server", export="leap-o", take_over=True)
    code = old.ended()
    require(code == 1, f"the older server ended with {code}")
    require(client.wait(client.read(0, PAGE)) == [errno.ENOTCONN], "the older server answers")
    load.close()
    load.move_to(new.uri("nbd+unix"))
    load.verify()
    load.run(1000)
    load.verify()
    load.close()
    new.kill()


def stopped_and_taken_over(cluster):
    """The older one wakes up with requests in its sockets that it has not seen."""
    old = cluster.server("old server", export="leap-s", io_timeout="5s")
    load = Load(old.uri("nbd+unix"), PAGES, connections=2, seed=14)
    load.fill()
    late = connect(old.uri("nbd+unix"))
    old.pause()
    page = 100
    late_write = late.write(page * PAGE, b"late" * (PAGE // 4))
    late_reads = [late.read(first * PAGE, PAGE) for first in range(200, 264)]
    load.move_to(Server(cluster.processes, SIZE, cluster.donors, "new server", export="leap-s").ready().uri("nbd+unix"))
    load.fill()
    old.resume()
    errors = late.wait(late_write, *late_reads)
    require(errors[0] != 0, "a server that was fenced off acknowledged a write")
    for read in late_reads:
        if read.error == 0:
            load.check(read.offset // PAGE, read.data)
        else:
            require(read.dropped, f"an error reply: {errno.errorcode.get(read.error)}")
    load.require_right()
    require(old.ended() == 1, "the older server ends with 1")
    load.run(1000)
    load.verify()
    load.close()


def pinned(cluster):
    """Each event loop of a server and of its donors on a processor of its own; what clients write is right."""
    every = [str(processor) for processor in sorted(os.sched_getaffinity(0))][:64]
    donors = two_donors(cluster.processes, "32M", threads=str(len(every)), pin=True)
    server = Server(cluster.processes, SIZE, donors, threads=str(len(every)), pin=True).ready()
    for process, threads in ((server, "loop-"), (donors[0], "donor-loop-"), (donors[1], "donor-loop-")):
        found = process.processors(threads)
        require(sorted(found) == sorted(every), f"{process.name}: {threads}* on {found}, not on {every}")
    load = Load(server.uri("nbd"), PAGES, connections=3, seed=15)
    load.fill()
    load.run(2000)
    load.verify()
    load.close()


def crowded(cluster):
    """F5, F7, G7: more in flight than the server has buffers for, half-sent writes, floods of trims, while donors pause."""
    server = cluster.server(export="crowded", io_timeout="25s")
    load = Load(server.uri("nbd"), PAGES, connections=2, seed=16)
    load.fill()
    many = [connect(server.uri("nbd")) for _ in range(6)]
    halves = [half_sent_write(server) for _ in range(36)]
    for donor in cluster.donors:
        donor.pause()
    requests = [[client.read(0, 4 << 20) for _ in range(5)] + [client.trim(0, SIZE) for _ in range(16)] for client in many]
    for donor in cluster.donors:
        donor.resume()
    for client, those in zip(many, requests):
        require(set(client.wait(*those)) == {0}, "an honest client was answered with an error")
        client.close()
    load.fill()
    load.run(1000)
    load.verify()
    for half in halves:
        half.close()
    load.close()
    require(not load.failed, f"error replies: {load.failed}")
    server.kill()


def half_sent_write(server):
    """A connection that has sent the header of a write of 32 MiB, and nothing of its payload."""
    host, port = server.uri("nbd").removeprefix("nbd://").split("/")[0].split(":")
    client = socket.create_connection((host, int(port)), 30)
    client.recv(18, socket.MSG_WAITALL)
    client.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, 0))
    client.recv(10, socket.MSG_WAITALL)
    client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 1, 1, 0, SIZE))
    return client


def run(suite, processes):
    for kind in ("nbd+unix", "nbd"):
        suite.test(
            f"a server killed three times under load and started again has every acknowledged write ({kind}://)", killed, kind
        )
    suite.test("a server told to end drops its clients without an error reply, and its successor has every write", terminated)
    suite.test("a restart keeps the number of the contents; blank contents have a new one", contents_are_recognised)
    suite.test("a newer server has every write, and the older one drops its clients and ends", taken_over)
    suite.test("a server that was stopped while a newer one took over does nothing wrong when it goes on", stopped_and_taken_over)
    suite.test("a server and donors whose event loops stay on a processor each (--pin) have every write", pinned)
    suite.test("clients that want more than the server has buffers for wait, and everybody is answered", crowded)
    suite.run(lambda: Cluster(processes))
