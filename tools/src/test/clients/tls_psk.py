"""NBD over TLS with shared keys: clients of others (GnuTLS) connect with a key of the server's file, and nobody else does."""

import os
import secrets
import threading

from connection import connect
from donor_faults import require
from load import PAGE, Load
from processes import LAUNCHER, Server, two_donors

SIZE = 16 << 20
PAGES = SIZE // PAGE


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    return path


class Shared:
    """A server that two names have a key for. The folder holds keys.psk, as qemu wants it."""

    def __init__(self, processes, donors=(), **options):
        self.processes = processes
        self.folder = processes.path("psk")
        os.mkdir(self.folder)
        self.keys = {name: secrets.token_hex(32) for name in ("alice", "bob")}
        self.file = write_private(os.path.join(self.folder, "keys.psk"), self.lines(self.keys))
        self.server = Server(processes, SIZE, donors, tls_psk=self.file, **options).ready()

    @staticmethod
    def lines(keys):
        return "".join(f"{name}:{key}\n" for name, key in keys.items())

    @property
    def plain(self):
        return next(uri for uri in self.server.uris if uri.startswith(("nbd:", "nbds:"))).replace("nbds:", "nbd:")

    def uri(self, name="alice", file=None):
        return self.plain.replace("nbd://", f"nbds://{name}@") + f"?tls-psk-file={file or self.file}"

    def qemu(self, name, image, folder=None, priority=None):
        """qemu-img's words to copy the export to a file."""
        host, port = self.plain.removeprefix("nbd://").split("/")[0].split(":")
        credentials = f"tls-creds-psk,id=tls,endpoint=client,dir={folder or self.folder},username={name}"
        credentials += f",priority={priority}" if priority else ""
        source = f"driver=nbd,host={host},port={port},export=leap,tls-creds=tls"
        return ["qemu-img", "convert", "-O", "raw", "--object", credentials, "--image-opts", source, image]


def require_same(*paths):
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    require(all(content == contents[0] for content in contents), "what was written is not what is read")


def foreign_clients(shared):
    """nbdinfo, nbdcopy over 4 connections and qemu-img, there and back, with TLS 1.3 and 1.2."""
    run, path = shared.processes.run, shared.processes.path
    require('"TLS": true' in run("nbdinfo", "--json", shared.uri()), "nbdinfo does not use TLS")
    image, copy, third, fourth = path("image"), path("copy"), path("third"), path("fourth")
    with open(image, "wb") as out:
        out.write(os.urandom(SIZE))
    run("nbdcopy", "--connections=4", image, shared.uri())
    run("nbdcopy", "--connections=4", shared.uri("bob"), copy)
    run(*shared.qemu("bob", third))
    # qemu appends the kinds of shared keys to what it is told.
    run(*shared.qemu("alice", fourth, priority="NORMAL:-VERS-ALL:+VERS-TLS1.2"))
    require_same(image, copy, third, fourth)


def shown(shared):
    """The name is in 'status'; the key is nowhere."""
    one, two = connect(shared.uri()), connect(shared.uri("bob"))
    seen = [connection["tls"] for connection in shared.server.status()["connections"]]
    require(sorted(seen) == ["TLSv1.3 with the key of alice", "TLSv1.3 with the key of bob"], seen)
    text = shared.processes.run(LAUNCHER, "status", "--pid", str(shared.server.child.pid))
    require("with the key of alice" in text, text)
    one.close()
    two.close()
    said = [text, str(shared.server.status()), shared.server.errors()]
    with open(f"/proc/{shared.server.child.pid}/cmdline", errors="replace") as words:
        said.append(words.read())
    require(not any(key in words for key in shared.keys.values() for words in said), "a key is shown")


def strangers(shared):
    """No TLS, a wrong key, a name that there is not, a certificate; the log says which."""
    run = shared.processes.run
    require("TLS" in run("nbdinfo", shared.plain, fails=True), "a client without TLS is not told why")
    wrong = os.path.join(shared.processes.path("wrong"), "keys.psk")
    os.mkdir(os.path.dirname(wrong))
    write_private(wrong, Shared.lines({name: secrets.token_hex(32) for name in ("alice", "carol")}))
    for name in ("alice", "carol"):
        run("nbdinfo", shared.uri(name, wrong), fails=True)
        run(*shared.qemu(name, shared.processes.path("none"), os.path.dirname(wrong)), fails=True)
    run("nbdinfo", shared.plain.replace("nbd://", "nbds://") + "?tls-certificates=" + shared.folder, fails=True)
    run("nbdinfo", shared.uri())
    log = shared.server.errors()
    require("it does not have the key of 'alice'" in log, log)
    run("nbdinfo", shared.uri("carol", wrong), fails=True)
    connection = connect(shared.server.unix_uri)
    require(connection.wait(connection.write(0, b"1" * PAGE)) == [0], "a write over the Unix socket, which needs no TLS")
    connection.close()


def sixteen(shared):
    """At a time, half of them with another key; each reads what it wrote."""
    faults = []

    def client(number):
        try:
            connection = connect(shared.uri("alice" if number % 2 else "bob"))
            page = bytes([number]) * PAGE
            for i in range(64):
                offset = (i * 16 + number) * PAGE
                require(connection.wait(connection.write(offset, page)) == [0], "a write")
                read = connection.read(offset, PAGE)
                require(connection.wait(read) == [0] and bytes(read.data) == page, "what is read is not what was written")
            connection.close()
        except Exception as fault:  # noqa: BLE001, it is told by the thread that waits
            faults.append(fault)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    require(not faults and not any(thread.is_alive() for thread in threads), faults or "a client hangs")


def attach(shared):
    """The kernel speaks no TLS, and attach says what to do instead."""
    text = shared.processes.run(LAUNCHER, "attach", shared.uri(), fails=True)
    require("speaks no TLS" in text and "run serve on this machine" in text, text)


def killed(cluster):
    """kill -9 in the middle of the load: the next server asks for the same keys."""
    shared = Shared(cluster.processes, cluster.donors)
    load = Load(shared.uri(), PAGES, connections=3, seed=31)
    load.fill()

    def crash():
        shared.server.kill()
        shared.server.spawn()

    load.run(6000, at=[(2000, crash), (4000, crash)])
    load.verify()
    load.close()
    require(load.drops > 0, "no request was in flight when the server was killed")


def offered(cluster):
    """--tls on: with a key or without."""
    shared = Shared(cluster.processes, tls="on")
    for uri in (shared.plain, shared.uri()):
        cluster.processes.run("nbdinfo", uri)


class Cluster:
    """Two donors that outlive servers."""

    def __init__(self, processes):
        self.processes = processes
        self.donors = two_donors(processes, "96M")


def run(suite, processes):
    suite.test("TLS with keys: nbdinfo, nbdcopy and qemu-img connect by 1.3 and 1.2, and what they write is read", foreign_clients)
    suite.test("TLS with keys: names are in 'status' and keys are nowhere", shown)
    suite.test("TLS with keys: who has no key does not get in, and the log says why", strangers)
    suite.test("TLS with keys: sixteen clients at a time", sixteen)
    suite.test("TLS with keys: attach says that the kernel speaks none, and what to do", attach)
    suite.run(lambda: Shared(processes))
    suite.test("TLS with keys: kill -9 under load, and clients come back with their keys", killed)
    suite.test("TLS with keys: where it is offered a client may do without", offered)
    suite.run(lambda: Cluster(processes))
