"""HTTPS with the certificates of a pool, on an address that is in none of them: who gets in, after a reload and after a revocation too."""

import http.client
import os
import shutil
import signal
import socket
import ssl

from donor_faults import require
from links import Pool
from processes import LAUNCHER, Donor, Server, await_that


class Looked:
    """A server that asks for certificates, and what another machine of the pool has."""

    def __init__(self, processes):
        self.run = processes.run
        self.pool = Pool(processes)
        self.folder, self.other = self.pool.add("h4"), self.pool.add("h2")
        self.server = Server(processes, "16M", http="0.0.0.0:0", http_tls=self.folder).ready()
        self.port = int(self.server.uri("https").rsplit(":", 1)[1])

    def command(self, *words):
        return self.run(LAUNCHER, *words, "--pid", str(self.server.child.pid))

    def context(self, version):
        """Of OpenSSL, with what h2 shows. Addresses are not compared."""
        context = ssl.create_default_context(cafile=os.path.join(self.other, "ca-cert.pem"))
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(*(os.path.join(self.other, f"client-{kind}.pem") for kind in ("cert", "key")))
        return context

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.context(ssl.TLSVersion.TLSv1_3))


def ask(connection, method="GET", path="/healthz"):
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def commands(looked):
    """They find the certificate by the run file, and may change things."""
    require("security:" in looked.command("status"), "status does not get in")
    require("leap" in looked.command("set", "prefetch=leap"), "set does not get in")
    require("https://" in looked.command("top", "--count", "1", "--interval", "100ms"), "top does not get in")


def sessions(looked):
    """A foreign client that keeps its session gets no other connection with it."""
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        session = None
        context = looked.context(version)
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", looked.port)
            connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", looked.port), timeout=20), session=session)
            require(ask(connection)[0] == 200, "it is not answered")
            require(not connection.sock.session_reused, f"a session is resumed, {version.name}")
            session = connection.sock.session
            connection.close()


def revoked(looked):
    """A connection that stays is looked at again; files that are not in order change nothing."""
    kept = looked.connection()
    require(ask(kept)[0] == 200, "a machine of the pool is refused")
    certificate = os.path.join(looked.folder, "server-cert.pem")
    shutil.copy(certificate, certificate + ".kept")
    with open(certificate, "w") as out:
        out.write("none\n")
    looked.server.child.send_signal(signal.SIGHUP)
    said = "hang-up: everything stays as it is: --http-tls: "
    await_that(lambda: said in looked.server.errors(), "the log says what is wrong")
    os.replace(certificate + ".kept", certificate)
    looked.run(LAUNCHER, "pool", "revoke", looked.pool.folder, "h2")
    shutil.copy(os.path.join(looked.pool.folder, "revoked"), looked.folder)
    require(ask(kept)[0] == 200, "it is refused before the list is read")
    require("certificates of --http-tls" in looked.command("reload"), "reload does not say what it has read")
    status, text = ask(kept)
    require(status == 403 and "not believed any more" in text, f"who was taken out is answered {status}: {text}")
    try:
        status, _ = ask(looked.connection())
        raise AssertionError(f"who was taken out is answered {status} on a new connection")
    except (OSError, http.client.HTTPException):
        pass
    looked.command("status")


def long_headers(processes):
    """What a stranger sends before anybody asks who he is does not fill the heap; a donor that died of it would lose what it lends."""
    token = processes.path("token")
    with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
        out.write("x" * 40 + "\n")
    for daemon in (Donor(processes, "64M", http_token=token).ready(), Server(processes, "16M", http_token=token).ready()):
        port = int(daemon.uri("http").rsplit(":", 1)[1])
        halves = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(31)]
        for half in halves:
            half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(12):
            for half in halves:
                try:
                    half.sendall(b"a" * (32 << 10))
                except OSError:
                    pass  # it was closed
        for half in halves:
            half.close()

        def answers(port=port):
            try:
                return ask(http.client.HTTPConnection("127.0.0.1", port, timeout=20), path="/healthz")[0] == 401
            except (OSError, http.client.HTTPException):
                return False

        await_that(answers, "a stranger is asked for the token again", 60)
        require(daemon.alive(), "it died of them")


def another_user(processes):
    """Another user of the machine may look, and change nothing: he would have the pages moved to a donor of his own."""
    server = Server(processes, "16M").ready()
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    change = (
        "import sys, http.client; c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]));"
        " c.request(sys.argv[2], sys.argv[3]); a = c.getresponse(); print(a.status, a.read().decode())"
    )
    port = server.uri("http").rsplit(":", 1)[1]
    for user, method, path, status in (
        (nobody, "GET", "/healthz", "200"),
        (nobody, "PUT", "/settings?prefetch=none", "403"),
        ((), "PUT", "/settings?prefetch=none", "200"),
    ):
        said = processes.run(*user, "/usr/bin/python3", "-c", change, port, method, path)
        require(said.startswith(status), f"{user} {method}: {said}")


def nobody_runs(processes):
    """Whoever listens where a server would is asked nothing and shown no token."""
    token = processes.path("token")
    with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
        out.write("x" * 40 + "\n")
    environment = {"LEAP_NBD_RUN_DIR": processes.path("empty")}
    for words in (("status",), ("set", "prefetch=none"), ("reload",), ("drain", "h2"), ("set", "prefetch=none", "--token-file", token)):
        said = processes.run(LAUNCHER, *words, fails=True, environment=environment)
        require("runs here" in said and "--http" in said, said)


def run(suite, processes):
    suite.test("HTTP: half requests with long headers kill neither a donor nor a server", long_headers, processes)
    suite.test("HTTP: another user of the machine changes nothing", another_user, processes)
    suite.test("HTTP: where no server runs, no token is shown to whoever listens", nobody_runs, processes)
    suite.run()
    suite.test("HTTPS: commands of the same machine get in, whatever the address", commands)
    suite.test("HTTPS: no session is resumed by OpenSSL", sessions)
    suite.test("HTTPS: who is revoked is out after a reload, on open connections too", revoked)
    suite.run(lambda: Looked(processes))
