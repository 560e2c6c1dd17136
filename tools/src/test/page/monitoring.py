"""What docs/monitoring has for Prometheus and Grafana: right in itself, and about metrics that there are."""

import json
import os
import re
import urllib.request

from processes import LAUNCHER
from serve_page import EXPORT, require

FOLDER = os.path.join(os.path.dirname(LAUNCHER), "docs/monitoring")
# What only a server with a spill has.
ELSEWHERE = {"leap_spill_used_bytes"}
NAME = re.compile(r"\b(?:leap|process)_[a-z_]+\b")


def rules_are_right(it):
    text = it.processes.run("promtool", "check", "rules", os.path.join(FOLDER, "alerts.yml"))
    require("SUCCESS: 12 rules found" in text, text)
    it.processes.run("promtool", "test", "rules", os.path.join(FOLDER, "alerts-test.yml"))


def metrics(daemon):
    with urllib.request.urlopen(daemon.uri("http") + "/metrics", timeout=20) as answer:
        return answer.read().decode()


def every_metric_exists(it):
    it.read(0, 1)  # The server was started anew, and has measured nothing yet.
    texts = [metrics(it.server), metrics(it.donors[1])]
    for text in texts:
        it.processes.run("promtool", "check", "metrics", stdin=text)
    text = "".join(texts)
    known = {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}
    with open(os.path.join(FOLDER, "alerts.yml")) as rules:
        expressions = [line for line in rules.read().splitlines() if not line.lstrip().startswith(("summary", "description", "#"))]
    with open(os.path.join(FOLDER, "grafana-dashboard.json")) as board:
        panels = json.load(board)["panels"]
    expressions += [target["expr"] for panel in panels for target in panel.get("targets", [])]
    used = {name for one in expressions for name in NAME.findall(one)}
    require(len(used) > 25, used)
    require(used - known - ELSEWHERE == set(), f"no such metrics: {used - known - ELSEWHERE}")


def series_name_their_export(it):
    its = f'export="{EXPORT}"'
    free = ("leap_build_info", "leap_loop_", "leap_start_time", "leap_connections", "leap_protocol_violations", "process_")
    for line in metrics(it.server).splitlines():
        if not line.startswith(("#", *free)):
            require(its in line, line)


def add(suite):
    suite.test("alert rules pass promtool and their own tests", rules_are_right)
    suite.test("dashboard and rules ask for metrics that there are", every_metric_exists)
    suite.test("every series of an export has its name", series_name_their_export)
