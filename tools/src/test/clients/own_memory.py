"""What a server and a donor take and promise, and what they outlive: processors, limits, hang-ups, ports that are taken."""

import os
import pty
import signal
import subprocess
import time

from bad_flags import refused, require_refusal
from connection import connect
from processes import LAUNCHER, Donor, Server, await_that, die_with_parent

PAGE = 4096
CONNECTIONS = 64
MOST_RESIDENT = 150  # MiB


def starts_with_processors(processes, count, nproc):
    """G2: a machine of so many processors is played by the JVM's flag; OMP_NUM_THREADS is what nproc would obey."""
    with processes.with_flags(f"-XX:ActiveProcessorCount={count}"):
        processes.environment["OMP_NUM_THREADS"] = str(nproc)
        serves_many(processes, Server(processes, "64M", unprotected=True).ready())


def serves_many(processes, server):
    text = processes.run("nbdinfo", "--size", server.unix_uri)
    assert text.strip() == str(64 << 20), text
    clients = [connect(server.unix_uri) for _ in range(CONNECTIONS)]
    for client in clients:
        answers(client)
    assert server.status()["pid"] == server.child.pid, "it was started anew under another process id"
    server.terminate()


def answers(client):
    assert client.wait(client.write(0, b"x" * PAGE)) == [0]
    read = client.read(0, PAGE)
    assert client.wait(read) == [0] and read.data == b"x" * PAGE


def many_threads(processes):
    serves_many(processes, Server(processes, "64M", threads=32, unprotected=True).ready())
    donor = Donor(processes, "64M", threads=64, unprotected=True).ready()
    assert donor.alive()


def takes_what_the_documents_say(processes):
    """docs/memory.md counts 145 MiB at the defaults with 64 GiB and two event loops. Another JDK or C library may take a little more."""
    donor = Donor(processes, "65G", slab_size="64M", threads=2, overcommit=True, no_lock=True).ready()
    with processes.with_flags(processes.given_flags):
        server = Server(processes, "64G", [donor], threads=2).ready()
    client = connect(server.unix_uri)
    for start in range(0, 64 << 20, 1 << 20):
        writes = [client.write(start + at, b"x" * (128 << 10)) for at in range(0, 1 << 20, 128 << 10)]
        assert not any(client.wait(*writes))
    for _ in range(100):
        answers(client)
    with open(f"/proc/{server.child.pid}/status") as status:
        resident = next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmRSS:"))
    assert resident <= MOST_RESIDENT, f"{resident} MiB are resident"
    server.terminate()


def little_heap_is_refused(processes):
    with processes.with_flags("-Xms16m -Xmx16m -Xmn4m"):
        require_refusal(refused(processes, ["serve", "--size", "16M", "--unprotected"]), 2, ["of the JVM's heap"])


def outlives_its_terminal(processes):
    """E5: the shell of an ssh session starts a server and a donor, and the session's terminal goes away."""
    socket = processes.path("nbd.sock")
    outputs = [processes.path("hangup.out") for _ in range(2)]
    commands = [
        [LAUNCHER, "donor", "--memory", "16M", "--slab-size", "1M", "--listen", "127.0.0.1:0", "--unprotected"],
        [LAUNCHER, "serve", "--size", "16M", "--unix", socket, "--state-dir", processes.path("state"), "--unprotected"],
    ]
    read, write = os.pipe()
    shell, terminal = pty.fork()
    if shell == 0:
        # Leads the session, and its children are in its foreground group, as those of a shell without job control are.
        for command, output in zip(commands, outputs):
            child = subprocess.Popen(
                command, stdout=open(output, "w"), stderr=subprocess.STDOUT, env=processes.environment, preexec_fn=die_with_parent
            )
            os.write(write, f"{child.pid}\n".encode())
        os.close(write)
        signal.pause()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pids:
        children = [int(pids.readline()) for _ in commands]
    try:
        for output in outputs:
            await_that(lambda: "ready " in open(output).read(), f"ready in {output}", 60)
        for child in children:
            os.kill(child, signal.SIGHUP)
        for output in outputs:
            await_that(lambda: "hang-up" in open(output).read(), f"a line about the hang-up in {output}", 60)
        answers(connect(f"nbd+unix:///?socket={socket}"))
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)
        os.close(terminal)


