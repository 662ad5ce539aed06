"""The file of rejected rows, and runs that cannot write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync import SyncOptions, SyncRun
from tests.support.contacts import contacts
from tests.support.sync_runs import config_of
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

FULL = Path("/dev/full")
OVERLONG = "x" * 21


@pytest.mark.timeout(60)
@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this machine")
@pytest.mark.parametrize("count", [1, 2_000], ids=["when it is closed", "halfway"])
def test_a_full_disk_ends_the_run_with_a_report(
    count: int, envoke_connection: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    run = context()
    task = EnvokeSyncContactsOperator(task_id="t", rows=contacts(count, city=OVERLONG), rejects_path=str(FULL))

    with pytest.raises(EnvokeSyncError) as caught:
        task.execute(run)

    check_message("end: rejects file not written", str(caught.value))
    report = run["ti"].pushed["return_value"]
    assert 0 < report["rejected"] == report["rows"] <= count


@pytest.mark.timeout(60)
def test_an_exception_of_a_scripts_on_reject_ends_the_run_unchanged(envoke_sandbox: Sandbox) -> None:
    def fail(reject: object) -> None:
        raise ZeroDivisionError("mine")

    run = SyncRun(config_of(envoke_sandbox), SyncOptions(), on_reject=fail)

    with pytest.raises(ZeroDivisionError, match="mine"):
        run.run(contacts(500, city=OVERLONG))

    report = run.report()
    assert 0 < report.rejected == report.rows <= 500


def test_the_file_is_utf_8_whatever_the_locale_of_the_worker(
    tmp_path: Path, envoke_connection: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rejects.jsonl"
    encodings: list[Any] = []
    path_type = type(ObjectStoragePath(str(tmp_path)))
    opened = path_type.open
    monkeypatch.setattr(path_type, "open", lambda *args, **more: encodings.append(more) or opened(*args, **more))
    rows = [{"email": "\u65e5\u672c@example.com", "city": OVERLONG}]

    EnvokeSyncContactsOperator(task_id="t", rows=rows, rejects_path=str(path), max_rejects=1).execute(context())

    assert encodings == [{"encoding": "utf-8"}]
    assert json.loads(path.read_bytes().decode("utf-8"))["key"] == "\u65e5\u672c@example.com"
