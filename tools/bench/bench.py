"""The comparisons of README.md here, each a function that prints what it does and returns rows of the table."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time

import load
import parts
import repair
from peers import HOME, Processes, resident_mib
from report import Row, write_report

CHECKS = {}


def check(name):
    def register(function):
        CHECKS[name] = function
        return function

    return register


class Bench:
    def __init__(self, options):
        self.options = options
        self.processes = Processes(options.build, [] if options.no_pin else ["--pin"])

    def say(self, text):
        print(text, flush=True)

    def turns(self, peers, pattern, depth, **more):
        self.say(f"  {pattern}, queue depth {depth}")

        def measure(peer):
            return load.fio(self.processes, peer, pattern, depth, self.options.seconds, self.options.size, **more)

        return load.in_turns(peers, self.options.rounds, measure, self.say)

    def filled(self, *peers):
        for peer in peers:
            load.fill(self.processes, peer, self.options.size)
            for pattern in ("randread", "randwrite"):  # the JIT's share, before anything counts
                load.fio(self.processes, peer, pattern, 32, self.options.warm_up, self.options.size)
        return peers

    def c_program(self, *arguments, program="floor"):
        done = subprocess.run(
            [os.path.join(self.options.build, program), *map(str, arguments)], capture_output=True, text=True, check=True, timeout=120
        )
        return json.loads(done.stdout)

    @property
    def mib(self):
        return int(self.options.size.removesuffix("M"))


@check("one-hop")
def one_hop(bench):
    kit = bench.processes.nbdkit("kit", bench.options.size)
    ours = bench.processes.serve("embedded", bench.options.size, "--prefetch", "none")
    peers = bench.filled(kit, ours)
    rows = []
    for pattern in ("randread", "randwrite"):
        one = bench.turns(peers, pattern, 1)
        many = bench.turns(peers, pattern, 32)
        for figure, wanted, table, depth in (
            ("p50", 1.0, one, 1), ("p99", 1.0, one, 1), ("iops", 1.0, many, 32), ("cpu", 0.75, many, 32), ("p999", 1.0, many, 32),
        ):
            a, b = table[ours.name][figure], table[kit.name][figure]
            rows.append(Row(f"one hop, {pattern}, depth {depth}, against nbdkit memory", figure, a, b, wanted))
    bench.processes.end(*kit.processes, *ours.processes)
    return rows


@check("seals")
def seals(bench):
    on, off = bench.filled(*(
        bench.processes.serve(f"seals-{how}", bench.options.size, "--prefetch", "none", "--seals", how, label=f"seals {how}")
        for how in ("on", "off")
    ))
    rows = []
    for pattern in ("randread", "randwrite"):
        one = bench.turns((on, off), pattern, 1)
        many = bench.turns((on, off), pattern, 32)
        for figure, wanted, table, depth in (("p50", 1.03, one, 1), ("cpu", 1.03, many, 32)):
            a, b = table[on.name][figure], table[off.name][figure]
            rows.append(Row(f"one hop, {pattern}, depth {depth}, with seals against without", figure, a, b, wanted))
    bench.processes.end(*on.processes, *off.processes)
    return rows


def links_in_turns(bench, peers, what, wanted):
    """Rows of the first of two servers against the second: a request at a time, and 32; what is wanted of p50, iops and cpu."""
    ours, other = bench.filled(*peers)
    rows = []
    for pattern in ("randread", "randwrite"):
        one = bench.turns(peers, pattern, 1)
        many = bench.turns(peers, pattern, 32)
        for (figure, table, depth), most in zip((("p50", one, 1), ("iops", many, 32), ("cpu", many, 32)), wanted):
            a, b = table[ours.name][figure], table[other.name][figure]
            rows.append(Row(f"two hops, {what[0]}{pattern}, depth {depth}, {what[1]}", figure, a, b, most))
    bench.processes.end(*ours.processes, *other.processes)
    return rows


@check("tls")
def tls(bench):
    shown = {}
    bench.processes.pool()
    for machine in ("lends", "borrows"):
        shown[machine] = ("--pool", bench.processes.member(machine))
    peers = []
    for name, lends, borrows in (("tls", shown["lends"], shown["borrows"]), ("plain", (), ())):
        donor = bench.processes.donor(f"donor-{name}", f"{bench.mib + 64}M", *lends)
        peers.append(bench.processes.serve(f"over-{name}", bench.options.size, "--prefetch", "none", *borrows, donors=[donor], label=name))
    return links_in_turns(bench, peers, ("", "links over TLS against plain"), (1.10, 0.9, 1.35))


@check("link-auth")
def link_auth(bench):
    bench.processes.pool()
    lends = ("--pool", bench.processes.member("lends"))
    borrows = ("--prefetch", "none", "--encrypt", "on", "--pool", bench.processes.member("borrows"))
    peers = []
    for name in ("auth", "tls"):
        donor = bench.processes.donor(f"donor-{name}", f"{bench.mib + 64}M", *lends)
        peers.append(bench.processes.serve(f"over-{name}", bench.options.size, *borrows, "--link-security", name, donors=[donor], label=name))
    return links_in_turns(bench, peers, ("encrypted pages, ", "--link-security auth against tls"), (1.0, 1.0, 1.0))


@check("two-hops")
def two_hops(bench):
    kit = bench.processes.nbdkit_two_hops("kit2", bench.options.size)
    donor = bench.processes.donor("donor", f"{bench.mib + 64}M")
    ours = bench.processes.serve("remote", bench.options.size, "--prefetch", "none", donors=[donor])
    peers = bench.filled(kit, ours)
    rows = []
    one = bench.turns(peers, "randread", 1)
    many = bench.turns(peers, "randread", 32)
    for figure, wanted, table, depth in (("p50", 0.8, one, 1), ("iops", 1.5, many, 32), ("cpu", 0.75, many, 32)):
        a, b = table[ours.name][figure], table[kit.name][figure]
        rows.append(Row(f"two hops, randread, depth {depth}, against nbdkit nbd + nbdkit memory", figure, a, b, wanted))
    bench.processes.end(*kit.processes, *ours.processes)
    return rows


@check("encryption")
def encryption(bench):
    donor = bench.processes.donor("donor-e", f"{2 * bench.mib + 128}M")
    sealed, plain = bench.filled(*(
        bench.processes.serve(f"encrypt-{how}", bench.options.size, "--prefetch", "none", "--encrypt", how, donors=[donor], label=f"encrypt {how}")
        for how in ("on", "off")
    ))
    rows = []
    for pattern, figures in (("randread", ((1, "p50", 1.10), (32, "cpu", 1.35))), ("randwrite", ((1, "p50", 1.10), (32, "cpu", 1.35)))):
        for depth, figure, wanted in figures:
            table = bench.turns((sealed, plain), pattern, depth)
            a, b = table[sealed.name][figure], table[plain.name][figure]
            rows.append(Row(f"two hops, {pattern}, depth {depth}, with --encrypt on against off", figure, a, b, wanted))
    bench.processes.end(*{p.pid: p for peer in (sealed, plain) for p in peer.processes}.values())
    return rows


@check("replicas")
def replicas(bench):
    donors = [bench.processes.donor(f"donor-r{i}", f"{2 * bench.mib + 128}M") for i in range(2)]
    members = [(process, f"tcp://{address}?zone=z{i}") for i, (process, address) in enumerate(donors)]
    two, one = bench.filled(*(
        bench.processes.serve(name, bench.options.size, "--prefetch", "none", "--replicas", copies, donors=members, label=name)
        for name, copies in (("two-copies", "2"), ("one-copy", "1"))
    ))
    rows = []
    for pattern, figures in (
        ("randread", (("p50", 1.05, 1), ("p99", 1.05, 1), ("cpu", 1.05, 32), ("iops", 0.95, 32))),
        ("randwrite", (("p50", None, 1), ("iops", 0.6, 32), ("cpu", None, 32))),
    ):
        tables = {depth: bench.turns((two, one), pattern, depth) for depth in (1, 32)}
        for figure, wanted, depth in figures:
            a, b = tables[depth][two.name][figure], tables[depth][one.name][figure]
            rows.append(Row(f"two copies against one, {pattern}, depth {depth}", figure, a, b, wanted))
    bench.processes.end(*{p.pid: p for peer in (two, one) for p in peer.processes}.values())
    return rows


# One way; the slow donor is ten times as far.
NEAR_MICROS = 100


@check("slow-donor")
def slow_donor(bench):
    donors = [bench.processes.donor(f"donor-s{i}", f"{2 * bench.mib + 128}M") for i in range(2)]

    def at(number, micros):
        process, address = donors[number]
        far = bench.processes.delay(f"delay-s{number}-{micros}", address, micros)
        return process, f"tcp://{far}?zone=z{number}"

    near = [at(number, NEAR_MICROS) for number in range(2)]
    slow = [near[0], at(1, 10 * NEAR_MICROS)]
    peers = bench.filled(*(
        bench.processes.serve(
            name, bench.options.size, "--prefetch", "none", "--replicas", "2", donors=at_donors, label=name, http="127.0.0.1:0"
        )
        for name, at_donors in (("both-fast", near), ("one-slow", slow))
    ))
    fast, one_slow = peers
    rows = []
    for depth in (1, 32):
        before = extra_reads(bench, one_slow)
        table = bench.turns(peers, "randread", depth)
        asked, extra = (now - then for now, then in zip(extra_reads(bench, one_slow), before))
        a, b = table[one_slow.name]["p99"], table[fast.name]["p99"]
        rows.append(Row(f"two copies, one donor ten times slower, randread, depth {depth}, against both fast", "p99", a, b, 1.2))
        rows.append(Row(f"the same, reads that were asked of donors, against what clients asked, depth {depth}", "reads", asked + extra, asked, 1.05))
    bench.processes.end(*{p.pid: p for peer in peers for p in peer.processes}.values())
    return rows


def extra_reads(bench, peer):
    """Reads that clients have asked for, and those that donors were asked for beyond them."""
    status = bench.processes.status(peer)
    return status["requests"].get("read", {}).get("count", 0), status["hedges"]["sent"] + status["hedges"]["probes"]


@check("floor")
def floor(bench):
    donor = bench.processes.donor("donor-f", f"{bench.mib + 64}M")
    ours = bench.processes.serve("floor", bench.options.size, "--prefetch", "none", donors=[donor])
    bench.filled(ours)
    path = ours.uri.split("socket=")[1]
    bare, real = [], []
    for _ in range(bench.options.rounds):
        bare.append(bench.c_program("relay", bench.options.seconds)["p50"])
        real.append(bench.c_program("nbd", path, bench.mib, bench.options.seconds)["p50"])
    bench.say(f"  p50 of a read {statistics.median(real):.1f} us, of two bare hops {statistics.median(bare):.1f} us")
    bench.processes.end(*ours.processes)
    return [Row("read of one client, against two bare epoll hops in C", "p50", statistics.median(real), statistics.median(bare), 1.5)]


@check("queued")
def queued(bench):
    donor = bench.processes.donor("donor-q", f"{2 * bench.mib + 128}M")
    paths = [
        bench.processes.serve(path, bench.options.size, "--prefetch", "none", "--path", path, donors=[donor], label=path)
        for path in ("bypass", "queued")
    ]
    bypass, staged = bench.filled(*paths)
    one = bench.turns(paths, "randread", 1)
    rows = [Row("bypass against queued, randread, depth 1", "p50", one["bypass"]["p50"], one["queued"]["p50"], 0.6)]
    bench.say("  randread, depth 1, under a flood of 1 MiB writes")

    def flooded(peer):
        flood = bench.processes.start(
            "flood", "fio", "--name=flood", "--ioengine=nbd", f"--uri={peer.uri}", "--rw=randwrite", "--bs=1M", "--iodepth=8",
            f"--size={bench.options.size}", "--time_based", f"--runtime={bench.options.seconds + 3}",
        )
        time.sleep(0.5)
        run = load.fio(bench.processes, peer, "randread", 1, bench.options.seconds, bench.options.size)
        bench.processes.end(flood)
        return run

    flood = load.in_turns(paths, bench.options.rounds, flooded, bench.say)
    rows.append(Row("the same under a flood of 1 MiB writes", "p99", flood["bypass"]["p99"], flood["queued"]["p99"], 0.33))
    rows.append(Row("read p99 of bypass under the flood, against its idle p99", "p99", flood["bypass"]["p99"], one["bypass"]["p99"], 3.0))
    bench.processes.end(*{p.pid: p for peer in paths for p in peer.processes}.values())
    return rows


@check("repair")
def repairs(bench):
    return repair.rows(bench)


@check("prefetch")
def prefetch(bench):
    donor = bench.processes.donor("donor-p", f"{2 * bench.mib + 128}M")
    far = [(donor[0], bench.processes.delay("delay", donor[1], 100))]
    ours = bench.processes.serve("ahead", bench.options.size, "--path", "bypass", donors=far, label="bypass + prefetch")
    staged = bench.processes.serve("none", bench.options.size, "--path", "queued", "--prefetch", "none", donors=far, label="queued")
    peers = bench.filled(ours, staged)
    rows = []
    for pattern, words in (("read", "sequential"), ("read:36k", "stride 10")):
        table = bench.turns(peers, pattern, 1)
        for figure, wanted in (("p50", 0.15), ("p99", 0.4)):
            a, b = table[ours.name][figure], table[staged.name][figure]
            rows.append(Row(f"{words}, donor 100 us away, bypass + prefetch against queued without", figure, a, b, wanted))
    bench.processes.end(*{p.pid: p for peer in peers for p in peer.processes}.values())
    return rows


# The first allocates; 4,096 writes a time are few for the JIT, which is through after three.
SWAP_OUT_WARM_UP = 3


@check("swap-out")
def swap_out(bench):
    rows = []
    for micros in (1000, 100, 0):
        donor = bench.processes.donor(f"donor-o{micros}", f"{bench.mib + 64}M")
        far = [(donor[0], bench.processes.delay(f"delay-o{micros}", donor[1], micros))]
        ours = bench.processes.serve(f"out{micros}", bench.options.size, "--prefetch", "none", donors=far)
        kit = bench.processes.nbdkit_two_hops(f"kit-o{micros}", bench.options.size, micros)
        size = f"{bench.mib // 2}M"
        took = {ours.name: [], kit.name: []}
        for number in range(bench.options.rounds + SWAP_OUT_WARM_UP):
            for peer in (ours, kit) if number % 2 == 0 else (kit, ours):
                seconds = load.swap_out(bench.processes, peer, size)
                if number >= SWAP_OUT_WARM_UP:
                    took[peer.name].append(seconds)
        a, b = (statistics.median(took[peer.name]) for peer in (ours, kit))
        bench.say(f"  {size} out, donor {micros} us away: {a:.2f} s, nbdkit {b:.2f} s")
        bench.say("    " + ", ".join(f"{x:.2f}/{y:.2f}" for x, y in zip(took[ours.name], took[kit.name])))
        rows.append(Row(f"{size} out in 128 KiB writes, depth 32, donor {micros} us away, against nbdkit", "seconds", a, b, 0.9))
        bench.processes.end(*ours.processes, *kit.processes)
    return rows


@check("connections")
def connections(bench):
    donor = bench.processes.donor("donor-c", f"{bench.mib + 64}M")
    ours = bench.processes.serve("many", bench.options.size, "--prefetch", "none", donors=[donor])
    bench.filled(ours)
    runs = {jobs: [] for jobs in (1, 2, 4, 8)}
    for number in range(bench.options.rounds):
        for jobs in runs if number % 2 == 0 else reversed(runs):
            run = load.fio(bench.processes, ours, "randread", 8, bench.options.seconds, bench.options.size, jobs=jobs)
            runs[jobs].append(run.iops)
    rows, before = [], None
    for jobs, measured in runs.items():
        now = statistics.median(measured)
        bench.say(f"  {jobs} connections: {now:.0f} IOPS")
        if before is not None:
            rows.append(Row(f"{jobs} connections against {jobs // 2}, depth 8 each", "iops", now, before, 1.0))
        before = now
    bench.processes.end(*ours.processes)
    return rows


# A device of the size that docs/memory.md speaks of, at donors that promise it and are not asked for it.
LARGE = "64G"
SCALE = ["64G", "1T", "2T", "16T"]
SLAB_MIB = 64

# More donors than anybody has tried, at more loops than most machines have.
MANY_DONORS = 100
MANY_LOOPS = 16
MANY_CLIENTS = 4


@check("memory")
def memory(bench):
    donor = bench.processes.donor("donor-m", LARGE, "--overcommit", "--no-lock")
    ours = bench.processes.serve("memory", LARGE, donors=[donor])
    bench.filled(ours)
    first = ours.resident_mib()
    say_parts(bench, ours)
    load.fio(bench.processes, ours, "randrw", 32, bench.options.soak, bench.options.size)
    last = ours.resident_mib()
    say_parts(bench, ours)
    bench.processes.end(*ours.processes)
    return [
        Row(f"resident memory of serve, {LARGE} (no pages are lent here)", "MiB", last, 1, 140),
        Row(f"the same after {bench.options.soak} s of load, against before", "MiB", last, first, 1.05),
    ]


def say_parts(bench, ours):
    for name, (resident, locked) in parts.parts(ours.processes[0].pid).items():
        bench.say(f"  {resident / 1024:7.1f} MiB resident, {locked / 1024:7.1f} locked: {name}")


@check("scale")
def scale(bench):
    rows = []
    table = []
    for size in bench.options.sizes.split(","):
        name = f"scale-{size}"
        slabs = mib_of(size) // SLAB_MIB
        donor = bench.processes.donor(f"donor-{size}", size, "--overcommit", "--no-lock")

        def started(how, wanted):
            begin = time.monotonic()
            ours = bench.processes.serve(name, size, donors=[donor])
            took = time.monotonic() - begin
            found = parts.parts(ours.processes[0].pid)
            state = found.get("state file", (0, 0))[0] / 1024
            table.append((size, how, took, ours.resident_mib(), ours.heap_mib(), state, resident_mib(donor[0])))
            bench.say("  %s, %s: ready after %.2f s, %.0f MiB resident, %d of heap" % table[-1][:5])
            rows.append(Row(f"a device of {size}, {how}, from the command to ready", "seconds", took, 1, wanted))
            return ours

        ours = started("blank", 5)
        held = load.hold(bench.processes, ours, size, slabs, SLAB_MIB)
        bench.say(f"  {slabs} slabs held after {held:.1f} s")
        bench.processes.end(ours.processes[0])
        for how in ("held, by the file", "held, by the donor's list"):
            if "list" in how:
                bench.processes.forget(name)
            ours = started(how, 5 + slabs / 4000)
            bench.processes.end(ours.processes[0])
        bench.processes.end(donor[0])
    bench.say("")
    bench.say("| device | slabs | to ready | resident | of it Java heap | of it state file | the donor |")
    bench.say("|---|---|---|---|---|---|---|")
    for size, how, took, *mib in table:
        bench.say("| %s | %s | %.1f s | %.0f MiB | %.0f MiB | %.0f MiB | %.0f MiB |" % (size, how, took, *mib))
    return rows


def mib_of(size):
    return int(size[:-1]) << {"M": 0, "G": 10, "T": 20}[size[-1]]


@check("donors")
def many_donors(bench):
    # Not protected: realtime loops would keep the donors on the same machine from running.
    donors = bench.processes.donors(MANY_DONORS, f"{SLAB_MIB}M", "--unprotected", "--overcommit", "--threads", "1")
    size = f"{MANY_DONORS * SLAB_MIB}M"
    begin = time.monotonic()
    ours = bench.processes.serve("many", size, "--unprotected", "--threads", str(MANY_LOOPS), donors=donors, loops=())
    took = time.monotonic() - begin
    held = load.hold(bench.processes, ours, size, MANY_DONORS, SLAB_MIB)
    bench.say(f"  {MANY_DONORS} donors, {MANY_LOOPS} loops: ready after {took:.2f} s, a slab of each held after {held:.1f} s")
    run = load.fio(bench.processes, ours, "randread", 8, bench.options.seconds, size, jobs=MANY_CLIENTS)
    bench.say(f"  {MANY_CLIENTS} clients: {run.iops:.0f} IOPS, p50 {run.p50:.0f} us, p99 {run.p99:.0f} us")
    say_parts(bench, ours)
    bench.processes.end(ours.processes[0])
    begin = time.monotonic()
    ours = bench.processes.serve("many", size, "--unprotected", "--threads", str(MANY_LOOPS), donors=donors, loops=())
    again = time.monotonic() - begin
    bench.say(f"  started again: ready after {again:.2f} s, {ours.resident_mib():.0f} MiB resident, {ours.heap_mib()} of heap")
    bench.processes.end(*ours.processes)
    return [
        Row(f"{MANY_DONORS} donors and {MANY_LOOPS} loops, blank, from the command to ready", "seconds", took, 1, 10),
        Row(f"{MANY_DONORS} donors and {MANY_LOOPS} loops, held, from the command to ready", "seconds", again, 1, 10),
    ]


@check("start")
def start(bench):
    took = []
    for number in range(bench.options.rounds):
        begin = time.monotonic()
        peer = bench.processes.serve(f"start{number}", "64M")
        took.append(time.monotonic() - begin)
        bench.processes.end(*peer.processes)
    bench.say(f"  ready after {statistics.median(took):.2f} s")
    return [Row("from the command to ready", "seconds", statistics.median(took), 1, 1.5)]


def processor_seconds():
    """What all processors have worked, and what a hypervisor kept from them (proc_stat(5), steal)."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal = (int(field) for field in stat.readline().split()[1:9])
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / ticks, steal / ticks


