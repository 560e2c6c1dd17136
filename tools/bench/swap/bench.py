"""Runs a program that touches its memory in a pattern, with its pages on leap-nbd, in several ways that alternate; a table of medians."""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.abspath(os.path.join(HERE, "../../.."))
LEAP_NBD = os.path.join(HOME, "leap-nbd")
RIG_SH = os.path.join(HERE, "rig.sh")
RIG = os.environ.get("RIG", os.path.join(os.environ.get("TMPDIR", "/tmp"), "leap-swap-rig"))

# name: page-cluster, the server's policy, the agent's policy or None, whether the server is told what is pushed
MODES = {
    "default": (3, "none", None, False),
    "none": (0, "none", None, False),
    "server": (0, "adaptive", None, False),
    "server-3": (3, "adaptive", None, False),
    "push": (0, "none", "adaptive", True),
    "push-3": (3, "none", "adaptive", True),
    "push-leap": (0, "none", "leap", True),
    "push-untold": (0, "none", "adaptive", False),
    "both": (0, "adaptive", "adaptive", True),
    "both-3": (3, "adaptive", "adaptive", True),
    "both-untold": (0, "adaptive", "adaptive", False),
}
FIGURES = ["p50", "p99", "mean", "major", "seconds", "agent_cpu"]
HANG_SECONDS = 300


