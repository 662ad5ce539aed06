"""
The time that one request of ``requests`` may take, from the lookup of the host to the last byte of the response.

``requests`` and ``urllib3`` bound each wait only: a response that arrives a byte at a time never ends. Here the
sockets wait for what is left of the request's time.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter  # noqa: TID253 - imported when a task uses the network, not before
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util.ssl_ import create_urllib3_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Address = tuple[int, int, int, str, Any]

# When the request under way must have ended. Each thread has its own, and none between its requests.
_ends_at_s: ContextVar[float] = ContextVar("ends_at_s")


@contextmanager
def deadline(timeout_s: float) -> Iterator[None]:
    """Bound the request that is sent inside, through a :class:`DeadlineAdapter`."""
    token = _ends_at_s.set(time.monotonic() + timeout_s)
    try:
        yield
    finally:
        _ends_at_s.reset(token)


def is_under_way() -> bool:
    """Return whether this thread is sending one of our requests."""
    return _ends_at_s.get(None) is not None


def _left_s() -> float:
    """Return how many seconds the request has left. Raises TimeoutError if its time is over."""
    left_s = _ends_at_s.get() - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the request did not end in time")
    return left_s


class DeadlineAdapter(HTTPAdapter):
    """Opens connections that keep to the :func:`deadline`, and work only inside it."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of direct connections; ``requests`` calls it."""
        # requests itself loads the certificate authorities, for each connection.
        self._tls = create_urllib3_context()
        self._tls.sslsocket_class = _TlsSocket
        super().init_poolmanager(*arguments, ssl_context=self._tls, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections through a proxy; ``requests`` calls it."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, proxy_ssl_context=self._tls, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Socket(socket.socket):
    """``http.client`` calls these two methods only."""

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left_s())
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self.settimeout(_left_s())
        super().sendall(*arguments)


class _TlsSocket(ssl.SSLSocket):
    """All ways to receive and to send lead to these methods."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_left_s())
        super().do_handshake(block)

    def read(self, *arguments: Any) -> Any:
        self.settimeout(_left_s())
        return super().read(*arguments)

    def send(self, *arguments: Any) -> int:
        self.settimeout(_left_s())
        return super().send(*arguments)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        host: str = self._dns_host
        try:
            return _connect(_look_up(host, self.port), self.socket_options or ())
        except UnicodeError:
            raise LocationParseError(f"'{host}', label empty or too long") from None
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


def _look_up(host: str, port: int) -> list[Address]:
    """Return the addresses of a host. The system's lookup knows no timeout, so another thread waits for it."""
    found: SimpleQueue[list[Address] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(list(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)))
        except Exception as error:
            found.put(error)

    threading.Thread(target=look_up, name="envoke-dns", daemon=True).start()
    try:
        addresses = found.get(timeout=_left_s())
    except Empty:
        raise TimeoutError("the lookup of the host did not end in time") from None
    if isinstance(addresses, Exception):
        raise addresses
    return addresses


def _connect(addresses: list[Address], options: Iterable[tuple[Any, ...]]) -> socket.socket:
    """Connect to the first address that accepts. Each gets a share of the time, in case it does not respond."""
    failure = OSError("the host has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        left_s = _left_s()
        connection = _Socket(family, kind, protocol)
        try:
            for option in options:
                connection.setsockopt(*option)
            connection.settimeout(left_s / (len(addresses) - number))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure
