"""How a request fails that a fault has struck: each function here sends, or breaks, one answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from time import time
from typing import TYPE_CHECKING

from aiohttp import web  # noqa: TID253 - the sandbox is a server; no DAG file imports it

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Fail = Callable[["Struck"], Awaitable[web.StreamResponse]]

HUGE_BYTES = 10_000_000

_OUTAGE_S = 0.02
_DRIP_EVERY_S = 0.05
_LOOK_EVERY_S = 0.02
_WARNINGS = b"<br />\n<b>Warning</b>:  Undefined array key 1 in <b>contacts.php</b> on line <b>7</b><br />\n"
_PAGE = (
    b"<!doctype html>\n<html><head><title>Error</title></head><body><h1>The proxy is sorry</h1></body></html>\n"
)
_ENVELOPE = b'{"success": false, "result_text": "%s", "result_data": {}}'


@dataclass(frozen=True, slots=True)
class Struck:
    """
    A request that was struck.

    :param request: what came in; its body has been read.
    :param status: HTTP status of the API's answer, or that of the fault.
    :param content: the API's answer, empty if it was not asked.
    :param retry_after_s: what ``Retry-After`` is to say, in seconds.
    :param refuse_connections: called with seconds.
    """

    request: web.BaseRequest
    status: int
    content: bytes
    retry_after_s: int
    refuse_connections: Callable[[float], None]


async def whole(struck: Struck) -> web.StreamResponse:
    """Answer as the API did."""
    return web.Response(status=struck.status, body=struck.content, content_type="application/json")


async def reset(struck: Struck) -> web.StreamResponse:
    """Break the connection by a RST."""
    transport = struck.request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


async def refuse(struck: Struck) -> web.StreamResponse:
    """Break the connection, and refuse new ones for a moment."""
    struck.refuse_connections(_OUTAGE_S)
    return await reset(struck)


async def stall(struck: Struck) -> web.StreamResponse:
    """Answer nothing for as long as the client waits."""
    while struck.request.transport is not None:
        await asyncio.sleep(_LOOK_EVERY_S)
    return web.Response()


async def drip(struck: Struck) -> web.StreamResponse:
    """Send the answer byte by byte, all but the last one."""
    response = await _begin(struck)
    with suppress(ConnectionError):  # the client has lost its patience
        for byte in struck.content[:-1]:
            await response.write(bytes((byte,)))
            await asyncio.sleep(_DRIP_EVERY_S)
    return await stall(struck)


async def break_off(struck: Struck) -> web.StreamResponse:
    """Send half of the answer, and close the connection."""
    response = await _begin(struck)
    await response.write(struck.content[: len(struck.content) // 2])
    if struck.request.transport is not None:
        struck.request.transport.close()
    return response


async def _begin(struck: Struck) -> web.StreamResponse:
    """Send the head of the answer."""
    headers = {"Content-Type": "application/json", "Content-Length": str(len(struck.content))}
    response = web.StreamResponse(status=struck.status, headers=headers)
    await response.prepare(struck.request)
    return response


async def cut_off(struck: Struck) -> web.StreamResponse:
    """Send half of the JSON as if it were all of it."""
    half = struck.content[: len(struck.content) // 2]
    return web.Response(status=struck.status, body=half, content_type="application/json")


async def lie_about_gzip(struck: Struck) -> web.StreamResponse:
    """Say that the answer is gzip, which it is not."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(status=struck.status, body=struck.content, headers=headers)


async def pad(struck: Struck) -> web.StreamResponse:
    """Send the answer with blanks behind it, :data:`HUGE_BYTES` in all."""
    body = struck.content.ljust(HUGE_BYTES)
    return web.Response(status=struck.status, body=body, content_type="application/json")


async def warn(struck: Struck) -> web.StreamResponse:
    """Print PHP's warnings before the JSON."""
    return web.Response(status=struck.status, body=_WARNINGS + struck.content, content_type="text/html")


async def page(struck: Struck) -> web.StreamResponse:
    """Answer as a proxy does: in HTML."""
    return web.Response(status=struck.status, body=_PAGE, content_type="text/html")


async def redirect(struck: Struck) -> web.StreamResponse:
    """Send the client to a host that does not exist."""
    location = {"Location": f"https://elsewhere.invalid{struck.request.raw_path}"}
    return web.Response(status=struck.status, headers=location)


def envelope(text: str) -> Fail:
    """Return what answers with the JSON envelope of a failure."""
    return partial(_envelope, text=text)


async def _envelope(struck: Struck, text: str) -> web.StreamResponse:
    body = _ENVELOPE % text.encode()
    return web.Response(status=struck.status, body=body, content_type="application/json")


async def throttle(struck: Struck) -> web.StreamResponse:
    """Answer that it was too fast, without saying how long to wait."""
    return web.Response(status=struck.status, text="Too Many Requests\n")


async def throttle_for_seconds(struck: Struck) -> web.StreamResponse:
    """Answer that it was too fast, and for how many seconds to wait."""
    return web.Response(status=struck.status, headers={"Retry-After": str(struck.retry_after_s)})


async def throttle_until(struck: Struck) -> web.StreamResponse:
    """Answer that it was too fast, and until when to wait."""
    when = formatdate(time() + struck.retry_after_s, usegmt=True)
    return web.Response(status=struck.status, headers={"Retry-After": when})
