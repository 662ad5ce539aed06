"""The port that the sandbox listens on, which can refuse connections for a while."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from aiohttp import web  # noqa: TID253 - the sandbox is a server; no DAG file imports it

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Listener:
    """
    Listens, and hands each request over.

    Its state: the running server, and the outage that is under way, if there is one.

    :param handle: answers a request.
    """

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self._handle = handle
        self._outage: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """
        Listen, and return the port.

        :raises OSError: if the port is taken.
        """
        server = web.Server(self._handle, access_log=None, max_line_size=1 << 16)
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening, and end the connections."""
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.gather(self._outage, return_exceptions=True)
        await self._runner.cleanup()

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for some seconds; those that are open stay so."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.create_task(self._refuse(seconds))

    async def _refuse(self, seconds: float) -> None:
        addresses = self._runner.addresses
        for site in list(self._runner.sites):
            await site.stop()
        # Bound and not listening: connections are refused, and nobody else can take the port meanwhile.
        reserved = [_bind(address) for address in addresses]
        try:
            await asyncio.sleep(seconds)
            while reserved:
                await web.SockSite(self._runner, reserved[0]).start()
                reserved.pop(0)
        finally:
            for each in reserved:
                each.close()


def _bind(address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind(address)
    return bound
