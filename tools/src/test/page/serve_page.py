"""What a browser shows of a server: the values of /status, a control that works, and the truth when the server is away."""

import os
import urllib.error
import urllib.request
from types import SimpleNamespace

import nbd
from browser import ENTER, TAB, Browser
from processes import Donor, Server, await_that

PAGE = 4096
SIZE = 64 << 20
# What comes from outside is text, whatever it looks like.
EXPORT = "swap <img src=x onerror=document.title='caught'> of h4"
PICTURES = os.environ.get("LEAP_NBD_PICTURES")
PAGES = 4096  # written


def require(condition, what):
    if not condition:
        raise AssertionError(what)


class Looked:
    """A server with three donors and two copies, a client that has read and written, and a browser that looks."""

    def __init__(self, processes):
        self.processes = processes
        self.donors = [Donor(processes, "64M", f"donor {i}") for i in (1, 2, 3)]
        for donor in self.donors:
            donor.ready()
        self.server = Server(processes, SIZE, self.zones(), replicas=2, export=EXPORT, encrypt="on").ready()
        self.arguments = self.server.arguments
        # The same address after a restart, as with 9480.
        self.arguments[self.arguments.index("--http") + 1] = self.server.uri("http").removeprefix("http://")
        self.client = self.connect()
        for at in range(0, PAGES * PAGE, 1 << 20):
            self.client.pwrite(b"x" * (1 << 20), at)
        self.read()
        self.browser = Browser(processes.folder)

    def zones(self):
        return [SimpleNamespace(address=f"{donor.address}?zone=z{i}") for i, donor in enumerate(self.donors)]

    def connect(self):
        client = nbd.NBD()
        client.set_export_name(EXPORT)
        client.connect_unix(self.server.socket)
        return client

    def read(self, first=0, count=600):
        for page in range(first, first + count):
            self.client.pread(PAGE, page * PAGE)

    def get(self, path):
        with urllib.request.urlopen(self.server.uri("http") + path, timeout=20) as answer:
            return answer.read().decode()

    def live(self):
        await_that(lambda: self.browser.text("contact") == "live", f"contact: {self.browser.text('contact')}, {self.browser.console()}")

    def rows(self, table):
        code = "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map(row => [...row.cells].map(cell => cell.textContent))"
        return self.browser.script(code, table)

    def picture(self, name):
        if PICTURES:
            for width, height in ((360, 800), (1280, 900), (3840, 2160)):
                for dark in (False, True):
                    self.browser.dark(dark)
                    self.browser.width(width, height)
                    full = self.browser.script("return document.documentElement.scrollHeight")
                    self.browser.width(width, max(height, full))
                    self.browser.script("return new Promise(done => setTimeout(done, 1500))")
                    self.browser.picture(os.path.join(PICTURES, f"{name}-{width}-{'dark' if dark else 'light'}.png"))
            self.browser.emulate("Emulation.clearDeviceMetricsOverride")

    def close(self):
        self.browser.close()


def values_are_those_of_status(it):
    it.browser.open(it.server.uri("http") + "/")
    it.live()
    status = it.server.status()
    shown = {row[0]: row for row in it.rows("requests")}
    reads = status["requests"]["read"]
    require(shown["read"][1] == f"{reads['count']:,}", (shown, reads))
    require(shown["write"][1] == f"{status['requests']['write']['count']:,}", shown)
    p99 = reads["p99_us"]
    wanted = f"{p99:.2f} µs" if p99 < 10 else f"{p99:.1f} µs" if p99 < 100 else f"{p99:.0f} µs" if p99 < 1000 else "ms"
    require(shown["read"][3].endswith(wanted), (shown, p99))
    prefetch = status["prefetch"]
    require(it.browser.text("p-policy") == prefetch["policy"], it.browser.text("p-policy"))
    require(f"({prefetch['hits']:,} of {prefetch['demands']:,} pages)" in it.browser.text("p-coverage"), it.browser.text("p-coverage"))
    require(f"({prefetch['used']:,} of {prefetch['adds']:,} pages)" in it.browser.text("p-accuracy"), it.browser.text("p-accuracy"))
    require(it.browser.text("t-written") == "16 MiB", it.browser.text("t-written"))
    donors = it.rows("donors")
    require([row[0] for row in donors] == [one["name"] for one in status["donors"]], donors)
    for row, one in zip(donors, status["donors"]):
        require(row[1] == "up" and f"{one['slabs_held']} MiB ours" in row[4], (row, one))
    security = it.browser.text("security")
    for line in status["security"]:
        require(f"{line['part']}: {line['detail']}" in security, (line, security))
    complaints = it.browser.script("return [...document.querySelectorAll('#degraded li')].map(item => item.textContent)")
    require(complaints == status["degraded"], (complaints, status["degraded"]))
    states = dict(it.rows("map-states"))
    require(states["all copies"] == str(status["export"]["slabs_mapped"]), states)
    require(EXPORT in it.browser.text("about"), it.browser.text("about"))
    require("caught" not in it.browser.script("return document.title").split(EXPORT)[0], "the export's name was run")
    require(it.browser.script("return document.querySelector('#about img, main img')") is None, "the export's name was taken for markup")
    it.picture("serve")


