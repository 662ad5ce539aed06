"""Limits: a count, or a share of the rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokePlanError
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.limits import exceeds, read_limit
from airflow_provider_envoke.sync.plan import check_overrun
from tests.support.reports import report, tally


@pytest.mark.parametrize(
    ("limit", "number"),
    [
        *[(0, 0), (0.0, 0), (1, 1), (10, 10), (0.01, 0.01), (0.999, 0.999), (10**9, 10**9)],
        *[("0", 0), ("0.0", 0), ("1", 1), (" 1 ", 1), ("10", 10), (" 0.2 ", 0.2)],
    ],
)
def test_a_count_or_a_share_is_read_also_from_a_rendered_template(limit: Any, number: float) -> None:
    read = read_limit("max_changes", limit)

    assert (read, type(read)) == (number, type(number)), "a count is an int, in messages too"
    assert read_limit("max_changes", read) == number


@pytest.mark.parametrize("limit", [1.0, "1.0", "1.", "1e0", 2.0, "2.0", 100.0, "1e3", 1e9])
def test_one_with_a_decimal_point_is_refused_because_it_could_mean_one_row_or_all(limit: Any) -> None:
    with pytest.raises(EnvokeConfigError, match=r"^max_rejects .*\b1 is one row\b.* share below 1"):
        read_limit("max_rejects", limit)


@pytest.mark.parametrize(
    "limit",
    [-1, -0.1, 1.5, 2.2, True, False, None, "", " ", "None", "all", "1e", "nan", "inf", float("nan"), float("inf"),
     -float("inf"), [1], {}, b"1", 10**400, "-1"],
)  # fmt: skip
def test_anything_else_is_refused_and_never_means_no_limit(limit: Any) -> None:
    with pytest.raises(EnvokeConfigError, match=r"^max_changes .* count .* share"):
        read_limit("max_changes", limit)


@pytest.mark.parametrize(
    ("count", "limit", "rows", "over"),
    [
        *[(0, 0, 10, False), (1, 0, 10, True)],
        *[(1, 1, 10, False), (2, 1, 10, True)],  # 1 is a count, not the whole
        *[(5, 0.5, 10, False), (6, 0.5, 10, True), (0, 0.5, 0, False)],
    ],
)
def test_a_count_exceeds_a_limit(count: int, limit: float, rows: int, over: bool) -> None:
    assert exceeds(count, limit, rows) is over


@given(hundredths=st.integers(1, 99), hundreds=st.integers(1, 1000))
def test_a_share_allows_exactly_its_part_of_the_rows(hundredths: int, hundreds: int) -> None:
    allowed, rows = hundredths * hundreds, 100 * hundreds

    assert not exceeds(allowed, hundredths / 100, rows)
    assert exceeds(allowed + 1, hundredths / 100, rows)


def test_a_run_that_exceeds_its_plan_and_the_limit_is_stopped() -> None:
    planned = report(tally(*[Decision("update")] * 4, *[Decision("unchanged")] * 36), plan_only=True)

    check_overrun(4, planned, 0.1)
    with pytest.raises(EnvokePlanError, match=r"stopped after 5 changes .*max_changes=0.1"):
        check_overrun(5, planned, 0.1)
