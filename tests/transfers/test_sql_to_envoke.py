"""Queries of real databases into the sandbox, by the operator."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException, Asset

from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeSyncError
from airflow_provider_envoke.transfers.sql_to_envoke import QueryRows, SqlToEnvokeOperator, stream_rows
from tests.sync.running import patches
from tests.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture
def sandbox(envoke_connection: Sandbox) -> Sandbox:
    envoke_connection.reset([{"email": f"p{number}@example.com", "city": "Laval"} for number in range(5)])
    return envoke_connection


def operator(**arguments: Any) -> SqlToEnvokeOperator:
    defaults = {"task_id": "sync", "sql_conn_id": "warehouse", "sql": "SELECT email, city FROM customers"}
    return SqlToEnvokeOperator(**{**defaults, **arguments})


def test_a_query_goes_over_and_the_report_comes_back(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([("p0@example.com", "Québec", 1), ("p1@example.com", "Laval", 1)])

    report = operator().execute(context())

    assert (report["rows"], report["updated"], report["unchanged"]) == (2, 1, 1)
    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"


def test_parameters_reach_the_driver(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([("p0@example.com", "Québec", 1), ("p1@example.com", "Lévis", 2)])

    report = operator(sql="SELECT email, city FROM customers WHERE plan = ?", parameters=[2]).execute(context())

    assert report["updated"] == 1
    assert sandbox.contact(email="p1@example.com")["city"] == "Lévis"


def test_sql_files_are_read() -> None:
    assert SqlToEnvokeOperator.template_ext == (".sql",)


@pytest.mark.parametrize(("on_empty", "error"), [("skip", AirflowSkipException), ("fail", AirflowFailException)])
def test_no_rows_end_the_task_as_asked(
    sandbox: Sandbox, warehouse: Callable[..., None], on_empty: Any, error: type[Exception]
) -> None:
    warehouse([])

    assert operator().execute(context())["rows"] == 0
    with pytest.raises(error, match="no rows"):
        operator(on_empty=on_empty).execute(context())


def test_too_many_rejects_fail_after_the_work_and_after_the_report(
    sandbox: Sandbox, warehouse: Callable[..., None], tmp_path: Path
) -> None:
    warehouse([("nobody@example.com", "X", 1), ("p0@example.com", "Québec", 1)])
    path = tmp_path / "rejects" / "run.jsonl"
    run = context()

    with pytest.raises(EnvokeSyncError, match="1 of 2 rows were not written") as caught:
        operator(rejects_path=str(path)).execute(run)

    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"
    assert run["ti"].pushed["return_value"]["reasons"] == {"not_found": 1}
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["key"] == "nobody@example.com"
    assert set(json.loads(line)) == {"row", "key", "reason", "field", "message"}
    assert "nobody@example.com" not in str(caught.value)


@pytest.mark.parametrize(
    ("max_rejects", "fails"),
    [(0, True), (1, False), (0.4, True), (0.5, False), (-1, None), (1.5, None), (True, None)],
)
def test_max_rejects_is_a_count_or_a_share(
    sandbox: Sandbox, warehouse: Callable[..., None], max_rejects: Any, fails: bool | None
) -> None:
    warehouse([("nobody@example.com", "X", 1), ("p0@example.com", "Laval", 1)])
    task = operator(max_rejects=max_rejects)

    if fails is None:
        with pytest.raises(AirflowFailException, match="max_rejects"):
            task.execute(context())
    elif fails:
        with pytest.raises(EnvokeSyncError):
            task.execute(context())
    else:
        assert task.execute(context())["rejected"] == 1


@pytest.mark.parametrize("max_rejects", [-1, 1.5, "none", float("nan")])
def test_a_wrong_max_rejects_is_found_before_anything_is_written(
    sandbox: Sandbox, warehouse: Callable[..., None], max_rejects: Any
) -> None:
    warehouse([("p0@example.com", "Québec", 1)])

    with pytest.raises(AirflowFailException, match="max_rejects has to be"):
        operator(max_rejects=max_rejects).execute(context())

    assert list(sandbox.requests) == []


def test_a_plan_above_max_changes_ends_the_task_writes_nothing_and_is_the_report(
    sandbox: Sandbox, warehouse: Callable[..., None]
) -> None:
    warehouse([("p0@example.com", "Québec", 1), ("p1@example.com", "Laval", 1)])
    asset, run = Asset("envoke://account/contacts"), context()

    with pytest.raises(AirflowFailException, match=r"1 of 2 rows .* than max_changes=0.4 allows"):
        operator(max_changes=0.4, outlets=[asset], retries=3).execute(run)

    report = run["ti"].pushed["return_value"]
    assert (report["updated"], report["plan_only"], report["stopped"]) == (1, True, "max_changes")
    assert report["examples"]["city"] == [{"row": 1, "from": "L***", "to": "Q***"}]
    assert patches(sandbox) == []


def test_a_plan_within_max_changes_runs_the_query_again_and_writes(
    sandbox: Sandbox, warehouse: Callable[..., None]
) -> None:
    warehouse([("p0@example.com", "Québec", 1), ("p1@example.com", "Laval", 1)])

    report = operator(max_changes="0.5").execute(context())

    assert (report["updated"], report["requests"]) == (1, {"read": 2, "write": 1})
    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"


@pytest.mark.parametrize("max_changes", ["", "None", -1, 1.5, True])
def test_a_max_changes_that_is_no_limit_is_not_taken_for_none(
    sandbox: Sandbox, warehouse: Callable[..., None], max_changes: Any
) -> None:
    warehouse([("p0@example.com", "Québec", 1)])

    with pytest.raises(AirflowFailException, match="max_changes has to be"):
        operator(max_changes=max_changes).execute(context())

    assert patches(sandbox) == []


def test_the_report_goes_to_the_outlets_events(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([("p0@example.com", "Québec", 1)])
    asset, run = Asset("envoke://account/contacts"), context()

    operator(outlets=[asset]).execute(run)

    assert run["outlet_events"][asset].extra["updated"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keyfield": "phone"}, "keyfield"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": -3}, "concurrency"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"strategy": "some"}, "strategy"),
        ({"on_missing": "fail"}, "on_missing"),
        ({"on_empty": "maybe"}, "on_empty"),
        ({"field_map": {"a": "email", "b": "email"}}, "field_map"),
        ({"sql": "SELECT email, city, city FROM customers"}, "more than one column named city"),
        ({"sql": "CREATE TABLE other (a TEXT)"}, "returned no columns"),
        ({"sql_conn_id": "envoke_default"}, "sql_conn_id"),
    ],
)
def test_what_cannot_work_fails_at_once_and_says_what_to_change(
    sandbox: Sandbox, warehouse: Callable[..., None], arguments: dict[str, Any], words: str
) -> None:
    warehouse([("p0@example.com", "Québec", 1)])

    with pytest.raises(AirflowFailException, match=words):
        operator(**arguments).execute(context())

    assert patches(sandbox) == []


def test_a_killed_task_stops_and_reports(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([("p0@example.com", "Québec", 1)])
    task, run = operator(), context()
    rows = iter([{"email": "p0@example.com", "city": "X"}])

    def killed() -> Iterator[dict[str, Any]]:
        task.on_kill()
        yield from rows

    with pytest.raises(EnvokeSyncError, match="stopped"):
        task.sync(run, killed())

    assert run["ti"].pushed["return_value"]["stopped"] == "EnvokeSyncError"


def test_by_remote_id_the_log_warns(
    sandbox: Sandbox,
    warehouse: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    warehouse([])

    operator(keyfield="remote_id").execute(context())

    # Airflow 2 logs through the standard library, Airflow 3 to the standard output.
    shown = capsys.readouterr().out
    assert max(text.count("may get every message twice") for text in (caplog.text, shown)) == 1


def test_it_runs_in_a_dag_mapped_over_parameters(
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


# PostgreSQL


def test_postgresql_rows_go_over_with_their_types(sandbox: Sandbox, postgres: Any) -> None:
    postgres.execute("INSERT INTO envoke_customers VALUES ('p0@example.com', 'Québec', 1.50, '2001-02-03', true)")
    fields = {"email": "email", "plan": "custom_fields.plan", "born": "custom_fields.born", "ok": "interests.News"}

    report = operator(sql="SELECT * FROM envoke_customers", field_map=fields).execute(context())
    again = operator(sql="SELECT * FROM envoke_customers", field_map=fields).execute(context())

    contact = sandbox.contact(email="p0@example.com")
    assert (report["updated"], again["unchanged"]) == (1, 1)
    assert contact["custom_fields"] == {"plan": "1.50", "born": "2001-02-03"}
    assert contact["interests"] == ["News"]


def test_postgresql_is_read_twice_for_max_changes_and_every_connection_is_closed(
    sandbox: Sandbox, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    postgres.execute("INSERT INTO envoke_customers VALUES ('p0@example.com', 'Québec', 1, NULL, NULL)")
    opened: list[Any] = []
    connect = PostgresHook.get_conn
    monkeypatch.setattr(PostgresHook, "get_conn", lambda hook: opened.append(connect(hook)) or opened[-1])

    report = operator(sql="SELECT email, city FROM envoke_customers", max_changes=1).execute(context())

    assert (report["updated"], report["requests"]["read"]) == (1, 2)
    assert [bool(connection.closed) for connection in opened] == [True, True]


def test_postgresql_rows_are_streamed_by_a_server_side_cursor(sandbox: Sandbox, postgres: Any) -> None:
    from airflow.providers.common.compat.sdk import BaseHook

    connection = BaseHook.get_hook("warehouse").get_conn()
    rows = stream_rows(connection, "SELECT number FROM generate_series(1, 100000) AS number")

    assert next(rows) == {"number": 1}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_cursors")
        assert cursor.fetchall() == [("envoke_sync",)]
    rows.close()
    assert connection.closed


def test_a_cursor_that_is_not_read_to_its_end_is_closed(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.sqlite")
    rows = stream_rows(connection, "SELECT 1 AS a UNION SELECT 2")

    next(rows)
    rows.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_statement_without_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvokeDataError, match="no columns"):
        next(stream_rows(sqlite3.connect(tmp_path / "a.sqlite"), "CREATE TABLE t (a TEXT)"))


def test_a_cursor_that_cannot_be_closed_early_hides_nothing() -> None:
    class Cursor:
        description = (("email",), ("city",))

        def execute(self, *_: Any) -> None: ...

        def fetchmany(self, size: int) -> list[tuple[str, str]]:
            return [("p@example.com", "Laval")] * size

        def close(self) -> None:
            raise RuntimeError("Unread result found")

    class Hook:
        def get_conn(self) -> Any:
            return type("Connection", (), {"cursor": lambda self: Cursor(), "close": lambda self: None})()

    rows = iter(QueryRows(Hook(), "warehouse", "SELECT 1"))
    next(rows)

    rows.close()  # type: ignore[attr-defined]
