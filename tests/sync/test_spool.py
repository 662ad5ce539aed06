"""Rows in a temporary file: what comes out means the same as what went in, and nothing stays behind."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeSyncError
from airflow_provider_envoke.payload.build import PayloadRules, build_payload
from airflow_provider_envoke.sync.spool import RowSpool


class Level(IntEnum):
    GOLD = 3


class Name(str):
    """Text of a driver's own type."""


class Broken:
    """A value of a driver's own type that cannot even be looked at."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("broken")


VALUES = [
    None, "", " text ", "007", "\0", "\ud800", 0, 7, -1, 10**200, True, False, 1.5, 42.0,
    float("nan"), float("inf"),
    Decimal("1.50"), Decimal("NaN"), date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001
    datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-5))), b"x",
    memoryview(b"x"), UUID(int=5), Level.GOLD, Name("text"), np.int64(7), np.float64("nan"), np.bool_(True),
    np.datetime64("2026-01-02"), [1], ("a", None), {"a": "b"}, {1: 2}, {"a": Decimal("1.50")}, object(),
    {"a": memoryview(b"x")}, '{"a": 1.50}', "null",
]  # fmt: skip


def kept(row: dict[str, Any]) -> dict[str, Any]:
    with RowSpool() as spool:
        spool.add(row)
        (found,) = spool
    return found


def payload_of(row: dict[str, Any]) -> Any:
    """What is sent for a row, or the fields and reasons of its rejection."""
    try:
        return build_payload(row, PayloadRules(nulls="clear", extra_fields=["score"]))
    except EnvokeDataError as error:
        return [violation[:2] for violation in error.violations]


@pytest.mark.parametrize("field", ["city", "id", "email", "consent_status", "custom_fields", "interests", "score",
                                   "custom_fields.plan", "interests.News"])  # fmt: skip
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_sent_as_if_it_had_not_been_in_a_file(field: str, value: Any) -> None:
    assert payload_of(kept({field: value})) == payload_of({field: value})


def test_a_value_that_cannot_even_be_looked_at_does_not_end_the_run() -> None:
    assert payload_of(kept({"city": Broken()})) == [("city", "invalid_value")]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(["email", "city", "id", "custom_fields.plan"]),
            st.one_of(
                st.none(), st.text(), st.integers(), st.booleans(), st.decimals(), st.datetimes(), st.floats()
            ),
        ),
        max_size=5,
    )
)
def test_any_rows_come_back_in_their_order(rows: list[dict[str, Any]]) -> None:
    with RowSpool() as spool:
        for row in rows:
            spool.add(row)

        assert [payload_of(row) for row in spool] == [payload_of(row) for row in rows]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_rows_can_be_read_again_and_by_several_readers(count: int) -> None:
    with RowSpool() as spool:
        for number in range(count):
            spool.add({"id": number})

        both = list(zip(spool, spool, strict=True))

        assert len(spool) == count
        assert both == [({"id": number}, {"id": number}) for number in range(count)]


def test_rows_of_sqlite_are_kept() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        (row,) = database.execute("SELECT 'a@example.com' AS email, 1.5 AS score")

    assert kept(row) == {"email": "a@example.com", "score": "1.5"}


def test_a_full_disk_is_reported_with_the_row_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with RowSpool() as spool:

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("airflow_provider_envoke.sync.spool.pickle.dump", fail)

        for number in range(999):
            spool.add({"email": f"p{number}@example.com"})
        with pytest.raises(EnvokeSyncError, match=r"Row 1000 .* No space left on device.*TMPDIR") as caught:
            spool.add({"email": "p999@example.com"})

    assert "@" not in str(caught.value)


KILLED = """
import sys, time
from airflow_provider_envoke.sync.spool import RowSpool
spool = RowSpool()
for number in range(5_000):
    spool.add({"email": f"p{number}@example.com"})
print("ready", flush=True)
time.sleep(600)
"""


def test_after_a_kill_no_file_is_left(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        links = [str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir()]
        opened = [link for link in links if link.startswith(str(tmp_path))]
        names = list(tmp_path.iterdir())
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()

    assert len(opened) == 1  # the rows are on disk, in a file that has no name
    assert names == list(tmp_path.iterdir()) == []
