"""A TCP server on loopback, a thread a connection, that can go away and come back on its port."""

import contextlib
import socket
import threading

DEADLINE = 5.0


class TcpServer:
    """Calls `serve(sock)` for every connection, in a thread of its own; a context manager.

    Subclasses say what `serve` does; sends and reads end with OSError once `close` was called. `ended` is the event
    on which a server that makes its peer wait waits.
    """

    def __init__(self):
        self.ended = threading.Event()
        self.connections = 0
        self.changed = threading.Condition()  # guards the counts and _sockets
        self._sockets = set()
        self._threads = []
        self._listener = None
        self.port = 0
        self.resume()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def serve(self, sock):
        raise NotImplementedError

    def refuse(self):
        """Stop listening, and reset every connection."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join(DEADLINE)
            listener.close()
        self.drop_connections()

    def resume(self):
        """Listen (again), on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), name="acceptor", daemon=True)
        self._acceptor.start()

    def drop_connections(self):
        """End every connection that there is."""
        with self.changed:
            sockets = list(self._sockets)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.ended.set()
        self.refuse()
        for thread in self._threads:
            thread.join(DEADLINE)

    def wait_for(self, condition, timeout=DEADLINE):
        """Whether `condition()` became true in time; it is looked at whenever a count changes."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self._sockets.add(sock)
                self.changed.notify_all()
            thread = threading.Thread(target=self._run, args=(sock,), name="connection", daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def _run(self, sock):
        served = sock
        try:
            served = self.wrap(sock)
            self.serve(served)
        except OSError:
            pass  # the peer, or close(), has ended it
        finally:
            with self.changed:
                self._sockets.discard(sock)
            served.close()
            sock.close()

    def wrap(self, sock):
        """Where TLS comes in."""
        return sock
