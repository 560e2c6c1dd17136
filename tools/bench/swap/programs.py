"""Runs real programs with half of the memory that they use, their pages on leap-nbd, in several ways that alternate; a table of medians.
Each program's result is compared with that of a run with all the memory, so that a wrong page is found."""

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time

from rig import HERE, MODES, Agent, enter_group, policy, rig, rig_up, rotated, server_uri, unknown_mode

sys.path.insert(0, os.path.join(HERE, "programs"))
import redis_load  # noqa: E402

MOST_MIB = 320  # what a program may use; half of it is swapped at most
SWAP = "448M"
SECONDS = 240  # and the run is given up
GIVEN_UP = 137  # what rig.sh and a program of ours exit with after a kill
FIGURES = ["seconds", "major", "agent_cpu"]
STRANGE_SPREAD = 3
REDIS_SERVER = "/usr/bin/redis-check-rdb"  # with Debian one program under three names


class Program:
    """One of them: what it needs, what it reads, how it is started. Sizes are for a scale of 1."""

    def __init__(self, what, command, tool, inputs=None, load=None):
        self.what = what
        self.command = command  # of (folder, scale): words
        self.tool = tool  # () -> a path, or "" if there is none
        self.inputs = inputs or {}  # file: (kind, count)
        self.load = load  # of (folder, scale): drives a server and returns what it was told

    def missing(self):
        return "" if self.tool() else "not installed; Debian's packages are in tools/bench/swap/programs/packages"

    def make_inputs(self, folder, scale):
        for name, (kind, count) in self.inputs.items():
            count = int(count * scale)
            path = f"{folder}/{count}-{name}"
            if not os.path.exists(path):
                with open(path + ".part", "w") as out:
                    subprocess.run([sys.executable, os.path.join(HERE, "programs/inputs.py"), kind, str(count)], stdout=out, check=True)
                os.rename(path + ".part", path)

    def input(self, folder, scale):
        ((name, (_, count)),) = self.inputs.items()
        return f"{folder}/{int(count * scale)}-{name}"


