"""Steps for :class:`~tests.support.faulty_server.FaultyServer` that go on for hours, a few bytes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.faulty_server import drip

if TYPE_CHECKING:
    from tests.support.faulty_server import Exchange, Step

_INTERVAL_S = 0.02


def _drip(exchange: Exchange, start: bytes, piece: bytes) -> None:
    exchange.socket.sendall(start)
    while not exchange.stopped.wait(_INTERVAL_S):
        exchange.socket.sendall(piece)


def _after_request(start: bytes, piece: bytes = b"x") -> Step:
    def step(exchange: Exchange) -> bool:
        if exchange.read() is not None:
            _drip(exchange, start, piece)
        return False

    return step


def silent(exchange: Exchange) -> bool:
    """Accept the connection, and neither read nor send anything."""
    exchange.stopped.wait(20)
    return False


def handshake(exchange: Exchange) -> bool:
    """Begin a TLS record of 16 KiB as the answer to a client's TLS hello."""
    _drip(exchange, b"\x16\x03\x03\x40\x00", b"\x02")
    return False


status_line = _after_request(b"HTTP/1.1 200 ")
header = _after_request(b"HTTP/1.1 200 OK\r\nX-Slow: ")
headers = _after_request(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
interim = _after_request(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
body = drip(_INTERVAL_S)
chunks = _after_request(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")
chunk_size = _after_request(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0")


def late_then_slow(head_after_s: float) -> Step:
    """Send the head after so many seconds, and then the body as :data:`body` does."""

    def step(exchange: Exchange) -> bool:
        exchange.stopped.wait(head_after_s)
        return body(exchange)

    return step
