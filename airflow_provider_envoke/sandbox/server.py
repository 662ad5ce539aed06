"""The sandbox's HTTP side: every request comes in at :meth:`SandboxServer.handle`."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import b64encode
from collections import Counter, deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web  # noqa: TID253 - the sandbox is a server; no DAG file imports it

from airflow_provider_envoke.sandbox.filters import FilterError
from airflow_provider_envoke.sandbox.listing import list_contacts
from airflow_provider_envoke.sandbox.page import render_page
from airflow_provider_envoke.sandbox.store import read_contacts, refuse_constant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

_MAX_URL_BYTES = 8_192  # nginx's default [assumed]
_KEPT_REQUESTS = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: HTTP status and JSON body."""

    status: int
    body: Any


@dataclass(slots=True)
class Stats:
    """What was asked of the sandbox since its start, or since the last reset."""

    requests: int = 0
    by_method: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    by_second: Counter[int] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "requests": self.requests,
            "by_method": dict(self.by_method),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "max_per_second": max(self.by_second.values(), default=0),
        }


class SandboxServer:
    """
    Answers as the Envoke API does.

    Its state: the store, what was asked lately, and figures about it.

    :param store: the account's contacts.
    :param api_id: user name of HTTP Basic.
    :param api_key: password of HTTP Basic.
    :param latency_s: seconds that every answer of the API takes.
    :param refuse_in: whether ``$in`` is an operator that no field takes.
    """

    def __init__(
        self,
        store: ContactStore,
        *,
        api_id: str = "sandbox-id",
        api_key: str = "sandbox-key",
        latency_s: float = 0.0,
        refuse_in: bool = False,
    ) -> None:
        self.store = store
        self.requests: deque[dict[str, Any]] = deque(maxlen=_KEPT_REQUESTS)
        self.stats = Stats()
        self._authorization = b"Basic " + b64encode(f"{api_id}:{api_key}".encode())
        self._latency_s = latency_s
        self._refuse_in = refuse_in

    async def start(self, host: str, port: int) -> tuple[web.ServerRunner, int]:
        """
        Listen, and return what stops it and the port.

        :raises OSError: if the port is taken.
        """
        runner = web.ServerRunner(
            web.Server(self.handle, access_log=None, max_line_size=1 << 16), shutdown_timeout=1
        )
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        return runner, runner.addresses[0][1]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path.startswith(("/v1/", "/v2/")):
            return await self._handle_api(request)
        if not _is_loopback(request.remote):
            return web.Response(status=403, text="Only from this machine.\n")
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
            answer = self._answer(request, content)
        finally:
            stats.in_flight -= 1
        stats.by_status[answer.status] += 1
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "body": content.decode(errors="replace"),
                "status": answer.status,
            }
        )
        return web.Response(
            status=answer.status, body=json.dumps(answer.body).encode(), content_type="application/json"
        )

    def _answer(self, request: web.BaseRequest, content: bytes) -> Answer:
        if len(request.raw_path) > _MAX_URL_BYTES:
            return Answer(414, _failure("Request-URI Too Large"))
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, self._authorization):
            return Answer(401, _failure("Authentication failed"))
        # The raw query: aiohttp's ``query_string`` is decoded already, and "%2541" would become "A".
        query = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
        try:
            return self._route(request.method, request.path.rstrip("/"), query, content)
        except FilterError as error:
            return _refusal(str(error))

    def _route(self, method: str, path: str, query: list[tuple[str, str]], content: bytes) -> Answer:
        parent, _, contact_id = path.rpartition("/")
        if method == "PATCH" and path == "/v1/contacts":
            return self._patch("", dict(query), content)
        if method == "PATCH" and parent == "/v1/contacts":
            return self._patch(contact_id, dict(query), content)
        if method == "POST" and path == "/v1/contacts":
            return self._post(dict(query), content)
        if method == "GET":
            return self._get(path, query)
        return Answer(404, _failure("Not found"))

    def _get(self, path: str, query: list[tuple[str, str]]) -> Answer:
        if path == "/v1/contacts":
            return Answer(200, list_contacts(self.store, query, refuse_in=self._refuse_in))
        if path == "/v1/settings":
            return Answer(200, {"id": 1, "name": "Sandbox account"})
        group = {"/v1/interests": "interests", "/v1/autoresponders": "autoresponders"}.get(path)
        if group or path == "/v1/customfields":
            used = (contact[group or "custom_fields"] for contact in self.store.contacts.values())
            names = sorted({name for names in used for name in names})
            return Answer(200, {str(number): name for number, name in enumerate(names, start=1)})
        return Answer(404, _failure("Not found"))

    def _patch(self, contact_id: str, query: Mapping[str, str], content: bytes) -> Answer:
        """PATCH in the three forms of article 1697196."""
        body = _body(content)
        if isinstance(body, Answer):
            return body
        given = body.get("id")
        if contact_id and given not in (None, "") and str(given) != contact_id:
            return _refusal(f"Provided 'id': {contact_id} does not match 'id' in request body ({given})")
        keyfield = "id" if contact_id else query.get("keyfield") or ("id" if body.get("id") else "email")
        if keyfield not in ("id", "email", "remote_id"):
            return _refusal(f"Invalid 'keyfield': '{keyfield}'")
        key = contact_id or body.get(keyfield)
        if not key:
            return _refusal(f"'{keyfield}' is required")
        contact = self.store.find(keyfield, key)
        if contact is None:
            return _refusal(f"Item with {keyfield} '{key}' not found")
        return self._write("Updated", contact, body)

    def _post(self, query: Mapping[str, str], content: bytes) -> Answer:
        """POST creates, and with ``upsert=1`` updates what is there (article 1697195)."""
        body = _body(content)
        if isinstance(body, Answer):
            return body
        keyfields = [
            name for name in (query.get("keyfield"), "id", "email") if name in ("id", "email", "remote_id")
        ]
        found = (self.store.find(name, body[name]) for name in keyfields if body.get(name))
        contact = next((item for item in found if item is not None), None) if query.get("upsert") == "1" else None
        return self._write("Updated" if contact else "Created", contact, body)

    def _write(self, text: str, contact: Contact | None, body: dict[str, Any]) -> Answer:
        errors = self.store.errors(body, contact)
        if errors:
            return _refusal(*errors)
        if contact is None:
            contact = self.store.create(body)
        else:
            self.store.update(contact, body)
        data = {**contact, "id": str(contact["id"])}
        return Answer(200, {"success": True, "result_text": text, "result_data": data})

    async def _handle_admin(self, request: web.BaseRequest) -> web.StreamResponse:
        call = (request.method, request.path)
        if call == ("GET", "/__sandbox__/stats"):
            return web.json_response(self.stats.as_dict())
        if call == ("GET", "/__sandbox__/contacts"):
            return web.json_response(list(self.store.contacts.values()))
        if call == ("GET", "/__sandbox__/requests"):
            return web.json_response(list(self.requests))
        if call == ("POST", "/__sandbox__/reset"):
            return self._reset(await request.read())
        return web.json_response({"error": "Not found"}, status=404)

    def _reset(self, content: bytes) -> web.StreamResponse:
        """Forget the requests, and with a body take its list of contacts as the account's."""
        try:
            if content.strip():
                self.store.replace(read_contacts(content))
        except ValueError as error:
            return web.json_response({"error": f"Not a list of contacts: {error}"}, status=400)
        self.requests.clear()
        self.stats = Stats()
        return web.json_response({"contacts": len(self.store.contacts)})


def _body(content: bytes) -> dict[str, Any] | Answer:
    """Read the body as JSON whatever the content type says: ``curl -d`` sends that of a form."""
    if not content.strip():
        return _refusal("Request body may not be empty")
    try:
        body = json.loads(content, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return _refusal("Request body is not a JSON object")
    return body or _refusal("Request body may not be empty")


def _refusal(*errors: str) -> Answer:
    """A refusal with its messages (article 15147584)."""
    text = "Validation failed, see 'result_data' -> 'errors'"
    return Answer(400, _failure(text, {"errors": list(errors)}))


def _failure(text: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"success": False, "result_text": text, "result_data": dict(data or {})}


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False