def one(build, mib, pattern, work, touches, agent_policy, server):
    """One run, inside rig.sh run: starts the program in the cgroup, waits until its pages are out, and lets it go."""
    group = os.environ["SWAP_CGROUP"]

    def enter():
        with open(group, "w") as procs:
            procs.write(str(os.getpid()))

    program = subprocess.Popen(
        [os.path.join(build, "pattern"), str(mib), pattern, str(work), str(touches)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=enter,
        env=dict(os.environ, START_WAIT=str(HANG_SECONDS)),
    )  # fmt: skip
    program.stderr.readline()
    agent = None
    if agent_policy:
        agent = subprocess.Popen(
            [LEAP_NBD, "push", "--pid", str(program.pid), "--policy", agent_policy, "--page-cluster", "keep", "--server", server], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if not agent.stdout.readline().startswith("ready "):
            program.kill()
            sys.exit("bench: the agent did not start; see what 'leap-nbd doctor push' says")
        time.sleep(1)  # its start is not its work
        before = cpu_seconds(agent.pid)
    program.stdin.write("\n")
    program.stdin.flush()
    after = 0
    while program.poll() is None:
        if agent and agent.poll() is None:
            after = cpu_seconds(agent.pid) or after
        time.sleep(0.05)
    result = json.loads(program.stdout.read())
    result["agent_cpu"] = max(0, after - before) if agent else 0
    if agent:
        agent.terminate()
        agent.wait(30)
    print(json.dumps(result))
    sys.exit(program.returncode)


def cpu_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0


def rig(*arguments, output=None):
    environment = dict(os.environ, RIG_OWNER=str(os.getpid()), LEAP_NBD=LEAP_NBD)
    return subprocess.run([RIG_SH, *map(str, arguments)], env=environment, stdout=output, text=True)


def policy(name):
    """The server's prefetching, changed while it runs."""
    with open(os.path.join(RIG, "serve.pid")) as pid:
        subprocess.run([LEAP_NBD, "set", "--pid", pid.read().strip(), f"prefetch={name}"], check=True, stdout=subprocess.DEVNULL)


def server_uri():
    """Named, so that an agent that cannot tell it ends instead of being measured."""
    return f"nbd+unix:///leap?socket={RIG}/nbd.sock"


def measure(options, link):
    """All rows of one link: {(pattern, mode): [results]}. Modes alternate, and rounds begin with each mode in turn."""
    if rig("up", "-s", "640M", "-d", link, "-w", 7200).returncode != 0:
        sys.exit("bench: no rig; what it says is above")
    results = {}
    try:
        for round_ in range(options.rounds):
            for pattern in options.patterns:
                modes = options.modes[round_ % len(options.modes) :] + options.modes[: round_ % len(options.modes)]
                for mode in modes:
                    cluster, server, agent, told = MODES[mode]
                    policy(server)
                    run = rig(
                        "run", "-l", f"{options.mib // 2}M", "-t", HANG_SECONDS, "-c", cluster, "--",
                        sys.executable, os.path.abspath(__file__), "--build", options.build, "--one", options.mib, pattern, options.work,
                        options.touches, agent or "", server_uri() if told else "none",
                        output=subprocess.PIPE,
                    )  # fmt: skip
                    if run.returncode != 0:
                        sys.exit(f"bench: {pattern} with {mode} failed (status {run.returncode}): {run.stdout}")
                    result = json.loads(run.stdout)
                    results.setdefault((pattern, mode), []).append(result)
                    figures = "  ".join(f"{figure} {result[figure]:g}" for figure in FIGURES)
                    print(f"link {link} us, round {round_ + 1}, {pattern:7} {mode:9} {figures}", file=sys.stderr, flush=True)
    finally:
        rig("down")
    return results


def rows(results, link):
    """Medians, and how often better than the kernel's default."""
    table = []
    for (pattern, mode), runs in results.items():
        row = {"link_us": link, "pattern": pattern, "mode": mode, "runs": len(runs), "touches": runs[0]["touches"]}
        for figure in FIGURES:
            row[figure] = statistics.median(run[figure] for run in runs)
        row["seconds_spread"] = max(run["seconds"] for run in runs) / min(run["seconds"] for run in runs)
        base = results.get((pattern, "default"))
        for figure in ("p50", "p99", "seconds"):
            row[figure + "_gain"] = statistics.median(run[figure] for run in base) / row[figure] if base and row[figure] else None
        table.append(row)
    return table


def markdown(table, options):
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}"
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {machine}; {options.mib} MiB with a limit of {options.mib // 2} MiB, all pages out before, "
        f"{options.touches} touches; medians of {options.rounds} alternating rounds.",
        "",
        "| link, µs each way | pattern | mode | p50, µs | p99, µs | major faults | seconds | spread | p50 gain | p99 gain | run time gain | agent, cores |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table:
        gains = " | ".join("" if row[f + "_gain"] is None else f"{row[f + '_gain']:.2f}" for f in ("p50", "p99", "seconds"))
        lines.append(
            f"| {row['link_us']} | {row['pattern']} | {row['mode']} | {row['p50']:,.1f} | {row['p99']:,.0f} | {row['major']:,.0f} of {row['touches']:,} |"
            f" {row['seconds']:.2f} | {row['seconds_spread']:.1f} | {gains} | {row['agent_cpu'] / row['seconds']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="tools/bench/swap/run", description=__doc__)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--links", default="0,100,1000", help="microseconds each way; default 0,100,1000")
    parser.add_argument("--patterns", default="seq s10 rev x10,7 t10 rand", help="separated by blanks; what pattern.c knows")
    parser.add_argument("--modes", default="default,push", help="of " + ", ".join(MODES) + "; default: default,push")
    parser.add_argument("--mib", type=int, default=256, help="the program's memory, at most 512; its limit is half of that")
    parser.add_argument("--touches", type=int, default=20000)
    parser.add_argument("--work", type=float, default=0, help="microseconds between touches")
    options = parser.parse_args()
    if options.one:
        mib, pattern, work, touches, agent, server = options.one
        one(options.build, mib, pattern, work, touches, agent, server)
    options.modes = options.modes.split(",")
    options.patterns = options.patterns.split()
    unknown = [mode for mode in options.modes if mode not in MODES]
    if unknown or not 16 <= options.mib <= 512:
        parser.error(f"there is no mode {unknown[0]}" if unknown else "--mib is from 16 to 512")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes the rig down on the way out
    os.environ["LEAP_NBD_BUILD"] = "no"
    table = []
    for link in options.links.split(","):
        table += rows(measure(options, int(link)), int(link))
    text = markdown(table, options)
    with open(os.path.join(options.build, "swap.json"), "w") as out:
        json.dump(table, out, indent=1)
    with open(os.path.join(options.build, "swap.md"), "w") as out:
        out.write(text)
    print(text)


main()
