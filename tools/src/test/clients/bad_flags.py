"""Command lines and inputs that serve and donor refuse: one line that says what is wrong, and the exit code."""

import concurrent.futures
import os
import socket
import subprocess

from connection import connect
from processes import CLIENT_DEADLINE, LAUNCHER, Donor, Server, die_with_parent, two_donors

USAGE = 2
FAILED = 1
NO_DONOR = 3
ABSENT = "127.0.0.1:1"
PROCESSORS = len(os.sched_getaffinity(0))


def refused(processes, arguments):
    """Runs leap-nbd with arguments that it should refuse; returns its exit code and what it printed."""
    try:
        done = subprocess.run(
            [LAUNCHER, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_DEADLINE,
            env=processes.environment,
            preexec_fn=die_with_parent,
        )
    except subprocess.TimeoutExpired as accepted:
        raise AssertionError(f"not refused: {arguments}") from accepted
    return done.returncode, done.stdout, done.stderr


def require_refusal(outcome, code, words):
    """One line on standard error, with these words, nothing on standard output, and this exit code."""
    returned, out, err = outcome
    lines = [line for line in err.splitlines() if "not protected:" not in line]
    problems = []
    if returned != code:
        problems.append(f"exit code {returned}, not {code}")
    if len(lines) != 1:
        problems.append(f"{len(lines)} lines on standard error")
    problems += [f"no word of '{word}'" for word in words if word not in err]
    if out:
        problems.append(f"on standard output: {out}")
    if problems:
        raise AssertionError("; ".join(problems) + "\n" + err[-2000:])


# What is wrong in words, the arguments, and what the line has to name.
WRONG = [
    ("a size of zero", "serve --size 0", ["--size"]),
    ("a size with an unknown unit", "serve --size 12X", ["--size", "12X"]),
    ("a negative size", "serve --size -4M", ["--size"]),
    ("a size that is not whole pages", "serve --size 4097", ["4097"]),
    ("a size of all the memory in the world", "serve --size 1000T", ["--size"]),
    ("donors without a size", f"serve --donors {ABSENT}", ["--size"]),
    ("donors that are no addresses", "serve --size 16M --donors here:there", ["--donors"]),
    ("a donor over rdma, which is not there yet", "serve --size 16M --donors rdma://127.0.0.1:9400", ["--donors", "rdma"]),
    ("more copies than there can be", f"serve --size 16M --donors {ABSENT} --replicas 5", ["--replicas", "1..4"]),
    ("copies without as many machines", f"serve --size 16M --donors {ABSENT},127.0.0.1:2 --replicas 2", ["--replicas", "?zone="]),
    ("a zone that is no name", f"serve --size 16M --donors {ABSENT}?zone=a/b", ["--donors", "?zone=NAME"]),
    ("a word behind a donor that is no zone", f"serve --size 16M --donors {ABSENT}?rack=1", ["--donors", "?zone=NAME"]),
    ("a member timeout of no time", f"serve --size 16M --donors {ABSENT} --member-timeout 0s", ["--member-timeout", "100ms"]),
    ("a member timeout as long as a request's", f"serve --size 16M --donors {ABSENT}?zone=a,127.0.0.1:2?zone=b --replicas 2 --member-timeout 20s", ["--member-timeout", "quarter"]),
    ("TLS without certificates", "serve --size 16M --tls require", ["--tls", "--tls-certificates", "--tls-psk"]),
    ("TLS in two ways", "serve --size 16M --tls-certificates /nowhere --tls-psk /nowhere", ["--tls-certificates", "--tls-psk", "leave one out"]),
    ("shared keys that are not there", "serve --size 16M --tls-psk /nowhere/keys.psk", ["--tls-psk", "/nowhere/keys.psk does not exist"]),
    ("attach with TLS", "attach nbds://127.0.0.1/x", ["speaks no TLS", "run serve on this machine"]),
    ("attach with TLS over a Unix socket", "attach nbds+unix:///x?socket=/nowhere", ["speaks no TLS", "nbd+unix:"]),
    ("a TLS mode that is none", "serve --size 16M --tls maybe", ["--tls", "require", "on", "off"]),
    ("seals that are neither on nor off", f"serve --size 16M --donors {ABSENT} --seals maybe", ["--seals", "on", "off"]),
    ("a donor that is named twice in two zones", f"serve --size 16M --donors {ABSENT}?zone=a,{ABSENT}?zone=b", ["twice"]),
    ("a donor that is named twice", f"serve --size 16M --donors {ABSENT},{ABSENT}", ["twice"]),
    ("a donor's port above 65535", "serve --size 16M --donors 127.0.0.1:65536", ["--donors", "65536"]),
    ("an empty export name", "serve --size 16M --export=", ["--export"]),
    ("an export name of 256 bytes", "serve --size 16M --export " + "x" * 256, ["--export", "256"]),
    ("a socket path that Linux cannot have", "serve --size 16M --unix /tmp/" + "x" * 110, ["--unix", "107"]),
    ("a listen address without a port", "serve --size 16M --listen 127.0.0.1", ["--listen"]),
    ("an I/O timeout that the kernel would not wait for", "serve --size 16M --io-timeout 31s", ["--io-timeout"]),
    ("an I/O timeout of zero", "serve --size 16M --io-timeout 0s", ["--io-timeout"]),
    ("an I/O timeout without a unit that there is", "serve --size 16M --io-timeout 3parsecs", ["--io-timeout"]),
    ("no event loops", "serve --size 16M --threads 0", ["--threads"]),
    ("a donor without event loops", "donor --memory 64M --threads 0", ["--threads"]),
    ("more event loops than are allowed", "donor --memory 64M --threads 65", ["--threads", "65"]),
    (
        "more loops that never sleep than processors",
        f"serve --size 16M --pin --busy-poll --threads {PROCESSORS + 1}",
        ["--threads", "--busy-poll" if PROCESSORS < 64 else "64"],
    ),
    ("threads that are no number", "serve --size 16M --threads many", ["--threads", "many"]),
    ("a histogram interval of zero", "serve --size 16M --histogram-interval 0s", ["--histogram-interval"]),
    ("an HTTP address that is none", "serve --size 16M --http nowhere", ["--http"]),
    ("an option that is misspelt", "serve --sise 16M", ["--sise"]),
    ("an argument that nobody asked for", "serve --size 16M more", ["more"]),
    ("a donor that does not say how much it lends", "donor", ["--memory"]),
    ("a donor that lends nothing", "donor --memory 0", ["memory"]),
    ("a donor that lends less than a slab", "donor --memory 1M", ["slab"]),
    ("a donor that lends more than the machine has", "donor --memory 1000T", ["--memory"]),
    ("a slab size that is no power of two", "donor --memory 64M --slab-size 3M", ["slab"]),
    ("a slab size of 4 GiB", "donor --memory 64M --slab-size 4G", ["--slab-size"]),
    ("a lease that is no time", "donor --memory 64M --lease soon", ["--lease", "soon"]),
    ("a time to wait for slabs that is none", "donor --memory 64M --drain-timeout soon", ["--drain-timeout", "soon"]),
    ("a time to wait for slabs that is too long", "donor --memory 64M --drain-timeout 48h", ["--drain-timeout", "24h"]),
    ("memory to keep that is no size", "donor --memory 64M --keep-free lots", ["--keep-free", "lots"]),
    ("a drain of no donor", "drain", ["DONOR"]),
    ("a transport that does not exist", "donor --memory 64M --transport pigeon", ["--transport", "pigeon", "tcp"]),
    ("a donor's listen address that is none", "donor --memory 64M --listen 127.0.0.1:99999", ["--listen"]),
    ("a command that does not exist", "sreve", ["sreve"]),
    ("a cipher that does not exist", "serve --size 16M --encrypt rot13", ["--encrypt", "rot13", "aes-256-gcm"]),
    ("a key file that does not exist", "serve --size 16M --encrypt on --key-file /nonexistent", ["--key-file", "/nonexistent"]),
    ("push for nothing", "push", ["--pid", "--cgroup", "--unit"]),
    ("push for two things", "push --pid 1 --unit cron", ["--pid", "--cgroup", "--unit"]),
    ("push for a unit that does not run", "push --unit no-such-unit", ["--unit", "no-such-unit"]),
]


class Outcomes:
    """All wrong command lines are tried at once, as far as there are processors."""

    def __init__(self, processes):
        pool = concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2))
        self.futures = {
            line: pool.submit(refused, processes, line.split(" ")) for _, line, _ in WRONG
        }
        pool.shutdown(wait=False)


