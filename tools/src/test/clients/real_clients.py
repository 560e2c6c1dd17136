"""nbdinfo, nbdcopy, nbdsh, qemu-img, qemu-io and fio against a server that nothing disturbs."""

import glob
import json
import os
import random

from connection import connect
from processes import await_that

SIZE = 96 << 20
SCRIPTS = os.path.join(os.path.dirname(__file__), "nbdsh")
PRELUDE = """
import errno, os
uri = os.environ["URI"]
h = nbd.NBD()
h.add_meta_context("base:allocation")
h.connect_uri(uri)
"""


class Served:
    """A server with its two addresses."""

    def __init__(self, processes, server):
        self.processes = processes
        self.server = server
        self.run = processes.run

    def uri(self, kind):
        return self.server.uri("nbd+unix" if kind == "Unix" else "nbd")

    def blank(self, kind):
        connection = connect(self.uri(kind))
        connection.wait(*[connection.trim(offset, min(32 << 20, SIZE - offset)) for offset in range(0, SIZE, 32 << 20)])
        connection.close()


def image(processes, size, holes=False, seed=1):
    """A file of random bytes, whole MiBs; with holes, most of it is not there."""
    path = processes.path("image.raw")
    rng = random.Random(seed)
    block = rng.randbytes(1 << 20)
    with open(path, "wb") as out:
        out.truncate(size)
        for offset in range(0, size, 1 << 20):
            if not holes or rng.random() < 0.3:
                out.seek(offset)
                # Every block is another one, by where it starts.
                turn = rng.randrange(1 << 20)
                out.write(block[turn:] + block[:turn])
    return path


