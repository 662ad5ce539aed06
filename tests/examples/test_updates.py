"""The examples that update single contacts, run by Airflow against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow import result
from tests.support.examples import ANA, BO, CY, DEE, INVALID, example

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

BO_MOVED = (*BO[:2], "bo@example.org", *BO[3:])
OLD = ("C-5", None, "old@example.com", "Old", None, "Laval", "2026-01-01")


def updates(run: DagRun) -> list[Any]:
    """Return the instances of the task ``update``, in the order of the rows."""
    instances = [instance for instance in run.get_task_instances() if instance.task_id == "update"]
    return sorted(instances, key=lambda instance: instance.map_index)


def test_a_row_updates_the_contact_with_its_email(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_email")
    warehouse(dag, ANA, BO)
    before = sandbox.contacts

    run = run_dag(dag, run_conf={"email": "ana@example.com"})

    assert run.state == "success"
    contact = sandbox.contact(email="ana@example.com")
    assert (contact["first_name"], contact["city"]) == ("Aña", "Québec")
    assert contact["phone"] == "1", "a null leaves the field as it is"
    assert result(run, "update") == {"id": 1, "action": "updated", "fields": ["city", "email", "first_name"]}
    assert sandbox.contacts[1:] == before[1:]


def test_an_email_that_envoke_does_not_know_fails_the_run(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_email")
    warehouse(dag, DEE)

    run = run_dag(dag, run_conf={"email": "dee@example.com"})

    assert run.state == "failed"
    assert [update.state for update in updates(run)] == ["failed"]
    assert result(run, "update") is None
    assert len(sandbox.contacts) == 3


def test_an_email_that_the_warehouse_does_not_know_sends_nothing(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_email")
    warehouse(dag, ANA)

    run = run_dag(dag, run_conf={"email": "nobody@example.com"})

    assert run.state == "failed"
    assert list(sandbox.requests) == []


@pytest.mark.parametrize(
    ("name", "conf"),
    [
        ("envoke_update_by_email", {"email": "a@example.com' OR 'x'='x"}),
        ("envoke_update_by_remote_id", {"customer_id": "C-1' OR 'x'='x"}),
        ("envoke_update_many", {"changed_since": "2026-01-01' OR 'x'='x"}),
    ],
)
def test_a_quote_does_not_get_into_the_sql(
    name: str, conf: dict[str, str], run_dag: Callable[..., DagRun]
) -> None:
    with pytest.raises(Exception, match="Invalid input for param"):
        run_dag(example(name), run_conf=conf)


def test_a_row_updates_the_contact_with_its_remote_id_and_its_new_email(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_remote_id")
    warehouse(dag, ANA, BO_MOVED)

    run = run_dag(dag, run_conf={"customer_id": "C-2"})

    assert run.state == "success"
    contact = sandbox.contact(email="bo@example.org")
    assert (contact["remote_id"], contact["city"]) == ("R-2", "Lévis")
    assert result(run, "update")["id"] == int(contact["id"]) == 2
    assert len(sandbox.contacts) == 3


def test_a_row_without_a_remote_id_updates_the_contact_with_its_email(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_remote_id")
    warehouse(dag, CY)

    run = run_dag(dag, run_conf={"customer_id": "C-3"})

    assert run.state == "success"
    assert sandbox.contact(email="cy@example.com")["city"] == "Ottawa"


def test_a_remote_id_that_envoke_does_not_know_fails_the_run(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_remote_id")
    warehouse(dag, DEE)

    run = run_dag(dag, run_conf={"customer_id": "C-4"})

    assert run.state == "failed"
    assert len(sandbox.contacts) == 3


def test_every_changed_row_updates_its_contact_and_an_unknown_one_is_skipped(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_many")
    long_name = "Maximilienne-Alexandrine"
    warehouse(dag, OLD, ANA, (*CY[:3], long_name, *CY[4:]), DEE)

    run = run_dag(dag, run_conf={"changed_since": "2026-03-01"})

    assert run.state == "success"
    assert [update.state for update in updates(run)] == ["success", "success", "skipped"]
    assert sandbox.contact(email="ana@example.com")["city"] == "Québec"
    cy = sandbox.contact(email="cy@example.com")
    assert (cy["city"], cy["first_name"]) == ("Ottawa", long_name[:20])
    assert cy["consent_status"] == "Revoked", "an update without a consent status leaves it alone"
    assert len(sandbox.contacts) == 3
    assert result(run, "update", 0) == {"id": 1, "action": "updated", "fields": ["city", "email", "first_name"]}
    assert result(run, "update", 2)["action"] == "skipped"


def test_no_changed_row_sends_nothing(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_many")
    warehouse(dag, OLD)

    run = run_dag(dag, run_conf={"changed_since": "2026-03-01"})

    assert [update.state for update in updates(run)] == ["skipped"]
    assert list(sandbox.requests) == []


def test_one_invalid_row_fails_the_run_and_not_the_other_rows(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_many")
    warehouse(dag, INVALID, ANA)

    run = run_dag(dag, run_conf={"changed_since": "2026-03-01"})

    assert run.state == "failed"
    assert sorted(str(update.state) for update in updates(run)) == ["failed", "success"]
    assert sandbox.contact(email="ana@example.com")["city"] == "Québec"
