"""The native suite: a program that checks its pages, under push, with real swap. Counts decide, never times."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.abspath(os.path.join(HERE, "../../../.."))
RIG = os.path.join(HOME, "tools/bench/swap/rig.sh")
LEAP_NBD = os.path.join(HOME, "leap-nbd")
OUT = os.path.join(os.environ.get("LEAP_NBD_TEST_OUT", os.path.join(HOME, "tools/target/test")), "native")
PATTERN = os.path.join(HOME, "tools/target/native/pattern")
FOLDER = os.environ.get("RIG", os.path.join(os.environ.get("TMPDIR", "/tmp"), "leap-swap-rig"))
CLUSTER = "/proc/sys/vm/page-cluster"
MIB, LIMIT = 96, "48M"
HANG_SECONDS = 60

failures = 0


def check(what, right, detail=""):
    global failures
    print(("PASS " if right else "FAIL ") + what + ("" if right else f": {detail}"), flush=True)
    failures += not right


def wait_for(condition, seconds=HANG_SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Program:
    """Something that runs in the rig's cgroup and waits for a line before it touches its pages."""

    def __init__(self, pattern, touches, work=0, shell=None, prefix=None):
        command = [PATTERN, str(MIB), pattern, str(work), str(touches)]
        environment = dict(os.environ, START_WAIT=str(HANG_SECONDS))
        if shell:
            command = [*(prefix or []), "sh", "-c", shell, "sh", *command]
        group = os.environ["SWAP_CGROUP"]

        def enter():
            if prefix is None:  # else the shell does it itself
                with open(group, "w") as procs:
                    procs.write(str(os.getpid()))

        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=enter, env=environment
        )

    def filled(self):
        """Waits until its pages are out."""
        line = self.process.stderr.readline()
        while line.startswith(("run: ", "push: ", "leap-nbd ")):
            print("  " + line, end="")
            line = self.process.stderr.readline()
        if line != "filled\n":
            raise RuntimeError("the program did not fill its memory: " + line)
        return self

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        """What it says in the end; None if it was killed."""
        out, _ = self.process.communicate(timeout=HANG_SECONDS)
        return json.loads(out) if self.process.returncode >= 0 and out else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Agent:
    """leap-nbd push, outside the cgroup."""

    def __init__(self, *arguments):
        with open(os.path.join(OUT, "agent.log"), "a") as log:
            self.process = subprocess.Popen(
                [LEAP_NBD, "push", "--http", "127.0.0.1:0", *arguments], stdout=subprocess.PIPE, stderr=log, text=True
            )
        ready = self.process.stdout.readline()
        if not ready.startswith("ready "):
            raise RuntimeError("the agent did not start; see " + log.name)
        self.url = ready.split()[-1]

    def text(self, page, method="GET"):
        with urllib.request.urlopen(urllib.request.Request(self.url + page, method=method), timeout=10) as answer:
            return answer.read().decode()

    def status(self):
        return json.loads(self.text("/status"))

    def status_until_end(self):
        """Its status; None if it has ended with its programs, which may be in the middle of an answer."""
        try:
            return self.status()
        except (OSError, http.client.HTTPException):
            self.process.wait(60)
            return None

    def figures(self):
        """What it counts for the only process."""
        return next(iter(self.status()["processes"]), {})

    def set(self, query):
        self.text("/settings?" + query, "PUT")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()


@contextmanager
def watched(pattern, touches, *arguments, work=0, agent=None):
    """A program whose pages are out, and its agent, which is told to watch this process unless 'agent' says otherwise."""
    with Program(pattern, touches, work) as program:
        program.filled()
        with Agent(*(agent or ["--pid", str(program.process.pid)]), *arguments) as watching:
            yield program, watching


def ends_well(name, program, most_major=None):
    """Checks what a program says in the end, and returns it."""
    result = program.result()
    check(f"{name}: every page is right", result is not None and result["wrong"] == 0, result)
    if most_major is not None:
        check(f"{name}: major faults became minor ones", result is not None and result["major"] <= most_major, result)
    return result or {"major": 0}


