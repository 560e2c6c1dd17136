"""Secrets are in files that one user may read, and nowhere else: no log, no status, no command line. Who has the token gets in, and nobody else."""

import base64
import os
import ssl
import urllib.error
import urllib.request

from connection import connect
from donor_faults import require
from processes import LAUNCHER, Donor, Server
from tls import Authority

SIZE = 16 << 20
PAGE = 4096
PATHS = ["/status", "/status?format=text", "/security", "/metrics", "/histograms", "/histograms?format=json", "/healthz", "/nowhere"]


def private(path, text):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    return path


class Guarded:
    """A server and a donor that ask for a token, over TLS, with a key for clients of NBD and one for pages."""

    def __init__(self, processes):
        self.processes = processes
        self.token = base64.b64encode(os.urandom(24)).decode()
        self.page_key = os.urandom(32).hex()
        self.token_file = private(processes.path("token"), self.token + "\n")
        self.authority = Authority(processes, "authority")
        self.folder = self.authority.sign("server", "localhost")
        guard = {"http_token": self.token_file, "http_tls": self.folder}
        self.donor = Donor(processes, "64M", **guard).ready()
        self.server = Server(
            processes,
            SIZE,
            [self.donor],
            tls_certificates=self.folder,
            encrypt="on",
            key_file=private(processes.path("page-key"), self.page_key),
            **guard,
        ).ready()
        self.context = ssl.create_default_context(cafile=self.authority.certificate)

    def get(self, daemon, path, token=None, method="GET"):
        """The status code and what came."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(daemon.uri("https") + path, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode() + str(refused.headers)

    def secrets(self):
        """What must not be seen: the token, the pages' key, and each line of the private keys."""
        found = {"the token": self.token, "the pages' key": self.page_key}
        for name in ("server-key.pem", "ca-key.pem"):
            with open(os.path.join(self.folder, name)) as key:
                for number, line in enumerate(line for line in key.read().splitlines() if not line.startswith("-----")):
                    if len(line) > 20:
                        found[f"line {number} of {name}"] = line
        return found


def only_with_the_token(guarded):
    """Everything that is asked for, of server and donor, with the token, without and with another."""
    for daemon in (guarded.server, guarded.donor):
        require(guarded.get(daemon, "/status", guarded.token)[0] == 200, f"{daemon.name} refuses its token")
        for path in PATHS:
            for wrong in (None, "x" * 32, guarded.token[:-1]):
                code, said = guarded.get(daemon, path, wrong)
                require(code == 401, f"{daemon.name} answers {path} with {code} to {'nobody' if wrong is None else 'a wrong token'}")
                require("Bearer" in said, "it does not say what it wants")
    code, _ = guarded.get(guarded.server, "/settings?prefetch=leap", None, "PUT")
    require(code == 401, "settings are changed without the token")
    code, said = guarded.get(guarded.server, "/settings?prefetch=leap", guarded.token, "PUT")
    require(code == 200 and "leap" in said, "settings are not changed with the token")


def commands(guarded):
    """status, set, drain and histogram find the token by themselves on this machine, and take it by --token-file elsewhere."""
    run, pid = guarded.processes.run, str(guarded.server.child.pid)
    host = guarded.server.uri("https").removeprefix("https://").replace("127.0.0.1", "localhost")
    require("security:" in run(LAUNCHER, "status", "--pid", pid), "status does not find the token")
    elsewhere = ["--http", host, "--tls-certificates", guarded.folder]
    named = [*elsewhere, "--token-file", guarded.token_file]
    require("policy" in run(LAUNCHER, "set", "--json", *named), "set does not take the token")
    run(LAUNCHER, "histogram", "dump", *named)
    run(LAUNCHER, "top", "--count", "1", "--interval", "100ms", *named)
    require("--token-file" in run(LAUNCHER, "status", *elsewhere, fails=True), "status does not say that it lacks the token")
    wrong = private(guarded.processes.path("wrong"), "anotherTokenAltogether")
    require(wrong in run(LAUNCHER, "status", *elsewhere, "--token-file", wrong, fails=True), "a wrong token is not said to be wrong")
    os.chmod(wrong, 0o640)
    require("0600" in run(LAUNCHER, "status", *elsewhere, "--token-file", wrong, fails=True), "a token that others read is taken")


def nowhere(guarded):
    """After work, refusals and a fault: in no output, no page, no command line, no environment, no run file, no other file."""
    client = connect(guarded.server.unix_uri)
    require(client.wait(*[client.write(i * PAGE, os.urandom(PAGE)) for i in range(64)]) == [0] * 64, "writes")
    for daemon in (guarded.server, guarded.donor):
        guarded.get(daemon, "/status", "x" * 32)
    guarded.processes.run(LAUNCHER, "status", "--pid", str(guarded.server.child.pid), "--verbose")
    seen = {}
    for daemon in (guarded.server, guarded.donor):
        for path in PATHS:
            seen[f"{path} of {daemon.name}"] = guarded.get(daemon, path, guarded.token)[1]
        for name in ("cmdline", "environ"):
            with open(f"/proc/{daemon.child.pid}/{name}", errors="replace") as file:
                seen[f"{name} of {daemon.name}"] = file.read()
    client.close()
    for daemon in (guarded.server, guarded.donor):
        daemon.terminate()
        with open(daemon.output_path, errors="replace") as out:
            seen[f"output of {daemon.name}"] = out.read() + daemon.errors()
    own = {guarded.token_file, guarded.folder}
    for folder, _, names in os.walk(guarded.processes.folder):
        for name in names:
            path = os.path.join(folder, name)
            # Sockets of processes that were killed are left.
            if folder not in own and path not in own and not name.endswith("page-key") and os.path.isfile(path):
                with open(path, errors="replace") as file:
                    seen[path] = file.read()
    require(len(seen) > 20 and any("leap-nbd" in text for text in seen.values()), "nothing was looked at")
    for what, secret in guarded.secrets().items():
        for place, text in seen.items():
            require(secret not in text, f"{what} is in {place}")


def run(suite, processes):
    suite.test("secrets: HTTP is answered to who shows the token, and to nobody else", only_with_the_token)
    suite.test("secrets: commands take the token from its file", commands)
    suite.test("secrets: token and keys are in no log, status, command line, environment or other file", nowhere)
    suite.run(lambda: Guarded(processes))
