"""
The README's five commands, taken from there, on two machines; then a third one that has no certificate.

A machine is a set of namespaces: it has a network and a host name of its own, and /etc, /run and /root too. Three things are not as in the
README. Sizes are smaller. The server has a Unix socket and nbdcopy in place of --swap, as a network namespace has no kernel of its own. There is no ssh
daemon, so ssh and scp are scripts that do the same between namespaces.
"""

import json
import os
import re

from donor_faults import require
from encryption import PAGE, found_in, text_page
from processes import CLIENT_DEADLINE, LAUNCHER, Daemon

HOME = os.path.dirname(LAUNCHER)
SOCKET = "/run/leap-nbd/leap.sock"
SIZE = 64 << 20
PAGES = 500
ADDRESSES = {"h2": "10.77.0.2", "h3": "10.77.0.3", "h4": "10.77.0.4"}

# What becomes of the words of a command here.
HERE = (("--swap", f"--unix {SOCKET}"), ("8G", "64M"))

OWN = r"""
set -e
name=$1 own=$2 hosts=$3
mkdir -p "$own/etc" "$own/root"
cp -a /etc/. "$own/etc" 2>/dev/null || :
rm -rf "$own/etc/leap-nbd"
mount --bind "$own/etc" /etc
mount -t tmpfs tmpfs /run
# A checkout or a JDK may be in there.
mount --rbind /root "$own/root"
mount -t tmpfs -o mode=0700 tmpfs /root
for one in "$own/root"/* "$own/root"/.[!.]*; do
  [ ! -d "$one" ] || [ -L "$one" ] || { mkdir "/root/${one##*/}" && mount --rbind "$one" "/root/${one##*/}"; }
done
[ ! -d /root/pool ] || { umount -l /root/pool && rmdir /root/pool; }
hostname "$name"
printf '127.0.0.1 localhost\n%s' "$hosts" >/etc/hosts
ip link set lo up
echo "ready $name"
exec sleep infinity
"""

SSH = """#!/bin/sh
# root@HOST COMMAND...
host=${1#root@}
shift
exec nsenter -t "$(cat "${0%/*}/$host")" -m -n -u sh -c "$*"
"""

SCP = """#!/bin/sh
# -p FILE... root@HOST:FOLDER
[ "$1" = -p ] || exit 2
for to; do :; done
host=${to%%:*}
there="/proc/$(cat "${0%/*}/${host#root@}")/root/${to#*:}"
while [ $# -gt 2 ]; do
  shift
  cp -p "$1" "$there" || exit
done
"""


def commands():
    """Machine and command in each line of the README's quick start, and what stands before it."""
    with open(os.path.join(HOME, "README.md")) as file:
        text = file.read()
    block = re.search(r"Five commands, as root:\n\n```sh\n(.*?)```", text, re.DOTALL)
    require(block, "the README has no five commands")
    lines = [re.fullmatch(r"(h\d)\$ (.*?)(?:\s+# .*)?", line) for line in block[1].splitlines()]
    require(all(lines), f"not all lines begin with a machine: {block[1]}")
    return [line.groups() for line in lines]


class Machine(Daemon):
    """Namespaces, and the process that keeps them."""

    def __init__(self, processes, host, names):
        self.host = host
        self.names = names
        hosts = "".join(f"{address} {name}\n" for name, address in ADDRESSES.items())
        super().__init__(processes, f"machine {host}", host, processes.path(host), hosts)

    def launcher(self):
        return ["unshare", "--mount", "--net", "--uts", "sh", "-c", OWN, "sh"]

    def ready(self):
        super().ready()
        with open(os.path.join(self.names, self.host), "w") as out:
            out.write(str(self.child.pid))
        return self

    def enter(self):
        """The settings of the suite are left outside: what is in /etc and /run is this machine's own."""
        path = f"PATH={self.names}:/usr/sbin:/usr/bin:/sbin:/bin"
        namespaces = ["nsenter", "-t", str(self.child.pid), "-m", "-n", "-u"]
        return [*namespaces, "env", "-u", "LEAP_NBD_CONFIG", "-u", "LEAP_NBD_RUN_DIR", path, "sh", "-c"]

    def run(self, command, **options):
        return self.processes.run(*self.enter(), f"cd '{HOME}' && {command}", **options)

    def start(self, command):
        return Command(self, command)


