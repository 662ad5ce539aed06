"""Queries of an SQLite warehouse, brought into the sandbox by the operator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException, Asset

from airflow_provider_envoke.exceptions import EnvokePlanError, EnvokeSyncError
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import contacts
from tests.support.sync_runs import patches
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = contacts(5)
UNKNOWN = ("nobody@example.com", "X", 1)
CHANGED = ("p0@example.com", "Québec", 1)
UNCHANGED = ("p1@example.com", "Laval", 2)


def operator(**arguments: Any) -> SqlToEnvokeOperator:
    defaults = {"task_id": "sync", "sql_conn_id": "warehouse", "sql": "SELECT email, city FROM customers"}
    return SqlToEnvokeOperator(**defaults | arguments)


def test_a_query_with_parameters_updates_the_contacts_that_differ(
    sandbox: Sandbox, warehouse: Callable[..., None]
) -> None:
    warehouse([CHANGED, UNCHANGED, ("p2@example.com", "Lévis", 3)])

    report = operator(sql="SELECT email, city FROM customers WHERE plan < ?", parameters=[3]).execute(context())

    assert (report["rows"], report["updated"], report["unchanged"]) == (2, 1, 1)
    cities = [contact["city"] for contact in sandbox.contacts]
    assert cities == ["Québec", *["Laval"] * 4]


@pytest.mark.parametrize("field_map", [None, {"Email": "email", "city": "city"}])
def test_columns_in_capitals_fill_the_fields_of_their_names(
    sandbox: Sandbox, warehouse: Callable[..., None], field_map: Any
) -> None:
    warehouse([CHANGED])

    report = operator(sql="SELECT email AS EMAIL, city AS CITY FROM customers", field_map=field_map).execute(
        context()
    )

    assert (report["updated"], sandbox.contact(email="p0@example.com")["city"]) == (1, "Québec")


def test_sql_can_be_the_path_of_a_file_also_in_a_list(
    sandbox: Sandbox, warehouse: Callable[..., None], tmp_path: Path, run_dag: Callable[..., Any]
) -> None:
    warehouse([CHANGED])
    (tmp_path / "query.sql").write_text("SELECT email, city FROM {{ 'customers' }}")
    with DAG(
        "files", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), template_searchpath=[str(tmp_path)]
    ) as dag:
        operator(task_id="one", sql="query.sql") >> operator(task_id="list", sql=["SELECT 1", "query.sql"])

    assert run_dag(dag).state == "success"
    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"


def test_with_split_statements_every_element_of_a_list_is_split(
    sandbox: Sandbox, warehouse: Callable[..., None]
) -> None:
    warehouse([])
    change = (
        "INSERT INTO customers (email, city) VALUES ('p0@example.com', 'x'); UPDATE customers SET city = 'Alma';"
    )
    query = "SELECT 1; SELECT email, city FROM customers;"

    report = operator(sql=[change, query], split_statements=True).execute(context())

    assert (report["rows"], report["updated"]) == (1, 1)
    assert sandbox.contact(email="p0@example.com")["city"] == "Alma"


@pytest.mark.parametrize(("on_empty", "error"), [("skip", AirflowSkipException), ("fail", AirflowFailException)])
def test_without_rows_the_task_ends_as_asked(
    sandbox: Sandbox, warehouse: Callable[..., None], on_empty: Any, error: type[Exception]
) -> None:
    warehouse([])

    assert operator().execute(context())["rows"] == 0
    with pytest.raises(error, match="on_empty"):
        operator(on_empty=on_empty).execute(context())
    assert sandbox.requests == []


def test_too_many_rejects_fail_the_task_after_the_work_and_the_report(
    sandbox: Sandbox, warehouse: Callable[..., None], tmp_path: Path
) -> None:
    warehouse([UNKNOWN, CHANGED])
    path = tmp_path / "rejects" / "run.jsonl"
    run = context()

    with pytest.raises(AirflowFailException) as caught:
        operator(rejects_path=str(path)).execute(run)

    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"
    assert run["ti"].pushed["return_value"]["reasons"] == {"not_found": 1}
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["key"] == "nobody@example.com"
    assert set(json.loads(line)) == {"row", "key", "reason", "field", "message", "reference", "outcome"}
    assert "nobody@example.com" not in str(caught.value)


@pytest.mark.parametrize(("max_rejects", "fails"), [(0, True), (1, False), (0.4, True), (0.5, False)])
def test_max_rejects_is_a_count_or_a_share(
    sandbox: Sandbox, warehouse: Callable[..., None], max_rejects: Any, fails: bool
) -> None:
    warehouse([UNKNOWN, UNCHANGED])
    task = operator(max_rejects=max_rejects)

    if fails:
        with pytest.raises(AirflowFailException):
            task.execute(context())
    else:
        assert task.execute(context())["rejected"] == 1


def test_a_plan_above_max_changes_writes_nothing_and_is_the_report(
    sandbox: Sandbox, warehouse: Callable[..., None]
) -> None:
    warehouse([CHANGED, UNCHANGED])
    run = context()

    with pytest.raises(AirflowFailException) as caught:
        operator(max_changes=0.4, retries=3).execute(run)

    assert isinstance(caught.value.__context__, EnvokePlanError)
    report = run["ti"].pushed["return_value"]
    assert (report["updated"], report["plan_only"], report["stopped"]) == (1, True, "max_changes")
    assert report["examples"]["city"] == [{"row": 1, "from": "L***", "to": "Q***"}]
    assert patches(sandbox) == []


def test_a_plan_within_max_changes_is_written(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([CHANGED, UNCHANGED])

    report = operator(max_changes="0.5").execute(context())

    assert (report["updated"], report["requests"]["write"]) == (1, 1)
    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"


def test_the_report_is_in_the_events_of_the_outlets(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([CHANGED])
    asset, run = Asset("envoke://account/contacts"), context()

    operator(outlets=[asset]).execute(run)

    assert run["outlet_events"][asset].extra["updated"] == 1


def test_a_killed_task_stops_and_reports(sandbox: Sandbox) -> None:
    task, run = operator(), context()

    def rows() -> Iterator[dict[str, Any]]:
        task.on_kill()
        yield {"email": "p0@example.com", "city": "X"}

    with pytest.raises(EnvokeSyncError, match="stopped"):
        task.sync(run, rows())

    assert run["ti"].pushed["return_value"]["stopped"] == "EnvokeSyncError"


def test_a_task_is_mapped_over_parameters(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., Any]
) -> None:
    warehouse([(f"p{number}@example.com", "Québec", number % 2) for number in range(5)])
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        SqlToEnvokeOperator.partial(
            task_id="sync",
            sql_conn_id="{{ 'warehouse' }}",
            sql="SELECT email, city FROM {{ 'customers' }} WHERE plan = ?",
        ).expand(parameters=[[0], [1]])

    run = run_dag(dag)

    assert run.state == "success"
    assert [contact["city"] for contact in sandbox.contacts] == ["Québec"] * 5
