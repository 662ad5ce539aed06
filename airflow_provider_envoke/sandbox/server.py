"""The sandbox as an HTTP server: :meth:`SandboxServer.handle` gets every request."""

from __future__ import annotations

import asyncio
import hmac
import time
from base64 import b64encode
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web  # noqa: TID253 - the sandbox is a server; no DAG file imports it

from airflow_provider_envoke.sandbox.access import is_local_request
from airflow_provider_envoke.sandbox.api import Answer, Api, Call, failure
from airflow_provider_envoke.sandbox.fault_chooser import FaultChooser
from airflow_provider_envoke.sandbox.faults import apply_fault
from airflow_provider_envoke.sandbox.faulty_responses import FaultyRequest
from airflow_provider_envoke.sandbox.listener import Listener
from airflow_provider_envoke.sandbox.page import HEADERS, render_page
from airflow_provider_envoke.sandbox.search import Search
from airflow_provider_envoke.sandbox.store import read_contacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_envoke.sandbox.faults import Fault
    from airflow_provider_envoke.sandbox.store import ContactStore

_MAX_URL_BYTES = 8_192  # nginx's default [assumed]


@dataclass(slots=True)
class Stats:
    """Statistics of the requests since the start or the last reset."""

    requests: int = 0
    by_method: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    by_second: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics as JSON values."""
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
    Serves the API, the page and the calls below ``/__sandbox__/``.

    Its state: the store, the last requests, their statistics, and the latency.

    :param store: the account's contacts.
    :param api_id: user name of HTTP Basic.
    :param api_key: password of HTTP Basic.
    :param latency_s: delay of every API response, in seconds.
    :param faults: chooses the requests that get a fault. Requests with wrong credentials never get one.
    :param keep_requests: how many of the last requests to keep.
    """

    def __init__(
        self,
        store: ContactStore,
        *,
        api_id: str = "sandbox-id",
        api_key: str = "sandbox-key",
        latency_s: float = 0.0,
        faults: FaultChooser | None = None,
        keep_requests: int = 1_000,
    ) -> None:
        self.store = store
        self.latency_s = latency_s
        self.requests: deque[dict[str, Any]] = deque(maxlen=keep_requests)
        self.stats = Stats()
        self._api = Api(store)
        self._authorization = b"Basic " + b64encode(f"{api_id}:{api_key}".encode())
        self._has_faults = bool(faults)
        self._faults = faults or FaultChooser()
        self._listener = Listener(self.handle)

    async def start(self, host: str, port: int) -> int:
        """
        Start listening, and return the port.

        :raises OSError: if the port is in use.
        """
        return await self._listener.open(host, port)

    async def stop(self) -> None:
        """Stop listening, and close the connections."""
        await self._listener.close()

    def reset(self, contacts: Iterable[Mapping[str, Any]] | None = None) -> None:
        """
        Forget the requests, their statistics and the changes so far, and optionally replace the contacts.

        :param contacts: the new contacts; ``None`` keeps the present ones.
        :raises ValueError: if a contact is invalid. Nothing is changed then.
        """
        if contacts is not None:
            self.store.replace(contacts)
        else:
            self.store.changes.clear()
        self.requests.clear()
        self.stats = Stats()
        self._faults.reset()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path.startswith(("/v1/", "/v2/")):
            return await self._handle_api(request)
        if not is_local_request(request):
            return web.Response(status=403, text="Only available on this machine, at localhost or 127.0.0.1.\n")
        if request.path == "/":
            page = render_page(self.store, self.requests, self.stats.as_dict(), Search.of(request.query))
            return web.Response(text=page, content_type="text/html", headers=HEADERS)
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
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            fault, answer = self._answer(request, content)
        finally:
            stats.in_flight -= 1
        self._record(request, content, fault, answer)
        if fault is None:
            return web.Response(status=answer.status, body=answer.content, content_type="application/json")
        status = answer.status if fault.status is None else fault.status
        start_outage = partial(self._listener.refuse, self._faults.outage_s)
        faulty = FaultyRequest(request, status, answer.content, self._faults.retry_after_s, start_outage)
        return await fault.respond(faulty)

    def _answer(self, request: web.BaseRequest, content: bytes) -> tuple[Fault | None, Answer]:
        """Return the fault that a request gets, or ``None``, and the API's answer."""
        if len(request.raw_path) > _MAX_URL_BYTES:
            return None, Answer.of(414, failure("Request-URI Too Large"))
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, self._authorization):
            return None, Answer.of(401, failure("Authentication failed"))
        # The raw query, because aiohttp's ``query_string`` is decoded already: "%2541" would become "A".
        query = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
        call = Call(request.method, request.path.rstrip("/"), query, content)
        fault = self._faults.choose(call, self._api) if self._has_faults else None
        return fault, self._api.answer(call) if fault is None else apply_fault(fault, call, self._api)

    def _record(self, request: web.BaseRequest, content: bytes, fault: Fault | None, answer: Answer) -> None:
        """Add a request to the last requests and to the statistics, with the status that the client receives."""
        status = answer.status if fault is None or fault.status is None else fault.status
        if status:
            self.stats.by_status[status] += 1
        if fault is not None:
            self.stats.faults[fault.name] += 1
        self.requests.append(
            {
                "time": self.store.clock(),
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "body": content.decode(errors="replace"),
                "status": status,
                "fault": fault.name if fault is not None else "",
                "applied": answer.status == 200 and request.method != "GET",
                "errors": answer.errors(),
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
            # Not request.read(), which rejects more than 1 MiB: about 5,000 contacts.
            return self._reset_from(await request.content.read())
        return web.json_response({"error": "Not found"}, status=404)

    def _reset_from(self, content: bytes) -> web.StreamResponse:
        """Reset the sandbox; a body is the JSON list of the new contacts."""
        try:
            self.reset(read_contacts(content) if content.strip() else None)
        except ValueError as error:
            return web.json_response({"error": f"Not a list of contacts: {error}"}, status=400)
        return web.json_response({"contacts": len(self.store.contacts)})
