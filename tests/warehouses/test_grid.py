"""Every kind of database, with every key and strategy: what Envoke has afterwards, and what the report says."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.tasks import context

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.warehouses.conftest import Database

Row = dict[str, Any]

BORN = date(2001, 2, 3)
#: The columns of the table, and for each the position of its type.
COLUMNS = {"customer_id": 0, "remote_id": 1, "email": 1, "city": 1, "spent": 2, "born": 3, "news": 4}
ROWS: list[Row] = [
    dict(zip(COLUMNS, values, strict=True))
    for values in (
        (1, "R-1", "ana@example.com", "Québec", Decimal("1.50"), BORN, True),  # another city, a new tag
        (2, "R-2", "bo@example.com", "Laval", Decimal("1.50"), BORN, True),  # as it is
        (3, "R-3", "CY@Example.com", "Laval", None, None, None),  # as it is: the case of an address says nothing
        (4, "R-4", "dee@example.com", "L'Île 🍁", Decimal("1.50"), None, False),  # a tag is removed
        (5, "R-5", "eve@example.org", "Laval", None, BORN, None),  # another address: unknown as such
        (6, "R-6", "flo@example", "Laval", None, None, None),  # an invalid address
        (2, "R-2", "bo@example.com", "Laval", Decimal("1.50"), BORN, True),  # twice the same
        (1, "R-1", "ana@example.com", "Laval", None, None, None),  # twice, with another city
        (404, "R-404", "nobody@example.com", "Laval", None, None, None),  # unknown
        (None, None, None, "Laval", None, None, None),  # no key
    )
]
FIELD_MAP = {
    "city": "city",
    "spent": "custom_fields.spent",
    "born": "custom_fields.born",
    "news": "interests.News",
}

#: What identifies a row, in SQL, and the columns of the result that it fills.
KEYS = {
    "email": {"email": "email"},
    "remote_id": {"remote_id": "remote_id", "email": "email"},
    "id": {"customer_id": "id", "email": "email"},
}


def contacts(database: Database) -> list[Row]:
    """Return what Envoke has before: the values of Bo's row are as this kind of database sends them."""
    spent, born = database.kind.sent
    known = {"city": "Laval", "custom_fields": {"spent": spent, "born": born}, "interests": ["News"]}
    people = [("ana", {"interests": []}), ("bo", {}), ("cy", {}), ("dee", {}), ("eve", {}), ("flo", {})]
    return [
        {"id": number, "remote_id": f"R-{number}", "email": f"{name}@example.com", **known, **other}
        for number, (name, other) in enumerate(people, start=1)
    ]


def expected(
    before: list[Row], sent: tuple[str, str], keyfield: str, strategy: str
) -> tuple[list[Row], Counter[str]]:
    """Return the contacts afterwards and the outcomes, from README and nothing else: one row after the other."""
    after = {contact["id"]: contact for contact in before}
    column = "customer_id" if keyfield == "id" else keyfield
    outcomes: Counter[str] = Counter()
    seen: dict[Any, Row] = {}
    for row in ROWS:
        key = row[column]
        found = [contact for contact in after.values() if str(contact[keyfield]).lower() == str(key).lower()]
        if key is None:
            outcomes["missing_key"] += 1
        elif "." not in row["email"].partition("@")[2]:
            outcomes["invalid_email"] += 1
        elif key in seen:
            outcomes["duplicate_row" if seen[key] == row else "duplicate_key"] += 1
        elif not found:
            outcomes["not_found"] += 1
        else:
            old = found[0]
            new = written(old, row, sent)
            after[old["id"]] = new
            outcomes["unchanged" if new == old and strategy == "changed" else "updated"] += 1
        seen.setdefault(key, row)
    return list(after.values()), outcomes


def written(contact: Row, row: Row, sent: tuple[str, str]) -> Row:
    """Return a contact with the values of a row; nulls change nothing."""
    fields = {name: text for name, text in zip(("spent", "born"), sent, strict=True) if row[name] is not None}
    tags = {True: ["News"], False: [], None: contact["interests"]}[row["news"]]
    new = {"custom_fields": contact["custom_fields"] | fields, "interests": tags, "email": row["email"].lower()}
    return contact | new | ({"city": row["city"]} if row["city"] else {})


def select(columns: Row) -> str:
    named = [column if column == name else f"{column} AS {name}" for column, name in columns.items()]
    return f"SELECT {', '.join(named)}, city, spent, born, news FROM customers"


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("keyfield", list(KEYS))
def test_each_row_has_the_outcome_that_readme_promises(
    database: Database, sandbox: Sandbox, keyfield: str, strategy: Any
) -> None:
    before = contacts(database)
    sandbox.reset(before)
    database.fill(list(COLUMNS), list(COLUMNS.values()), [list(row.values()) for row in ROWS])
    field_map = {name: name for name in KEYS[keyfield].values()} | FIELD_MAP
    task = SqlToEnvokeOperator(
        task_id="sync",
        sql_conn_id="warehouse",
        sql=select(KEYS[keyfield]),
        field_map=field_map,
        keyfield=keyfield,
        strategy=strategy,
        max_rejects=10,
    )

    report = task.execute(context())

    after, outcomes = expected(before, database.kind.sent, keyfield, strategy)
    counted = (
        {name: report[name] for name in ("updated", "unchanged")} | report["reasons"] | report["skipped_reasons"]
    )
    assert counted == {name: outcomes[name] for name in ("updated", "unchanged")} | outcomes
    kept = [{name: contact[name] for name in before[0]} for contact in sandbox.contacts]
    assert [contact | {"email": contact["email"].lower()} for contact in kept] == after
