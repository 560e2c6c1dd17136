"""Donors and servers of one pool: who is served, whose an export is, and what a wire that is cut, changed or tapped comes to."""

import os
import re
import stat
import time
import urllib.request

from connection import connect
from donor_faults import require
from processes import LAUNCHER, Donor, Server, await_that
from verified import Verified
from wire import Wire

SIZE = 32 << 20
PAGE = 4096


class Pool:
    """A pool, made as an operator makes it."""

    def __init__(self, processes, name="pool"):
        self.processes = processes
        self.folder = processes.path(name)
        self.said = processes.run(LAUNCHER, "pool", "create", self.folder, "--name", name)

    def add(self, machine, *more):
        self.said += self.processes.run(LAUNCHER, "pool", "add", self.folder, machine, *more)
        return os.path.join(self.folder, machine)


def certificates(processes):
    """What 'pool' makes, prints and refuses."""
    pool = Pool(processes)
    folder = pool.add("h1", "localhost", "127.0.0.1")
    keys = [os.path.join(pool.folder, "ca-key.pem")]
    keys += [os.path.join(folder, f"{role}-key.pem") for role in ("donor", "server", "client")]
    for key in keys:
        require(stat.S_IMODE(os.stat(key).st_mode) == 0o600, f"{key} has another mode than 0600")
        with open(key) as lines:
            require(lines.read().splitlines()[1] not in pool.said, "a key is printed")
    for place in (pool.folder, folder):
        require(stat.S_IMODE(os.stat(place).st_mode) == 0o700, f"{place} has another mode than 0700")
    require("good until" in pool.said and "scp" in pool.said, f"the next steps are not said: {pool.said}")
    before = [open(key).read() for key in keys]
    again = processes.run(LAUNCHER, "pool", "create", pool.folder, fails=True)
    again += processes.run(LAUNCHER, "pool", "add", pool.folder, "h1", fails=True)
    require(again.count("nothing is written over") == 2, again)
    require(before == [open(key).read() for key in keys], "a key was written over")
    for role in ("donor", "server", "client"):
        text = processes.run("openssl", "verify", "-x509_strict", "-CAfile", os.path.join(folder, "ca-cert.pem"),
                             os.path.join(folder, f"{role}-cert.pem"))  # fmt: skip
        require("OK" in text, text)
        processes.run("openssl", "pkey", "-in", os.path.join(folder, f"{role}-key.pem"), "-noout", "-check")
    # The same folder is what clients of NBD take.
    server = Server(processes, SIZE, tls_certificates=folder).ready()
    uri = server.uri("nbds") + f"?tls-certificates={folder}"
    require('"TLS": true' in processes.run("nbdinfo", "--json", uri), "nbdinfo does not connect")
    donor_as_client = processes.path("donor-as-client")
    os.mkdir(donor_as_client)
    for name, as_name in (("ca-cert", "ca-cert"), ("donor-cert", "client-cert"), ("donor-key", "client-key")):
        processes.run("cp", os.path.join(folder, name + ".pem"), os.path.join(donor_as_client, as_name + ".pem"))
    processes.run("nbdinfo", server.uri("nbds") + f"?tls-certificates={donor_as_client}", fails=True)


class Linked:
    """Two donors and a server of a pool, with a wire in front of the second donor."""

    def __init__(self, processes):
        self.processes = processes
        self.pool = Pool(processes)
        self.donors = []
        for name in ("h1", "h2"):
            self.donors.append(Donor(processes, "64M", f"donor {name}", pool=self.pool.add(name)))
        for donor in self.donors:
            donor.ready()
        self.web = self.pool.add("web")
        self.wire = Wire(self.donors[1])
        self.state = processes.path("state")
        self.server = self.serve(self.web, state=self.state).ready()

    def serve(self, folder, name="server", donors=None, **options):
        options = {"replicas": 2, **options}
        if folder:
            options["pool"] = folder
        return Server(self.processes, SIZE, donors or self.at(), name=name, **options)

    def at(self):
        return [At(f"{self.donors[0].address}?zone=1"), At(f"{self.wire.address}?zone=2")]

    def refusal(self, server):
        """The sentence with which a server that does not start ends."""
        require(server.ended(60) != 0, "a server starts that should not")
        said = [line for line in server.errors().splitlines() if "leap-nbd serve:" in line]
        require(said, f"it ends without a sentence: {server.errors()[-500:]}")
        return said[-1]

    def whole(self):
        """All slabs have two copies at donors that are up."""
        status = self.server.status()
        return all(donor["up"] for donor in status["donors"]) and status["export"]["slabs_short_of_copies"] == 0


