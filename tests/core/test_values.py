"""The table in ``core.values``, line by line."""

from __future__ import annotations

import enum
import math
import time as system_time
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_envoke.core.values import as_text

MONTREAL = ZoneInfo("America/Montreal")


class NAType:
    """What pandas.NA looks like from outside."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]


class NaTType(datetime):
    """What pandas.NaT looks like from outside: a kind of datetime."""


class StatusText(str, enum.Enum):  # noqa: UP042 - the older spelling, whose str() is the member's name
    GOLD = "gold"


class Level(int, enum.Enum):
    HIGH = 3


class ShortText(enum.StrEnum):
    GOLD = "gold"


class Code(str):
    """A database driver's own text."""

    __slots__ = ()

    def __str__(self) -> str:
        return "not the text"


class OddZone(tzinfo):
    """A zone in name alone: it has no offset."""

    def utcoffset(self, _: datetime | None) -> Any:
        return None


class FixedOffset(OddZone):
    """Like pytz.FixedOffset, which Snowflake's connector returns: a zone without a name."""

    zone = None

    def localize(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=self)

    def utcoffset(self, _: datetime | None) -> Any:
        return timedelta(hours=-5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("", "", id="empty-text"),
        pytest.param("007", "007", id="digits-with-zeros-stay-text"),
        pytest.param("H2G 1A7", "H2G 1A7", id="postal-code"),
        pytest.param(" x ", " x ", id="blanks-stay"),
        pytest.param("1.0", "1.0", id="text-that-looks-like-a-number"),
        pytest.param("None", "None", id="the-word-None"),
        pytest.param("Zoë 张伟 👩‍👩‍👧", "Zoë 张伟 👩‍👩‍👧", id="any-script"),
        pytest.param("a\nb\tc", "a\nb\tc", id="lines"),
        pytest.param(Code("x"), "x", id="text-subclass"),
        pytest.param(StatusText.GOLD, "gold", id="text-enum"),
        pytest.param(ShortText.GOLD, "gold", id="StrEnum"),
        pytest.param(np.str_("007"), "007", id="numpy-text"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param(np.bool_(True), "true", id="numpy-true"),
        pytest.param(np.bool_(False), "false", id="numpy-false"),
        pytest.param(0, "0", id="zero"),
        pytest.param(-42, "-42", id="negative-int"),
        pytest.param(2**80, "1208925819614629174706176", id="long-int"),
        pytest.param(Level.HIGH, "3", id="int-enum"),
        pytest.param(np.int64(7), "7", id="numpy-int64"),
        pytest.param(np.uint8(255), "255", id="numpy-uint8"),
        pytest.param(np.array(7), "7", id="numpy-array-without-dimensions"),
        pytest.param(42.0, "42", id="whole-float"),
        pytest.param(-0.0, "0", id="float-minus-zero"),
        pytest.param(0.1, "0.1", id="float"),
        pytest.param(1e22, "10000000000000000000000", id="float-1e22"),
        pytest.param(1e-7, "0.0000001", id="float-1e-7"),
        pytest.param(-1234.5, "-1234.5", id="negative-float"),
        pytest.param(np.float64(42.0), "42", id="numpy-float64"),
        pytest.param(np.float64(0.1), "0.1", id="numpy-float64-fraction"),
        pytest.param(np.float32(0.5), "0.5", id="numpy-float32"),
        pytest.param(Decimal("1.50"), "1.50", id="Decimal-keeps-its-places"),
        pytest.param(Decimal("42.0"), "42.0", id="Decimal-keeps-its-zero"),
        pytest.param(Decimal("1E+3"), "1000", id="Decimal-exponent"),
        pytest.param(Decimal("1E-10"), "0.0000000001", id="Decimal-negative-exponent"),
        pytest.param(Decimal("-0"), "0", id="Decimal-minus-zero"),
        pytest.param(Decimal("-0.00"), "0.00", id="Decimal-minus-zero-with-places"),
        pytest.param(Decimal("123456789012345678901234567890.12"), "123456789012345678901234567890.12", id="long"),
        pytest.param(date(2024, 2, 29), "2024-02-29", id="date"),
        pytest.param(date(987, 1, 2), "0987-01-02", id="date-before-1000"),
        pytest.param(pendulum.date(2024, 2, 29), "2024-02-29", id="pendulum-date"),
        pytest.param(datetime(2024, 2, 29, 13, 5, 9, 999999), "2024-02-29 13:05:09", id="naive-datetime"),  # noqa: DTZ001
        pytest.param(datetime(987, 1, 2), "0987-01-02 00:00:00", id="naive-datetime-before-1000"),  # noqa: DTZ001
        pytest.param(datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01 00:00:00", id="UTC"),
        pytest.param(datetime(2024, 1, 1, tzinfo=MONTREAL), "2024-01-01 05:00:00", id="zoneinfo-winter"),
        pytest.param(datetime(2024, 7, 1, tzinfo=MONTREAL), "2024-07-01 04:00:00", id="zoneinfo-summer"),
        pytest.param(datetime(2024, 11, 3, 1, 30, tzinfo=MONTREAL), "2024-11-03 05:30:00", id="first-of-two-1:30"),
        pytest.param(
            datetime(2024, 11, 3, 1, 30, tzinfo=MONTREAL, fold=1), "2024-11-03 06:30:00", id="second-of-two-1:30"
        ),
        pytest.param(pendulum.datetime(2024, 7, 1, tz="America/Montreal"), "2024-07-01 04:00:00", id="pendulum"),
        pytest.param(datetime(2024, 1, 1, tzinfo=FixedOffset()), "2024-01-01 05:00:00", id="zone-without-a-name"),
        pytest.param(
            pendulum.datetime(2024, 1, 1, tz="Asia/Kathmandu"), "2023-12-31 18:15:00", id="pendulum-odd-offset"
        ),
        pytest.param(
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-5))), "2024-01-01 05:00:00", id="fixed-offset"
        ),
        pytest.param(datetime(2024, 1, 1, tzinfo=OddZone()), "2024-01-01 00:00:00", id="a-zone-without-offset"),
        pytest.param(
            np.datetime64("2024-02-29T13:05:09.123456789", "ns"), "2024-02-29 13:05:09", id="datetime64-ns"
        ),
        pytest.param(np.datetime64("2024-02-29T13:05:09", "s"), "2024-02-29 13:05:09", id="datetime64-s"),
        pytest.param(np.datetime64("2024-02-29", "D"), "2024-02-29", id="datetime64-day-is-a-date"),
        pytest.param(np.array(np.datetime64("2024-02-29T01", "ns")), "2024-02-29 01:00:00", id="datetime64-0-dim"),
        pytest.param(
            UUID("F47AC10B-58CC-4372-A567-0E02B2C3D479"), "f47ac10b-58cc-4372-a567-0e02b2c3d479", id="UUID"
        ),
    ],
)
def test_a_value_becomes_its_documented_text(value: object, expected: str) -> None:
    text = as_text(value)

    assert text == expected
    assert type(text) is str


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="None"),
        pytest.param(math.nan, id="float-NaN"),
        pytest.param(-math.nan, id="float-minus-NaN"),
        pytest.param(Decimal("NaN"), id="Decimal-NaN"),
        pytest.param(Decimal("sNaN"), id="Decimal-signalling-NaN"),
        pytest.param(np.float64("nan"), id="numpy-NaN"),
        pytest.param(np.float32("nan"), id="numpy-float32-NaN"),
        pytest.param(np.array(math.nan), id="numpy-array-NaN"),
        pytest.param(np.datetime64("NaT"), id="numpy-NaT"),
        pytest.param(np.datetime64("NaT", "ns"), id="numpy-NaT-ns"),
        pytest.param(np.timedelta64("NaT"), id="numpy-timedelta-NaT"),
        pytest.param(NAType(), id="pandas-NA"),
        pytest.param(NaTType(2024, 1, 1), id="pandas-NaT"),
    ],
)
def test_the_many_spellings_of_null_are_one(value: object) -> None:
    assert as_text(value) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(b"bytes", "bytes", id="bytes"),
        pytest.param(bytearray(b"x"), "bytearray", id="bytearray"),
        pytest.param(memoryview(b"x"), "memoryview", id="memoryview"),
        pytest.param(["a"], "list", id="list"),
        pytest.param(("a",), "tuple", id="tuple"),
        pytest.param({"a": 1}, "dict", id="dict"),
        pytest.param({"a"}, "set", id="set"),
        pytest.param(1j, "complex", id="complex"),
        pytest.param(object(), "object", id="object"),
        pytest.param(str, "type", id="a-class"),
        pytest.param(time(1, 2), "time", id="time"),
        pytest.param(timedelta(1), "timedelta", id="timedelta"),
        pytest.param(np.bytes_(b"x"), "bytes", id="numpy-bytes"),
        pytest.param(np.array([1, 2]), "ndarray", id="numpy-array"),
        pytest.param(np.array([1]), "ndarray", id="numpy-array-of-one"),
        pytest.param(np.complex128(1), "complex", id="numpy-complex"),
        pytest.param(np.timedelta64(5, "ns"), "timedelta64", id="numpy-timedelta-ns"),
        pytest.param(np.timedelta64(5, "D"), "timedelta64", id="numpy-timedelta-days"),
        pytest.param(np.datetime64("20000-01-01", "s"), "date outside", id="numpy-year-20000"),
        pytest.param(math.inf, "infinite", id="infinity"),
        pytest.param(-math.inf, "infinite", id="minus-infinity"),
        pytest.param(np.float64("inf"), "infinite", id="numpy-infinity"),
        pytest.param(Decimal("Infinity"), "infinite", id="Decimal-infinity"),
        pytest.param(Decimal("1E+999999"), "magnitude", id="a-million-digits"),
        pytest.param(Decimal("1E-999999"), "magnitude", id="a-million-places"),
        pytest.param(1e300, "magnitude", id="float-1e300"),
        pytest.param("a\0b", "NUL", id="NUL"),
        pytest.param(Code("a\0b"), "NUL", id="NUL-in-a-subclass"),
        pytest.param("a\ud800b", "surrogate", id="lone-surrogate"),
        pytest.param("\udcff", "surrogate", id="surrogate-escape"),
        pytest.param(
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
            "date outside",
            id="after-the-year-9999-in-UTC",
        ),
        pytest.param(
            datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
            "date outside",
            id="before-the-year-1-in-UTC",
        ),
        pytest.param(10**5000, "of that magnitude", id="an-int-of-5001-digits"),
    ],
)
def test_a_value_without_a_text_is_refused_with_the_reason(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        as_text(value)

    assert type(caught.value) is ValueError
    assert "a\\x00b" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_an_aware_datetime_becomes_the_same_moment_in_utc(value: datetime) -> None:
    expected = value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat(sep=" ")

    assert as_text(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
@example(5e-100)
@example(123456789.123456789)
def test_a_floats_text_is_plain_and_reads_back_as_the_same_number(value: float) -> None:
    if 0 < abs(value) < 1e-100:
        return
    text = as_text(value)

    assert text is not None
    assert float(text) == value
    assert "e" not in text.lower()
    assert not text.endswith(".0")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_decimals_text_keeps_number_and_places(value: Decimal) -> None:
    text = as_text(value)

    assert text is not None
    assert Decimal(text) == value
    assert len(text.partition(".")[2]) == 4


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_text_stays_as_it_is(value: str) -> None:
    assert as_text(value) == value


def test_a_zone_without_offset_does_not_mean_the_zone_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    system_time.tzset()
    try:
        text = as_text(datetime(2024, 1, 1, tzinfo=OddZone()))
    finally:
        monkeypatch.undo()
        system_time.tzset()

    assert text == "2024-01-01 00:00:00"
