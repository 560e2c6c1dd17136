"""An empty Debian with systemd as its first process, in namespaces of its own; no daemon and no network is needed for that."""

import os
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = "systemd,dbus,libssl3,mount,kmod"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class NotHere(Exception):
    """What is to be tried cannot run on this machine; the message says why."""


def base(folder, log):
    """Where an empty Debian 12 is, made by mmdebstrap the first time."""
    root = os.path.join(folder, "bookworm")
    if os.path.exists(os.path.join(root, "usr/bin/apt-get")):
        return root
    draft = root + ".new"
    shutil.rmtree(draft, ignore_errors=True)
    command = ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={PACKAGES}", "bookworm", draft]
    made = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=400, check=False)
    if made.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise NotHere(f"mmdebstrap makes no Debian here (is there a mirror?); see {log.name}")
    os.rename(draft, root)
    return root


class Box:
    """One Debian that runs."""

    def __init__(self, base_folder, folder, log):
        self.root = os.path.join(folder, "root")
        self.log = log
        self.init = None
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "-a", base_folder, self.root], check=True)
        self.group = f"/sys/fs/cgroup/unified/leap-nbd-packages-{os.getpid()}"
        if not os.path.isdir("/sys/fs/cgroup/unified"):
            self.group = f"/sys/fs/cgroup/leap-nbd-packages-{os.getpid()}"
        self.process = None

    def boot(self):
        """Starts systemd, and waits until it has started what it starts by itself."""

        def enter():
            os.makedirs(self.group, exist_ok=True)
            with open(os.path.join(self.group, "cgroup.procs"), "w") as file:
                file.write(str(os.getpid()))

        command = ["unshare", "--kill-child", "-C", "-m", "-n", "-p", "-i", "-u", "-f"]
        command += ["sh", os.path.join(HERE, "init.sh"), self.root]
        try:
            self.process = subprocess.Popen(
                command, preexec_fn=enter, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
            )
        except (OSError, subprocess.SubprocessError) as problem:
            raise NotHere(f"no systemd of its own can be started: {problem}") from problem
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise NotHere(f"no systemd of its own can be started here; see {self.log.name}")
            children = self._children(self.process.pid)
            if children and self._comm(children[0]) == "systemd":
                self.init = children[0]
                state = self.run("systemctl is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.2)
        raise NotHere(f"systemd does not come up in a box of its own; see {self.log.name}")

    @staticmethod
    def _children(pid):
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                return [int(one) for one in file.read().split()]
        except OSError:
            return []

    @staticmethod
    def _comm(pid):
        try:
            with open(f"/proc/{pid}/comm") as file:
                return file.read().strip()
        except OSError:
            return ""

    def run(self, script, check=True, timeout=120, **environment):
        """Runs a shell's script inside, with nothing of this machine's environment."""
        command = ["nsenter", "-t", str(self.init), "-m", "-n", "-p", "-i", "-u", "-C", "env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8"]
        command += [f"{name}={value}" for name, value in environment.items()] + ["sh", "-c", script]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        self.log.write(f"$ {script}\n{done.stdout}{done.stderr}-> {done.returncode}\n".encode())
        self.log.flush()
        if check and done.returncode != 0:
            raise AssertionError(f"'{script}' ends with {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}")
        return done

    def path(self, inside):
        """A file of the box as this machine sees it, sockets too."""
        return f"/proc/{self.init}/root{inside}"

    def put(self, inside, text):
        """Writes a file."""
        path = self.path(inside)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def outer(self, pid):
        """The number that a process of the box has on this machine."""
        for one in os.listdir("/proc"):
            if not one.isdigit():
                continue
            try:
                with open(f"/proc/{one}/status") as file:
                    ids = [line.split()[1:] for line in file if line.startswith("NSpid:")][0]
            except (OSError, IndexError):
                continue
            if len(ids) > 1 and ids[-1] == str(pid) and os.path.samefile(f"/proc/{one}/ns/pid", f"/proc/{self.init}/ns/pid"):
                return int(one)
        raise AssertionError(f"process {pid} is not there")

    def close(self):
        """Ends all of it."""
        if self.process is not None:
            if self.init is not None and self.process.poll() is None:
                os.kill(self.init, signal.SIGKILL)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for folder, _, _ in os.walk(self.group, topdown=False):
            for _ in range(20):
                try:
                    os.rmdir(folder)
                    break
                except OSError:
                    time.sleep(0.1)
        shutil.rmtree(self.root, ignore_errors=True)