class At:
    """Where a donor is."""

    def __init__(self, address):
        self.address = address


def known(linked):
    """What status says on both sides."""
    for donor in linked.server.status()["donors"]:
        require(donor["authenticated"] and donor["encrypted"], f"a donor is not authenticated: {donor}")
        require(donor["certificate"] in ("h1", "h2"), f"a donor shows {donor['certificate']}")
    text = linked.processes.run(LAUNCHER, "status", "--http", linked.server.uri("http").removeprefix("http://"))
    require("TLS, h1" in text and "TLS, h2" in text, text)
    for donor in linked.donors:
        status = donor.status()
        require([export["identity"] for export in status["exports"]] == ["web"], f"{status['exports']}")
        require(status["pool"] == "pool" and not status["insecure"], f"{status}")
    require("insecure" not in linked.server.uris, "a secured server calls itself insecure")


def another_identity(linked):
    """A second server of the pool, with a certificate of its own, while the first one works."""
    job = Verified(linked.processes, linked.server, 0, SIZE // 2)
    try:
        job.look()
        folder = linked.pool.add("mail")
        fenced = [donor.status()["requests"]["fenced"] for donor in linked.donors]
        for more in ({}, {"take_over": True}, {"fresh": True, "take_over": True}, {"lose_missing": True}):
            said = linked.refusal(linked.serve(folder, "another server", wait="5s", **more))
            require("belongs to 'web'" in said, said)
        require(fenced == [donor.status()["requests"]["fenced"] for donor in linked.donors], "somebody was fenced off")
        job.finish()
    finally:
        job.close()
    require(job.requests > 0 and linked.server.alive(), "the first server does not work any more")
    # Under a name of its own it may use the same donors.
    other = linked.serve(folder, "another server", export="mail").ready()
    require({e["name"]: e["identity"] for e in linked.donors[0].status()["exports"]} == {"leap": "web", "mail": "mail"},
            "an export is not its server's own")  # fmt: skip
    require(other.terminate() == 0, "it does not end well")


def strangers(linked):
    """Each end is told in a sentence who refuses whom, and the other end's log says it too."""
    other = Pool(linked.processes, "other")
    ended = linked.pool.add("late", "--days", "1")
    h3 = linked.pool.add("h3", "--role", "donor")
    said = linked.refusal(linked.serve(None, "a server without a pool"))
    require("start this one with --pool" in said, said)
    said = linked.refusal(linked.serve(other.add("web"), "a server of another pool"))
    require("its certificate is not of this pool's authority" in said, said)
    said = linked.refusal(linked.serve(h3, "a server with a donor's folder"))
    require("no server-cert.pem" in said, said)
    said = linked.refusal(linked.serve(linked.pool.folder, "a server with the pool's own folder"))
    require("the pool's own folder" in said, said)
    mixed = linked.processes.path("mixed")
    linked.processes.run("cp", "-a", h3, mixed)
    for kind in ("cert", "key"):
        os.rename(os.path.join(mixed, f"donor-{kind}.pem"), os.path.join(mixed, f"server-{kind}.pem"))
    said = linked.refusal(linked.serve(mixed, "a server with a donor's certificate"))
    require("is that of a donor" in said, said)
    plain = Donor(linked.processes, "64M", "a donor without a pool").ready()
    said = linked.refusal(linked.serve(linked.web, "a server of the pool", [plain], replicas=1))
    require("does not use TLS" in said and "start that donor with --pool" in said, said)
    require("it uses TLS, and this donor does not" in plain.errors(), plain.errors())
    require("does not use TLS; start that server with --pool" in linked.donors[0].errors(), linked.donors[0].errors())
    plain.kill()
    soon = Donor(linked.processes, "64M", "a donor whose certificate ends soon", pool=ended).ready()
    require("ends in" in soon.errors() and "pool add" in soon.errors(), soon.errors())
    require(any("ends in" in line for line in soon.status()["degraded"]), f"{soon.status()['degraded']}")
    soon.kill()


def wire(linked):
    """What is cut, changed, said twice or out of its order ends the connection, and what it carried is sent again."""
    job = Verified(linked.processes, linked.server, 0, SIZE // 2, iops=4000)
    connection = connect(linked.server.unix_uri)

    def reconnects():
        job.look()  # when all is written and read, there is nothing that could end the connection
        return linked.server.status()["donors"][1]["reconnects"]

    does = [lambda: linked.wire.flip(1), linked.wire.cut, lambda: linked.wire.double(1), lambda: linked.wire.swap(1)]
    try:
        job.look()
        for turn in range(8):
            before = reconnects()
            time.sleep(0.3)
            does[turn % 4]()
            await_that(lambda: reconnects() > before, "the connection ends", 60)
            await_that(lambda: linked.server.status()["donors"][1]["up"], "the donor is back")
            job.look()
        job.finish()
    finally:
        job.close()
    said = linked.server.errors() + linked.donors[1].errors()
    require("a record was changed on the way" in said, "nobody says that a record was changed")
    done = (linked.wire.changed, linked.wire.doubled, linked.wire.swapped)
    require(min(done) >= 2, f"changed, said twice and out of order on the wire: {done}")
    unfit = [donor["seals_unfit"] for donor in linked.server.status()["donors"]]
    require(unfit == [0, 0], f"changed bytes came through TLS: {unfit}")
    await_that(linked.whole, "two copies of everything", 60)
    connection.close()


def mute(linked):
    """One of a donor's connections goes silent. The others hear the donor still, and nothing fails."""
    job = Verified(linked.processes, linked.server, 0, SIZE // 2, iops=4000)
    try:
        for _ in range(2):
            job.look()
            before = linked.server.status()["donors"][1]["reconnects"]
            linked.wire.mute(1)

            def reconnects(before=before):
                job.look()
                return linked.server.status()["donors"][1]["reconnects"] > before

            await_that(reconnects, "the connection is given up", 60)
            await_that(linked.whole, "two copies of everything", 60)
        job.finish()
    finally:
        job.close()


def replayed(linked):
    """What servers said is said again by somebody who has recorded it: it is worth nothing on another connection."""

    def done():
        status = linked.donors[1].status()
        # The lease of who has gone runs out by itself.
        exports = [{what: value for what, value in export.items() if what != "lease_seconds_left"} for export in status["exports"]]
        return exports, {what: status["requests"][what] for what in ("writes", "trims", "fenced")}

    connection = connect(linked.server.unix_uri)
    require(connection.wait(*[connection.write(at * PAGE, os.urandom(PAGE)) for at in range(8)]) == [0] * 8, "writes")
    connection.close()
    before = done()
    answers = linked.wire.replay()
    greeted = sum(answer[:1] == b"\x16" for answer in answers)  # with its part of a handshake; others are refused, or have said too little
    require(greeted > 0, f"the donor begins no handshake: {[answer[:1] for answer in answers]}")
    require(done() == before, f"it had an effect: {before} became {done()}")
    require(linked.server.alive() and linked.server.status()["donors"][1]["up"], "the server has lost its donor by it")


def tapped(linked):
    """A page that everybody knows is not to be found on the wire, in either direction. Without a pool it is, so the search works."""
    secret = (b"the quick brown fox jumps over the lazy dog, " * 100)[:PAGE]

    def heard(server, wire):
        wire.tap()
        connection = connect(server.unix_uri)
        require(connection.wait(connection.write(SIZE - PAGE, secret)) == [0], "a write")
        await_that(lambda: len(wire.heard()) > PAGE, "the page goes over the wire")
        connection.close()
        return secret[:64] in wire.heard()

    require(not heard(linked.server, linked.wire), "the page is on the wire as it is")
    donor = Donor(linked.processes, "64M", "donor without a pool").ready()
    wire = Wire(donor)
    server = Server(linked.processes, SIZE, [At(wire.address)], "server without a pool", state=linked.processes.path("state")).ready()
    try:
        require(heard(server, wire), "the page is not found where it is")
    finally:
        server.kill()
        donor.kill()
        wire.close()


def killed(linked):
    """kill -9 of the server, then of a donor."""
    connection = connect(linked.server.unix_uri)
    page = os.urandom(PAGE)
    require(connection.wait(connection.write(SIZE // 2, page)) == [0], "a write")
    job = Verified(linked.processes, linked.server, 0, SIZE // 2)
    try:
        job.look()
        time.sleep(0.5)
        linked.server.kill()
        linked.server.spawn()
        linked.server.ready()
        job.look()
        await_that(linked.whole, "two copies of everything", 60)
        job.finish()
        job.look()
        time.sleep(0.3)
        linked.donors[0].kill()
        job.finish()
        linked.donors[0].spawn()
        linked.donors[0].ready()
        await_that(linked.whole, "two copies of everything", 60)
    finally:
        job.close()
    connection = connect(linked.server.unix_uri)
    read = connection.read(SIZE // 2, PAGE)
    require(connection.wait(read) == [0] and bytes(read.data) == page, "a page is another one")
    connection.close()


def stand_by(linked):
    """A machine with the same identity takes the export over; one with another cannot."""
    linked.server.kill()
    folder = linked.pool.add("spare", "--identity", "web")
    second = linked.serve(folder, "stand-by", take_over=True)
    second.ready()
    require(second.status()["identity"] == "web", "the stand-by is somebody else")
    linked.server = second


def tags(linked):
    """Frames in clear with tags: names can be read on the wire and pages cannot; what is done to them is found, and no page is wrong."""
    linked.server.kill()
    auth = {"encrypt": "on", "link_security": "auth"}
    linked.wire.tap()
    server = linked.serve(linked.web, "server with tags", fresh=True, take_over=True, state=linked.processes.path("tags"), **auth).ready()
    linked.server = server
    await_that(lambda: all(donor["up"] for donor in server.status()["donors"]), "both donors are reached")
    shown = [(donor["authenticated"], donor["encrypted"], donor["link_security"]) for donor in server.status()["donors"]]
    require(shown == [(True, False, "auth")] * 2, f"status says of links: {shown}")
    text = linked.processes.run(LAUNCHER, "status", "--http", server.uri("http").removeprefix("http://"))
    require("auth, h1" in text and "auth, h2" in text, text)
    with urllib.request.urlopen(server.uri("http") + "/metrics", timeout=60) as answer:
        metrics = answer.read().decode()
    require(len(re.findall(r'^leap_donor_link_security{.*security="auth"} 1', metrics, re.M)) == 2, metrics)
    secret = (b"the quick brown fox jumps over the lazy dog, " * 100)[:PAGE]
    connection = connect(server.unix_uri)
    require(connection.wait(connection.write(SIZE - PAGE, secret)) == [0], "a write")
    await_that(lambda: len(linked.wire.heard()) > PAGE, "the page goes over the wire")
    require(b"leap" in linked.wire.heard(), "frames do not go in clear")
    require(secret[:64] not in linked.wire.heard(), "the page is on the wire as it is")
    job = Verified(linked.processes, server, 0, SIZE // 4, iops=4000)

    def passes(before, what):
        job.look()
        return getattr(linked.wire, what) > before

    try:
        for does, what in ((linked.wire.flip, "changed"), (linked.wire.double, "doubled"), (linked.wire.swap, "swapped")):
            before, ended = getattr(linked.wire, what), server.status()["donors"][1]["reconnects"]
            does(4 if what == "changed" else 1)
            await_that(lambda before=before, what=what: passes(before, what), f"bytes are {what}", 60)
            if what == "doubled":  # of the others some touch only what is in a page
                await_that(lambda ended=ended: server.status()["donors"][1]["reconnects"] > ended, "the connection ends", 60)
            await_that(lambda: server.status()["donors"][1]["up"], "the donor is back")
        job.finish()
    finally:
        job.close()
    said = server.errors() + linked.donors[1].errors()
    require("a frame was changed, left out or repeated on the way" in said, "nobody says that a frame was changed")
    linked.wire.stray(1)
    linked.wire.cut()
    await_that(lambda: linked.wire.strayed and server.status()["donors"][1]["up"], "the donor is back")
    told = "it breaks TLS: bytes that are no record of it came in between"
    await_that(lambda: told in linked.donors[1].errors(), "the donor tells what came in between", 10)
    read = connection.read(SIZE - PAGE, PAGE)
    require(connection.wait(read) == [0] and bytes(read.data) == secret, "a page is another one")
    connection.close()
    strict = Donor(linked.processes, "16M", "a donor of TLS alone", pool=linked.pool.add("h4"), link_security="tls").ready()
    said = linked.refusal(linked.serve(linked.web, "another server with tags", [strict], replicas=1, export="other", **auth))
    require("refuses --link-security auth" in said, said)
    require("frames in clear are not allowed" in strict.errors(), strict.errors())
    strict.kill()


def exposed(processes):
    """Beyond this machine nobody is served, and nobody is talked to, without a pool or a word."""
    said = processes.run(LAUNCHER, "donor", "--memory", "16M", "--slab-size", "1M", "--listen", "0.0.0.0:0", fails=True)
    require("--pool" in said and "--insecure" in said, said)
    said = processes.run(LAUNCHER, "serve", "--size", "16M", "--donors", "192.0.2.1:9400", fails=True)
    require("--pool" in said and "--insecure" in said, said)
    donor = Donor(processes, "16M", "an open donor", insecure=True)
    donor.kill()
    donor.arguments[donor.arguments.index("--listen") + 1] = "0.0.0.0:0"
    donor.spawn()
    donor.ready()
    require(donor.uris[-1] == "insecure" and "insecure" in donor.errors(), f"{donor.uris} {donor.errors()}")
    require(donor.status()["insecure"], "status does not say it")
    pool = Pool(processes)
    donor = Donor(processes, "16M", "a donor of a pool", pool=pool.add("h1"))
    donor.kill()
    donor.arguments[donor.arguments.index("--listen") + 1] = "0.0.0.0:0"
    donor.spawn()
    donor.ready()
    require(donor.uris[-1] != "insecure" and "insecure" not in donor.errors(), f"{donor.uris} {donor.errors()}")


def run(suite, processes):
    suite.test("links: 'pool' makes certificates that other programs take, keys that are private, and writes over nothing", certificates, processes)
    suite.test("links: nobody listens or talks beyond this machine without --pool or --insecure", exposed, processes)
    suite.run()
    suite.test("links: status says who is at the other end, and whose an export is", known)
    suite.test("links: a server with another identity is refused, whatever it says, and disturbs nobody", another_identity)
    suite.test("links: who is not of the pool, or not in its role, is refused in a sentence on both sides", strangers)
    suite.test("links: a wire that cuts, changes bits, repeats or reorders loses nothing, and lets nothing wrong through", wire)
    suite.test("links: one connection of several goes silent, and nothing fails", mute)
    suite.test("links: what a server said has no effect when it is said again", replayed)
    suite.test("links: nothing of a page is on the wire", tapped)
    suite.test("links: kill -9 of the server and of a donor loses nothing", killed)
    suite.test("links: a stand-by with the same identity takes the export over", stand_by)
    suite.test("links: with tags in place of TLS nothing of a page is on the wire, and what is changed there comes out", tags)
    suite.run(lambda: Linked(processes))
