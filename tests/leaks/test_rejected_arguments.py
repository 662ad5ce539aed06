"""Rejected payloads and arguments of hook and operator never show credentials or personal data."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.support.leak_markers import EMAIL, LAST_NAME, Seen, leaks
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

PAYLOAD = {"email": EMAIL, "last_name": "Markedova", "custom_fields": {"note": f"wrote from {EMAIL}"}}


def _nested(depth: int) -> Any:
    value: Any = EMAIL
    for _ in range(depth):
        value = {"a": value}
    return value


BAD_PAYLOADS: dict[str, Any] = {
    "not an address": {"email": f"{EMAIL} {EMAIL}", "last_name": LAST_NAME},
    "long address": {"email": f"{'x' * 60}{EMAIL}", "last_name": LAST_NAME},
    "overlong name": {"email": EMAIL, "last_name": f"{LAST_NAME} " * 20},
    "surrogate": {"email": EMAIL, "last_name": f"{LAST_NAME}\ud800"},
    "nul": {"email": EMAIL, "last_name": f"{LAST_NAME}\0"},
    "object": {"email": EMAIL, "last_name": {LAST_NAME: EMAIL}},
    "bytes": {"email": EMAIL, "last_name": LAST_NAME.encode()},
    "address as id": {"id": EMAIL, "last_name": LAST_NAME},
    "consent": {"email": EMAIL, "consent_status": f"{EMAIL} said yes"},
    "tag": {"email": EMAIL, "interests": {"News": EMAIL}},
    "custom fields as text": {"email": EMAIL, "custom_fields": f"{EMAIL} Markedova"},
    "custom fields as json": {"email": EMAIL, "custom_fields": f'{{"a": "{EMAIL}", "a": "Markedova"}}'},
    "number": {"email": EMAIL, "custom_fields": {"a": float("inf")}, "last_name": LAST_NAME},
    "unknown field": {"email": EMAIL, "surname": LAST_NAME},
    "rendered null": {"email": EMAIL, "last_name": "None", "first_name": LAST_NAME},
    "nothing to update": {"email": EMAIL},
    "deep": _nested(200),
    "list": [PAYLOAD, PAYLOAD],
    "tuple": (EMAIL, LAST_NAME),
    "text": f"{EMAIL} {LAST_NAME}",
    "cut-off json": json.dumps(PAYLOAD)[:-5],
    "cut-off repr": repr(PAYLOAD)[:-5],
    "repr with a call": f"{{'email': '{EMAIL}', 'city': datetime.date(2026, 1, 1)}}",
    "repr with a name": f"{{'email': '{EMAIL}', 'city': Markedova_Leakson}}",
    "json twice": f'{{"email": "{EMAIL}", "email": "x{EMAIL}"}}',
    "json list": json.dumps([EMAIL]),
    "json text": json.dumps(EMAIL),
}


@pytest.mark.parametrize("name", BAD_PAYLOADS)
def test_no_rejected_payload_leaks(
    name: str, seen: Seen, connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)

    seen.attempt(lambda: update(payload=BAD_PAYLOADS[name]))
    with suppress(Exception):
        EnvokeUpdateContactOperator(task_id="dry", payload=BAD_PAYLOADS[name]).dry_run()

    assert len(seen.errors) == 1
    assert envoke_sandbox.requests == []
    assert leaks(seen.everything()) == []


ADDRESS_IN_A_NAME: dict[str, Callable[[], object]] = {
    "field": lambda: update(payload={EMAIL: "x", "email": EMAIL}),
    "member of a group": lambda: update(payload={"email": EMAIL, "custom_fields": {EMAIL: "x"}}),
    "tag": lambda: update(payload={"email": EMAIL, "interests": {EMAIL: "perhaps"}}),
    "json field": lambda: update(payload=json.dumps({EMAIL: {"last_name": LAST_NAME}})),
    "keyfield": lambda: update(payload=PAYLOAD, keyfield=EMAIL),
    "filter": lambda: list(EnvokeHook().find_contacts({EMAIL: "x"})),
    "operator": lambda: list(EnvokeHook().find_contacts({"email": {EMAIL: "x"}})),
    "sort": lambda: list(EnvokeHook().find_contacts({}, sort={"email": EMAIL})),
    "fields": lambda: list(EnvokeHook().find_contacts({}, fields=[EMAIL])),
    "rule": lambda: update(payload=PAYLOAD, nulls=EMAIL),
}
ADDRESS_AS_A_VALUE: dict[str, Callable[[], object]] = {
    "contact_id": lambda: update(payload={"city": "x"}, contact_id=EMAIL),
    "filter": lambda: list(EnvokeHook().find_contacts({"email": EMAIL.encode()})),
    "raw value": lambda: EnvokeHook().update_contact({"email": EMAIL, "city": {EMAIL}}),
    "raw name": lambda: EnvokeHook().update_contact({"email": EMAIL, (EMAIL,): "x"}),
}


@pytest.mark.parametrize(
    "action",
    [
        *(pytest.param(action, id=f"name-{name}") for name, action in ADDRESS_IN_A_NAME.items()),
        *(pytest.param(action, id=f"value-{name}") for name, action in ADDRESS_AS_A_VALUE.items()),
    ],
)
def test_an_address_in_the_wrong_argument_is_masked(
    action: Callable[[], object], seen: Seen, connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)

    seen.attempt(action)

    assert isinstance(seen.errors[0].__cause__ or seen.errors[0], EnvokeError)
    assert leaks(seen.everything()) == []
