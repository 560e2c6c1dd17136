"""The file of settings, its changes while a server runs, and the log, on real processes."""

import json
import os
import re
import signal
import socket
import subprocess

from processes import LAUNCHER, Daemon, await_that


class Configured(Daemon):
    """A command that reads its settings from a file."""

    def __init__(self, processes, name, config, *arguments):
        self.config = config
        super().__init__(processes, name, *arguments, "--config", config)


def write(path, text):
    """Replaces a file as an editor does."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def donor(processes):
    """A donor from a file."""
    config = processes.path("donor.toml")
    write(config, '[donor]\nmemory = "64M"\nslab-size = "1M"\nlisten = "127.0.0.1:0"\nhttp = "127.0.0.1:0"\nunprotected = true\n')
    started = Configured(processes, "configured donor", config, "donor")
    started.ready()
    return started


def settings(donors, **more):
    """The text of a server's file; values are TOML's."""
    all_of_them = {
        "donors": json.dumps(donors),
        "size": '"16M"',
        "threads": "1",
        "http": '"127.0.0.1:0"',
        "unprotected": "true",
        "state-dir": '"STATE"',
        "prefetch": '"leap"',
        **more,
    }
    lines = [f"{key} = {value}" for key, value in all_of_them.items()]
    return "# mine\n[serve.swap]   # the only one\n" + "\n".join(lines) + "\n"


def server(processes, donors, **more):
    """A server that is the instance 'swap' of a file."""
    config = processes.path("serve.toml")
    state = processes.path("state")
    os.mkdir(state, mode=0o700)
    text = settings(donors, **more).replace("STATE", state)
    write(config, text)
    started = Configured(processes, "configured server", config, "serve", "--instance", "swap")
    started.text = text
    started.ready()
    return started


def leap(processes, *arguments, **more):
    return processes.run(LAUNCHER, *arguments, **more)


def in_force(processes, of):
    return leap(processes, "set", "--pid", str(of.child.pid))


def hang_up(of):
    of.child.send_signal(signal.SIGHUP)


def runs_from_a_file(processes):
    lender = donor(processes)
    serving = server(processes, [lender.uris[0]])
    uri = serving.uris[0]
    assert uri.startswith("nbd+unix://"), uri
    assert ".swap?socket=" in uri and uri.endswith("/swap.sock"), uri
    assert "prefetch=leap" in in_force(processes, serving)
    assert "16777216" in processes.run("nbdinfo", "--size", uri)
    shown = leap(processes, "config", "show", "--origin", "--config", serving.config, "serve", "swap")
    assert re.search(r'size = "16M" +# ' + re.escape(serving.config) + ":4", shown), shown
    leap(processes, "config", "check", serving.config)


def changes_what_can_change(processes):
    first, second = donor(processes), donor(processes)
    serving = server(processes, [first.uris[0]], replicas="1")
    write(
        serving.config,
        serving.text.replace('"leap"', '"stride"\nhistory = 64')
        .replace(json.dumps([first.uris[0]]), json.dumps([first.uris[0], second.uris[0]]))
        .replace('"16M"', '"32M"'),
    )
    hang_up(serving)
    await_that(lambda: "after a restart: size" in serving.errors(), "the server says what needs a restart")
    now = in_force(processes, serving)
    assert "prefetch=stride history=64" in now and second.uris[0] in now, now
    assert "in force now: donors, prefetch, history" in serving.errors(), serving.errors()
    assert "16777216" in processes.run("nbdinfo", "--size", serving.uris[0])
    said = leap(processes, "reload", "--pid", str(serving.child.pid))
    assert "after a restart: size" in said and "in force now" not in said, said
    assert serving.alive()


def a_broken_file_changes_nothing(processes):
    lender = donor(processes)
    serving = server(processes, [lender.uris[0]])
    before = in_force(processes, serving)
    for broken, why in [
        (serving.text.replace('"leap"', '"psychic"'), "psychic"),
        (serving.text.replace('"leap"', '"stride"').replace("threads", "treads"), "did you mean 'threads'?"),
        (serving.text.replace('"leap"', '"stride" x'), ":9: unexpected"),
        (serving.text.replace('"leap"', '"stride"\ncache-size = "64M"'), "64M"),
        (serving.text.replace('"leap"', '"stride"').replace(lender.uris[0], "h1:99999"), "99999"),
    ]:
        write(serving.config, broken)
        said = leap(processes, "reload", "--pid", str(serving.child.pid), fails=True)
        assert "everything stays as it is" in said and why in said, said
        assert in_force(processes, serving) == before
    hang_up(serving)
    await_that(lambda: "hang-up: everything stays as it is" in serving.errors(), "the log says that nothing has changed")
    os.remove(serving.config)
    said = leap(processes, "reload", "--pid", str(serving.child.pid), fails=True)
    assert "is gone" in said, said
    assert in_force(processes, serving) == before and serving.alive()


def a_donors_limits_change(processes):
    config = processes.path("donor.toml")
    text = '[donor]\nmemory = "64M"\nslab-size = "1M"\nlisten = "127.0.0.1:0"\nhttp = "127.0.0.1:0"\nunprotected = true\n'
    write(config, text + 'per-owner = "16M"\n')
    lender = Configured(processes, "configured donor", config, "donor").ready()
    serving = server(processes, [lender.uris[0]])
    uri = serving.uris[0]
    filled = "h.pwrite(b'x' * (2 << 20), 0)"
    write(config, text + 'per-owner = "1M"\n')
    assert "in force now: per-owner" in leap(processes, "reload", "--pid", str(lender.child.pid))
    processes.run("nbdsh", "-u", uri, "-c", filled, fails=True)
    write(config, text + 'per-owner = "8M"\nkeep-free = "1M"\nlease = "20m"\n')
    said = leap(processes, "reload", "--pid", str(lender.child.pid))
    assert "in force now: keep-free, per-owner; after a restart: lease" in said, said

    def fits():
        return subprocess.run(["nbdsh", "-u", uri, "-c", filled], capture_output=True, timeout=60).returncode == 0

    # The server asks again when a reply has told it that there is room.
    await_that(fits, "there is room for more")
    write(config, text + 'per-owner = "8K"\n')
    said = leap(processes, "reload", "--pid", str(lender.child.pid), fails=True)
    assert "[donor] per-owner: 8K is less than one slab" in said, said

    # Without a file of settings the file of limits is read again as well.
    serving.child.terminate()
    serving.child.wait(60)
    owners = processes.path("owners")
    write(owners, "anonymous@127.0.0.1 16M\n")
    lender = Daemon(
        processes,
        *("donor of owners", "donor", "--memory", "64M", "--slab-size", "1M", "--listen", "127.0.0.1:0"),
        *("--http", "127.0.0.1:0", "--unprotected", "--owners", owners),
    )
    lender.ready()
    uri = server(processes, [lender.uris[0]]).uris[0]
    write(owners, "anonymous@127.0.0.1 1M\n")
    said = leap(processes, "reload", "--pid", str(lender.child.pid))
    assert f"limits of --owners ({owners})" in said, said
    processes.run("nbdsh", "-u", uri, "-c", filled, fails=True)
    write(owners, "anonymous@127.0.0.1 = 8M\n")
    said = leap(processes, "reload", "--pid", str(lender.child.pid), fails=True)
    assert "everything stays as it is: --owners: " in said and "line 1: there is no '='" in said, said
    write(owners, "anonymous@127.0.0.1 8M\n")
    leap(processes, "reload", "--pid", str(lender.child.pid))
    await_that(fits, "there is room for more")


def set_is_written_back(processes):
    first, second = donor(processes), donor(processes)
    serving = server(processes, [first.uris[0]], replicas="1")
    os.chmod(serving.config, 0o640)
    said = leap(
        processes, "set", "--pid", str(serving.child.pid), "--save", "prefetch=none", f"donors+={second.uris[0]}", "log-level=debug"
    )
    assert "written into [serve.swap]: prefetch, log-level, donors" in said, said
    with open(serving.config) as file:
        text = file.read()
    expected = serving.text.replace('"leap"', '"none"').replace(
        json.dumps([first.uris[0]]), json.dumps([first.uris[0], second.uris[0]])
    )
    assert text.replace('log-level = "debug"\n', "") == expected, text
    assert os.stat(serving.config).st_mode & 0o777 == 0o640
    # A file that could not be read again is no place to save in: then nothing is set either.
    write(serving.config, text + "size = \n")
    said = leap(processes, "set", "--pid", str(serving.child.pid), "--save", "prefetch=leap", fails=True)
    assert serving.config in said and "nothing was changed" in said, said
    assert "prefetch=none" in in_force(processes, serving)
    write(serving.config, text)
    # It is in force already, and reading it changes nothing more.
    assert "after a restart" not in leap(processes, "reload", "--pid", str(serving.child.pid))
    assert "prefetch=none" in in_force(processes, serving)
    serving.terminate()
    serving.spawn()
    serving.ready()
    now = in_force(processes, serving)
    assert "prefetch=none" in now and "log-level=debug" in now and second.uris[0] in now, now


def a_server_without_a_file_stays_at_a_hang_up(processes):
    lender = donor(processes)
    serving = Daemon(
        processes, "server", "serve", "--donors", lender.uris[0], "--size", "16M", "--threads", "1", "--unprotected",
        "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state-dir", processes.path("state"),
    )  # fmt: skip
    serving.ready()
    hang_up(serving)
    await_that(lambda: "hang-up: this process stays" in serving.errors(), "the log tells of the hang-up")
    assert "reads no file" in leap(processes, "reload", "--pid", str(serving.child.pid), fails=True)
    assert "reads no file" in leap(processes, "set", "--pid", str(serving.child.pid), "--save", "prefetch=none", fails=True)
    assert "prefetch=adaptive" in in_force(processes, serving)


def a_donor_says_what_it_lends(processes):
    lender = donor(processes)
    serving = server(processes, [lender.uris[0]], export='"accounts"')
    processes.run("nbdsh", "-u", serving.uris[0], "-c", "h.pwrite(b'x' * 4096, 0)")
    await_that(lambda: "1 MiB" in lender.errors() and "export 'accounts'" in lender.errors(), "the donor says what it lends")
    serving.kill()
    await_that(lambda: "the server of export 'accounts'" in lender.errors() and "has gone" in lender.errors(), "it says who has gone")
    said = leap(processes, "set", "--pid", str(lender.child.pid), "log-level=debug")
    assert "log-level=debug" in said, said


def logs_in_formats(processes):
    lender = donor(processes)
    serving = server(processes, [lender.uris[0]], **{"log-format": '"json"'})
    lines = [json.loads(line) for line in serving.errors().splitlines()]
    assert lines and all({"time", "level", "message"} <= line.keys() for line in lines), lines
    plain = server(processes, [lender.uris[0]], export='"second"', unix=json.dumps([processes.path("second.sock")]))
    line = plain.errors().splitlines()[0]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}([+-]\d\d:\d\d|Z) (INFO|WARN)  [A-Z]\w+: ", line), line
    # As systemd does: the file that standard error is, by its device and inode.
    path = processes.path("journal")
    with open(path, "w") as errors:
        file = os.fstat(errors.fileno())
        refused = subprocess.run(
            [LAUNCHER, "serve", "--size", "5X"],
            stderr=errors,
            timeout=60,
            env={**processes.environment, "JOURNAL_STREAM": f"{file.st_dev}:{file.st_ino}"},
        )
    assert refused.returncode == 2
    with open(path) as journal:
        assert journal.read().startswith("<4>leap-nbd serve: --size: '5X'")


def a_reader_that_stands_still_holds_nobody_up(processes):
    lender = donor(processes)
    state = processes.path("state")
    os.mkdir(state, mode=0o700)
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [LAUNCHER, "serve", "--donors", lender.uris[0], "--size", "16M", "--threads", "1", "--unprotected", "--http", "none",
         "--listen", "127.0.0.1:0", "--state-dir", state, "--log-level", "trace"],
        stdout=subprocess.PIPE, stderr=writer, env=processes.environment, text=True,
    )  # fmt: skip
    try:
        os.close(writer)
        uri = child.stdout.readline().split()[1]
        # Each connection is some lines at this level: a pipe of 64 KiB is full long before the end.
        for _ in range(2000):
            connect(uri)
        assert "16777216" in processes.run("nbdinfo", "--size", uri)
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
        os.close(reader)


def connect(uri):
    """Connects, and says nonsense."""
    host, port = re.search(r"//([^:/]+):(\d+)", uri).groups()
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        stream.recv(18)
        stream.sendall(b"\0" * 64)


def run(suite, processes):
    for name, body in [
        ("configuration: a donor and a server run from a file, as an instance", runs_from_a_file),
        ("configuration: SIGHUP changes donors and policy, and says what needs a restart", changes_what_can_change),
        ("configuration: a file with something wrong in it changes nothing", a_broken_file_changes_nothing),
        ("configuration: limits of a donor's owners change while it runs", a_donors_limits_change),
        ("configuration: what 'set --save' changed is in the file and in the next start", set_is_written_back),
        ("configuration: a server without a file stays at a hang-up", a_server_without_a_file_stays_at_a_hang_up),
        ("logs: a donor says what it lends, to whom, and who has gone", a_donor_says_what_it_lends),
        ("logs: text, JSON, and the journal's priorities", logs_in_formats),
        ("logs: whoever reads them may stand still", a_reader_that_stands_still_holds_nobody_up),
    ]:
        suite.test(name, body, processes)
        suite.run()
