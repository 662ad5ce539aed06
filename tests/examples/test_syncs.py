"""The examples that sync whole tables, run by Airflow against the sandbox."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowTaskTimeout, timeout

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from tests.support import ROOT
from tests.support.airflow import labels, load_dag, result, states
from tests.support.contacts import contacts
from tests.support.examples import ANA, BO, CY, DEE, INVALID, Shop, example
from tests.support.sync_runs import patches
from tests.support.tasks import context

if TYPE_CHECKING:
    from pathlib import Path


def test_the_nightly_sync_changes_what_differs_and_nothing_the_second_night(shop: Shop) -> None:
    first = shop.run("envoke_nightly_sync", ANA, BO, CY, DEE, plan_only=False, max_changes=0.9)
    sent = len(patches(shop.sandbox))
    second = shop.run("envoke_nightly_sync", plan_only=False)

    assert (first.state, second.state) == ("success", "success")
    report = result(first, "sync")
    assert (report["updated"], report["skipped"], report["rejected"]) == (3, 1, 0)
    assert result(second, "sync")["updated"] == 0
    assert len(patches(shop.sandbox)) == sent == 3
    assert [contact["city"] for contact in shop.sandbox.contacts] == ["Québec", "Lévis", "Ottawa"]


def test_a_copy_of_the_nightly_sync_writes_nothing_until_a_person_changes_it(shop: Shop) -> None:
    run = shop.run("envoke_nightly_sync", ANA, max_changes=1)

    assert run.state == "success"
    report = result(run, "sync")
    assert (report["plan_only"], report["updated"]) == (True, 1)
    assert patches(shop.sandbox) == []


@pytest.mark.parametrize("plan_only", [True, False])
def test_the_nightly_sync_fails_and_writes_nothing_if_too_much_would_change(shop: Shop, plan_only: bool) -> None:
    run = shop.run("envoke_nightly_sync", ANA, BO, CY, DEE, plan_only=plan_only)

    assert run.state == "failed"
    report = result(run, "sync")
    assert (report["stopped"], report["updated"]) == ("max_changes", 3)
    assert patches(shop.sandbox) == []


@pytest.mark.parametrize("plan_only", ["no", 0, None])
def test_plan_only_of_the_nightly_sync_is_on_or_off(shop: Shop, plan_only: object) -> None:
    with pytest.raises(Exception, match="Invalid input for param"):
        shop.run("envoke_nightly_sync", ANA, plan_only=plan_only)


def test_the_nightly_sync_runs_at_night_in_toronto() -> None:
    assert str(example("envoke_nightly_sync").timezone) == "America/Toronto"


def test_the_nightly_sync_fails_after_its_work_and_writes_a_file_of_rejects(shop: Shop, tmp_path: Path) -> None:
    run = shop.run(
        "envoke_nightly_sync", ANA, INVALID, plan_only=False, max_changes=1, rejects=str(tmp_path / "rejects")
    )

    assert run.state == "failed"
    assert result(run, "sync")["reasons"] == {"invalid_email": 1}
    (file,) = (tmp_path / "rejects").rglob("*.jsonl")
    assert [json.loads(line)["row"] for line in file.read_text().splitlines()] == [2]
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Québec"


def test_a_small_plan_is_followed_by_the_sync(shop: Shop) -> None:
    run = shop.run("envoke_plan_then_sync", ANA, max_changes=1)

    assert run.state == "success"
    assert result(run, "plan")["plan_only"] is True
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Québec"


def test_a_plan_that_changes_too_much_writes_nothing(shop: Shop) -> None:
    run = shop.run("envoke_plan_then_sync", ANA, max_changes=0.2)

    assert states(run) == {"plan": "failed", "sync": "upstream_failed"}
    assert result(run, "plan")["stopped"] == "max_changes"
    assert patches(shop.sandbox) == []


def test_the_shards_together_sync_every_row_once(shop: Shop) -> None:
    shop.sandbox.reset(contacts(40))
    rows = [(f"C-{number:04}", None, f"p{number}@example.com", "P", None, "Québec", None) for number in range(40)]

    run = shop.run("envoke_sharded_sync", *rows)

    assert run.state == "success"
    assert [result(run, "shard", index)["rows"] for index in range(4)] == [10, 10, 10, 10]
    assert result(run, "add_up") == {
        "rows": 40, "updated": 40, "created": 0, "unchanged": 0, "skipped": 0, "rejected": 0,
    }  # fmt: skip
    assert len(patches(shop.sandbox)) == 40
    assert labels(run, "shard") == [f"shard {index}: 10 updated" for index in range(4)]


def test_the_rows_of_the_task_in_readme_are_synced_and_not_logged(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    shop.sandbox.reset([{"id": 1, "email": "jon@example.com", "city": "Laval"}])
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (each for each in blocks if "EnvokeSyncContactsOperator" in each)
    (tmp_path / "rows_to_envoke.py").write_text(block, encoding="utf-8")

    run = shop.run_dag(load_dag(tmp_path / "rows_to_envoke.py"))

    assert run.state == "success"
    report = result(run, "sync")
    assert (report["rows"], report["updated"], report["skipped"]) == (2, 1, 1)
    assert shop.sandbox.contact(email="jon@example.com")["city"] == "Winnipeg"
    logged = capsys.readouterr().out + caplog.text
    assert "customers" in logged
    assert "Winnipeg" not in logged


def test_rows_from_xcom_are_synced(shop: Shop) -> None:
    with DAG("rows_from_xcom", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EnvokeSyncContactsOperator(
            task_id="sync", rows="{{ [{'email': 'ana@example.com', 'city': 'Winnipeg', 'phone': none}] }}"
        )

    run = shop.run_dag(dag)

    assert run.state == "success"
    assert result(run, "sync")["updated"] == 1
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Winnipeg"


def test_a_task_that_runs_out_of_time_reports_what_it_did(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.sandbox.reset(contacts(300))
    monkeypatch.setattr(shop.sandbox, "latency_s", 0.05)
    task = EnvokeSyncContactsOperator(task_id="sync", rows=contacts(300), strategy="all", concurrency=1)
    run = context()

    # What Airflow does for execution_timeout, which ends dag.test() on Airflow 2.
    with pytest.raises(AirflowTaskTimeout), timeout(3):
        task.execute(run)

    report = run["ti"].pushed["return_value"]
    assert report["stopped"] == "AirflowTaskTimeout"
    assert 0 < report["updated"] < report["rows"]
    assert report["updated"] + report["reasons"]["stopped"] == report["rows"] <= 300
    assert len(patches(shop.sandbox)) >= report["updated"]
