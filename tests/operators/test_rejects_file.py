"""The file of rejected rows: its name, which no other run or try has, and runs that cannot write it."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, ObjectStoragePath

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync import SyncOptions, SyncRun, guards
from tests.support.contacts import contacts
from tests.support.object_storage import files_in, memory_storage
from tests.support.sync_runs import config_of
from tests.support.tasks import context, whole_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

FULL = Path("/dev/full")
OVERLONG = "x" * 21
LONG = "long" * 60
START = datetime(2026, 1, 1, tzinfo=UTC)


def sync(path: object, run: dict[str, Any], *cities: str) -> None:
    """Run the operator with rejected rows, whose keys tell the runs apart."""
    rows = [{"email": f"{city}@example.com", "city": OVERLONG} for city in cities]
    EnvokeSyncContactsOperator(task_id="t", rows=rows, rejects_path=path, max_rejects=100).execute(run)


def keys_in(folder: str) -> dict[str, list[str]]:
    """Return the keys of the rows in each file of a folder, without their common ending, by the file's name."""
    lines = {name: text.splitlines() for name, text in files_in(folder).items()}
    return {
        name: [json.loads(line)["key"].removesuffix("@example.com") for line in each]
        for name, each in lines.items()
    }


@pytest.fixture(params=["local path", "file URL", "object storage", "object storage of a connection"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder that does not exist yet, without a slash at its end."""
    if request.param.startswith("object storage"):
        conn_id = "store" if "connection" in request.param else None
        with memory_storage(conn_id):
            yield f"memory://{'store@' if conn_id else ''}bucket/rejects"
    else:
        yield f"{'file://' if request.param == 'file URL' else ''}{tmp_path / 'rejects'}"


def test_a_file_that_does_not_exist_gets_the_rows_of_the_first_try(folder: str, sandbox: Sandbox) -> None:
    sync(f"{folder}/rejects.jsonl", context(), "one", "two")

    assert keys_in(folder) == {"rejects.jsonl": ["one", "two"]}


@pytest.mark.parametrize("name", ["/rejects.jsonl", "/rejects", "/", ""])
def test_no_run_writes_over_the_file_of_another(name: str, folder: str, sandbox: Sandbox) -> None:
    if not name:  # a folder without a slash at its end must exist
        sync(f"{folder}/other.jsonl", context(), "other")
    runs = [
        context(),
        context(try_number=2),
        context(run_id="manual__2026-01-02"),
        context(map_index=0),
        context(map_index=1),
        context(map_index=1, try_number=2),
        context(dag_id="d", task_id="ag-task"),
        context(dag_id="d-ag", task_id="task"),
        context(run_id="scheduled__2026-01-01T00:00:00+00:00"),
        context(run_id="scheduled__2026-01-01T00:00:00.00:00"),
        context(dag_id=LONG, task_id=LONG + "a"),
        context(dag_id=LONG, task_id=LONG + "b"),
        context(),  # `airflow tasks test` has the same run and try again
        {},
        {},
    ]

    for number, run in enumerate(runs):
        sync(f"{folder}{name}", run, f"n{number}")

    expected = [[f"n{number}"] for number in range(len(runs))] + ([] if name else [["other"]])
    found = keys_in(folder)
    assert sorted(found.values()) == sorted(expected)
    for file in found:
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", file)
        assert file.endswith(".jsonl") is (name != "/rejects")


def test_the_name_has_the_ids_of_the_task_instance_and_the_try(folder: str, sandbox: Sandbox) -> None:
    run_id = "scheduled__2026-01-01T00:00:00+00:00"
    run = context(dag_id="customers", task_id="sync", run_id=run_id, map_index=3, try_number=2)

    sync(f"{folder}/", run, "one")
    sync(f"{folder}/rejects.json", run, "two")

    readable = "customers-sync-scheduled__2026-01-01T00_00_00_00_00-{}-3-try2"
    name, with_stem = sorted(keys_in(folder))
    digest = name.removesuffix("-3-try2.jsonl").rpartition("-")[2]
    assert name == f"{readable.format(digest)}.jsonl"
    assert with_stem == f"rejects-{readable.format(digest)}.json"
    assert len(digest) == 8


def test_the_log_and_the_error_name_the_file_that_was_used(
    tmp_path: Path, sandbox: Sandbox, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "rejects.jsonl").write_text("")
    task = EnvokeSyncContactsOperator(
        task_id="t", rows=contacts(1, city=OVERLONG), rejects_path=str(tmp_path / "rejects.jsonl")
    )

    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())

    (used,) = set(tmp_path.iterdir()) - {tmp_path / "rejects.jsonl"}
    captured = capfd.readouterr()
    assert f"'{used}'" in caplog.text + captured.out + captured.err
    assert f"'{used}'" in str(whole_error(caught.value))


def test_a_symbolic_link_is_not_followed_to_a_file_that_does_not_exist(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "rejects.jsonl").symlink_to(tmp_path / "elsewhere")

    sync(str(tmp_path / "rejects.jsonl"), context(), "one")

    (tmp_path / "elsewhere").touch(exist_ok=False)  # or the link cannot be read below
    (used,) = set(tmp_path.iterdir()) - {tmp_path / "rejects.jsonl", tmp_path / "elsewhere"}
    assert keys_in(str(tmp_path))[used.name] == ["one"]


def test_a_second_run_that_begins_while_the_first_one_writes_gets_another_file(
    folder: str, sandbox: Sandbox
) -> None:
    path = f"{folder}/rejects.jsonl"

    class Rows(list[Any]):
        """Rows during whose reading another run begins and ends."""

        def __iter__(self) -> Iterator[Any]:
            sync(path, context(run_id="manual__2026-01-02"), "second")
            return super().__iter__()

    rows = Rows([{"email": "first@example.com", "city": OVERLONG}])
    task = EnvokeSyncContactsOperator(task_id="t", rows=[], rejects_path=path, max_rejects=1)
    task.sync(context(), rows)

    found = keys_in(folder)
    assert sorted(found.values()) == [["first"], ["second"]]
    assert found["rejects.jsonl"] == ["first"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rejects.jsonl", "work/rejects.jsonl"),
        ("./a/../rejects/", "work/rejects/"),
        ("~/rejects.jsonl", "home/rejects.jsonl"),
        ("~/rejects/", "home/rejects/"),
    ],
)
def test_a_relative_path_and_a_home_folder_are_the_workers_and_messages_have_the_absolute_path(
    path: str, expected: str, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    task = EnvokeSyncContactsOperator(task_id="t", rows=contacts(1, city=OVERLONG), rejects_path=path)

    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())

    (used,) = (each for each in tmp_path.rglob("*") if each.is_file())
    assert str(used).startswith(str(tmp_path / expected))
    assert f"'{used}'" in str(whole_error(caught.value))


# Through Airflow


def test_mapped_tasks_with_one_path_keep_all_lines(
    tmp_path: Path, sandbox: Sandbox, run_dag: Callable[..., Any]
) -> None:
    rows = [{"email": f"p{row}@example.com", "city": OVERLONG} for row in range(160)]
    with DAG("rejects_of_shards", schedule=None, start_date=START) as dag:
        partial = EnvokeSyncContactsOperator.partial(task_id="shard", rejects_path=str(tmp_path / "rejects.jsonl"))
        partial.expand(rows=[rows[shard::4] for shard in range(4)])

    run_dag(dag)

    found = keys_in(str(tmp_path)).values()
    assert [len(keys) for keys in found] == [40, 40, 40, 40]
    assert {key for keys in found for key in keys} == {f"p{number}" for number in range(160)}


@pytest.mark.timeout(60)
def test_a_retry_and_a_second_night_keep_the_files_before(
    tmp_path: Path, sandbox: Sandbox, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with DAG("rejects_of_retries", schedule=None, start_date=START) as dag:
        EnvokeSyncContactsOperator(
            task_id="sync", rows=contacts(3, city=OVERLONG), rejects_path=str(tmp_path / "rejects.jsonl")
        )

    monkeypatch.setattr(guards, "TEMPORARY_REASONS", {"overlong"})  # or there is no retry

    first, second = run_dag(dag, retries=1), run_dag(dag)

    assert (first.state, second.state) == ("failed", "failed")
    assert first.run_id != second.run_id
    found = keys_in(str(tmp_path))
    names = sorted(found)
    assert [name.rpartition("-")[2] for name in names[:2]] == ["try2.jsonl", "try1.jsonl"]
    assert names[2:] == ["rejects.jsonl"]
    assert [len(keys) for keys in found.values()] == [3, 3, 3]


# Files that cannot be written


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

    check_message("end: rejects file not written", str(whole_error(caught.value)))
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


@pytest.mark.parametrize("rejected", [1, 3])
def test_the_rejected_rows_of_a_plan_above_max_changes_are_in_the_file(
    sandbox: Sandbox, tmp_path: Path, rejected: int
) -> None:
    path = tmp_path / "rejects.jsonl"
    rows = [{"email": f"nobody{number}@example.com", "city": "Laval"} for number in range(rejected)]
    rows += [{"email": "ana@example.com", "city": "Gaspé"}]
    sandbox.reset([{"email": "ana@example.com", "city": "Laval"}])
    task = EnvokeSyncContactsOperator(task_id="sync", rows=rows, max_changes=0, rejects_path=str(path))
    run = context()

    with pytest.raises(AirflowFailException, match="max_changes"):
        task.execute(run)

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["row"], line["reason"]) for line in lines] == [
        (number, "not_found") for number in range(1, rejected + 1)
    ]
    assert run["ti"].pushed["return_value"]["rejected"] == rejected


@pytest.mark.parametrize("plan_only", [False, True])
@pytest.mark.parametrize("include", [["rejected", "skipped"], ["rejected"], []])
def test_rows_whose_consent_was_kept_are_always_listed_and_are_no_rejects(
    sandbox: Sandbox, tmp_path: Path, include: list[Any], plan_only: bool
) -> None:
    sandbox.reset([{"email": f"{name}@example.com", "consent_status": "Revoked"} for name in ("ana", "bo")])
    path = tmp_path / "rejects.jsonl"
    consent = {"consent_status": "Express", "consent_description": "Form"}
    rows = [
        {"member": 1, "email": "ana@example.com", "city": "Alma", **consent},
        {"member": 2, "email": "bo@example.com", "city": None, **consent},
    ]
    task = EnvokeSyncContactsOperator(
        task_id="sync",
        rows=rows,
        reference="member",
        max_rejects=0,
        rejects_path=str(path),
        rejects_include=include,
        plan_only=plan_only,
    )

    report = task.execute(context())

    assert (report["updated"], report["unchanged"], report["rejected"], report["consent_kept"]) == (1, 1, 0, 2)
    lines = sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda line: line["row"])
    shown = [(line["row"], line["outcome"], line["reason"], line["field"], line["reference"]) for line in lines]
    assert shown == [
        (number, "consent_kept", "consent_withdrawn", "consent_status", {"member": str(number)})
        for number in (1, 2)
    ]


def test_rows_whose_consent_a_refused_plan_would_keep_are_in_the_file(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset([{"email": "ana@example.com", "consent_status": "Revoked"}])
    path = tmp_path / "rejects.jsonl"
    rows = [{"email": "ana@example.com", "city": "Alma", "consent_status": "Expired"}]
    for allowed in (0, 1):  # with 1 the row goes through both passes, and is listed once
        task = EnvokeSyncContactsOperator(task_id="t", rows=rows, max_changes=allowed, rejects_path=str(path))
        with nullcontext() if allowed else pytest.raises(AirflowFailException, match="max_changes"):
            task.execute(context())

        assert [json.loads(line)["outcome"] for line in path.read_text().splitlines()] == ["consent_kept"]
        path.unlink()


def test_a_file_without_the_rejected_rows_is_not_named_as_their_place(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "skipped.jsonl"
    rows = [{"email": "nobody@example.com"}, {"email": "jon@example.com", "city": OVERLONG}]
    task = EnvokeSyncContactsOperator(
        task_id="t", rows=rows, rejects_path=str(path), rejects_include=["skipped"], on_missing="skip"
    )

    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())

    assert [json.loads(line)["outcome"] for line in path.read_text().splitlines()] == ["skipped"]
    assert str(path) not in str(whole_error(caught.value))
