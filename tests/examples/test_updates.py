"""The examples that update single contacts, run by Airflow against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow import result, states
from tests.support.examples import ANA, BO, CY, DEE, INVALID, NAMES, Shop, example

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

BO_MOVED = (*BO[:2], "bo@example.org", *BO[3:])
OLD = ("C-5", None, "old@example.com", "Old", None, "Laval", "2026-01-01")


def updates(run: DagRun) -> list[Any]:
    """Return the states of the instances of the task ``update``, in the order of the rows."""
    instances = [instance for instance in run.get_task_instances() if instance.task_id == "update"]
    return [instance.state for instance in sorted(instances, key=lambda instance: instance.map_index)]


def test_a_row_updates_the_contact_with_its_email(shop: Shop) -> None:
    before = shop.sandbox.contacts

    run = shop.run("envoke_update_by_email", ANA, BO, email="ana@example.com")

    assert run.state == "success"
    contact = shop.sandbox.contact(email="ana@example.com")
    assert (contact["first_name"], contact["city"]) == ("Aña", "Québec")
    assert contact["phone"] == "1", "a null leaves the field as it is"
    assert result(run, "update") == {"id": 1, "action": "updated", "fields": ["city", "email", "first_name"]}
    assert shop.sandbox.contacts[1:] == before[1:]


@pytest.mark.parametrize(
    ("name", "conf"),
    [
        ("envoke_update_by_email", {"email": "dee@example.com"}),
        ("envoke_update_by_remote_id", {"customer_id": "C-4"}),
    ],
)
def test_a_key_that_envoke_does_not_know_fails_the_run(shop: Shop, name: str, conf: dict[str, str]) -> None:
    run = shop.run(name, DEE, **conf)

    assert run.state == "failed"
    assert updates(run) == ["failed"]
    assert result(run, "update") is None
    assert len(shop.sandbox.contacts) == 3


def test_an_email_that_the_warehouse_does_not_know_sends_nothing(shop: Shop) -> None:
    run = shop.run("envoke_update_by_email", ANA, email="nobody@example.com")

    assert run.state == "failed"
    assert list(shop.sandbox.requests) == []


@pytest.mark.parametrize(
    ("name", "conf"),
    [
        ("envoke_update_by_email", {"email": "a@example.com' OR 'x'='x"}),
        ("envoke_update_by_remote_id", {"customer_id": "C-1' OR 'x'='x"}),
    ],
)
def test_a_quote_does_not_get_into_the_sql(shop: Shop, name: str, conf: dict[str, str]) -> None:
    run = shop.run(name, ANA, BO, **conf)

    assert states(run) | {"choose_key": ""} == {"customer": "success", "choose_key": "", "update": "failed"}
    assert result(run, "customer") == []
    assert list(shop.sandbox.requests) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("envoke_update")])
def test_no_run_parameter_is_part_of_a_query(name: str) -> None:
    queries = [task.sql for task in example(name).tasks if hasattr(task, "sql")]

    assert queries
    assert [sql for sql in queries if "{{" in sql or "{%" in sql] == []


def test_a_row_updates_the_contact_with_its_remote_id_and_its_new_email(shop: Shop) -> None:
    run = shop.run("envoke_update_by_remote_id", ANA, BO_MOVED, customer_id="C-2")

    assert run.state == "success"
    contact = shop.sandbox.contact(email="bo@example.org")
    assert (contact["remote_id"], contact["city"]) == ("R-2", "Lévis")
    assert result(run, "update")["id"] == int(contact["id"]) == 2
    assert len(shop.sandbox.contacts) == 3


def test_a_row_without_a_remote_id_updates_the_contact_with_its_email(shop: Shop) -> None:
    run = shop.run("envoke_update_by_remote_id", CY, customer_id="C-3")

    assert run.state == "success"
    assert shop.sandbox.contact(email="cy@example.com")["city"] == "Ottawa"


def test_every_changed_row_updates_its_contact_and_an_unknown_one_is_skipped(shop: Shop) -> None:
    long_name = "Maximilienne-Alexandrine"
    rows = (OLD, ANA, (*CY[:3], long_name, *CY[4:]), DEE)

    run = shop.run("envoke_update_many", *rows, changed_since="2026-03-01")

    assert run.state == "success"
    assert sorted(map(str, updates(run))) == ["skipped", "success", "success"]
    assert updates(run)[2] == "success", "Ana, whose change is the oldest one"
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Québec"
    cy = shop.sandbox.contact(email="cy@example.com")
    assert (cy["city"], cy["first_name"]) == ("Ottawa", long_name[:20])
    assert cy["consent_status"] == "Revoked", "an update without a consent status leaves it alone"
    assert len(shop.sandbox.contacts) == 3
    results = [result(run, "update", index) for index in range(3)]
    assert results[2] == {"id": 1, "action": "updated", "fields": ["city", "email", "first_name"]}
    assert sorted(each["action"] for each in results) == ["skipped", "updated", "updated"]


def test_only_the_five_latest_changes_get_a_task(shop: Shop) -> None:
    days = range(1, 9)
    shop.sandbox.reset([{"id": day, "email": f"p{day}@example.com"} for day in days])
    rows = [(f"C-{day}", None, f"p{day}@example.com", "P", None, "Laval", f"2026-03-{day:02}") for day in days]

    run = shop.run("envoke_update_many", *rows)

    assert updates(run) == ["success"] * 5
    latest = [day for day in days if shop.sandbox.contact(email=f"p{day}@example.com").get("city")]
    assert latest == [4, 5, 6, 7, 8]


def test_no_changed_row_sends_nothing(shop: Shop) -> None:
    run = shop.run("envoke_update_many", OLD, changed_since="2026-03-01")

    assert updates(run) == ["skipped"]
    assert list(shop.sandbox.requests) == []


def test_one_invalid_row_fails_the_run_and_not_the_other_rows(shop: Shop) -> None:
    run = shop.run("envoke_update_many", INVALID, ANA, changed_since="2026-03-01")

    assert run.state == "failed"
    assert sorted(map(str, updates(run))) == ["failed", "success"]
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Québec"
