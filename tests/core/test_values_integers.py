"""Whole numbers, as a warehouse calls them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from airflow_provider_envoke.core.values import as_integer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(7, 7, id="int"),
        pytest.param("7", 7, id="text"),
        pytest.param("7.0", 7, id="text-with-places"),
        pytest.param(7.0, 7, id="float"),
        pytest.param(Decimal("7"), 7, id="Decimal"),
        pytest.param(Decimal("7.00"), 7, id="Decimal-with-places"),
        pytest.param(Decimal("7E+2"), 700, id="Decimal-exponent"),
        pytest.param(np.int64(7), 7, id="numpy"),
        pytest.param(np.float64(7), 7, id="numpy-float"),
        pytest.param("007", 7, id="leading-zeros"),
    ],
)
def test_a_whole_number_is_read_from_what_a_warehouse_calls_one(value: object, expected: int) -> None:
    assert as_integer(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(True, id="bool"),
        pytest.param(1.5, id="fraction"),
        pytest.param("1.5", id="fraction-text"),
        pytest.param("", id="empty"),
        pytest.param(".0", id="places-alone"),
        pytest.param("-1", id="negative"),
        pytest.param("+1", id="sign"),
        pytest.param(" 1", id="blank"),
        pytest.param("1\r\n", id="CR-LF"),
        pytest.param("1\n", id="LF"),
        pytest.param("1e3", id="exponent"),
        pytest.param("1_000", id="underscore"),
        pytest.param("1.0.0", id="two-points"),
        pytest.param("٣", id="Arabic-digit"),
        pytest.param("²", id="superscript"),
        pytest.param("9" * 21, id="21-digits"),
        pytest.param("0x1", id="hexadecimal"),
        pytest.param(date(2024, 1, 1), id="date"),
        pytest.param([1], id="list"),
    ],
)
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several reasons
        as_integer(value)


@pytest.mark.parametrize("value", [None, float("nan"), Decimal("sNaN"), np.datetime64("NaT")], ids=str)
def test_a_null_is_no_number_and_no_mistake(value: object) -> None:
    assert as_integer(value) is None