def agent_ends_well(name, agent):
    check(f"{name}: the agent ends with the program", wait_for(lambda: agent.process.poll() is not None))
    check(f"{name}: and says that all is well", agent.process.returncode == 0, agent.process.returncode)


def pushes(name, agent):
    check(f"{name}: the agent pushes", wait_for(lambda: agent.figures().get("hits", 0) > 300))


def figures_to_the_end(program, agent):
    """The last figures of a program that is left to end."""
    seen = {}
    while program.process.poll() is None:
        seen = agent.figures() or seen
        time.sleep(0.05)
    return seen


def pushed(pattern, touches, most_major, *arguments):
    with watched(pattern, touches, *arguments) as (program, agent):
        program.go()
        ends_well(pattern, program, touches * most_major)
        agent_ends_well(pattern, agent)


def nothing():
    """Without pushing the same program waits for nearly each page: the suite can tell."""
    with watched("s10", 3000, "--policy", "off") as (program, _):
        program.go()
        major = ends_well("policy off", program)["major"]
        check("policy off: nearly every touch is a major fault", major > 2700, major)


def stride():
    pushed("s10", 6000, 0.1)


def reverse():
    pushed("rev", 6000, 0.1)


def interleaved():
    pushed("x10,7", 6000, 0.1)


def threads():
    pushed("t10", 6000, 0.15)


def leap():
    pushed("s10", 6000, 0.7, "--policy", "leap", "--max-window", "32")


