"""How the sandbox responds to a request with a fault: each function here sends, or breaks, one response."""

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

    Respond = Callable[["FaultyRequest"], Awaitable[web.StreamResponse]]

#: Size of the response that :func:`send_10_mb` sends.
HUGE_BYTES = 10_000_000

_SECONDS_PER_BYTE = 0.05
_CHECK_INTERVAL_S = 0.02
_PHP_WARNING = b"<br />\n<b>Warning</b>:  Undefined array key 1 in <b>contacts.php</b> on line <b>7</b><br />\n"
_PROXY_PAGE = (
    b"<!doctype html>\n<html><head><title>Error</title></head><body><h1>Upstream server error</h1></body></html>\n"
)
_FAILURE = b'{"success": false, "result_text": "%s", "result_data": {}}'


@dataclass(frozen=True, slots=True)
class FaultyRequest:
    """
    A request with a fault, and what is needed to respond to it.

    :param request: the request; its body has been read.
    :param status: HTTP status of the fault, or of the API's answer if the fault has none.
    :param content: the API's answer; empty if the request was not applied.
    :param retry_after_s: the delay for ``Retry-After``, in seconds.
    :param start_outage: makes the sandbox refuse new connections for a moment.
    """

    request: web.BaseRequest
    status: int
    content: bytes
    retry_after_s: int
    start_outage: Callable[[], None]


async def send_answer(faulty: FaultyRequest) -> web.StreamResponse:
    """Send the API's answer unchanged."""
    return web.Response(status=faulty.status, body=faulty.content, content_type="application/json")


async def reset_connection(faulty: FaultyRequest) -> web.StreamResponse:
    """Reset the connection (TCP RST)."""
    transport = faulty.request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


async def refuse_connections(faulty: FaultyRequest) -> web.StreamResponse:
    """Reset the connection, and refuse new ones for a moment."""
    faulty.start_outage()
    return await reset_connection(faulty)


async def send_nothing(faulty: FaultyRequest) -> web.StreamResponse:
    """Send nothing until the client closes the connection."""
    while faulty.request.transport is not None:
        await asyncio.sleep(_CHECK_INTERVAL_S)
    return web.Response()


async def send_byte_by_byte(faulty: FaultyRequest) -> web.StreamResponse:
    """Send the answer one byte at a time, and never the last byte."""
    response = await _send_head(faulty)
    with suppress(ConnectionError):  # the client has closed the connection
        for byte in faulty.content[:-1]:
            await response.write(bytes((byte,)))
            await asyncio.sleep(_SECONDS_PER_BYTE)
    return await send_nothing(faulty)


async def close_halfway(faulty: FaultyRequest) -> web.StreamResponse:
    """Send half of the answer, then close the connection."""
    response = await _send_head(faulty)
    await response.write(faulty.content[: len(faulty.content) // 2])
    if faulty.request.transport is not None:
        faulty.request.transport.close()
    return response


async def _send_head(faulty: FaultyRequest) -> web.StreamResponse:
    """Send the status and the headers of the answer."""
    headers = {"Content-Type": "application/json", "Content-Length": str(len(faulty.content))}
    response = web.StreamResponse(status=faulty.status, headers=headers)
    await response.prepare(faulty.request)
    return response


async def send_truncated_json(faulty: FaultyRequest) -> web.StreamResponse:
    """Send half of the JSON as if it were complete."""
    half = faulty.content[: len(faulty.content) // 2]
    return web.Response(status=faulty.status, body=half, content_type="application/json")


async def claim_gzip(faulty: FaultyRequest) -> web.StreamResponse:
    """Send the answer uncompressed, with a header that says it is gzip."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(status=faulty.status, body=faulty.content, headers=headers)


async def send_10_mb(faulty: FaultyRequest) -> web.StreamResponse:
    """Send the answer followed by spaces, :data:`HUGE_BYTES` in total."""
    body = faulty.content.ljust(HUGE_BYTES)
    return web.Response(status=faulty.status, body=body, content_type="application/json")


async def prepend_php_warning(faulty: FaultyRequest) -> web.StreamResponse:
    """Send a PHP warning in front of the JSON."""
    return web.Response(status=faulty.status, body=_PHP_WARNING + faulty.content, content_type="text/html")


async def send_proxy_page(faulty: FaultyRequest) -> web.StreamResponse:
    """Send a proxy's error page, which is HTML."""
    return web.Response(status=faulty.status, body=_PROXY_PAGE, content_type="text/html")


async def redirect(faulty: FaultyRequest) -> web.StreamResponse:
    """Redirect the client to a host that does not exist."""
    location = {"Location": f"https://elsewhere.invalid{faulty.request.raw_path}"}
    return web.Response(status=faulty.status, headers=location)


def failure_with(text: str) -> Respond:
    """Return a function that sends the API's JSON failure with this text."""
    return partial(_send_failure, text=text)


async def _send_failure(faulty: FaultyRequest, text: str) -> web.StreamResponse:
    body = _FAILURE % text.encode()
    return web.Response(status=faulty.status, body=body, content_type="application/json")


async def throttle(faulty: FaultyRequest) -> web.StreamResponse:
    """Tell the client that it sends too many requests, without ``Retry-After``."""
    return web.Response(status=faulty.status, text="Too Many Requests\n")


async def throttle_with_seconds(faulty: FaultyRequest) -> web.StreamResponse:
    """Tell the client that it sends too many requests, with ``Retry-After`` in seconds."""
    return web.Response(status=faulty.status, headers={"Retry-After": str(faulty.retry_after_s)})


async def throttle_with_date(faulty: FaultyRequest) -> web.StreamResponse:
    """Tell the client that it sends too many requests, with ``Retry-After`` as a date."""
    when = formatdate(time() + faulty.retry_after_s, usegmt=True)
    return web.Response(status=faulty.status, headers={"Retry-After": when})
