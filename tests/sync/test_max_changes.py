"""The circuit breaker: a plan that changes too much is not applied."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokePlanError, EnvokeSyncError
from airflow_provider_envoke.sync import SyncRun
from airflow_provider_envoke.sync.options import SyncOptions
from tests.support.sync_runs import WatchedRows, config_of, patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

ROWS = [{"email": f"p{number}@example.com", "city": "Laval" if number % 2 else "Québec"} for number in range(10)]


class Reading:
    """Rows that are read once, such as a query's: how often they were opened and closed."""

    def __init__(self, rows: list[dict[str, Any]], at_row: Callable[[], None] = lambda: None) -> None:
        self.rows = rows
        self.opened = 0
        self.closed = 0
        self.at_row = at_row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.opened += 1
        try:
            for row in self.rows:
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


@pytest.mark.parametrize(("limit", "reads"), [(None, 1), (5, 2)])
def test_the_rows_are_read_once_also_for_a_limit(sandbox: Sandbox, limit: int | None, reads: int) -> None:
    rows = Reading(ROWS)

    report = run_of(sandbox, max_changes=limit).run(rows)

    assert (rows.opened, rows.closed, report.updated) == (1, 1, 5)
    assert report.requests == {"read": reads, "write": 5}  # the contacts are compared twice


def test_rows_that_can_be_read_only_once_may_have_a_limit(sandbox: Sandbox) -> None:
    assert run_of(sandbox, max_changes=5).run(iter(ROWS)).updated == 5


def test_rejected_rows_are_handed_over_once(sandbox: Sandbox) -> None:
    rejects: list[int] = []
    run = SyncRun(
        config_of(sandbox), SyncOptions(max_changes=9), on_reject=lambda reject: rejects.append(reject.row)
    )

    report = run.run([*ROWS, {"email": "nobody@example.com", "city": "Laval"}])

    assert (report.rejected, rejects) == (1, [11])


@pytest.mark.parametrize("limit", [4, 0.1])
def test_the_rejected_rows_of_a_plan_that_is_not_carried_out_are_handed_over(sandbox: Sandbox, limit: Any) -> None:
    rejects: list[Any] = []
    run = SyncRun(config_of(sandbox), SyncOptions(max_changes=limit), on_reject=rejects.append)

    with pytest.raises(EnvokePlanError):
        run.run([*ROWS, {"email": "nobody@example.com", "city": "Laval"}])

    (reject,) = rejects
    assert (reject.row, reject.key, reject.reason) == (11, "nobody@example.com", "not_found")
    assert run.report().reasons == {"not_found": 1}


def test_contacts_that_were_changed_since_the_plan_stop_the_run(sandbox: Sandbox) -> None:
    everybody = [{**row, "city": "Gatineau"} for row in ROWS]
    moved = [{**row, "city": "Gatineau" if number < 5 else "Laval"} for number, row in enumerate(ROWS)]
    passes: list[int] = []

    def move_back(number: int) -> None:
        if number == 0:
            passes.append(number)
            sandbox.reset(moved if len(passes) == 1 else [{**row, "city": "Laval"} for row in ROWS])

    run = run_of(sandbox, max_changes=5, concurrency=1)

    with pytest.raises(EnvokePlanError, match="5 changes in 10 rows"):
        run.run(WatchedRows(everybody, move_back))

    report = run.report()
    assert (report.rows, report.plan_only, report.stopped) == (10, False, "max_changes")
    assert report.updated > 5


def test_a_run_cancelled_while_it_plans_writes_nothing_and_reports_the_plan(sandbox: Sandbox) -> None:
    run = run_of(sandbox, max_changes=9)

    with pytest.raises(EnvokeSyncError, match="stopped"):
        run.run(WatchedRows(ROWS, lambda _: run.cancel()))

    report = run.report()
    assert (report.not_reached, report.plan_only, report.stopped) == (10, True, "EnvokeSyncError")
    assert patches(sandbox) == []


def test_rows_that_are_being_read_when_the_run_is_cancelled_are_closed(sandbox: Sandbox) -> None:
    run = SyncRun(config_of(sandbox), SyncOptions())
    rows = Reading(ROWS, at_row=run.cancel)

    with pytest.raises(EnvokeSyncError) as caught:
        run.run(rows)

    assert caught.tb is not None  # the frames that it keeps do not keep the rows open
    assert (rows.opened, rows.closed, run.report().rows) == (1, 1, 0)
    assert list(sandbox.requests) == []


def test_a_reading_that_breaks_is_closed_and_nothing_is_sent(sandbox: Sandbox) -> None:
    def break_off() -> None:
        raise OSError("the database has gone")

    rows = Reading(ROWS, at_row=break_off)

    with pytest.raises(OSError, match="gone"):
        run_of(sandbox).run(rows)

    assert (rows.opened, rows.closed) == (1, 1)
    assert list(sandbox.requests) == []
