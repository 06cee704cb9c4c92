"""A browser without a window, driven over HTTP as W3C's WebDriver says, with the standard library.

Both processes, the driver and the browser that it starts, have a folder of their own and are stopped
by their pids.
"""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's name for a reference to an element
TAB, ENTER, SPACE, SHIFT = "\ue004", "\ue007", " ", "\ue008"


def missing():
    """Why there is no browser for tests; None if there is one."""
    names = [name for name, path in (("chromedriver", DRIVER), ("chromium", BROWSER)) if path is None]
    return f"not installed: {', '.join(names)}" if names else None


class BrowserError(Exception):
    """What the driver says went wrong."""


class Element:
    """An element of the page."""

    def __init__(self, browser, reference):
        self.browser = browser
        self.reference = reference

    def click(self):
        self.browser.command("POST", f"/element/{self.reference}/click", {})


class Browser:
    """A browser with a fresh profile. `languages` is what it prefers, as in es-AR,es."""

    def __init__(self, languages="en-US,en", size=(1280, 900), is_dark=False, is_calm=False,
                 is_phone=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-browser-"))
        self.session = None
        self.driver = None
        try:
            self._start_driver()
            self._start_session(languages)
            self.resize(size, is_phone)
            self.emulate(is_dark, is_calm)
        except BaseException:
            self.stop()
            raise

    def _start_driver(self):
        # Of its own session, so that what it starts can be stopped with it, whatever happens.
        self.driver = subprocess.Popen([DRIVER, "--port=0"], cwd=self.folder, text=True,
                                       env={**os.environ, "HOME": str(self.folder),
                                            "TMPDIR": str(self.folder)},
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.port = int(line.rstrip(".\n").rsplit(" ", 1)[1])
                return
        raise BrowserError("chromedriver ended at once")

    def _start_session(self, languages):
        # Without a sandbox, which root cannot have and a container may not allow: it opens nothing but
        # our own page.
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--disable-component-update", "--hide-scrollbars", "--force-color-profile=srgb",
                     f"--user-data-dir={self.folder / 'profile'}",
                     f"--accept-lang={languages}", f"--lang={languages.split(',')[0]}"]
        options = {"binary": BROWSER, "args": arguments,
                   "prefs": {"intl.accept_languages": languages,
                             "intl.selected_languages": languages}}
        answer = self._request("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = answer["sessionId"]

    def _request(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise BrowserError(json.load(error)["value"]["message"]) from None

    def command(self, method, path, body=None):
        return self._request(method, f"/session/{self.session}{path}", body)

    def devtools(self, name, **parameters):
        """A command of Chromium's own protocol."""
        return self.command("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def resize(self, size, is_phone=False):
        """The size of what the page has for itself, in its pixels."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                      deviceScaleFactor=1, mobile=is_phone)

    def emulate(self, is_dark, is_calm=False):
        """What the user prefers: dark pages, little motion."""
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if is_calm else "no-preference"}])

    def open(self, address):
        self.command("POST", "/url", {"url": address})

    def run(self, script, *arguments):
        """The value of a script, the body of a function with these arguments."""
        return self.command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        value = self.command("POST", "/element", {"using": "css selector", "value": selector})
        return Element(self, value[ELEMENT])

    def press(self, *keys):
        """Presses keys one after the other and lets go of them in reverse order."""
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.command("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def console(self):
        """The console's messages since the last call."""
        return self.command("POST", "/se/log", {"type": "browser"})

    def hosts(self):
        """host:port of all that pages of the web asked for since the last call."""
        events = [json.loads(entry["message"])["message"]
                  for entry in self.command("POST", "/se/log", {"type": "performance"})]
        addresses = [urllib.parse.urlsplit(event["params"]["request"]["url"]) for event in events
                     if event["method"] == "Network.requestWillBeSent" and
                     event["params"]["documentURL"].startswith("http")]
        return {address.netloc for address in addresses if address.scheme != "data"}

    def screenshot(self):
        """What the window shows, as PNG."""
        return base64.b64decode(self.command("GET", "/screenshot"))

    def stop(self):
        """Ends both processes and removes their folder."""
        if self.session is not None:
            with contextlib.suppress(BrowserError, OSError):
                self._request("DELETE", f"/session/{self.session}")
        if self.driver is not None:
            # The driver is the first process of its session; the browser's are in it, too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.driver.pid, signal.SIGTERM)
            try:
                self.driver.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.driver.pid, signal.SIGKILL)
                self.driver.wait()
            self.driver.stdout.close()
        for _ in range(50):  # a process of the browser's may still write
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                return
            time.sleep(0.1)
