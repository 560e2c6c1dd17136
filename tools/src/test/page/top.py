"""'top' in a terminal: it fits the window, follows its size, goes on when the server is back, and ends at q."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from processes import LAUNCHER, await_that
from serve_page import require


class Terminal:
    """A pseudo-terminal with a command in it."""

    def __init__(self, processes, lines, columns, *words, **environment):
        self.main, self.other = pty.openpty()
        self.resize(lines, columns)
        self.seen = b""
        variables = {key: value for key, value in processes.environment.items() if key != "NO_COLOR"}

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.child = subprocess.Popen(
            [LAUNCHER, *words],
            stdin=self.other,
            stdout=self.other,
            stderr=self.other,
            env={**variables, "TERM": "xterm", **environment},
            preexec_fn=own,
        )

    def resize(self, lines, columns):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.main], [], [], 0.05)[0]:
            self.seen += os.read(self.main, 65536)
        return self.seen.decode(errors="replace")

    def awaits(self, pattern, what):
        await_that(lambda: re.search(pattern, self.read()), f"{what}: {self.seen[-1500:]}")

    def last_frame(self):
        """The lines of the newest whole picture."""
        frames = self.read().split("\033[H")
        whole = [frame for frame in frames if frame.endswith("\033[J")]
        return [re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", line).rstrip("\r") for line in whole[-1].split("\n")] if whole else []

    def press(self, key):
        os.write(self.main, key.encode())

    def close(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(30)
        os.close(self.main)
        os.close(self.other)


def address(daemon):
    return daemon.uri("http").removeprefix("http://")


def it_fits_and_ends_at_q(it):
    terminal = Terminal(it.processes, 40, 120, "top", "--http", address(it.server), "--interval", "200ms")
    try:
        before = termios.tcgetattr(terminal.other)
        await_that(lambda: any("MiB written" in line for line in terminal.last_frame()), f"no picture: {terminal.seen}")
        require("\033[1m" in terminal.read(), "no colours")
        terminal.resize(12, 50)
        os.killpg(terminal.child.pid, signal.SIGWINCH)

        def fits():
            frame = terminal.last_frame()
            return len(frame) <= 12 and all(len(line) <= 50 for line in frame) and "the window is too low" in "".join(frame)

        await_that(fits, f"it does not fit: {terminal.last_frame()}")
        terminal.press("q")
        await_that(lambda: terminal.read() and terminal.child.poll() is not None, "q does not end it")
        require(terminal.child.returncode == 0, terminal.child.returncode)
        require(terminal.read().endswith("\033[?25h\033[?1049l"), terminal.seen[-200:])
        require(termios.tcgetattr(terminal.other)[3] & termios.ECHO, "the terminal shows nothing that is typed")
        require(before is not None, before)
    finally:
        terminal.close()


def it_outlives_the_server(it):
    terminal = Terminal(it.processes, 40, 120, "top", "--http", address(it.server), "--interval", "200ms", NO_COLOR="1")
    try:
        await_that(lambda: any("MiB written" in line for line in terminal.last_frame()), f"no picture: {terminal.seen}")
        it.server.kill()
        await_that(lambda: "no answer since" in "".join(terminal.last_frame()[:1]), f"nothing is said: {terminal.last_frame()}")
        it.server.spawn()
        it.server.ready()
        await_that(lambda: "MiB written" in "".join(terminal.last_frame()[:1]), f"it does not go on: {terminal.last_frame()}")
        require(not re.search(r"\033\[[0-9]*m", terminal.read()), "colours in spite of NO_COLOR")
        terminal.press("\x03")
        await_that(lambda: terminal.read() and terminal.child.poll() is not None, "Ctrl-C does not end it")
        require("\033[?1049l" in terminal.read(), "the terminal is not given back")
    finally:
        terminal.close()


def a_dumb_terminal_gets_text(it):
    terminal = Terminal(it.processes, 24, 80, "top", "--http", address(it.donors[1]), "--interval", "200ms", "--count", "2", TERM="dumb")
    try:
        await_that(lambda: terminal.read() and terminal.child.poll() is not None, "it does not end")
        text = terminal.read()
        require("\033" not in text, text)
        require(text.count("donor  ") == 2 and "MiB taken" in text and "export " in text, text)
    finally:
        terminal.close()


def add(suite):
    suite.test("top fits its window, follows its size and ends at q", it_fits_and_ends_at_q)
    suite.test("top says that its server is dead, and goes on when it is back", it_outlives_the_server)
    suite.test("top shows a donor, and a dumb terminal gets plain text", a_dumb_terminal_gets_text)