def numpy_python():
    """A Python that has numpy: the distribution's, else this one."""
    for python in ("/usr/bin/python3", sys.executable):
        if os.path.exists(python) and subprocess.run([python, "-c", "import numpy"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return ""


def cc1():
    if not shutil.which("gcc"):
        return ""
    path = subprocess.run(["gcc", "-print-prog-name=cc1"], stdout=subprocess.PIPE, text=True).stdout.strip()
    return path if os.path.exists(path) else ""


def redis_server():
    return shutil.which("redis-server") or (REDIS_SERVER if os.path.exists(REDIS_SERVER) else "")


def redis_socket(folder):
    return os.path.join(folder, "redis.sock")


def side(scale):
    return int(3072 * math.sqrt(scale)) // 8 * 8


PROGRAMS = {
    "sort": Program(
        "GNU sort of 500,000 lines of 64 random digits, in memory",
        lambda folder, scale: ["sort", "--parallel=2", "-S", "600M", PROGRAMS["sort"].input(folder, scale)],
        lambda: shutil.which("sort"), {"lines.txt": ("lines", 500_000)},
    ),
    "numpy": Program(
        "numpy, sweeps over a matrix of 72 MiB along rows and columns",
        lambda folder, scale: [numpy_python(), os.path.join(HERE, "programs/matrix.py"), str(side(scale)), "3"],
        numpy_python,
    ),
    "redis": Program(
        "redis with 100,000 values of 1,800 bytes: filled, read once in order, then 40,000 reads of which half go to an eighth of the keys",
        lambda folder, scale: [
            redis_server(), "--port", "0", "--unixsocket", redis_socket(folder), "--save", "", "--appendonly", "no", "--dir", folder,
        ],
        redis_server, load=lambda folder, scale: redis_load.load(redis_socket(folder), int(100_000 * scale), int(40_000 * scale)),
    ),
    "sqlite": Program(
        "SQLite in memory, 600,000 rows: filled, indexed, scanned, 6,000 look-ups, an update of a fifth",
        lambda folder, scale: ["sqlite3", "-batch", ":memory:", ".read " + PROGRAMS["sqlite"].input(folder, scale)],
        lambda: shutil.which("sqlite3"), {"tables.sql": ("tables", 600_000)},
    ),
    "pagerank": Program(
        "PageRank in C, 20 million edges in order and 1.5 million ranks all over, 3 rounds",
        lambda folder, scale: [os.path.join(folder, "pagerank"), str(int(1_500_000 * scale)), str(int(20_000_000 * scale)), "3"],
        lambda: True,
    ),
    "compiler": Program(
        "GCC's cc1, a file of 1,000 functions, -O1",
        lambda folder, scale: [cc1(), "-quiet", "-O1", PROGRAMS["compiler"].input(folder, scale), "-o", "-"],
        cc1, {"functions.c": ("functions", 1000)},
    ),
}  # fmt: skip


def one(folder, name, scale, agent_policy, server):
    """One run, in the rig's cgroup if there is a rig: the program stands still until it is watched, and its time begins then."""
    program = PROGRAMS[name]
    words = program.command(folder, scale)
    # With huge pages the kernel kills numpy in groups of some 30 MiB, however it swaps.
    environment = dict(os.environ, LC_ALL="C", OMP_NUM_THREADS="1", NUMPY_MADVISE_HUGEPAGE="0", PYTHONDONTWRITEBYTECODE="1")
    # Redis takes what it is from its name.
    gate = 'read -r _; exec -a redis-server "$@"' if name == "redis" else 'read -r _; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", gate, "gate", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter_group, env=environment
    )
    try:
        agent = Agent(process.pid, agent_policy, server)
    except RuntimeError as e:
        process.kill()
        sys.exit(str(e))
    begin = time.monotonic()
    process.stdin.write(b"\n")
    process.stdin.close()
    digest = hashlib.sha256()
    told = program.load(folder, scale) if program.load else ""
    for piece in iter(lambda: process.stdout.read(1 << 16), b""):
        if not program.load:  # what a server says on its output has times in it
            digest.update(piece)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    process.returncode = status
    agent_cpu = agent.end()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        print(f"bench: {name} was killed for want of memory", file=sys.stderr)
        sys.exit(GIVEN_UP)
    if status != 0:
        sys.exit(f"bench: {name} ended with wait status {status}")
    print(json.dumps({
        "seconds": seconds, "major": usage.ru_majflt, "peak_mib": usage.ru_maxrss / 1024, "check": told or digest.hexdigest(),
        "agent_cpu": agent_cpu,
    }))  # fmt: skip


def arguments_of_one(options, name, agent, told):
    return [
        sys.executable, os.path.abspath(__file__), "--build", options.build, "--scale", options.scale,
        "--one", name, agent or "", server_uri(told),
    ]  # fmt: skip


def reference(options, name):
    """The run with all the memory: what is right, how much memory it takes, how long."""
    PROGRAMS[name].make_inputs(options.build, options.scale)
    run = subprocess.run([str(word) for word in arguments_of_one(options, name, None, False)], stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    if run.returncode != 0:
        sys.exit(f"bench: {name} fails with all the memory, too (status {run.returncode})")
    result = json.loads(run.stdout)
    if result["peak_mib"] > MOST_MIB:
        sys.exit(f"bench: {name} takes {result['peak_mib']:.0f} MiB, and {MOST_MIB} are allowed; give a smaller --scale")
    print(f"{name:9} all memory  seconds {result['seconds']:.2f}  peak {result['peak_mib']:.0f} MiB", file=sys.stderr, flush=True)
    return {
        "what": PROGRAMS[name].what, "check": result["check"], "seconds": result["seconds"],
        "peak_mib": round(result["peak_mib"]), "limit_mib": max(16, round(result["peak_mib"] / 2)),
    }  # fmt: skip


def cell(options, name, mode, right):
    """One run with half the memory. One that was given up, or killed for want of memory, counts as SECONDS and says so."""
    cluster, server, agent, told = MODES[mode]
    policy(server)
    run = rig(
        "run", "-l", f"{right['limit_mib']}M", "-t", SECONDS, "-c", cluster, "--", *arguments_of_one(options, name, agent, told),
        output=subprocess.PIPE,
    )  # fmt: skip
    if run.returncode in (124, GIVEN_UP):
        return {"seconds": SECONDS, "major": math.nan, "agent_cpu": math.nan, "given_up": True}
    if run.returncode != 0:
        sys.exit(f"bench: {name} with {mode} failed (status {run.returncode}): {run.stdout}")
    result = json.loads(run.stdout)
    if result["check"] != right["check"]:
        sys.exit(f"bench: {name} with {mode} got a WRONG RESULT: a page was not what was written")
    return result


def measure(options, link, rights):
    """All cells of one link: {(program, mode): [results]}."""
    results = {}

    def note(round_, name, mode):
        result = cell(options, name, mode, rights[name])
        results.setdefault((name, mode), []).append(result)
        figures = "  ".join(f"{figure} {result[figure]:.5g}" for figure in FIGURES)
        print(f"link {link} us, round {round_ + 1}, {name:9} {mode:9} {figures}", file=sys.stderr, flush=True)

    cells = [(r, name, mode) for r in range(options.rounds) for name in rights for mode in rotated(options.modes, r)]
    if options.fresh:
        for one_cell in cells:
            with rig_up(link, SWAP):
                note(*one_cell)
    else:
        with rig_up(link, SWAP):
            for one_cell in cells:
                note(*one_cell)
    return results


def rows(results, link):
    """Medians, how far rounds were apart, and how many times faster than the kernel's default."""
    table = []
    for (name, mode), runs in results.items():
        row = {"link_us": link, "program": name, "mode": mode, "runs": len(runs), "given_up": sum("given_up" in run for run in runs)}
        for figure in FIGURES:
            known = [run[figure] for run in runs if not math.isnan(run[figure])]
            row[figure] = statistics.median(known) if known else None
        row["seconds_spread"] = max(run["seconds"] for run in runs) / min(run["seconds"] for run in runs)
        base = results.get((name, "default"))
        known = base and not row["given_up"] and not any("given_up" in run for run in base)
        row["gain"] = statistics.median(run["seconds"] for run in base) / row["seconds"] if known else None
        table.append(row)
    return table


def means(table, modes):
    """The geometric mean of what each way gains, over all programs of a link: {(link, mode): mean}."""
    found = {}
    for link in dict.fromkeys(row["link_us"] for row in table):
        for mode in modes:
            gains = [row["gain"] for row in table if row["link_us"] == link and row["mode"] == mode]
            if gains and None not in gains:
                found[link, mode] = statistics.geometric_mean(gains)
    return found


def spread_text(row):
    return f"**{row['seconds_spread']:.1f}**" if row["seconds_spread"] >= STRANGE_SPREAD else f"{row['seconds_spread']:.1f}"


def markdown(about, programs, table, modes):
    lines = [
        f"{about['date']}, {about['machine']}; each program with half of its memory; medians of {about['rounds']} alternating rounds. "
        "*Gain*: how many times faster than `default`.",
        "",
        "| program | peak, MiB | seconds with all memory |",
        "|---|---:|---:|",
    ]
    for name, program in programs.items():
        lines.append(f"| {name} | SKIPPED: {program['skipped']} | |" if "skipped" in program else f"| {name} | {program['peak_mib']} | {program['seconds']:.1f} |")
    lines += [
        "",
        "| link, µs each way | program | mode | seconds | spread | gain | major faults | agent, cores |",
        "|---:|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in table:
        major = "" if row["major"] is None else f"{row['major']:,.0f}"
        agent = "" if row["agent_cpu"] is None else f"{row['agent_cpu'] / row['seconds']:.2f}"
        gain = "" if row["gain"] is None else f"{row['gain']:.2f}"
        more = "> " if row["given_up"] else ""
        lines.append(f"| {row['link_us']} | {row['program']} | {row['mode']} | {more}{row['seconds']:.1f} | {spread_text(row)} | {gain} | {major} | {agent} |")
    for (link, mode), mean in means(table, modes).items():
        lines.append(f"| {link} | *geometric mean* | {mode} | | | {mean:.2f} | | |")
    if any(row["seconds_spread"] >= STRANGE_SPREAD for row in table):
        lines += ["", f"Bold: rounds of one cell are {STRANGE_SPREAD} times apart or more. Explain that before you use the median."]
    return "\n".join(lines) + "\n"


def parse():
    parser = argparse.ArgumentParser(prog="tools/bench/swap/run --programs", description=__doc__)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--programs", nargs="*", default=[], metavar="NAME", help="of " + ", ".join(PROGRAMS) + "; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--links", default="100", help="microseconds each way; default 100")
    parser.add_argument("--modes", default="default,server-3,push,both", help="of " + ", ".join(MODES) + "; default: default,server-3,push,both")
    parser.add_argument("--scale", type=float, default=1, help="of what the programs work on, 0.1 to 1; default 1")
    parser.add_argument("--fresh", action="store_true", help="a rig of its own for each run: what the server learnt from others is gone")
    options = parser.parse_args()
    options.modes = options.modes.split(",")
    unknown = unknown_mode(options.modes)
    if unknown:
        parser.error(f"there is no mode {unknown}")
    unknown = [name for name in options.programs if name not in PROGRAMS]
    if unknown:
        parser.error(f"there is no program {unknown[0]}; there are " + ", ".join(PROGRAMS))
    if not 0.1 <= options.scale <= 1 or options.rounds < 1:
        parser.error("--scale is from 0.1 to 1, and --rounds at least 1")
    return options


def main():
    options = parse()
    os.environ["LEAP_NBD_BUILD"] = "no"
    if options.one:
        name, agent, server = options.one
        one(options.build, name, options.scale, agent, server)
        return
    if rig("can").returncode != 0:
        sys.exit(4)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes the rig down on the way out
    programs = {}
    for name in options.programs or PROGRAMS:
        missing = PROGRAMS[name].missing()
        if missing:
            print(f"{name:9} SKIPPED: {missing}", file=sys.stderr, flush=True)
        programs[name] = {"what": PROGRAMS[name].what, "skipped": missing} if missing else reference(options, name)
    rights = {name: program for name, program in programs.items() if "skipped" not in program}
    if not rights:
        sys.exit("bench: none of these programs is installed")
    about = {
        "date": time.strftime("%Y-%m-%d"), "machine": f"{os.cpu_count()} processors, Linux {platform.release()}", "rounds": options.rounds,
        "scale": options.scale, "modes": options.modes,
    }  # fmt: skip
    table = []
    for link in options.links.split(","):
        table += rows(measure(options, int(link), rights), int(link))
    geometric = [{"link_us": link, "mode": mode, "gain": mean} for (link, mode), mean in means(table, options.modes).items()]
    with open(os.path.join(options.build, "programs.json"), "w") as out:
        json.dump({**about, "programs": programs, "rows": table, "geometric_means": geometric}, out, indent=1)
    text = markdown(about, programs, table, options.modes)
    with open(os.path.join(options.build, "programs.md"), "w") as out:
        out.write(text)
    print(text)


main()
