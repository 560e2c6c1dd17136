"""The native suite: a program that checks its pages, under push, with real swap. Counts decide, never times."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.abspath(os.path.join(HERE, "../../../.."))
RIG = os.path.join(HOME, "tools/bench/swap/rig.sh")
LEAP_NBD = os.path.join(HOME, "leap-nbd")
OUT = os.path.join(os.environ.get("LEAP_NBD_TEST_OUT", os.path.join(HOME, "tools/target/test")), "native")
PATTERN = os.path.join(HOME, "tools/target/native/pattern")
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

    def __init__(self, pattern, touches, work="0", shell=None, prefix=None):
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

    def status(self):
        with urllib.request.urlopen(self.url + "/status", timeout=10) as answer:
            return json.load(answer)

    def figures(self, pid=None):
        """What it counts for a process, or for the only one."""
        for process in self.status()["processes"]:
            if pid is None or process["pid"] == pid:
                return process
        return {}

    def set(self, query):
        with urllib.request.urlopen(urllib.request.Request(self.url + "/settings?" + query, method="PUT"), timeout=10) as answer:
            return json.load(answer)

    def text(self, page):
        with urllib.request.urlopen(self.url + page, timeout=10) as answer:
            return answer.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()


def pushed(pattern, touches, most_major, *arguments):
    with Program(pattern, touches) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid), *arguments) as agent:
            program.go()
            result = program.result()
            check(f"{pattern}: every page is right", result is not None and result["wrong"] == 0, result)
            check(
                f"{pattern}: major faults became minor ones",
                result is not None and result["major"] <= touches * most_major,
                f"{result and result['major']} of {touches} are major",
            )
            check(f"{pattern}: the agent ends with the program", wait_for(lambda: agent.process.poll() is not None))
            check(f"{pattern}: and says that all is well", agent.process.wait(20) == 0, agent.process.returncode)


def nothing():
    """Without pushing the same program waits for nearly each page: the suite can tell."""
    with Program("s10", 3000) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid), "--policy", "off"):
            program.go()
            result = program.result()
            check("with the policy off every page is right", result["wrong"] == 0, result)
            check("with the policy off nearly every touch is a major fault", result["major"] > 2700, result)


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
    with Program("rand", 3000) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid)) as agent:
            program.go()
            seen = {}
            while program.process.poll() is None:
                seen = agent.figures() or seen
                time.sleep(0.1)
            result = program.result()
            check("rand: every page is right", result["wrong"] == 0, result)
            check("rand: it is left alone", seen.get("major", 0) > 500 and seen["pushed"] <= seen["major"] * 0.02, seen)


def killed_agent():
    with Program("s10", 6000, 200) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid)) as agent:
            program.go()
            check("the agent pushes before it is killed", wait_for(lambda: agent.figures().get("hits", 0) > 300))
            agent.process.kill()
            agent.process.wait()
            result = program.result()
            check("after the agent was killed every page is right", result is not None and result["wrong"] == 0, result)
            check("after the agent was killed the program waits for its pages again", result["major"] > 500, result)


def killed_program():
    with Program("s10", 20000, 200) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid)) as agent:
            program.go()
            check("the agent pushes before the program is killed", wait_for(lambda: agent.figures().get("hits", 0) > 300))
            program.process.send_signal(signal.SIGKILL)
            program.process.wait()
            check("the agent ends when the program was killed", wait_for(lambda: agent.process.poll() is not None))
            check("and says that all is well", agent.process.returncode == 0, agent.process.returncode)


def executed():
    # The shell is watched, then becomes the program.
    with Program("s10", 6000, shell='read line; exec "$@"') as program:
        with Agent("--pid", str(program.process.pid)) as agent:
            program.go()
            program.filled()
            program.go()
            seen = {}
            while program.process.poll() is None:
                seen = agent.figures() or seen
                time.sleep(0.05)
            result = program.result()
            check("exec: every page is right", result["wrong"] == 0, result)
            check("exec: the new program is pushed for", result["major"] < 600, result)


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
            status = agent.status() if agent.process.poll() is None else {"ended": []}
            check("fork and exec: the ended child is still shown", len(status["ended"]) > 0 or agent.process.poll() is not None, status)


def run():
    # leap-nbd run starts the agent, becomes the shell, and the shell the program.
    with Program("s10", 6000, prefix=[LEAP_NBD, "run", "--push", "--"], shell='echo $$ >"$SWAP_CGROUP"; exec "$@"') as program:
        program.filled()
        program.go()
        result = program.result()
        check("run --push: every page is right, and nothing else is on standard output", result["wrong"] == 0, result)
        check("run --push: major faults became minor ones", result["major"] < 600, result)
        check("run --push: the exit code is the program's", program.process.returncode == 0, program.process.returncode)


def group():
    with Program("s10", 6000) as program:
        program.filled()
        with Agent("--cgroup", os.path.dirname(os.environ["SWAP_CGROUP"])):
            program.go()
            result = program.result()
            check("cgroup: every page is right", result["wrong"] == 0, result)
            check("cgroup: major faults became minor ones", result["major"] < 600, result)


def settings():
    with Program("s10", 12000, 200) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid)) as agent:
            program.go()
            check("settings: it pushes", wait_for(lambda: agent.figures().get("hits", 0) > 300))
            agent.set(f"pid={program.process.pid}&policy=off")
            time.sleep(0.5)
            calls = agent.figures()["calls"]
            major = agent.figures()["major"]
            check("settings: off stops it", wait_for(lambda: agent.figures().get("major", 0) > major + 300))
            check("settings: off makes no call", agent.figures()["calls"] == calls)
            agent.set("policy=adaptive")
            check("settings: on again pushes again", wait_for(lambda: agent.figures().get("calls", 0) > calls + 10))
            check("settings: metrics name the process", f'leap_push_hits_total{{pid="{program.process.pid}"}}' in agent.text("/metrics"))
            check("settings: the histogram counts touches", "Total count" in agent.text(f"/histogram?pid={program.process.pid}"))


def idle():
    with Program("s10", 3000) as program:
        program.filled()
        with Agent("--pid", str(program.process.pid)) as agent:
            time.sleep(2)
            before = agent.status()["turns"]
            time.sleep(5)
            turns = agent.status()["turns"] - before
            # One a second without a reason; a loop that polls would make ten thousand.
            check("idle: the agent sleeps while no faults come", turns < 50, turns)
            program.go()
            result = program.result()
            check("idle: and wakes when they do", result["wrong"] == 0 and result["major"] < 300, result)


SCENARIOS = [
    nothing, stride, reverse, interleaved, threads, leap, random, unmap, killed_agent, killed_program, executed, executed_twice, run, group,
    settings, idle,
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