def same(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


def require(condition, message):
    if not condition:
        raise AssertionError(message)


def info(served, kind):
    """Size, flags and block sizes."""
    tree = json.loads(served.run("nbdinfo", "--json", served.uri(kind)))
    require(tree["protocol"] == "newstyle-fixed" and tree["structured"] is True and tree["TLS"] is False, tree)
    export = tree["exports"][0]
    expected = {
        "export-name": "leap",
        "export-size": SIZE,
        "is_read_only": False,
        "can_cache": True,
        "can_df": True,
        "can_fast_zero": True,
        "can_flush": True,
        "can_fua": True,
        "can_multi_conn": True,
        "can_trim": True,
        "can_zero": True,
        "is_rotational": False,
        "block_size_minimum": 1,
        "block_size_preferred": 4096,
        "block_size_maximum": 32 << 20,
    }
    wrong = {key: export.get(key) for key, value in expected.items() if export.get(key) != value}
    require(not wrong, f"{wrong}, expected {expected}")
    require("base:allocation" in export["contexts"], export["contexts"])
    require(served.run("nbdinfo", "--size", served.uri(kind)).strip() == str(SIZE), "--size")


def list_of_exports(served, kind):
    tree = json.loads(served.run("nbdinfo", "--list", "--json", served.uri(kind)))
    require([export["export-name"] for export in tree["exports"]] == ["leap"], tree)
    require(tree["exports"][0]["export-size"] == SIZE, tree)


def unknown_export(served, kind):
    served.run("nbdinfo", served.uri(kind).replace("/leap", "/nobody", 1), fails=True)
    default = served.uri(kind).replace("/leap", "/", 1)
    require(served.run("nbdinfo", "--size", default).strip() == str(SIZE), "the default export is the same")


def map_of_extents(served, kind):
    """What nbdinfo tells of a device with two islands of data."""
    served.blank(kind)
    connection = connect(served.uri(kind))
    connection.wait(connection.write(1 << 20, b"d" * (1 << 20)), connection.write((40 << 20) + 4096, b"d" * 4096))
    connection.close()
    extents = json.loads(served.run("nbdinfo", "--map", "--json", served.uri(kind)))
    merged = []
    for extent in extents:
        if merged and merged[-1][2] == extent["type"]:
            merged[-1][1] += extent["length"]
        else:
            merged.append([extent["offset"], extent["length"], extent["type"]])
    island = (40 << 20) + 4096
    expected = [
        [0, 1 << 20, 3],
        [1 << 20, 1 << 20, 0],
        [2 << 20, island - (2 << 20), 3],
        [island, 4096, 0],
        [island + 4096, SIZE - island - 4096, 3],
    ]
    require(merged == expected, f"{merged}, expected {expected}")
    totals = json.loads(served.run("nbdinfo", "--map", "--totals", "--json", served.uri(kind)))
    require({t["type"]: t["size"] for t in totals} == {0: (1 << 20) + 4096, 3: SIZE - (1 << 20) - 4096}, totals)


def nbdcopy_in_and_out(served, kind):
    source, back = image(served.processes, SIZE), served.processes.path("back.raw")
    served.run("nbdcopy", "--connections=4", "--requests=32", "--flush", source, served.uri(kind))
    served.run("nbdcopy", "--connections=4", "--requests=32", served.uri(kind), back)
    require(same(source, back), "what came back is not what went in")
    os.remove(source)
    os.remove(back)


def nbdcopy_sparse(served, kind):
    """Zeros of the file become holes of the device, also over data that was there."""
    source, back = image(served.processes, SIZE, holes=True, seed=2), served.processes.path("back.raw")
    served.run("nbdcopy", "--connections=3", "--request-size=65536", source, served.uri(kind))
    totals = json.loads(served.run("nbdinfo", "--map", "--totals", "--json", served.uri(kind)))
    data = sum(total["size"] for total in totals if total["type"] == 0)
    require(data == os.stat(source).st_blocks * 512, f"{data} bytes of data, {os.stat(source).st_blocks * 512} in the file")
    served.run("nbdcopy", "--connections=2", served.uri(kind), back)
    require(same(source, back), "what came back is not what went in")
    os.remove(source)
    os.remove(back)


def nbdsh(served, kind, script):
    with open(script) as text:
        served.run("nbdsh", "-c", "-", stdin=PRELUDE + text.read(), environment={"URI": served.uri(kind)})


def qemu_img(served, kind):
    source = image(served.processes, SIZE, holes=True, seed=3)
    packed, uri = served.processes.path("image.qcow2"), served.uri(kind)
    served.run("qemu-img", "convert", "-n", "-m", "8", "-W", "-f", "raw", "-O", "raw", source, uri)
    served.run("qemu-img", "compare", "-f", "raw", "-F", "raw", source, uri)
    served.run("qemu-img", "convert", "-m", "8", "-f", "raw", "-O", "qcow2", uri, packed)
    served.run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", packed, uri)
    extents = json.loads(served.run("qemu-img", "map", "--output=json", "-f", "raw", uri))
    data = sum(extent["length"] for extent in extents if extent["data"])
    require(data == os.stat(source).st_blocks * 512, f"qemu-img map: {data} bytes of data")
    # The comparison can fail.
    served.run("qemu-io", "-f", "raw", "-c", "write -P 7 70000 1", uri)
    served.run("qemu-img", "compare", "-f", "raw", "-F", "raw", source, uri, fails=True)
    os.remove(source)
    os.remove(packed)


def qemu_io(served, kind):
    commands = [
        "write -P 0xa5 0 1M",
        "write -P 0x5a 1M 1M",
        "read -P 0xa5 0 1M",
        "aio_write -P 0x11 2M 512k",
        "aio_write -P 0x22 2560k 512k",
        "aio_write -P 0x33 3M 1M",
        "aio_flush",
        "aio_read -P 0x11 2M 512k",
        "aio_read -P 0x22 2560k 512k",
        "aio_read -P 0x33 3M 1M",
        "aio_flush",
        "discard 64k 128k",
        "read -P 0xa5 0 64k",
        "read -P 0 64k 128k",
        "read -P 0xa5 192k 832k",
        "write -z 1M 64k",
        "read -P 0 1M 64k",
        "read -P 0x5a 1088k 960k",
        "write -z -u 1280k 64k",
        "read -P 0 1280k 64k",
        "write -P 0x77 -f 1234567 4321",
        "read -P 0x77 1234567 4321",
        "writev -P 0x44 5M 4k 1k 512 8k",
        "readv -P 0x44 5M 4k 1k 512 8k",
        "flush",
    ]
    arguments = [word for command in commands for word in ("-c", command)]
    text = served.run("qemu-io", "-f", "raw", *arguments, served.uri(kind))
    require("Pattern verification failed" not in text and "rror" not in text, text)
    text = served.run("qemu-io", "-f", "raw", "-c", "read -P 0x12 0 4k", served.uri(kind), fails=True)
    require("Pattern verification failed" in text, text)


def fio(served, kind, *options):
    """Writes what it reads back and verifies, each job in a part of its own."""
    served.run(
        "fio",
        "--name=verified",
        "--ioengine=nbd",
        f"--uri={served.uri(kind)}",
        "--iodepth=32",
        "--numjobs=3",
        "--size=32M",
        "--offset_increment=32M",
        "--verify=crc32c",
        "--verify_fatal=1",
        "--randseed=1",
        "--group_reporting",
        # Its state files and logs.
        f"--aux-path={served.processes.folder}",
        "--verify_state_save=0",
        *options,
    )


def nothing_is_left(served):
    """Connections of clients that ended are forgotten."""
    await_that(lambda: not served.server.status()["connections"], "no connection is left in the server's status")


def add(suite, where):
    """One arrangement: all clients over both kinds of socket. Its tests are told what is served when they run."""
    scripts = sorted(glob.glob(os.path.join(SCRIPTS, "*.py")))
    for kind in ("Unix", "TCP"):
        over = f"({kind} socket, {where})"
        suite.test(f"nbdinfo tells size, block sizes and what the export can do {over}", info, kind)
        suite.test(f"nbdinfo --list names the one export {over}", list_of_exports, kind)
        suite.test(f"nbdinfo is refused an export that is not there {over}", unknown_export, kind)
        suite.test(f"nbdinfo --map tells data from holes {over}", map_of_extents, kind)
        for script in scripts:
            with open(script) as text:
                sentence = text.readline().removeprefix("#").strip()
            suite.test(f"nbdsh: {sentence} {over}", nbdsh, kind, script)
        suite.test(f"nbdcopy gets back over 4 connections what it put in over 4 {over}", nbdcopy_in_and_out, kind)
        suite.test(f"nbdcopy makes holes of the zeros of a sparse file {over}", nbdcopy_sparse, kind)
        suite.test(f"qemu-img converts in and out, compares and maps {over}", qemu_img, kind)
        suite.test(f"qemu-io reads the patterns it wrote, zeroed and discarded {over}", qemu_io, kind)
        suite.test(f"fio verifies random 4 KiB writes of 3 jobs at queue depth 32 {over}", fio, kind, "--rw=randwrite", "--bs=4k")
        suite.test(f"fio verifies sequential 64 KiB writes of 3 jobs at queue depth 32 {over}", fio, kind, "--rw=write", "--bs=64k")
        suite.test(
            f"fio verifies random reads and writes of 512 bytes to 32 KiB {over}",
            fio,
            kind,
            "--rw=randwrite",
            "--bsrange=512-32k",
            "--blockalign=512",
        )
    suite.test(f"connections of clients that ended are forgotten ({where})", nothing_is_left)