def percentiles_are_of_the_last_seconds(it):
    before = it.browser.text("t-p99")
    it.read(0, 600)
    await_that(lambda: it.browser.text("t-p50") not in ("–", ""), f"no percentile is shown; {before}")
    await_that(lambda: it.browser.text("t-reads") not in ("–", "0"), "no reads a second are shown")
    # When nobody reads there is none any more.
    await_that(lambda: it.browser.text("t-p50") == "–", "a percentile without a read")


def the_control_changes_the_policy(it):
    it.browser.script(
        "const f = document.getElementById('f-policy'); f.focus(); f.value = arguments[0]; f.dispatchEvent(new Event('input', {bubbles: true}))",
        "leap",
    )
    it.browser.click("#prefetch-form button[type=submit]")
    await_that(lambda: it.server.status()["prefetch"]["policy"] == "leap", f"the policy is as it was: {it.browser.text('f-result')}")
    await_that(lambda: it.browser.text("f-result").startswith("Done. "), it.browser.text("f-result"))
    await_that(lambda: it.browser.text("p-policy") == "leap", "the page does not show it")


def what_is_refused_is_said(it):
    it.browser.script("const f = document.getElementById('f-cache'); f.focus(); f.select()")
    it.browser.keys("#f-cache", "4G" + ENTER)
    await_that(lambda: "more than the" in it.browser.text("f-result"), f"no refusal: {it.browser.text('f-result')}")
    require(it.browser.text("f-result").startswith("Not changed: cache-size"), it.browser.text("f-result"))
    require(it.server.status()["prefetch"]["cache_size"] == 16 << 20, "it was changed")
    it.browser.click("#f-reset")
    require(it.browser.script("return document.getElementById('f-cache').value") == "16M", "the edit was not undone")
    # The browser has said that the answer was 400.
    require(all("400" in line["message"] for line in it.browser.console()), "something else was complained of")


def a_page_of_another_origin_changes_nothing(it):
    for origin in ("http://evil.example", it.donors[0].uri("http"), "null"):
        request = urllib.request.Request(it.server.uri("http") + "/settings?prefetch=none", headers={"Origin": origin}, method="PUT")
        try:
            urllib.request.urlopen(request, timeout=20)
            raise AssertionError(f"{origin} was let in")
        except urllib.error.HTTPError as refused:
            require(refused.code == 403, refused.code)
    require(it.server.status()["prefetch"]["policy"] == "leap", "the policy was changed")


