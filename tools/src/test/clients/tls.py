"""NBD over TLS: clients of others connect with a certificate of the same authority, and nobody else does."""

import os

from connection import connect
from donor_faults import require
from processes import Server

SIZE = 16 << 20


class Authority:
    """Certificates, made with openssl."""

    def __init__(self, processes, name):
        self.run = processes.run
        self.folder = processes.path(name)
        os.mkdir(self.folder)
        self.key, self.certificate = self.path("ca-key.pem"), self.path("ca-cert.pem")
        self.run(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate,
        )  # fmt: skip

    def path(self, name):
        return os.path.join(self.folder, name)

    def sign(self, end, name, to=None):
        """A certificate and key for a server or a client, in the form that openssl and certtool had before PKCS #8 too."""
        folder = to or self.folder
        key, certificate, request = (os.path.join(folder, f"{end}-{kind}.pem") for kind in ("key", "cert", "request"))
        self.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions = os.path.join(folder, "extensions")
        with open(extensions, "w") as out:
            out.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.run(
            "openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        os.chmod(key, 0o600)
        return folder


class Secured:
    """A server that requires TLS over TCP, and the folder of certificates for its clients."""

    def __init__(self, processes, mode="require"):
        self.processes = processes
        self.authority = Authority(processes, "authority")
        self.folder = self.authority.sign("client", "a client", self.authority.sign("server", "localhost"))
        self.server = Server(processes, SIZE, tls_certificates=self.folder, tls=mode).ready()
        self.plain = self.server.uri("nbds" if mode == "require" else "nbd").replace("nbds://", "nbd://")
        self.uri = self.with_certificates(self.folder)

    def with_certificates(self, folder):
        return self.plain.replace("nbd://", "nbds://") + f"?tls-certificates={folder}"


def foreign_clients(secured):
    """nbdinfo, nbdcopy and qemu-img, there and back."""
    run, path = secured.processes.run, secured.processes.path
    require('"TLS": true' in run("nbdinfo", "--json", secured.uri), "nbdinfo does not use TLS")
    image, copy, third = path("image"), path("copy"), path("third")
    with open(image, "wb") as out:
        out.write(os.urandom(SIZE))
    run("nbdcopy", image, secured.uri)
    run("nbdcopy", secured.uri, copy)
    host, port = secured.plain.removeprefix("nbd://").split("/")[0].split(":")
    credentials = f"tls-creds-x509,id=tls,endpoint=client,dir={secured.folder}"
    source = f"driver=nbd,host={host},port={port},export=leap,tls-creds=tls"
    run("qemu-img", "convert", "-O", "raw", "--object", credentials, "--image-opts", source, third)
    with open(image, "rb") as one, open(copy, "rb") as two, open(third, "rb") as three:
        whole = one.read()
        require(whole == two.read() == three.read(), "what was written is not what is read")
    client = next(c for c in secured.server.status()["connections"]) if secured.server.status()["connections"] else None
    require(client is None or client["tls"], "a client is there without TLS")


def strangers(secured):
    """No TLS, no certificate, and one of another authority."""
    run = secured.processes.run
    require("TLS" in run("nbdinfo", secured.plain, fails=True), "a client without TLS is not told why")
    foreign = Authority(secured.processes, "foreign")
    folder = foreign.sign("client", "a stranger")
    run("cp", secured.authority.certificate, os.path.join(folder, "ca-cert.pem"))
    run("nbdinfo", secured.with_certificates(folder), fails=True)
    for end in ("cert", "key"):
        os.remove(os.path.join(folder, f"client-{end}.pem"))
    run("nbdinfo", secured.with_certificates(folder), fails=True)
    run("nbdinfo", secured.uri)


def unix_socket(secured):
    """It does not leave the machine."""
    connection = connect(secured.server.unix_uri)
    require(connection.wait(connection.write(0, b"1" * 4096)) == [0], "a write over the Unix socket")
    connection.close()


def run(suite, processes):
    suite.test("TLS: nbdinfo, nbdcopy and qemu-img connect with certificates, and what they write is read", foreign_clients)
    suite.test("TLS: who has no certificate of the authority does not get in", strangers)
    suite.test("TLS: a Unix socket needs none", unix_socket)
    suite.run(lambda: Secured(processes))
