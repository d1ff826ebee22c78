"""A real browser: Debian's chromium without a screen, driven over its DevTools protocol.

Its commands and events are described at https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import contextlib
import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.peers.service import eventually
from tests.requirement import need

ANSWER_SECONDS = 20.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# It must connect to the service and nothing else.
OPTIONS = shlex.split("""
    --headless --remote-debugging-port=0 --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
    --no-default-browser-check --disable-background-networking --disable-component-update --disable-sync
    --disable-extensions --disable-default-apps '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'
""")


class Chromium:
    """One browser process; a context manager. Each page has a profile of its own, deleted with the page."""

    def __init__(self):
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        need(program, "chromium")
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={self._folder.name}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            port, path = eventually(self._address, ANSWER_SECONDS)
            self._host = f"ws://127.0.0.1:{port}"
            self._tools = DevTools(f"{self._host}{path}")
        except BaseException:
            self._end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(AssertionError, ConnectionClosed):
            self._tools.send("Browser.close")
        self._tools.close()
        self._end()

    @contextlib.contextmanager
    def page(self, width=1280, height=900, scheme="light", scripts=True, timezone="UTC"):
        """A blank page. `scheme` is the colour scheme the reader prefers; without `scripts`, none run."""
        context = self._tools.send("Target.createBrowserContext")["browserContextId"]
        target = self._tools.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        try:
            with contextlib.closing(Page(f"{self._host}/devtools/page/{target}")) as page:
                for domain in ("Page", "Runtime", "Log", "Network"):
                    page.send(f"{domain}.enable")
                page.send("Emulation.setFocusEmulationEnabled", enabled=True)
                page.send("Emulation.setScrollbarsHidden", hidden=True)
                page.resize(width, height)
                page.send("Emulation.setTimezoneOverride", timezoneId=timezone)
                page.send("Emulation.setScriptExecutionDisabled", value=not scripts)
                page.prefer(scheme)
                yield page
        finally:
            self._tools.send("Target.disposeBrowserContext", browserContextId=context)

    def _end(self):
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._folder.cleanup()

    def _address(self):
        if self._process.poll() is not None:
            raise AssertionError(f"chromium ended with {self._process.returncode}")
        with contextlib.suppress(OSError, ValueError):
            port, path = Path(self._folder.name, "DevToolsActivePort").read_text().split()
            return port, path
        return None


class DevTools:
    """A connection to the browser or to one of its pages."""

    def __init__(self, url):
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()  # guards _answers and _events
        self._answers = {}
        self._events = []
        self._connection = connect(url, max_size=None, ping_interval=None, compression=None, proxy=None)
        self._socket = self._connection.__enter__()
        self._reader = threading.Thread(target=self._read, name="chromium", daemon=True)
        self._reader.start()

    def send(self, method, **parameters):
        """A command's result. Raises AssertionError with the browser's error."""
        number = self.post(method, **parameters)
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._answers, 2 * ANSWER_SECONDS):
                raise AssertionError(f"{method}: no answer")
            answered = self._answers.pop(number)
        if "error" in answered:
            raise AssertionError(f"{method}: {answered['error']}")
        return answered["result"]

    def post(self, method, **parameters):
        """Send a command without waiting for its answer, which arrives under the number returned."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        return number

    def react(self, method, parameters):
        """Called with each event by the reading thread, which must not wait for answers."""

    def seen(self, method):
        """The parameters of every event of that method."""
        with self._changed:
            return [parameters for each, parameters in self._events if each == method]

    def wait_for_event(self, method, count=1):
        """Wait until there have been `count` events of that method. Raises AssertionError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.seen(method)) >= count, ANSWER_SECONDS):
                raise AssertionError(f"no {method}")

    def close(self):
        self._connection.__exit__(None, None, None)
        self._reader.join(ANSWER_SECONDS)

    def _read(self):
        with contextlib.suppress(ConnectionClosed):
            for text in self._socket:
                message = json.loads(text)
                with self._changed:
                    if "id" in message:
                        self._answers[message["id"]] = message
                    else:
                        self._events.append((message["method"], message["params"]))
                    self._changed.notify_all()
                if "id" not in message:
                    self.react(message["method"], message["params"])


class Page(DevTools):
    """One tab."""

    def react(self, method, parameters):
        if method == "Fetch.requestPaused":
            self.post("Fetch.continueRequest", requestId=parameters["requestId"])
        if method == "Fetch.authRequired":
            entered = {"response": "ProvideCredentials", "username": "someone", "password": self._password}
            self.post("Fetch.continueWithAuth", requestId=parameters["requestId"], authChallengeResponse=entered)

    def enter_when_asked(self, password):
        """Fill every password dialog; each is an event `Fetch.authRequired`."""
        self._password = password
        self.send("Fetch.enable", handleAuthRequests=True)

    def goto(self, url):
        """Load `url`, and wait until it has loaded."""
        loads = len(self.seen("Page.loadEventFired"))
        self.send("Page.navigate", url=url)
        self.wait_for_event("Page.loadEventFired", loads + 1)

    def inject(self, source):
        """Run a script in each page loaded from now on, before the page's own."""
        self.send("Page.addScriptToEvaluateOnNewDocument", source=source)

    def go_offline(self):
        """Fail every request from now on."""
        throughput = {"downloadThroughput": -1, "uploadThroughput": -1}
        self.send("Network.emulateNetworkConditions", offline=True, latency=0, **throughput)

    def evaluate(self, expression):
        """The value of a JavaScript expression, awaited. Raises AssertionError with an exception it throws."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_until(self, expression, timeout=ANSWER_SECONDS):
        """Wait until a JavaScript expression is true; only where scripts run. Raises AssertionError."""
        deadline = f"performance.now() + {timeout * 1000}"
        came = self.evaluate(
            f"(async (end) => {{ while (!({expression})) {{ if (performance.now() > end) return false;"
            f" await new Promise((go) => setTimeout(go, 10)); }} return true; }})({deadline})"
        )
        if not came:
            raise AssertionError(f"not in {timeout} s: {expression}; the page shows: {self.text()}")

    def text(self, selector="body"):
        """The text that a reader sees of the first element that matches."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        self.send(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def screenshot(self, path):
        """The whole page as a PNG file."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(base64.b64decode(data))

    def requested(self):
        """Every URL that the page requested, WebSockets included."""
        sent = [each["request"]["url"] for each in self.seen("Network.requestWillBeSent")]
        return sent + [each["url"] for each in self.seen("Network.webSocketCreated")]

    def errors(self):
        """The console's errors and warnings: exceptions, what scripts log, and the browser's own messages."""
        thrown = [each["exceptionDetails"] for each in self.seen("Runtime.exceptionThrown")]
        logged = [each for each in self.seen("Runtime.consoleAPICalled") if each["type"] in ("error", "warning")]
        entries = [each["entry"] for each in self.seen("Log.entryAdded")]
        return thrown + logged + [each for each in entries if each["level"] in ("error", "warning")]