class Command(Daemon):
    """A command that stays, on a machine."""

    def __init__(self, machine, command):
        self.machine = machine
        name = f"{command.split()[1]} on {machine.host}"
        super().__init__(machine.processes, name, f"cd '{HOME}' && exec {command}")

    def launcher(self):
        return self.machine.enter()


class Lab:
    """Three machines and their network: the donor's machine has a cable to each of the others."""

    def __init__(self, processes):
        self.processes = processes
        self.names = processes.path("machines")
        os.mkdir(self.names)
        for name, text in (("ssh", SSH), ("scp", SCP)):
            path = os.path.join(self.names, name)
            with open(path, "w") as out:
                out.write(text)
            os.chmod(path, 0o755)
        self.machines = {host: Machine(processes, host, self.names) for host in ADDRESSES}
        for machine in self.machines.values():
            machine.ready()
        for host in ("h3", "h4"):
            there = self.machines[host]
            self.machines["h2"].run(f"ip link add to-{host} type veth peer name to-h2 netns {there.child.pid}")
            self.cable("h2", host)
            self.cable(host, "h2")
        self.said = []
        self.stay = {}
        self.set_up()

    def cable(self, host, other):
        addresses = f"{ADDRESSES[host]} peer {ADDRESSES[other]}"
        self.machines[host].run(f"ip addr add {addresses} dev to-{other} && ip link set to-{other} up")

    def set_up(self):
        for host, command in commands():
            for words, instead in HERE:
                command = command.replace(words, instead)
            if re.match(r"\S*leap-nbd (donor|serve)\b", command):
                self.stay[host] = self.machines[host].start(command).ready()
            else:
                self.said.append(self.machines[host].run(command))

    def status(self, host):
        return json.loads(self.machines[host].run("./leap-nbd status --json"))


def five_commands(lab):
    """They are five, the first prints the next two, and the last two stay."""
    lines = commands()
    require([host for host, _ in lines] == ["h4", "h4", "h4", "h2", "h4"], f"on other machines: {lines}")
    for _, command in lines[1:3]:
        require(f"  {command}\n" in lab.said[0], f"'pool create' does not print '{command}': {lab.said[0]}")
    require("--pool /etc/leap-nbd/pool" in lab.said[0], f"'pool create' does not say how the folder is used: {lab.said[0]}")
    require([stays for stays in lab.stay] == ["h2", "h4"], f"what stays is {list(lab.stay)}")
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    # A checkout may be where nobody else looks.
    said = lab.machines["h4"].run(f"! {nobody} test -x ./leap-nbd || ! {nobody} ./leap-nbd status")
    if not said:
        print("     this copy cannot be run by another user, so nobody was asked", flush=True)
    require(not said or "root's are shown to root" in said, f"another user is told: {said}")
    for command in lab.stay.values():
        require("insecure" not in command.uris, f"it calls itself insecure: {command.uris}")


def sealed(lab):
    """Pages go to the other machine and come back; what is there is encrypted, and the way there too."""
    image, copy = lab.processes.path("image"), lab.processes.path("copy")
    with open(image, "wb") as out:
        out.writelines(text_page(number) for number in range(PAGES))
        out.truncate(SIZE)
    h4 = lab.machines["h4"]
    h4.run(f"nbdcopy '{image}' 'nbd+unix:///?socket={SOCKET}'")
    h4.run(f"nbdcopy 'nbd+unix:///?socket={SOCKET}' '{copy}'")
    with open(image, "rb") as one, open(copy, "rb") as two:
        require(one.read() == two.read(), "what was written is not what is read")
    server, donor = lab.status("h4"), lab.status("h2")
    require(server["export"]["encryption"] == "aes-256-gcm", f"pages are not encrypted: {server['export']}")
    links = [(each["authenticated"], each["encrypted"], each["certificate"]) for each in server["donors"]]
    require(links == [(True, True, "h2")], f"the way to the donor: {links}")
    require([each["identity"] for each in donor["exports"]] == ["h4"], f"whose exports there are: {donor['exports']}")
    require(lab.stay["h2"].resident_kib() > PAGES * PAGE >> 10, "the pages are not at the donor")
    require(found_in(lab.stay["h4"].child.pid) > 0, "the search finds nothing where pages are plain")
    require(found_in(lab.stay["h2"].child.pid) == 0, "the donor's memory has what was written")


