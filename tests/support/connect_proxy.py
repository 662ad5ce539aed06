"""A proxy whose tunnels (``CONNECT``) lead to one port of this machine, whatever the host in the request."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMEOUT_S = 20.0


class ConnectProxy:
    """
    A context manager that keeps the request lines and ``Proxy-Authorization`` headers that it received.

    :param status: the response instead of a tunnel, such as ``"407 Proxy Authentication Required"``.
    """

    def __init__(self, port: int, status: str = "") -> None:
        self._port = port
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.asked: list[str] = []
        self.authorizations: list[str] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> ConnectProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True, name="connect-proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        self._open.append(client)
        client.settimeout(_TIMEOUT_S)
        with suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65_536) or b"\r\n\r\n"
            first, *lines = head.decode("latin-1").split("\r\n")
            self.asked.append(first)
            self.authorizations += [line for line in lines if line.lower().startswith("proxy-authorization:")]
            if self._status:
                client.sendall(f"HTTP/1.1 {self._status}\r\nContent-Length: 0\r\n\r\n".encode())
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_S)
            self._open.append(server)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._start(_pump, server, client)
            _pump(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
