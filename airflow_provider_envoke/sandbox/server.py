"""The sandbox's HTTP side: every request comes in at :meth:`SandboxServer.handle`."""

from __future__ import annotations

import asyncio
import hmac
import time
from base64 import b64encode
from collections import Counter, deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web  # noqa: TID253 - the sandbox is a server; no DAG file imports it

from airflow_provider_envoke.sandbox.api import Answer, Api, Call, failure
from airflow_provider_envoke.sandbox.failing import Struck
from airflow_provider_envoke.sandbox.faults import carry_out
from airflow_provider_envoke.sandbox.listener import Listener
from airflow_provider_envoke.sandbox.page import render_page
from airflow_provider_envoke.sandbox.store import read_contacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_envoke.sandbox.faults import Fault, Faults
    from airflow_provider_envoke.sandbox.store import ContactStore

_MAX_URL_BYTES = 8_192  # nginx's default [assumed]


@dataclass(slots=True)
class Stats:
    """What was asked of the sandbox since its start, or since the last reset."""

    requests: int = 0
    by_method: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    by_second: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "requests": self.requests,
            "by_method": dict(self.by_method),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "max_per_second": max(self.by_second.values(), default=0),
            "faults": dict(self.faults),
        }


class SandboxServer:
    """
    Answers as the Envoke API does, except to requests that a fault strikes.

    Its state: the store, what was asked lately, and figures about it.

    :param store: the account's contacts.
    :param api_id: user name of HTTP Basic.
    :param api_key: password of HTTP Basic.
    :param latency_s: seconds that every answer of the API takes.
    :param faults: decides which requests are struck; only requests with good credentials are.
    :param keep_requests: how many of the last requests are kept.
    """

    def __init__(
        self,
        store: ContactStore,
        *,
        api_id: str = "sandbox-id",
        api_key: str = "sandbox-key",
        latency_s: float = 0.0,
        faults: Faults | None = None,
        keep_requests: int = 1_000,
    ) -> None:
        self.store = store
        self.requests: deque[dict[str, Any]] = deque(maxlen=keep_requests)
        self.stats = Stats()
        self._api = Api(store)
        self._authorization = b"Basic " + b64encode(f"{api_id}:{api_key}".encode())
        self._latency_s = latency_s
        self._faults = faults or None
        self._listener = Listener(self.handle)

    async def start(self, host: str, port: int) -> int:
        """
        Listen, and return the port.

        :raises OSError: if the port is taken.
        """
        return await self._listener.open(host, port)

    async def stop(self) -> None:
        """Stop listening, and end the connections."""
        await self._listener.close()

    def reset(self, contacts: Iterable[Mapping[str, Any]] | None = None) -> None:
        """
        Forget the requests, and what they were struck by.

        :param contacts: the account's contacts from now on; by default those that are there.
        :raises ValueError: if they cannot be; then nothing has changed.
        """
        if contacts is not None:
            self.store.replace(contacts)
        self.requests.clear()
        self.stats = Stats()
        if self._faults is not None:
            self._faults.forget()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path.startswith(("/v1/", "/v2/")):
            return await self._handle_api(request)
        if not _is_from_here(request):
            return web.Response(status=403, text="Only from this machine, and by its own name.\n")
        if request.path == "/":
            page = render_page(self.store, self.requests, self.stats.as_dict())
            # A contact may hold half a surrogate pair, which UTF-8 has no bytes for.
            return web.Response(body=page.encode(errors="replace"), content_type="text/html", charset="utf-8")
        return await self._handle_admin(request)

    async def _handle_api(self, request: web.BaseRequest) -> web.StreamResponse:
        stats = self.stats
        stats.requests += 1
        stats.by_method[request.method] += 1
        stats.by_second[int(time.monotonic())] += 1
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            content = await request.read()
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            fault, answer = self._judge(request, content)
        finally:
            stats.in_flight -= 1
        self._keep(request, content, fault, answer)
        if fault is None:
            return web.Response(status=answer.status, body=answer.content, content_type="application/json")
        status = answer.status if fault.status is None else fault.status
        retry_after_s = self._faults.retry_after_s if self._faults else 0
        return await fault.fail(Struck(request, status, answer.content, retry_after_s, self._listener.refuse))

    def _judge(self, request: web.BaseRequest, content: bytes) -> tuple[Fault | None, Answer]:
        """Return the fault that strikes a request, if one does, and the API's answer."""
        if len(request.raw_path) > _MAX_URL_BYTES:
            return None, Answer.of(414, failure("Request-URI Too Large"))
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, self._authorization):
            return None, Answer.of(401, failure("Authentication failed"))
        # The raw query: aiohttp's ``query_string`` is decoded already, and "%2541" would become "A".
        query = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
        call = Call(request.method, request.path.rstrip("/"), query, content)
        fault = self._faults.strike(call, self._api) if self._faults is not None else None
        return fault, self._api.answer(call) if fault is None else carry_out(fault, call, self._api)

    def _keep(self, request: web.BaseRequest, content: bytes, fault: Fault | None, answer: Answer) -> None:
        """Remember the request, and count it by what the client gets to see."""
        status = answer.status if fault is None or fault.status is None else fault.status
        if status:
            self.stats.by_status[status] += 1
        if fault is not None:
            self.stats.faults[fault.name] += 1
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "body": content.decode(errors="replace"),
                "status": status,
                "fault": fault.name if fault is not None else "",
                "applied": answer.status == 200 and request.method != "GET",
            }
        )

    async def _handle_admin(self, request: web.BaseRequest) -> web.StreamResponse:
        call = (request.method, request.path)
        if call == ("GET", "/__sandbox__/stats"):
            return web.json_response(self.stats.as_dict())
        if call == ("GET", "/__sandbox__/contacts"):
            return web.json_response(list(self.store.contacts.values()))
        if call == ("GET", "/__sandbox__/requests"):
            return web.json_response(list(self.requests))
        if call == ("POST", "/__sandbox__/reset"):
            # Not request.read(), which refuses more than 1 MiB: some 5,000 contacts.
            return self._answer_reset(await request.content.read())
        return web.json_response({"error": "Not found"}, status=404)

    def _answer_reset(self, content: bytes) -> web.StreamResponse:
        """Forget the requests, and with a body take its list of contacts as the account's."""
        try:
            self.reset(read_contacts(content) if content.strip() else None)
        except ValueError as error:
            return web.json_response({"error": f"Not a list of contacts: {error}"}, status=400)
        return web.json_response({"contacts": len(self.store.contacts)})


def _is_from_here(request: web.BaseRequest) -> bool:
    """
    Whether a request comes from this machine, and not by way of a web page that a browser on it shows.

    The peer's address decides, never a header such as ``X-Forwarded-For``. A page whose name an attacker lets
    resolve to 127.0.0.1 is told by the header Host, a page that posts here from elsewhere by the header Origin.
    """
    if not _is_loopback(request.remote):
        return False
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    return _is_loopback(_host_name(host)) and origin in (None, f"http://{host}")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str | None) -> bool:
    try:
        return address == "localhost" or ip_address(address or "").is_loopback
    except ValueError:
        return False
