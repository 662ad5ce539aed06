"""Invalid arguments of EnvokeUpdateContactOperator: the task fails before any request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.support.leak_markers import EMAIL
from tests.support.messages import as_params, each

if TYPE_CHECKING:
    from collections.abc import Callable

NAN, INFINITY = float("nan"), float("inf")
ROW = {"email": EMAIL, "last_name": "Markedova"}
CHANGE = {"city": "Markedova"}

# Case -> arguments; the payload is ROW unless it is given. The message must name what the case has in backticks.
ARGUMENTS: dict[type[Exception], dict[str, Any]] = {
    EnvokeConfigError: {
        "`keyfield` unknown": {"keyfield": "phone"},
        "`keyfield` empty": {"keyfield": ""},
        "`keyfield` in capitals": {"keyfield": "EMAIL"},
        "`keyfield` rendered to None": {"keyfield": "None"},
        "`keyfield` as a list": {"keyfield": ["email"]},
        "`keyfield` as an address": {"keyfield": EMAIL},
        "`contact_id` with another `keyfield`": {"contact_id": 7, "keyfield": "email"},
        "`on_missing` unknown": {"on_missing": "reject"},
        "`nulls` unknown": {"nulls": "keep"},
        "`nulls` None": {"nulls": None},
        "`on_overlong` unknown": {"on_overlong": "cut"},
        "`extra_fields` without names": each("extra_fields", "nickname", 5, None, ["nick name"], [5]),
    },
    EnvokeDataError: {
        "no `contact_id`": {"keyfield": "id"},
        "no `remote_id`": {"keyfield": "remote_id"},
        "`contact_id` and another `id`": {"contact_id": 7, "payload": {"id": 8, **CHANGE}},
        "`contact_id` that is not an id": each(
            "contact_id",
            *("", "None", 0, -1, 4_294_967_296, 1.5, INFINITY, True, b"7", [7], {"$ne": 7}, EMAIL),
            *("../7", "7/../../settings", "7%2f8", "7?upsert=1", "7#8", "7\r\nX-Evil: 1", "7\n", "7\0"),
            *("7\ud800", "\u200f7", "\u0667", "9" * 5_000),
        ),
        "`contact_id` null": {"contact_id": NAN},
        "`payload` None: no `row` of the `query`": each("payload", None, "None"),
        "`payload` empty text": each("payload", "", " \n"),
        "`payload` as a number": each("payload", 5, "5"),
        "`payload` as true": {"payload": True},
        "`payload` as bytes": {"payload": b"{}"},
        "`payload` as unreadable text": each("payload", EMAIL, "[" * 100_000),
        "`payload` of JSON that breaks at `line 1 column`": {"payload": json.dumps(ROW)[:-4]},
        "`payload` as a JSON text": {"payload": json.dumps(EMAIL)},
        "`payload` as a list": each("payload", [ROW, ROW], (EMAIL, "Markedova")),
        "`payload` as an empty list": {"payload": "[]"},
        "`payload` with a `date`": {"payload": f"{{'email': '{EMAIL}', 'city': datetime.date(2026, 1, 1)}}"},
        "`payload` with `nan`": {"payload": f"{{'email': '{EMAIL}', 'city': nan}}"},
        "`payload` with code": {"payload": "{'a': __import__('os').system('false')}"},
        "JSON with `email` twice": {"payload": f'{{"email": "{EMAIL}", "email": "x{EMAIL}"}}'},
        "`first_name` and `last_name` rendered from nulls": {
            "payload": {"email": EMAIL, "first_name": "None", "last_name": "nan"}
        },
        "no `id` and no `email`": each(
            "payload", {}, CHANGE, *({"email": email, **CHANGE} for email in (None, "", " \u2003", NAN))
        ),
        "no key but a `remote_id`": {"payload": {"remote_id": "R-7", **CHANGE}},
        "nothing but the `email`": each("payload", {"email": EMAIL}, {"email": EMAIL, "city": None, "phone": NAN}),
    },
}


@pytest.mark.parametrize(("case", "kind", "arguments"), as_params(ARGUMENTS))
def test_an_invalid_argument_is_rejected(
    case: str, kind: type[Exception], arguments: dict[str, Any], check_message_of_failure: Callable[..., None]
) -> None:
    operator = EnvokeUpdateContactOperator(task_id="t", **{"payload": ROW, **arguments})

    check_message_of_failure(f"update: {case}", kind, operator)
