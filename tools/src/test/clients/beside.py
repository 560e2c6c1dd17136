"""A part of the suite in a process of its own, beside the rest: it waits more than it works."""

import re
import subprocess
import sys
import tempfile

from processes import die_with_parent

DEADLINE = 45 * 60
COUNTS = re.compile(r"(\d+) passed, (\d+) failed")


class Beside:
    """The tests whose names hold some words, in another process of the same program."""

    def __init__(self, program, *words):
        self.output = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen(
            [sys.executable, program, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )

    def close(self):
        if self.child.poll() is None:
            self.child.terminate()
            self.child.wait(60)

    def finish(self, suite):
        """Waits for its end, shows what it said, and adds what it counted."""
        hangs = False
        try:
            self.child.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            hangs = True
            self.close()
        self.output.seek(0)
        *lines, last = self.output.read().splitlines() or [""]
        print("\n".join(lines), flush=True)
        counts = COUNTS.fullmatch(last)
        if hangs or counts is None:
            print(f"FAIL what runs beside ends by itself, and counts: {last}", flush=True)
            suite.failed += 1
        else:
            suite.passed += int(counts.group(1))
            suite.failed += int(counts.group(2))
