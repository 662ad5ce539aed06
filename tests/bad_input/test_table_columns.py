"""Tables whose columns do not fit: one error before any request, however the rows come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.leak_markers import EMAIL, leaks, texts_of
from tests.support.tasks import context, whole_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.leak_markers import MarkedSandbox

MAP = {"mail": "email", "town": "city"}

# Problem -> columns, arguments, what the message must name.
PROBLEMS: dict[str, tuple[list[str], dict[str, Any], list[str]]] = {
    "unknown columns": (["email", "fist_name", "plan"], {}, ["fist_name", "mean first_name?", "plan"]),
    "a read-only column": (["email", "external_id"], {}, ["external_id", "read-only"]),
    "no key": (["city"], {}, ["email", "the key", "city"]),
    "no key, unknown columns left out": (["e", "city"], {"unknown_columns": "ignore"}, ["email", "the key"]),
    "no reference": (["email"], {"reference": ["member_id", "note"]}, ["member_id", "note", "reference"]),
    "two columns of a field": (["email", "City", "cIty"], {}, ["City", "cIty"]),
    "a custom field's name": (["email", "custom_fields.x y"], {}, ["custom_fields.x y"]),
    "no mapped column": (["mail", "x"], {"field_map": MAP}, ["town", "field_map", "mail", "x"]),
    "no mapped key": (["town", "x"], {"field_map": MAP}, ["mail", "the key", "town", "x"]),
    "no reference, mapped": (["mail", "town"], {"field_map": MAP, "reference": "member_id"}, ["member_id"]),
    "two columns of a mapped field": (["mail", "Town", "tOwn"], {"field_map": MAP}, ["Town", "tOwn"]),
}


class DataFrame:
    """Like ``pandas.DataFrame``."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.columns = [*rows[0]]

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return self.rows


def operator(source: str, columns: list[str], **arguments: Any) -> Any:
    """Return an operator whose rows have these columns."""
    if source == "query":
        values = ", ".join(f"""'{EMAIL}' AS "{column}" """ for column in columns)
        sql = f"SELECT {values} FROM customers"
        return SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=sql, **arguments)
    rows = [dict.fromkeys(columns, EMAIL)] * 3
    task = EnvokeSyncContactsOperator(task_id="t", rows=[], **arguments)
    given = {"list": rows, "tuple": tuple(rows), "generator": (row for row in rows), "data frame": DataFrame(rows)}
    vars(task)["rows"] = given[source]
    return task


@pytest.mark.parametrize("spell", [str, str.swapcase], ids=["as is", "other case"])
@pytest.mark.parametrize("source", ["query", "list", "tuple", "generator", "data frame"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_columns_that_do_not_fit_are_one_error(
    problem: str,
    source: str,
    spell: Callable[[str], str],
    sandbox: MarkedSandbox,
    warehouse: Callable[..., None],
    tmp_path: Path,
) -> None:
    columns, arguments, words = PROBLEMS[problem]
    warehouse([(EMAIL, "Markedova", 1)] * 3)
    path, run = tmp_path / "rejects.jsonl", context()
    task = operator(source, [*map(spell, columns)], rejects_path=str(path), max_rejects=100, **arguments)

    with pytest.raises(AirflowFailException) as caught:
        task.execute(run)

    error = whole_error(caught.value)
    assert isinstance(error, EnvokeConfigError)
    assert [word for word in words if word.lower() not in str(error).lower()] == []
    assert [leaks(text) for each in (error, caught.value) for text in texts_of(each) if leaks(text)] == []
    assert sandbox.requests == []
    assert path.read_text() == ""
    report = run["ti"].pushed["return_value"]
    assert (report["rows"], report["rejected"], leaks(json.dumps(report))) == (0, 0, [])


@pytest.mark.parametrize("source", ["list", "generator"])
@pytest.mark.parametrize("problem", ["no key", "no reference", "no mapped column", "no mapped key"])
def test_what_only_some_rows_lack_is_not_an_error_of_the_table(
    problem: str, source: str, sandbox: MarkedSandbox
) -> None:
    columns, arguments, _ = PROBLEMS[problem]
    everything = {"email": EMAIL, "city": "Laval", "mail": EMAIL, "town": "Laval"}
    wanted = ["mail", "town"] if "field_map" in arguments else ["email", "city"]
    full = {name: everything[name] for name in wanted} | dict.fromkeys(arguments.get("reference", []), "M-1")
    rows = [dict.fromkeys(columns, EMAIL)] * 2 + [full]
    task = EnvokeSyncContactsOperator(task_id="t", rows=[], max_rejects=3, on_missing="create", **arguments)
    vars(task)["rows"] = rows if source == "list" else iter(rows)

    report = task.execute(context())

    assert report["rows"] == 3
    assert [request["method"] for request in sandbox.requests][-1] == "POST"


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_table_without_rows_is_not_judged(
    problem: str, sandbox: MarkedSandbox, warehouse: Callable[..., None]
) -> None:
    columns, arguments, _ = PROBLEMS[problem]
    warehouse([])

    report = operator("query", columns, **arguments).execute(context())

    assert (report["rows"], sandbox.requests) == (0, [])


def test_a_query_is_not_read_further_than_its_first_rows(
    sandbox: MarkedSandbox, warehouse: Callable[..., None]
) -> None:
    """All of its rows have the same columns; without an end, it would take for ever to look through them."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS city FROM n"
    task = SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=endless)
    warehouse([])

    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())

    assert "no column email, the key" in str(whole_error(caught.value))
