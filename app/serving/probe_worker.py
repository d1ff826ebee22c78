"""gunicorn's threaded worker, made so that nothing can crowd a probe out.

A connection stays with the loop until its whole request head is there, and again while it closes: an idle,
half-sent or lingering one holds no pool thread. The loop itself never waits, and answers probes by itself.
"""

import errno
import logging
import socket
import time
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from app.factory import answers_of, runtime_of
from app.serving import answer_bytes
from app.serving.connection_table import ConnectionTable, Stage
from app.serving.lane import Lane
from app.serving.probe_connection import ProbeConnection
from app.serving.request_head import ProbeRequest, decidable, recognise

HEAD_SECONDS = 10.0
HEAD_BYTES = 32 * 1024
CLOSING_SECONDS = 2.0
CLOSING_BYTES = 64 * 1024
# Who takes nothing of an answer for so long is given up: a thread waits for him to take it.
SEND_SECONDS = 10.0
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = logging.getLogger(__name__)


class ProbeWorker(ThreadWorker):
    """Serves HTTP/1 over TCP. Everything here but `handle_request` runs on the loop's thread."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._table: ConnectionTable[ProbeConnection] = ConnectionTable(
            {Stage.HEAD: HEAD_SECONDS, Stage.IDLE: float(self.cfg.keepalive), Stage.CLOSING: CLOSING_SECONDS}
        )
        # Half of the connections that threads leave over stays free for probes, however many wait for a thread.
        self._most_at_work = (self.worker_connections + self.cfg.threads) // 2
        self._exhausted = False
        self._running = True

    def run(self) -> None:
        """See gunicorn's Worker: the loop, from start to stop."""
        runtime = runtime_of(self.wsgi)
        self._count_refused = runtime.turned_away.count
        self._lane: Lane[ProbeConnection] = Lane(runtime.watch, answers_of(self.wsgi), lambda: runtime.draining)
        runtime.watch.listen(lambda _: self.method_queue.defer(self._unpark) if self._running else None)
        for listener in self.sockets:  # what is accepted inherits it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SEND_SECONDS * 1000))
        try:
            super().run()
        finally:
            self._running = False  # what wakes the loop is closed now, and its descriptor may be another's

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """See ThreadWorker: one turn of the loop, of `timeout` seconds at most."""
        unparks_at, ends_at, now = self._lane.wakes_at, self._table.ends_at(), time.monotonic()
        super().wait_for_and_dispatch_events(max(0.0, min(timeout, unparks_at - now, ends_at - now)))
        now = time.monotonic()
        if now >= unparks_at:
            self._unpark()
        if now >= ends_at:
            for conn in self._table.overdue(now):
                self._expire(conn)

    def accept(self, listener: Any) -> None:
        """See ThreadWorker: take one new connection, and keep a place free for the next."""
        try:
            sock, peer = listener.accept()
        except OSError as error:
            # Whatever is wrong with one connection in the making need not be with the next (accept(2)).
            if error.errno in EXHAUSTED:
                if not self._exhausted:
                    log.warning("closing idle connections to accept new ones: %s", error.strerror)
                self._exhausted = True
                self._evict()
            return
        self.nr_conns += 1
        self._watch(ProbeConnection(self.cfg, sock, peer, listener.getsockname()), Stage.HEAD)
        if self.nr_conns >= self.worker_connections:
            self._evict()

    def handle_request(self, req: Any, conn: ProbeConnection) -> bool:
        """See ThreadWorker: answer one request; False if it is the last on its connection."""
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            log.debug("a client took nothing of its answer for %g s", SEND_SECONDS)
            return False

    def finish_request(self, conn: ProbeConnection, fs: "Future[Any]") -> None:
        """See ThreadWorker: a pool thread is done with a connection's request."""
        try:
            keep_alive = fs.result() is True
        except BaseException as error:
            # Also SystemExit: raised here, it would end the worker, and with status 3 or 4 the service.
            log.error("panic: %s", error, exc_info=error)
            keep_alive = False
        if not keep_alive:
            self._close_politely(conn)
            return
        conn.take_back()
        self._watch(conn, Stage.IDLE)
        if conn.unparsed:
            self._examine(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """See ThreadWorker: the worker stops, and waits for no request beyond `deadline`."""
        self._table.end_by(deadline)

    def _watch(self, conn: ProbeConnection, stage: Stage) -> None:
        """Have the poller watch a connection that is with the loop now."""
        try:
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ, partial(self._readable, conn))
        except (OSError, ValueError):
            self._drop(conn)  # the application has closed it
        else:
            self._table.put(conn, stage, time.monotonic())

    def _unwatch(self, conn: ProbeConnection) -> None:
        if self._table.take(conn):
            self.poller.unregister(conn.sock)

    def _readable(self, conn: ProbeConnection, _sock: Any) -> None:
        if not conn.open:
            return  # dropped earlier in this turn
        data = conn.read()
        if data is None:
            return
        if not data:
            self._drop(conn)
        elif self._table.stage_of(conn) is Stage.CLOSING:
            conn.drained += len(data)
            if conn.drained > CLOSING_BYTES:
                self._drop(conn)
        else:
            conn.unparsed += data
            self._examine(conn)

    def _examine(self, conn: ProbeConnection) -> None:
        """Answer, hand over, refuse, or wait for more, as what has come of a request demands."""
        head = conn.unparsed
        request = recognise(head)
        if request is not None:
            conn.unparsed = b""
            answer = self._lane.answer(conn, request)
            if answer is None:
                self._unwatch(conn)
            else:
                self._send(conn, request, answer)
        elif decidable(head):
            self._hand_over(conn)
        elif len(head) > HEAD_BYTES:
            line_ended = b"\r\n" in head
            self._refuse(
                conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if line_ended else HTTPStatus.REQUEST_URI_TOO_LONG
            )
        elif self._table.stage_of(conn) is Stage.IDLE:
            self._table.put(conn, Stage.HEAD, time.monotonic())

    def _hand_over(self, conn: ProbeConnection) -> None:
        """Have a pool thread parse and answer."""
        at_work = self.nr_conns - len(self._table) - len(self._lane)
        if at_work >= self._most_at_work:
            self._count_refused("busy")
            self._refuse(conn, HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._unwatch(conn)
        self.enqueue_req(conn)

    def _unpark(self) -> None:
        """Answer the probes whose wait is over."""
        for conn, request, answer in self._lane.over(time.monotonic()):
            self._watch(conn, Stage.IDLE)
            if conn.open:
                self._send(conn, request, answer)

    def _send(self, conn: ProbeConnection, request: ProbeRequest, answer: bytes) -> None:
        if not conn.write(answer):
            self._drop(conn)
        elif self._lane.closes(request):
            self._close_politely(conn)
        else:
            self._table.put(conn, Stage.IDLE, time.monotonic())

    def _refuse(self, conn: ProbeConnection, status: int) -> None:
        if conn.write(answer_bytes.refusal(status)):
            self._close_politely(conn)
        else:
            self._drop(conn)

    def _expire(self, conn: ProbeConnection) -> None:
        if conn.unparsed and self._table.stage_of(conn) is Stage.HEAD:
            self._refuse(conn, HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._drop(conn)

    def _evict(self) -> None:
        """Close the connection that can best be done without, if there is one."""
        conn = self._table.longest()
        if conn is not None:
            self._count_refused("evicted")
            self._drop(conn)

    def _close_politely(self, conn: ProbeConnection) -> None:
        """End our side, and keep the socket until the peer ends its own: what it may still be sending would reset
        the connection, and the answer with it (RFC 9112, 9.6). gunicorn waits for that on its loop."""
        if not conn.end():
            self._drop(conn)
        elif self._table.stage_of(conn) is None:
            self._watch(conn, Stage.CLOSING)
        else:
            self._table.put(conn, Stage.CLOSING, time.monotonic())

    def _drop(self, conn: ProbeConnection) -> None:
        """Close a connection and count it off, once."""
        self._unwatch(conn)
        if conn.open:
            conn.open = False
            self.nr_conns -= 1
            conn.close()
