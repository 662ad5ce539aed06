"""The trigger, on an event loop and against the sandbox or a faulty server."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__

from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.triggers import envoke as module
from airflow_provider_envoke.triggers.envoke import EnvokeContactTrigger
from tests.support.contacts import ANA, BO, CY, contacts
from tests.support.faulty_server import FaultyServer, answer
from tests.support.leak_markers import API_ID, API_KEY, BASIC
from tests.support.triggers import created_again, events_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO, CY]
REFUSED = {"success": False, "result_text": "No"}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define ``envoke_default`` for a faulty server; each request is sent once."""
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    return lambda server: monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection))


def ids(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in numbers]


def payload(*numbers: int, more: bool = False) -> dict[str, Any]:
    return {"ids": list(numbers), "count": len(numbers), "more": more}


def add(sandbox: Sandbox, *emails: str) -> None:
    with EnvokeHook() as hook:
        for email in emails:
            hook.create_contact({"email": email})


# Waiting for contacts


@pytest.mark.parametrize(
    ("filters", "min_count", "expected"),
    [
        ({"city": "Laval"}, 2, payload(1, 2)), ({"city": "Laval"}, 1, payload(1, 2)), ({}, 3, payload(1, 2, 3)),
        ({"id": {"$gt": 1}, "consent_status": "Revoked"}, 1, payload(3)),
    ],
)  # fmt: skip
def test_it_fires_once_with_the_ids_of_the_contacts_that_match(
    filters: dict[str, Any], min_count: int, expected: dict[str, Any], sandbox: Sandbox
) -> None:
    assert events_of(EnvokeContactTrigger(filters=filters, min_count=min_count), 2) == [expected]
    assert "fields=id" in sandbox.requests[0]["query"], "nothing else is read"


def test_it_waits_until_enough_contacts_match(sandbox: Sandbox) -> None:
    def meanwhile(pauses: int) -> None:
        add(sandbox, f"new{pauses}@example.com")

    assert events_of(EnvokeContactTrigger(min_count=5), 1, meanwhile) == [payload(1, 2, 3, 4, 5)]


@pytest.mark.parametrize(("min_count", "shown"), [(1, 1_000), (1_100, 1_100)])
def test_an_event_has_a_limited_number_of_ids(min_count: int, shown: int, sandbox: Sandbox) -> None:
    sandbox.reset(contacts(1_250))

    (event,) = events_of(EnvokeContactTrigger(min_count=min_count), 1)

    assert event == payload(*range(1, shown + 1), more=True)
    assert len(sandbox.requests) == shown // 100 + 1


def test_a_failure_that_may_be_temporary_is_waited_out(connected: Callable[..., None]) -> None:
    with FaultyServer(answer(b"", 503), answer(b"<html>", 200), answer([{}]), answer(ids(7))) as server:
        connected(server)
        assert events_of(EnvokeContactTrigger(min_count=1), 1) == [payload(7)]

    assert len(server.requests) == 4


@pytest.mark.parametrize("step", [answer(REFUSED, 400), answer(REFUSED, 401), answer(b"", 302, location="/x")])
def test_another_failure_is_reported_at_once(step: Any, connected: Callable[..., None]) -> None:
    with FaultyServer(step) as server:
        connected(server)
        (event,) = events_of(EnvokeContactTrigger(min_count=1), 2)

    assert list(event) == ["error"]
    assert "/v1/contacts" in event["error"]
    assert len(server.requests) == 1


def test_a_missing_connection_is_reported_at_once() -> None:
    (event,) = events_of(EnvokeContactTrigger(envoke_conn_id="no_such", min_count=1), 2)

    assert "no_such" in event["error"]


# Watching for new contacts


def test_a_watcher_fires_for_contacts_that_are_created_after_its_start(sandbox: Sandbox) -> None:
    news = {1: [], 2: ["a@example.com"], 3: ["b@example.com", "c@example.com"]}

    found = events_of(EnvokeContactTrigger(), 2, lambda pauses: add(sandbox, *news.get(pauses, [])))

    assert found == [payload(4), payload(5, 6)]


def test_a_watcher_can_begin_at_an_id(sandbox: Sandbox) -> None:
    assert events_of(EnvokeContactTrigger(after_id=1), 1) == [payload(2, 3)]
    assert events_of(EnvokeContactTrigger(after_id=0, filters={"city": "Laval"}), 1) == [payload(1, 2)]


def test_a_watcher_of_an_empty_account_fires_for_the_first_contact(sandbox: Sandbox) -> None:
    sandbox.reset([])

    assert events_of(EnvokeContactTrigger(), 1, lambda _: add(sandbox, "a@example.com")) == [payload(1)]


def test_many_new_contacts_are_reported_at_once_in_several_events(sandbox: Sandbox) -> None:
    sandbox.reset(contacts(2_100))
    pauses: list[int] = []

    found = events_of(EnvokeContactTrigger(after_id=0), 3, pauses.append)

    assert [number for event in found for number in event["ids"]] == list(range(1, 2_101))
    assert [event["more"] for event in found] == [True, True, False]
    assert pauses == []


