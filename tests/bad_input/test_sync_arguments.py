"""Arguments of the operators that bring whole tables, and rows: each is refused in these words, unsent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync import SyncOptions, SyncRun
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.bad_input.judging import as_params, check_refused
from tests.leaks.marks import EMAIL
from tests.sync.running import config_of
from tests.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.leaks.marks import MarkedSandbox

NAN, INFINITY = float("nan"), float("inf")
ROW = {"email": EMAIL, "last_name": "Markedova"}

# What the person on call reads -> the arguments that both operators have and that were wrong, by name.
SYNC: dict[str, dict[str, dict[str, Any]]] = {
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'phone'.": {
        "keyfield-unknown": {"keyfield": "phone"},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not ''.": {
        "keyfield-empty": {"keyfield": ""},
    },
    "keyfield has to be 'id' or 'email' or 'remote_id', not 'None'.": {
        "keyfield-none": {"keyfield": None},
    },
    "strategy has to be 'changed' or 'all', not 'some'.": {
        "strategy-unknown": {"strategy": "some"},
    },
    "on_missing has to be 'reject' or 'skip' or 'create', not 'fail'.": {
        "on-missing-unknown": {"on_missing": "fail"},
    },
    "on_duplicate has to be 'first' or 'last', not 'both'.": {
        "on-duplicate-unknown": {"on_duplicate": "both"},
    },
    "on_empty has to be 'succeed' or 'skip' or 'fail', not 'maybe'.": {
        "on-empty-unknown": {"on_empty": "maybe"},
    },
    "nulls has to be 'ignore' or 'clear', not 'keep'.": {
        "nulls-unknown": {"nulls": "keep"},
    },
    "on_overlong has to be 'reject' or 'truncate', not 'cut'.": {
        "on-overlong-unknown": {"on_overlong": "cut"},
    },
    "concurrency has to be a whole number from 1 to 256.": {
        "concurrency-zero": {"concurrency": 0},
        "concurrency-negative": {"concurrency": -3},
        "concurrency-a-fraction": {"concurrency": 1.5},
        "concurrency-a-whole-float": {"concurrency": 8.0},
        "concurrency-a-bool": {"concurrency": True},
        "concurrency-a-text": {"concurrency": "8"},
        "concurrency-none": {"concurrency": None},
        "concurrency-huge": {"concurrency": 10**9},
    },
    "requests_per_second has to be a number above 0, or None, not *.": {
        "rate-zero": {"requests_per_second": 0},
        "rate-negative": {"requests_per_second": -1},
        "rate-nan": {"requests_per_second": NAN},
        "rate-infinite": {"requests_per_second": INFINITY},
        "rate-a-text": {"requests_per_second": "5"},
        "rate-a-bool": {"requests_per_second": True},
    },
    "max_rejects has to be a count (such as 10) or a share below 1 (such as 0.01), not *.": {
        "max-rejects-negative": {"max_rejects": -1},
        "max-rejects-nan": {"max_rejects": NAN},
        "max-rejects-infinite": {"max_rejects": INFINITY},
        "max-rejects-one-and-a-half": {"max_rejects": 1.5},
        "max-rejects-a-bool": {"max_rejects": True},
        "max-rejects-a-text": {"max_rejects": "five"},
        "max-rejects-none": {"max_rejects": None},
    },
    "extra_fields has to be a list of field names (letters, digits and _).": {
        "extra-fields-a-text": {"extra_fields": "nickname"},
        "extra-fields-a-number": {"extra_fields": 5},
    },
    (
        "field_map has to be a dict, column -> field, not str: write the dict itself, with templates in "
        "its values, or pass an XComArg."
    ): {
        "field-map-a-text": {"field_map": "{'mail': 'email'}"},
    },
    (
        "field_map has to be a dict, column -> field, not list: write the dict itself, with templates in "
        "its values, or pass an XComArg."
    ): {
        "field-map-a-list": {"field_map": ["email"]},
    },
    (
        "field_map or static_fields fills 'cty': not a documented contact field (a custom field is "
        "custom_fields.NAME; a field that is newer than this provider goes into extra_fields)."
    ): {
        "field-map-to-an-unknown-field": {"field_map": {"mail": "email", "town": "cty"}},
    },
    (
        "field_map or static_fields fills 'CITY': not a contact field, but city is one: names are in "
        "lower case (in a query: AS city)."
    ): {
        "field-map-to-a-field-in-capitals": {"field_map": {"mail": "email", "town": "CITY"}},
    },
    "field_map or static_fields fills 'external_id': read-only in Envoke; leave it out.": {
        "field-map-to-a-read-only-field": {"field_map": {"mail": "email", "x": "external_id"}},
    },
    (
        "field_map or static_fields fills 'custom_fields.': not a documented contact field (a custom "
        "field is custom_fields.NAME; a field that is newer than this provider goes into extra_fields)."
    ): {
        "field-map-to-a-nameless-member": {"field_map": {"mail": "email", "x": "custom_fields."}},
    },
    (
        "field_map or static_fields fills 'z***@leak.example.com\\r\\n': not a documented contact field "
        "(a custom field is custom_fields.NAME; a field that is newer than this provider goes into "
        "extra_fields)."
    ): {
        "field-map-to-a-hostile-name": {"field_map": {"mail": "email", "x": f"{EMAIL}\r\n"}},
    },
    "field_map and static_fields fill 'email' more than once: keep one source for each.": {
        "field-map-two-to-one": {"field_map": {"a": "email", "b": "email"}},
    },
    "field_map has to be column -> field, each field the name of one.": {
        "field-map-to-no-text": {"field_map": {"mail": ["email"]}},
    },
    "field_map has to be a dict, column -> field, whose names are text.": {
        "field-map-from-no-text": {"field_map": {5: "email"}},
    },
    (
        "No column of field_map goes into 'email', by which the contacts are to be found: add one, or "
        "choose another keyfield."
    ): {
        "field-map-without-the-key": {"field_map": {"town": "city"}},
    },
    (
        "static_fields has to be a dict, field -> value, not str: write the dict itself, with templates "
        "in its values, or pass an XComArg."
    ): {
        "static-fields-a-text": {"static_fields": "country=CA"},
    },
    (
        "static_fields has to be a dict, field -> value, not list: write the dict itself, with templates "
        "in its values, or pass an XComArg."
    ): {
        "static-fields-a-list": {"static_fields": ["country"]},
    },
    (
        "field_map or static_fields fills 'contry': not a documented contact field (a custom field is "
        "custom_fields.NAME; a field that is newer than this provider goes into extra_fields)."
    ): {
        "static-fields-unknown": {"static_fields": {"contry": "CA"}},
    },
    "field_map and static_fields fill 'country' more than once: keep one source for each.": {
        "static-fields-and-a-column": {
            "field_map": {"mail": "email", "c": "country"},
            "static_fields": {"country": "CA"},
        },
    },
    "envoke_conn_id is empty: give a connection's id, or check its template.": {
        "conn-id-empty": {"envoke_conn_id": ""},
    },
    "rejects_path * cannot be written: a folder in it is a file. Name another file.": {
        "rejects-path-beneath-a-file": {"rejects_path": "{tmp_path}/file/rejects.jsonl"},
    },
    "rejects_path * cannot be written: Is a directory. Name another file.": {
        "rejects-path-a-directory": {"rejects_path": "{tmp_path}"},
    },
    "rejects_path 'nowhere://bucket/rejects.jsonl' cannot be written: ValueError: *. Name another file.": {
        "rejects-path-of-an-unknown-kind": {"rejects_path": "nowhere://bucket/rejects.jsonl"},
    },
    "rejects_path has to be a path or URL as text, not int.": {
        "rejects-path-a-number": {"rejects_path": 5},
    },
}


@pytest.mark.parametrize(("arguments", "message"), as_params(SYNC))
def test_a_sync_that_cannot_work_is_refused_before_it_begins(
    arguments: dict[str, Any],
    message: str,
    sandbox: MarkedSandbox,
    warehouse: Callable[..., None],
    tmp_path: Path,
) -> None:
    warehouse([(EMAIL, "Markedova", 1)])
    (tmp_path / "file").write_text("")
    if isinstance(path := arguments.get("rejects_path"), str):
        arguments = {"rejects_path": path.replace("{tmp_path}", str(tmp_path))}
    rows = EnvokeSyncContactsOperator(task_id="t", rows=[ROW], **arguments)
    query = SqlToEnvokeOperator(task_id="t", sql="SELECT * FROM customers", sql_conn_id="warehouse", **arguments)

    check_refused(lambda: rows.execute(context()), message, sandbox)
    check_refused(lambda: query.execute(context()), message, sandbox)


# The same of EnvokeSyncContactsOperator's rows.
ROWS: dict[str, dict[str, Any]] = {
    "rows has to be a list of dicts, not NoneType.": {
        "rows-none": None,
        "rows-rendered-none": "None",
    },
    "rows rendered to nothing: check the template and what its XCom holds.": {
        "rows-empty-text": "",
        "rows-blank": "  ",
    },
    (
        "rows is a text that is neither JSON nor the repr of a Python value. Pass the value itself "
        "instead of a template: an XComArg such as payload=query.output, or "
        ".expand(payload=query.output) for many rows; or turn the value into text in the SQL (CAST … AS "
        "VARCHAR)."
    ): {
        "rows-a-word": EMAIL,
        "rows-cut-off": json.dumps([ROW])[:-4],
    },
    "rows has to be a list of dicts, not int.": {
        "rows-a-number": 5,
    },
    "rows has to be a list of dicts, not dict.": {
        "rows-one-dict": ROW,
        "rows-json-object": json.dumps(ROW),
    },
    (
        "rows has to be a list of dicts, but row 1 is int. Rows that came as tuples lack their column "
        "names: give the query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "rows-numbers": "[1, 2]",
    },
    (
        "rows has to be a list of dicts, but row 1 is tuple. Rows that came as tuples lack their column "
        "names: give the query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "rows-tuples": [(EMAIL, "Markedova")],
    },
    (
        "rows has to be a list of dicts, but row 1 is list. Rows that came as tuples lack their column "
        "names: give the query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "rows-lists": [[EMAIL, "Markedova"]],
    },
    (
        "rows has to be a list of dicts, but row 2 is NoneType. Rows that came as tuples lack their "
        "column names: give the query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "rows-with-a-null": [ROW, None],
    },
    (
        "rows has to be a list of dicts, but row 1 is str. Rows that came as tuples lack their column "
        "names: give the query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
    ): {
        "rows-texts": [EMAIL],
    },
    (
        "rows is the repr of a Python value that holds Decimal(…), which a template cannot carry. Pass "
        "the value itself instead of a template: an XComArg such as payload=query.output, or "
        ".expand(payload=query.output) for many rows; or turn the value into text in the SQL (CAST … AS "
        "VARCHAR)."
    ): {
        "rows-with-a-decimal": f"[{{'email': '{EMAIL}', 'custom_fields': {{'a': Decimal('1.50')}}}}]",
    },
}


@pytest.mark.parametrize(("rows", "message"), as_params(ROWS))
def test_rows_that_are_none_are_refused(rows: Any, message: str, sandbox: MarkedSandbox) -> None:
    check_refused(lambda: EnvokeSyncContactsOperator(task_id="t", rows=rows).execute(context()), message, sandbox)


# The same of what a plain script gives to SyncRun.
SCRIPT_ROWS: dict[str, dict[str, Any]] = {
    "rows has to be an iterable of dicts, not NoneType.": {
        "script-rows-none": None,
    },
    "rows has to be an iterable of dicts, not int.": {
        "script-rows-a-number": 5,
    },
    (
        "Row 1 is tuple, not a dict, column -> value (rows that came as tuples lack their column names): "
        "correct the rows and run again, which is safe."
    ): {
        "script-rows-tuples": [(EMAIL, "Markedova")],
    },
    (
        "Row 1 is str, not a dict, column -> value (rows that came as tuples lack their column names): "
        "correct the rows and run again, which is safe."
    ): {
        "script-rows-one-dict": ROW,
        "script-rows-a-text": EMAIL,
    },
}


@pytest.mark.parametrize(("rows", "message"), as_params(SCRIPT_ROWS))
def test_a_script_s_rows_that_are_none_are_refused(rows: Any, message: str, sandbox: MarkedSandbox) -> None:
    check_refused(lambda: SyncRun(config_of(sandbox), SyncOptions()).run(rows), message, sandbox)
