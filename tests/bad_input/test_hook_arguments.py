"""Invalid calls of the hook, which sends payloads as they are given: they fail before any request."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from tests.support.leak_markers import EMAIL, LAST_NAME
from tests.support.messages import Each, as_params, each

if TYPE_CHECKING:
    from collections.abc import Callable

NAN = float("nan")
ROW = {"email": EMAIL, "last_name": "Markedova"}
CHANGE = {"city": "Markedova"}
CYCLE: dict[str, Any] = {}
CYCLE["email"] = CYCLE


# Case -> arguments of update_contact. The message must name what the case has in backticks.
UPDATES: dict[type[Exception], dict[str, Any]] = {
    EnvokeDataError: {
        "`payload` None": {"payload": None},
        "`payload` as text": {"payload": EMAIL},
        "`payload` as a list": {"payload": [ROW]},
        "no `id` and no `email`": each("payload", {}, CHANGE, {"email": " ", **CHANGE}),
        "no key but a `remote_id`": {"payload": {"remote_id": "R-7", **CHANGE}},
        "no `remote_id`": {"payload": ROW, "keyfield": "remote_id"},
        "no `contact_id`": {"payload": ROW, "keyfield": "id"},
        "`email` as an object": {"payload": {"email": {"$ne": ""}, **CHANGE}},
        "`email` as a list": {"payload": {"email": [EMAIL], **CHANGE}},
        "`email` as true": {"payload": {"email": True, **CHANGE}},
        "`remote_id` as an object": {"payload": {"remote_id": {"a": 1}, **CHANGE}, "keyfield": "remote_id"},
        "`contact_id` out of range": Each(
            {"payload": CHANGE, "contact_id": value} for value in ("7/../8", "../1", "1?x=1", "", 0, 4_294_967_296)
        ),
        "`contact_id` and another `id`": {"payload": {"id": 2, **CHANGE}, "contact_id": 1},
        "no JSON for a `city` that is `NaN`": {"payload": {**ROW, "city": NAN}},
        "no JSON for a `city` of `bytes`": {"payload": {**ROW, "city": LAST_NAME.encode()}},
        "no JSON for a `city` that is a `set`": {"payload": {**ROW, "city": {LAST_NAME}}},
        "no JSON for a `date` in `custom_fields.joined`": {
            "payload": {**ROW, "custom_fields": {"plan": LAST_NAME, "joined": date(2026, 1, 1)}}
        },
        "no JSON for a `date` in a list, `custom_fields.visits.1`": {
            "payload": {**ROW, "custom_fields": {"visits": [LAST_NAME, date(2026, 1, 1)]}}
        },
        "no JSON for `custom_fields` that contain themselves": {"payload": {**ROW, "custom_fields": CYCLE}},
        "no JSON for a `city` with a lone `surrogate`": {"payload": {**ROW, "city": f"{LAST_NAME}\ud800"}},
        "no JSON for a name with a lone `surrogate`": {"payload": {**ROW, "\udfff": LAST_NAME}},
        "no JSON for a name that is a `tuple`": {"payload": {**ROW, (LAST_NAME,): 1}},
        "no JSON for `city` and `phone`": {"payload": {**ROW, "city": {LAST_NAME}, "phone": b"5"}},
        "nothing but the `email`": {"payload": {"email": EMAIL}},
        "nothing but the `id`": Each([{"payload": {"id": 1}}, {"payload": {}, "contact_id": 1}]),
    },
    EnvokeConfigError: {
        "`keyfield` unknown": {"payload": ROW, "keyfield": "phone"},
        "`keyfield` empty": {"payload": ROW, "keyfield": ""},
        "`contact_id` with another `keyfield`": {"payload": ROW, "keyfield": "email", "contact_id": 1},
    },
}

# Case -> arguments of create_contact.
CREATIONS: dict[type[Exception], dict[str, Any]] = {
    EnvokeDataError: {
        "`payload` None": {"payload": None},
        "no `email`": Each([{"payload": CHANGE}, {"payload": {"remote_id": "R-5"}, "upsert": True}]),
        "`email` as an object": {"payload": {"email": {"$ne": ""}}},
        "`email` as bytes": {"payload": {"email": b"x"}, "upsert": True},
    },
}

# Case -> arguments of find_contacts.
SEARCHES: dict[type[Exception], dict[str, Any]] = {
    EnvokeDataError: {
        "`filters` None": {"filters": None},
        "`filters` as text": {"filters": EMAIL},
        "`filters` as a list": {"filters": [{"email": EMAIL}]},
        "`sort` as text": {"filters": {}, "sort": "email"},
    },
    EnvokeConfigError: {
        "`filter[email]` empty": {"filters": {"email": {}}},
        "`filter[email][$in]` empty": {"filters": {"email": {"$in": []}}},
        "`filter[email]` null": {"filters": {"email": None}},
        "`filter[email]` as bytes": {"filters": {"email": EMAIL.encode()}},
        "`filter[email]` with a `NUL`": {"filters": {"email": f"{LAST_NAME}\0"}},
        "`filter[email]` with a lone `surrogate`": {"filters": {"email": f"{LAST_NAME}\ud800"}},
        "`filter[id]` as a fraction": {"filters": {"id": 1.5}},
        "`filter[id]` as true": {"filters": {"id": True}},
        "`filters` nested too deeply": {"filters": CYCLE},
        "`filters` too long": {"filters": {"email": {"$in": [EMAIL] * 500}}},
        "hostile `name`": {"filters": {"email]=x&filter[id": EMAIL}},
        "`name` as a number": {"filters": {5: EMAIL}},
        "`fields` as text": {"filters": {}, "fields": "email"},
        "`fields` as a number": {"filters": {}, "fields": 5},
        "hostile `name` in fields": {"filters": {}, "fields": ["email,*"]},
        "`sort` order unknown": {"filters": {}, "sort": {"email": "up"}},
    },
}

METHODS: dict[str, tuple[dict[type[Exception], dict[str, Any]], Callable[..., object]]] = {
    "update": (UPDATES, lambda **arguments: EnvokeHook().update_contact(**arguments)),
    "create": (CREATIONS, lambda **arguments: EnvokeHook().create_contact(**arguments)),
    "find": (SEARCHES, lambda **arguments: list(EnvokeHook().find_contacts(**arguments))),
}


@pytest.mark.parametrize(
    ("method", "case", "kind", "arguments"),
    [(method, *case.values) for method, (table, _) in METHODS.items() for case in as_params(table)],
)
def test_an_invalid_call_is_rejected(
    method: str, case: str, kind: type[Exception], arguments: Any, check_message_of_failure: Callable[..., None]
) -> None:
    check_message_of_failure(f"hook {method}: {case}", kind, lambda: METHODS[method][1](**arguments))