def wrong(outcomes, line, words):
    require_refusal(outcomes.futures[line].result(), USAGE, words)


def served(processes, donors, size="16M", state=None):
    line = ["serve", "--size", size, "--unix", processes.path("refused.sock"), "--http", "none"]
    line += ["--state-dir", state or processes.path("state"), "--donors", ",".join(donors), "--wait", "0s"]
    return refused(processes, line)


def donors_too_small(processes):
    donors = two_donors(processes, "8M")
    outcome = served(processes, [donor.address for donor in donors], size="24M")
    require_refusal(outcome, FAILED, ["24M", "16M"])


def donor_away(processes):
    require_refusal(served(processes, [ABSENT]), NO_DONOR, [ABSENT])
    there = Donor(processes, "64M").ready().address
    require_refusal(served(processes, [there, ABSENT]), NO_DONOR, [ABSENT])


def donors_of_other_slab_sizes(processes):
    donors = [Donor(processes, "8M", "donor of 1M"), Donor(processes, "8M", "donor of 2M", slab_size="2M")]
    require_refusal(served(processes, [donor.ready().address for donor in donors]), FAILED, ["slab"])


def donor_is_no_donor(processes):
    """Something else answers at that address: here, an NBD server."""
    server = Server(processes, "16M").ready()
    address = server.uri("nbd").removeprefix("nbd://").split("/")[0]
    require_refusal(served(processes, [address]), NO_DONOR, [address])


