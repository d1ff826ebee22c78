"""gunicorn's threaded worker, made so that nothing can crowd a probe out.

A connection stays with the loop until its whole request head is there, while a client is slow to read an answer, and
again while it closes: none of these holds a pool thread. The loop itself never waits, and answers probes by itself.
"""

import logging
import socket
import sys
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from app.factory import answers_of, probers_of, runtime_of
from app.health.probers import PIPED_SECONDS
from app.serving import scarcity
from app.serving.clients import LIMITS, Clients
from app.serving.connection_table import Stage
from app.serving.lane import Lane
from app.serving.probe_connection import ProbeConnection
from app.serving.scarcity import Scarcity
from app.serving.thread_pool import ThreadPool
from app.web import waiting, who_asks

# Requests that compute at the same time. With more, the loop waits too long for the interpreter's lock: measured with
# 600 connections full of requests, probes waited 10 s beside 128 computing threads and 0.2 s beside 4.
MOST_COMPUTING = 4
SWITCH_INTERVAL_SECONDS = 0.0005
MOST_ACCEPTED = 16  # in one turn of the loop

log = logging.getLogger(__name__)


class ProbeWorker(ThreadWorker):
    """Serves HTTP/1 over TCP. Everything here runs on the loop's thread, but for `_serve`."""

    tpool: ThreadPool

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Half of the connections that threads leave over stays free for probes, however many wait for a thread.
        self._most_at_work = (self.worker_connections + self.cfg.threads) // 2
        self._scarcity = Scarcity()
        self._running = True
        self._crowded = False

    def get_thread_pool(self) -> ThreadPool:
        """See ThreadWorker."""
        return ThreadPool(self.cfg.threads, MOST_COMPUTING)

    def run(self) -> None:
        """See gunicorn's Worker: the loop, from start to stop."""
        runtime = runtime_of(self.wsgi)
        self._probers = probers_of(self.wsgi)
        self._probers.sees_abandonment = True
        lane: Lane[ProbeConnection] = Lane(
            runtime.watch, answers_of(self.wsgi), self._probers, lambda: runtime.draining
        )
        self._clients = Clients(
            self.poller, lane, self.cfg.keepalive, self._hand_over, runtime.turned_away.count, self._closed
        )
        runtime.watch.listen(lambda _: self.method_queue.defer(self._clients.unpark) if self._running else None)
        application = self.wsgi.wsgi_app

        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            environ = environ | {waiting.ENVIRON_KEY: self.tpool.waiting}
            body = application(environ, start_response)
            environ["gunicorn.socket"].asked = environ.get(who_asks.ENVIRON_KEY)
            return body

        self.wsgi.wsgi_app = answer
        self._addresses = {listener: listener.getsockname() for listener in self.sockets}
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # not on macOS
            for listener in self.sockets:
                # Accepted sockets inherit it. It bounds how long the kernel keeps an answer after its socket is closed.
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(LIMITS[Stage.SENDING] * 1000))
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        self.tpool.start()
        try:
            super().run()
        finally:
            self._running = False  # the pipe that wakes the loop is closed now: its descriptor may be another file's

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """See ThreadWorker: one turn of the loop, of `timeout` seconds at most."""
        now, wakes_at = time.monotonic(), self._clients.wakes_at
        timeout = min(timeout, wakes_at - now)
        if now < self._scarcity.paused_until:
            timeout = min(timeout, self._scarcity.paused_until - now)
        self._crowded = False
        super().wait_for_and_dispatch_events(max(0.0, timeout))
        # While more connections wait than one turn accepts, requests compute one at a time: any of those connections
        # may be a probe's. With 600 of them at once the slowest probe took 0.15 s, and 0.4 s without this.
        self.tpool.narrow(self._crowded)
        now = time.monotonic()
        if now >= wakes_at:
            self._clients.tend(now)
        self.tpool.tend()
        if now >= self._scarcity.over_at:
            self._scarcity.end()

    def set_accept_enabled(self, enabled: bool) -> None:
        """See ThreadWorker, whose loop asks for it in each turn."""
        super().set_accept_enabled(enabled and time.monotonic() >= self._scarcity.paused_until)

    def accept(self, listener: Any) -> None:
        """See ThreadWorker: accept new connections, and keep a place free for the next."""
        for _ in range(MOST_ACCEPTED):
            try:
                sock, peer = listener.accept()
            except OSError as error:
                # Whatever is wrong with one connection in the making need not be wrong with the next (accept(2)).
                if error.errno in scarcity.ERRORS:
                    self._make_room(error)
                return
            self.nr_conns += 1
            self._clients.read(ProbeConnection(self.cfg, sock, peer, self._addresses[listener]))
            if self.nr_conns >= self.worker_connections and not self._clients.evict():
                return
        self._crowded = True

    def _make_room(self, error: OSError) -> None:
        """Close a connection so that another one can be accepted; if there is none, accept nothing for a while."""
        now = time.monotonic()
        self._scarcity.failed(error, now)
        if not self._clients.evict():
            self._scarcity.pause(now)
            self.set_accept_enabled(False)

    def _cap_keepalive(self, deadline: float) -> None:
        """See ThreadWorker: the worker stops, and waits for no request beyond `deadline`."""
        self._clients.end_by(deadline)

    def _hand_over(self, conn: ProbeConnection) -> bool:
        """Have a pool thread answer; False if too many connections wait for one already, or none can be had."""
        at_work = self.nr_conns - len(self._clients)
        return at_work <= self._most_at_work and self.tpool.submit(partial(self._serve, conn))

    def _serve(self, conn: ProbeConnection) -> None:
        """In a pool thread: answer one request, and give the connection back to the loop."""
        conn.keep_alive = False
        conn.sock.asked = None
        try:
            keep_alive = self.handle(conn) is True
            self._note_abandonment(conn)
            conn.sock.flush()
            conn.keep_alive = keep_alive
        except BaseException as error:
            conn.sock.unsent.clear()
            if not isinstance(error, OSError):  # the client has gone
                log.error("panic: %s", error, exc_info=error)
        finally:
            self.method_queue.defer(self._clients.take_back, conn)

    def _note_abandonment(self, conn: ProbeConnection) -> None:
        """Count a probe whose client left before a thread had its answer, where the system reports when it left."""
        asked = conn.sock.asked
        if asked is not None and conn.ended() and (silent := conn.silent_for()) is not None:
            waited = self._probers.clock() - asked.at - silent
            if waited >= PIPED_SECONDS:
                self._probers.gave_up(asked.prober, waited)

    def _closed(self) -> None:
        """A connection has been closed."""
        self.nr_conns -= 1
        self._scarcity.freed()
