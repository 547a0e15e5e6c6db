"""Requests over kept connections, tried again where that can do no harm."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .errors import ApiError, ConnectionFailed, TimedOut, error_of

_BROKEN = (OSError, http.client.HTTPException)
_IDLE = 8


@dataclass(frozen=True)
class Retries:
    """How a request is tried again: after `first` seconds, then twice as long each time, each wait
    shortened by chance; never sooner than the service's Retry-After says."""

    attempts: int = 5
    first: float = 0.2
    longest: float = 20.0

    def wait(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds before attempt number `attempt + 1`; none when there is to be no other."""
        if attempt >= self.attempts or (retry_after or 0.0) > self.longest:
            return None
        pause = min(self.longest, self.first * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        return pause if retry_after is None else retry_after + pause * 0.25


class Transport:
    """One service and one key."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        retries: Retries,
        context: ssl.SSLContext | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"{base_url!r} is not an http or https address")
        self._host, self._port = url.hostname, url.port
        self._tls = url.scheme == "https"
        self._prefix = url.path.rstrip("/")
        self._context = context
        self._headers = {"accept": "application/json", "user-agent": "countersign-client-python/0.1"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout, self._retries, self._sleep = timeout, retries, sleep
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        write: bool = False,
        idempotency_key: str | None = None,
    ) -> Any:
        """One call. A write carries an idempotency key, so that it may be tried again like any other."""
        headers = dict(self._headers)
        if write:
            headers["idempotency-key"] = idempotency_key or str(uuid.uuid4())
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            headers["content-type"] = "application/json"
        target = self._target(path, query)
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._once(method, target, data, headers)
            except ApiError as error:
                again = error.status in (502, 503, 504) or error.code == "idempotency_running"
                # A 429 that doesn't say when to come back is of no use at any time.
                again = again or (error.status == 429 and error.retry_after is not None)
                wait = self._retries.wait(attempt, error.retry_after) if again else None
                if wait is None:
                    raise
            except ConnectionFailed:
                wait = self._retries.wait(attempt, None)
                if wait is None:
                    raise
            self._sleep(wait)

    def _target(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {k: v for k, v in (query or {}).items() if v is not None}
        text = urlencode({k: str(v).lower() if isinstance(v, bool) else v for k, v in given.items()})
        return f"{self._prefix}{path}" + (f"?{text}" if text else "")

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _once(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> Any:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        kept = connection is not None
        connection = connection or self._connect()
        try:
            connection.request(method, target, body=data, headers=headers)
            response = connection.getresponse()
            raw = response.read()
        except _BROKEN as error:
            connection.close()
            # A kept connection may have been closed by the service in the meantime.
            if kept and not isinstance(error, TimeoutError):
                return self._once(method, target, data, headers)
            raise _failed(error) from error
        with self._lock:
            if response.will_close or len(self._idle) >= _IDLE:
                connection.close()
            else:
                self._idle.append(connection)
        return _value(response, raw)

    def lines(
        self, path: str, items: Iterable[Any], *, query: Mapping[str, Any] | None = None
    ) -> Iterator[Any]:
        """Sends items as JSON Lines and gives the answers as they come; both run at once, so neither
        side waits for the other. It isn't tried again: part of the answers may have been used."""
        connection = self._connect()
        stop, trouble = threading.Event(), []

        def write(wire: socket.socket) -> None:
            # The socket itself, not the connection: that one would dial again when it has been closed.
            try:
                for item in items:
                    if stop.is_set():
                        return
                    line = json.dumps(item, ensure_ascii=False).encode() + b"\n"
                    _send(wire, b"%x\r\n%s\r\n" % (len(line), line), stop)
                _send(wire, b"0\r\n\r\n", stop)
            except _BROKEN:
                pass  # The reader sees the same, or an answer that says why.
            except Exception as error:  # noqa: BLE001  an item that can't be made or written as JSON
                trouble.append(error)
                _hang_up(wire)

        wire: socket.socket | None = None
        try:
            connection.putrequest("POST", self._target(path, query))
            for name, value in self._headers.items():
                connection.putheader(name, value)
            connection.putheader("content-type", "application/x-ndjson")
            connection.putheader("transfer-encoding", "chunked")
            connection.endheaders()
            wire = connection.sock
            threading.Thread(target=write, args=(wire,), name="countersign-lines", daemon=True).start()
            response = connection.getresponse()
            if response.status >= 400:
                raise error_of(response.status, _json(response.read()), _headers(response))
            for line in response:
                if line.strip():
                    yield json.loads(line)
            if trouble:
                raise trouble[0]
        except (*_BROKEN, ValueError) as error:
            if trouble:
                raise trouble[0] from None
            raise _failed(error) from error
        finally:
            stop.set()
            if wire is not None:
                _hang_up(wire)  # Before it is closed: a writer that waits for room wakes up.
            connection.close()


def _send(wire: socket.socket, data: bytes, stop: threading.Event) -> None:
    """Sends all of it, however long the service takes: it reads on when its answers have been read. It
    is the reader who minds the time."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[wire.send(rest) :]
        except TimeoutError:
            if stop.is_set():
                return


def _hang_up(wire: socket.socket) -> None:
    """Ends both directions and wakes who waits in either. The plain socket's method: that of a TLS
    socket would take the TLS state away under the other thread."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(wire, socket.SHUT_RDWR)


def part(text: str) -> str:
    """A value as one part of a path."""
    return quote(text, safe="")


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _value(response: http.client.HTTPResponse, raw: bytes) -> Any:
    if response.status >= 400:
        raise error_of(response.status, _json(raw), _headers(response))
    return _json(raw)


def _failed(error: BaseException) -> ConnectionFailed:
    if isinstance(error, TimeoutError):
        return TimedOut("the service did not answer in time")
    return ConnectionFailed(f"the connection to the service failed: {error}")