def donors_in_another_order(processes):
    """Donors are known by an identity of their own (E2)."""
    donors = two_donors(processes, "16M")
    server = Server(processes, "16M", donors).ready()
    client = connect(server.uri("nbd+unix"))
    client.wait(client.write(0, b"x" * 4096))
    client.close()
    server.terminate()
    at = server.arguments.index("--donors") + 1
    server.arguments[at] = f"{donors[1].address},{donors[0].address}"
    server.spawn()
    client = connect(server.ready().uri("nbd+unix"))
    read = client.read(0, 4096)
    if client.wait(read) != [0] or bytes(read.data) != b"x" * 4096:
        raise AssertionError("the page is not there with the donors in another order")
    client.close()


def addresses_in_use(processes):
    server = Server(processes, "16M").ready()
    line = ["serve", "--size", "16M", "--http", "none"]
    require_refusal(refused(processes, [*line, "--unix", server.socket]), FAILED, [server.socket])
    port = server.uri("nbd").removeprefix("nbd://").split("/")[0]
    require_refusal(refused(processes, [*line, "--listen", port]), FAILED, [port])
    donor = Donor(processes, "16M").ready()
    require_refusal(refused(processes, ["donor", "--memory", "64M", "--listen", donor.address]), FAILED, [donor.address])
    client = connect(server.uri("nbd+unix"))
    if client.wait(client.write(0, b"x"), client.read(0, 4096)) != [0, 0]:
        raise AssertionError("the server whose address was asked for does not answer any more")
    client.close()


def folder_of_another_user(processes):
    """It is there and complete. So it is no help to say what is missing."""
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    if os.getuid() != 0 or subprocess.run([*nobody, "test", "-x", LAUNCHER], check=False).returncode != 0:
        print("     this copy cannot be run by another user, so nobody was asked", flush=True)
        return
    pool = processes.path("pool")
    processes.run(LAUNCHER, "pool", "create", pool, "h1")
    for above in (processes.folder, pool):
        os.chmod(above, 0o711)
    said = processes.run(
        *nobody, LAUNCHER, "serve", "--size", "16M", "--donors", "127.0.0.1:1", "--pool", pool + "/h1", "--unix", processes.path("sock"),
        fails=True, environment={"LEAP_NBD_RUN_DIR": processes.path("run")},
    )  # fmt: skip
    if "server-cert.pem cannot be read: this user may not; run as root" not in said:
        raise AssertionError(said)


def stale_socket(processes):
    server = Server(processes, "16M").ready()
    server.kill()
    if not os.path.exists(server.socket):
        raise AssertionError("kill -9 leaves the socket")
    server.spawn()
    connect(server.ready().uri("nbd+unix")).close()
    server.terminate()
    if os.path.exists(server.socket):
        raise AssertionError("a server that was told to end leaves its socket")


def garbage(processes):
    """Bytes that are no protocol, to every kind of socket that there is."""
    server = Server(processes, "16M", two_donors(processes, "16M")).ready()
    client = connect(server.uri("nbd+unix"))
    addresses = [server.uri("nbd").removeprefix("nbd://").split("/")[0]]
    addresses += [daemon.address for daemon in processes.started if isinstance(daemon, Donor)]
    for address in addresses:
        host, port = address.split(":")
        for seed in range(20):
            with socket.create_connection((host, int(port)), timeout=20) as peer:
                try:
                    peer.sendall(bytes((seed * 31 + index * index) % 256 for index in range(1 << (seed % 17))))
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65536):
                        pass
                except (ConnectionError, BrokenPipeError):
                    pass  # dropped, as it deserves
                except TimeoutError as hung:
                    raise AssertionError(f"hangs: {address} keeps a peer that sends garbage") from hung
    if client.wait(client.write(0, b"y" * 8192), client.read(0, 4096)) != [0, 0]:
        raise AssertionError("a client that behaves is not served any more")
    client.close()


def run(suite, processes):
    for what, line, words in WRONG:
        suite.test(f"'leap-nbd {line.split(' ')[0]}' refuses {what} in one line with exit code 2", wrong, line, words)
    suite.run(lambda: Outcomes(processes))
    suite.test("serve refuses a size that the donors cannot hold, with both numbers", donors_too_small)
    suite.test("serve refuses to start without a donor that it can reach", donor_away)
    suite.test("serve refuses donors whose slabs differ", donors_of_other_slab_sizes)
    suite.test("serve refuses an address that is no donor's", donor_is_no_donor)
    suite.test("serve takes the donors of its export in any order (E2)", donors_in_another_order)
    suite.test("addresses in use are refused, and whoever uses them goes on", addresses_in_use)
    suite.test("a folder of certificates that is another user's is not called incomplete", folder_of_another_user)
    suite.test("a killed server's socket is replaced, and one that ends removes it", stale_socket)
    suite.test("peers that send garbage are dropped, and harm nobody else", garbage)
    suite.run(lambda: processes)