def says_what_is_lost(processes):
    donor = Donor(processes, "16M", unprotected=True).ready()
    server = Server(processes, "8M", [donor], unprotected=True).ready()
    answers(connect(server.unix_uri))
    server.kill()
    assert donor.terminate() == 0
    assert "the 1 MiB that it held for export 'leap' are lost" in donor.errors(), donor.errors()


def says_what_it_lends(processes):
    donor = Donor(processes, "3584K", unprotected=True).ready()
    assert "3M are lent, in slabs of 1M" in donor.errors(), donor.errors()


def second_instance(processes):
    """G10: nobody asked for the usual HTTP port, so it is no reason to fail."""

    def start():
        return Server(processes, "16M", http=None, unprotected=True)

    both = [start(), start()]
    uris = {server.ready().uri("http") for server in both}
    assert len(uris) == 2, uris


def donor_in_a_container(processes):
    """G3; where no memory cgroup can be made, the unit tests have to do."""
    root = "/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup"
    group = os.path.join(root, f"leap-clients-{os.getpid()}")
    limit = "memory.limit_in_bytes" if root.endswith("memory") else "memory.max"
    try:
        os.mkdir(group)
        with open(os.path.join(group, limit), "w") as file:
            file.write(str(400 << 20))
    except OSError as reason:
        print(f"    no memory cgroup here: {reason}", flush=True)
        return
    try:
        enter = f'echo $$ >{group}/cgroup.procs && exec "$@"'
        command = ["sh", "-c", enter, "sh", LAUNCHER, "donor", "--memory", "2G", "--listen", "127.0.0.1:0"]
        text = processes.run(*command, fails=True)
        assert f"the limit of its cgroup, {group}/{limit}, which is 400 MiB" in text, text
    finally:
        for _ in range(100):
            try:
                os.rmdir(group)
                break
            except OSError:
                time.sleep(0.1)


def folder_of_somebody_else(processes):
    folder = processes.path("foreign")
    os.mkdir(folder)
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
    else:
        os.chmod(folder, 0o777)
    donor = Donor(processes, "16M", unprotected=True).ready()
    arguments = ["serve", "--size", "8M", "--donors", donor.address, "--state-dir", folder, "--http", "none", "--unprotected"]
    require_refusal(refused(processes, arguments), 1, ["--state-dir: ", folder])
    assert not os.listdir(folder), os.listdir(folder)


def too_many_slabs(processes):
    donor = Donor(processes, "16M", unprotected=True).ready()
    state = processes.path("state")
    arguments = ["serve", "--size", "64T", "--donors", donor.address, "--state-dir", state, "--http", "none", "--unprotected"]
    require_refusal(refused(processes, arguments), 1, ["64T", "16M"])
    left = os.listdir(state) if os.path.exists(state) else []
    assert not left, left


def run(suite, processes):
    for count, nproc in ((16, 16), (96, 96), (32, 2)):
        suite.test(f"a server starts with {count} processors of which nproc says {nproc}", starts_with_processors, processes, count, nproc)
    suite.test("as many event loops as were asked for get the heap that they need", many_threads, processes)
    suite.test("a server of 64 GiB takes no more memory than the documents say", takes_what_the_documents_say, processes)
    suite.test("a heap that is too small is refused in one sentence", little_heap_is_refused, processes)
    suite.test("a hang-up ends neither a server nor a donor", outlives_its_terminal, processes)
    suite.test("a donor that ends says whose pages are lost", says_what_is_lost, processes)
    suite.test("a donor says what it lends if that is not what was given", says_what_it_lends, processes)
    suite.test("a second server of one machine starts", second_instance, processes)
    suite.test("a donor looks at its container's limit", donor_in_a_container, processes)
    suite.test("a state folder that is somebody else's is refused", folder_of_somebody_else, processes)
    suite.test("a device of too many slabs is refused before anything is created", too_many_slabs, processes)
    suite.run()
