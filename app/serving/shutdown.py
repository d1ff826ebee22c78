"""Shutting the worker down, in the order of politeness: readiness, sockets, listener, requests.

gunicorn has no hook for SIGTERM in a worker. By itself it keeps the listener open while nothing accepts, waits out its
whole timeout for an open WebSocket, and joins a stuck thread for as long as it is stuck.
"""

import logging
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

from gunicorn.workers import gthread

from app.runtime import Runtime

LOOK_SECONDS = 0.25
# In a hurry, the process is gone within a second: the sockets have so long to send their close frames, the loop to end,
# and the parts to stop.
HURRIED_SOCKETS_SECONDS = 0.3
HURRIED_LOOP_SECONDS = 0.15
STOP_SECONDS = 0.3
# An ordinary exit of the main thread has so long; pymongo alone would wait a second for its threads.
EXIT_SECONDS = 0.1
# For a request that a client may be sending just now on a connection kept alive. gunicorn's own 2 s are too long where
# everything has been answered with `Connection: close` for a while.
LINGER_SECONDS = 0.3

log = logging.getLogger(__name__)


class Order(Enum):
    """What the shutdown thread is ordered to do, and why."""

    DRAIN = "SIGTERM"
    QUIT = "SIGINT or SIGQUIT"
    STOPPED = "the worker stops by itself, or its parent has gone"
    ENDED = "the worker's loop has ended"


class Shutdown:
    """Waits in a thread of its own for the order to shut down, and carries it out.

    Signal handlers only put the order into a queue: they run between any two instructions of the main thread, which
    may hold any lock. The thread ends the process if the main thread has not done so in time.
    """

    def __init__(
        self,
        worker: Any,
        runtime: Runtime,
        drain_seconds: float,
        shutdown_timeout_seconds: float,
        exit_process: Callable[[int], object] | None = None,
    ) -> None:
        self._worker = worker
        self._runtime = runtime
        self._drain_seconds = drain_seconds
        self._shutdown_timeout_seconds = shutdown_timeout_seconds
        self._exit_process = exit_process or end_process
        self._status = 0
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self.run, name="shutdown", daemon=True)

    def prepare(self) -> None:
        """Start the thread and take over the signals; in the worker's main thread, once gunicorn has set its own."""
        gthread.STOP_KEEPALIVE_LINGER = LINGER_SECONDS
        self._thread.start()
        for number, order in ((signal.SIGTERM, Order.DRAIN), (signal.SIGINT, Order.QUIT), (signal.SIGQUIT, Order.QUIT)):
            signal.signal(number, lambda *_, order=order: self.order(order))
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)  # the master logs that they are ignored

    def order(self, order: Order) -> None:
        """Have the worker shut down. Once it has begun to, only QUIT changes something: it hurries."""
        self._orders.put(order)

    def ended(self, status: int) -> None:
        """The main thread is about to end the process with this exit status."""
        within(STOP_SECONDS, self._runtime.stop)
        self._status = status
        self._orders.put(Order.ENDED)

    def run(self) -> None:
        """Wait for an order, shut down, and end the process: an ordinary exit would wait for threads that are stuck."""
        order = self._first_order()
        come = order if order is Order.ENDED else self._shut_down(order)
        if come is Order.ENDED:
            time.sleep(EXIT_SECONDS)
        self._exit_process(self._status)

    def _shut_down(self, order: Order) -> Order | None:
        """Go through all steps; ENDED if the main thread has reached its end meanwhile."""
        within(STOP_SECONDS, self._runtime.begin_drain)
        hurried = order is Order.QUIT
        if order is Order.DRAIN:
            hurried = self._wait(self._drain_seconds, Order.QUIT) is Order.QUIT
        end = time.monotonic() + self._shutdown_timeout_seconds
        within(HURRIED_SOCKETS_SECONDS if hurried else self._shutdown_timeout_seconds, self._runtime.close_sockets)
        self._worker.method_queue.defer(stop_serving, self._worker)
        come = Order.QUIT if hurried else self._wait(end - time.monotonic(), Order.QUIT, Order.ENDED)
        if come is Order.QUIT:
            come = self._wait(HURRIED_LOOP_SECONDS, Order.ENDED)
        if come is not Order.ENDED:
            if self._worker.nr_conns > 0:
                log.warning("cutting off %d connections", self._worker.nr_conns)
            within(STOP_SECONDS, self._runtime.stop)
        return come

    def _first_order(self) -> Order:
        while True:
            try:
                return self._orders.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                # No hook is called after the last of its requests (max_requests), a reload, or the master's death.
                if not self._worker.alive or os.getppid() != self._worker.ppid:
                    return Order.STOPPED

    def _wait(self, seconds: float, *orders: Order) -> Order | None:
        """The first of these that arrives within so many seconds. Any other changes nothing."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                order = self._orders.get(timeout=left)
            except queue.Empty:
                break
            if order in orders:
                return order
        return None


def end_process(status: int) -> None:
    """End the process without waiting for any thread, once the last lines of its log have had time to be written."""
    logging.shutdown()
    os._exit(status)


def stop_serving(worker: Any) -> None:
    """On the loop: accept the connections that are made already, refuse all others, and have the loop end."""
    for listener in worker.sockets:
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        for _ in range(worker.cfg.backlog):
            if not waiting.poll(0) or worker.nr_conns >= worker.worker_connections:
                break
            worker.accept(listener)
    worker.alive = False
    worker.set_accept_enabled(False)
    for listener in worker.sockets:
        # gunicorn would keep it open to the end: new connections would not be refused, but wait in vain.
        listener.close()
    for conn in worker.pending_conns:  # connections on which no byte has arrived: on the stock worker only
        conn.timeout = min(conn.timeout, time.monotonic() + LINGER_SECONDS)


def within(seconds: float, step: Callable[[], None]) -> None:
    """Take a step in a thread, and go on without it after `seconds`; in this one where no other can be had.

    What it raises is only logged: whatever a step does, the next one follows.
    """
    thread = threading.Thread(target=_take, args=(step,), name=f"shutdown-{step.__name__}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _take(step)
    else:
        thread.join(seconds)


def _take(step: Callable[[], None]) -> None:
    try:
        step()
    except BaseException:
        log.exception("shutting down: %s failed", step.__name__)
