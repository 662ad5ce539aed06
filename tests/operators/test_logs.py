"""What the operators and the clients write to the log."""

from __future__ import annotations

import json
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.envoke.requests import REMOTE_ID_WARNING
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.progress import describe_progress
from tests.support.contacts import ANA, BO, CY
from tests.support.faulty_server import UPDATED, FaultyServer, answer
from tests.support.reports import tally
from tests.support.sync_runs import sync
from tests.support.tasks import context
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Callable

CONTACTS = [ANA, BO, CY]
CHANGED = {"email": "ana@example.com", "city": "Alma"}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[str], int]:
    """
    Return how often a text was logged.

    Operators log through the standard library on Airflow 2, which also prints it, and to the output on Airflow 3.
    """
    caplog.set_level(logging.INFO)
    output = errors = ""

    def count(text: str) -> int:
        nonlocal output, errors
        captured = capfd.readouterr()
        output, errors = output + captured.out, errors + captured.err
        return max(shown.count(text) for shown in (caplog.text, output, errors))

    return count


def messages_of(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    """Return what one part of the package has logged."""
    return [record.getMessage() for record in caplog.records if record.name == f"airflow_provider_envoke.{part}"]


def test_only_the_key_remote_id_is_warned_of_once_by_each_operator(
    sandbox: Sandbox, logged: Callable[[str], int], check_message: Callable[[str, str], None]
) -> None:
    update(payload={"email": "ana@example.com", "remote_id": "R-1"})
    assert not logged(REMOTE_ID_WARNING)

    update(payload={"remote_id": "R-1", "city": "x"}, keyfield="remote_id", on_missing="create")
    assert logged(REMOTE_ID_WARNING) == 1

    EnvokeSyncContactsOperator(task_id="sync", rows=[], keyfield="remote_id").execute(context())
    assert logged(REMOTE_ID_WARNING) == 2
    check_message("log: remote_id", REMOTE_ID_WARNING)


def test_an_update_is_logged_with_its_fields(sandbox: Sandbox, logged: Callable[[str], int]) -> None:
    update(payload=CHANGED)

    assert logged("Contact 1: updated (city, email).") == 1


def test_retries_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, check_message: Callable[[str, str], None]
) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)  # no back-off
    unavailable = answer(b"", 503)
    with FaultyServer(unavailable, answer(UPDATED), unavailable, answer(UPDATED)) as server:
        connection = server.connection | {"extra": json.dumps({"max_retries": 1})}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))
        update(payload=CHANGED)
        EnvokeSyncContactsOperator(task_id="sync", rows=[CHANGED], strategy="all").execute(context())

    (single,), (bulk,) = messages_of(caplog, "client.single"), messages_of(caplog, "client.bulk")
    check_message("log: retry of one contact", single)
    check_message("log: retry in a table", bulk)


def test_reading_the_whole_account_is_warned_of(
    caplog: pytest.LogCaptureFixture, check_message: Callable[[str, str], None]
) -> None:
    with Sandbox(CONTACTS, faults={"in_refused": 1}) as sandbox:
        sync(sandbox, [CHANGED])

    (message,) = messages_of(caplog, "sync.contacts")
    check_message("log: reading all contacts", message)


def test_a_plan_within_max_changes_is_logged(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, check_message: Callable[[str, str], None]
) -> None:
    caplog.set_level(logging.INFO)

    sync(sandbox, [CHANGED, BO], max_changes=1)

    (message,) = messages_of(caplog, "sync.passes")
    check_message("log: plan within max_changes", message)


def test_the_progress_has_counts_and_times(check_message: Callable[[str, str], None]) -> None:
    counted = tally(Decision("update"), Decision("unchanged"), Decision("reject", reason="overlong"))

    check_message("log: progress", describe_progress(counted, 6, seconds=1.5))
    check_message("log: progress without a total", describe_progress(counted, None, seconds=1.5))


# Dry run


def test_a_dry_run_shows_the_request_and_sends_nothing(sandbox: Sandbox, logged: Callable[[str], int]) -> None:
    payload: dict[str, Any] = {"remote_id": "R-1", "email": "ana@example.com", "custom_fields": {"price": 1.25}}

    EnvokeUpdateContactOperator(task_id="update", payload=payload, keyfield="remote_id").dry_run()

    for text in ("PATCH /v1/contacts?keyfield=remote_id", '"price": "***"', '"email": "a***"'):
        assert logged(text) == 1
    for secret in ("@example.com", "R-1", "1.25", "Basic", sandbox.api_key):
        assert not logged(secret)
    assert sandbox.requests == []


def test_a_dry_run_needs_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ENVOKE_DEFAULT", raising=False)

    EnvokeUpdateContactOperator(task_id="update", payload={"id": 1, "city": "x"}).dry_run()
