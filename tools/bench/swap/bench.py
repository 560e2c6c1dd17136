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

from rig import HANG_SECONDS, MODES, Agent, enter_group, policy, rig, rig_up, rotated, server_uri, unknown_mode

FIGURES = ["p50", "p99", "mean", "major", "seconds", "agent_cpu"]


def one(build, mib, pattern, work, touches, agent_policy, server):
    """One run, inside rig.sh run: starts the program in the cgroup, waits until its pages are out, and lets it go."""
    program = subprocess.Popen(
        [os.path.join(build, "pattern"), str(mib), pattern, str(work), str(touches)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=enter_group,
        env=dict(os.environ, START_WAIT=str(HANG_SECONDS)),
    )  # fmt: skip
    program.stderr.readline()
    try:
        agent = Agent(program.pid, agent_policy, server)
    except RuntimeError as e:
        program.kill()
        sys.exit(str(e))
    program.stdin.write("\n")
    program.stdin.flush()
    result = json.loads(program.stdout.read())
    program.wait()
    result["agent_cpu"] = agent.end()
    print(json.dumps(result))
    sys.exit(program.returncode)


def measure(options, link):
    """All rows of one link: {(pattern, mode): [results]}. Modes alternate, and rounds begin with each mode in turn."""
    results = {}
    with rig_up(link, "640M"):
        for round_ in range(options.rounds):
            for pattern in options.patterns:
                for mode in rotated(options.modes, round_):
                    cluster, server, agent, told = MODES[mode]
                    policy(server)
                    run = rig(
                        "run", "-l", f"{options.mib // 2}M", "-t", HANG_SECONDS, "-c", cluster, "--",
                        sys.executable, os.path.abspath(__file__), "--build", options.build, "--one", options.mib, pattern, options.work,
                        options.touches, agent or "", server_uri(told),
                        output=subprocess.PIPE,
                    )  # fmt: skip
                    if run.returncode != 0:
                        sys.exit(f"bench: {pattern} with {mode} failed (status {run.returncode}): {run.stdout}")
                    result = json.loads(run.stdout)
                    results.setdefault((pattern, mode), []).append(result)
                    figures = "  ".join(f"{figure} {result[figure]:g}" for figure in FIGURES)
                    print(f"link {link} us, round {round_ + 1}, {pattern:7} {mode:9} {figures}", file=sys.stderr, flush=True)
    return results


def rows(results, link):
    """Medians, and how often better than the kernel's default."""
    table = []
    for (pattern, mode), runs in results.items():
        row = {"link_us": link, "pattern": pattern, "mode": mode, "runs": len(runs), "touches": runs[0]["touches"]}
        for figure in FIGURES:
            row[figure] = statistics.median(run[figure] for run in runs)
        row["curve"] = [[share, statistics.median(run["curve"][i][1] for run in runs)] for i, (share, _) in enumerate(runs[0]["curve"])]
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
    parser.add_argument("--programs", nargs="*", metavar="NAME", help="real programs instead of patterns; --programs --help says more")
    parser.add_argument("--mib", type=int, default=256, help="the program's memory, at most 512; its limit is half of that")
    parser.add_argument("--touches", type=int, default=20000)
    parser.add_argument("--work", type=float, default=0, help="microseconds between touches")
    options = parser.parse_args()
    if options.one:
        mib, pattern, work, touches, agent, server = options.one
        one(options.build, mib, pattern, work, touches, agent, server)
    options.modes = options.modes.split(",")
    options.patterns = options.patterns.split()
    unknown = unknown_mode(options.modes)
    if unknown or not 16 <= options.mib <= 512:
        parser.error(f"there is no mode {unknown}" if unknown else "--mib is from 16 to 512")
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