def main():
    parser = argparse.ArgumentParser(description="Measures leap-nbd beside its peers: in one run, alternating, medians of rounds.")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="which of: " + ", ".join(CHECKS) + "; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--seconds", type=int, default=5, help="of each run of fio; default: 5")
    parser.add_argument("--warm-up", type=int, default=5, help="seconds a pattern before anything counts; default: 5")
    parser.add_argument("--size", default="1024M", help="of each device, in MiB; default: 1024M")
    parser.add_argument("--soak", type=int, default=600, help="seconds of the memory check; default: 600")
    parser.add_argument("--sizes", default=",".join(SCALE), help="of the devices of the scale check; default: " + ",".join(SCALE))
    parser.add_argument("--no-pin", action="store_true", help="leap-nbd without --pin")
    parser.add_argument("--out", default=os.path.join(HOME, "tools/target/bench"), help="folder for the results")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.checks if name not in CHECKS]
    if unknown:
        parser.error(f"there is no check {unknown[0]}; there are {', '.join(CHECKS)}")
    bench = Bench(options)
    rows = []
    began = time.time()
    load_before = os.getloadavg()[0]
    clock = processor_seconds()
    try:
        for name in options.checks or CHECKS:
            bench.say(f"-- {name}")
            rows += CHECKS[name](bench)
    finally:
        bench.processes.close()
    busy, stolen = (after - before for after, before in zip(processor_seconds(), clock))
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    write_report(
        options.out,
        rows,
        {
            "date": time.strftime("%Y-%m-%d", time.gmtime(began)),
            "machine": f"{os.cpu_count()} x {model}, Linux {platform.release()}",
            "rounds": options.rounds,
            "seconds": options.seconds,
            "size": options.size,
            "loadBefore": load_before,
            "pinned": not options.no_pin,
            "stolen": stolen / max(1, busy + stolen),
        },
        bench.say,
    )


if __name__ == "__main__":
    main()
