"""The examples that ask a person; the answers are given as the UI gives them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow import result, states
from tests.support.examples import ANA, BO, CAN_ASK, CY, DEE, Shop, example
from tests.support.sync_runs import patches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

pytestmark = pytest.mark.skipif(not CAN_ASK, reason="Airflow asks people from 3.1 on")

APPROVE, LARGE = "envoke_approve_then_sync", "envoke_ask_if_large"
ASKED = {"plan": "success", "anything_to_change": "success", "approve": "success"}


def _respond(dag_id: str, choice: str, stop: list[bool]) -> dict[str, Any]:
    """Wait until the DAG asks, answer with the function behind the UI's button, and return the question."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    user = SimpleNamespace(get_id=lambda: "1", get_name=lambda: "tester")
    give_up_s = time.monotonic() + 60
    while time.monotonic() < give_up_s and not stop:
        with create_session() as session:
            # The question is stored before the task starts to wait.
            asking = session.scalar(
                select(HITLDetail)
                .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
                .where(TaskInstance.dag_id == dag_id, TaskInstance.state != "running")
                .where(HITLDetail.responded_at.is_(None))
            )
            if asking is not None:
                question = {"subject": asking.subject, "body": asking.body, "options": asking.options}
                update_hitl_detail(
                    dag_id=dag_id,
                    dag_run_id=asking.task_instance.run_id,
                    task_id="approve",
                    update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[choice], params_input={}),
                    user=user,
                    session=session,
                )
                return question
        time.sleep(0.1)
    return {}


@contextmanager
def person_answers(choice: str, dag_id: str) -> Iterator[Future[dict[str, Any]]]:
    """Answer the question that the DAG will ask; the future holds the question, or an empty dict."""
    # Imported before the thread starts: two threads that import different modules of Airflow can deadlock.
    import_module("airflow.api_fastapi.core_api.routes.public.hitl")
    stop: list[bool] = []
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(_respond, dag_id, choice, stop)
        finally:
            stop.append(True)


def test_an_approved_plan_is_synced_and_the_person_saw_it(shop: Shop) -> None:
    with person_answers("Approve", APPROVE) as question:
        run = shop.run(APPROVE, ANA, BO, DEE)

    assert states(run) == ASKED | {"sync": "success"}
    assert "2 contacts" in question.result()["subject"]
    assert question.result()["options"] == ["Approve", "Reject"]
    body = question.result()["body"]
    assert "2 of 3 rows" in body
    assert "row 1 `L***` → `Q***`; row 2 `L***` → `L***`" in body
    assert "ana@example.com" not in body
    assert "Québec" not in body
    assert len(patches(shop.sandbox)) == 2
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Québec"


def test_a_rejected_plan_writes_nothing(shop: Shop) -> None:
    with person_answers("Reject", APPROVE):
        run = shop.run(APPROVE, ANA)

    assert states(run) == ASKED | {"sync": "skipped"}
    assert patches(shop.sandbox) == []


def test_no_more_is_written_than_was_approved(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = example(APPROVE).task_dict["plan"]
    monkeypatch.setattr(plan, "sql", plan.sql + " WHERE email LIKE 'ana%'")  # the sync reads more rows

    with person_answers("Approve", APPROVE) as question:
        run = shop.run(APPROVE, ANA, BO)

    assert "1 contact" in question.result()["subject"]
    assert states(run) == ASKED | {"sync": "failed"}
    assert result(run, "sync")["stopped"] == "max_changes"
    assert patches(shop.sandbox) == []


@pytest.mark.parametrize(("name", "decides"), [(APPROVE, "anything_to_change"), (LARGE, "is_it_large")])
def test_nobody_is_asked_about_a_plan_without_changes(shop: Shop, name: str, decides: str) -> None:
    run = shop.run(name, DEE)  # Envoke does not have this customer

    assert run.state == "success"
    assert states(run) == {"plan": "success", decides: "success", "approve": "skipped", "sync": "skipped"}
    assert patches(shop.sandbox) == []


def test_a_small_plan_is_synced_without_a_question(shop: Shop) -> None:
    run = shop.run(LARGE, ANA, DEE, ask_above=0.5)

    assert states(run) == {"plan": "success", "is_it_large": "success", "approve": "skipped", "sync": "success"}
    assert shop.sandbox.contact(email="ana@example.com")["city"] == "Québec"


@pytest.mark.parametrize(("choice", "state", "sent"), [("Approve", "success", 3), ("Reject", "skipped", 0)])
def test_a_large_plan_waits_for_a_person(shop: Shop, choice: str, state: str, sent: int) -> None:
    with person_answers(choice, LARGE) as question:
        run = shop.run(LARGE, ANA, BO, CY, DEE, ask_above=0.5)

    assert "3 contacts" in question.result()["subject"]
    assert states(run) == {"plan": "success", "is_it_large": "success", "approve": "success", "sync": state}
    assert len(patches(shop.sandbox)) == sent
