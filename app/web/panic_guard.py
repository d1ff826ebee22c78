"""The outermost WSGI layer: what escapes Flask (a teardown, SystemExit, a generator) ends one request."""

import errno
import logging
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class PanicGuard:
    """Runs a WSGI application, and answers `response` where it fails before its first bytes.

    The status and headers are held back until then: begun twice, gunicorn would send both sets. A failure
    later can only cut the connection. StopIteration passes: with it flask-sock tells the server that a socket
    is no longer its business.
    """

    def __init__(self, app: "WSGIApplication", response: Response) -> None:
        self._app = app
        self._response = response

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        held = _HeldStart(start_response)
        try:
            chunks = self._app(environ, held)
        except StopIteration:
            raise
        except BaseException as error:
            _log_panic(error)
            if held.write is not None:
                raise _broken_off() from None
            return self._response(environ, start_response)
        body = _GuardedBody(chunks, held)
        if body.begin():
            return body
        body.close()
        return self._response(environ, start_response)


class _HeldStart:
    """A start_response that remembers, and starts when told."""

    def __init__(self, start_response: "StartResponse") -> None:
        self._start_response = start_response
        self._held: tuple[str, list[tuple[str, str]]] | None = None
        self.write: Callable[[bytes], object] | None = None

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if self.write is not None and exc_info is not None and exc_info[1] is not None:
            raise exc_info[1]
        self._held = (status, headers)
        return self._write_early

    def release(self) -> None:
        if self._held is not None and self.write is None:
            self.write = self._start_response(*self._held)

    def _write_early(self, data: bytes) -> None:
        self.release()
        assert self.write is not None
        self.write(data)


class _GuardedBody:
    """A response body whose failure is logged, and ends the connection rather than the worker."""

    def __init__(self, chunks: Iterable[bytes], start: _HeldStart) -> None:
        self._chunks = chunks
        self._iterator: Iterator[bytes] = iter(())
        self._start = start
        self._first: list[bytes] = []

    def begin(self) -> bool:
        """Get as far as the first chunk, then let the response start; False if it failed before that."""
        try:
            self._iterator = iter(self._chunks)
            for chunk in self._iterator:
                self._first = [chunk]
                break
        except BaseException as error:
            _log_panic(error)
            if self._start.write is not None:
                raise _broken_off() from None
            return False
        self._start.release()
        return True

    def __iter__(self) -> Iterator[bytes]:
        yield from self._first
        while True:
            try:
                chunk = next(self._iterator)
            except StopIteration:
                return
            except BaseException as error:
                _log_panic(error)
                raise _broken_off() from None
            yield chunk

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as error:
                _log_panic(error)


def _broken_off() -> OSError:
    """What makes gunicorn close the connection and say nothing of its own."""
    return BrokenPipeError(errno.EPIPE, "the response broke off")


def _log_panic(error: BaseException) -> None:
    log.error("panic: %s", error, exc_info=error)
