"""The faults: what can go wrong between a client and Envoke."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_envoke.sandbox import faulty_responses as responses
from airflow_provider_envoke.sandbox.api import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.api import Api, Call
    from airflow_provider_envoke.sandbox.faulty_responses import Respond
    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

    ChangeContact = Callable[[ContactStore, Contact], None]

#: What the fault ``changed`` writes into a contact's ``feedback``.
CHANGED_FEEDBACK = "Changed by somebody else"


def _any_request(_: Call) -> bool:
    return True


def _is_update(call: Call) -> bool:
    return call.method == "PATCH"


def is_read(call: Call) -> bool:
    """Whether a call reads contacts."""
    return call.method == "GET" and call.path == "/v1/contacts"


def is_read_with_in(call: Call) -> bool:
    """Whether a call reads contacts by a filter with ``$in``."""
    return is_read(call) and any("[$in]" in name for name, _ in call.query)


def _delete(store: ContactStore, contact: Contact) -> None:
    store.delete(contact)


def _change_feedback(store: ContactStore, contact: Contact) -> None:
    store.update(contact, {"feedback": CHANGED_FEEDBACK})


def _revoke(store: ContactStore, contact: Contact) -> None:
    store.update(contact, {"consent_status": "Revoked"})


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One way in which a request can fail.

    :param name: the name on the command line and in the statistics.
    :param description: what happens.
    :param temporary: whether the request succeeds, at once or when the client repeats it until the fault no longer
        occurs. Any other fault is a final answer.
    :param applied: whether the API applies the request.
    :param status: HTTP status that the client receives; ``None`` for the API's own, 0 for no response.
    :param respond: sends, or breaks, the response.
    :param applies_to: which requests can have this fault.
    :param change_before: how somebody else changes the contact just before it is updated.
    :param change_after: how somebody else changes each contact just after it was read.
    """

    name: str
    description: str
    temporary: bool = True
    applied: bool = False
    status: int | None = None
    respond: Respond = responses.send_answer
    applies_to: Callable[[Call], bool] = _any_request
    change_before: ChangeContact | None = None
    change_after: ChangeContact | None = None


_TRY_AGAIN = responses.failure_with("Something went wrong, please try again")
_NO_CREDENTIALS = responses.failure_with("Authentication failed")
_NO_IN = responses.failure_with("Operator '$in' is not supported")

_TEMPORARY = (
    Fault(
        "connection_refused",
        "connection reset; new connections refused for 20 ms; not applied",
        status=0,
        respond=responses.refuse_connections,
    ),
    Fault("reset_before", "connection reset; not applied", status=0, respond=responses.reset_connection),
    Fault("reset_after", "connection reset; applied", applied=True, status=0, respond=responses.reset_connection),
    Fault("stall", "no response; applied", applied=True, status=0, respond=responses.send_nothing),
    Fault(
        "drip",
        "response sent one byte at a time, 20 bytes per second, never completed; applied",
        applied=True,
        respond=responses.send_byte_by_byte,
    ),
    Fault(
        "cut_off",
        "half of the JSON, sent as if it were complete; applied",
        applied=True,
        respond=responses.send_truncated_json,
    ),
    Fault(
        "broken_off",
        "half of the response, then the connection is closed; applied",
        applied=True,
        respond=responses.close_halfway,
    ),
    Fault("html_502", "502 with a proxy's HTML page; not applied", status=502, respond=responses.send_proxy_page),
    Fault("html_503", "503 with a proxy's HTML page; not applied", status=503, respond=responses.send_proxy_page),
    Fault(
        "html_504",
        "504 with a proxy's HTML page; applied",
        applied=True,
        status=504,
        respond=responses.send_proxy_page,
    ),
    Fault("error_500", "500 with a JSON error; not applied", status=500, respond=_TRY_AGAIN),
    Fault("throttled", "429 without `Retry-After`; not applied", status=429, respond=responses.throttle),
    Fault(
        "throttled_seconds",
        "429 with `Retry-After` in seconds; not applied",
        status=429,
        respond=responses.throttle_with_seconds,
    ),
    Fault(
        "throttled_date",
        "429 with `Retry-After` as a date; not applied",
        status=429,
        respond=responses.throttle_with_date,
    ),
    Fault(
        "passing_401", "401 although the credentials are correct; not applied", status=401, respond=_NO_CREDENTIALS
    ),
    Fault(
        "warnings", "a PHP warning before the JSON; applied", applied=True, respond=responses.prepend_php_warning
    ),
    Fault(
        "lying_gzip",
        "response marked as gzip although it is not compressed; applied",
        applied=True,
        respond=responses.claim_gzip,
    ),
    Fault("huge", "response of 10 MB: the JSON, then spaces; applied", applied=True, respond=responses.send_10_mb),
    Fault(
        "changed",
        "`feedback` changed by somebody else just before an update",
        applied=True,
        applies_to=_is_update,
        change_before=_change_feedback,
    ),
)

_FINAL = (
    Fault(
        "deleted",
        "contact deleted by somebody else just before an update",
        temporary=False,
        applied=True,
        applies_to=_is_update,
        change_before=_delete,
    ),
    Fault(
        "revoked",
        "consent revoked just after a contact was read",
        temporary=False,
        applied=True,
        applies_to=is_read,
        change_after=_revoke,
    ),
    Fault(
        "unsuccessful", "200 with `success: false`; not applied", temporary=False, status=200, respond=_TRY_AGAIN
    ),
    Fault("redirect", "302 to another host; not applied", temporary=False, status=302, respond=responses.redirect),
    Fault(
        "in_refused",
        "400 to filters with `$in`",
        temporary=False,
        status=400,
        respond=_NO_IN,
        applies_to=is_read_with_in,
    ),
)

#: Every fault by name, temporary ones first.
FAULTS = {fault.name: fault for fault in (*_TEMPORARY, *_FINAL)}


def apply_fault(fault: Fault, call: Call, api: Api) -> Answer:
    """Return the API's answer to a call with a fault; its status is 0 if the fault keeps the call from the API."""
    if not fault.applied:
        return Answer(0, b"")
    contact = api.written_contact(call) if fault.change_before is not None else None
    if fault.change_before is not None and contact is not None:
        fault.change_before(api.store, contact)
    answer = api.answer(call)
    if fault.change_after is not None and answer.status == 200:
        ids = [item["id"] for item in json.loads(answer.content) if "id" in item]
        for number in ids:
            fault.change_after(api.store, api.store.contacts[number])
    return answer
