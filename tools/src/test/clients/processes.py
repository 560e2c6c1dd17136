"""Servers, donors and client programs as processes: started here, awaited with a deadline, ended by their process id."""

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

LAUNCHER = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../../../leap-nbd"))
START_DEADLINE = 60
CLIENT_DEADLINE = 300
TAIL_LINES = 12
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1

# Most processes of the suite live for seconds, of which compilers take a third.
QUICK = "-XX:TieredStopAtLevel=1 -XX:CompileThresholdScaling=5"

BUSY = 5  # times as long as on a quiet machine: waits are for hangs


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def await_that(condition, what, seconds=30):
    """Waits until the condition holds and returns what it returned; on a quiet machine it does in so many seconds, on a busy one later."""
    seconds *= BUSY
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Processes:
    """All that the suite has started, and its temporary folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="leap-clients-")
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("LEAP_NBD_") or key == "LEAP_NBD_JAVA_OPTS"
        }
        self.given_flags = os.environ.get("LEAP_NBD_JAVA_OPTS", "")
        self.environment.setdefault("LEAP_NBD_JAVA_OPTS", QUICK)
        # The build was up to date when the suite began; the run folder is ours so that nobody else's processes are in it.
        self.environment.update(
            LEAP_NBD_BUILD="no", LEAP_NBD_CONFIG="none", LEAP_NBD_RUN_DIR=os.path.join(self.folder, "run"), NO_COLOR="1"
        )
        self.started = []
        self.complaints = []  # of processes that have ended and were forgotten
        self.names = 0

    def path(self, name):
        """A path in the temporary folder that nothing else uses."""
        self.names += 1
        return os.path.join(self.folder, f"{self.names}-{name}")

    def use_flags(self, flags):
        """What is started from now on has these flags of the JVM."""
        self.environment = {**self.environment, "LEAP_NBD_JAVA_OPTS": flags}

    @contextlib.contextmanager
    def with_flags(self, flags):
        """What is started meanwhile has these flags of the JVM."""
        kept = self.environment
        self.use_flags(flags)
        try:
            yield
        finally:
            self.environment = kept

    def run(self, *command, fails=False, stdin=None, environment=None):
        """
        Runs a client program to its end and returns its output, standard error after standard output. An unexpected exit
        code, or none in time, is a failure.
        """
        try:
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=CLIENT_DEADLINE,
                env={**self.environment, **(environment or {})},
                preexec_fn=die_with_parent,
            )
        except subprocess.TimeoutExpired as hung:
            raise AssertionError(f"hangs: {' '.join(command)}") from hung
        text = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{text[-3000:]}")
        return text

    def kill_all(self):
        for daemon in self.started:
            daemon.kill()

    def end_all(self):
        """Kills everything that still runs; returns what was wrong with its output, if anything."""
        self.kill_all()
        self.forget_ended()
        complaints, self.complaints = self.complaints, []
        return "\n".join(complaints)

    def forget_ended(self):
        """What has ended is shown by no later failure; what was wrong with its output is kept."""
        for daemon in [daemon for daemon in self.started if not daemon.alive()]:
            self.complaints += daemon.traces()
            self.started.remove(daemon)

    def close(self):
        self.kill_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tails(self):
        """The last lines of what every process wrote to standard error."""
        lines = []
        for daemon in self.started:
            state = "running" if daemon.alive() else f"ended with {daemon.child.returncode}"
            lines.append(f"-- {daemon.name}, {state}:")
            lines += ["   " + line for line in daemon.errors().splitlines()[-TAIL_LINES:]]
        return lines


class Daemon:
    """A leap-nbd process that stays; it can be started again with the same arguments."""

    def __init__(self, processes, name, *arguments):
        self.processes = processes
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.output_path = processes.path(f"{name}.out".replace(" ", "-"))
        self.error_path = processes.path(f"{name}.err".replace(" ", "-"))
        self.uris = []  # of the last ready line
        self.child = None
        self.spawn()
        processes.started.append(self)

    def launcher(self):
        """What comes before the arguments."""
        return [LAUNCHER]

    def spawn(self):
        """Starts the process, and does not wait."""
        with open(self.output_path, "w") as out, open(self.error_path, "a") as errors:
            self.child = subprocess.Popen(
                [*self.launcher(), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=self.processes.environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def ready(self):
        """Waits for the line that begins with 'ready'."""

        def look():
            with open(self.output_path) as out:
                for line in out:
                    if line.startswith("ready ") and line.endswith("\n"):
                        return line.split()[1:]
            if not self.alive():
                raise AssertionError(f"{self.name} ended with {self.child.returncode} at start: {self.errors()[-2000:]}")
            return None

        self.uris = await_that(look, f"{self.name} is ready", START_DEADLINE)
        return self

    def uri(self, scheme):
        return next(uri for uri in self.uris if uri.startswith(scheme + "://"))

    def status(self):
        with urllib.request.urlopen(self.uri("http") + "/status", timeout=20) as answer:
            return json.load(answer)

    def alive(self):
        return self.child.poll() is None

    def errors(self):
        with open(self.error_path, errors="replace") as errors:
            return errors.read()

    def traces(self):
        lines = [line for line in self.errors().splitlines() if "Exception" in line or line.startswith("\tat ")]
        return [f"{self.name}: {line}" for line in lines[:5]]

    def resident_kib(self):
        with open(f"/proc/{self.child.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])

    def processors(self, threads):
        """On which processors the threads may run whose names begin so; a list for each."""
        lists = []
        tasks = f"/proc/{self.child.pid}/task"
        for task in sorted(os.listdir(tasks), key=int):
            try:
                with open(f"{tasks}/{task}/status") as status:
                    fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended
            if fields["Name"].startswith(threads):
                lists.append(fields["Cpus_allowed_list"])
        return lists

    def signal(self, number):
        self.child.send_signal(number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9, also of a stopped process."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(30)

    def terminate(self):
        """SIGTERM; returns the exit code."""
        self.child.terminate()
        return self.ended()

    def ended(self, seconds=30):
        """Waits for the process to end by itself; returns the exit code."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired as hung:
            raise AssertionError(f"hangs: {self.name} did not end within {seconds} s") from hung


