"""One run of fio against one peer, and what it tells; and peers measured in turns."""

import json
import statistics
import subprocess
import time

MEASURES = ("iops", "p50", "p99", "p999", "cpu")


class Run:
    """Figures of one run: requests a second, latencies in microseconds, processor microseconds of the server a request."""

    def __init__(self, direction, cpu_seconds):
        at = direction["clat_ns"]["percentile"]
        self.iops = direction["iops"]
        self.p50 = at["50.000000"] / 1000
        self.p99 = at["99.000000"] / 1000
        self.p999 = at["99.900000"] / 1000
        self.cpu = cpu_seconds * 1e6 / max(1, direction["total_ios"])


def fio(processes, peer, pattern, depth, seconds, size, block="4k", jobs=1, name="read"):
    """Runs one pattern; 'pattern' is fio's, like randread or read:36k."""
    before = peer.cpu_seconds()
    done = subprocess.run(
        [
            "fio", f"--name={name}", "--ioengine=nbd", f"--uri={peer.uri}", f"--rw={pattern}", f"--bs={block}",
            f"--iodepth={depth}", f"--size={size}", f"--numjobs={jobs}", "--group_reporting", "--time_based",
            f"--runtime={seconds}", "--ramp_time=1", "--norandommap", "--randrepeat=0", "--output-format=json",
        ],
        capture_output=True, text=True, cwd=processes.folder, timeout=seconds + 120,
    )
    text = done.stdout
    if done.returncode != 0:
        raise SystemExit(f"bench: fio against {peer.name} ended with {done.returncode}: {done.stderr[-500:]}")
    job = json.loads(text[text.index("{"):])["jobs"][0]
    direction = job["write" if "write" in pattern else "read"]
    # The ramp's requests cost as well: what they cost a second is what the others do.
    return Run(direction, (peer.cpu_seconds() - before) * seconds / (seconds + 1))


def fill(processes, peer, size):
    """Every page has data, and everything is warm."""
    subprocess.run(
        ["fio", "--name=fill", "--ioengine=nbd", f"--uri={peer.uri}", "--rw=write", "--bs=256k", "--iodepth=8", f"--size={size}"],
        capture_output=True, check=True, cwd=processes.folder, timeout=600,
    )


def hold(processes, peer, size, slabs, slab_mib):
    """Writes a page of each slab, so that donors hold all of them. Returns the seconds that took."""
    begin = time.monotonic()
    subprocess.run(
        [
            "fio", "--name=hold", "--ioengine=nbd", f"--uri={peer.uri}", f"--rw=write:{(slab_mib << 10) - 4}k", "--bs=4k",
            "--iodepth=32", f"--size={size}", f"--number_ios={slabs}",
        ],
        capture_output=True, check=True, cwd=processes.folder, timeout=600,
    )
    return time.monotonic() - begin


def swap_out(processes, peer, size):
    """Seconds that it takes to write so much, as a kernel that swaps out does: 128 KiB a request, 32 of them under way."""
    done = subprocess.run(
        [
            "fio", "--name=out", "--ioengine=nbd", f"--uri={peer.uri}", "--rw=write", "--bs=128k", "--iodepth=32", f"--size={size}",
            "--output-format=json",
        ],
        capture_output=True, text=True, cwd=processes.folder, timeout=300,
    )
    if done.returncode != 0:
        raise SystemExit(f"bench: fio against {peer.name} ended with {done.returncode}: {done.stderr[-500:]}")
    text = done.stdout
    return json.loads(text[text.index("{"):])["jobs"][0]["write"]["runtime"] / 1000


def in_turns(peers, rounds, measure, say):
    """Measures each peer in each round, in alternating order; returns for each its median figures."""
    runs = {peer.name: [] for peer in peers}
    for number in range(rounds):
        for peer in peers if number % 2 == 0 else reversed(peers):
            runs[peer.name].append(measure(peer))
    medians = {}
    for name, of_peer in runs.items():
        medians[name] = {figure: statistics.median(getattr(run, figure) for run in of_peer) for figure in MEASURES}
        say("    %-22s %8.0f IOPS  p50 %7.1f  p99 %7.1f  p99.9 %8.1f us  cpu %5.1f us" % (name, *medians[name].values()))
    return medians
