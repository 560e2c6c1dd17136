"""A headless Chromium, driven over WebDriver's HTTP protocol with nothing but Python's own library."""

import base64
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from processes import await_that, die_with_parent

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER = "\ue007"
TAB = "\ue004"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """One window. Everything that is asked of the page is a short script."""

    def __init__(self, folder, width=1280, height=900):
        port = free_port()
        self.root = f"http://127.0.0.1:{port}"
        self.log = open(os.path.join(folder, "chromedriver.log"), "w")
        self.child = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            await_that(self.driver_answers, "chromedriver answers")
            arguments = [
                "--headless=new",
                "--no-sandbox",  # this is root in a container
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--window-size={width},{height}",
                f"--user-data-dir={os.path.join(folder, 'profile')}",
            ]
            capabilities = {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self.session = f"/session/{made['sessionId']}"
        except BaseException:
            self.close()
            raise

    def driver_answers(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=240) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as failed:
            raise AssertionError(f"{method} {path}: {failed.read().decode()[:2000]}") from failed

    def of_session(self, method, path, body=None):
        return self.call(method, self.session + path, body)

    def open(self, url):
        self.of_session("POST", "/url", {"url": url})

    def script(self, code, *arguments):
        return self.of_session("POST", "/execute/sync", {"script": code, "args": list(arguments)})

    def text(self, identity):
        return self.script("return document.getElementById(arguments[0]).textContent", identity)

    def shown(self, identity):
        return self.script("return document.getElementById(arguments[0]).checkVisibility()", identity)

    def element(self, selector):
        found = self.of_session("POST", "/element", {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def keys(self, selector, text):
        """As if somebody typed into it."""
        self.of_session("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def click(self, selector):
        self.of_session("POST", f"/element/{self.element(selector)}/click", {})

    def press(self, key):
        actions = [{"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]
        self.of_session("POST", "/actions", {"actions": actions})

    def console(self):
        """What the page has written to its console since the last call, and what the browser complained of."""
        return self.of_session("POST", "/se/log", {"type": "browser"})

    def emulate(self, command, **parameters):
        self.of_session("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def dark(self, on):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.emulate("Emulation.setEmulatedMedia", features=[scheme])

    def width(self, pixels, height=900):
        self.emulate("Emulation.setDeviceMetricsOverride", width=pixels, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(self.of_session("GET", "/screenshot")))

    def close(self):
        if hasattr(self, "session"):
            try:
                self.of_session("DELETE", "")
            except (OSError, AssertionError):
                pass  # It is killed below.
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(30)
        self.log.close()
