"""The port that the sandbox listens on. It can refuse connections for a moment."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from aiohttp import web  # noqa: TID253 - the sandbox is a server; no DAG file imports it

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Listener:
    """
    Listens on a port, and passes each request on.

    Its state: the running server, and the current outage, if any.

    :param handle: called with each request; returns the response.
    """

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self._handle = handle
        self._outage: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """
        Start listening, and return the port.

        :raises OSError: if the port is in use.
        """
        server = web.Server(self._handle, access_log=None, max_line_size=1 << 16)
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening, and close the connections."""
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.gather(self._outage, return_exceptions=True)
        await self._runner.cleanup()

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for some seconds. Open connections stay open."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.create_task(self._refuse(seconds))

    async def _refuse(self, seconds: float) -> None:
        addresses = self._runner.addresses
        for site in list(self._runner.sites):
            await site.stop()
        # Bound but not listening: connections are refused, and no other process can take the port.
        reserved = [_bind(address) for address in addresses]
        try:
            await asyncio.sleep(seconds)
            while reserved:
                await web.SockSite(self._runner, reserved[0]).start()
                reserved.pop(0)
        finally:
            for unused in reserved:
                unused.close()


def _bind(address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind(address)
    return bound