def it_is_used_by_keyboard(it):
    it.browser.open(it.server.uri("http") + "/")
    it.live()
    seen = []
    for _ in range(40):
        it.browser.press(TAB)
        seen.append(it.browser.script("const e = document.activeElement; return e.id || e.textContent.trim() || e.tagName"))
        visible = it.browser.script("return getComputedStyle(document.activeElement).outlineStyle")
        require(visible not in ("none", ""), f"focus cannot be seen on {seen[-1]}")
        if seen[-1] == "map":
            break
    for wanted in ("Skip to the figures", "f-policy", "f-cache", "Apply", "map-donor", "map"):
        require(wanted in seen, f"{wanted} is not reached: {seen}")
    it.browser.press("\ue014")  # arrow right
    await_that(lambda: it.browser.text("map-cell").startswith("Slab 0: all copies; at "), it.browser.text("map-cell"))
    unlabelled = it.browser.script(
        "return [...document.querySelectorAll('input, select, button, canvas, section, table')].filter(e => !(e.labels?.length ||"
        " e.ariaLabel || e.caption || e.getAttribute('aria-labelledby') || e.tagName === 'BUTTON' && e.textContent"
        " || e.closest('[aria-labelledby],[aria-label]'))).map(e => e.id || e.outerHTML.slice(0, 80))"
    )
    require(unlabelled == [], unlabelled)


def nothing_overflows(it):
    for width in (360, 1280, 3840):
        it.browser.width(width)
        found = it.browser.script("return document.documentElement.scrollWidth")
        require(found <= width, f"{found} pixels on {width}")
    it.browser.emulate("Emulation.clearDeviceMetricsOverride")


def a_dead_server_is_said_and_its_return_noticed(it):
    require(it.browser.console() == [], "something was complained of before")
    it.browser.script("window.same = true")
    it.server.kill()
    await_that(lambda: it.browser.shown("alert"), "nothing is said")
    said = it.browser.text("alert")
    require(said.startswith("The server does not answer since ") and "What is shown is older" in said, said)
    require(it.browser.text("contact") == "no answer", it.browser.text("contact"))
    require(it.browser.text("t-written") == "16 MiB", "the last values are gone")
    it.server.spawn()
    it.server.ready()
    it.live()
    require(not it.browser.shown("alert"), "it still says that nobody answers")
    require("was started anew at" in it.browser.text("news"), it.browser.text("news"))
    require(it.browser.script("return window.same") is True, "the page was loaded again")
    # Only that there was no connection: nothing of the page itself went wrong.
    for line in it.browser.console():
        require("ERR_CONNECTION" in line["message"] or "ERR_EMPTY_RESPONSE" in line["message"], line)
    it.client = it.connect()


def the_page_asks_for_a_token(it):
    secret = "jL3kx0PZr6Yw5u2mQ9aFhg=="
    path = it.processes.path("token")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
        out.write(secret + "\n")
    guarded = Server(it.processes, 16 << 20, name="guarded", http_token=path).ready()
    it.browser.open(guarded.uri("http") + "/")
    await_that(lambda: it.browser.shown("token-form"), "no token is asked for")
    it.browser.keys("#token", "wrongTokenAltogether" + ENTER)
    await_that(lambda: "does not take this token" in it.browser.text("alert"), it.browser.text("alert"))
    it.browser.keys("#token", secret + ENTER)
    it.live()
    require(not it.browser.shown("token-form"), "it still asks")
    it.browser.script(
        "const f = document.getElementById('f-policy'); f.value = 'none'; f.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    it.browser.click("#prefetch-form button[type=submit]")
    await_that(lambda: it.browser.text("f-result").startswith("Done. "), it.browser.text("f-result"))
    require(secret not in it.browser.script("return document.documentElement.outerHTML"), "the token is in the page")
    require(all("401" in line["message"] for line in it.browser.console()), "something else was complained of")
    guarded.kill()


def add(suite):
    suite.test("the page of a server shows what /status says, and names from outside as text", values_are_those_of_status)
    suite.test("the page shows percentiles and rates of the last seconds", percentiles_are_of_the_last_seconds)
    suite.test("the page changes the prefetch policy", the_control_changes_the_policy)
    suite.test("the page says why a setting is refused", what_is_refused_is_said)
    suite.test("a page of another origin changes nothing", a_page_of_another_origin_changes_nothing)
    suite.test("the page is used by keyboard, its focus is seen and its controls have names", it_is_used_by_keyboard)
    suite.test("the page fits windows of 360 to 3840 pixels", nothing_overflows)
    suite.test("the page says that its server is dead, and goes on when it is back", a_dead_server_is_said_and_its_return_noticed)
    suite.test("the page asks for the token of a server that has one", the_page_asks_for_a_token)
