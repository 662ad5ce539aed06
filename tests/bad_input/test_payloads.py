"""Invalid rows: nothing of them is sent, by the operator of one contact or by a run over a table."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS
from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from tests.support.leak_markers import EMAIL, LAST_NAME, leaks, texts_of
from tests.support.messages import Each, as_params, each
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.leak_markers import MarkedSandbox

NAN, INFINITY = float("nan"), float("inf")
MEGABYTE = "M" * 1_000_000
SURROGATE = "\ud83d"  # the first half of an emoji
EXPRESS = {"consent_status": "Express"}


def cycle(kind: type) -> Any:
    value: Any = kind()
    value.append(value) if kind is list else value.update(a=value)
    return value


def nested(depth: int) -> Any:
    value: Any = EMAIL
    for _ in range(depth):
        value = {"a": value}
    return value


# Reason -> case -> fields of the row; its email address is valid unless it is given. The message must name what
# the case has in backticks.
PAYLOADS: dict[str, dict[str, Any]] = {
    "invalid_id": {
        "`id`": each(
            "id",
            *("../7", "7?x=1", "7#", "7\r\nX-Evil: 1", "7\0", SURROGATE, "\u200f7", "7" * 100_000),
            *(-7, 7.5, {"$gt": 0}, True, INFINITY),
        ),
    },
    "invalid_email": {
        "`email`": each("email", LAST_NAME, f"{EMAIL}, {EMAIL}", f"{EMAIL}\r\nBcc: {EMAIL}", f"\u202e{EMAIL}", 5),
    },
    "invalid_consent_status": {
        "`consent_status` unknown: not `Express`, `Revoked` or another": {"consent_status": f"{EMAIL} said yes"},
    },
    "consent_description_missing": {
        "no `consent_description`": Each(
            [EXPRESS, {**EXPRESS, "consent_description": " \t"}, {**EXPRESS, "consent_description": NAN}]
        ),
    },
    "invalid_tag": {
        "`interests.News` not a state": each("interests", {"News": LAST_NAME}, {"News": 2}),
        "tag named by an address": {"interests": {EMAIL: "perhaps"}},
    },
    "invalid_name": {
        "`custom_fields.my plan`": {"custom_fields": {"my plan": 1}},
        "`custom_fields` member without a name": Each([{"custom_fields": {"": 1}}, {"custom_fields.": 1}]),
        "custom field with a hostile name": {"custom_fields": {f"{EMAIL}\r\nX": 1}},
        "`custom_fields.5`": {"custom_fields": {5: 1}},
        "`custom_fields.None`": {"custom_fields": {None: 1}},
        "`interests` member without a name": {"interests": {" ": "Set"}},
        "`interests` member with a NUL": {"interests": {"News\0": "Set"}},
        "`interests` member with a lone surrogate": {"interests": {SURROGATE: "Set"}},
        "`interests.None`": {"interests": {None: "Set"}},
    },
    "duplicate_field": {
        "`custom_fields` with a name twice": {"custom_fields": f'{{"a": "{EMAIL}", "a": 2}}'},
        "`custom_fields.plan` twice": {"custom_fields": {"plan": 1}, "custom_fields.plan": 2},
    },
    "read_only_field": {"`external_id`": {"external_id": "x"}},
    "unknown_field": {
        "`surname`": {"surname": LAST_NAME},
        "`fist_name` instead of `first_name`": {"fist_name": LAST_NAME},
        "`tag.News`": {"tag.News": LAST_NAME},
        "`custom_field.plan` instead of `custom_fields.plan`": {"custom_field.plan": LAST_NAME},
        "field without a name": {"": LAST_NAME},
        "field named `5`": {5: LAST_NAME},
        "field named `None`": {None: LAST_NAME},
        "field named by a tuple": {("a", EMAIL): LAST_NAME},
        "field with a line break": {"city\r\nX-Evil: 1": LAST_NAME},
        "field with a direction mark": {"\u202ecity": LAST_NAME},
        "field with a lone surrogate": {SURROGATE: LAST_NAME},
        "field named by an address": {EMAIL: LAST_NAME},
        "field with a name of a megabyte": {MEGABYTE: LAST_NAME},
        "`100 fields`": {f"column_{number}": LAST_NAME for number in range(100)},
    },
    "overlong": {
        "`email` too long": {"email": f"{'x' * 60}{EMAIL}"},
        "`email` of a megabyte": {"email": f"{MEGABYTE}@example.com"},
        "`city` of a megabyte": {"city": MEGABYTE},
        "`first_name` too long": {"first_name": "x" * 21},
        "`phone` too long": {"phone": "5" * 26},
        "`postal_code` too long": {"postal_code": "H" * 16},
        "`website` too long": {"website": "w" * 256},
        "`remote_id` too long": {"remote_id": "r" * 61},
        "`language` that is not a `two-letter code`": {"language": "French"},
        "`consent_description` too long": {**EXPRESS, "consent_description": "x" * 65_536},
    },
    "invalid_value": {
        "`email` with a `NUL`": {"email": f"{EMAIL}\0"},
        "`email` with a lone `surrogate`": {"email": f"{SURROGATE}{EMAIL}"},
        "`email` as an object": {"email": {"$ne": ""}},
        "`email` as a list": {"email": [EMAIL]},
        "`email` as bytes": {"email": EMAIL.encode()},
        "`city` as an object": each("city", {"name": LAST_NAME}, cycle(dict), nested(5_000)),
        "`city` as a list": each("city", [LAST_NAME], cycle(list)),
        "`city` as a `tuple`": {"city": (LAST_NAME,)},
        "`city` as a `set`": {"city": {LAST_NAME}},
        "`city` as `bytes`": {"city": LAST_NAME.encode()},
        "`city` as a `bytearray`": {"city": bytearray(b"x")},
        "`city` as a `memoryview`": {"city": memoryview(b"x")},
        "`city` as a `timedelta`": {"city": timedelta(days=1)},
        "`city` as a `complex` number": {"city": 1j},
        "`city` as a plain `object`": {"city": object()},
        "`city` infinite": each("city", INFINITY, -INFINITY, Decimal("-Infinity")),
        "`city` with too many digits": each("city", Decimal("1E+999999"), 10**5000),
        "`city` after the year 9999": {"city": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))},
        "`city` with a `NUL`": {"city": f"{LAST_NAME}\0"},
        "`city` with a lone `surrogate`": {"city": f"{LAST_NAME}{SURROGATE}"},
        "`consent_status` as an object": {"consent_status": {"a": 1}},
        "`custom_fields` not an object": each("custom_fields", LAST_NAME, [LAST_NAME], 5, "[1]"),
        "`custom_fields` of JSON that breaks at `line 1 column`": {
            "custom_fields": f'{{"plan": "{LAST_NAME}" 1}}'
        },
        "`custom_fields.plan` as an object": {"custom_fields": {"plan": {"name": LAST_NAME}}},
        "`custom_fields.plan` as a list": {"custom_fields": {"plan": [LAST_NAME]}},
        "`custom_fields.score` infinite": {"custom_fields": {"score": INFINITY}},
        "`custom_fields.a` in a cycle": {"custom_fields": cycle(dict)},
        "`interests.News` as an object": {"interests": {"News": {"a": 1}}},
        "`interests` not an object": each("interests", 5, [5]),
        "`autoresponders` with objects": {"autoresponders": [{"name": LAST_NAME}]},
        # The first reason is that of the first field; the message names all of them.
    },
    "invalid_id and others": {
        "`id`, `city`, `surname` and `interests`": {"id": "x", "city": b"x", "surname": "x", "interests": {"": 1}},
    },
}


@pytest.mark.parametrize(("case", "reason", "fields"), as_params(PAYLOADS))
def test_an_invalid_row_is_rejected_and_not_sent(
    case: str,
    reason: str,
    fields: dict[Any, Any],
    sandbox: MarkedSandbox,
    tmp_path: Path,
    check_message_of_failure: Callable[..., None],
) -> None:
    row = {"email": EMAIL, **fields}
    without_key = {"email": None}  # the columns of a table are judged by its first row
    path = tmp_path / "rejects.jsonl"
    update = EnvokeUpdateContactOperator(task_id="t", payload={})
    sync = EnvokeSyncContactsOperator(task_id="t", rows=[], rejects_path=str(path))
    # Set like this, because Airflow would follow a cycle in an argument without end.
    vars(update)["payload"], vars(sync)["rows"] = row, [without_key, row]

    check_message_of_failure(f"row: {case}", EnvokeDataError, update)
    run = context()
    with pytest.raises(AirflowFailException) as caught:
        sync.execute(run)

    first, reject = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["row"], first["reason"]) == (1, "missing_key")
    assert (reject["row"], reject["reason"]) == (2, reason.partition(" ")[0])
    assert leaks(json.dumps(reject | {"key": ""})) == []
    assert [leaks(text) for text in texts_of(caught.value) if leaks(text)] == []
    report = run["ti"].pushed["return_value"]
    assert (report["rows"], report["rejected"], leaks(json.dumps(report))) == (2, 2, [])
    assert sandbox.requests == []


@pytest.mark.parametrize("email", [None, "", " \u2003", NAN])
def test_a_row_without_its_key_is_rejected(email: Any, sandbox: MarkedSandbox) -> None:
    run = context()

    with pytest.raises(AirflowFailException):
        EnvokeSyncContactsOperator(task_id="t", rows=[{"email": email, "last_name": LAST_NAME}]).execute(run)

    assert run["ti"].pushed["return_value"]["reasons"] == {"missing_key": 1}
    assert sandbox.requests == []


# Values that look dangerous and are text like any other.
TEXTS = {
    "dots": "../../etc/passwd",
    "query": "?upsert=1&x=%00",
    "fragment": "#",
    "header": "a\r\nX-Evil: 1",
    "direction marks": "\u202e\u200fabc\u200e",
    "markup": "<script>alert(1)</script>",
    "sql": "'; DROP TABLE contacts; --",
    "template": "{{ 7 * 7 }}",
    "json": '{"$ne": ""}',
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "escapes": "\\u0000 \\x00 \\ud800",
    "control characters": "\x01\x1b[31m\x7f",
    "a megabyte": MEGABYTE,
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_looks_dangerous_is_sent_unchanged(name: str, sandbox: MarkedSandbox) -> None:
    sandbox.reset([{"id": 7, "email": EMAIL}])
    row = {"email": EMAIL, "feedback": TEXTS[name]}

    report = EnvokeSyncContactsOperator(task_id="t", rows=[row]).execute(context())
    EnvokeUpdateContactOperator(task_id="t", payload=row).execute(context())

    assert report["updated"] == 1
    first, second = (request for request in sandbox.requests if request["method"] == "PATCH")
    assert (first["path"], json.loads(first["body"])) == ("/v1/contacts/7", {"feedback": TEXTS[name]})
    assert (second["path"], json.loads(second["body"])) == ("/v1/contacts", row)
    assert len(sandbox.contacts) == 1


def test_the_table_has_a_case_for_every_kind_of_field() -> None:
    names = {name for _, _, fields in (case.values for case in as_params(PAYLOADS)) for name in fields}
    kinds = {CONTACT_FIELDS[name].kind for name in names if name in CONTACT_FIELDS}

    assert kinds == {field.kind for field in CONTACT_FIELDS.values()}
