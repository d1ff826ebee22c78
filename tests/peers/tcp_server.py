"""A TCP server on loopback, a thread a connection, that can go away and come back on its port."""

import contextlib
import select
import socket
import ssl
import threading

from tests.peers.ports import reserve_port

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
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]
        self.resume()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def serve(self, sock):
        raise NotImplementedError

    def refuse(self):
        """Stop listening, and end every connection."""
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
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), name="acceptor", daemon=True)
        self._acceptor.start()

    def drop_connections(self):
        """End every connection that there is."""
        with self.changed:
            sockets = list(self._sockets)
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of an SSLSocket would also drop its encryption

    def close(self):
        self.ended.set()
        self.refuse()
        for thread in self._threads:
            thread.join(DEADLINE)
        self._reserved.close()

    def wait_for(self, condition, timeout=DEADLINE):
        """Whether `condition()` became true in time; it is looked at whenever a count changes."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def wait_for_open(self, count, timeout=DEADLINE):
        """Whether in time there were just `count` open connections."""
        return self.wait_for(lambda: len(self._sockets) == count, timeout)

    @staticmethod
    def ignore(sock):
        """Say nothing, until the peer has gone."""
        while sock.recv(65536):
            pass

    @staticmethod
    def gone(sock):
        """Whether the peer has ended its side of the connection, read or not."""
        watch = select.poll()
        watch.register(sock, select.POLLRDHUP)
        return bool(watch.poll(0))

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
            with self.changed:
                self._sockets.remove(sock)
                self._sockets.add(served)
            self.serve(served)
        except OSError:
            pass  # the peer, or close(), has ended it
        finally:
            served.close()
            sock.close()
            with self.changed:
                self._sockets -= {sock, served}
                self.changed.notify_all()

    def wrap(self, sock):
        """Where TLS comes in; what waits for the peer is left to `serve`, where it can be ended."""
        return sock


class ScriptedServer(TcpServer):
    """Does `script(server, sock)` with every connection."""

    def __init__(self, script):
        self._script = script
        super().__init__()

    def serve(self, sock):
        self._script(self, sock)


def refusing_late(context):
    """A script that ends its first connection after the handshake, as if the alert were lost, and refuses the others.

    With an ssl context of a server. What it refuses is that the client has no certificate.
    """

    def script(server, sock):
        if server.connections > 1:
            context.verify_mode = ssl.CERT_REQUIRED
        context.wrap_socket(sock, server_side=True).close()

    return script


def closing(context):
    """A script that ends each connection after the TLS handshake."""
    return lambda server, sock: context.wrap_socket(sock, server_side=True).close()


def other_threads():
    """The names of all threads but those of servers' connections, which may be on their way out."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name != "connection")