def free_address():
    """
    One of this machine that stays free while who listens there is away: outside the range of which the kernel gives a port to whoever connects.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    while True:
        address = "127.0.0.1", random.SystemRandom().randrange(min(10000, first // 2), first)
        try:
            with socket.create_server(address):
                return "{}:{}".format(*address)
        except OSError:
            continue  # somebody has it


def flag(option, value):
    """The words of an option; True is for one without a value."""
    return ["--" + option.replace("_", "-")] + ([] if value is True else [value])


class Server(Daemon):
    """leap-nbd serve over both kinds of socket; it keeps its addresses when it is started again."""

    def __init__(self, processes, size, donors=(), name="server", state=None, socket=None, http="127.0.0.1:0", **options):
        self.socket = socket or processes.path("nbd.sock")
        arguments = ["serve", "--size", size, "--unix", self.socket, "--listen", free_address()]
        if http:
            arguments += ["--http", http]
        arguments += ["--state-dir", state or processes.path("state")]
        options.setdefault("export", "leap")
        if donors:
            # Or the name of a registry.
            arguments += ["--donors", donors if isinstance(donors, str) else ",".join(donor.address for donor in donors)]
        for option, value in options.items():
            arguments += flag(option, value)
        super().__init__(processes, name, *arguments)

    @property
    def unix_uri(self):
        return f"nbd+unix:///leap?socket={self.socket}"


class Donor(Daemon):
    """leap-nbd donor; it keeps its port when it is started again."""

    def __init__(self, processes, memory, name="donor", slab_size="1M", **options):
        arguments = ["donor", "--memory", memory, "--slab-size", slab_size, "--listen", free_address(), "--http", "127.0.0.1:0"]
        # Most tests that end a donor in good order mean that its pages go.
        options.setdefault("drain_timeout", "0s")
        for option, value in options.items():
            arguments += flag(option, value)
        super().__init__(processes, name, *arguments)

    @property
    def address(self):
        return self.uri("tcp").removeprefix("tcp://")


def two_donors(processes, memory="64M", **options):
    pair = [Donor(processes, memory, name, **options) for name in ("donor 1", "donor 2")]
    return [donor.ready() for donor in pair]
