"""Tests are functions with a sentence about behaviour; groups share what is expensive to start."""

import os
import signal
import sys
import threading
import time
import traceback

TEST_DEADLINE = 300  # seconds: a history starts a dozen servers, of which each takes ten on a machine that is very busy


class Suite:
    """Runs tests one after the other, prints a line for each, and counts."""

    def __init__(self, words, processes):
        """words: those that a test's name has to hold."""
        self.words = words
        self.processes = processes
        self.passed = 0
        self.failed = 0
        self.group = []

    def test(self, name, body, *arguments):
        """Adds a test to the group that is being put together."""
        if all(word in name for word in self.words):
            self.group.append((name, body, arguments))

    def run(self, start=None):
        """
        Runs the tests added since the last call. 'start' makes what they share and is called only if there is a test to run;
        its result is every test's first argument. All processes end with the group, and none may have printed a stack trace.
        """
        group, self.group = self.group, []
        if not group:
            return
        shared = ()
        if start:
            try:
                shared = (start(),)
            except Exception as failure:  # each of the group's tests fails for this one reason
                for name, _, _ in group:
                    self._failure(name, 0, failure)
                self.processes.end_all()
                return
        for name, body, arguments in group:
            self._run_one(name, body, shared + arguments)
        complaints = self.processes.end_all()
        if complaints:
            self._failure("a server or donor prints no stack trace, whatever its clients do", 0, AssertionError(complaints))

    def _run_one(self, name, body, arguments):
        begin = time.monotonic()
        hung = threading.Event()

        def give_up():
            # What the test waits for ends with the processes; then it fails by itself.
            hung.set()
            self.processes.kill_all()

        watchdog = threading.Timer(TEST_DEADLINE, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            body(*arguments)
            if hung.is_set():
                raise AssertionError(f"hangs: it did not end within {TEST_DEADLINE} s")
        except Exception as failure:
            if hung.is_set():
                print(f"    hangs: everything was killed after {TEST_DEADLINE} s", flush=True)
            self._failure(name, time.monotonic() - begin, failure)
        else:
            self.passed += 1
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        finally:
            watchdog.cancel()

    def _failure(self, name, seconds, failure):
        self.failed += 1
        print(f"FAIL {name} ({seconds:.1f} s)", flush=True)
        if isinstance(failure, AssertionError) and failure.args:
            frame = traceback.extract_tb(failure.__traceback__)[-1:]
            where = f" ({os.path.basename(frame[0].filename)}:{frame[0].lineno})" if frame else ""
            text = f"{failure}{where}"
        else:
            text = "".join(traceback.format_exception(failure)).rstrip()
        for line in text.splitlines() + self.processes.tails():
            print("    " + line, flush=True)


def stop_on_signals(cleanup):
    """Ends everything that was started when the suite itself is told to end."""

    def ended(number, _):
        cleanup()
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGINT, ended)
