"""Columns that are not sent: unknown ones that are left out, and those that identify a row for people."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.sync_runs import patches
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [{"id": number, "email": f"p{number}@example.com", "city": "Laval"} for number in (1, 2)]


def sync(sql: str, **arguments: Any) -> dict[str, Any]:
    task = SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=sql, max_rejects=100, **arguments)
    return task.execute(context())


def bodies(sandbox: Sandbox) -> list[Any]:
    return [json.loads(request["body"]) for request in patches(sandbox)]


def left_out(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the log about columns that are left out."""
    return [record.getMessage() for record in caplog.records if "unknown_columns" in record.getMessage()]


@pytest.mark.parametrize("max_changes", [None, 5], ids=["one pass", "two passes"])
def test_all_columns_of_a_mart_can_be_selected(
    max_changes: int | None, sandbox: Sandbox, warehouse: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sandbox.reset(CONTACTS)
    warehouse([("p1@example.com", "Alma", 7), ("p2@example.com", "Laval", 8)])
    sql = "SELECT *, 'secret' AS \"DATE_CREATED\", 'secret' AS \"Plan 2\" FROM customers"

    report = sync(sql, unknown_columns="ignore", max_changes=max_changes)

    assert (report["updated"], report["unchanged"], report["rejected"]) == (1, 1, 0)
    assert bodies(sandbox) == [{"city": "Alma"}]
    (line,) = left_out(caplog)
    assert line.endswith(
        "leaves out 3 columns that are not fields of Envoke or read-only: plan, DATE_CREATED, Plan 2."
    )
    assert not any("secret" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("source", ["list", "generator"])
def test_columns_of_rows_are_left_out_in_every_row_and_named_once(
    source: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sandbox.reset(CONTACTS)
    rows = [
        {"email": contact["email"], "city": "Alma", f"x{number}": 1} for number, contact in enumerate(CONTACTS)
    ]
    task = EnvokeSyncContactsOperator(task_id="t", rows=[], unknown_columns="ignore")
    vars(task)["rows"] = rows if source == "list" else iter(rows)

    assert task.execute(context())["updated"] == 2
    assert [line.endswith("x0.") for line in left_out(caplog)] == [True]


def test_nothing_is_logged_if_no_column_is_left_out(
    sandbox: Sandbox, warehouse: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sandbox.reset(CONTACTS)
    warehouse([("p1@example.com", "Alma", 7)])

    sync("SELECT email, city FROM customers", unknown_columns="ignore")

    assert left_out(caplog) == []


# The names of columns, as the database returns them, and of ``reference``.
SPELLINGS = {
    "upper case": ('plan AS "MEMBER_ID", city AS "NOTE"', ["member_id", "note"]),
    "same case": ("plan AS member_id, city AS note", ["member_id", "note"]),
    "one column": ("plan AS member_id", "member_id"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_reference_is_in_the_rejects_file_and_not_sent(
    spelling: str, sandbox: Sandbox, warehouse: Callable[..., None], tmp_path: Path
) -> None:
    columns, reference = SPELLINGS[spelling]
    sandbox.reset(CONTACTS)
    warehouse([("p1@example.com", "Alma", 41), (None, "Laval", 42), ("p9@example.com", " Alma ", 43)])
    path = tmp_path / "rejects.jsonl"

    report = sync(
        f"SELECT email, {columns}, 'Rue 1' AS address_1 FROM customers",
        reference=reference,
        rejects_path=str(path),
    )

    assert (report["updated"], report["reasons"]) == (1, {"missing_key": 1, "not_found": 1})
    assert bodies(sandbox) == [{"address_1": "Rue 1"}]
    found = {line["reason"]: line["reference"] for line in map(json.loads, path.read_text().splitlines())}
    expected = {"missing_key": ("42", "Laval"), "not_found": ("43", "Alma")}
    names = ["member_id"] if spelling == "one column" else ["member_id", "note"]
    assert found == {reason: dict(zip(names, values, strict=False)) for reason, values in expected.items()}


def test_a_reference_that_field_map_maps_is_sent_too(
    sandbox: Sandbox, warehouse: Callable[..., None], tmp_path: Path
) -> None:
    sandbox.reset([{**CONTACTS[0], "custom_fields": {}}])
    warehouse([("p1@example.com", "Laval", 41), ("p9@example.com", "Laval", 43)])
    path = tmp_path / "rejects.jsonl"

    sync(
        "SELECT email, plan AS MEMBER_ID, city FROM customers",
        field_map={"email": "email", "member_id": "custom_fields.member"},
        reference="member_id",
        rejects_path=str(path),
    )

    assert bodies(sandbox) == [{"custom_fields": {"member": "41"}}]
    assert [json.loads(line)["reference"] for line in path.read_text().splitlines()] == [{"member_id": "43"}]


class Unreadable:
    """A type of a database driver whose values cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_a_row_that_cannot_be_read_is_named_by_its_reference(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    rows = [
        {"email": "p1@example.com", "city": Unreadable(), "member_id": 41, "note": "x" * 500},
        {"email": "p2@example.com", "city": "Alma", "other": 1, "member_id": Unreadable(), "note": None},
    ]
    task = EnvokeSyncContactsOperator(
        task_id="t", rows=[], reference=["member_id", "note"], rejects_path=str(path), max_rejects=2
    )
    vars(task)["rows"] = rows

    task.execute(context())

    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["reason"], first["reference"]) == ("invalid_value", {"member_id": "41", "note": "x" * 200})
    assert (second["reason"], second["reference"]) == ("unknown_field", {"member_id": "", "note": ""})


def test_a_row_that_lacks_the_reference_is_written(sandbox: Sandbox) -> None:
    sandbox.reset(CONTACTS)
    rows = [
        {"email": "p1@example.com", "city": "Alma", "member_id": 41},
        {"email": "p2@example.com", "city": "Alma"},
    ]

    report = EnvokeSyncContactsOperator(task_id="t", rows=rows, reference="member_id").execute(context())

    assert report["updated"] == 2