def unmap():
    pushed("unmap", MIB * 256 // 2, 0.1)


def random():
    with watched("rand", 3000) as (program, agent):
        program.go()
        seen = figures_to_the_end(program, agent)
        ends_well("rand", program)
        check("rand: it is left alone", seen.get("major", 0) > 500 and seen["pushed"] <= seen["major"] * 0.02, seen)


def killed_agent():
    with watched("s10", 6000, work=200) as (program, agent):
        program.go()
        pushes("killed agent", agent)
        agent.process.kill()
        agent.process.wait()
        major = ends_well("killed agent", program)["major"]
        check("killed agent: the program waits for its pages again", major > 500, major)


def killed_program():
    with watched("s10", 20000, work=200) as (program, agent):
        program.go()
        pushes("killed program", agent)
        program.process.send_signal(signal.SIGKILL)
        program.process.wait()
        agent_ends_well("killed program", agent)


def executed():
    # The shell is watched, then becomes the program.
    with Program("s10", 6000, shell='read line; exec "$@"') as program:
        with Agent("--pid", str(program.process.pid)) as agent:
            program.go()
            program.filled()
            program.go()
            figures_to_the_end(program, agent)
            ends_well("exec", program, 600)


def executed_twice():
    # A program that was pushed for executes another one: what was known of the first is forgotten.
    with Program("s10", 3000, shell='"$@"; exec "$@"') as program:
        program.filled()
        with Agent("--pid", str(program.process.pid)) as agent:
            majors = []
            program.go()
            program.filled()
            program.go()
            program.process.stdin.close()
            for line in program.process.stdout:
                result = json.loads(line)
                majors.append(result["major"])
                check("fork and exec: every page is right", result["wrong"] == 0, result)
            check("fork and exec: both programs are pushed for", len(majors) == 2 and max(majors) < 600, majors)
            status = agent.status_until_end()
            check("fork and exec: the ended child is still shown", status is None or len(status["ended"]) > 0, status)


def run():
    # leap-nbd run starts the agent, becomes the shell, and the shell the program.
    with Program("s10", 6000, prefix=[LEAP_NBD, "run", "--push", "--"], shell='echo $$ >"$SWAP_CGROUP"; exec "$@"') as program:
        program.filled()
        program.go()
        # What it says is all that is on standard output.
        ends_well("run --push", program, 600)
        check("run --push: the exit code is the program's", program.process.returncode == 0, program.process.returncode)


def group():
    with watched("s10", 6000, agent=["--cgroup", os.path.dirname(os.environ["SWAP_CGROUP"])]) as (program, _):
        program.go()
        ends_well("cgroup", program, 600)


def settings():
    with watched("s10", 12000, work=200) as (program, agent):
        pid = program.process.pid
        program.go()
        pushes("settings", agent)
        agent.set(f"pid={pid}&policy=off")
        time.sleep(0.5)
        calls = agent.figures()["calls"]
        major = agent.figures()["major"]
        check("settings: off stops it", wait_for(lambda: agent.figures().get("major", 0) > major + 300))
        check("settings: off makes no call", agent.figures()["calls"] == calls)
        agent.set("policy=adaptive")
        check("settings: on again pushes again", wait_for(lambda: agent.figures().get("calls", 0) > calls + 10))
        check("settings: metrics name the process", f'leap_push_hits_total{{pid="{pid}"}}' in agent.text("/metrics"))
        check("settings: the histogram counts touches", "Total count" in agent.text(f"/histogram?pid={pid}"))


def idle():
    with watched("s10", 3000) as (program, agent):
        time.sleep(2)
        before = agent.status()["turns"]
        time.sleep(5)
        turns = agent.status()["turns"] - before
        # One a second without a reason; a loop that polls would make ten thousand.
        check("idle: the agent sleeps while no faults come", turns < 50, turns)
        program.go()
        ends_well("idle, and woken", program, 300)


def told():
    # The agent finds the server by the swap area's header, and the server fetches what is pushed before the kernel reads it.
    with open(os.path.join(FOLDER, "serve.out")) as out:
        server = next(word for line in out for word in line.split() if word.startswith("http://"))

    def cache():
        with urllib.request.urlopen(server + "/status", timeout=10) as answer:
            return json.load(answer)["cache"]

    before = cache()
    with watched("s10", 6000) as (program, agent):
        program.go()
        announced = figures_of_agent_to_the_end(program, agent)
        ends_well("told", program, 600)
    hits = cache()["hits"] - before["hits"]
    check("told: the server is told of what is pushed", announced > 3000, announced)
    check("told: the kernel's reads find it in the server's cache", hits > announced * 0.8, (hits, announced))
    with watched("s10", 3000, "--server", "none") as (program, agent):
        program.go()
        announced = figures_of_agent_to_the_end(program, agent)
        ends_well("untold", program, 300)
    check("untold: nobody is told", announced == 0, announced)


def figures_of_agent_to_the_end(program, agent):
    announced = 0
    while program.process.poll() is None:
        announced = agent.status()["announced"]
        time.sleep(0.02)
    status = agent.status_until_end()
    return status["announced"] if status else announced


def device():
    # Whatever pages out to the device is found, and left alone when it has ended; the agent ends when asked.
    with open(os.path.join(FOLDER, "loop")) as loop:
        swap = loop.read().strip()
    with Program("s10", 6000) as program:
        program.filled()
        with Agent("--device", swap) as agent:
            time.sleep(2)
            program.go()
            ends_well("device", program, 600)
            with Program("rev", 6000) as second:
                second.filled()
                time.sleep(3)  # found by what it has swapped out
                second.go()
                ends_well("device, a program that came later", second, 600)
            answer = subprocess.run(
                [LEAP_NBD, "set", "--pid", str(agent.process.pid), "push=off"], stdout=subprocess.PIPE, text=True
            )
            check("device: push=off", answer.stdout.startswith("policy off"), answer)
            agent.process.terminate()
            check("device: the agent ends when it is told to", agent.process.wait(30) == 0, agent.process.returncode)


def page_cluster():
    # vm.page-cluster is 0 while any agent runs, and goes back with the last one, also when that is killed.
    def now():
        with open(CLUSTER) as file:
            return file.read().strip()

    with open(CLUSTER, "w") as file:
        file.write("3")
    with Program("s10", 3000) as program:
        program.filled()
        watch = ["--pid", str(program.process.pid)]
        with Agent(*watch), Agent(*watch, "--page-cluster", "keep") as keeping:
            check("page cluster: it is 0 while an agent runs", now() == "0", now())
            with Agent(*watch) as second:
                keeping.process.kill()
                second.process.kill()
                second.process.wait()
            time.sleep(2)  # for a restoring that must not be
            check("page cluster: it stays 0 for the other agent when one is killed", now() == "0", now())
        check("page cluster: it is put back by the last one", wait_for(lambda: now() == "3"), now())
        with Agent(*watch) as killed:
            check("page cluster: it is 0 again", now() == "0", now())
            killed.process.kill()
            killed.process.wait()
            check("page cluster: it is put back when the agent was killed", wait_for(lambda: now() == "3"), now())
        with Agent(*watch, "--page-cluster", "1"):
            check("page cluster: what was asked for", now() == "1", now())
        check("page cluster: and back", wait_for(lambda: now() == "3"), now())
        program.go()
        ends_well("page cluster", program)


SCENARIOS = [
    nothing, stride, reverse, interleaved, threads, leap, random, unmap, killed_agent, killed_program, executed, executed_twice, run, group,
    settings, idle, page_cluster, told, device,
]  # fmt: skip


def skip(why):
    print("SKIPPED: " + why)
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def ready():
    os.makedirs(OUT, exist_ok=True)
    os.makedirs(os.path.dirname(PATTERN), exist_ok=True)
    can = subprocess.run([RIG, "can"], stderr=subprocess.PIPE, text=True)
    if can.returncode != 0:
        skip("this machine cannot swap natively: " + can.stderr.strip().splitlines()[-1].removeprefix("rig.sh: "))
    doctor = subprocess.run([LEAP_NBD, "doctor", "push"], stdout=subprocess.PIPE, text=True)
    if doctor.returncode != 0:
        skip("push is not possible here: " + "; ".join(line for line in doctor.stdout.splitlines() if line.startswith("fail")))
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-pthread", "-o", PATTERN, os.path.join(HOME, "tools/bench/swap/pattern.c")], check=True
    )