def third_party(lab):
    """It reaches the donor's port. It has no certificate, or one of a pool that it made itself."""
    h3 = lab.machines["h3"]
    before = lab.status("h2")["exports"]
    h3.run("./leap-nbd pool create /root/pool h3 && mkdir -p -m 700 /etc/leap-nbd/pool && cp -p /root/pool/h3/* /etc/leap-nbd/pool/")
    serve = "./leap-nbd serve --donors h2 --size 16M --unix /run/leap-nbd/SOCKET --listen 127.0.0.1:0 --export"
    # The export's own name, from what was seen of it.
    name = before[0]["name"]
    attempts = {
        f"{serve} {name} --insecure --take-over --encrypt off": "it serves only servers of its pool",
        f"{serve} {name} --pool /etc/leap-nbd/pool --take-over": "is not of this pool's authority",
        f"{serve} other": "--pool",
    }
    starts = [(h3.start(command.replace("SOCKET", f"{number}.sock")), sentence)
              for number, (command, sentence) in enumerate(attempts.items())]  # fmt: skip
    for start, sentence in starts:
        require(start.ended(CLIENT_DEADLINE) not in (0, None), f"{start.name} is served")
        require(sentence in start.errors(), f"{start.name}: {start.errors()[-500:]}")
    require(lab.status("h2")["exports"] == before, "the donor has other exports than before")
    said = lab.stay["h2"].errors()
    require("does not use TLS" in said and said.count(ADDRESSES["h3"]) >= 2, f"the donor does not say who came: {said[-500:]}")
    copy = lab.processes.path("afterwards")
    lab.machines["h4"].run(f"nbdcopy 'nbd+unix:///?socket={SOCKET}' '{copy}'")
    with open(copy, "rb") as read:
        require(read.read(PAGE) == text_page(0), "pages have changed")


def no_key_is_shown(lab):
    """Keys of the pool are in their files and nowhere else, after all of the above."""
    seen = {"what the commands print": "".join(lab.said)}
    keys = []
    for host, command in lab.stay.items():
        folder = f"/proc/{lab.machines[host].child.pid}/root/etc/leap-nbd/pool"
        for name in os.listdir(folder):
            if name.endswith("-key.pem"):
                with open(os.path.join(folder, name)) as file:
                    keys += [line for line in file.read().splitlines() if len(line) > 20 and not line.startswith("-----")]
        seen[f"status of {host}"] = lab.machines[host].run("./leap-nbd status --json && ./leap-nbd status --verbose")
        for name in ("cmdline", "environ"):
            with open(f"/proc/{command.child.pid}/{name}", errors="replace") as file:
                seen[f"{name} on {host}"] = file.read()
        with open(command.output_path) as out:
            seen[f"output on {host}"] = out.read() + command.errors()
    require(len(keys) >= 6, f"there are {len(keys)} lines of keys only")
    shown = [place for place, text in seen.items() if not text or any(key in text for key in keys)]
    require(not shown, f"nothing, or a key, is in {shown}")


def run(suite, processes):
    if os.getuid() != 0:
        print("    'two machines' takes root, to make machines of", flush=True)
        return
    suite.test("two machines: the README's five commands set them up", five_commands)
    suite.test("two machines: pages come back, and neither the donor nor the way there has them in plain", sealed)
    suite.test("two machines: a third one without a certificate of the pool is refused, and changes nothing", third_party)
    suite.test("two machines: no key of the pool is in output, status, command line or environment", no_key_is_shown)
    suite.run(lambda: Lab(processes))
