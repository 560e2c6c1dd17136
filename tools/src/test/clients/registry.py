"""A pool that finds itself: donors register in a real etcd, and servers use them. etcd, donors and servers are killed, and the network between them stops."""

import base64
import json
import os
import shutil
import signal
import socket
import time
import urllib.request

from load import PAGE, Load
from processes import LAUNCHER, Daemon, Donor, Server, await_that
from relay import Relay
from tls import Authority

SIZE = 8 << 20
PAGES = SIZE // PAGE


def require(condition, message):
    if not condition:
        raise AssertionError(message)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Etcd(Daemon):
    """Debian's etcd, of one member; it keeps its address and what it holds when it is started again."""

    def __init__(self, processes, *options, scheme="http"):
        port, peers = free_port(), f"http://127.0.0.1:{free_port()}"
        self.address = f"127.0.0.1:{port}"
        self.scheme = scheme
        self.data = processes.path("etcd-data")
        url = f"{scheme}://{self.address}"
        super().__init__(
            processes, "etcd", "--data-dir", self.data, "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
            *options,
        )  # fmt: skip

    def launcher(self):
        return ["etcd"]

    def ready(self):
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", int(self.address.split(":")[1]))) == 0

        await_that(listens, "etcd listens", 60)
        return self

    def traces(self):
        return []

    @property
    def pool(self):
        return f"etcd://{self.address}/lab"

    def values(self, prefix):
        """What is under a prefix, of an etcd that asks for nothing."""
        body = {"key": base64.b64encode(prefix.encode()).decode(), "range_end": base64.b64encode(prefix[:-1].encode() + b"0").decode()}
        request = urllib.request.Request(f"http://{self.address}/v3/kv/range", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return [json.loads(base64.b64decode(one["value"])) for one in json.load(answer).get("kvs", [])]

    def ctl(self, *words, **options):
        return self.processes.run("etcdctl", "--endpoints", f"{self.scheme}://{self.address}", *words, environment={"ETCDCTL_API": "3"}, **options)


class Case:
    """An etcd, some donors that register there, and a server that reaches etcd by a relay."""

    def __init__(self, processes, donors, **options):
        self.processes = processes
        self.etcd = Etcd(processes).ready()
        self.way = Relay(processes, self.etcd)
        self.pool = self.etcd.pool.replace(self.etcd.address, self.way.address.removeprefix("tcp://"))
        starting = [self.donor(i, wait=False) for i in range(donors)]
        self.donors = [donor.ready() for donor in starting]
        options.setdefault("replicas", 2)
        self.server = Server(processes, SIZE, donors=self.pool, io_timeout="20s", **options).ready()
        self.load = Load(self.server.uri("nbd+unix"), PAGES, seed=3)
        self.load.fill()

    def donor(self, number, wait=True, registry=None, **options):
        options.setdefault("drain_timeout", "60s")
        donor = Donor(self.processes, "32M", f"donor {number}", registry=registry or self.etcd.pool, zone=number, **options)
        return donor.ready() if wait else donor

    def uses(self):
        return {donor["name"].removeprefix("tcp://"): donor["use"] for donor in self.server.status()["donors"]}

    def await_used(self, *donors):
        wanted = {donor.address: "used" for donor in donors}
        await_that(lambda: self.uses() == wanted, f"the donors are {sorted(wanted)}; they are {self.uses()}", 60)

    def await_well(self):
        await_that(lambda: self.server.status()["export"]["slabs_short_of_copies"] == 0, "every page has its copies", 60)

    def heard(self):
        return self.server.status()["registry"]["heard"]

    def named(self):
        """What the registry names, by address."""
        return {one["address"]: one for one in self.etcd.values("/leap-nbd/lab/donors/")}

    def check(self):
        """All is as it was written, and some more is."""
        self.load.run(150)
        self.load.verify()
        pages = self.server.status()["export"]["pages_lost"]
        require(pages == 0, f"{pages} pages are lost")
        require(not self.load.wrong, "\n".join(self.load.wrong[:5]))

    def end(self):
        self.load.close()
        for daemon in [self.server, *self.donors, self.way, self.etcd]:
            daemon.kill()


def come_and_go(processes):
    """Donors that register are used, one that comes later too; one that ends in good order is left, and used when it is back."""
    case = Case(processes, 2)
    first, second = case.donors
    case.await_used(first, second)
    third = case.donor(2)
    case.donors.append(third)
    case.await_used(first, second, third)
    case.check()
    shown = processes.run(LAUNCHER, "pool", "status", "--registry", case.etcd.pool)
    for words in ("3 donors are ready; they lend 96 MiB", first.address, "leap"):
        require(words in shown, f"no '{words}' in: {shown}")

    first.signal(signal.SIGTERM)
    require(first.ended(60) == 0 and "all slabs have come back" in first.errors(), first.errors())
    case.await_used(second, third)
    require(case.named()[first.address]["state"] == "left", case.named())
    case.check()
    first.spawn()
    first.ready()
    case.await_used(second, third, first)

    # An operator's word counts: whoever was removed by hand stays away, until it is started anew.
    at = case.server.uri("http").removeprefix("http://")
    processes.run(LAUNCHER, "set", "donors-=" + third.address, "--http", at)
    case.await_used(second, first)
    time.sleep(3)  # The server looks every second.
    case.await_used(second, first)
    third.kill()
    third.spawn()
    third.ready()
    case.await_used(second, first, third)
    case.check()
    case.end()


def registry_dies(processes):
    """A registry that is killed, or cannot be reached, changes nothing but news; also for a server that starts then."""
    case = Case(processes, 2)
    first, second = case.donors
    case.etcd.kill()
    await_that(lambda: not case.heard(), "the server says that it hears nothing")
    case.check()
    case.server.kill()
    case.server.spawn()
    case.server.ready()
    require("begins with the donors that it had" in case.server.errors(), case.server.errors())
    case.await_used(first, second)
    case.check()

    third = case.donor(2)
    case.donors.append(third)
    await_that(lambda: any("not registered" in line for line in third.status()["degraded"]), "the donor says that it is not registered")
    case.etcd.spawn()
    case.etcd.ready()
    case.await_used(first, second, third)
    require(case.heard(), case.server.status()["registry"])

    # A partition: nobody hears that the way is closed.
    case.way.pause()
    fourth = case.donor(3)
    case.donors.append(fourth)
    await_that(lambda: fourth.address in case.named(), "the fourth donor is registered")
    case.check()
    await_that(lambda: not case.heard(), "the server says that it hears nothing", 90)
    case.await_used(first, second, third)
    case.way.resume()
    case.await_used(first, second, third, fourth)
    case.check()
    case.end()


def forgotten(processes):
    """
    A donor that is killed is not left, however long the registry names it no more: it may be back. Nor is one that lives and cannot reach the registry. And a
    server that has nothing but a registry that names some of its donors asks the others too: no page is taken for blank.
    """
    case = Case(processes, 2, encrypt="off", wait="60s")
    first, second = case.donors
    way = Relay(processes, case.etcd)
    lonely = case.donor(2, registry=case.etcd.pool.replace(case.etcd.address, way.address.removeprefix("tcp://")))
    case.donors.append(lonely)
    case.await_used(first, second, lonely)
    first.kill()
    way.pause()
    case.check()
    await_that(lambda: list(case.named()) == [second.address], "the registry forgets two donors", 60)
    case.await_used(first, second, lonely)
    require("is to be removed" not in case.server.errors(), case.server.errors())
    first.spawn()
    first.ready()
    await_that(lambda: len(case.named()) == 2, "the first donor is registered again", 60)
    case.await_well()

    case.server.kill()
    shutil.rmtree(case.server.arguments[case.server.arguments.index("--state-dir") + 1])
    said = len(case.server.errors())
    case.server.spawn()
    asked = f"donor tcp://{lonely.address} may hold pages, and no registry names it; it is asked too"
    await_that(lambda: asked in case.server.errors()[said:], "the start asks for the donor that nobody names", 60)
    case.server.ready()
    case.check()
    way.resume()
    await_that(lambda: len(case.named()) == 3, "all are registered again", 60)
    case.await_used(first, second, lonely)
    case.await_well()
    case.check()
    case.end()


def secured(processes):
    """etcd with users and TLS; whoever shows nothing, or something wrong, is told so in a sentence."""
    authority = Authority(processes, "registry")
    folder = authority.sign("server", "etcd")
    etcd = Etcd(
        processes, "--cert-file", os.path.join(folder, "server-cert.pem"), "--key-file", os.path.join(folder, "server-key.pem"),
        scheme="https",
    ).ready()  # fmt: skip
    trust = ["--cacert", authority.certificate]
    etcd.ctl(*trust, "user", "add", "root:top")
    etcd.ctl(*trust, "user", "add", "leap:secret word")
    etcd.ctl(*trust, "role", "add", "leap")
    etcd.ctl(*trust, "role", "grant-permission", "leap", "--prefix=true", "readwrite", "/leap-nbd/lab/")
    etcd.ctl(*trust, "user", "grant-role", "leap", "leap")
    etcd.ctl(*trust, "user", "grant-role", "root", "root")
    etcd.ctl(*trust, "auth", "enable")
    user, wrong = processes.path("user"), processes.path("wrong")
    for path, text in ((user, "leap\nsecret word\n"), (wrong, "leap\nwrong word\n")):
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(text)
    known = {"registry_user": user, "registry_tls": folder}
    donor = Donor(processes, "32M", "donor", registry=etcd.pool, **known).ready()
    server = Server(processes, SIZE, donors=etcd.pool, **known).ready()
    load = Load(server.uri("nbd+unix"), PAGES, seed=5)
    load.fill()
    load.verify()

    def status(*options, fails=True):
        return processes.run(LAUNCHER, "pool", "status", "--registry", etcd.pool, *options, fails=fails)

    shown = status("--registry-user", user, "--registry-tls", folder, fails=False)
    require(donor.address in shown and "leap" in shown, shown)
    refusals = {
        ("--registry-tls", folder): "it knows users only; name a file with one by --registry-user",
        ("--registry-tls", folder, "--registry-user", wrong): "user 'leap': etcdserver: authentication failed",
    }
    for options, words in refusals.items():
        said = status(*options)
        require(words in said and "secret" not in said and said.count("\n") == 1, f"{options}: {said}")
    # etcd forgets its tokens.
    etcd.kill()
    etcd.spawn()
    etcd.ready()
    later = Donor(processes, "32M", "another", registry=etcd.pool, **known).ready()
    await_that(lambda: len(server.status()["donors"]) == 2, "the other donor is used", 60)
    require("secret word" not in server.errors() + donor.errors() + later.errors(), "a password is in the log")
    load.close()
    for daemon in (server, donor, later, etcd):
        daemon.kill()


def nobody(processes):
    """Without a registry and without donors of before a start waits for as long as it was told, and says why it ends."""
    at = f"etcd://127.0.0.1:{free_port()}/lab"
    server = Server(processes, SIZE, donors=at, wait="2s")
    require(server.ended(60) == 3, "the exit code")
    require(f"no donor is known: {at} gives no news" in server.errors(), server.errors())
    etcd = Etcd(processes).ready()
    etcd.ctl("put", "/leap-nbd/lab/donors/x", "<html>")
    server = Server(processes, SIZE, donors=etcd.pool, wait="2s")
    require(server.ended(60) == 3, "the exit code")
    require(f"no donor is registered in {etcd.pool} that can be used (registered as /leap-nbd/lab/donors/x: no JSON" in server.errors(), server.errors())
    etcd.kill()


class SrvServer:
    """A name server that knows one name."""

    NAME = b"\x05_leap\x04_tcp\x03lab\x00"

    def __init__(self):
        import threading

        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.ports = []
        threading.Thread(target=self.run, daemon=True).start()

    @property
    def source(self):
        return f"dns://127.0.0.1:{self.socket.getsockname()[1]}/_leap._tcp.lab"

    def run(self):
        while True:
            question, sender = self.socket.recvfrom(2048)
            asked = question[12:].split(b"\x00\x00\x21", 1)[0] + b"\x00\x00\x21\x00\x01"
            target = b"\x09localhost\x00"
            answers = b"".join(
                b"\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x05"
                + (6 + len(target)).to_bytes(2, "big")
                + b"\x00\x00\x00\x01"
                + port.to_bytes(2, "big")
                + target
                for port in self.ports
            )
            head = question[:2] + b"\x85\x80\x00\x01" + len(self.ports).to_bytes(2, "big") + b"\x00\x00\x00\x00"
            self.socket.sendto(head + asked + answers, sender)


def srv(processes):
    """SRV records name donors."""
    donors = [Donor(processes, "32M", f"donor {i}").ready() for i in range(2)]
    names = SrvServer()
    names.ports = [int(donor.address.split(":")[1]) for donor in donors]
    server = Server(processes, SIZE, donors=names.source).ready()
    require(
        {donor["name"] for donor in server.status()["donors"]} == {f"tcp://localhost:{port}" for port in names.ports},
        str(server.status()["donors"]),
    )
    load = Load(server.uri("nbd+unix"), PAGES, seed=7)
    load.fill()
    load.verify()
    load.close()
    for daemon in (server, *donors):
        daemon.kill()


def run(suite, processes):
    suite.test("donors of a registry are used when they come and left when they end", come_and_go, processes)
    suite.test("a registry that is dead or cannot be reached changes nothing but news", registry_dies, processes)
    suite.test("a donor that a registry forgets is not left, and no page of it is taken for blank", forgotten, processes)
    suite.test("a registry with users and TLS is used, and says whom it refuses", secured, processes)
    suite.test("a start without donors of a registry waits and says why it ends", nobody, processes)
    suite.test("SRV records of a registry in DNS name donors", srv, processes)
    suite.run()