def test_a_restarted_watcher_begins_at_the_highest_id(sandbox: Sandbox) -> None:
    trigger = EnvokeContactTrigger()
    assert events_of(trigger, 1, lambda _: add(sandbox, "a@example.com")) == [payload(4)]
    add(sandbox, "missed@example.com")

    assert events_of(trigger, 1, lambda _: add(sandbox, "b@example.com")) == [payload(6)]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ([answer(ids(2, 1)), answer(ids(1, 2)), answer(ids(3))], payload(3)),  # the filter on the id is ignored
        ([answer(ids(1, 2)), answer(ids(9, 8)), answer(ids(10))], payload(10)),  # the order is ignored
        ([answer(ids(9)), answer(REFUSED, 400), answer(ids(10))], payload(10)),
        ([answer(b"", 503), answer(ids(9)), answer(b"", 503), answer(ids(10))], payload(10)),
        ([answer([{"name": "x"}]), answer(ids(9)), answer(ids(10))], payload(10)),
    ],
)  # fmt: skip
def test_a_watcher_takes_nothing_for_new_that_may_not_be_and_goes_on(
    script: list[Any], found: dict[str, Any], connected: Callable[..., None]
) -> None:
    with FaultyServer(*script, answer([])) as server:
        connected(server)
        assert events_of(EnvokeContactTrigger(), 1) == [found]

    assert len(server.requests) == len(script)


def test_a_watcher_with_wrong_credentials_asks_less_and_less_often(
    connected: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow would start it again within a second if it ended, and lock the account."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(module.asyncio, "sleep", sleep)

    async def first_event() -> Any:
        return await anext(aiter(EnvokeContactTrigger().run()))

    with FaultyServer(answer(REFUSED, 401)) as server:
        connected(server)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(first_event())

    assert pauses == [120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]
    assert len(server.requests) == 8


# What Airflow needs of a trigger


def test_the_connection_is_read_in_another_thread(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Airflow 3, reading it on the event loop can block all triggers."""
    threads: list[threading.Thread] = []
    get_connection = EnvokeHook.get_connection

    def recorded(conn_id: str) -> Any:
        threads.append(threading.current_thread())
        return get_connection(conn_id)

    monkeypatch.setattr(EnvokeHook, "get_connection", staticmethod(recorded))

    assert events_of(EnvokeContactTrigger(min_count=1), 1)
    assert threads
    assert threading.main_thread() not in threads


def test_it_serializes_to_its_arguments_without_credentials(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**sandbox.connection, "login": API_ID, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))
    trigger = EnvokeContactTrigger(
        filters={"$or": [{"city": "Laval"}, {"mobile": "1"}]},
        min_count=2,
        poll_interval=5,
        extra_fields=("mobile",),
    )
    events_of(trigger, 1)

    path, arguments = trigger.serialize()

    assert json.loads(json.dumps(arguments)) == arguments
    assert created_again(trigger).serialize() == (path, arguments)
    assert "envoke_default" in str(arguments)
    assert not [secret for secret in (API_ID, API_KEY, BASIC) if secret in str((arguments, repr(trigger)))]


def test_its_repr_names_the_filters_without_their_values() -> None:
    shown = repr(EnvokeContactTrigger(filters={"email": "jon@example.com"}, min_count=1))

    assert "email" in shown
    assert "jon" not in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"poll_interval": 0}, "poll_interval"), ({"poll_interval": float("nan")}, "poll_interval"),
        ({"min_count": 0}, "min_count"), ({"min_count": True}, "min_count"), ({"min_count": "1"}, "min_count"),
        ({"filters": {"id": 7}}, "after_id"), ({"filters": {"citty": "x"}, "min_count": 1}, "city"),
        ({"filters": {"city": []}}, "city"), ({"after_id": -1}, "after_id"), ({"after_id": "7"}, "after_id"),
        ({"after_id": 1, "min_count": 1}, "after_id"),
    ],
)  # fmt: skip
def test_an_invalid_argument_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        EnvokeContactTrigger(**arguments)

    assert named in str(caught.value)


@pytest.mark.skipif(__version__.startswith("2."), reason="Airflow 2 has no asset watchers")
def test_an_asset_can_be_watched_with_it(sandbox: Sandbox) -> None:
    from airflow.sdk import Asset, AssetWatcher
    from airflow.triggers.base import BaseEventTrigger

    trigger = EnvokeContactTrigger()
    asset = Asset("envoke://account/new", watchers=[AssetWatcher(name="new", trigger=trigger)])

    assert asset.watchers[0].trigger is trigger
    assert BaseEventTrigger.hash(*trigger.serialize()) == BaseEventTrigger.hash(
        *EnvokeContactTrigger().serialize()
    )
    assert BaseEventTrigger.hash(*trigger.serialize()) != BaseEventTrigger.hash(
        *EnvokeContactTrigger(after_id=1).serialize()
    )
