"""The dry run of the table operators: a plan with a preview, which writes, pushes and records nothing."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.operators import _run
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import ANA, BO
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_envoke.operators._sync import BaseEnvokeSyncOperator
    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO]
ROWS = [("ana@example.com", "Alma"), ("bo@example.com", "Alma")]


def from_rows(**arguments: Any) -> EnvokeSyncContactsOperator:
    rows = [{"email": email, "city": city} for email, city in ROWS]
    return EnvokeSyncContactsOperator(task_id="task", rows=rows, **arguments)


def from_query(**arguments: Any) -> SqlToEnvokeOperator:
    sql = "SELECT email, city FROM customers ORDER BY email"
    return SqlToEnvokeOperator(task_id="task", sql=sql, sql_conn_id="warehouse", **arguments)


BOTH = pytest.mark.parametrize("make", [from_rows, from_query])


@pytest.fixture(autouse=True)
def filled(warehouse: Callable[..., None], sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The same rows behind the connection ``warehouse``, and contacts that differ from them."""
    warehouse([(*row, None) for row in ROWS])
    caplog.set_level(logging.INFO)


def previewed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the requests that were logged."""
    texts = [record.getMessage() for record in caplog.records if record.name.endswith("sync.preview")]
    return [line for text in texts for line in text.split("\n")[1:]]


@BOTH
def test_a_dry_run_shows_the_requests_masked_and_the_report_and_writes_nothing(
    make: Callable[..., BaseEnvokeSyncOperator],
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(_run, "count_sync", lambda *arguments: counted.append(arguments))
    task = make(rejects_path=str(tmp_path / "rejects.jsonl"))

    task.dry_run()

    assert previewed(caplog) == [f'row {n}: PATCH /v1/contacts/{n} {{"city": "A***"}}' for n in (1, 2)]
    assert "would be updated" in caplog.text
    assert "plan: 2 to update" in caplog.text
    assert {request["method"] for request in sandbox.requests} == {"GET"}
    assert [contact["city"] for contact in sandbox.contacts] == ["Laval", "Laval"]
    assert (list(tmp_path.glob("rejects*")), counted) == ([], [])
    captured = capfd.readouterr()
    for text in ("@example.com", "Alma"):
        assert text not in caplog.text + captured.out + captured.err


@BOTH
def test_a_dry_run_leaves_the_task_as_it_is(
    make: Callable[..., BaseEnvokeSyncOperator], sandbox: Sandbox, tmp_path: Path
) -> None:
    task = make(rejects_path=str(tmp_path / "rejects.jsonl"))

    task.dry_run()
    report = task.execute(context())

    assert (report["plan_only"], report["updated"]) == (False, 2)
    assert (tmp_path / "rejects.jsonl").exists()


@BOTH
def test_a_dry_run_shows_as_many_requests_as_the_task_says(
    make: Callable[..., BaseEnvokeSyncOperator], caplog: pytest.LogCaptureFixture
) -> None:
    make(preview=1, preview_unmasked=True).dry_run()

    assert previewed(caplog) == ['row 1: PATCH /v1/contacts/1 {"city": "Alma"}']


@BOTH
def test_a_dry_run_fails_where_the_task_would(
    make: Callable[..., BaseEnvokeSyncOperator], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.reset([ANA])

    with pytest.raises(AirflowFailException):
        make().dry_run()

    assert len(previewed(caplog)) == 1


@BOTH
def test_a_task_with_a_preview_writes_nothing_and_its_report_holds_no_values(
    make: Callable[..., BaseEnvokeSyncOperator], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    run = context()

    report = make(preview=2, preview_unmasked=True).execute(run)

    assert len(previewed(caplog)) == 2
    assert (report["plan_only"], report["summary"]) == (True, "plan: 2 to update")
    assert {request["method"] for request in sandbox.requests} == {"GET"}
    assert "Alma" not in f"{report}{run['ti'].pushed}{run['envoke_result']}"


def test_airflow_2_does_a_dry_run_of_a_rendered_task(
    airflow_db: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow import __version__

    if not __version__.startswith("2."):
        pytest.skip("Airflow 3 has no command for a dry run")
    from airflow.cli.cli_parser import get_parser
    from airflow.cli.commands import task_command

    dags = airflow_db.parent / "dry_run_dags"
    dags.mkdir()
    (dags / "dry.py").write_text(
        "from datetime import datetime\n"
        "from airflow import DAG\n"
        "from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator\n"
        "with DAG('dry_run_of_rows', schedule=None, start_date=datetime(2026, 1, 1)):\n"
        "    EnvokeSyncContactsOperator(\n"
        "        task_id='sync', rows=[{'email': 'ana@example.com', 'city': '{{ dag.dag_id }}'}]\n"
        "    )\n"
    )
    arguments = ["tasks", "test", "--dry-run", "--subdir", str(dags), "dry_run_of_rows", "sync", "2026-01-01"]

    with suppress(SystemExit):
        task_command.task_test(get_parser().parse_args(arguments))

    assert previewed(caplog) == ['row 1: PATCH /v1/contacts/1 {"city": "d***"}']
    assert {request["method"] for request in sandbox.requests} == {"GET"}
