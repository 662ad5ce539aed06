"""A try with a wrong password costs at most two refused logins, whatever fails first and however many rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import EnvokeAuthError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from tests.support import faulty_server as faults
from tests.support.contacts import contacts
from tests.support.faulty_server import FaultyServer, answer, timeout_for
from tests.support.tasks import context

if TYPE_CHECKING:
    from tests.support.faulty_server import Step

REFUSED = answer({"success": False, "result_text": "Authentication failed"}, 401)

#: What fails before the service looks at the credentials; the first request has one retry.
FIRST: dict[str, list[Step]] = {
    "nothing": [],
    "the first request times out": [faults.stall, faults.stall],
    "the first attempt times out": [faults.stall],
    "three requests are not answered": [faults.reset_after_reading] * 6,
    "the service is not available": [answer(b"", 503)] * 2,
    "a proxy answers": [answer(b"<html>", 502)] * 2,
    "401, and then a timeout": [REFUSED, faults.stall],
}
OPTIONS: list[dict[str, Any]] = [{}, {"strategy": "all"}, {"max_changes": 5}]


def connect(monkeypatch: pytest.MonkeyPatch, server: FaultyServer, first: str, max_retries: int) -> None:
    """Put the server behind Airflow's connection, with a wrong password."""
    extra = {"max_retries": max_retries, "timeout": timeout_for(FIRST[first])}
    parts = {"password": "wrong", "extra": json.dumps(extra)}
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection | parts))


def refused_logins(server: FaultyServer, first: list[Step]) -> int:
    return len(server.requests) - len(first) + first.count(REFUSED)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("first", FIRST)
def test_a_run_with_a_wrong_password_costs_two_refused_logins_at_most(first: str, options: dict[str, Any]) -> None:
    with FaultyServer(*FIRST[first], REFUSED) as server:
        config = EnvokeConfig("an-id", "wrong", server.url, timeout_s=timeout_for(FIRST[first]), max_retries=1)
        run = SyncRun(config, SyncOptions(concurrency=32, **options), batch_rows=10)
        with pytest.raises(EnvokeAuthError):
            run.run(contacts(2_000))

    assert refused_logins(server, FIRST[first]) in (1, 2)
    assert run.report().stopped == "EnvokeAuthError"


@pytest.mark.parametrize("first", FIRST)
def test_a_task_with_a_wrong_password_costs_two_refused_logins_at_most(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer(*FIRST[first], REFUSED) as server:
        connect(monkeypatch, server, first, max_retries=1)
        task = EnvokeSyncContactsOperator(task_id="sync", rows=contacts(2_000), concurrency=32)
        with pytest.raises(AirflowFailException):
            task.execute(context())

    assert refused_logins(server, FIRST[first]) in (1, 2)


@pytest.mark.parametrize("first", ["nothing", "the first attempt times out"])
def test_an_update_with_a_wrong_password_costs_two_refused_logins_at_most(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer(*FIRST[first], REFUSED) as server:
        connect(monkeypatch, server, first, max_retries=5)
        monkeypatch.setattr("random.uniform", lambda shortest, longest: 0.0)
        payload = {"email": "jon@example.com", "consent_status": "Express", "consent_description": "Form"}
        task = EnvokeUpdateContactOperator(task_id="update", payload=payload, on_missing="create")
        with pytest.raises(AirflowFailException):
            task.execute(context())

    assert refused_logins(server, FIRST[first]) in (1, 2)
