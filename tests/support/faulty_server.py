"""
A server on a raw socket, with a script of faults that neither mocks nor the sandbox can produce.

Each request is handled by the next step of the script; the last step handles all further requests. A step gets an
:class:`Exchange` and returns whether the connection stays open.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import trustme

    Step = Callable[["Exchange"], bool]

ACCOUNT = {"id": 1, "name": "Faulty account"}
UPDATED = {"success": True, "result_text": "Updated", "result_data": {"id": "7"}}

_TIMEOUT_S = 20.0
_SMTP_GREETING = b"220 mail.example.com ESMTP ready\r\n"


@dataclass(frozen=True)
class Received:
    """A request that the server has received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Exchange:
    """The connection that a step works on; ``read`` takes the next request from it."""

    socket: socket.socket
    stopped: threading.Event
    requests: list[Received]
    buffer: bytes = b""

    def read(self) -> Received | None:
        """Read and record one request; ``None`` if the client has closed the connection."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._receive():
                return None
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.buffer = rest
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            if not self._receive():
                return None
        method, target, _ = first.split(" ")
        request = Received(method, target, headers, self.buffer[:length])
        self.buffer = self.buffer[length:]
        self.requests.append(request)
        return request

    def send(self, content: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        """Send the head of a response, with ``Content-Length`` if a length is given, and content after it."""
        lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def reset(self) -> None:
        """Close the connection with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _receive(self) -> bool:
        chunk = self.socket.recv(65_536)
        self.buffer += chunk
        return bool(chunk)


class FaultyServer:
    """
    Serves the script on a free port of this machine; used as a context manager.

    Its state: the requests received, the number of connections accepted, and the number closed (``hung_up``).

    :param script: one step for each request.
    :param tls: a context to serve https with, or ``None`` for http.
    :param name: host name in :attr:`url`.
    """

    def __init__(self, *script: Step, tls: ssl.SSLContext | None = None, name: str = "127.0.0.1") -> None:
        self._script = list(script) or [answer(ACCOUNT)]
        self._tls = tls
        self._steps = 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[Received] = []
        self.connections = 0
        self.hung_up = threading.Semaphore(0)
        self.url = f"{'https' if tls else 'http'}://{name}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultyServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                each.close()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)

    @property
    def connection(self) -> dict[str, Any]:
        """The parts of an Airflow connection to it, without retries and with a long timeout."""
        extra = json.dumps({"max_retries": 0, "timeout": 10})
        return {"conn_type": "envoke", "host": self.url, "login": "an-id", "password": "a-key", "extra": extra}

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True, name="faulty-server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_TIMEOUT_S)
        with suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            exchange = Exchange(connection, self._stopped, self.requests)
            with connection:
                while self._wait_for_request(exchange) and self._next_step()(exchange):
                    pass
        self.hung_up.release()

    def _wait_for_request(self, exchange: Exchange) -> bool:
        """Wait until a request begins, and leave it unread."""
        if isinstance(exchange.socket, ssl.SSLSocket):
            exchange.buffer += exchange.socket.recv(65_536)
            return bool(exchange.buffer)
        return bool(exchange.buffer or exchange.socket.recv(1, socket.MSG_PEEK))

    def _next_step(self) -> Step:
        with self._lock:
            step = self._script[min(self._steps, len(self._script) - 1)]
            self._steps += 1
        return step


def tls_serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a context to serve https with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _read_then(act: Callable[[Exchange], Any]) -> Step:
    """Make a step that reads the request, acts, and closes the connection unless ``act`` returns true."""

    @wraps(act)
    def step(exchange: Exchange) -> bool:
        return exchange.read() is not None and bool(act(exchange))

    return step


def answer(body: object, status: int = 200, **headers: str) -> Step:
    """Send a response and keep the connection open; ``retry_after="2"`` becomes the header ``retry-after``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
    return _read_then(lambda exchange: exchange.send(content, status, len(content), **named) is None)


def chunked(body: object) -> Step:
    """Send a response in chunks of a few bytes, and keep the connection open."""
    content = json.dumps(body).encode()
    pieces = [content[start : start + 7] for start in range(0, len(content), 7)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return _read_then(lambda exchange: exchange.send(chunks, **{"Transfer-Encoding": "chunked"}) is None)


def reset_before_reading(exchange: Exchange) -> bool:
    """Reset the connection while the request is still unread."""
    exchange.reset()
    return False


@_read_then
def reset_after_reading(exchange: Exchange) -> None:
    """Reset the connection after reading the request, which may have taken effect."""
    exchange.reset()


@_read_then
def close_after_reading(exchange: Exchange) -> None:
    """Close the connection in order, without a response."""


@_read_then
def stall(exchange: Exchange) -> None:
    """Send nothing for as long as the server runs."""
    exchange.stopped.wait(_TIMEOUT_S)


def timeout_for(script: Sequence[Step]) -> float:
    """Return a timeout in seconds: short if a step stalls, else longer than a busy machine needs to answer."""
    return 1.0 if stall in script else 20.0


def drip(interval_s: float = 0.02, status: int = 200, **headers: str) -> Step:
    """Send the response byte by byte, which would take hours."""

    def step(exchange: Exchange) -> None:
        exchange.send(b"", status, 1_000_000, **headers)
        while not exchange.stopped.wait(interval_s):
            exchange.socket.sendall(b" ")

    return _read_then(step)


def cut_off(body: object = UPDATED, missing: int = 10, encoding: str = "") -> Step:
    """Close the connection before the whole ``Content-Length`` is sent."""
    content = json.dumps(body).encode()
    headers = {"Content-Encoding": encoding} if encoding else {}
    sent = gzip.compress(content) if encoding else content
    return _read_then(lambda exchange: exchange.send(sent[:-missing], length=len(sent), **headers))


@_read_then
def cut_off_chunks(exchange: Exchange) -> None:
    """Close the connection in the middle of a chunk."""
    exchange.send(b'40\r\n{"success": true', **{"Transfer-Encoding": "chunked"})


#: A body that is declared as gzip, and is not.
lying_gzip = answer(b"\x1f\x8b not gzip at all", content_encoding="gzip")
#: A body that is declared as gzip, and is.
good_gzip = answer(gzip.compress(json.dumps(ACCOUNT).encode()), content_encoding="gzip")


def huge(size: int) -> Step:
    """Send a valid JSON response of this many bytes."""
    return _read_then(lambda exchange: exchange.send(b'{"name": "' + b"x" * (size - 12) + b'"}', length=size))


def gzip_bomb(size: int) -> Step:
    """Send a small body that unpacks to this many bytes and more."""
    return answer(gzip.compress(b'{"name": "' + b"x" * size + b'"}'), content_encoding="gzip")


@_read_then
def not_http(exchange: Exchange) -> None:
    """Send something that is not an HTTP response."""
    exchange.socket.sendall(_SMTP_GREETING)


def greets_first(exchange: Exchange) -> bool:
    """Send something before reading the request, as a mail server does."""
    exchange.socket.sendall(_SMTP_GREETING)
    return False


@_read_then
def garbage_inside_tls(exchange: Exchange) -> None:
    """Send bytes that are not a TLS record, after the handshake and the request."""
    with socket.socket(fileno=exchange.socket.detach()) as raw:
        raw.sendall(b"this is not a TLS record, and it is long enough to be taken for one\r\n" * 4)
