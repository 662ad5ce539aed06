"""A limit is a count or a share of the rows, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.core.limits import check_changes, check_overrun, exceeds, read_limit
from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.core.report import SyncReport
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokePlanError


def plan(**counts: int) -> SyncReport:
    outcomes = dict.fromkeys(("rows", "updated", "created", "unchanged", "skipped", "rejected"), 0) | counts
    return SyncReport(
        **outcomes, reasons={}, skipped_reasons={}, fields={}, consent_changes={}, examples={}, requests={},
        read_by="filter", seconds=1.0, rows_per_second=1.0, plan_only=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "number"),
    [(0, 0), (1, 1), (10, 10), (2.0, 2), (0.01, 0.01), ("0", 0), ("10", 10), (" 0.2 ", 0.2), (10**9, 10**9)],
)
def test_a_count_or_a_share_is_read_also_from_a_rendered_template(limit: Any, number: float) -> None:
    assert read_limit("max_changes", limit) == number


@pytest.mark.parametrize(
    "limit",
    [-1, -0.1, 1.5, 2.2, True, False, None, "", " ", "None", "all", "1e", "nan", "inf", float("nan"), float("inf"),
     -float("inf"), [1], {}, b"1", 10**400, "-1"],
)  # fmt: skip
def test_anything_else_is_refused_by_its_name_and_not_taken_for_no_limit(limit: Any) -> None:
    with pytest.raises(EnvokeConfigError, match=r"^max_changes has to be a count .* or a share below 1"):
        read_limit("max_changes", limit)


@pytest.mark.parametrize(
    ("count", "limit", "rows", "over"),
    [
        pytest.param(0, 0, 10, False, id="nothing is within nothing"),
        pytest.param(1, 0, 10, True, id="one is not"),
        pytest.param(1, 1, 10, False, id="one is a count, not the whole"),
        pytest.param(2, 1, 10, True, id="two are above one"),
        pytest.param(5, 0.5, 10, False, id="a share is reached"),
        pytest.param(6, 0.5, 10, True, id="a share is exceeded"),
        pytest.param(0, 0.5, 0, False, id="no rows"),
        pytest.param(29, 0.29, 100, False, id="a share that binary fractions cannot hold"),
    ],
)
def test_a_count_is_above_a_limit_or_is_not(count: int, limit: float, rows: int, over: bool) -> None:
    assert exceeds(count, limit, rows) is over


@given(hundredths=st.integers(1, 99), hundreds=st.integers(1, 1000))
def test_a_share_allows_exactly_its_part_of_the_rows(hundredths: int, hundreds: int) -> None:
    allowed, rows = hundredths * hundreds, 100 * hundreds

    assert not exceeds(allowed, hundredths / 100, rows)
    assert exceeds(allowed + 1, hundredths / 100, rows)


def test_a_plan_that_changes_too_much_is_stopped_with_its_numbers_and_what_to_do() -> None:
    with pytest.raises(EnvokePlanError) as caught:
        check_changes(plan(rows=40, updated=7, created=2, unchanged=31), 0.1)

    words = str(caught.value)
    assert "9 of 40 rows would change contacts in Envoke (7 updates, 2 new ones)" in words
    assert "max_changes=0.1 allows: nothing was written" in words
    assert "allow more with max_changes" in words
    assert caught.value.report is not None
    assert caught.value.report.changes == 9


def test_a_plan_within_the_limit_passes() -> None:
    check_changes(plan(rows=40, updated=3, created=1, unchanged=36), 0.1)


def test_a_run_that_changes_more_than_its_plan_might_is_stopped() -> None:
    planned = plan(rows=40, updated=4, unchanged=36)

    check_overrun(4, planned, 0.1)
    with pytest.raises(EnvokePlanError, match=r"stopped after 5, more than max_changes=0.1 allows"):
        check_overrun(5, planned, 0.1)


def test_the_options_of_a_run_refuse_what_is_no_limit() -> None:
    assert SyncOptions().max_changes is None
    assert SyncOptions(max_changes=0).max_changes == 0
    with pytest.raises(EnvokeConfigError, match="max_changes"):
        SyncOptions(max_changes=-1)
