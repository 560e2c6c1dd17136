"""fio in the background, which verifies what it wrote. It reaches the server by way of qemu's own NBD client, which connects again when the
server has gone, and repeats what was under way: as the kernel does for a swap device."""

import json
import os
import subprocess
import time

from processes import await_that, die_with_parent

DEADLINE = 300  # for one job
AWAY = 60  # seconds that qemu waits for the server


class Verified:
    """One job after the other over a part of the device, until finish(). Each writes all of it in random order, and reads all of it back."""

    def __init__(self, processes, server, offset, size, iops=2500):
        self.processes = processes
        self.offset, self.size, self.iops = offset, size, iops
        self.socket = processes.path("qemu.sock")
        self.said = processes.path("qemu.said")
        image = f"driver=nbd,server.type=unix,server.path={server.socket},export=leap,reconnect-delay={AWAY}"
        self.bridge = self.start("qemu-nbd", "-t", "-k", self.socket, "--shared=0", "--image-opts", image)
        await_that(lambda: os.path.exists(self.socket), "qemu-nbd listens")
        self.job = None
        self.began = 0
        self.jobs = self.requests = self.bytes = 0

    def start(self, *command):
        with open(self.said, "a") as said:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self.processes.environment,
                preexec_fn=die_with_parent,
            )

    def look(self):
        """Judges the job that has ended, if it has, and starts the next."""
        if self.job is not None and self.job.poll() is None:
            if time.monotonic() - self.began > DEADLINE:
                raise AssertionError(f"hangs: fio has not ended after {DEADLINE} s")
            return
        self.judge()
        self.report = self.processes.path("fio.json")
        self.began = time.monotonic()
        self.job = self.start(
            "fio",
            "--name=verified",
            "--ioengine=nbd",
            f"--uri=nbd+unix:///?socket={self.socket}",
            "--rw=randwrite",
            "--bssplit=4k/80:32k/20",
            "--iodepth=16",
            f"--offset={self.offset}",
            f"--size={self.size}",
            f"--rate_iops={self.iops},{self.iops}",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--verify_state_save=0",
            f"--randseed={self.jobs + 1}",
            f"--aux-path={self.processes.folder}",
            "--output-format=json",
            f"--output={self.report}",
        )

    def connected(self, status):
        """Whether it has found the server again. qemu tries less and less often."""
        return any(f"process {self.bridge.pid} " in connection["peer"] for connection in status["connections"])

    def judge(self):
        """Of a job that has ended: fails if it failed."""
        if self.job is None:
            return
        code, self.job = self.job.returncode, None
        with open(self.report) as report, open(self.said) as said:
            text, words = report.read(), said.read()
        if code != 0:
            raise AssertionError(f"fio ended with {code}: {words[-1500:]}\n{text[:1500]}")
        totals = json.loads(text[text.index("{") :])["jobs"][0]
        self.jobs += 1
        self.requests += sum(totals[kind]["total_ios"] for kind in ("read", "write"))
        self.bytes += sum(totals[kind]["io_bytes"] for kind in ("read", "write"))
        os.remove(self.report)

    def finish(self):
        """Waits for the job that runs, and judges it."""
        if self.job is not None:
            try:
                self.job.wait(DEADLINE)
            except subprocess.TimeoutExpired as hung:
                raise AssertionError(f"hangs: fio has not ended after {DEADLINE} s") from hung
        self.judge()

    def close(self):
        for child in (self.job, self.bridge):
            if child is not None:
                child.kill()
                child.wait(30)
