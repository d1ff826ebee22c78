"""Requests without a pause, to see which of them are lost."""

import contextlib
import http.client
import json
import threading
import time

SECONDS = 10  # the longest wait for a response
PAUSE = 0.02
LATELY_SECONDS = 1.0
# One request after the other on one connection, each on a new connection, and each waiting for a check.
KINDS = [{}, {}, {"Connection": "close"}, {"Connection": "close"}, {"Cache-Control": "no-cache"}]


class Load:
    """Requests of /health on a port of this machine, by a thread for each of KINDS; a context manager.

    `sent` counts the requests that have ended, and `lost` has the error of each that got no response of the service.
    """

    def __init__(self, port):
        self._port = port
        self._ended = threading.Event()
        self._lock = threading.Lock()  # guards what follows
        self.sent = 0
        self.lost = []
        self._last = {}  # time, status code and version of the last response, by the name of the replica
        self._threads = [threading.Thread(target=self._run, args=(kind,), name="load", daemon=True) for kind in KINDS]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def statuses(self):
        """The status code of the last response of each replica, by the name that it reports."""
        return {name: status for name, (status, _) in self._recent().items()}

    def versions(self):
        """The versions that the replicas report."""
        return {version for _, version in self._recent().values()}

    def _recent(self):
        """Status code and version by replica, of those that have answered lately: each has its turn."""
        now = time.monotonic()
        with self._lock:
            return {name: answer for name, (when, *answer) in self._last.items() if now - when < LATELY_SECONDS}

    def _run(self, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        with contextlib.closing(connection):
            while not self._ended.wait(PAUSE):
                try:
                    connection.request("GET", "/health", headers=headers)
                    response = connection.getresponse()
                    text = response.read()
                    if response.getheader("Content-Type") != "application/json":
                        raise http.client.HTTPException(f"{response.status}: {text[:80]!r}")  # the proxy's own
                    body = json.loads(text)
                    name, last = body["service"], (time.monotonic(), response.status, body["version"])
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    with self._lock:
                        self.sent += 1
                        self.lost.append(repr(error))
                else:
                    with self._lock:
                        self.sent += 1
                        self._last[name] = last
