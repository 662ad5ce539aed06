"""The progress in the log."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import progress
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.progress import describe_progress
from airflow_provider_envoke.sync.tally import Tally
from tests.support.contacts import contacts
from tests.support.sync_runs import WatchedRows, sync

if TYPE_CHECKING:
    import pytest


def test_a_run_that_has_just_begun_has_a_progress() -> None:
    assert describe_progress(Tally(), 10, 5.0) == "0 of 10 rows done, 0 rows/s, 0 rejected"


def test_the_progress_counts_rows_with_an_outcome_and_estimates_the_rest() -> None:
    counts = Tally()
    counts.rows = 500  # read, of which 300 have an outcome
    for row in range(300):
        counts.add(Decision("reject", reason="refused") if row < 2 else Decision("unchanged"), row=row)

    text = describe_progress(counts, 900, 3.0)

    assert [int(number) for number in re.findall(r"\d+", text)] == [300, 900, 100, 2, 6]


def test_rows_without_an_answer_are_not_called_rejected() -> None:
    counts = Tally()
    counts.rows, counts.unanswered = 400, 198
    counts.add(Decision("reject", reason="no_answer"), row=1)
    counts.add(Decision("reject", reason="overlong"), row=2)

    text = describe_progress(counts, 900, 1.0)

    assert "1 rejected" in text
    assert "199 without an answer" in text


def test_a_run_logs_its_progress(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "PROGRESS_EVERY_S", 0.01)
    people = contacts(120)
    with Sandbox(people, latency_s=0.02) as sandbox, caplog.at_level("INFO"):

        def wait_for_the_progress(number: int) -> None:
            while number == 110 and "rows done" not in caplog.text:
                time.sleep(0.001)

        sync(sandbox, WatchedRows(people, wait_for_the_progress))

    assert "rows done" in caplog.text
    assert "p1@example.com" not in caplog.text
