"""
A table of every kind of row, what each of its rows asks for, and the check that a run did that and nothing else.

``benchmarks/survival.py`` uses it with 10,000 rows, ``test_survival.py`` with some hundred.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.faults import CHANGED_FEEDBACK, FAULTS
from tests.support.contacts import EXPRESS
from tests.support.reference_model import by, comparable, model_by_email

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_envoke.sandbox.thread import Sandbox
    from airflow_provider_envoke.sync.report import Reject, SyncReport

PASSING = [name for name, fault in FAULTS.items() if fault.temporary]

#: For a fault of all writes of one contact: the reason why its row is rejected, and a fragment of the message.
#: Without ``connection_refused`` and ``passing_401``, which affect more than one contact.
PERMANENTLY = {
    **dict.fromkeys(["reset_before", "reset_after"], ("no_answer", "broke")),
    **dict.fromkeys(["stall", "drip"], ("no_answer", "did not respond within")),
    "cut_off": ("no_answer", "incomplete or invalid JSON"),
    "broken_off": ("no_answer", "broke off"),
    **{f"html_{status}": ("no_answer", f"HTTP {status}") for status in (502, 503, 504)},
    "error_500": ("no_answer", "HTTP 500"),
    **dict.fromkeys(["throttled", "throttled_seconds", "throttled_date"], ("no_answer", "HTTP 429")),
    "lying_gzip": ("no_answer", "broke off"),
    "deleted": ("not_found", "no contact has this key"),
    "unsuccessful": ("refused", "HTTP 200"),
    "redirect": ("refused", "'elsewhere.invalid'"),
}


@dataclass(frozen=True)
class Case:
    """One row, the contact before the run, the body that is to be sent, the count and the reason it belongs to."""

    row: dict[str, Any]
    contact: dict[str, Any] | None
    asks: dict[str, Any] | None
    outcome: str
    reason: str = ""


def make_case(number: int) -> Case:
    """The kinds of rows in turn."""
    email = f"person{number}@example.com"
    same = {"email": email, "city": "Laval"}
    old = {"id": number + 1, **same, "interests": ["News"], "custom_fields": {"plan": "1"}}
    moved = {"email": email, "city": f"City {number}"}
    groups = {"custom_fields": {"plan": "2"}, "interests": {"Offers": "Set", "News": "Unset"}}
    kinds = [
        Case(same, old, None, "unchanged"),
        Case(moved, old, {"city": moved["city"]}, "updated"),
        Case(moved | groups, old, {"city": moved["city"], **groups}, "updated"),
        Case(same | EXPRESS, old, EXPRESS, "updated"),
        Case(moved, None, moved, "created"),
        Case(moved | EXPRESS, old | {"consent_status": "Revoked"}, {"city": moved["city"]}, "updated"),
        Case(moved, old, {"city": moved["city"]}, "updated"),
        Case(same | {"first_name": "x" * 21}, old, None, "rejected", "overlong"),
    ]
    return kinds[number % len(kinds)]


def make_table(count: int) -> list[Case]:
    """So many rows."""
    return [make_case(number) for number in range(count)]


def without_strangers(count: int) -> list[Case]:
    """So many rows, less those without a contact."""
    return [case for case in make_table(count) if case.contact]


def contacts_of(table: Sequence[Case]) -> list[dict[str, Any]]:
    """The account before the run."""
    return [case.contact for case in table if case.contact]


def wrong_outcomes(
    table: Sequence[Case], report: SyncReport, rejects: Sequence[Reject], struck: Mapping[int, str] | None = None
) -> list[str]:
    """
    What is wrong with the counts, and the rows that should not have been rejected, or not for this reason.

    :param struck: row number -> the fault that struck all writes of its contact.
    """
    stays = {number: PERMANENTLY[name][0] for number, name in (struck or {}).items()}
    expected = {number: case.reason for number, case in enumerate(table, start=1) if case.reason} | stays
    found = {reject.row: reject.reason for reject in rejects}
    rows = sorted(expected.keys() | found.keys())
    wrong = [f"row {row}: {found.get(row)}" for row in rows if found.get(row) != expected.get(row)]
    counts = Counter("rejected" if number in stays else case.outcome for number, case in enumerate(table, start=1))
    counts["rows"] = len(table)
    names = ("rows", "updated", "created", "unchanged", "skipped", "rejected")
    return wrong + [f"{name}: {getattr(report, name)}" for name in names if getattr(report, name) != counts[name]]


def wrong_contacts(sandbox: Sandbox, table: Sequence[Case], struck: Mapping[int, str] | None = None) -> list[str]:
    """The contacts that are not as the reference model says, changes by somebody else included."""
    struck = struck or {}
    written = [
        case.row
        for number, case in enumerate(table, start=1)
        if case.outcome != "rejected" and (number not in struck or FAULTS[struck[number]].applied)
    ]
    expected = model_by_email(contacts_of(table), written, "first", "create")
    for number, name in struck.items():
        if name == "deleted":
            del expected[table[number - 1].row["email"]]
    meddled = {request["path"] for request in sandbox.requests if request["fault"] == "changed"}
    for contact in expected.values():
        if f"/v1/contacts/{contact.get('id')}" in meddled:
            contact["feedback"] = CHANGED_FEEDBACK
    wanted = {key: comparable(contact) for key, contact in expected.items()}
    found = by("email", sandbox.contacts)
    return sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))


def wrong_writes(
    sandbox: Sandbox, table: Sequence[Case], struck: Mapping[int, str] | None = None
) -> tuple[list[Any], list[Any]]:
    """The writes that came in and that no row asks for, and the rows whose write was not applied."""
    asked = {_write_of(case): number for number, case in enumerate(table, start=1) if case.asks}
    sent = [(_shown(request), request["applied"]) for request in sandbox.requests if request["method"] != "GET"]
    unasked = {write for write, _ in sent} - asked.keys()
    missing = {asked[write] for write in asked.keys() - {write for write, applied in sent if applied}}
    cannot = {n for n, name in (struck or {}).items() if not FAULTS[name].applied or name == "deleted"}
    return sorted(unasked), sorted(missing ^ cannot)


def choose(table: Sequence[Case], times: int) -> dict[int, str]:
    """Row number -> the fault for its contact: each of :data:`PERMANENTLY` so many times, far apart."""
    updates = [number for number, case in enumerate(table, start=1) if case.outcome == "updated"]
    names = list(PERMANENTLY) * times
    step = len(updates) // len(names)
    return {updates[position * step]: name for position, name in enumerate(names)}


def emails_of(table: Sequence[Case], struck: Mapping[int, str]) -> dict[str, str]:
    """The same by e-mail address, as the sandbox takes it."""
    return {table[number - 1].row["email"]: name for number, name in struck.items()}


def _write_of(case: Case) -> tuple[str, str, str]:
    body = json.dumps(case.asks, sort_keys=True)
    if case.contact is None:
        return "POST", "/v1/contacts?upsert=1", body
    return "PATCH", f"/v1/contacts/{case.contact['id']}?", body


def _shown(request: Mapping[str, Any]) -> tuple[str, str, str]:
    body = json.dumps(json.loads(request["body"]), sort_keys=True)
    return request["method"], f"{request['path']}?{request['query']}", body
