"""A relay between servers and one donor that changes bits, delays, and breaks connections: relay.c."""

import os
import subprocess

from processes import Daemon, die_with_parent

SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "relay.c")


def program(processes):
    """Compiles it, once for each run of the suite."""
    path = os.path.join(processes.folder, "relay")
    if not os.path.exists(path):
        processes.run("gcc", "-O2", "-Wall", "-Wextra", "-o", path, SOURCE)
    return path


class Relay(Daemon):
    """Passes everything on as it is until it is told otherwise; the donor may be killed and started again meanwhile."""

    def __init__(self, processes, donor, seed=1):
        self.program = program(processes)
        super().__init__(processes, f"relay of {donor.name}", donor.address.rsplit(":", 1)[1])
        self.address = f"tcp://127.0.0.1:{self.child.stdout.readline().split()[1]}"
        self.changed = 0  # bits
        self.tell("seed", seed)

    def launcher(self):
        return [self.program]

    def spawn(self):
        with open(self.error_path, "a") as errors:
            self.child = subprocess.Popen(
                [*self.launcher(), *self.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=die_with_parent,
            )

    def tell(self, word, number=0):
        """One of the lines that relay.c obeys."""
        self.child.stdin.write(f"{word} {number}\n")
        self.child.stdin.flush()
        self.changed = int(self.child.stdout.readline().split()[1])

    def look(self):
        """Brings the count of changed bits up to date, and returns it."""
        self.tell("look")
        return self.changed
