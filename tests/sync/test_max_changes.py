"""The circuit breaker: a plan that changes too much is not applied."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokePlanError, EnvokeSyncError
from airflow_provider_envoke.sync import SyncRun
from airflow_provider_envoke.sync.options import SyncOptions
from tests.support.sync_runs import config_of, patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

ROWS = [{"email": f"p{number}@example.com", "city": "Laval" if number % 2 else "Québec"} for number in range(10)]


class Readings:
    """Rows that differ from one reading to the next, and whether each reading was closed."""

    def __init__(self, *readings: list[dict[str, Any]], at_row: Callable[[], None] = lambda: None) -> None:
        self.readings = iter(readings)
        self.opened = 0
        self.closed = 0
        self.at_row = at_row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.opened += 1
        try:
            for row in next(self.readings):
                self.at_row()
                yield row
        finally:
            self.closed += 1


@pytest.fixture
def sandbox(envoke_sandbox: Sandbox) -> Sandbox:
    """Ten people in Laval, of whom half will move by ``ROWS``."""
    envoke_sandbox.reset([{"email": row["email"], "city": "Laval"} for row in ROWS])
    return envoke_sandbox


def run_of(sandbox: Sandbox, **options: Any) -> SyncRun:
    return SyncRun(config_of(sandbox), SyncOptions(**options))


def cities(sandbox: Sandbox) -> set[str]:
    return {contact["city"] for contact in sandbox.contacts}


@pytest.mark.parametrize("limit", [5, 0.5, 9])
def test_a_plan_within_the_limit_is_carried_out(
    sandbox: Sandbox, limit: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        report = run_of(sandbox, max_changes=limit).run(ROWS)

    assert (report.rows, report.updated, report.unchanged, report.plan_only) == (10, 5, 5, False)
    assert cities(sandbox) == {"Laval", "Québec"}
    assert len(patches(sandbox)) == 5
    assert f"5 of 10 rows, within max_changes={limit}" in caplog.text


@pytest.mark.parametrize("limit", [0, 4, 0.4, 0.49])
def test_a_plan_above_the_limit_writes_nothing_and_is_the_report(sandbox: Sandbox, limit: float) -> None:
    run = run_of(sandbox, max_changes=limit)

    with pytest.raises(EnvokePlanError, match="5 of 10 rows") as caught:
        run.run(ROWS)

    report = run.report()
    assert patches(sandbox) == []
    assert cities(sandbox) == {"Laval"}
    assert (report.updated, report.plan_only, report.stopped) == (5, True, "max_changes")
    assert report.fields == {"city": 5}
    assert len(report.examples["city"]) == 3
    times = {"seconds": report.seconds, "rows_per_second": report.rows_per_second}
    assert {**(caught.value.report or {}), **times} == report.as_dict()


def test_a_plan_alone_is_checked_too(sandbox: Sandbox) -> None:
    run = run_of(sandbox, plan_only=True, max_changes=4)

    with pytest.raises(EnvokePlanError, match="max_changes=4"):
        run.run(ROWS)

    assert (run.report().updated, run.report().stopped) == (5, "max_changes")
    assert run_of(sandbox, plan_only=True, max_changes=5).run(ROWS).updated == 5
    assert patches(sandbox) == []


def test_by_strategy_all_every_row_that_would_be_sent_counts(sandbox: Sandbox) -> None:
    with pytest.raises(EnvokePlanError, match="10 of 10 rows"):
        run_of(sandbox, strategy="all", max_changes=9).run(ROWS)

    assert list(sandbox.requests) == []
    assert run_of(sandbox, strategy="all", max_changes=10).run(ROWS).updated == 10


@pytest.mark.parametrize(("limit", "readings"), [(None, 1), (5, 2)])
def test_only_for_a_limit_the_rows_are_read_twice(sandbox: Sandbox, limit: int | None, readings: int) -> None:
    rows = Readings(*[ROWS] * readings)

    report = run_of(sandbox, max_changes=limit).run(rows)

    assert (rows.opened, rows.closed, report.updated) == (readings, readings, 5)
    assert report.requests == {"read": readings, "write": 5}


def test_rejected_rows_are_handed_over_once(sandbox: Sandbox) -> None:
    rejects: list[int] = []
    run = SyncRun(
        config_of(sandbox), SyncOptions(max_changes=9), on_reject=lambda reject: rejects.append(reject.row)
    )

    report = run.run([*ROWS, {"email": "nobody@example.com", "city": "Laval"}])

    assert (report.rejected, rejects) == (1, [11])


def test_a_table_that_grew_since_it_was_planned_stops_the_run(sandbox: Sandbox) -> None:
    everybody = [{**row, "city": "Gatineau"} for row in ROWS]
    run = run_of(sandbox, max_changes=5, concurrency=1)

    with pytest.raises(EnvokePlanError, match="5 changes in 10 rows"):
        run.run(Readings(ROWS, everybody))

    report = run.report()
    assert (report.rows, report.plan_only, report.stopped) == (10, False, "max_changes")
    assert report.updated > 5


def test_a_run_cancelled_while_it_plans_writes_nothing_and_reports_the_plan(sandbox: Sandbox) -> None:
    run = run_of(sandbox, max_changes=9)
    rows = Readings(ROWS, ROWS, at_row=run.cancel)

    with pytest.raises(EnvokeSyncError, match="stopped"):
        run.run(rows)

    report = run.report()
    assert (report.rows, report.plan_only, report.stopped) == (10, True, "EnvokeSyncError")
    assert rows.opened == rows.closed == 1
    assert patches(sandbox) == []


def test_a_reading_that_is_given_up_is_closed_though_its_traceback_is_kept(sandbox: Sandbox) -> None:
    run = SyncRun(config_of(sandbox), SyncOptions(), batch_rows=2)
    rows = Readings(ROWS, at_row=run.cancel)

    with pytest.raises(EnvokeSyncError) as caught:
        run.run(rows)

    assert caught.tb is not None
    assert (rows.opened, rows.closed, run.report().rows) == (1, 1, 2)


def test_a_reading_that_breaks_is_closed(sandbox: Sandbox) -> None:
    def break_off() -> None:
        raise OSError("the database has gone")

    rows = Readings(ROWS, at_row=break_off)

    with pytest.raises(OSError, match="gone"):
        run_of(sandbox).run(rows)

    assert (rows.opened, rows.closed) == (1, 1)
