"""The tables of docs/warehouses.md: each line of the table of values, in its database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support import ROOT
from tests.support.contacts import contacts
from tests.support.tasks import context
from tests.support.warehouses import UPPER_CASE_SQLITE, WAREHOUSES

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.warehouses.conftest import Database

CONTACTS = contacts(1, city="Before")

_TEXT = (ROOT / "docs" / "warehouses.md").read_text(encoding="utf-8")
_LINES = re.findall(r"^\| (\w+) \| `(.*)` \| (?:`(.*)`|rejected) \|$", _TEXT, re.MULTILINE)
VALUES = [
    (kind, sql, value)
    for name, sql, value in _LINES
    for kind in WAREHOUSES
    if kind.name.partition(",")[0] == name and kind.name != UPPER_CASE_SQLITE
]


@pytest.mark.parametrize(
    ("database", "sql", "value"),
    VALUES,
    indirect=["database"],
    ids=[f"{kind.name}-{sql}" for kind, sql, _ in VALUES],
)
def test_a_value_becomes_what_the_table_says(database: Database, sandbox: Sandbox, sql: str, value: str) -> None:
    query = f"SELECT 'p0@example.com' AS email, {sql} AS city"
    task = SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql=query, max_rejects=1)

    report = task.execute(context())

    assert report["reasons"] == ({} if value else {"invalid_value": 1})
    assert sandbox.contact(email="p0@example.com")["city"] == (value or "Before")


def test_both_tables_have_every_kind_of_database() -> None:
    kinds = [kind for kind in WAREHOUSES if kind.name != UPPER_CASE_SQLITE]
    providers = re.findall(r"^\| ([\w, -]+) \| `(\w+)` \| [^|]+ \| [^|]*\|$", _TEXT, re.MULTILINE)

    assert providers == [(kind.name, kind.packages[0].removeprefix("airflow.providers.")) for kind in kinds]
    assert {name for name, _, _ in _LINES} == {kind.name.partition(",")[0] for kind in kinds}
