"""Rows that cannot be sent: each is refused in these words, alone or in a table, and nothing of it is sent."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.core.fields import CONTACT_FIELDS
from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from tests.bad_input.judging import as_params, check_message, check_refused, fits
from tests.leaks.marks import EMAIL, LAST_NAME, leaks
from tests.tasks import context

if TYPE_CHECKING:
    from pathlib import Path

    from tests.leaks.marks import MarkedSandbox

NAN, INFINITY = float("nan"), float("inf")
MEGABYTE = "M" * 1_000_000
HALF = "\ud83d"  # the first half of a face
EXPRESS = {"consent_status": "Express"}


def _cycle(kind: type) -> Any:
    cycle: Any = kind()
    cycle.append(cycle) if kind is list else cycle.update(a=cycle)
    return cycle


def _deep(depth: int) -> Any:
    value: Any = EMAIL
    for _ in range(depth):
        value = {"a": value}
    return value


# What the person on call reads -> the fields that were wrong, by name; the row's e-mail address is right unless it
# is the field.
PAYLOADS: dict[str, dict[str, dict[Any, Any]]] = {
    "id: has to be a whole number from 1 to 4294967295": {
        "id-a-path": {"id": "../7"},
        "id-with-a-query": {"id": "7?x=1"},
        "id-with-a-fragment": {"id": "7#"},
        "id-with-a-header": {"id": "7\r\nX-Evil: 1"},
        "id-with-nul": {"id": "7\0"},
        "id-half-a-character": {"id": HALF},
        "id-with-a-direction-mark": {"id": "\u200f7"},
        "id-overlong": {"id": "7" * 100_000},
        "id-negative": {"id": -7},
        "id-a-fraction": {"id": 7.5},
        "id-an-object": {"id": {"$gt": 0}},
        "id-a-bool": {"id": True},
        "id-infinite": {"id": INFINITY},
    },
    "email: not an e-mail address": {
        "email-no-address": {"email": LAST_NAME},
        "email-two-addresses": {"email": f"{EMAIL}, {EMAIL}"},
        "email-with-a-header": {"email": f"{EMAIL}\r\nBcc: {EMAIL}"},
        "email-with-a-direction-mark": {"email": f"\u202e{EMAIL}"},
        "email-a-number": {"email": 5},
    },
    "email: it holds a NUL character": {
        "email-with-nul": {"email": f"{EMAIL}\0"},
    },
    "email: it holds half a character (a lone surrogate), which is not valid Unicode": {
        "email-half-a-character": {"email": f"{HALF}{EMAIL}"},
    },
    "email: 92 characters, at most 60 are allowed": {
        "email-overlong": {"email": f"{'x' * 60}{EMAIL}"},
    },
    "email: 1000012 characters, at most 60 are allowed": {
        "email-of-a-megabyte": {"email": f"{MEGABYTE}@example.com"},
    },
    "email: a value of type dict cannot be sent as text; convert it in the query": {
        "email-an-object": {"email": {"$ne": ""}},
    },
    "email: a value of type list cannot be sent as text; convert it in the query": {
        "email-a-list": {"email": [EMAIL]},
    },
    "email: a value of type bytes cannot be sent as text; convert it in the query": {
        "email-bytes": {"email": EMAIL.encode()},
    },
    "city: a value of type dict cannot be sent as text; convert it in the query": {
        "text-an-object": {"city": {"name": LAST_NAME}},
        "text-a-cycle-of-dicts": {"city": _cycle(dict)},
        "text-very-deep": {"city": _deep(5_000)},
    },
    "city: a value of type list cannot be sent as text; convert it in the query": {
        "text-a-list": {"city": [LAST_NAME]},
        "text-a-cycle-of-lists": {"city": _cycle(list)},
    },
    "city: a value of type tuple cannot be sent as text; convert it in the query": {
        "text-a-tuple": {"city": (LAST_NAME,)},
    },
    "city: a value of type set cannot be sent as text; convert it in the query": {
        "text-a-set": {"city": {LAST_NAME}},
    },
    "city: a value of type bytes cannot be sent as text; convert it in the query": {
        "text-bytes": {"city": LAST_NAME.encode()},
    },
    "city: a value of type bytearray cannot be sent as text; convert it in the query": {
        "text-a-bytearray": {"city": bytearray(b"x")},
    },
    "city: a value of type memoryview cannot be sent as text; convert it in the query": {
        "text-a-memoryview": {"city": memoryview(b"x")},
    },
    "city: a value of type timedelta cannot be sent as text; convert it in the query": {
        "text-an-interval": {"city": timedelta(days=1)},
    },
    "city: a value of type complex cannot be sent as text; convert it in the query": {
        "text-a-complex-number": {"city": 1j},
    },
    "city: a value of type object cannot be sent as text; convert it in the query": {
        "text-an-object-of-nobody": {"city": object()},
    },
    "city: an infinite number cannot be sent": {
        "text-infinite": {"city": INFINITY},
        "text-minus-infinite": {"city": -INFINITY},
        "text-a-decimal-infinity": {"city": Decimal("-Infinity")},
    },
    "city: a number of that magnitude cannot be sent": {
        "text-a-decimal-of-a-million-digits": {"city": Decimal("1E+999999")},
        "text-an-int-of-5001-digits": {"city": 10**5000},
    },
    "city: a date outside the years 1 to 9999 (in UTC) cannot be sent": {
        "text-the-end-of-time-elsewhere": {"city": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))},
    },
    "city: it holds a NUL character": {
        "text-with-nul": {"city": f"{LAST_NAME}\0"},
    },
    "city: it holds half a character (a lone surrogate), which is not valid Unicode": {
        "text-half-a-character": {"city": f"{LAST_NAME}{HALF}"},
    },
    "city: 1000000 characters, at most 20 are allowed (on_overlong='truncate' would cut it)": {
        "text-of-a-megabyte": {"city": MEGABYTE},
    },
    "first_name: 21 characters, at most 20 are allowed (on_overlong='truncate' would cut it)": {
        "first-name-overlong": {"first_name": "x" * 21},
    },
    "phone: 26 characters, at most 25 are allowed (on_overlong='truncate' would cut it)": {
        "phone-overlong": {"phone": "5" * 26},
    },
    "postal_code: 16 characters, at most 15 are allowed (on_overlong='truncate' would cut it)": {
        "postal-code-overlong": {"postal_code": "H" * 16},
    },
    "website: 256 characters, at most 255 are allowed (on_overlong='truncate' would cut it)": {
        "website-overlong": {"website": "w" * 256},
    },
    "remote_id: 61 characters, at most 60 are allowed": {
        "remote-id-overlong": {"remote_id": "r" * 61},
    },
    "language: 3 characters, at most 2 are allowed": {
        "language-overlong": {"language": "fra"},
    },
    "consent_status: not a consent status that Envoke documents": {
        "consent-unknown": {"consent_status": f"{EMAIL} said yes"},
    },
    "consent_status: a value of type dict cannot be sent as text; convert it in the query": {
        "consent-an-object": {"consent_status": {"a": 1}},
    },
    (
        "consent_description: required with a consent_status that allows sending (how, when and where "
        "consent was given)"
    ): {
        "consent-without-description": EXPRESS,
        "consent-with-a-blank-description": {**EXPRESS, "consent_description": " \t"},
        "consent-with-a-null-description": {**EXPRESS, "consent_description": NAN},
    },
    "consent_description: 65536 characters, at most 65535 are allowed": {
        "consent-description-overlong": {**EXPRESS, "consent_description": "x" * 65_536},
    },
    "custom_fields: has to be an object: name -> value": {
        "custom-fields-a-text": {"custom_fields": LAST_NAME},
        "custom-fields-a-list": {"custom_fields": [LAST_NAME]},
        "custom-fields-a-number": {"custom_fields": 5},
        "custom-fields-json-list": {"custom_fields": "[1]"},
    },
    "custom_fields: The JSON text names a field twice (a): give it one value": {
        "custom-fields-json-names-twice": {"custom_fields": f'{{"a": "{EMAIL}", "a": 2}}'},
    },
    "custom_fields.plan: a value of type dict cannot be sent as text; convert it in the query": {
        "custom-field-nested": {"custom_fields": {"plan": {"name": LAST_NAME}}},
    },
    "custom_fields.plan: a value of type list cannot be sent as text; convert it in the query": {
        "custom-field-a-list": {"custom_fields": {"plan": [LAST_NAME]}},
    },
    "custom_fields.score: an infinite number cannot be sent": {
        "custom-field-infinite": {"custom_fields": {"score": INFINITY}},
    },
    "custom_fields.a: a value of type dict cannot be sent as text; convert it in the query": {
        "custom-field-a-cycle": {"custom_fields": _cycle(dict)},
    },
    "custom_fields.my plan: a custom field's name has letters, digits and _ alone": {
        "custom-field-with-a-blank": {"custom_fields": {"my plan": 1}},
    },
    "custom_fields.: a custom field's name has letters, digits and _ alone": {
        "custom-field-without-a-name": {"custom_fields": {"": 1}},
        "custom-field-dotted-without-a-name": {"custom_fields.": 1},
    },
    "'c***@leak.example.com\\r\\nX': a custom field's name has letters, digits and _ alone": {
        "custom-field-with-a-hostile-name": {"custom_fields": {f"{EMAIL}\r\nX": 1}},
    },
    "custom_fields.5: a custom field's name has letters, digits and _ alone": {
        "custom-field-named-by-a-number": {"custom_fields": {5: 1}},
    },
    "custom_fields.None: a custom field's name has letters, digits and _ alone": {
        "custom-field-named-none": {"custom_fields": {None: 1}},
    },
    "custom_fields.plan: given twice": {
        "custom-field-given-twice": {"custom_fields": {"plan": 1}, "custom_fields.plan": 2},
    },
    "interests.News: has to be Set or Unset (or true or false)": {
        "tag-neither-set-nor-unset": {"interests": {"News": LAST_NAME}},
        "tag-a-number": {"interests": {"News": 2}},
    },
    "interests.News: a value of type dict cannot be sent as text; convert it in the query": {
        "tag-an-object": {"interests": {"News": {"a": 1}}},
    },
    "interests. : the name is empty or not valid text": {
        "tag-without-a-name": {"interests": {" ": "Set"}},
    },
    "'interests.News\\x00': the name is empty or not valid text": {
        "tag-with-nul": {"interests": {"News\0": "Set"}},
    },
    "'interests.\\ud83d': the name is empty or not valid text": {
        "tag-half-a-character": {"interests": {HALF: "Set"}},
    },
    "interests.None: the name is empty or not valid text": {
        "tag-named-none": {"interests": {None: "Set"}},
    },
    "interests: has to be an object: name -> value": {
        "tags-a-number": {"interests": 5},
        "tags-a-list-of-numbers": {"interests": [5]},
    },
    "autoresponders: has to be an object: name -> value": {
        "tags-a-list-of-objects": {"autoresponders": [{"name": LAST_NAME}]},
    },
    "i***@leak.example.com: has to be Set or Unset (or true or false)": {
        "tag-an-address": {"interests": {EMAIL: "perhaps"}},
    },
    (
        "surname: not a documented contact field (a custom field is custom_fields.NAME; a field that is "
        "newer than this provider goes into extra_fields)"
    ): {
        "field-unknown": {"surname": LAST_NAME},
    },
    "CITY: not a contact field, but city is one: names are in lower case (in a query: AS city)": {
        "field-in-capitals": {"CITY": LAST_NAME},
    },
    "external_id: read-only in Envoke; leave it out": {
        "field-read-only": {"external_id": "x"},
    },
    (
        "'': not a documented contact field (a custom field is custom_fields.NAME; a field that is newer "
        "than this provider goes into extra_fields)"
    ): {
        "field-without-a-name": {"": LAST_NAME},
    },
    (
        "5: not a documented contact field (a custom field is custom_fields.NAME; a field that is newer "
        "than this provider goes into extra_fields)"
    ): {
        "field-named-by-a-number": {5: LAST_NAME},
    },
    (
        "None: not a documented contact field (a custom field is custom_fields.NAME; a field that is "
        "newer than this provider goes into extra_fields)"
    ): {
        "field-named-none": {None: LAST_NAME},
    },
    (
        "('a', 'z***@leak.example.com'): not a documented contact field (a custom field is "
        "custom_fields.NAME; a field that is newer than this provider goes into extra_fields)"
    ): {
        "field-named-by-a-tuple": {("a", EMAIL): LAST_NAME},
    },
    (
        "'city\\r\\nX-Evil: 1': not a documented contact field (a custom field is custom_fields.NAME; a "
        "field that is newer than this provider goes into extra_fields)"
    ): {
        "field-with-a-hostile-name": {"city\r\nX-Evil: 1": LAST_NAME},
    },
    (
        "'\\u202ecity': not a documented contact field (a custom field is custom_fields.NAME; a field "
        "that is newer than this provider goes into extra_fields)"
    ): {
        "field-with-a-direction-mark": {"\u202ecity": LAST_NAME},
    },
    (
        "'\\ud83d': not a documented contact field (a custom field is custom_fields.NAME; a field that "
        "is newer than this provider goes into extra_fields)"
    ): {
        "field-half-a-character": {HALF: LAST_NAME},
    },
    (
        "z***@leak.example.com: not a documented contact field (a custom field is custom_fields.NAME; a "
        "field that is newer than this provider goes into extra_fields)"
    ): {
        "field-with-an-address-for-a-name": {EMAIL: LAST_NAME},
    },
    (
        "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM: not a "
        "documented contact field (a custom field is custom_fields.NAME; a field that is newer than this "
        "provider goes into extra_fields)"
    ): {
        "field-with-a-name-of-a-megabyte": {MEGABYTE: LAST_NAME},
    },
    (
        "column_0, column_1, column_2, column_3, column_4, column_5, column_6, column_7, column_8, "
        "column_9, column_10, column_11, column_12, column_13, column_14, column_15, column_16, "
        "column_17, column_18, column_19, and 80 more: not a documented contact field (a custom field is "
        "custom_fields.NAME; a field that is newer than this provider goes into extra_fields)"
    ): {
        "fields-by-the-hundred": {f"column_{number}": LAST_NAME for number in range(100)},
    },
    (
        "id: has to be a whole number from 1 to 4294967295; city: a value of type bytes cannot be sent "
        "as text; convert it in the query; surname: not a documented contact field (a custom field is "
        "custom_fields.NAME; a field that is newer than this provider goes into extra_fields); "
        "interests.: the name is empty or not valid text"
    ): {
        "everything-at-once": {"id": "x", "city": b"x", "surname": "x", "interests": {"": 1}},
    },
}


@pytest.mark.parametrize(("fields", "message"), as_params(PAYLOADS))
def test_a_row_that_cannot_be_sent_is_refused(
    fields: dict[Any, Any], message: str, sandbox: MarkedSandbox, tmp_path: Path
) -> None:
    message = f"The payload cannot be sent (* to mend): {message}."
    row = {"email": EMAIL, **fields}
    rejects = tmp_path / "rejects.jsonl"
    update = EnvokeUpdateContactOperator(task_id="t", payload={})
    sync = EnvokeSyncContactsOperator(task_id="t", rows=[], rejects_path=str(rejects))
    vars(update)["payload"], vars(sync)["rows"] = row, [row]  # Airflow itself walks through an argument, for ever

    check_refused(lambda: update.execute(context()), message, sandbox)
    run = context()
    with pytest.raises(EnvokeSyncError) as caught:
        sync.execute(run)

    (line,) = rejects.read_text().splitlines()
    assert fits(json.loads(line)["message"], message)
    assert leaks(json.dumps(json.loads(line) | {"key": ""})) == []
    check_message(
        caught.value, "1 of 1 rows were not written to Envoke (1 *); they are in *. For example row 1: *"
    )
    report = run["ti"].pushed["return_value"]
    assert (report["rows"], report["rejected"], leaks(json.dumps(report))) == (1, 1, [])
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"email": None}, "The payload has neither an id nor an email*", id="key-null"),
        pytest.param({"email": ""}, "The payload has neither an id nor an email*", id="key-empty"),
        pytest.param({"email": " \u2003"}, "The payload has neither an id nor an email*", id="key-blank"),
        pytest.param({"email": NAN}, "The payload has neither an id nor an email*", id="key-nan"),
    ],
)
def test_a_row_without_its_key_is_refused(fields: dict[str, Any], message: str, sandbox: MarkedSandbox) -> None:
    row = {"last_name": LAST_NAME, **fields}

    check_refused(
        lambda: EnvokeUpdateContactOperator(task_id="t", payload=row).execute(context()), message, sandbox
    )
    check_refused(
        lambda: EnvokeSyncContactsOperator(task_id="t", rows=[row]).execute(context()),
        "1 of 1 rows were not written to Envoke (1 missing_key); set rejects_path to get them in a file. Running "
        "again is safe. For example row 1: the row has no value in email, by which its contact is to be found; "
        "fill that column in the query, or choose another keyfield",
        sandbox,
    )


# What looks bad and is a text like any other.
SOUND = {
    "dots": "../../etc/passwd",
    "query": "?upsert=1&x=%00",
    "fragment": "#",
    "header": "a\r\nX-Evil: 1",
    "direction-marks": "\u202e\u200fabc\u200e",
    "markup": "<script>alert(1)</script>",
    "sql": "'; DROP TABLE contacts; --",
    "template": "{{ 7 * 7 }}",
    "json": '{"$ne": ""}',
    "faces": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "escapes": "\\u0000 \\x00 \\ud800",
    "controls": "\x01\x1b[31m\x7f",
    "a-megabyte": MEGABYTE,
}


@pytest.mark.parametrize("name", SOUND)
def test_a_hostile_text_is_sent_as_the_text_that_it_is(name: str, sandbox: MarkedSandbox) -> None:
    sandbox.reset([{"id": 7, "email": EMAIL}])
    row = {"email": EMAIL, "feedback": SOUND[name]}

    report = EnvokeSyncContactsOperator(task_id="t", rows=[row]).execute(context())
    EnvokeUpdateContactOperator(task_id="t", payload=row).execute(context())

    assert report["updated"] == 1
    first, second = (request for request in sandbox.requests if request["method"] == "PATCH")
    assert (first["path"], json.loads(first["body"])) == ("/v1/contacts/7", {"feedback": SOUND[name]})
    assert (second["path"], json.loads(second["body"])) == ("/v1/contacts", row)
    assert len(sandbox.contacts) == 1


def test_the_table_has_a_case_for_every_kind_of_field() -> None:
    names = {name for cases in PAYLOADS.values() for fields in cases.values() for name in fields}
    kinds = {CONTACT_FIELDS[name].kind for name in names if name in CONTACT_FIELDS}

    assert kinds == {field.kind for field in CONTACT_FIELDS.values()}
