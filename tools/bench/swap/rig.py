"""What the benchmarks of swap share: the rig (rig.sh), the ways of running a program that they compare, and the agent that pushes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.abspath(os.path.join(HERE, "../../.."))
LEAP_NBD = os.path.join(HOME, "leap-nbd")
RIG_SH = os.path.join(HERE, "rig.sh")
RIG = os.environ.get("RIG", os.path.join(os.environ.get("TMPDIR", "/tmp"), "leap-swap-rig"))
HANG_SECONDS = 300

# name: page-cluster, the server's policy, the agent's policy or None, whether the server is told what is pushed
MODES = {
    "default": (3, "none", None, False),
    "none": (0, "none", None, False),
    "server": (0, "adaptive", None, False),
    "server-3": (3, "adaptive", None, False),
    "push": (0, "none", "adaptive", True),
    "push-3": (3, "none", "adaptive", True),
    "push-leap": (0, "none", "leap", True),
    "push-untold": (0, "none", "adaptive", False),
    "both": (0, "adaptive", "adaptive", True),
    "both-3": (3, "adaptive", "adaptive", True),
    "both-untold": (0, "adaptive", "adaptive", False),
}


def unknown_mode(modes):
    return next((mode for mode in modes if mode not in MODES), None)


def rotated(modes, round_):
    """Rounds begin with each mode in turn, so that none is always the first after another."""
    return modes[round_ % len(modes) :] + modes[: round_ % len(modes)]


def rig(*arguments, output=None):
    environment = dict(os.environ, RIG_OWNER=str(os.getpid()), LEAP_NBD=LEAP_NBD)
    return subprocess.run([RIG_SH, *map(str, arguments)], env=environment, stdout=output, text=True)


@contextmanager
def rig_up(link, size):
    """A rig over a link so many microseconds long each way; taken down whatever happens."""
    if rig("up", "-s", size, "-d", link, "-w", 7200).returncode != 0:
        sys.exit("bench: no rig; what it says is above")
    try:
        yield
    finally:
        rig("down")


def policy(name):
    """The server's prefetching, changed while it runs."""
    with open(os.path.join(RIG, "serve.pid")) as pid:
        subprocess.run([LEAP_NBD, "set", "--pid", pid.read().strip(), f"prefetch={name}"], check=True, stdout=subprocess.DEVNULL)


def server_uri(told):
    """Named, so that an agent that cannot tell it ends instead of being measured."""
    return f"nbd+unix:///leap?socket={RIG}/nbd.sock" if told else "none"


def enter_group():
    """For a child that is about to execute its program: into the rig's cgroup, if there is a rig."""
    group = os.environ.get("SWAP_CGROUP")
    if group:
        with open(group, "w") as procs:
            procs.write(str(os.getpid()))


class Agent:
    """leap-nbd push for one program, outside its cgroup; no agent at all if the policy is empty."""

    def __init__(self, pid, policy_name, server):
        self.process = None
        if not policy_name:
            return
        self.process = subprocess.Popen(
            [LEAP_NBD, "push", "--pid", str(pid), "--policy", policy_name, "--page-cluster", "keep", "--server", server],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        if not self.process.stdout.readline().startswith("ready "):
            self.process.kill()
            raise RuntimeError("bench: the agent did not start; see what 'leap-nbd doctor push' says")
        time.sleep(1)  # its start is not its work
        self.before = self.cpu_seconds()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """What it took since it was ready, in seconds of processor time."""
        if not self.process:
            return 0
        os.kill(self.process.pid, signal.SIGTERM)  # not terminate(), which reaps one that has ended with its program
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        return max(0, usage.ru_utime + usage.ru_stime - self.before)
