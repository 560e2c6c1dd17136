"""What is measured: servers started as processes, each with its address and the processes that count as its cost."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOME = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
LAUNCHER = os.path.join(HOME, "leap-nbd")
START_DEADLINE = 300  # for hangs: the largest devices take a minute
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Peer:
    """A server under test: how fio reaches it, and the processes whose processor time is its own."""

    def __init__(self, name, uri, processes):
        self.name = name
        self.uri = uri
        self.processes = processes

    def cpu_seconds(self):
        ticks = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        return resident_mib(self.processes[0])

    def heap_mib(self):
        with open(f"/proc/{self.processes[0].pid}/cmdline") as words:
            most = next(word for word in words.read().split("\0") if word.startswith("-Xmx"))
        return int(most.removeprefix("-Xmx").removesuffix("m"))


def resident_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1]) / 1024


class Processes:
    """Starts the peers in a temporary folder, and ends them."""

    def __init__(self, build, loops):
        """loops: options of serve and donor about their event loops."""
        self.build = build
        self.loops = loops
        self.folder = tempfile.mkdtemp(prefix="leap-bench-")
        self.started = []
        self.environment = dict(os.environ, LEAP_NBD_BUILD="no", LEAP_NBD_RUN_DIR=os.path.join(self.folder, "run"), NO_COLOR="1")

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, *command):
        with open(self.path(name + ".out"), "w") as out:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                preexec_fn=die_with_parent,
            )
        self.started.append(process)
        return process

    def ready_line(self, name, process):
        """Waits for the line that begins with 'ready'; returns its words."""
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            with open(self.path(name + ".out")) as out:
                text = out.read()
            for line in text.splitlines():
                if line.split(" ")[0] == "ready" and text.endswith("\n"):
                    return line.split()[1:]
            if process.poll() is not None:
                raise SystemExit(f"bench: {name} ended at its start:\n{text}")
            time.sleep(0.005)
        raise SystemExit(f"bench: {name} is not ready after {START_DEADLINE} s")

    def end(self, *processes):
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.started.remove(process)

    def close(self):
        self.end(*list(self.started))
        shutil.rmtree(self.folder, ignore_errors=True)

    # The peers.

    def nbdkit(self, name, size):
        path = self.path(name + ".sock")
        process = self.start(name, "nbdkit", "-f", "-U", path, "memory", size)
        self.await_socket(path)
        return Peer("nbdkit", f"nbd+unix:///?socket={path}", [process])

    def nbdkit_two_hops(self, name, size, micros=None):
        """nbdkit's nbd plugin in front of a second nbdkit that holds the memory, over TCP; through a relay if micros says how long."""
        port = free_port()
        far = self.start(name + "-far", "nbdkit", "-f", "-i", "127.0.0.1", "-p", port, "memory", size)
        await_port(port)
        if micros is not None:
            port = self.delay(name + "-delay", f"127.0.0.1:{port}", micros).rsplit(":", 1)[1]
        path = self.path(name + ".sock")
        near = self.start(name, "nbdkit", "-f", "-U", path, "nbd", f"uri=nbd://127.0.0.1:{port}")
        self.await_socket(path)
        return Peer("nbdkit, two hops", f"nbd+unix:///?socket={path}", [near, far])

    def pool(self):
        """Makes a pool, for one benchmark."""
        subprocess.run([LAUNCHER, "pool", "create", self.path("pool")], check=True, capture_output=True, env=self.environment, timeout=60)

    def member(self, machine):
        """What 'pool add' makes for a machine."""
        command = [LAUNCHER, "pool", "add", self.path("pool"), machine]
        subprocess.run(command, check=True, capture_output=True, env=self.environment, timeout=60)
        return os.path.join(self.path("pool"), machine)

    def donor(self, name, memory, *options):
        command = [LAUNCHER, "donor", "--listen", "127.0.0.1:0", "--memory", memory, "--http", "none", "--drain-timeout", "0s", *self.loops, *options]
        return self.listening(name, self.start(name, *command))

    def donor_again(self, name, address, memory, *options):
        """A donor that begins anew at an address."""
        command = [LAUNCHER, "donor", "--listen", address, "--memory", memory, "--http", "none", *self.loops, *options]
        return self.listening(name, self.start(name, *command))

    def logged(self, name):
        """What a process has said so far, a line each."""
        with open(self.path(name + ".out")) as out:
            return out.read().splitlines()

    def await_logged(self, name, words, count):
        """The line with these words that is the count-th, counted from 1."""
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            lines = [line for line in self.logged(name) if words in line]
            if len(lines) >= count:
                return lines[count - 1]
            time.sleep(0.01)
        raise SystemExit(f"bench: {name} has not said {words!r} {count} times")

    def listening(self, name, process):
        address = next(word for word in self.ready_line(name, process) if word.startswith("tcp://"))
        return process, address.removeprefix("tcp://")

    def donors(self, count, memory, *options):
        """Many donors, four at a time, so that their starts do not take each other's time for long."""
        found = []
        for first in range(0, count, 4):
            names = [f"donor-{number}" for number in range(first, min(first + 4, count))]
            command = [LAUNCHER, "donor", "--listen", "127.0.0.1:0", "--memory", memory, "--http", "none", "--drain-timeout", "0s", *options]
            found += [self.listening(name, process) for name, process in [(name, self.start(name, *command)) for name in names]]
        return found

    def serve(self, name, size, *options, donors=(), label="leap-nbd", loops=None, http="none"):
        path = self.path(name + ".sock")
        command = [LAUNCHER, "serve", "--size", size, "--unix", path, "--http", http, "--export", name]
        command += ["--state-dir", self.path("state"), *(self.loops if loops is None else loops), *options]
        if donors:
            command += ["--donors", ",".join(address for _, address in donors)]
        process = self.start(name, *command)
        self.ready_line(name, process)
        return Peer(label, f"nbd+unix:///?socket={path}", [process, *(donor for donor, _ in donors)])

    def status(self, peer):
        """What a server says of itself that was started with an HTTP address."""
        done = subprocess.run(
            [LAUNCHER, "status", "--json", "--pid", str(peer.processes[0].pid)],
            capture_output=True, text=True, check=True, env=self.environment, timeout=60,
        )
        return json.loads(done.stdout)

    def forget(self, name):
        """Removes the state file of a server that has ended."""
        os.remove(os.path.join(self.path("state"), name + ".state"))

    def delay(self, name, target, micros):
        """The address of a relay in front of a donor, each way so many microseconds long."""
        port = free_port()
        process = self.start(name, os.path.join(self.build, "delay"), port, target.rsplit(":", 1)[1], micros)
        self.ready_line(name, process)
        return f"127.0.0.1:{port}"

    def await_socket(self, path):
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(path) == 0:
                    return
            time.sleep(0.02)
        raise SystemExit(f"bench: nobody listens at {path}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port):
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"bench: nobody listens on port {port}")
