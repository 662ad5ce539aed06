"""The examples that sync whole tables, run by Airflow against the sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowTaskTimeout, timeout

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from tests.support.airflow import result, states
from tests.support.contacts import contacts
from tests.support.examples import ANA, BO, CY, DEE, INVALID, example
from tests.support.sync_runs import patches
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox


def test_the_nightly_sync_changes_what_differs_and_nothing_the_second_night(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_nightly_sync")
    warehouse(dag, ANA, BO, CY, DEE)

    first = run_dag(dag)
    sent = len(patches(sandbox))
    second = run_dag(dag)

    assert (first.state, second.state) == ("success", "success")
    report = result(first, "sync")
    assert (report["updated"], report["skipped"], report["rejected"]) == (3, 1, 0)
    assert result(second, "sync")["updated"] == 0
    assert len(patches(sandbox)) == sent == 3
    assert [contact["city"] for contact in sandbox.contacts] == ["Québec", "Lévis", "Ottawa"]


def test_the_nightly_sync_fails_after_its_work_and_writes_a_file_of_rejects(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun], tmp_path: Path
) -> None:
    dag = example("envoke_nightly_sync")
    warehouse(dag, ANA, INVALID)

    run = run_dag(dag, run_conf={"rejects": str(tmp_path / "rejects")})

    assert run.state == "failed"
    assert result(run, "sync")["reasons"] == {"invalid_email": 1}
    (file,) = (tmp_path / "rejects").rglob("*.jsonl")
    assert [json.loads(line)["row"] for line in file.read_text().splitlines()] == [2]
    assert sandbox.contact(email="ana@example.com")["city"] == "Québec"


def test_a_small_plan_is_followed_by_the_sync(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_plan_then_sync")
    warehouse(example("envoke_nightly_sync"), ANA)

    run = run_dag(dag, run_conf={"max_changes": 1})

    assert run.state == "success"
    assert result(run, "plan")["plan_only"] is True
    assert sandbox.contact(email="ana@example.com")["city"] == "Québec"


def test_a_plan_that_changes_too_much_writes_nothing(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_plan_then_sync")
    warehouse(example("envoke_nightly_sync"), ANA)

    run = run_dag(dag, run_conf={"max_changes": 0.2})

    assert states(run) == {"plan": "failed", "sync": "upstream_failed"}
    assert result(run, "plan")["stopped"] == "max_changes"
    assert patches(sandbox) == []


def test_the_shards_together_sync_every_row_once(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_sharded_sync")
    sandbox.reset(contacts(40))
    rows = [(f"C-{number:04}", None, f"p{number}@example.com", "P", None, "Québec", None) for number in range(40)]
    warehouse(example("envoke_nightly_sync"), *rows)

    run = run_dag(dag)

    assert run.state == "success"
    assert [result(run, "shard", index)["rows"] for index in range(4)] == [10, 10, 10, 10]
    assert result(run, "add_up") == {
        "rows": 40, "updated": 40, "created": 0, "unchanged": 0, "skipped": 0, "rejected": 0,
    }  # fmt: skip
    assert len(patches(sandbox)) == 40


def test_rows_from_xcom_are_synced(sandbox: Sandbox, run_dag: Callable[..., DagRun]) -> None:
    with DAG("rows_from_xcom", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EnvokeSyncContactsOperator(
            task_id="sync", rows="{{ [{'email': 'ana@example.com', 'city': 'Winnipeg', 'phone': none}] }}"
        )

    run = run_dag(dag)

    assert run.state == "success"
    assert result(run, "sync")["updated"] == 1
    assert sandbox.contact(email="ana@example.com")["city"] == "Winnipeg"


def test_a_task_that_runs_out_of_time_reports_what_it_did(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.reset(contacts(300))
    monkeypatch.setattr(sandbox, "latency_s", 0.05)
    task = EnvokeSyncContactsOperator(task_id="sync", rows=contacts(300), strategy="all", concurrency=1)
    run = context()

    # What Airflow does for execution_timeout, which ends dag.test() on Airflow 2.
    with pytest.raises(AirflowTaskTimeout), timeout(3):
        task.execute(run)

    report = run["ti"].pushed["return_value"]
    assert report["stopped"] == "AirflowTaskTimeout"
    assert 0 < report["updated"] < report["rows"]
    assert report["updated"] + report["reasons"]["stopped"] == report["rows"] <= 300
    assert len(patches(sandbox)) >= report["updated"]
