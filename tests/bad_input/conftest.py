"""A sandbox that no invalid input may reach, behind ``envoke_default`` with marked credentials."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeError, EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.support.leak_markers import API_ID, API_KEY, MarkedSandbox, Seen, leaks, texts_of
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def marked_sandbox() -> Iterator[MarkedSandbox]:
    with MarkedSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connect(marked_sandbox: MarkedSandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define a valid ``envoke_default``, except for the parts given; ``None`` leaves a part out."""

    def connect(**parts: Any) -> None:
        good = {"conn_type": "envoke", "host": marked_sandbox.url, "login": API_ID, "password": API_KEY}
        connection = {name: part for name, part in (good | parts).items() if part is not None}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def sandbox(marked_sandbox: MarkedSandbox, connect: Callable[..., None]) -> MarkedSandbox:
    """The sandbox, empty, behind a valid connection."""
    marked_sandbox.reset()
    connect()
    return marked_sandbox


@pytest.fixture
def check_message_of_failure(
    sandbox: MarkedSandbox,
    check_message: Callable[[str, str], None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., None]:
    """
    Check that a function or a task fails before any request.

    Its exception has a class, has the message of the snapshot, and names what the case has in backticks and
    further words; what Airflow gets instead is no longer than it shows. Airflow does not retry the task, except
    after an ``EnvokeSyncError``. Neither the exception nor the log (from level DEBUG on), the output or a dry run
    leaks anything.
    """
    caplog.set_level(logging.DEBUG)

    def check(
        case: str, kind: type[Exception], action: Callable[[], object] | BaseOperator, *words: str, run: Any = None
    ) -> None:
        sandbox.reset()
        is_task = isinstance(action, BaseOperator)
        with pytest.raises((EnvokeError, AirflowFailException)) as caught:
            action.execute(run or context()) if isinstance(action, BaseOperator) else action()
        error = caught.value
        cause = error.__context__ if isinstance(error.__context__, EnvokeError) else error
        assert type(cause) is kind
        assert isinstance(error, AirflowFailException) is (is_task and kind is not EnvokeSyncError)
        assert len(str(error)) <= 100 or cause is error, "Airflow shows no more of it"
        assert [word for word in (*case.split("`")[1::2], *words) if word not in str(cause)] == []
        if isinstance(action, EnvokeUpdateContactOperator) and kind is EnvokeDataError:
            with suppress(Exception):
                action.dry_run()
        assert leaks(Seen(caplog, capfd, [*texts_of(error)]).everything()) == []
        assert sandbox.requests == []
        check_message(case.replace("`", ""), str(cause))

    return check
