"""The connections that are with the worker's loop and with no thread: what they send, and what becomes of them."""

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any

from app.serving import answer_bytes
from app.serving.connection_table import ConnectionTable, Stage
from app.serving.lane import Lane
from app.serving.probe_connection import ProbeConnection
from app.serving.request_head import ProbeRequest, decidable

# Seconds in each stage, but for IDLE and PARKED. In SENDING they begin anew whenever the client has read something.
LIMITS = {Stage.CLOSING: 2.0, Stage.NEW: 10.0, Stage.HEAD: 10.0, Stage.SENDING: 10.0}
HEAD_BYTES = 32 * 1024
CLOSING_BYTES = 64 * 1024
# What all clients together may leave unread; the largest answers have a few hundred KB.
MOST_UNSENT_BYTES = 32 * 1024 * 1024


class Clients:
    """Reads requests, answers probes in the lane, hands the others over, and closes connections. Used by the loop.

    `hand_over` has a thread answer a connection's request, and returns False if there is none for it; `turned_away`
    counts a connection that is closed for lack of room, by cause; `closed` is called after each that has been closed.
    """

    def __init__(
        self,
        poller: BaseSelector,
        lane: Lane[ProbeConnection],
        idle_seconds: float,
        hand_over: Callable[[ProbeConnection], bool],
        turned_away: Callable[[str], None],
        closed: Callable[[], None],
    ) -> None:
        self._poller = poller
        self._lane = lane
        self._hand_over = hand_over
        self._turned_away = turned_away
        self._closed = closed
        self._table: ConnectionTable[ProbeConnection] = ConnectionTable({**LIMITS, Stage.IDLE: idle_seconds})

    def __len__(self) -> int:
        """How many connections are here."""
        return len(self._table) + len(self._lane) - len(self._table.within(Stage.PARKED))

    @property
    def wakes_at(self) -> float:
        """The moment at which `tend` has something to do; infinite if there is none."""
        return min(self._table.ends_at(), self._lane.wakes_at)

    def tend(self, now: float) -> None:
        """Answer the probes whose wait is over, and close the connections that have reached a limit."""
        if now >= self._lane.wakes_at:
            self.unpark()
        if now >= self._table.ends_at():
            for conn in self._table.overdue(now):
                self._expire(conn)

    def end_by(self, moment: float) -> None:
        """From now on wait for no request beyond `moment`."""
        self._table.end_by(moment)

    def unpark(self) -> None:
        """Answer the probes whose wait is over."""
        for conn, (answer, close) in self._lane.over(time.monotonic()):
            conn.reading = True
            self._send(conn, answer, close)

    def evict(self) -> bool:
        """Close the most expendable connection to make room for another one; False if there is none.

        Where only parked probes and new connections are left, the first probe gets its answer early: once all places
        were theirs, nothing would be accepted, nor anything evicted, until those that stay connected have been idle for
        long enough.
        """
        conn = self._table.expendable(time.monotonic())
        if conn is None and (hurried := self._lane.hurry()) is not None:
            conn, (answer, _) = hurried
            self._send(conn, answer, close=True)
        if conn is None:
            conn = next(iter(self._table.within(Stage.NEW)), None)
        if conn is None:
            return False
        self._turned_away("evicted")
        self._drop(conn)
        return True

    def take_back(self, conn: ProbeConnection) -> None:
        """Go on with a connection whose request a thread has answered."""
        if conn.sock.unsent:
            self._watch(conn, Stage.SENDING)
            slow = self._table.within(Stage.SENDING)
            while sum(len(each.sock.unsent) for each in slow) > MOST_UNSENT_BYTES:
                self._turned_away("evicted")
                self._drop(next(iter(slow)))
        elif not conn.keep_alive:
            self._close_politely(conn)
        else:
            conn.take_back()
            if conn.unparsed:
                self._examine(conn)
            else:
                self._watch(conn, Stage.IDLE)

    def read(self, conn: ProbeConnection, _sock: Any = None) -> None:
        """Read what has arrived on a connection, a new one or one that the poller watches."""
        if not conn.reading:
            if conn.open:  # not dropped earlier in this turn
                self._disturbed(conn)
            return
        data = conn.read()
        if data is None:
            if self._table.stage_of(conn) is None:
                self._watch(conn, Stage.NEW)
        elif not data:
            self._drop(conn)
        elif self._table.stage_of(conn) is Stage.CLOSING:
            conn.drained += len(data)
            if conn.drained > CLOSING_BYTES:
                self._drop(conn)
        elif not conn.unparsed and (request := self._lane.recognise(data)) is not None:
            self._answer(conn, request)
        else:
            conn.unparsed += data
            self._examine(conn)

    def _disturbed(self, conn: ProbeConnection) -> None:
        """A client whose probe is parked has left, or has sent more: that is read when the probe has been answered."""
        self._unwatch(conn)
        if conn.ended() and self._lane.abandoned(conn):
            self._drop(conn)

    def _write(self, conn: ProbeConnection, _sock: Any) -> None:
        if not conn.open:
            return  # dropped earlier in this turn
        try:
            sent = conn.sock.flush()
        except OSError:
            self._drop(conn)
            return
        if sent:
            self._unwatch(conn)
            self.take_back(conn)
        else:
            self._watch(conn, Stage.SENDING)

    def _watch(self, conn: ProbeConnection, stage: Stage) -> None:
        """Have a connection wait in a stage, watched by the poller."""
        if self._table.put(conn, stage, time.monotonic()):
            sending = stage is Stage.SENDING
            event, callback = (EVENT_WRITE, self._write) if sending else (EVENT_READ, self.read)
            try:
                self._poller.register(conn.sock, event, partial(callback, conn))
            except (OSError, ValueError):
                self._table.take(conn)
                self._drop(conn)  # the application has closed it

    def _unwatch(self, conn: ProbeConnection) -> None:
        if self._table.take(conn):
            self._poller.unregister(conn.sock)

    def _examine(self, conn: ProbeConnection) -> None:
        """Answer, hand over, refuse, or wait for more, as what has arrived of a request demands."""
        head = conn.unparsed
        request = self._lane.recognise(head)
        if request is not None:
            head.clear()
            conn.judged = 0
            self._answer(conn, request)
        elif decidable(head, conn.judged):
            self._unwatch(conn)
            if not self._hand_over(conn):
                self._turned_away("busy")
                self._refuse(conn, HTTPStatus.SERVICE_UNAVAILABLE)
        elif len(head) > HEAD_BYTES:
            line_ended = b"\r\n" in head
            self._refuse(
                conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if line_ended else HTTPStatus.REQUEST_URI_TOO_LONG
            )
        else:
            conn.judged = len(head)
            if self._table.stage_of(conn) is not Stage.HEAD:
                self._watch(conn, Stage.HEAD)

    def _answer(self, conn: ProbeConnection, request: ProbeRequest) -> None:
        """Answer a probe, now or when its wait is over."""
        rendered = self._lane.answer(conn, request)
        if rendered is None:
            conn.reading = False
            self._watch(conn, Stage.PARKED)
        else:
            answer, close = rendered
            self._send(conn, answer, close)

    def _send(self, conn: ProbeConnection, answer: bytes, close: bool) -> None:
        if not conn.write(answer):
            self._lane.unsent(conn)
            self._drop(conn)
        elif close:
            self._close_politely(conn)
        else:
            self._watch(conn, Stage.IDLE)

    def _refuse(self, conn: ProbeConnection, status: int) -> None:
        if conn.write(answer_bytes.refusal(status)):
            self._close_politely(conn)
        else:
            self._drop(conn)

    def _expire(self, conn: ProbeConnection) -> None:
        if self._table.stage_of(conn) is Stage.HEAD:
            self._refuse(conn, HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._drop(conn)

    def _close_politely(self, conn: ProbeConnection) -> None:
        """End our side, and keep the socket until the peer ends its own: what it may still be sending would reset
        the connection, and the answer with it (RFC 9112, 9.6). gunicorn waits for that on its loop."""
        if conn.end():
            self._watch(conn, Stage.CLOSING)
        else:
            self._drop(conn)

    def _drop(self, conn: ProbeConnection) -> None:
        """Close a connection, once."""
        self._unwatch(conn)
        if conn.open:
            conn.open = conn.reading = False
            conn.close()
            self._closed()
