"""Who may see the sandbox's page and make the calls below ``/__sandbox__/``: this machine only."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from aiohttp import web


def is_local_request(request: web.BaseRequest) -> bool:
    """
    Whether a request comes from this machine, but not from a web page of another site in its browser.

    The peer's address decides, never a header such as ``X-Forwarded-For``. A site can make its own name resolve to
    127.0.0.1 (DNS rebinding), which shows in the header ``Host``, or send a form here, which shows in ``Origin``.
    """
    if not is_loopback(request.remote):
        return False
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    return is_loopback(_host_name(host)) and origin in (None, f"http://{host}")


def is_loopback(address: str | None) -> bool:
    """Whether an address is ``localhost`` or a loopback address, of IPv4 or IPv6."""
    try:
        return address == "localhost" or ip_address(address or "").is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """Return a ``Host`` header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
