"""Calls of the hook that cannot work, whose payloads go out as they are given: refused in these words, unsent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.hooks.envoke import EnvokeHook
from tests.bad_input.judging import as_params, check_refused
from tests.leaks.marks import EMAIL, LAST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.leaks.marks import MarkedSandbox

NAN = float("nan")
ROW = {"email": EMAIL, "last_name": "Markedova"}
CHANGE = {"city": "Markedova"}


def _cycle() -> dict[str, Any]:
    cycle: dict[str, Any] = {"email": EMAIL}
    cycle["email"] = cycle
    return cycle


def _find(filters: Any, **arguments: Any) -> object:
    return list(EnvokeHook().find_contacts(filters, **arguments))


# What the person on call reads -> the call that was wrong, by name.
HOOK: dict[str, dict[str, Callable[[], object]]] = {
    "payload has to be a dict, field -> value, not NoneType.": {
        "update-none": lambda: EnvokeHook().update_contact(None),
        "create-none": lambda: EnvokeHook().create_contact(None),
    },
    "payload has to be a dict, field -> value, not str.": {
        "update-a-text": lambda: EnvokeHook().update_contact(EMAIL),
    },
    "payload has to be a dict, field -> value, not list.": {
        "update-a-list": lambda: EnvokeHook().update_contact([ROW]),
    },
    "The payload has neither an id nor an email to find the contact by.": {
        "update-nothing": lambda: EnvokeHook().update_contact({}),
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'phone'.": {
        "update-by-an-unknown-key": lambda: EnvokeHook().update_contact(ROW, keyfield="phone"),
    },
    "The payload's email has to be text, not dict.": {
        "update-by-an-object": lambda: EnvokeHook().update_contact({"email": {"$ne": ""}, **CHANGE}),
        "create-with-an-object-for-an-address": lambda: EnvokeHook().create_contact({"email": {"$ne": ""}}),
    },
    "The payload's email has to be text, not list.": {
        "update-by-a-list": lambda: EnvokeHook().update_contact({"email": [EMAIL], **CHANGE}),
    },
    "The payload's email has to be text, not bool.": {
        "update-by-true": lambda: EnvokeHook().update_contact({"email": True, **CHANGE}),
    },
    "The payload's remote_id has to be text, not dict.": {
        "update-by-a-remote-object": lambda: EnvokeHook().update_contact(
            {"remote_id": {"a": 1}, **CHANGE}, keyfield="remote_id"
        ),
    },
    "contact_id has to be a whole number from 1 to 4294967295.": {
        "update-by-a-hostile-id": lambda: EnvokeHook().update_contact(CHANGE, contact_id="7/../8"),
    },
    (
        "The payload holds a value that JSON cannot carry: convert it with "
        "airflow_provider_envoke.core.payload.build_payload first."
    ): {
        "update-with-nan": lambda: EnvokeHook().update_contact({**ROW, "city": NAN}),
        "update-with-bytes": lambda: EnvokeHook().update_contact({**ROW, "city": LAST_NAME.encode()}),
        "update-with-a-set": lambda: EnvokeHook().update_contact({**ROW, "city": {LAST_NAME}}),
        "update-with-a-cycle": lambda: EnvokeHook().update_contact({**ROW, "custom_fields": _cycle()}),
        "update-with-half-a-character": lambda: EnvokeHook().update_contact({**ROW, "city": f"{LAST_NAME}\ud800"}),
        "update-with-half-a-name": lambda: EnvokeHook().update_contact({**ROW, "\udfff": LAST_NAME}),
        "update-with-a-tuple-for-a-name": lambda: EnvokeHook().update_contact({**ROW, (LAST_NAME,): 1}),
    },
    "A contact cannot be created without an email.": {
        "create-without-an-address": lambda: EnvokeHook().create_contact(CHANGE),
    },
    "The payload's email has to be text, not bytes.": {
        "upsert-with-bytes-for-an-address": lambda: EnvokeHook().create_contact({"email": b"x"}, upsert=True),
    },
    "filters has to be a dict, field -> value, not NoneType.": {
        "find-by-none": lambda: _find(None),
    },
    "filters has to be a dict, field -> value, not str.": {
        "find-by-a-text": lambda: _find(EMAIL),
    },
    "filters has to be a dict, field -> value, not list.": {
        "find-by-a-list": lambda: _find([{"email": EMAIL}]),
    },
    "filter[email] is empty, and without it every contact would match: leave it out.": {
        "find-by-an-empty-object": lambda: _find({"email": {}}),
    },
    "filter[email][$in] is empty, and without it every contact would match: leave it out.": {
        "find-by-an-empty-list": lambda: _find({"email": {"$in": []}}),
    },
    "The value of filter[email] has to be text or a whole number, not NoneType.": {
        "find-by-a-null": lambda: _find({"email": None}),
    },
    "The value of filter[id] has to be text or a whole number, not float.": {
        "find-by-a-float": lambda: _find({"id": 1.5}),
    },
    "The value of filter[email] has to be text or a whole number, not bytes.": {
        "find-by-bytes": lambda: _find({"email": EMAIL.encode()}),
    },
    "The value of filter[id] has to be text or a whole number, not bool.": {
        "find-by-a-bool": lambda: _find({"id": True}),
    },
    "The value of filter[email] cannot be sent: it holds a NUL character.": {
        "find-by-nul": lambda: _find({"email": f"{LAST_NAME}\0"}),
    },
    (
        "The value of filter[email] cannot be sent: it holds half a character (a lone surrogate), which "
        "is not valid Unicode."
    ): {
        "find-by-half-a-character": lambda: _find({"email": f"{LAST_NAME}\ud800"}),
    },
    "The filters are nested too deeply: give field -> {operator: value}.": {
        "find-by-a-cycle": lambda: _find(_cycle()),
    },
    "'email]=x&filter[id' is not the name of a field or an operator.": {
        "find-by-a-hostile-name": lambda: _find({"email]=x&filter[id": EMAIL}),
    },
    "'5' is not the name of a field or an operator.": {
        "find-by-a-name-that-is-none": lambda: _find({5: EMAIL}),
    },
    "The filters make a URL of 36039 bytes, the limit is 7500: ask for fewer values at a time.": {
        "find-by-too-many": lambda: _find({"email": {"$in": [EMAIL] * 500}}),
    },
    "fields has to be a list of field names, not one str.": {
        "find-fields-as-a-text": lambda: _find({}, fields="email"),
    },
    "fields has to be a list of field names, not one int.": {
        "find-fields-as-a-number": lambda: _find({}, fields=5),
    },
    "'email,*' is not the name of a field or an operator.": {
        "find-fields-with-a-hostile-name": lambda: _find({}, fields=["email,*"]),
    },
    "sort has to be a dict, field -> value, not str.": {
        "find-sorted-by-a-text": lambda: _find({}, sort="email"),
    },
    "sort has to be ASC or DESC, not 'up'.": {
        "find-sorted-upwards": lambda: _find({}, sort={"email": "up"}),
    },
}  # fmt: skip


@pytest.mark.parametrize(("action", "message"), as_params(HOOK))
def test_a_call_of_the_hook_that_cannot_work_is_refused(
    action: Callable[[], object], message: str, sandbox: MarkedSandbox
) -> None:
    check_refused(action, message, sandbox)
