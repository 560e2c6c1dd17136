"""Encrypted pages: donors hold nothing of what was written, and no server reads it without the state file and the key."""

import os
import re
import stat

from connection import connect
from copies import Zoned
from load import PAGE, Load
from processes import LAUNCHER, Donor, Server
from seals import Pool, one_copy, two_copies

SIZE = 16 << 20
PAGES = SIZE // PAGE
TEXT = b"the cat sat on the mat and nobody else may ever read what it thought; "
SECRET = "c0ffee" * 10 + "d00d"


def require(condition, message):
    if not condition:
        raise AssertionError(message)


def text_page(number):
    line = TEXT + b"%08d " % number
    return (line * (PAGE // len(line) + 1))[:PAGE]


def memory_of(pid):
    """All that a process may write to, piece by piece."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for first, last in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps.read(), re.MULTILINE):
            first, last = int(first, 16), int(last, 16)
            for at in range(first, last, 1 << 20):
                try:
                    memory.seek(at)
                    yield memory.read(min(1 << 20, last - at))
                except OSError:
                    break  # memory that is reserved only


def found_in(pid):
    return sum(piece.count(TEXT[:40]) for piece in memory_of(pid))


def donors_hold_nothing(processes):
    """A donor's memory after a known text was swapped out; without encryption it is there, so the search works."""
    donors = [Donor(processes, "64M", f"donor {i}").ready() for i in range(2)]
    named = [Zoned(donor, i) for i, donor in enumerate(donors)]
    try:
        for how in ("on", "off"):
            server = Server(processes, SIZE, named, f"server {how}", replicas=2, encrypt=how, fresh=True, export=f"text-{how}").ready()
            client = connect(server.uri("nbd+unix"))
            errors = client.wait(*(client.write(number * PAGE, text_page(number)) for number in range(200)))
            require(not any(errors), f"writes end with {set(errors)}")
            found = [found_in(donor.child.pid) for donor in donors]
            if how == "on":
                require(found == [0, 0], f"donors hold {found} pieces of what was written")
                require(server.status()["export"]["encryption"] == "aes-256-gcm", "status does not say that pages are encrypted")
            else:
                require(min(found) >= 200, f"the search finds only {found}")
            reads = [client.read(number * PAGE, PAGE) for number in range(200)]
            client.wait(*reads)
            require(all(read.data == text_page(number) for number, read in enumerate(reads)), "what is read is not what was written")
            client.close()
            require(server.terminate() == 0, "the server does not end well")
    finally:
        for donor in donors:
            donor.kill()


def without_state(processes):
    """kill -9 loses nothing; without the state file a start is refused until it is --fresh."""
    donor = Donor(processes, "64M").ready()
    state = processes.path("state-of-secrets")
    server = Server(processes, SIZE, [donor], state=state, encrypt="on").ready()

    def crash():
        # Both at once: with the server gone, no further request may find room to be the one that starts it again.
        server.kill()
        server.spawn()

    try:
        load = Load(server.uri("nbd+unix"), PAGES, seed=5)
        load.fill()
        for _ in range(3):
            load.run(300, at=[(150, crash)])
            load.verify()
        require(not load.wrong and not load.failed, f"{load.wrong[:3]} {load.failed}")
        server.kill()
        files = [name for name in os.listdir(state) if name.endswith(".state")]
        require(len(files) == 1, f"state files: {files}")
        path = os.path.join(state, files[0])
        require(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read the state file")
        os.rename(path, path + ".away")
        for words in ({}, {"take_over": True}, {"lose_missing": True}, {"encrypt": "off"}, {"encrypt": "aes-128-gcm"}):
            other = Server(processes, SIZE, [donor], "refused", state=state, **{"encrypt": "on", **words})
            require(other.ended(60) == 1, f"a start with {words} is not refused")
            sentence = other.errors().splitlines()[-1]
            require("--fresh" in sentence, f"refused without advice: {sentence}")
        os.rename(path + ".away", path)
        server.spawn()
        server.ready()
        load.verify()
        require(not load.wrong and not load.failed, f"a start that was refused has changed something: {load.wrong[:3]} {load.failed}")
        load.close()
        require(server.terminate() == 0, "the server does not end well")
        fresh = Server(processes, SIZE, [donor], "fresh", state=state, encrypt="on", fresh=True).ready()
        client = connect(fresh.uri("nbd+unix"))
        read = client.read(0, PAGE)
        client.wait(read)
        require(read.error == 0 and not any(read.data), "a fresh export is not blank")
        client.close()
        fresh.kill()
    finally:
        server.kill()
        donor.kill()


def key_file(processes):
    """The operator's key: it is asked for, it has to be the right one, nobody else may read it, and nothing shows it."""
    donor = Donor(processes, "64M").ready()
    folder = processes.path("keys")
    os.mkdir(folder)
    key, other = os.path.join(folder, "key"), os.path.join(folder, "other")
    for path, digits in ((key, SECRET), (other, SECRET[::-1])):
        with open(path, "w") as out:
            out.write(digits + "\n")
        os.chmod(path, 0o600)
    state = processes.path("state-of-key")
    server = Server(processes, SIZE, [donor], state=state, encrypt="on", key_file=key).ready()
    client = connect(server.uri("nbd+unix"))
    require(client.wait(client.write(0, text_page(1))) == [0], "a write fails")
    client.close()
    shown = server.errors() + str(server.status())
    with open(f"/proc/{server.child.pid}/cmdline") as line, open(f"/proc/{server.child.pid}/environ", errors="replace") as environment:
        shown += line.read() + environment.read()
    for folder, _, names in os.walk(state):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            require(bytes.fromhex(SECRET) not in content and SECRET.encode() not in content, f"the key is in {name}")
    require(SECRET not in shown, "the key is shown")
    require(server.terminate() == 0, "the server does not end well")

    def refused(words, expected, mode=0o600):
        os.chmod(key, mode)
        start = Server(processes, SIZE, [donor], "refused", state=state, **words)
        code = start.ended(60)
        require(code in (1, 2), f"{words}: exit code {code}")
        require(expected in start.errors(), f"{words}: {start.errors()[-300:]}")
        os.chmod(key, 0o600)

    refused({"encrypt": "on"}, "--key-file")
    refused({"encrypt": "on", "key_file": other}, "another key than --key-file has")
    refused({"encrypt": "on", "key_file": key}, "give it mode 0600", 0o640)
    refused({"encrypt": "off", "key_file": key}, "--encrypt on")
    refused({"encrypt": "on", "key_file": os.path.join(folder, "none")}, "does not exist")
    refused({"encrypt": "aes"}, "none of on, off, aes-256-gcm and aes-128-gcm")
    refused({"encrypt": "on", "seals": "off", "key_file": key}, "--seals off")
    server.spawn()
    server.ready()
    client = connect(server.uri("nbd+unix"))
    read = client.read(0, PAGE)
    client.wait(read)
    require(read.data == text_page(1), "with the right key it is not what was written")
    client.close()
    server.kill()
    donor.kill()


def unlike(processes):
    """Donors of this machine only: not encrypted, and a donor elsewhere is refused later."""
    donor = Donor(processes, "64M").ready()
    server = Server(processes, SIZE, [donor], state=processes.path("state-here"), insecure=True).ready()
    require(server.status()["export"]["encryption"] == "off", "pages of a donor on this machine are encrypted by default")
    at = server.uri("http").removeprefix("http://")
    answer = processes.run(LAUNCHER, "set", "donors+=192.0.2.1:9400", "--http", at, fails=True)
    require("on another machine" in answer, answer)
    server.kill()
    donor.kill()


def run(suite, processes, first, rounds):
    suite.test("encrypted pages: a donor's memory holds nothing of a known text", donors_hold_nothing, processes)
    suite.test("encrypted pages: the server is killed, and its state file is taken away", without_state, processes)
    suite.test("encrypted pages: a key file is asked for, compared, and shown to nobody", key_file, processes)
    suite.test("encrypted pages: the default, and donors elsewhere", unlike, processes)
    suite.test("encrypted pages: a donor that changes bytes makes them an I/O error with one copy", one_copy, processes, "on")
    for seed in range(first, first + min(rounds, 3)):
        suite.test(f"encrypted pages: with two copies a donor that changes bytes makes nothing fail (seed {seed})", two_copies, processes, seed, "on")
    suite.run()
