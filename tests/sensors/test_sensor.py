"""The sensor in each of its modes, under Airflow and against the sandbox."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
    task,
)

from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.sensors.envoke import EnvokeContactSensor
from airflow_provider_envoke.triggers.envoke import EnvokeContactTrigger
from tests.support.airflow import result, states
from tests.support.contacts import ANA, BO, CY
from tests.support.faulty_server import FaultyServer, answer
from tests.support.tasks import context
from tests.support.triggers import events_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO, CY]
LAVAL = {"ids": [1, 2], "count": 2, "more": False}
NEW = {"email": "new@example.com"}
_numbers = itertools.count()


def sensor(**arguments: Any) -> EnvokeContactSensor:
    return EnvokeContactSensor(**{"task_id": "wait", "poke_interval": 0.01, **arguments})


def in_dag(run_dag: Callable[..., DagRun], **arguments: Any) -> DagRun:
    with DAG(f"envoke_sensor_{next(_numbers)}", schedule=None) as dag:
        sensor(**arguments)
    return run_dag(dag, run_conf={"city": "Laval"})


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define ``envoke_default`` for a faulty server; each request is sent once."""
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    return lambda server: monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection))


@pytest.mark.parametrize("arguments", [{}, {"mode": "reschedule"}, {"deferrable": True}], ids=str)
def test_in_every_mode_it_succeeds_at_once_if_enough_contacts_match(
    arguments: dict[str, Any], sandbox: Sandbox, run_dag: Callable[..., DagRun]
) -> None:
    run = in_dag(run_dag, filters={"city": "{{ dag_run.conf['city'] }}"}, min_count=2, **arguments)

    assert states(run) == {"wait": "success"}
    assert result(run, "wait") == LAVAL
    assert len(sandbox.requests) == 1


def test_it_pokes_until_enough_contacts_match(sandbox: Sandbox, run_dag: Callable[..., DagRun]) -> None:
    with DAG(f"envoke_sensor_{next(_numbers)}", schedule=None) as dag:
        wait = sensor(filters=NEW)
    asked = wait.poke

    def poke(context: Any) -> Any:
        if len(sandbox.requests) == 2:
            with EnvokeHook() as hook:
                hook.create_contact(NEW)
        return asked(context)

    object.__setattr__(wait, "poke", poke)
    run = run_dag(dag)

    assert states(run) == {"wait": "success"}
    assert result(run, "wait") == {"ids": [4], "count": 1, "more": False}


def test_deferred_it_goes_on_when_the_trigger_fires(
    sandbox: Sandbox, run_dag: Callable[..., DagRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``dag.test()`` runs the trigger in this process."""
    started = EnvokeContactTrigger.run

    async def run_trigger(self: EnvokeContactTrigger) -> Any:
        sandbox.reset([*CONTACTS, {"id": 9, **NEW}])
        async for event in started(self):
            yield event

    monkeypatch.setattr(EnvokeContactTrigger, "run", run_trigger)

    run = in_dag(run_dag, filters=NEW, deferrable=True)

    assert states(run) == {"wait": "success"}
    assert result(run, "wait") == {"ids": [9], "count": 1, "more": False}


def test_deferred_it_fails_with_what_the_trigger_says(
    sandbox: Sandbox, run_dag: Callable[..., DagRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = EnvokeContactTrigger.run

    async def run_trigger(self: EnvokeContactTrigger) -> Any:
        self.envoke_conn_id = "no_such"
        async for event in started(self):
            yield event

    monkeypatch.setattr(EnvokeContactTrigger, "run", run_trigger)

    assert states(in_dag(run_dag, filters=NEW, deferrable=True)) == {"wait": "failed"}


def test_it_hands_the_trigger_what_it_needs_and_its_timeout(sandbox: Sandbox) -> None:
    wait = sensor(filters=NEW, min_count=3, extra_fields=["mobile"], poke_interval=7, timeout=90, deferrable=True)

    with pytest.raises(TaskDeferred) as caught:
        wait.execute(context())

    _, arguments = caught.value.trigger.serialize()
    assert arguments == {
        "envoke_conn_id": "envoke_default", "filters": NEW, "min_count": 3, "after_id": None, "poll_interval": 7.0,
        "extra_fields": ["mobile"],
    }  # fmt: skip
    assert caught.value.timeout == timedelta(seconds=90)
    assert caught.value.method_name == "execute_complete"


def test_what_the_trigger_finds_is_the_result(sandbox: Sandbox) -> None:
    wait = sensor(filters={"city": "Laval"}, min_count=2, deferrable=True)
    (event,) = events_of(EnvokeContactTrigger(filters=wait.filters, min_count=2), 1)

    assert wait.execute_complete(context(), event) == wait.execute(context()) == LAVAL
    with pytest.raises(AirflowFailException, match="what was wrong"):
        wait.execute_complete(context(), {"error": "what was wrong"})


WRONG = {
    "unknown field": {"filters": {"citty": "x"}},
    "filters as text": {"filters": "city"},
    "rendered null": {"filters": {"city": "None"}},
    "empty filter": {"filters": {"city": []}},
    "min_count": {"filters": {}, "min_count": 0},
    "no min_count": {"filters": {}, "min_count": None},
    "operator": {"filters": {"city": {"$near": "x"}}},
    "connection": {"filters": {}, "envoke_conn_id": "no_such"},
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("deferrable", [False, True])
def test_what_waiting_cannot_help_fails_at_once(deferrable: bool, case: str, sandbox: Sandbox) -> None:
    arguments = {**WRONG[case], "deferrable": deferrable}

    with pytest.raises(AirflowFailException):
        sensor(**arguments).execute(context())
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True, **arguments).execute(context())

    assert len(sandbox.requests) == (2 if case == "operator" else 0)


def test_wrong_credentials_fail_without_retries(
    connected: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    with FaultyServer(answer({"success": False}, 401)) as server:
        connected(server)
        with DAG(f"envoke_sensor_{next(_numbers)}", schedule=None) as dag:
            sensor(filters={})
        run = run_dag(dag, retries=3)

    assert states(run) == {"wait": "failed"}
    assert len(server.requests) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failure_that_may_be_temporary_is_waited_out(
    deferrable: bool, connected: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    steps = [answer(b"", 503), answer(b"<html>"), answer([{"id": 7}])]
    with FaultyServer(*steps[0 if not deferrable else 1 :]) as server:
        connected(server)
        run = in_dag(run_dag, filters={}, deferrable=deferrable)

    assert states(run) == {"wait": "success"}
    assert result(run, "wait") == {"ids": [7], "count": 1, "more": False}


def test_it_times_out_if_the_service_stays_down(
    connected: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    with FaultyServer(answer(b"", 503)) as server:
        connected(server)
        run = in_dag(run_dag, filters={}, timeout=0.2)

    assert states(run) == {"wait": "failed"}
    assert len(server.requests) > 1


def test_it_can_be_mapped_over_filters(sandbox: Sandbox, run_dag: Callable[..., DagRun]) -> None:
    with DAG(f"envoke_sensor_{next(_numbers)}", schedule=None) as dag:

        @task
        def filters() -> list[dict[str, Any]]:
            return [{"city": "Laval"}, {"id": 3}]

        EnvokeContactSensor.partial(task_id="wait", poke_interval=0.01).expand(filters=filters())
    run = run_dag(dag)

    assert result(run, "wait", 0) == LAVAL
    assert result(run, "wait", 1)["ids"] == [3]
