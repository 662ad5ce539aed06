"""What lookups, deletions, custom requests, the sensor and its trigger show: no secret and no address."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_envoke.envoke.custom import custom_request
from airflow_provider_envoke.envoke.lookup import Lookup
from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.sensors.envoke import EnvokeContactSensor
from airflow_provider_envoke.triggers.envoke import EnvokeContactTrigger
from tests.support.faulty_server import FaultyServer, answer
from tests.support.leak_markers import EMAIL, LAST_NAME, MarkedSandbox, Seen, leaks
from tests.support.leaking_answers import ANSWERS, SLOW
from tests.support.tasks import context
from tests.support.triggers import events_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

OURS = {"id": 7, "email": EMAIL, "remote_id": EMAIL, "last_name": LAST_NAME}
FILTERS = {"email": EMAIL}
_numbers = itertools.count()


def sense(**arguments: Any) -> Any:
    """Poke once; what is returned goes to XCom."""
    poked = EnvokeContactSensor(task_id="wait", filters=FILTERS, **arguments).poke(context())
    return poked.is_done, poked.xcom_value


def fire(**arguments: Any) -> Any:
    """Return the first event of a trigger, or what it was when it had waited three times."""

    def stop(pauses: int) -> None:
        if pauses == 3:
            raise InterruptedError

    return events_of(EnvokeContactTrigger(**arguments), 1, stop)


ACTIONS: dict[str, Callable[[], object]] = {
    "get by email": lambda: EnvokeHook().get_contact(EMAIL, fields=["id"]),
    "get by remote id": lambda: EnvokeHook().get_contact(EMAIL, keyfield="remote_id", fields=["id"]),
    "delete by email": lambda: EnvokeHook().delete_contact(EMAIL),
    "delete by id": lambda: EnvokeHook().delete_contact(7),
    "request": lambda: bool(EnvokeHook().request("GET", "/v2/tags/7/contacts", params={"filter[email]": EMAIL})),
    "request, post": lambda: bool(EnvokeHook().request("POST", "/v2/tags", body={"contact_emails": [EMAIL]})),
    "sensor": sense,
    "trigger": lambda: fire(filters=FILTERS, min_count=1),
    "watcher": lambda: fire(filters=FILTERS, after_id=0),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_no_response_of_the_service_leaks(fault: str, seen: Seen, connect: Callable[..., None]) -> None:
    with FaultyServer(ANSWERS[fault]) as server:
        connect(server.url)
        for name in ["get by email", "sensor"] if fault in SLOW else ACTIONS:
            seen.attempt(ACTIONS[name])

    assert server.requests or fault == "reset before reading"
    everything = seen.everything()
    assert "/v1/contacts" in everything
    assert leaks(everything) == []


ARGUMENTS: list[Callable[[], object]] = [
    lambda: EnvokeHook().get_contact(EMAIL.replace("@", "")),
    lambda: EnvokeHook().get_contact(EMAIL, keyfield="id"),
    lambda: EnvokeHook().get_contact(EMAIL, keyfield=EMAIL),
    lambda: EnvokeHook().get_contact(f"{EMAIL}\0"),
    lambda: EnvokeHook().delete_contact({"email": EMAIL}),  # type: ignore[arg-type]
    lambda: EnvokeHook().request("GET", f"/v2/contacts/{EMAIL}"),
    lambda: EnvokeHook().request(EMAIL, "/v2/tags"),
    lambda: EnvokeHook().request("GET", "/v2/tags", params={EMAIL: "x"}),
    lambda: EnvokeHook().request("GET", "/v2/tags", params={"email": {EMAIL: EMAIL}}),
    lambda: EnvokeHook().request("POST", "/v2/tags", body=EMAIL),
    lambda: EnvokeHook().request("POST", "/v2/tags", body={"name": {EMAIL}}),
    lambda: EnvokeHook().find_contacts({f"custom_{EMAIL}": "x"}),
    lambda: EnvokeContactTrigger(filters={"email": {"$in": [EMAIL] * 500}}),
    lambda: EnvokeContactTrigger(filters={EMAIL: "x"}),
    lambda: sense(extra_fields=EMAIL, min_count=EMAIL),
]


@pytest.mark.parametrize("action", ARGUMENTS)
def test_no_refused_argument_leaks(
    action: Callable[[], object], seen: Seen, connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)

    seen.attempt(action)

    error = seen.errors[0]
    assert any(isinstance(each, EnvokeError) for each in (error, error.__context__))
    assert envoke_sandbox.requests == []
    assert leaks(seen.everything()) == []


def test_a_success_leaks_nothing(seen: Seen, connect: Callable[..., None]) -> None:
    with MarkedSandbox([OURS]) as sandbox:
        connect(sandbox.url)
        for name in ("get by email", "get by remote id", "sensor", "trigger", "watcher", "delete by email"):
            seen.attempt(ACTIONS[name])
        assert sandbox.contacts == []

    everything = seen.everything()
    assert seen.errors == []
    assert everything.count("'ids': [7]") == 3
    assert leaks(everything) == []


def test_several_contacts_with_a_key_are_not_shown(seen: Seen, connect: Callable[..., None]) -> None:
    page = [OURS, {**OURS, "id": 8}]
    with FaultyServer(answer(page)) as server:
        connect(server.url)
        seen.attempt(ACTIONS["get by email"])

    assert len(seen.errors) == 1
    assert leaks(seen.everything()) == []


def test_no_repr_leaks() -> None:
    trigger = EnvokeContactTrigger(filters=FILTERS, min_count=1)
    built = (
        *Lookup(EMAIL).requests,
        custom_request("POST", "/v2/tags/7/contacts", params={"a": EMAIL}, body={"contact_emails": [EMAIL]}),
        trigger,
        EnvokeContactSensor(task_id="wait", filters=FILTERS),
        Lookup(EMAIL),
    )

    texts = [text for each in built for text in (repr(each), str(each), f"{each}")]

    assert [leaks(text) for text in texts if leaks(text)] == []


def test_a_serialized_trigger_has_no_credentials(connect: Callable[..., None]) -> None:
    """It has the filters, which the triggerer needs; Airflow encrypts them in its database."""
    with MarkedSandbox([OURS]) as sandbox:
        connect(sandbox.url)
        trigger = EnvokeContactTrigger(filters=FILTERS, min_count=1)
        events_of(trigger, 1)

    assert leaks(json.dumps(trigger.serialize()), personal=False) == []
    assert leaks(json.dumps(EnvokeContactTrigger(after_id=7).serialize())) == []


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("fault", ["success", "400", "401", "wrong filter"])
def test_a_sensor_in_airflow_leaks_nothing(
    fault: str, deferrable: bool, seen: Seen, connect: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    step = ANSWERS.get(fault, answer([OURS]))
    filters = {**FILTERS, EMAIL: "x"} if fault == "wrong filter" else FILTERS
    with FaultyServer(*([answer([])] if deferrable else []), step) as server:
        connect(server.url)
        with DAG(f"envoke_leaks_sensor_{next(_numbers)}", schedule=None) as dag:
            EnvokeContactSensor(task_id="wait", filters=filters, poke_interval=0.01, deferrable=deferrable)
        run = run_dag(dag)

    (instance,) = run.get_task_instances()
    assert instance.state == ("success" if fault == "success" else "failed")
    everything = seen.everything()
    assert leaks(everything, personal=False) == []
    # Airflow itself logs the rendered filters, at level DEBUG.
    lines = [line for line in everything.splitlines() if not re.search(r"\bdebug\b", line, re.IGNORECASE)]
    assert leaks("\n".join(lines)) == []
    assert leaks(repr(instance.xcom_pull(task_ids="wait"))) == []
