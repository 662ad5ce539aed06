"""The table in ``envoke.values``, line by line."""

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

from airflow_provider_envoke.envoke.values import as_null, as_text

MONTREAL = ZoneInfo("America/Montreal")
NEW_YORK = timezone(timedelta(hours=-5))


class NAType:
    """Behaves like pandas.NA."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]


class NaTType(datetime):
    """Behaves like pandas.NaT, which is a datetime."""


class StatusText(str, enum.Enum):  # noqa: UP042 - the older form, whose str() is the member's name
    GOLD = "gold"


class Level(int, enum.Enum):
    HIGH = 3


class ShortText(enum.StrEnum):
    GOLD = "gold"


class Code(str):
    """The text class of a database driver."""

    __slots__ = ()

    def __str__(self) -> str:
        return "not the text"


class ZoneWithoutOffset(tzinfo):
    def utcoffset(self, _: datetime | None) -> Any:
        return None


class FixedOffset(ZoneWithoutOffset):
    """Like pytz.FixedOffset, which Snowflake's connector returns: a zone without a name."""

    zone = None

    def localize(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=self)

    def utcoffset(self, _: datetime | None) -> Any:
        return timedelta(hours=-5)


def naive(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


UNCHANGED = ["", "007", "H2G 1A7", " x ", "1.0", "None", "Zoë 张伟 👩‍👩‍👧", "a\nb\tc"]
LONG = "123456789012345678901234567890.12"
TEXTS = [
    *((text, text) for text in UNCHANGED),
    (Code("x"), "x"), (StatusText.GOLD, "gold"), (ShortText.GOLD, "gold"), (np.str_("007"), "007"),
    (True, "true"), (False, "false"), (np.bool_(True), "true"), (np.bool_(False), "false"),
    (0, "0"), (-42, "-42"), (2**80, "1208925819614629174706176"), (Level.HIGH, "3"),
    (np.int64(7), "7"), (np.uint8(255), "255"), (np.array(7), "7"),
    (42.0, "42"), (-0.0, "0"), (0.1, "0.1"), (1e22, "10000000000000000000000"), (1e-7, "0.0000001"),
    (-1234.5, "-1234.5"), (np.float64(42.0), "42"), (np.float64(0.1), "0.1"), (np.float32(0.5), "0.5"),
    (Decimal("1.50"), "1.50"), (Decimal("42.0"), "42.0"), (Decimal("1E+3"), "1000"), (Decimal(LONG), LONG),
    (Decimal("1E-10"), "0.0000000001"), (Decimal("-0"), "0"), (Decimal("-0.00"), "0.00"),
    (date(2024, 2, 29), "2024-02-29"), (date(987, 1, 2), "0987-01-02"), (pendulum.date(2024, 2, 29), "2024-02-29"),
    (naive(2024, 2, 29, 13, 5, 9, 999999), "2024-02-29 13:05:09"), (naive(987, 1, 2), "0987-01-02 00:00:00"),
    (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01 00:00:00"),
    (datetime(2024, 1, 1, tzinfo=MONTREAL), "2024-01-01 05:00:00"),
    (datetime(2024, 7, 1, tzinfo=MONTREAL), "2024-07-01 04:00:00"),
    (datetime(2024, 11, 3, 1, 30, tzinfo=MONTREAL), "2024-11-03 05:30:00"),
    (datetime(2024, 11, 3, 1, 30, tzinfo=MONTREAL, fold=1), "2024-11-03 06:30:00"),
    (datetime(2024, 1, 1, tzinfo=FixedOffset()), "2024-01-01 05:00:00"),
    (datetime(2024, 1, 1, tzinfo=NEW_YORK), "2024-01-01 05:00:00"),
    (datetime(2024, 1, 1, tzinfo=ZoneWithoutOffset()), "2024-01-01 00:00:00"),
    (pendulum.datetime(2024, 7, 1, tz="America/Montreal"), "2024-07-01 04:00:00"),
    (pendulum.datetime(2024, 1, 1, tz="Asia/Kathmandu"), "2023-12-31 18:15:00"),
    (np.datetime64("2024-02-29T13:05:09.123456789", "ns"), "2024-02-29 13:05:09"),
    (np.datetime64("2024-02-29T13:05:09", "s"), "2024-02-29 13:05:09"),
    (np.datetime64("2024-02-29", "D"), "2024-02-29"),
    (np.array(np.datetime64("2024-02-29T01", "ns")), "2024-02-29 01:00:00"),
    (UUID("F47AC10B-58CC-4372-A567-0E02B2C3D479"), "f47ac10b-58cc-4372-a567-0e02b2c3d479"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), TEXTS, ids=lambda value: ascii(value)[:60])
def test_a_value_becomes_its_documented_text(value: object, expected: str) -> None:
    text = as_text(value)

    assert text == expected
    assert type(text) is str
    assert not as_null(value)


NULLS = [
    None, math.nan, -math.nan, Decimal("NaN"), Decimal("sNaN"), np.float64("nan"), np.float32("nan"),
    np.array(math.nan), np.datetime64("NaT"), np.datetime64("NaT", "ns"), np.timedelta64("NaT"),
    NAType(), NaTType(2024, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("value", NULLS, ids=lambda value: type(value).__name__)
def test_every_form_of_null_is_recognized(value: object) -> None:
    assert as_text(value) is None
    assert as_null(value)


UNSUPPORTED = [
    b"bytes", bytearray(b"x"), memoryview(b"x"), ["a"], ("a",), {"a": 1}, {"a"}, 1j, object(), str, time(1, 2),
    timedelta(1), np.bytes_(b"x"), np.array([1, 2]), np.array([1]), np.complex128(1), np.timedelta64(5, "ns"),
    np.timedelta64(5, "D"),
]  # fmt: skip
INVALID = {
    "infinite": [math.inf, -math.inf, np.float64("inf"), Decimal("Infinity")],
    "100 digits": [Decimal("1E+999999"), Decimal("1E-999999"), 1e300, 10**100, 10**5000],  # Python's limit: 4300
    "NUL": ["a\0b", Code("a\0b")],
    "surrogate": ["a\ud800b", "\udcff"],
    "dates": [
        np.datetime64("20000-01-01", "s"),
        datetime.max.replace(tzinfo=NEW_YORK),  # after the year 9999 in UTC
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),  # before the year 1 in UTC
    ],
}


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        *((value, type(value).__name__) for value in UNSUPPORTED),
        *((value, fragment) for fragment, values in INVALID.items() for value in values),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_cannot_be_sent_is_rejected_with_the_reason(value: object, fragment: str) -> None:
    with pytest.raises(ValueError, match=fragment) as caught:
        as_text(value)

    assert type(caught.value) is ValueError
    assert "a\\x00b" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert not as_null(value)


@given(st.datetimes(timezones=st.timezones(), min_value=naive(1900, 1, 1), max_value=naive(2100, 1, 1)))
def test_an_aware_datetime_becomes_the_same_moment_in_utc(value: datetime) -> None:
    expected = value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat(sep=" ")

    assert as_text(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
@example(5e-100)
@example(123456789.123456789)
def test_the_text_of_a_float_is_plain_and_reads_back_as_the_same_number(value: float) -> None:
    if 0 < abs(value) < 1e-100:
        return
    text = as_text(value)

    assert text is not None
    assert float(text) == value
    assert "e" not in text.lower()
    assert not text.endswith(".0")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_the_text_of_a_decimal_keeps_number_and_places(value: Decimal) -> None:
    text = as_text(value)

    assert text is not None
    assert Decimal(text) == value
    assert len(text.partition(".")[2]) == 4


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_text_stays_unchanged(value: str) -> None:
    assert as_text(value) == value


def test_a_zone_without_offset_does_not_mean_the_zone_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    system_time.tzset()
    try:
        text = as_text(datetime(2024, 1, 1, tzinfo=ZoneWithoutOffset()))
    finally:
        monkeypatch.undo()
        system_time.tzset()

    assert text == "2024-01-01 00:00:00"
