"""Invalid arguments and rows of runs over a table: they fail before any request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync import SyncOptions, SyncRun
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.leak_markers import EMAIL
from tests.support.messages import as_params, each
from tests.support.sync_runs import config_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.leak_markers import MarkedSandbox

NAN, INFINITY = float("nan"), float("inf")
ROW = {"email": EMAIL, "last_name": "Markedova"}

# Case -> arguments of both sync operators. The message must name what the case has in backticks.
ARGUMENTS: dict[str, Any] = {
    "`keyfield` unknown": {"keyfield": "phone"},
    "`keyfield` empty": {"keyfield": ""},
    "`keyfield` None": {"keyfield": None},
    "`strategy` unknown": {"strategy": "some"},
    "`on_missing` unknown": {"on_missing": "fail"},
    "`on_duplicate` unknown": {"on_duplicate": "both"},
    "`on_withdrawn` unknown": {"on_withdrawn": "drop"},
    "`on_empty` unknown": {"on_empty": "maybe"},
    "`nulls` unknown": {"nulls": "keep"},
    "`on_overlong` unknown": {"on_overlong": "cut"},
    "`concurrency` out of range": each("concurrency", 0, -3, 1.5, 8.0, True, "8", None, 10**9),
    "`requests_per_second` 0": {"requests_per_second": 0},
    "`requests_per_second` negative": {"requests_per_second": -1},
    "`requests_per_second` not a number": {"requests_per_second": NAN},
    "`requests_per_second` infinite": {"requests_per_second": INFINITY},
    "`requests_per_second` as text": {"requests_per_second": "5"},
    "`requests_per_second` true": {"requests_per_second": True},
    "`plan_only` unknown": each("plan_only", "yes", "0", "", "None", None, 1, 0),
    "`max_rejects` negative": {"max_rejects": -1},
    "`max_rejects` not a number": {"max_rejects": NAN},
    "`max_rejects` infinite": {"max_rejects": INFINITY},
    "`max_rejects` above 1 and not whole": {"max_rejects": 1.5},
    "`max_rejects` with a decimal point": {"max_rejects": 1.0},
    "`max_rejects` as text with a decimal point": {"max_rejects": "1.0"},
    "`max_rejects` true": {"max_rejects": True},
    "`max_rejects` as a word": {"max_rejects": "five"},
    "`max_rejects` None": {"max_rejects": None},
    "`max_changes` empty": {"max_changes": ""},
    "`max_changes` rendered to None": {"max_changes": "None"},
    "`max_changes` negative": {"max_changes": -1},
    "`max_changes` above 1 and not whole": {"max_changes": 1.5},
    "`max_changes` with a decimal point": {"max_changes": 1.0},
    "`max_changes` true": {"max_changes": True},
    "`preview` not a whole number up to 100": each("preview", -1, 101, 1.5, True, "3", None, EMAIL),
    "`preview_unmasked` neither true nor false": each("preview_unmasked", "False", 1, None, EMAIL),
    "`extra_fields` without names": each("extra_fields", "nickname", 5),
    "`field_map` as text": {"field_map": "{'mail': 'email'}"},
    "`field_map` as a list": {"field_map": ["email"]},
    "`field_map` to the unknown field `cty`": {"field_map": {"mail": "email", "town": "cty"}},
    "`field_map` to `CITY` in capitals": {"field_map": {"mail": "email", "town": "CITY"}},
    "`field_map` to the read-only `external_id`": {"field_map": {"mail": "email", "x": "external_id"}},
    "`field_map` to a member without a name": {"field_map": {"mail": "email", "x": "custom_fields."}},
    "`field_map` to a hostile name": {"field_map": {"mail": "email", "x": f"{EMAIL}\r\n"}},
    "`field_map` with `email` twice": {"field_map": {"a": "email", "b": "email"}},
    "`field_map` to a list": {"field_map": {"mail": ["email"]}},
    "`field_map` from a number": {"field_map": {5: "email"}},
    "`field_map` without the key `email`": {"field_map": {"town": "city"}},
    "`static_fields` as text": {"static_fields": "country=CA"},
    "`static_fields` as a list": {"static_fields": ["country"]},
    "`static_fields` with the unknown field `contry`": {"static_fields": {"contry": "CA"}},
    "`static_fields` and a column with `country`": {
        "field_map": {"mail": "email", "c": "country"},
        "static_fields": {"country": "CA"},
    },
    "`envoke_conn_id` empty": {"envoke_conn_id": ""},
    "`rejects_path` below a file": {"rejects_path": "{folder}/file/rejects.jsonl"},
    "`rejects_path` a folder below a file": {"rejects_path": "{folder}/file/"},
    "`rejects_path` with an unknown scheme": {"rejects_path": "nowhere://bucket/rejects.jsonl"},
    "`rejects_path` as a number": {"rejects_path": 5},
}


@pytest.mark.parametrize(("case", "kind", "arguments"), as_params({EnvokeConfigError: ARGUMENTS}))
def test_an_invalid_argument_of_a_sync_is_rejected(
    case: str,
    kind: type[Exception],
    arguments: dict[str, Any],
    warehouse: Callable[..., None],
    tmp_path: Path,
    check_message_of_failure: Callable[..., None],
) -> None:
    warehouse([(EMAIL, "Markedova", 1)])
    (tmp_path / "file").write_text("")
    if isinstance(path := arguments.get("rejects_path"), str):
        arguments = {"rejects_path": path.replace("{folder}", str(tmp_path))}
    rows = EnvokeSyncContactsOperator(task_id="t", rows=[ROW], **arguments)
    query = SqlToEnvokeOperator(task_id="t", sql="SELECT * FROM customers", sql_conn_id="warehouse", **arguments)

    for task in (rows, query):
        check_message_of_failure(f"sync: {case}", kind, task)


# Case -> rows of EnvokeSyncContactsOperator.
ROWS: dict[str, Any] = {
    "`rows` None": each("rows", None, "None"),
    "`rows` empty text": each("rows", "", "  "),
    "`rows` as unreadable text": {"rows": EMAIL},
    "`rows` of JSON that breaks at `line 1 column`": {"rows": json.dumps([ROW])[:-4]},
    "`rows` as a number": {"rows": 5},
    "`rows` as one dict": each("rows", ROW, json.dumps(ROW)),
    "`rows` of numbers": {"rows": "[1, 2]"},
    "`rows` of tuples": {"rows": [(EMAIL, "Markedova")]},
    "`rows` of lists": {"rows": [[EMAIL, "Markedova"]]},
    "`rows` with None": {"rows": [ROW, None]},
    "`rows` of texts": {"rows": [EMAIL]},
    "`rows` with a `Decimal`": {
        "rows": f"[{{'email': '{EMAIL}', 'custom_fields': {{'a': Decimal('1.50')}}}}]",
    },
}


@pytest.mark.parametrize(("case", "kind", "arguments"), as_params({EnvokeDataError: ROWS}))
def test_rows_that_are_not_dicts_are_rejected(
    case: str, kind: type[Exception], arguments: dict[str, Any], check_message_of_failure: Callable[..., None]
) -> None:
    operator = EnvokeSyncContactsOperator(task_id="t", **arguments)

    check_message_of_failure(f"sync: {case}", kind, operator)


# Case -> rows that a script passes to SyncRun.
SCRIPT_ROWS: dict[str, Any] = {
    "`rows` None": {"rows": None},
    "`rows` as a number": {"rows": 5},
    "`Row 1` a tuple": {"rows": [(EMAIL, "Markedova")]},
    "`Row 1` a text": each("rows", ROW, EMAIL),
}


@pytest.mark.parametrize(("case", "kind", "arguments"), as_params({EnvokeDataError: SCRIPT_ROWS}))
def test_rows_of_a_script_that_are_not_dicts_are_rejected(
    case: str,
    kind: type[Exception],
    arguments: dict[str, Any],
    sandbox: MarkedSandbox,
    check_message_of_failure: Callable[..., None],
) -> None:
    check_message_of_failure(
        f"script: {case}", kind, lambda: SyncRun(config_of(sandbox), SyncOptions()).run(**arguments)
    )
