"""Arguments of EnvokeUpdateContactOperator that cannot work: each is refused in these words, unsent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.bad_input.judging import as_params, check_refused
from tests.leaks.marks import EMAIL
from tests.tasks import context

if TYPE_CHECKING:
    from tests.leaks.marks import MarkedSandbox

NAN, INFINITY = float("nan"), float("inf")
ROW = {"email": EMAIL, "last_name": "Markedova"}
CHANGE = {"city": "Markedova"}

# What the person on call reads -> the arguments of EnvokeUpdateContactOperator that were wrong, by name.
UPDATE: dict[str, dict[str, dict[str, Any]]] = {
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'phone'.": {
        "keyfield-unknown": {"keyfield": "phone"},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not ''.": {
        "keyfield-empty": {"keyfield": ""},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'EMAIL'.": {
        "keyfield-in-capitals": {"keyfield": "EMAIL"},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'None'.": {
        "keyfield-rendered-none": {"keyfield": "None"},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not \"['email']\".": {
        "keyfield-a-list": {"keyfield": ["email"]},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'z***@leak.example.com'.": {
        "keyfield-an-address": {"keyfield": EMAIL},
    },
    "keyfield is 'id', but neither contact_id nor the payload's id is given.": {
        "keyfield-id-without-one": {"keyfield": "id"},
    },
    "keyfield is 'remote_id', but the payload's remote_id is missing or empty.": {
        "keyfield-remote-id-without-one": {"keyfield": "remote_id"},
    },
    "contact_id and the payload's id are two different ids: give one of them.": {
        "two-ids": {"contact_id": 7, "payload": {"id": 8, **CHANGE}},
    },
    "contact_id and keyfield='email' contradict each other: give one of them.": {
        "contact-id-and-another-key": {"contact_id": 7, "keyfield": "email"},
    },
    "contact_id has to be a whole number from 1 to 4294967295.": {
        "contact-id-empty": {"contact_id": ""},
        "contact-id-rendered-none": {"contact_id": "None"},
        "contact-id-zero": {"contact_id": 0},
        "contact-id-negative": {"contact_id": -1},
        "contact-id-too-large": {"contact_id": 4_294_967_296},
        "contact-id-a-fraction": {"contact_id": 1.5},
        "contact-id-infinite": {"contact_id": INFINITY},
        "contact-id-a-bool": {"contact_id": True},
        "contact-id-bytes": {"contact_id": b"7"},
        "contact-id-a-list": {"contact_id": [7]},
        "contact-id-an-object": {"contact_id": {"$ne": 7}},
        "contact-id-a-path": {"contact_id": "../7"},
        "contact-id-another-path": {"contact_id": "7/../../settings"},
        "contact-id-encoded-path": {"contact_id": "7%2f8"},
        "contact-id-with-a-query": {"contact_id": "7?upsert=1"},
        "contact-id-with-a-fragment": {"contact_id": "7#8"},
        "contact-id-with-a-line-break": {"contact_id": "7\r\nX-Evil: 1"},
        "contact-id-with-a-newline-at-its-end": {"contact_id": "7\n"},
        "contact-id-with-nul": {"contact_id": "7\0"},
        "contact-id-half-a-character": {"contact_id": "7\ud800"},
        "contact-id-with-a-direction-mark": {"contact_id": "\u200f7"},
        "contact-id-in-arabic-digits": {"contact_id": "\u0667"},
        "contact-id-without-end": {"contact_id": "9" * 5_000},
        "contact-id-an-address": {"contact_id": EMAIL},
    },
    "contact_id is null: check the template and what its XCom holds.": {
        "contact-id-nan": {"contact_id": NAN},
    },
    "on_missing has to be 'fail' or 'skip' or 'create', not 'reject'.": {
        "on-missing-unknown": {"on_missing": "reject"},
    },
    "nulls has to be 'ignore' or 'clear', not 'keep'.": {
        "nulls-unknown": {"nulls": "keep"},
    },
    "nulls has to be 'ignore' or 'clear', not 'None'.": {
        "nulls-none": {"nulls": None},
    },
    "on_overlong has to be 'reject' or 'truncate', not 'cut'.": {
        "on-overlong-unknown": {"on_overlong": "cut"},
    },
    "extra_fields has to be a list of field names (letters, digits and _).": {
        "extra-fields-a-text": {"extra_fields": "nickname"},
        "extra-fields-a-number": {"extra_fields": 5},
        "extra-fields-none": {"extra_fields": None},
        "extra-fields-with-a-blank": {"extra_fields": ["nick name"]},
        "extra-fields-with-a-number": {"extra_fields": [5]},
    },
    "payload is None: the upstream task returned no row, or another task id was meant.": {
        "payload-none": {"payload": None},
        "payload-rendered-none": {"payload": "None"},
    },
    "payload rendered to nothing: check the template and what its XCom holds.": {
        "payload-empty-text": {"payload": ""},
        "payload-blank": {"payload": " \n"},
    },
    "payload has to be one row as a dict, not int.": {
        "payload-a-number": {"payload": 5},
        "payload-json-number": {"payload": "5"},
    },
    "payload has to be one row as a dict, not bool.": {
        "payload-a-bool": {"payload": True},
    },
    "payload has to be one row as a dict, not bytes.": {
        "payload-bytes": {"payload": b"{}"},
    },
    (
        "payload is a text that is neither JSON nor the repr of a Python value. Pass the value itself "
        "instead of a template: an XComArg such as payload=query.output, or "
        ".expand(payload=query.output) for many rows; or turn the value into text in the SQL (CAST … AS "
        "VARCHAR)."
    ): {
        "payload-a-word": {"payload": EMAIL},
        "payload-cut-off": {"payload": json.dumps(ROW)[:-4]},
        "payload-deeper-than-python-goes": {"payload": "[" * 100_000},
    },
    "payload has to be one row as a dict, not str.": {
        "payload-json-text": {"payload": json.dumps(EMAIL)},
    },
    (
        "payload is a list of 2, not one row: take one ({{ ti.xcom_pull(…)[0] }}), or map the task over "
        "the rows with .expand(payload=…). Rows that came as tuples lack their column names: give the "
        "query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "payload-a-list": {"payload": [ROW, ROW]},
        "payload-a-tuple": {"payload": (EMAIL, "Markedova")},
    },
    (
        "payload is a list of 0, not one row: take one ({{ ti.xcom_pull(…)[0] }}), or map the task over "
        "the rows with .expand(payload=…). Rows that came as tuples lack their column names: give the "
        "query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "payload-an-empty-list": {"payload": "[]"},
    },
    (
        "payload is the repr of a Python value that holds datetime.date(…), which a template cannot "
        "carry. Pass the value itself instead of a template: an XComArg such as payload=query.output, or "
        ".expand(payload=query.output) for many rows; or turn the value into text in the SQL (CAST … AS "
        "VARCHAR)."
    ): {
        "payload-with-a-date": {"payload": f"{{'email': '{EMAIL}', 'city': datetime.date(2026, 1, 1)}}"},
    },
    (
        "payload is the repr of a Python value that holds nan, which a template cannot carry. Pass the "
        "value itself instead of a template: an XComArg such as payload=query.output, or "
        ".expand(payload=query.output) for many rows; or turn the value into text in the SQL (CAST … AS "
        "VARCHAR)."
    ): {
        "payload-with-nan": {"payload": f"{{'email': '{EMAIL}', 'city': nan}}"},
    },
    (
        "payload is the repr of a Python value that holds __import__(…), ….system(…), which a template "
        "cannot carry. Pass the value itself instead of a template: an XComArg such as "
        "payload=query.output, or .expand(payload=query.output) for many rows; or turn the value into "
        "text in the SQL (CAST … AS VARCHAR)."
    ): {
        "payload-with-code": {"payload": "{'a': __import__('os').system('false')}"},
    },
    "The JSON text names a field twice (email): give it one value.": {
        "payload-names-twice": {"payload": f'{{"email": "{EMAIL}", "email": "x{EMAIL}"}}'},
    },
    (
        "The payload cannot be sent (2 to mend): first_name, last_name: the text that a template makes of "
        "a missing value; pass the row itself instead."
    ): {
        "payload-rendered-nulls": {"payload": {"email": EMAIL, "first_name": "None", "last_name": "nan"}},
    },
    "The payload has neither an id nor an email to find the contact by.": {
        "payload-empty": {"payload": {}},
        "payload-without-a-key": {"payload": CHANGE},
    },
    (
        "The payload has neither an id nor an email to find the contact by (to find it by its remote_id, "
        "say keyfield='remote_id')."
    ): {
        "payload-remote-id-alone": {"payload": {"remote_id": "R-7", **CHANGE}},
    },
    (
        "The payload has nothing to update besides its key (email): null values are left out by default "
        "(nulls='clear' would empty the fields)."
    ): {
        "payload-key-alone": {"payload": {"email": EMAIL}},
        "payload-nulls-alone": {"payload": {"email": EMAIL, "city": None, "phone": NAN}},
    },
}


@pytest.mark.parametrize(("arguments", "message"), as_params(UPDATE))
def test_an_update_that_cannot_work_is_refused(
    arguments: dict[str, Any], message: str, sandbox: MarkedSandbox
) -> None:
    operator = EnvokeUpdateContactOperator(task_id="t", **{"payload": ROW, **arguments})

    check_refused(lambda: operator.execute(context()), message, sandbox)
