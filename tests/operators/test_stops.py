"""A task that is stopped before its run begins writes nothing, and reports that it was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators import _rejects, _sync
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync import passes
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import ANA, BO
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO]
CHANGED = [{"email": contact["email"], "city": "Alma"} for contact in CONTACTS]

# What is under way when Airflow stops the task: an object, and the name of its function.
MOMENTS: dict[str, tuple[Any, str]] = {
    "the connection is looked up": (EnvokeHook, "get_conn"),
    "the options are checked": (_sync, "SyncOptions"),
    "the rejects file is opened": (_rejects, "_open_new"),
    "the run is made": (passes.SyncRun, "__init__"),
    "the run has begun": (passes.SyncRun, "run"),
}


@pytest.fixture(params=["rows", "query"])
def make_task(request: pytest.FixtureRequest, warehouse: Callable[..., None]) -> Callable[..., Any]:
    """Return a task whose two rows would change two contacts."""
    warehouse([(row["email"], row["city"], 1) for row in CHANGED])
    if request.param == "rows":
        return lambda **arguments: EnvokeSyncContactsOperator(task_id="t", rows=CHANGED, **arguments)
    sql = "SELECT email, city FROM customers"
    return lambda **arguments: SqlToEnvokeOperator(task_id="t", sql=sql, sql_conn_id="warehouse", **arguments)


def check_stopped(sandbox: Sandbox, run: dict[str, Any]) -> None:
    report = run["ti"].pushed["return_value"]
    assert report["stopped"] == "EnvokeSyncError"
    assert (report["rows"], report["reasons"]) == (0, {}), "no write was begun"
    assert report["requests"].get("write", 0) == 0
    assert [contact["city"] for contact in sandbox.contacts] == [contact["city"] for contact in CONTACTS]


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_task_that_is_stopped_before_its_run_writes_nothing(
    moment: str,
    strategy: str,
    make_task: Callable[..., Any],
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, run = make_task(strategy=strategy, rejects_path=str(tmp_path / "rejects.jsonl")), context()
    where, name = MOMENTS[moment]
    function = getattr(where, name)

    def stopping(*positional: Any, **named: Any) -> Any:
        task.on_kill()
        return function(*positional, **named)

    monkeypatch.setattr(where, name, stopping)

    with pytest.raises(EnvokeSyncError, match="stopped"):
        task.execute(run)

    check_stopped(sandbox, run)
    assert (tmp_path / "rejects.jsonl").read_text() == ""


def test_a_task_that_is_stopped_before_it_executes_writes_nothing(
    make_task: Callable[..., Any], sandbox: Sandbox
) -> None:
    task, run = make_task(), context()
    task.on_kill()

    with pytest.raises(EnvokeSyncError, match="stopped"):
        task.execute(run)

    check_stopped(sandbox, run)


def test_a_copy_of_a_task_that_was_stopped_is_stopped_too(make_task: Callable[..., Any], sandbox: Sandbox) -> None:
    """Airflow executes a copy of the task, and stops whichever it knows at that moment."""
    task, run = make_task(), context()
    task.on_kill()

    with pytest.raises(EnvokeSyncError, match="stopped"):
        task.prepare_for_execution().execute(run)

    check_stopped(sandbox, run)
