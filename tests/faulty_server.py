"""
A server on a raw socket that breaks off, stalls, drips and lies: what mocks and the sandbox cannot do.

Each request is handled by the next step of a script; the last step is used for all that follow. A step gets an
:class:`Exchange` and says whether the connection goes on.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import trustme

ACCOUNT = {"id": 1, "name": "Faulty account"}
UPDATED = {"success": True, "result_text": "Updated", "result_data": {"id": "7"}}

_LONGEST_S = 20.0


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

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
    """The connection that a step works on; ``read`` takes the request off it."""

    socket: socket.socket
    stopped: threading.Event
    requests: list[Received]
    buffer: bytes = b""

    def read(self) -> Received | None:
        """Read and record one request; ``None`` if the client has hung up."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.buffer = rest
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            if not self._more():
                return None
        method, target, _ = first.split(" ")
        request = Received(method, target, headers, self.buffer[:length])
        self.buffer = self.buffer[length:]
        self.requests.append(request)
        return request

    def reset(self) -> None:
        """Close so that the other side gets a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _more(self) -> bool:
        chunk = self.socket.recv(65_536)
        self.buffer += chunk
        return bool(chunk)


class FaultyServer:
    """
    Serves the script on a free port of this machine: use it as a context manager.

    Its state: the requests that were read, how many connections there were, and how many it has closed.

    :param script: what becomes of the requests, one step each.
    :param tls: a context to serve https with, or ``None`` for http.
    :param name: host name in :attr:`url`.
    """

    def __init__(
        self, *script: Callable[[Exchange], bool], tls: ssl.SSLContext | None = None, name: str = "127.0.0.1"
    ) -> None:
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
            thread.join(_LONGEST_S)

    @property
    def connection(self) -> dict[str, Any]:
        """The parts of an Airflow connection to it, with nothing retried and an answer awaited for long."""
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
        connection.settimeout(_LONGEST_S)
        with suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            exchange = Exchange(connection, self._stopped, self.requests)
            with connection:
                while self._waits_for_a_request(exchange) and self._next_step()(exchange):
                    pass
        self.hung_up.release()

    def _waits_for_a_request(self, exchange: Exchange) -> bool:
        """Wait until a request begins, without taking anything of it."""
        if isinstance(exchange.socket, ssl.SSLSocket):
            exchange.buffer += exchange.socket.recv(65_536)
            return bool(exchange.buffer)
        return bool(exchange.buffer or exchange.socket.recv(1, socket.MSG_PEEK))

    def _next_step(self) -> Callable[[Exchange], bool]:
        with self._lock:
            step = self._script[min(self._steps, len(self._script) - 1)]
            self._steps += 1
        return step


def tls_serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A context to serve https with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _head(status: int, length: int | None, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(body: object, status: int = 200, **headers: str) -> Callable[[Exchange], bool]:
    """A whole answer; the connection stays open. ``retry_after="2"`` becomes the header ``retry-after``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}

    def step(exchange: Exchange) -> bool:
        if exchange.read() is None:
            return False
        exchange.socket.sendall(_head(status, len(content), named) + content)
        return True

    return step


def chunked(body: object) -> Callable[[Exchange], bool]:
    """A whole answer in chunks of a few bytes; the connection stays open."""
    content = json.dumps(body).encode()

    def step(exchange: Exchange) -> bool:
        if exchange.read() is None:
            return False
        exchange.socket.sendall(_head(200, None, {"Transfer-Encoding": "chunked"}))
        for start in range(0, len(content), 7):
            piece = content[start : start + 7]
            exchange.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.socket.sendall(b"0\r\n\r\n")
        return True

    return step


def reset_before_reading(exchange: Exchange) -> bool:
    """A RST while the request still lies unread."""
    exchange.reset()
    return False


def reset_after_reading(exchange: Exchange) -> bool:
    """A RST after the request was taken: it may have been carried out."""
    exchange.read()
    exchange.reset()
    return False


def close_after_reading(exchange: Exchange) -> bool:
    """An orderly end without an answer."""
    exchange.read()
    return False


def stall(exchange: Exchange) -> bool:
    """No answer for as long as the server runs."""
    exchange.read()
    exchange.stopped.wait(_LONGEST_S)
    return False


def drip(interval_s: float = 0.02, status: int = 200, **headers: str) -> Callable[[Exchange], bool]:
    """An answer that comes byte by byte, and would for hours."""

    def step(exchange: Exchange) -> bool:
        exchange.read()
        exchange.socket.sendall(_head(status, 1_000_000, headers))
        while not exchange.stopped.wait(interval_s):
            exchange.socket.sendall(b" ")
        return False

    return step


def cut_off(body: object = UPDATED, missing: int = 10, encoding: str = "") -> Callable[[Exchange], bool]:
    """A body that ends before its Content-Length."""
    content = json.dumps(body).encode()

    def step(exchange: Exchange) -> bool:
        exchange.read()
        headers = {"Content-Encoding": encoding} if encoding else {}
        sent = gzip.compress(content) if encoding else content
        exchange.socket.sendall(_head(200, len(sent), headers) + sent[:-missing])
        return False

    return step


def cut_off_chunks(exchange: Exchange) -> bool:
    """A chunked body that ends inside of a chunk."""
    exchange.read()
    exchange.socket.sendall(_head(200, None, {"Transfer-Encoding": "chunked"}) + b'40\r\n{"success": true')
    return False


def lying_gzip(exchange: Exchange) -> bool:
    """A body that is said to be gzip, and is not."""
    return answer(b"\x1f\x8b not gzip at all", content_encoding="gzip")(exchange)


def good_gzip(exchange: Exchange) -> bool:
    """A body that is said to be gzip, and is."""
    return answer(gzip.compress(json.dumps(ACCOUNT).encode()), content_encoding="gzip")(exchange)


def huge(size: int) -> Callable[[Exchange], bool]:
    """An answer of so many bytes, valid JSON."""

    def step(exchange: Exchange) -> bool:
        exchange.read()
        exchange.socket.sendall(_head(200, size, {}) + b'{"name": "')
        left = size - 12
        while left > 0:
            exchange.socket.sendall(b"x" * min(left, 1 << 20))
            left -= 1 << 20
        exchange.socket.sendall(b'"}')
        return False

    return step


def gzip_bomb(size: int) -> Callable[[Exchange], bool]:
    """A small body that unpacks to so many bytes."""
    packed = gzip.compress(b'{"name": "' + b"x" * size + b'"}')
    return answer(packed, content_encoding="gzip")


def not_http(exchange: Exchange) -> bool:
    """Something that is no HTTP answer."""
    exchange.read()
    exchange.socket.sendall(b"220 mail.example.com ESMTP ready\r\n")
    return False


def greets_first(exchange: Exchange) -> bool:
    """What a mail server does with anybody who connects."""
    exchange.socket.sendall(b"220 mail.example.com ESMTP ready\r\n")
    return False


def garbage_inside_tls(exchange: Exchange) -> bool:
    """After the handshake and the request, bytes that are no TLS record."""
    exchange.read()
    raw = socket.socket(fileno=exchange.socket.detach())
    with raw:
        raw.sendall(b"this is not a TLS record, and it is long enough to be taken for one\r\n" * 4)
    return False
