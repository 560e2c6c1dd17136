"""A real kernel (User-mode Linux) with nbd and swap, whose first process is systemd, with the package installed."""

import glob
import os
import shutil
import subprocess
import time

from box import NotHere

HERE = os.path.dirname(os.path.abspath(__file__))
PRELOAD = os.path.join(HERE, "../kernel/preload/xstate.c")
LIMIT = 1500

DROP_INS = {
    "leap-nbd-donor": "donor --memory 160M --slab-size 8M --drain-timeout 2s",
    "leap-nbd-serve@": "serve --donors 127.0.0.1 --size 128M --export guest --unix /run/leap-nbd/swap.sock",
    # A start takes a minute and more where an emulated machine shares a processor.
    "leap-nbd-attach@": "attach /run/leap-nbd/swap.sock --dead-timeout 20m",
}
TRIAL = """[Unit]
Description=Trial of leap-nbd's units
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/root/trial.sh
"""


class Guest:
    """One boot of it, from the first process to the end."""

    def __init__(self, base, folder, deb, log):
        self.root = os.path.join(folder, "guest")
        self.folder = folder
        self.log = log
        self.process = None
        modules = sorted(glob.glob("/usr/lib/uml/modules/*"))
        if shutil.which("linux.uml") is None or not modules:
            raise NotHere("User-mode Linux is not installed (Debian package user-mode-linux)")
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "-a", base, self.root], check=True)
        os.makedirs(os.path.join(self.root, "lib/modules"), exist_ok=True)
        subprocess.run(["cp", "-a", modules[-1], os.path.join(self.root, "lib/modules/")], check=True)
        shutil.copy(deb, os.path.join(self.root, "root/leap-nbd.deb"))
        for name in ("trial.sh", "load.pl"):
            shutil.copy(os.path.join(HERE, "guest", name), os.path.join(self.root, "root"))
        script = (
            f"mount --bind {self.root} {self.root} && mount -t proc proc {self.root}/proc &&"
            f" chroot {self.root} sh -c 'dpkg -i /root/leap-nbd.deb && depmod {os.path.basename(modules[-1])}'"
        )
        done = subprocess.run(["unshare", "-m", "-p", "-f", "sh", "-c", script], stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise AssertionError(f"the package is not installed in the guest; see {log.name}")
        units = os.path.join(self.root, "etc/systemd/system")
        for unit, command in DROP_INS.items():
            os.makedirs(os.path.join(units, f"{unit}.service.d"))
            with open(os.path.join(units, f"{unit}.service.d/options.conf"), "w") as file:
                # The watchdog's times are for machines, not for an emulated one beside a build.
                file.write(f"[Service]\nExecStart=\nExecStart=/usr/bin/leap-nbd {command}\nWatchdogSec=2min\n")
        with open(os.path.join(units, "trial.service"), "w") as file:
            file.write(TRIAL)
        with open(os.path.join(units, "trial.target"), "w") as file:
            file.write("[Unit]\nRequires=multi-user.target trial.service\n")

    def start(self):
        """Boots; returns at once."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/dev/shm"}
        with open("/proc/cpuinfo") as file:
            if "amx_tile" in file.read():
                library = os.path.join(self.folder, "xstate.so")
                subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, PRELOAD], check=True)
                environment["LD_PRELOAD"] = library
        work = os.path.join(self.folder, "uml")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        command = ["unshare", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "linux.uml", "mem=900M", "rootfstype=hostfs"]
        command += [f"rootflags={self.root}", "root=/dev/root", "rw", "init=/lib/systemd/systemd", "con=null", "con0=null,fd:1"]
        command += [f"uml_dir={work}/", "umid=guest", "systemd.unit=trial.target", "systemd.log_target=console"]
        with open(os.path.join(self.folder, "console"), "wb") as console:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment, start_new_session=True
            )
        self.begin = time.monotonic()

    def finish(self):
        """Waits until it has shut down; returns what its trial said."""
        try:
            self.process.wait(max(1, LIMIT - (time.monotonic() - self.begin)))
            hangs = ""
        except subprocess.TimeoutExpired:
            hangs = f"it has not shut down after {LIMIT} s; "
        said = os.path.join(self.root, "root/trial/log")
        text = ""
        if os.path.exists(said):
            with open(said, errors="replace") as file:
                text = file.read()
        if hangs or not os.path.exists(os.path.join(self.root, "root/trial/done")):
            raise AssertionError(f"{hangs}the trial said: {text[-3000:]}; see {self.folder}/console")
        with open(os.path.join(self.folder, "console"), errors="replace") as file:
            ends = [line.split("@")[0].split(".")[0] for line in file if line.startswith("leap-nbd-") and "Deactivated" in line]
        assert ends[-3:] == ["leap-nbd-attach", "leap-nbd-serve", "leap-nbd-donor"], f"they ended in the order {ends}"
        return text

    def close(self):
        """Ends it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)
