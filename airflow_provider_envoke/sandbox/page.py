"""The HTML page at ``/``: the last requests and the account's contacts."""

from __future__ import annotations

import itertools
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_envoke.sandbox.store import ContactStore

_MAX_CONTACTS = 100
_MAX_REQUESTS = 50
_COLUMNS = (
    "id",
    "remote_id",
    "email",
    "first_name",
    "last_name",
    "company",
    "city",
    "language",
    "consent_status",
    "interests",
    "custom_fields",
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2a37; background: #f6f7f9; margin: 0 }
main { max-width: 1200px; margin: 0 auto; padding: 24px 16px }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 17px; margin: 28px 0 8px } p { margin: 4px 0; color: #5b6675 }
.scroll { overflow-x: auto; background: #fff; border: 1px solid #e2e6ea; border-radius: 8px }
table { border-collapse: collapse; width: 100%; font-size: 13px }
th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid #eef0f3; vertical-align: top }
th, td { white-space: nowrap }
th { background: #fafbfc; font-weight: 600 }
td.wide { white-space: normal; word-break: break-all; min-width: 240px }
tr:last-child td { border-bottom: 0 } .bad { color: #b42318; font-weight: 600 }
"""


def render_page(store: ContactStore, requests: Sequence[dict[str, Any]], stats: dict[str, Any]) -> str:
    """Return the page. All values of contacts and requests are escaped."""
    contacts = list(itertools.islice(reversed(store.contacts.values()), _MAX_CONTACTS))
    more = len(store.contacts) - len(contacts)
    rows = ([_cell(contact.get(name)) for name in _COLUMNS] for contact in contacts)
    last_requests = itertools.islice(reversed(requests), _MAX_REQUESTS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Envoke sandbox</title><style>{_STYLE}</style></head><body><main>
<h1>Envoke sandbox</h1>
<p>Sandbox account · {len(store.contacts)} contacts · {stats["requests"]} requests · reload the page to refresh</p>
<h2>Last requests</h2>
{_table(("method", "path", "query", "body", "status"), (_request_row(request) for request in last_requests))}
<h2>Contacts, newest first</h2>
{_table(_COLUMNS, rows)}
<p>{f"… and {more} more. All contacts: /__sandbox__/contacts" if more else ""}</p>
</main></body></html>
"""


def _request_row(request: dict[str, Any]) -> list[str]:
    outcome = f"{request['status'] or 'no response'} {request['fault']}".strip()
    status = _cell(outcome, "bad" if request["fault"] or request["status"] >= 400 else "")
    texts = [_cell(request["method"]), _cell(request["path"])]
    return [*texts, _cell(_cut(request["query"], 120), "wide"), _cell(_cut(request["body"], 500), "wide"), status]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + "…"


def _cell(value: object, css: str = "") -> str:
    if isinstance(value, dict):
        value = ", ".join(f"{name}: {member}" for name, member in value.items())
    elif isinstance(value, list):
        value = ", ".join(str(member) for member in value)
    attribute = f' class="{css}"' if css else ""
    return f"<td{attribute}>{escape('' if value is None else str(value))}</td>"


def _table(columns: Sequence[str], rows: Iterable[list[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    empty = f'<tr><td colspan="{len(columns)}">None yet.</td></tr>'
    return f'<div class="scroll"><table><tr>{head}</tr>{body or empty}</table></div>'
