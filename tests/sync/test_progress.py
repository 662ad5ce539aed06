"""The lines that tell how far a run is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.core.plan import Decision
from airflow_provider_envoke.core.report import Tally
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import progress
from airflow_provider_envoke.sync.progress import describe_progress
from tests.sync.running import sync

if TYPE_CHECKING:
    from collections.abc import Iterator


def tally(done: int, rejected: int) -> Tally:
    counts = Tally()
    for row in range(done):
        counts.add(Decision("reject", reason="refused") if row < rejected else Decision("unchanged"), row=row)
    return counts


@pytest.mark.parametrize(
    ("total", "text"),
    [
        (None, "300 rows done, 100 rows/s, 2 rejected"),
        (900, "300 of 900 rows done, 100 rows/s, 2 rejected, about 6 s left"),
    ],
)
def test_it_says_how_many_how_fast_and_how_long_still(total: int | None, text: str) -> None:
    assert describe_progress(tally(300, 2), total, 3.0) == text


def test_nothing_done_yet_is_no_division_by_nothing() -> None:
    assert describe_progress(Tally(), 10, 5.0) == "0 of 10 rows done, 0 rows/s, 0 rejected"


def test_a_run_tells_of_itself_while_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "PROGRESS_EVERY_S", 0.01)
    people = [{"email": f"p{number}@example.com", "city": "Laval"} for number in range(120)]
    with Sandbox(people, latency_s=0.02) as sandbox, caplog.at_level("INFO"):

        def slowly() -> Iterator[dict[str, str]]:
            for number, row in enumerate(people):
                while number == 110 and "rows done" not in caplog.text:
                    time.sleep(0.001)  # the batch before is on its way
                yield row

        sync(sandbox, slowly())

    assert "rows done" in caplog.text
    assert "p1@example.com" not in caplog.text
