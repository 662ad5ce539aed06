"""The HTML page at ``/``, without JavaScript: the contacts, what has changed, and the last requests."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.changes import CREATED, DELETED, UPDATED
from airflow_provider_envoke.sandbox.contact_row import COLUMNS, contact_row
from airflow_provider_envoke.sandbox.markup import line, show, span, table
from airflow_provider_envoke.sandbox.page_style import HEADERS, STYLE
from airflow_provider_envoke.sandbox.request_text import decode_escapes, read_query
from airflow_provider_envoke.sandbox.search import Search
from airflow_provider_envoke.sandbox.times import format_time, show_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_envoke.sandbox.changes import ContactChange
    from airflow_provider_envoke.sandbox.store import ContactStore

__all__ = ["HEADERS", "render_page"]

_MAX_CONTACTS = 100
_MAX_REQUESTS = 50
_MAX_BODY_CHARACTERS = 600
_REQUEST_COLUMNS = (("time", "w8"), ("method", "w6"), ("path", "w18"))
_WRITE_COLUMNS = (*_REQUEST_COLUMNS, ("body", ""), ("status", "w16"))
_READ_COLUMNS = (*_REQUEST_COLUMNS, ("asked for", ""), ("status", "w16"))


def render_page(
    store: ContactStore, requests: Iterable[dict[str, Any]], stats: dict[str, Any], search: Search | None = None
) -> str:
    """Return the page. All values of contacts and requests are escaped."""
    search = search or Search()
    changed = list(store.changes.find(store.contacts))
    found = search.find_requests(requests)
    writes = [request for request in found if request["method"] != "GET"]
    reads = [request for request in found if request["method"] == "GET"]
    now = store.clock()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Envoke sandbox</title><style>{STYLE}</style></head><body><main>
<h1>Envoke sandbox</h1>
<p>A stand-in for an Envoke account. Changes count from {format_time(store.changes.since)}, when it started or was
last reset. Times are UTC. Reload the page to refresh.</p>
{_tiles(store, changed, stats)}
{_form(search)}
{_contacts(store, changed, search, now)}
{_requests("Writes", writes, [_write_row(each, now) for each in writes[:_MAX_REQUESTS]], _WRITE_COLUMNS, search)}
{_requests("Reads", reads, [_read_row(each, now) for each in reads[:_MAX_REQUESTS]], _READ_COLUMNS, search)}
<p>As JSON: <a href="/__sandbox__/contacts">all contacts</a>,
<a href="/__sandbox__/requests">the last requests</a>, <a href="/__sandbox__/stats">statistics</a></p>
</main></body></html>
"""


def _tiles(store: ContactStore, changed: Iterable[ContactChange], stats: dict[str, Any]) -> str:
    kinds = Counter(change.kind for change in changed)
    reads = stats.get("by_method", {}).get("GET", 0)
    tiles = {
        "contacts": len(store.contacts),
        **{kind: kinds[kind] for kind in (CREATED, UPDATED, DELETED)},
        "writes": stats["requests"] - reads,
        "reads": reads,
    }
    links = {"contacts": "/", "writes": "#writes", "reads": "#reads"}
    shown = "".join(
        f'<a class="tile" href="{links.get(name, "/?changed=1")}"><b>{count:,}</b>{name}</a>'
        for name, count in tiles.items()
    )
    return f'<div class="tiles">{shown}</div>'


def _form(search: Search) -> str:
    checked = " checked" if search.changed_only else ""
    clear = '<a href="/">Show all</a>' if search != Search() else ""
    return (
        '<form method="get" action="/"><input type="search" name="q" maxlength="200" aria-label="Search"'
        f' placeholder="Search contacts and requests" value="{escape(search.text)}">'
        f'<label><input type="checkbox" name="changed" value="1"{checked}> changed contacts only</label>'
        f"<button>Search</button>{clear}</form>"
    )


def _contacts(store: ContactStore, changed: list[ContactChange], search: Search, now: float) -> str:
    found = search.find_contacts(store, changed)
    shown = found[:_MAX_CONTACTS]
    which = "found" if search != Search() else "in all"
    deleted = sum(each.kind == DELETED for each in found)
    count = f"{len(found):,} {which}" + (f" ({deleted:,} of them deleted)" if deleted else "")
    title = _title("Contacts", f"{len(shown):,} of {count}, last change first, then newest first")
    empty = "No contacts." if search == Search() else "No contact matches."
    return title + table(COLUMNS, ((each.kind, contact_row(each, now)) for each in shown), empty)


def _requests(
    name: str,
    found: Sequence[object],
    rows: Iterable[tuple[str, list[str]]],
    columns: Sequence[tuple[str, str]],
    search: Search,
) -> str:
    which = "found" if search.text else "kept"
    title = _title(name, f"{min(len(found), _MAX_REQUESTS):,} of {len(found):,} {which}, last first")
    return title + table(columns, rows, "None yet." if not search.text else "No request matches.")


def _title(name: str, text: str) -> str:
    return f'<div class="title"><h2 id="{name.lower()}">{name}</h2>{span("dim", text)}</div>'


def _write_row(request: dict[str, Any], now: float) -> tuple[str, list[str]]:
    address = request["path"] + (f"?{request['query']}" if request["query"] else "")
    body = f"<code>{show(decode_escapes(request['body']), _MAX_BODY_CHARACTERS)}</code>"
    return "", [*_start_of_row(request, address, now), body, _status(request)]


def _read_row(request: dict[str, Any], now: float) -> tuple[str, list[str]]:
    asked = read_query(request["query"])
    keys = ""
    if asked.text:
        keys = f"<details><summary>{show(asked.text)}</summary>{show(', '.join(asked.values), 8_000)}</details>"
    return "", [
        *_start_of_row(request, request["path"], now),
        keys + line("dim", show(asked.rest)),
        _status(request),
    ]


def _start_of_row(request: dict[str, Any], address: str, now: float) -> list[str]:
    return [show_time(request["time"], now), show(request["method"]), show(address)]


def _status(request: dict[str, Any]) -> str:
    is_bad = request["fault"] or not 0 < request["status"] < 400
    text = show(f"{request['status'] or 'no response'} {request['fault']}".strip())
    return span("bad" if is_bad else "", text) + "".join(line("", show(error)) for error in request["errors"][:5])
