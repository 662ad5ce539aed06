"""The file of rejected rows, and what becomes of a run when it cannot be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.core.report import Reject
from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.operators.outcome import rejects_file
from airflow_provider_envoke.sync import SyncRun
from tests.sync.running import config_of
from tests.tasks import context

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox

FULL = Path("/dev/full")


def rows(count: int) -> list[dict[str, Any]]:
    return [{"email": f"p{number}@example.com", "city": "x" * 21} for number in range(count)]


@pytest.mark.timeout(60)
@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("count", [1, 2_000], ids=["at-its-end", "in-the-middle"])
def test_a_disk_that_is_full_ends_the_run_in_words_and_with_a_report(
    count: int, envoke_connection: Sandbox
) -> None:
    run = context()

    with pytest.raises(EnvokeSyncError) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=rows(count), rejects_path=str(FULL)).execute(run)

    assert str(caught.value) == (
        "The rejected rows could not be written to rejects_path '/dev/full': No space left on device. What the "
        "report counts as written is in Envoke; mend the file's place and run again, which is safe."
    )
    report = run["ti"].pushed["return_value"]
    assert 0 < report["rejected"] == report["rows"] <= count


@pytest.mark.timeout(60)
def test_a_script_s_own_failure_over_a_reject_ends_the_run_and_comes_out_as_it_is(envoke_sandbox: Sandbox) -> None:
    def fail(reject: object) -> None:
        raise ZeroDivisionError("mine")

    run = SyncRun(config_of(envoke_sandbox), SyncOptions(), on_reject=fail)

    with pytest.raises(ZeroDivisionError, match="mine"):
        run.run(rows(500))

    report = run.report()
    assert 0 < report.rejected == report.rows <= 500


def test_a_key_is_written_in_utf_8_whatever_the_worker_s_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    path_type = type(ObjectStoragePath(str(tmp_path)))
    opened = path_type.open
    monkeypatch.setattr(path_type, "open", lambda *args, **more: asked.append(more) or opened(*args, **more))

    with rejects_file(str(tmp_path / "rejects.jsonl")) as write:
        write(Reject(1, "\u65e5\u672c", "overlong", "city", "too long"))

    assert asked == [{"encoding": "utf-8"}]
    assert json.loads((tmp_path / "rejects.jsonl").read_bytes().decode("utf-8"))["key"] == "\u65e5\u672c"


@pytest.mark.parametrize(
    ("plan_only", "words"), [(False, "The other rows are done."), (True, "Nothing was written: plan_only is on.")]
)
def test_a_plan_is_not_said_to_have_written_anything(
    plan_only: bool, words: str, envoke_connection: Sandbox
) -> None:
    envoke_connection.reset([{"email": "p@example.com"}])
    table = [*rows(1), {"email": "p@example.com", "city": "Alma"}]

    with pytest.raises(EnvokeSyncError) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=table, plan_only=plan_only).execute(context())

    assert words in str(caught.value)
    assert (envoke_connection.contact(email="p@example.com")["city"] == "Alma") is not plan_only


def test_the_first_row_of_each_reason_is_shown_and_three_at_most(envoke_connection: Sandbox) -> None:
    table = [
        *rows(2),
        {"email": "nobody@example.com", "city": "Alma"},
        {"email": "", "city": "Alma"},
        {"email": "x@example.com", "town": "Alma"},
    ]

    with pytest.raises(EnvokeSyncError) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=table).execute(context())

    told = str(caught.value).partition("For example ")[2]
    assert [f"row {number}: " in told for number in range(1, 6)].count(True) == 3
    assert "row 2: " not in told