def main():
    names = {scenario.__name__: scenario for scenario in SCENARIOS}
    if sys.argv[1:2] == ["--inside"]:
        try:
            names[sys.argv[2]]()
        except Exception as error:  # whatever it is, the others have their turn
            check(f"{sys.argv[2]} ran to its end", False, repr(error))
        sys.exit(failures != 0)
    wanted = sys.argv[1:] or list(names)
    for name in wanted:
        if name not in names:
            sys.exit(f"native: no scenario is called '{name}'; there are: {' '.join(names)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes the rig down on the way out
    ready()
    environment = dict(os.environ, RIG_OWNER=str(os.getpid()), LEAP_NBD=LEAP_NBD)
    passed = failed = 0
    up = subprocess.run([RIG, "up", "-s", "256M", "-d", "100", "-w", "1200"], env=environment, stderr=subprocess.PIPE, text=True)
    if up.returncode != 0:
        print("FAIL the rig comes up: " + up.stderr.strip())
        print("0 passed, 1 failed")
        sys.exit(1)
    try:
        for name in wanted:
            command = [RIG, "run", "-l", LIMIT, "-t", "150", "-c", "0", "--", sys.executable, os.path.abspath(__file__), "--inside", name]
            run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
            print(run.stdout, end="", flush=True)
            lines = run.stdout.splitlines()
            passed += sum(line.startswith("PASS ") for line in lines)
            bad = sum(line.startswith("FAIL ") for line in lines)
            if run.returncode != 0 and bad == 0:
                print(f"FAIL {name} ran to its end (status {run.returncode})")
                bad = 1
            failed += bad
    finally:
        down = subprocess.run([RIG, "down"], env=environment, stderr=subprocess.PIPE, text=True)
        if down.returncode != 0:
            print("FAIL the rig goes down: " + down.stderr.strip())
            failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
