"""The packages suite: what tools/package makes, on an empty Debian without a JDK and without Maven."""

import glob
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback

from box import Box, NotHere, base
from guest import Guest

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.abspath(os.path.join(HERE, "../../../.."))
OUT = os.path.join(os.environ.get("LEAP_NBD_TEST_OUT", os.path.join(HOME, "tools/target/test")), "packages")
KEPT = os.path.join(HOME, "tools/target/packages")
MOST = 45_000_000
ONE, TWO = "0.9~one", "0.9~two"

PAGE = 4096
PAGES = 2048


def run(*command, timeout=300, check=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"'{' '.join(command)}' ends with {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}")
    return done


def content(page, seed):
    """4 KiB that no other page has."""
    return random.Random(page * 1_000_003 + seed).randbytes(PAGE)


class Client:
    """Pages written and read over NBD, as a kernel would, with libnbd."""

    def __init__(self, box, seed):
        self.box = box
        self.seed = seed

    def _connect(self):
        import nbd  # only where it is needed: python3-libnbd

        handle = nbd.NBD()
        end = time.monotonic() + 60
        while True:
            try:
                handle.connect_uri(f"nbd+unix:///?socket={self.box.path('/run/leap-nbd/swap.sock')}")
                return handle
            except nbd.Error as problem:
                if time.monotonic() > end:
                    raise AssertionError(f"no connection within 60 s: {problem}") from problem
                time.sleep(0.2)
                handle = nbd.NBD()

    def write(self):
        handle = self._connect()
        for page in range(PAGES):
            handle.pwrite(content(page, self.seed), page * PAGE)
        handle.shutdown()

    def check(self):
        handle = self._connect()
        sums = hashlib.sha256()
        for page in range(PAGES):
            got = bytes(handle.pread(PAGE, page * PAGE))
            assert got == content(page, self.seed), f"page {page} is not what was written"
            sums.update(got)
        handle.shutdown()
        return sums.hexdigest()


