"""Between the tries of a task, how far ``strategy="all"`` has come is kept where Airflow has a place for it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync.intake import BATCH_ROWS
from airflow_provider_envoke.sync.pipeline import Pipeline
from airflow_provider_envoke.sync.resume import RowsChangedError
from tests.sync.running import patches
from tests.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

COUNT = 250
KEY = "envoke_checkpoint"
# The last batch has one row that Envoke refuses: the first try ends with it.
LAST = COUNT - 1


class Store:
    """What Airflow 3.3 has as ``context["task_state_store"]``: it keeps JSON, and may fail."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.broken = False

    def get(self, key: str, default: Any = None) -> Any:
        self._answer()
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        self._answer()
        assert retention is not None
        self.kept[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self._answer()
        self.kept.pop(key, None)

    def _answer(self) -> None:
        if self.broken:
            raise RuntimeError("the API server does not answer")


def people(city: str) -> list[dict[str, Any]]:
    return [{"email": f"p{number}@example.com", "city": city} for number in range(COUNT)]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def run(envoke_connection: Sandbox, store: Store) -> Callable[..., dict[str, Any]]:
    """One try; the report is returned, also of one that fails."""
    envoke_connection.reset(people("Laval")[:LAST])

    def run(rows: list[dict[str, Any]] | None = None, **arguments: Any) -> dict[str, Any]:
        options = {"strategy": "all", "task_id": "sync", **arguments}
        task = EnvokeSyncContactsOperator(rows=people("Québec") if rows is None else rows, **options)
        of_task: Any = {**context(), "task_state_store": store}
        with suppress(EnvokeSyncError):
            task.execute(of_task)
        report: dict[str, Any] = of_task["ti"].pushed["return_value"]
        return report

    return run


def test_a_retry_sends_only_what_the_first_try_did_not_write(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]], store: Store
) -> None:
    first = run()
    sent = len(patches(envoke_connection))
    envoke_connection.reset(people("Laval"))

    second = run()

    assert (first["updated"], first["reasons"]) == (LAST, {"not_found": 1})
    assert sent == COUNT
    assert second["skipped_reasons"] == {"already_written": LAST}
    assert (second["updated"], second["rejected"]) == (1, 0)
    assert len(patches(envoke_connection)) == 1
    assert store.kept == {}, "done: run again, the task sends every row"


def test_what_is_kept_holds_no_address_and_no_credentials(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]], store: Store
) -> None:
    run()

    kept = json.loads(store.kept[KEY])
    assert set(kept) == {"row", "digest", "again", "run", "saved_at"}
    assert (kept["row"], kept["again"]) == (COUNT, [COUNT])
    for secret in ("example.com", envoke_connection.api_id, envoke_connection.api_key, envoke_connection.url):
        assert secret not in store.kept[KEY]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"run": "another"}, id="another-account-or-choice"),
        pytest.param({"saved_at": (datetime.now(UTC) - timedelta(hours=2)).isoformat()}, id="long-ago"),
        pytest.param({"saved_at": "once upon a time"}, id="broken"),
        pytest.param({"digest": "another"}, id="other-rows"),
        pytest.param({"row": COUNT + 1}, id="more-rows"),
    ],
)
def test_what_does_not_fit_begins_again_at_the_first_row(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]], store: Store, change: dict[str, Any]
) -> None:
    run()
    store.kept[KEY] = json.dumps({**json.loads(store.kept[KEY]), **change})
    envoke_connection.reset(people("Laval"))

    second = run()

    assert (second["rows"], second["updated"]) == (COUNT, COUNT)
    assert {contact["city"] for contact in envoke_connection.contacts} == {"Québec"}


def test_rows_that_changed_are_all_sent(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]], tmp_path: Any
) -> None:
    run()
    envoke_connection.reset(people("Laval"))
    rejects = tmp_path / "rejects.jsonl"

    second = run(people("Gatineau"), rejects_path=str(rejects))

    assert (second["updated"], second["rejected"]) == (COUNT, 0)
    assert {contact["city"] for contact in envoke_connection.contacts} == {"Gatineau"}
    assert rejects.read_text() == ""


def test_another_choice_begins_again_at_the_first_row(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]]
) -> None:
    run()

    second = run(on_missing="create")

    assert (second["updated"], second["created"], second["rejected"]) == (LAST, 1, 0)


def test_a_task_that_is_killed_does_not_begin_again(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    sent = len(patches(envoke_connection))
    task = EnvokeSyncContactsOperator(task_id="sync", rows=people("Gatineau"), strategy="all")
    original = Pipeline.submit

    async def kill_at_the_last_rows(pipeline: Pipeline, rows: list[dict[str, Any]]) -> None:
        if len(rows) < BATCH_ROWS:
            task.on_kill()
        await original(pipeline, rows)

    monkeypatch.setattr(Pipeline, "submit", kill_at_the_last_rows)

    with pytest.raises(RowsChangedError):
        task.execute({**context(), "task_state_store": store})  # type: ignore[arg-type]

    assert len(patches(envoke_connection)) == sent


def test_a_store_that_fails_costs_nothing_but_the_progress(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]], store: Store
) -> None:
    store.broken = True

    first = run()

    assert (first["updated"], first["rejected"]) == (LAST, 1)


def test_a_run_that_compares_asks_no_store(run: Callable[..., dict[str, Any]], store: Store) -> None:
    store.broken = True  # it would be heard of

    first = run(strategy="changed")

    assert first["updated"] == LAST
    assert store.kept == {}


def test_without_a_store_every_try_begins_at_the_first_row(
    envoke_connection: Sandbox, run: Callable[..., dict[str, Any]]
) -> None:
    task = EnvokeSyncContactsOperator(task_id="sync", rows=people("Québec"), strategy="all", max_rejects=1)

    reports = [task.execute(context()) for _ in range(2)]  # type: ignore[arg-type]

    assert [report["updated"] for report in reports] == [LAST, LAST]
    assert BATCH_ROWS < COUNT