class Suite:
    """Runs what was asked for, one after the other, on one Debian; each goes on where the one before has ended."""

    def __init__(self, words):
        self.words = words
        self.passed = self.failed = self.skipped = 0
        self.tests = []

    def test(self, body):
        self.tests.append((body.__doc__.strip().rstrip("."), body))

    def run(self, state):
        for name, body in self.tests:
            if not all(word in name for word in self.words) and not getattr(body, "always", False):
                continue
            if state.without:
                # One line says what is wrong; the rest could only say that it is.
                continue
            begin = time.monotonic()
            try:
                body(state)
            except NotHere as why:
                self.skipped += 1
                print(f"SKIPPED {name}: {why}", flush=True)
            except Exception as failure:
                self.failed += 1
                state.without = state.without or body is both_packages_are_made
                print(f"FAIL {name} ({time.monotonic() - begin:.1f} s)", flush=True)
                text = str(failure) if isinstance(failure, AssertionError) else "".join(traceback.format_exception(failure))
                for line in text.rstrip().splitlines():
                    print("    " + line, flush=True)
            else:
                self.passed += 1
                print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        print(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed else 0


class State:
    """What tests hand on."""

    def __init__(self, log):
        self.log = log
        self.without = False
        self.box = None
        self.base = None
        self.base_problem = None
        self.client = None
        self.guest = None
        self.guest_problem = None

    def deb(self, version):
        return os.path.join(OUT, version, f"leap-nbd_{version}_amd64.deb")

    def running(self):
        if self.box is None or self.box.init is None:
            raise NotHere("there is no box to run in")
        return self.box

    def main_pid(self, unit):
        return self.box.run(f"systemctl show -P MainPID {unit}").stdout.strip()

    def pages(self):
        if self.client is None:
            raise NotHere("the units did not start")
        return self.client


def always(body):
    """Others need what this one makes."""
    body.always = True
    return body


@always
def both_packages_are_made(state):
    """Packages are made of a checkout, and the second one is another version"""

    def debian():
        try:
            if os.geteuid() != 0:
                raise NotHere("an empty Debian is made and booted by root only")
            os.makedirs(KEPT, exist_ok=True)
            state.base = base(KEPT, state.log)
        except Exception as problem:
            state.base_problem = problem

    beside = threading.Thread(target=debian)
    beside.start()
    try:
        # One build for both.
        jars = os.path.join(HOME, "tools/target/builds/current/lib")
        for version, how in ((ONE, []), (TWO, ["--fast", "--image", "--jars", jars])):
            run(os.path.join(HOME, "tools/package"), "--out", os.path.join(OUT, version), "--version", version, *how, timeout=400)
            assert os.path.exists(state.deb(version)), f"there is no {state.deb(version)}"
    finally:
        beside.join()
    # It has one processor, and what follows has the other one.
    try:
        if state.base is None:
            raise state.base_problem or NotHere("there is no empty Debian")
        state.guest = Guest(state.base, OUT, state.deb(TWO), state.log)
        state.guest.start()
    except Exception as problem:
        state.guest_problem = problem


def it_is_small(state):
    """The Debian package has at most 45 MB"""
    size = os.path.getsize(state.deb(ONE))
    assert size <= MOST, f"it has {size / 1e6:.1f} MB"


def lintian_is_content(state):
    """lintian finds no error in the Debian package, and no warning"""
    said = run("lintian", state.deb(ONE), check=False).stdout
    found = [line for line in said.splitlines() if line.startswith(("E:", "W:"))]
    assert not found, "\n".join(found[:20])


def bill_of_materials_names_all(state):
    """The bill of materials has every jar of the package, with a licence and the hash that the jar has"""
    import json

    unpacked = os.path.join(OUT, "unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    run("dpkg-deb", "-x", state.deb(TWO), unpacked)
    with open(os.path.join(unpacked, "usr/share/doc/leap-nbd/sbom.cdx.json")) as file:
        components = json.load(file)["components"]
    hashes = {one["hashes"][0]["content"]: one for one in components}
    jars = glob.glob(os.path.join(unpacked, "usr/lib/leap-nbd/package/lib/*.jar"))
    assert len(jars) > 20 and len(components) == len(jars) + 1, f"{len(jars)} jars, {len(components)} components"
    for jar in jars:
        with open(jar, "rb") as file:
            known = hashes.get(hashlib.sha256(file.read()).hexdigest())
        assert known, f"{os.path.basename(jar)} is not in it"
        assert known["licenses"] and known["version"], known


def tarball_runs_from_anywhere(state):
    """The tarball runs from where it is unpacked, and its AOT cache fits there"""
    place = os.path.join(OUT, "tarball")
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    run("tar", "-C", place, "-xzf", os.path.join(OUT, TWO, f"leap-nbd-{TWO}-linux-amd64.tar.gz"))
    launcher = os.path.join(place, f"leap-nbd-{TWO}", "leap-nbd")
    # Without a cache that fits, this mode ends the JVM.
    clean = {"PATH": "/usr/bin:/bin", "LEAP_NBD_JAVA_OPTS": "-XX:AOTMode=on"}
    said = run(launcher, "--version", env=clean).stdout
    assert said.startswith("leap-nbd "), said
    shutil.rmtree(place)


def image_serves(state):
    """The image has all that a donor and a server need, and says what it is"""
    import json
    import tarfile

    if os.geteuid() != 0:
        raise NotHere("its files are run by chroot, as root only")
    folder = os.path.join(OUT, "image")
    shutil.rmtree(folder, ignore_errors=True)
    root = os.path.join(folder, "root")
    os.makedirs(root)
    run("tar", "-C", folder, "-xf", os.path.join(OUT, TWO, f"leap-nbd-{TWO}-image.tar"))

    def blob(digest):
        path = os.path.join(folder, "blobs/sha256", digest.removeprefix("sha256:"))
        with open(path, "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == os.path.basename(path), f"{path} is not what its name says"
        return path

    with open(os.path.join(folder, "index.json")) as file:
        first = json.load(file)["manifests"][0]
    with open(blob(first["digest"])) as file:
        manifest = json.load(file)
    with open(blob(manifest["config"]["digest"])) as file:
        config = json.load(file)
    with tarfile.open(blob(manifest["layers"][0]["digest"])) as layer:
        layer.extractall(root, filter="fully_trusted") if hasattr(tarfile, "data_filter") else layer.extractall(root)
    entry = config["config"]["Entrypoint"]
    script = (
        f"mount --bind {root} {root} && mount -t proc proc {root}/proc && mount --bind /dev {root}/dev && ip link set lo up && exec timeout 60"
        f" chroot {root} env -i {' '.join(config['config']['Env'])} LEAP_NBD_JAVA_OPTS=-XX:AOTMode=on {' '.join(entry)} "
    )
    with open(os.path.join(folder, "donor"), "w+") as out:
        donor = subprocess.Popen(
            ["unshare", "-m", "-n", "-p", "-f", "--kill-child", "sh", "-c", script + "donor --memory 16M --slab-size 1M --no-lock"],
            stdout=out,
            stderr=state.log,
        )
        try:
            end = time.monotonic() + 60
            while not open(out.name).read().startswith("ready tcp://127.0.0.1:9400"):
                assert time.monotonic() < end and donor.poll() is None, f"the donor did not start: {open(out.name).read()}"
                time.sleep(0.1)
        finally:
            donor.kill()
            donor.wait()
    # Refused in a sentence that only a server says, whose libraries are there.
    done = run("unshare", "-m", "-n", "sh", "-c", script + "serve --donors 127.0.0.1 --size 16M --wait 0s --encrypt on", check=False)
    assert done.returncode == 3 and "does not answer" in done.stderr, done.stderr
    shutil.rmtree(folder)


@always
def it_installs(state):
    """It installs on an empty Debian 12 that has neither a JDK nor Maven"""
    if state.base is None:
        raise state.base_problem or NotHere("there is no empty Debian")
    state.box = Box(state.base, OUT, state.log)
    state.box.boot()
    for version in (ONE, TWO):
        shutil.copy(state.deb(version), state.box.path(f"/root/{version}.deb"))
    assert state.box.run("command -v java mvn javac", check=False).stdout == "", "the box is not empty"
    state.box.run(f"apt-get -q -y --no-install-recommends install /root/{ONE}.deb", DEBIAN_FRONTEND="noninteractive")
    said = state.box.run("leap-nbd --version").stdout
    with open(os.path.join(HOME, "tools/target/builds/current/commit")) as file:
        commit = file.read().strip()
    assert said.startswith("leap-nbd ") and commit in said, said


def caches_are_used(state):
    """The installed AOT caches are used, the server's and the donor's"""
    box = state.running()
    # Without a cache that fits, this mode ends the JVM with code 1. A wrong option is found by what the cache is for.
    for command in ("serve --size 1", "donor"):
        done = box.run(f"leap-nbd {command}", check=False, LEAP_NBD_JAVA_OPTS="-XX:AOTMode=on")
        assert done.returncode == 2 and "leap-nbd" in done.stderr, f"{command}: {done.returncode} {done.stderr}"
    broken = box.run(
        "cp -a /usr/lib/leap-nbd/current/. /tmp/copy && touch /tmp/copy/lib/*.jar && /tmp/copy/leap-nbd donor; r=$?; rm -rf /tmp/copy; exit $r",
        check=False,
        LEAP_NBD_JAVA_OPTS="-XX:AOTMode=on",
    )
    assert broken.returncode == 1, f"the mode does not tell: {broken.returncode}"


def demo_runs(state):
    """The demo runs from installed files alone, and nothing is written beside them"""
    box = state.running()
    box.run("touch /root/before; sleep 1.1")
    said = box.run("leap-nbd demo", timeout=200).stdout
    assert "was right" in said and "  leap-nbd doctor" in said, said[-500:]
    fresh = box.run("find /usr /etc /var/lib/leap-nbd -newer /root/before -type f").stdout
    assert fresh == "", fresh
    refused = box.run("leap-nbd build", check=False)
    assert refused.returncode == 2 and "never built" in refused.stderr, refused.stderr


def pages_explain_themselves(state):
    """There is a man page for each command, and completion for bash"""
    box = state.running()
    listed = set(re.findall(r"^  ([a-z-]+) ", box.run("leap-nbd --help").stdout.split("Commands:")[1], re.MULTILINE))
    pages = {name[len("leap-nbd-") : -len(".1.gz")] for name in os.listdir(box.path("/usr/share/man/man1")) if name.startswith("leap-nbd-")}
    commands = {command for command in listed if not command.isdigit()}
    assert len(commands) > 10 and commands <= pages, f"without a page: {commands - pages}"
    page = box.run("zcat /usr/share/man/man1/leap-nbd-donor.1.gz").stdout
    assert "\\-\\-memory=SIZE" in page and ".SH SYNOPSIS" in page, page[:500]
    run("bash", "-n", box.path("/usr/share/bash-completion/completions/leap-nbd"))


def units_are_right(state):
    """systemd finds no fault in the units, and counts them as safe"""
    box = state.running()
    units = "leap-nbd-donor.service leap-nbd-serve@swap.service leap-nbd-attach@swap.service leap-nbd-swap@swap.service leap-nbd.target"
    units += " leap-nbd-tidy.service"
    said = box.run(f"systemd-analyze verify --man=no {units}", check=False)
    assert said.returncode == 0 and said.stderr == "", said.stderr
    for unit, most in (("leap-nbd-donor", 4), ("leap-nbd-serve@swap", 4), ("leap-nbd-attach@swap", 6), ("leap-nbd-swap@swap", 6)):
        level = box.run(f"systemd-analyze security --no-pager {unit}", check=False).stdout.splitlines()[-1]
        assert float(re.search(r": ([0-9.]+) ", level).group(1)) < most, level
    after = box.run("systemctl show -P After leap-nbd-attach@swap.service").stdout.split()
    assert "leap-nbd-serve@swap.service" in after and "network-online.target" in after, after
    # The kernel names a swap device by the mount that it was opened in, which must not end before it does.
    for setting in ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelModules", "ProtectHostname"):
        for unit in ("leap-nbd-attach@swap", "leap-nbd-swap@swap"):
            value = box.run(f"systemctl show -P {setting} {unit}.service").stdout.strip()
            assert value == "no", f"{setting} gives {unit} a mount namespace of its own"
    before = box.run("systemctl show -P Before leap-nbd-serve@swap.service").stdout.split()
    assert "dev-nbd0.swap" in before, before
    # One server of an export at a time, whichever unit it is in.
    excluded = box.run("systemctl show -P Conflicts leap-nbd-swap@swap.service").stdout.split()
    assert {"leap-nbd-serve@swap.service", "leap-nbd-attach@swap.service"} <= set(excluded), excluded


def options_of(state):
    """How units are told what to do: by the configuration file, or by drop-ins where there is no such file yet."""
    box = state.box
    donor = {"memory": "64M", "slab-size": "4M", "drain-timeout": "2s"}
    serve = {"donors": "127.0.0.1", "size": "48M", "unix": "/run/leap-nbd/swap.sock"}
    if "--instance" in box.run("leap-nbd serve --help").stdout:
        lines = ["[donor]"] + [f'{key} = "{value}"' for key, value in donor.items()]
        # Its socket is named after the instance by itself.
        lines += ["[serve.swap]", f'donors = ["{serve["donors"]}"]', f'size = "{serve["size"]}"']
        box.put("/etc/leap-nbd/leap-nbd.toml", "\n".join(lines) + "\n")
    else:
        for unit, command, options in (("leap-nbd-donor", "donor", donor), ("leap-nbd-serve@", "serve", serve)):
            line = " ".join(f"--{key} {value}" for key, value in options.items())
            box.put(
                f"/etc/systemd/system/{unit}.service.d/options.conf",
                f"[Service]\nExecStart=\nExecStart=/usr/bin/leap-nbd {command} {line}\n",
            )
    # Shorter than in the package, so that this suite is.
    box.put("/etc/systemd/system/leap-nbd-serve@swap.service.d/nice.conf", "[Service]\nNice=0\n")
    box.put("/etc/systemd/system/leap-nbd-serve@.service.d/watchdog.conf", "[Service]\nWatchdogSec=4s\n")
    box.run("systemctl daemon-reload")


def units_start(state):
    """A unit is started when its server is ready, and pages come back as they were written"""
    state.running()
    options_of(state)
    box = state.box
    box.run("systemctl start leap-nbd-donor leap-nbd-serve@swap")
    client = Client(box, 1)
    client.write()
    client.check()
    state.client = client
    status = box.run("systemctl show -P StatusText leap-nbd-serve@swap").stdout
    assert "serves export" in status and "swap.sock" in status, status
    assert "lends" in box.run("systemctl show -P StatusText leap-nbd-donor").stdout
    # It has stayed where systemd counts what it uses.
    group = box.run(f"cat /proc/{state.main_pid('leap-nbd-serve@swap')}/cgroup").stdout
    assert "leap-nbd-serve@swap.service" in group, group


def server_restarts(state):
    """A restart of the server's unit loses no page"""
    client = state.pages()
    before = state.main_pid("leap-nbd-serve@swap")
    state.box.run("systemctl restart leap-nbd-serve@swap")
    assert state.main_pid("leap-nbd-serve@swap") != before
    client.check()


def watchdog_bites(state):
    """A server whose loops stand still is started anew by the watchdog, and no page is lost"""
    client = state.pages()
    before = state.main_pid("leap-nbd-serve@swap")
    os.kill(state.box.outer(before), 19)  # SIGSTOP
    end = time.monotonic() + 60
    while state.main_pid("leap-nbd-serve@swap") in (before, "0"):
        assert time.monotonic() < end, "the watchdog has not noticed within 60 s"
        time.sleep(0.3)
    client.check()
    said = state.box.run("journalctl -u leap-nbd-serve@swap --no-pager").stdout
    assert "atchdog" in said, said[-500:]


def upgrade_touches_nothing_that_runs(state):
    """An upgrade lets a server go on that holds pages, with its own files, and a restart changes to the new version"""
    client = state.pages()
    box = state.box
    before = state.main_pid("leap-nbd-serve@swap"), state.main_pid("leap-nbd-donor")
    box.run(f"apt-get -q -y --no-install-recommends install /root/{TWO}.deb", DEBIAN_FRONTEND="noninteractive")
    assert (state.main_pid("leap-nbd-serve@swap"), state.main_pid("leap-nbd-donor")) == before, "it was restarted"
    folder = f"/usr/lib/leap-nbd/{ONE}"
    assert os.path.isdir(box.path(folder)), "the files of what runs are gone"
    for line in box.run(f"tr '\\0' '\\n' </proc/{before[0]}/cmdline | grep {folder}/lib | tr ':' '\\n'").stdout.split():
        assert os.path.exists(box.path(line)), f"{line} is gone"
    client.check()
    # Classes that it has not loaded yet are found in its own jars.
    assert "degraded" in box.run(f"leap-nbd status --json --pid {before[0]}").stdout
    box.run(f"leap-nbd set --pid {before[0]} cache-size=8M", check=False)
    client.check()
    box.run("systemctl restart leap-nbd-serve@swap")
    command = box.run(f"tr '\\0' ' ' </proc/{state.main_pid('leap-nbd-serve@swap')}/cmdline").stdout
    assert f"/usr/lib/leap-nbd/{TWO}/" in command, command[:300]
    client.check()
    # The donor still runs from the first one.
    box.run("/usr/lib/leap-nbd/package/scripts/versions.sh tidy")
    assert os.path.isdir(box.path(folder)) and os.path.exists(box.path("/usr/lib/leap-nbd/old"))


def removal_is_refused_for_swap(state):
    """Removal is refused while the kernel has pages on a device of leap-nbd's"""
    state.running()
    box = state.box
    box.put("/run/leap-nbd/attach-nbd0", "device=/dev/nbd0\n")
    box.put("/root/swaps", "Filename Type Size Used Priority\n/dev/nbd0 partition 49152 1234 100\n")
    box.run("mount --bind /root/swaps /proc/swaps")
    try:
        done = box.run("apt-get -q -y purge leap-nbd", check=False, DEBIAN_FRONTEND="noninteractive")
        assert done.returncode != 0 and "not removed: /dev/nbd0 holds 1234 KiB" in done.stderr + done.stdout, done.stderr
    finally:
        box.run("umount /proc/swaps; rm /run/leap-nbd/attach-nbd0")


def removal_is_refused_for_pages(state):
    """Removal is refused while a server holds pages, which says so and goes on"""
    client = state.pages()
    box = state.box
    before = state.main_pid("leap-nbd-serve@swap")
    done = box.run("apt-get -q -y purge leap-nbd", check=False, DEBIAN_FRONTEND="noninteractive")
    assert done.returncode != 0, "it was removed"
    assert re.search(r"not removed: the server that process \d+ is holds \d+ pages.*systemctl stop leap-nbd-serve@swap", done.stdout + done.stderr)
    assert state.main_pid("leap-nbd-serve@swap") == before
    client.check()
    box.run("systemctl stop leap-nbd-serve@swap")
    done = box.run("apt-get -q -y purge leap-nbd", check=False, DEBIAN_FRONTEND="noninteractive")
    assert done.returncode != 0 and "slabs of other machines' pages" in done.stdout + done.stderr, "the donor's pages were given up"
    box.run("systemctl stop leap-nbd-donor")


def purge_leaves_nothing(state):
    """A purge stops what holds no pages, the server before the donor, and leaves nothing"""
    state.running()
    box = state.box
    # Two that hold nothing.
    box.run("systemctl reset-failed; systemctl start leap-nbd-donor")
    box.run("systemctl enable leap-nbd-donor leap-nbd-serve@swap leap-nbd.target")
    box.run("apt-get -q -y purge leap-nbd", DEBIAN_FRONTEND="noninteractive")
    assert box.run("systemctl is-active leap-nbd-donor", check=False).stdout.strip() in ("inactive", "unknown")
    left = box.run("find / -xdev \\( -path /proc -o -path /sys -o -path /root \\) -prune -o -name '*leap-nbd*' -print; ls -d /run/leap-nbd 2>/dev/null", check=False).stdout
    # systemd keeps when units were started, and what dpkg knows is a line in its log.
    assert left == "", left


def swap_survives(state):
    """A real kernel swaps through the units; a restart and a kill of each loses no page, and the shutdown does not hang: E1"""
    if state.guest_problem is not None:
        raise state.guest_problem
    state.guest.finish()


def what_runs_is_told_by_its_program(state):
    """What runs from a package is told by its program, not by what its command line says"""
    base = os.path.join(OUT, "base")
    shutil.rmtree(base, ignore_errors=True)
    scripts = os.path.join(base, "package", "scripts")
    os.makedirs(scripts)
    os.makedirs(os.path.join(base, "1"))
    shutil.copy(os.path.join(HOME, "tools/packaging/versions.sh"), scripts)
    shutil.copy(os.path.join(HOME, "tools/scripts/builds.sh"), scripts)
    shell = os.path.join(base, "1", "java")
    shutil.copy(os.path.realpath("/bin/sh"), shell)
    words = ["-c", "read end; :", "io.leapnbd.tools.LeapNbd", "serve"]
    pretends = subprocess.Popen([shell, *words], executable="/bin/sh", stdin=subprocess.PIPE)
    hides = subprocess.Popen(["/usr/bin/innocent", *words], executable=shell, stdin=subprocess.PIPE)
    gone = subprocess.Popen([shell, "-c", "read end; :"], stdin=subprocess.PIPE)
    try:
        said = run(os.path.join(scripts, "versions.sh"), "running").stdout.splitlines()
        assert sorted(said) == sorted([f"{hides.pid} serve", f"{gone.pid} java"]), said
        os.remove(shell)
        assert len(run(os.path.join(scripts, "versions.sh"), "running").stdout.splitlines()) == 2
    finally:
        for one in (pretends, hides, gone):
            one.communicate(b"\n")


def a_build_leaves_what_runs_alone(state):
    """A build of the checkout leaves what runs from it alone: E9"""
    launcher = os.path.join(HOME, "leap-nbd")
    folder = os.path.join(OUT, "run")
    environment = dict(os.environ, LEAP_NBD_RUN_DIR=folder, LEAP_NBD_BUILD="no", LEAP_NBD_CONFIG="none")
    donor = subprocess.Popen(
        [launcher, "donor", "--memory", "16M", "--slab-size", "1M", "--no-lock", "--unprotected", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=state.log,
        env=environment,
        text=True,
    )
    try:
        http = re.search(r"http://(\S+)", donor.stdout.readline()).group(1)
        with open(f"/proc/{donor.pid}/cmdline") as file:
            jars = [one for one in re.split("[:\0]", file.read()) if one.endswith(".jar")]
        run(launcher, "build", timeout=400)
        assert jars and all(os.path.exists(jar) for jar in jars), "jars of what runs are gone"
        assert os.path.realpath(os.path.join(HOME, "tools/target/builds/current")) not in jars[0], "the build was not a new one"
        # It needs classes for this that it had not loaded.
        assert "slabs_total" in run(launcher, "status", "--json", "--http", http, env=environment).stdout
        # Sources that are newer than the build: what runs is not built under, and the person is told.
        source = os.path.join(HOME, "pom.xml")
        times = os.stat(source)
        os.utime(source)
        try:
            said = run(launcher, "status", "--http", http, env={key: value for key, value in environment.items() if key != "LEAP_NBD_BUILD"})
        finally:
            os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert "./leap-nbd build" in said.stderr and "building" not in said.stderr, said.stderr
    finally:
        donor.kill()
        donor.wait()


def main():
    os.makedirs(OUT, exist_ok=True)
    for version in (ONE, TWO):
        shutil.rmtree(os.path.join(OUT, version), ignore_errors=True)
    suite = Suite(sys.argv[1:])
    for body in (
        both_packages_are_made,
        it_is_small,
        lintian_is_content,
        bill_of_materials_names_all,
        tarball_runs_from_anywhere,
        image_serves,
        it_installs,
        caches_are_used,
        demo_runs,
        pages_explain_themselves,
        units_are_right,
        units_start,
        server_restarts,
        watchdog_bites,
        upgrade_touches_nothing_that_runs,
        removal_is_refused_for_swap,
        removal_is_refused_for_pages,
        purge_leaves_nothing,
        what_runs_is_told_by_its_program,
        swap_survives,
        a_build_leaves_what_runs_alone,
    ):
        suite.test(body)
    with open(os.path.join(OUT, "log"), "wb") as log:
        state = State(log)
        try:
            return suite.run(state)
        finally:
            if state.guest is not None:
                state.guest.close()
            if state.box is not None:
                state.box.close()


if __name__ == "__main__":
    sys.exit(main())
